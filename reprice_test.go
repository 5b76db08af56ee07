package farebox_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
)

// TestRepriceAtItsDay makes receipts under every condition and prices them again: the figures of their day come out.
func TestRepriceAtItsDay(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, strings.Replace(chatAnswer, `"choices"`, `"service_tier":"flex","choices"`, 1)))
	endpoint := farebox.Compatible("here", p.URL, "").WithRegion("eu").WithTerms(farebox.Terms{Margin: farebox.MustFactor("1.1"), Fee: farebox.Cents(1)})
	catalog := &farebox.Catalog{}
	meter := newMeter(t, dollar, farebox.WithCatalog(catalog), conditioned, farebox.WithEndpoint(endpoint))
	for range 3 {
		readAll(t, mustPost(t, meter.HTTPClient(), p.URL, chatJSON))
	}
	n := 0
	for r := range catalog.Reprice(meter.Ledger().Receipts(farebox.Filter{}), time.Time{}) {
		n++
		if r.Unpriced != "" || !r.Change().IsZero() || r.Computation.Total != farebox.MustMoney("0.0100726") || len(r.Computation.Lines) != len(r.Receipt.Lines) {
			t.Errorf("%s is now %s (%q): %+v", r.Receipt, r.Computation.Total, r.Unpriced, r.Computation.Lines)
		}
	}
	if n != 3 {
		t.Errorf("%d receipts were priced again", n)
	}
}

// TestReprice prices an old receipt at the prices of other days, and says why where there is none.
func TestReprice(t *testing.T) {
	t.Parallel()
	day := func(month time.Month) time.Time { return time.Date(2026, month, 1, 0, 0, 0, 0, time.UTC) }
	rates := func(in string) farebox.Rates {
		return farebox.Rates{farebox.DimensionInput: farebox.MustPerMillion(in)}
	}
	night := farebox.Override{When: farebox.When{End: farebox.TimeOfDay(time.Hour)}, Multiplier: farebox.MustFactor("0.5")}
	catalog := &farebox.Catalog{}
	if err := catalog.Add(
		farebox.Model{Provider: "p", Name: "m", Prices: []farebox.Price{
			{Rates: rates("4"), From: day(1), Overrides: []farebox.Override{night}, Source: "january"}, {Rates: rates("1"), From: day(6), Source: "june"},
		}},
		farebox.Model{Provider: "p", Name: "router", Prices: []farebox.Price{{Variable: true}}},
	); err != nil {
		t.Fatal(err)
	}
	was := farebox.Receipt{
		Endpoint: "p", Model: "m", Start: day(2).Add(30 * time.Minute), Source: farebox.Computed,
		Usage: farebox.Usage{Input: 1_000_000}, Computed: farebox.Dollars(2),
	}
	change := func(f func(*farebox.Receipt)) farebox.Receipt {
		r := was
		f(&r)
		return r
	}
	for _, test := range []struct {
		name    string
		receipt farebox.Receipt
		asOf    time.Time
		want    string
		why     string
	}{
		{"its own day, and hour", was, time.Time{}, "2", ""},
		{"another day, at its hour", was, day(3).Add(12 * time.Hour), "2", ""},
		{"the next price", was, day(7), "1", ""},
		{"before there was one", was, day(1).Add(-1), "0", "has no price of its own"},
		{"a model that is not known, by the one asked for", change(func(r *farebox.Receipt) { r.Model, r.ModelAsked = "m-snapshot", "m" }), time.Time{}, "2", ""},
		{"a model that nobody knows", change(func(r *farebox.Receipt) { r.Model = "x" }), time.Time{}, "0", "not in the catalog"},
		{"a router", change(func(r *farebox.Receipt) { r.Model = "router" }), time.Time{}, "0", "has no price of its own"},
		{"not billed", change(func(r *farebox.Receipt) { r.Source = farebox.Unbilled }), time.Time{}, "0", ""},
		{"outcome unknown", change(func(r *farebox.Receipt) { r.Source = farebox.Held }), time.Time{}, "0", "nobody knows"},
	} {
		for r := range catalog.Reprice(slices.Values([]farebox.Receipt{test.receipt}), test.asOf) {
			if r.Computation.Total != farebox.MustMoney(test.want) || !strings.Contains(r.Unpriced, test.why) || (test.why == "") != (r.Unpriced == "") {
				t.Errorf("%s: %s (%q), want $%s (%q)", test.name, r.Computation.Total, r.Unpriced, test.want, test.why)
			}
			if test.want == "1" && (r.Change() != farebox.Dollars(-1) || r.Computation.Price.Source != "june") {
				t.Errorf("%s: changed by %s, by the price of %s", test.name, r.Change(), r.Computation.Price.Source)
			}
		}
	}
}
