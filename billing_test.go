package farebox_test

import (
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// conditioned is test-model with a price for a tier, a region and a mode.
var conditioned = farebox.WithModels(farebox.Model{Name: testModel, MaxOutputTokens: 1_000, Prices: []farebox.Price{{
	Rates: testRates,
	Overrides: []farebox.Override{
		{When: farebox.When{ServiceTier: "priority"}, Rates: farebox.Rates{
			farebox.DimensionInput: farebox.MustPerMillion("3"), farebox.DimensionOutput: farebox.MustPerMillion("6"),
		}},
		{When: farebox.When{ServiceTier: "flex"}, Multiplier: farebox.MustFactor("0.5")},
		{When: farebox.When{Region: "eu"}, Multiplier: farebox.MustFactor("1.1")},
	},
}}})

// TestBilledByConditions: the tier that served, the endpoint's region and its terms are in the cost, the receipt's lines and
// the hold.
func TestBilledByConditions(t *testing.T) {
	t.Parallel()
	tiered := func(tier string) string {
		return strings.Replace(chatAnswer, `"choices"`, `"service_tier":"`+tier+`","choices"`, 1)
	}
	reported := strings.Replace(chatAnswer, `"total_tokens":110`, `"total_tokens":110,"cost":0.0002`, 1)
	plain := func(e farebox.Endpoint) farebox.Endpoint { return e }
	const asked = `{"model":"test-model","max_tokens":100,"service_tier":"priority","messages":[]}`
	for name, c := range map[string]struct {
		endpoint        func(farebox.Endpoint) farebox.Endpoint
		request, answer string
		cost            string
		source          farebox.Source
		lines           int
	}{
		"a tier of its own":     {plain, asked, tiered("priority"), "0.00036", farebox.Computed, 2},
		"asked, not mentioned":  {plain, chatJSON, chatAnswer, "0.00012", farebox.Computed, 2},
		"asked, served below":   {plain, asked, tiered("default"), "0.00012", farebox.Computed, 2},
		"a cheaper one":         {plain, chatJSON, tiered("flex"), "0.00006", farebox.Computed, 2},
		"a region":              {func(e farebox.Endpoint) farebox.Endpoint { return e.WithRegion("eu") }, chatJSON, chatAnswer, "0.000132", farebox.Computed, 2},
		"a region and a tier":   {func(e farebox.Endpoint) farebox.Endpoint { return e.WithRegion("eu") }, chatJSON, tiered("flex"), "0.000066", farebox.Computed, 2},
		"a margin and a fee":    {withTerms(farebox.Terms{Margin: farebox.MustFactor("1.5"), Fee: farebox.MustMoney("0.001")}), chatJSON, chatAnswer, "0.00118", farebox.Computed, 4},
		"a fee on credit":       {withTerms(farebox.Terms{CreditFee: farebox.MustFactor("1.055")}), chatJSON, reported, "0.000211", farebox.Reported, 3},
		"a margin, as reported": {withTerms(farebox.Terms{Margin: farebox.MustFactor("1.5")}), chatJSON, reported, "0.0002", farebox.Reported, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, answers(200, c.answer))
			meter := newMeter(t, dollar, conditioned, farebox.WithEndpoint(c.endpoint(farebox.Compatible("here", p.URL, ""))))
			readAll(t, mustPost(t, meter.HTTPClient(), p.URL, c.request))
			r := onlyReceipt(t, meter)
			if r.Cost != farebox.MustMoney(c.cost) || r.Source != c.source || len(r.Lines) != c.lines || len(r.Flags) > 0 {
				t.Errorf("%s, want $%s %s; flags %v, lines %+v", r, c.cost, c.source, r.Flags, r.Lines)
			}
			if r.Quote.Most.Less(r.Cost) || bookedIn(t, meter) != r.Cost {
				t.Errorf("held at %s, %s booked, for %s", r.Quote.Most, bookedIn(t, meter), r.Cost)
			}
		})
	}
}

func withTerms(terms farebox.Terms) func(farebox.Endpoint) farebox.Endpoint {
	return func(e farebox.Endpoint) farebox.Endpoint { return e.WithTerms(terms) }
}

// TestDeployments: what is asked for under a name of the user's own is priced as the model behind it.
func TestDeployments(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, strings.ReplaceAll(chatAnswer, testModel, "prod-chat")))
	endpoint := farebox.Compatible("azure-prod", p.URL, "").WithDeployments(map[string]string{"prod-chat": testModel})
	meter := newMeter(t, dollar, conditioned, farebox.WithEndpoint(endpoint))
	readAll(t, mustPost(t, meter.HTTPClient(), p.URL, strings.ReplaceAll(chatJSON, testModel, "prod-chat")))
	r := onlyReceipt(t, meter)
	if r.Cost != chatCost || r.Price.Model != testModel || r.Model != "prod-chat" || r.Quote.Most.IsZero() {
		t.Errorf("%s, by the price of %q; held at %s", r, r.Price.Model, r.Quote.Most)
	}
}

// TestBadTerms: what would make calls look cheaper than they are, or cannot be, is refused at the start.
func TestBadTerms(t *testing.T) {
	t.Parallel()
	for _, terms := range []farebox.Terms{
		{Margin: farebox.MustFactor("0.9")}, {CreditFee: farebox.MustFactor("0")}, {Fee: farebox.MustMoney("-0.01")},
	} {
		_, err := farebox.NewMeter(farebox.WithEndpoint(farebox.OpenRouter(testKey).WithTerms(terms)))
		if err == nil || !strings.Contains(err.Error(), "terms") || strings.Contains(err.Error(), testKey) {
			t.Errorf("%+v: %v", terms, err)
		}
	}
}
