package farebox

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farebox-go/farebox/internal/wire"
)

// Candidate is a model at an endpoint. It is a [Choice] by itself: of that model and no other.
type Candidate struct {
	Endpoint string // the name of a registered endpoint; empty: the one that the call goes to anyway
	Model    string
}

// On is a model at a registered endpoint; an empty endpoint is the one that the call goes to anyway.
func On(endpoint, model string) Candidate { return Candidate{Endpoint: endpoint, Model: model} }

// Candidates returns the candidate itself.
func (c Candidate) Candidates(context.Context, *Needs) ([]Candidate, error) {
	return []Candidate{c}, nil
}

// Choice picks the models that a call may go to, in order: the next one is tried where one fails in a way that another
// may not (overloaded, rate limited, out of credits, not found, context too short, no connection). A call that a budget
// refuses is not sent elsewhere. Implementations must be safe for concurrent use; an error of theirs is the call's.
type Choice interface {
	// Candidates returns where a request may go, best first; none is ErrNoCandidate.
	Candidates(ctx context.Context, needs *Needs) ([]Candidate, error)
}

// Fallback tries candidates in the order given.
func Fallback(candidates ...Candidate) Choice { return fallback(candidates) }

type fallback []Candidate

func (f fallback) Candidates(context.Context, *Needs) ([]Candidate, error) { return f, nil }

// Cheapest tries the candidates that can do what the request needs (context, modalities, tools), the one that it is
// expected to cost least on first. Candidates without a price, and those that the catalog knows cannot do it, are left
// out; where that leaves none, the call is ErrNoCandidate.
func Cheapest(candidates ...Candidate) Choice { return cheapest(candidates) }

type cheapest []Candidate

func (c cheapest) Candidates(_ context.Context, needs *Needs) ([]Candidate, error) {
	type priced struct {
		Candidate
		expected Money
	}
	var able []priced
	var why []string
	for _, candidate := range c {
		quote, err := needs.Quote(candidate)
		if err != nil {
			return nil, err
		}
		if lack := needs.lack(candidate, &quote); lack != "" {
			why = append(why, candidate.Model+": "+lack)
			continue
		}
		able = append(able, priced{candidate, quote.Expected})
	}
	if len(able) == 0 {
		return nil, fmt.Errorf("farebox: %w (%s)", ErrNoCandidate, strings.Join(why, "; "))
	}
	slices.SortStableFunc(able, func(a, b priced) int { return a.expected.Cmp(b.expected) })
	ordered := make([]Candidate, len(able))
	for i, p := range able {
		ordered[i] = p.Candidate
	}
	return ordered, nil
}

// Needs is what a request asks of a model, for a [Choice] to look at. It is made by the Client and is good until
// Candidates returns; its methods are safe for concurrent use.
type Needs struct {
	Operation string   // chat, text_completion, embeddings
	Inputs    Modality // what the request holds
	Tools     bool     // it offers tools
	// OutputTokens is the output limit that the request sets; 0: none.
	OutputTokens int64

	client  *Client
	first   *endpoint
	request wire.Request
	body    []byte
}

// Quote prices the request on a candidate. Its error is that of an endpoint that is not registered; a model without a
// price is none.
func (n *Needs) Quote(c Candidate) (Quote, error) {
	resolved, err := n.client.resolveCandidate(c, n.first)
	if err != nil {
		return Quote{}, err
	}
	request := n.request
	request.Model = resolved.model
	return n.client.meter.quote(resolved.endpoint, &request, &payload{format: n.client.format, body: n.body}, time.Now()).Quote, nil
}

// Model is the catalog's entry for a candidate; ok is false where it has none.
func (n *Needs) Model(c Candidate) (model Model, ok bool) {
	resolved, err := n.client.resolveCandidate(c, n.first)
	if err != nil {
		return Model{}, false
	}
	entry, _ := n.client.meter.price(resolved.endpoint, resolved.model, time.Now())
	if entry == nil {
		return Model{}, false
	}
	return entry.Model, true
}

// lack says what a candidate is known to be unable to do; empty: nothing.
func (n *Needs) lack(c Candidate, quote *Quote) string {
	model, known := n.Model(c)
	switch {
	case !known || !quote.Priced:
		return "has no price"
	case model.ContextTokens > 0 && quote.InputTokens+n.OutputTokens > model.ContextTokens:
		return fmt.Sprintf("the context of %d tokens is too short", model.ContextTokens)
	case model.Inputs != 0 && n.Inputs&^model.Inputs != 0:
		return "does not take all of the request's modalities"
	case n.Tools && model.Tools == SupportNo:
		return "does not call tools"
	}
	return ""
}

// resolvedCandidate is a candidate whose endpoint has been found.
type resolvedCandidate struct {
	endpoint *endpoint
	model    string
}

func (c *Client) resolveCandidate(candidate Candidate, first *endpoint) (resolvedCandidate, error) {
	if candidate.Model == "" {
		return resolvedCandidate{}, badRequest("a choice offers a candidate without a model")
	}
	if candidate.Endpoint == "" {
		return resolvedCandidate{first, candidate.Model}, nil
	}
	ep, err := c.endpointNamed(candidate.Endpoint)
	return resolvedCandidate{ep, candidate.Model}, err
}

// candidates are where a call may go: to the model that it names or, where that is a name of the service's own, to
// those of the choice behind it.
func (c *Client) candidates(ctx context.Context, first *endpoint, spec callSpec, body []byte) ([]resolvedCandidate, error) {
	choice := c.choices[spec.model]
	if choice == nil {
		return []resolvedCandidate{{first, spec.model}}, nil
	}
	request, err := c.format.ReadRequest(spec.op, wire.Target{Path: first.url.Path + "/" + spec.path}, body)
	if err != nil {
		return nil, fmt.Errorf("farebox: %w", err)
	}
	needs := &Needs{
		Operation: string(spec.op), Inputs: inputsOf(&request), Tools: request.Tools > 0, OutputTokens: request.MaxOutput,
		client: c, first: first, request: request, body: body,
	}
	picked, err := choice.Candidates(ctx, needs)
	if err != nil {
		return nil, err
	}
	if len(picked) == 0 {
		return nil, fmt.Errorf("farebox: the choice for %q offers no candidate: %w", spec.model, ErrNoCandidate)
	}
	resolved := make([]resolvedCandidate, len(picked))
	for i, candidate := range picked {
		if resolved[i], err = c.resolveCandidate(candidate, first); err != nil {
			return nil, err
		}
	}
	return resolved, nil
}

func inputsOf(r *wire.Request) Modality {
	inputs := ModalityText
	if r.Images > 0 {
		inputs |= ModalityImage
	}
	if r.Audios > 0 {
		inputs |= ModalityAudio
	}
	if r.Videos > 0 {
		inputs |= ModalityVideo
	}
	if r.Files > 0 {
		inputs |= ModalityFile
	}
	return inputs
}
