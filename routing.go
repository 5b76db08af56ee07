package farebox

import (
	"strings"

	"github.com/farebox-go/farebox/internal/wire"
)

// Written tokens cost at most this much over the input, in tenths: 1.25 times for minutes, 2 times for an hour (Anthropic,
// OpenAI, 2026-11).
const (
	writtenTenths     = 13
	writtenHourTenths = 20
)

// eligible says whether a provider behind a gateway may serve a request; "" is one that the price does not tell apart. known
// are all that it does.
func eligible(r *wire.Routing, upstream string, known []string) bool {
	if r == nil {
		return true
	}
	if upstream != "" && namesUpstream(r.Ignore, upstream) {
		return false
	}
	if len(r.Only) == 0 || !allKnown(r.Only, known) {
		return true // somebody may serve whose price is not known: the dearest of all has to stand for it
	}
	return upstream != "" && namesUpstream(r.Only, upstream)
}

// allKnown says whether every name in a list is one of a price's upstreams.
func allKnown(names, known []string) bool {
	for _, name := range names {
		found := false
		for _, upstream := range known {
			found = found || (upstream != "" && sameUpstream(name, upstream))
		}
		if !found {
			return false
		}
	}
	return true
}

func namesUpstream(names []string, upstream string) bool {
	for _, name := range names {
		if sameUpstream(name, upstream) {
			return true
		}
	}
	return false
}

// sameUpstream compares a provider's short name with the one that answers have it by: "google-ai-studio" is
// "Google AI Studio". What follows a slash in a short name picks one of the provider's endpoints.
func sameUpstream(short, long string) bool {
	short, _, _ = strings.Cut(short, "/")
	return strings.EqualFold(lettersOf(short), lettersOf(long))
}

func lettersOf(name string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '_' || r == '.' {
			return -1
		}
		return r
	}, name)
}

// capAt lowers a ceiling to the prices that the request lets a gateway charge at most. They bound the plain rates, and
// what is written to a cache by what that costs over them; media have rates of their own.
func (c *ceiling) capAt(e *extent) {
	if e.routing == nil {
		return
	}
	if prompt, ok := rateCap(e.routing.MaxPrompt); ok && !e.media() {
		written := int64(writtenTenths)
		if len(e.dearInput) == len(longInputs) {
			written = writtenHourTenths
		}
		c.prompt = lower(c.prompt, prompt)
		c.input = lower(c.input, prompt.Scale(written, 10))
	}
	if completion, ok := rateCap(e.routing.MaxCompletion); ok && len(e.dearOutput) == len(textOutputs) {
		c.completion = lower(c.completion, completion)
		c.output = lower(c.output, completion)
	}
	if e.routing.MaxRequest != "" {
		if request, err := ParseRate(e.routing.MaxRequest); err == nil {
			c.request = lower(c.request, request)
		}
	}
}

// media says that the input may be charged at rates of media.
func (e *extent) media() bool { return len(e.dearInput) == len(mediaInputs) }

// rateCap reads a price per million.
func rateCap(perMillion string) (Rate, bool) {
	if perMillion == "" {
		return Rate{}, false
	}
	rate, err := PerMillion(perMillion)
	return rate, err == nil
}

func lower(a, b Rate) Rate {
	if b.Cmp(a) < 0 {
		return b
	}
	return a
}

// cappedPrice is the price of a model that has none of its own, such as a router's, by what the request lets a gateway charge
// at most; nil where that is not stated for input and output.
func cappedPrice(r *wire.Routing) (*catalogModel, *priceTable) {
	if r == nil {
		return nil, nil
	}
	prompt, ok := rateCap(r.MaxPrompt)
	completion, both := rateCap(r.MaxCompletion)
	if !ok || !both {
		return nil, nil
	}
	price := Price{Source: "provider.max_price", Rates: Rates{
		DimensionInput: prompt, DimensionCacheWrite: prompt.Scale(writtenTenths, 10), DimensionCacheWrite1h: prompt.Scale(writtenHourTenths, 10),
		DimensionOutput: completion,
	}}
	if request, err := ParseRate(r.MaxRequest); r.MaxRequest != "" && err == nil {
		price.Rates[DimensionRequest] = request
	}
	entry, err := Model{Name: "provider.max_price", Prices: []Price{price}}.compile()
	if err != nil {
		return nil, nil
	}
	return entry, &entry.tables[0]
}
