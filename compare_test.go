package farebox

import (
	"testing"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	model := func(provider, name, in, out string, change ...func(*Model)) Model {
		m := Model{Provider: provider, Name: name, ContextTokens: 100_000, Prices: []Price{{Rates: perMillion("input", in, "output", out)}}}
		for _, f := range change {
			f(&m)
		}
		return m
	}
	tools := func(m *Model) { m.Tools = SupportYes }
	c := &Catalog{}
	if err := c.Add(
		model("p", "dear", "10", "30", tools),
		model("p", "cheap", "1", "2", tools),
		model("q", "cheap", "1", "2", tools),
		model("p", "no-tools", "0.1", "0.1"),
		model("p", "short", "0.1", "0.1", tools, func(m *Model) { m.ContextTokens = 999 }),
		model("p", "brief", "0.1", "0.1", tools, func(m *Model) { m.MaxOutputTokens = 99 }),
		model("p", "embedder", "0.1", "0.1", tools, func(m *Model) { m.Embedding = true }),
		Model{Provider: "p", Name: "router", Tools: SupportYes, Prices: []Price{{Variable: true}}},
		model("p", "eyes", "5", "5", tools, func(m *Model) { m.Inputs = ModalityImage; m.Aliases = []string{"sees"} }),
	); err != nil {
		t.Fatal(err)
	}
	work := Workload{Usage: Usage{Input: 900, Output: 100}, Calls: 1_000, At: noon, Tools: true}
	list := func(offers []Offer) (names []string) {
		for _, o := range offers {
			names = append(names, o.Provider+"/"+o.Model+o.Unfit)
		}
		return names
	}
	check := func(name string, w Workload, want ...string) {
		t.Helper()
		got := list(c.Compare(w))
		if len(got) != len(want) {
			t.Errorf("%s: %q, want %q", name, got, want)
			return
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: %q, want %q", name, got, want)
				return
			}
		}
	}
	check("all that can", work, "p/cheap", "q/cheap", "p/eyes", "p/dear")
	w := work
	w.Inputs = ModalityImage
	check("that see", w, "p/eyes")
	w = work
	w.Providers = []string{"q"}
	check("of one provider", w, "q/cheap")
	w = work
	w.MaxPerMillion = Dollars(5)
	check("at a price", w, "p/cheap", "q/cheap", "p/eyes")
	w = work
	w.Models = []string{"dear", "sees", "short", "brief", "no-tools", "router", "nowhere"}
	check("by name", w, "p/eyes", "p/dear", "/nowherenot in the catalog", "p/routerhas no price",
		"p/briefanswers have 99 tokens at most", "p/no-toolsis not known to call tools", "p/shortthe context of 999 tokens is too short")
	w = work
	w.Usage.WebSearches = 1
	check("with searches that none has a rate for", w)

	first := c.Compare(work)[0]
	if first.Each != MustMoney("0.0011") || first.Total != MustMoney("1.1") || first.PerMillion != MustMoney("1.1") || first.Entry.ContextTokens != 100_000 {
		t.Errorf("the cheapest is %+v", first)
	}
}

// TestCompareSnapshot looks at what the snapshot offers: all of it priced, in order.
func TestCompareSnapshot(t *testing.T) {
	t.Parallel()
	c, err := NewCatalog()
	if err != nil {
		t.Fatal(err)
	}
	offers := c.Compare(Workload{Usage: Usage{Input: 1_000, Output: 500}, At: noon})
	if len(offers) < 500 {
		t.Errorf("%d models can do it", len(offers))
	}
	for i, o := range offers {
		if o.Unfit != "" || !o.Computation.Complete || (i > 0 && o.Total.Less(offers[i-1].Total)) {
			t.Errorf("%d: %+v", i, o)
		}
	}
}
