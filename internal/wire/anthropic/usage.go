package anthropic

import (
	"slices"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// count is a number that is stated, or not.
type count struct {
	n      int64
	stated bool
}

// tally is what a usage object counts. Input, cached and written tokens stand beside each other.
type tally struct {
	input, cached, written count
	written5m, written1h   count
	output, thinking       count
	searches               count
	tier, speed, inference string

	iterations []iteration
	costs      usage.Costs
	impossible bool
}

// iteration is one step of an answer: a message, which the sums at the top include, or a step beside it.
type iteration struct {
	kind, model string
	tally
}

// read takes a usage object. What it does not state stays as an earlier one stated it: the one at the end of a stream may
// leave out what the one at its beginning had.
func (t *tally) read(r *jsonwalk.Reader) {
	if !r.Object() {
		return
	}
	for r.Member() {
		t.member(r)
	}
}

func (t *tally) member(r *jsonwalk.Reader) {
	switch string(r.Key()) {
	case "input_tokens":
		t.take(r, &t.input)
	case "cache_read_input_tokens":
		t.take(r, &t.cached)
	case "cache_creation_input_tokens":
		t.take(r, &t.written)
	case "output_tokens":
		t.take(r, &t.output)
	case "cache_creation":
		t.inside(r, "ephemeral_1h_input_tokens", &t.written1h, "ephemeral_5m_input_tokens", &t.written5m)
	case "output_tokens_details":
		t.inside(r, "thinking_tokens", &t.thinking, "", nil)
	case "server_tool_use":
		t.inside(r, "web_search_requests", &t.searches, "", nil) // fetches cost nothing but their tokens
	case "service_tier":
		r.TextInto(&t.tier)
	case "speed":
		r.TextInto(&t.speed)
	case "inference_geo":
		r.TextInto(&t.inference)
	case "iterations":
		t.readIterations(r)
	default:
		t.costs.Member(r)
	}
}

// inside reads one or two counts of an object.
func (t *tally) inside(r *jsonwalk.Reader, name string, c *count, other string, d *count) {
	if !r.Object() {
		return
	}
	for r.Member() {
		switch string(r.Key()) {
		case name:
			t.take(r, c)
		case other:
			if d != nil {
				t.take(r, d)
			}
		}
	}
}

func (t *tally) take(r *jsonwalk.Reader, c *count) {
	n, stated, impossible := usage.Count(r)
	t.impossible = t.impossible || impossible
	if stated {
		*c = count{n, true}
	}
}

func (t *tally) readIterations(r *jsonwalk.Reader) {
	if !r.Array() {
		return
	}
	t.iterations = t.iterations[:0]
	for r.Element() {
		var one iteration
		if !r.Object() {
			continue
		}
		for r.Member() {
			switch string(r.Key()) {
			case "type":
				r.TextInto(&one.kind)
			case "model":
				r.TextInto(&one.model)
			default:
				one.member(r)
			}
		}
		t.iterations = append(t.iterations, one)
	}
}

// seen says that something was counted.
func (t *tally) seen() bool { return t.input.stated || t.output.stated }

// usage brings the counts into disjoint kinds.
func (t *tally) usage() (u wire.Usage, contradictory bool) {
	written := max(t.written.n, t.written5m.n+t.written1h.n)
	if t.written.stated && t.written.n < t.written1h.n { // a later sum, beside parts that were stated before it
		written, contradictory = t.written1h.n, true
	}
	thinking := min(t.thinking.n, t.output.n)
	return wire.Usage{
		Input: t.input.n, CacheRead: t.cached.n,
		CacheWrite: written - t.written1h.n, CacheWrite1h: t.written1h.n,
		Output: t.output.n - thinking, Reasoning: thinking,
		WebSearches: t.searches.n,
	}, contradictory || t.impossible || thinking < t.thinking.n
}

// tell puts what was counted into an answer.
func (t *tally) tell(a *wire.Answer) {
	if !t.seen() {
		return
	}
	a.UsageSeen = true
	a.Usage, a.Contradictory = t.usage()
	a.Usage.Requests = 1
	a.Iterations = t.beside()
	a.ServiceTier = t.tier
	a.Speed = t.speed
	if a.Speed == "standard" {
		a.Speed = ""
	}
	a.Region = t.inference
	if a.Region == "global" || a.Region == "not_available" {
		a.Region = ""
	}
	t.costs.Tell(a)
}

// message is the kind of the steps that the sums at the top are made of.
const message = "message"

// beside lists the steps that the sums at the top leave out: compaction, an advisor's messages. Where the sums turn out to
// include every step, none is.
func (t *tally) beside() (others []wire.Iteration) {
	var all, messages int64
	for i := range t.iterations {
		one := &t.iterations[i]
		tokens := one.input.n + one.output.n
		all += tokens
		if one.kind == message {
			messages += tokens
		}
	}
	if top := t.input.n + t.output.n; top == all && top != messages {
		return nil
	}
	for i := range t.iterations {
		if one := &t.iterations[i]; one.kind != message {
			u, _ := one.usage()
			others = append(others, wire.Iteration{Model: one.model, Usage: u})
		}
	}
	return slices.Clip(others)
}
