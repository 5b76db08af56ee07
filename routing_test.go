package farebox

import (
	"testing"

	"github.com/farebox-go/farebox/internal/wire"
)

var gateway = &endpoint{Endpoint: Endpoint{name: "openrouter", provider: providerByID("openrouter")}}

// TestQuoteRouting: the most that a call can cost is that of the dearest provider that may serve it, or the price that the
// request bounds.
func TestQuoteRouting(t *testing.T) {
	t.Parallel()
	at := func(upstream, in string) Override {
		return Override{When: When{Upstream: upstream}, Rates: Rates{DimensionInput: MustRate(in)}}
	}
	m := quoter(t,
		Model{Name: "m", Prices: []Price{{
			Rates:     Rates{DimensionInput: MustRate("2"), DimensionOutput: MustRate("10")},
			Overrides: []Override{at("Cheap Host", "1"), at("DearHost", "7"), at("Google AI Studio", "3")},
		}}},
		Model{Name: "router", Prices: []Price{{Variable: true}}},
	)
	quote := func(model string, routing wire.Routing) Quote {
		r := wire.Request{Operation: wire.Embeddings, Model: model, InputTokens: 1, Routing: routing}
		return m.quote(gateway, &r, nil, noon).Quote
	}
	tokens := quote("m", wire.Routing{}).MostInputTokens
	for name, test := range map[string]struct {
		routing wire.Routing
		perIn   int64
	}{
		"anybody":                            {wire.Routing{}, 7},
		"not the dearest":                    {wire.Routing{Ignore: []string{"dearhost"}}, 3},
		"none that is known":                 {wire.Routing{Ignore: []string{"cheap-host", "google-ai-studio/flash", "dearhost"}}, 2},
		"only one":                           {wire.Routing{Only: []string{"cheap-host"}}, 1},
		"only two":                           {wire.Routing{Only: []string{"cheap-host", "Google AI Studio"}}, 3},
		"only one, whose price is unknown":   {wire.Routing{Only: []string{"newcomer"}}, 7},
		"one that is known, one that is not": {wire.Routing{Only: []string{"newcomer", "cheap-host"}}, 7},
	} {
		if q := quote("m", test.routing); q.Most != Dollars(test.perIn*tokens) {
			t.Errorf("%s: at most %s for %d tokens, want $%d each", name, q.Most, tokens, test.perIn)
		}
	}
	r := wire.Request{Operation: wire.Chat, Model: "m", MaxOutput: 16, Routing: wire.Routing{MaxPrompt: "1000000", MaxCompletion: "2e6", MaxRequest: "0.5"}}
	q := m.quote(gateway, &r, nil, noon)
	if want := MustMoney("1.3").Mul(q.MostInputTokens).Add(Dollars(32)); q.Most != want || !q.Priced || q.ceiling.prompt != MustRate("1") {
		t.Errorf("at a price of its own at most %s, want %s", q.Most, want)
	}
	r.Model = "router"
	q = m.quote(gateway, &r, nil, noon)
	if want := MustMoney("1.3").Mul(q.MostInputTokens).Add(MustMoney("32.5")); q.Most != want || !q.Priced || q.Price.Source != "provider.max_price" {
		t.Errorf("a router at a price of the request's at most %s, want %s: %+v", q.Most, want, q.Quote)
	}
	r.Routing.MaxCompletion = ""
	if q := m.quote(gateway, &r, nil, noon); q.Priced {
		t.Errorf("a router with a bound on its input alone is priced: %+v", q.Quote)
	}
	r.Routing.MaxCompletion, r.Model = "2e6", "router"
	if q := m.quote(anywhere, &r, nil, noon); q.Priced {
		t.Errorf("a provider that routes nothing takes no bound: %+v", q.Quote)
	}
}
