package farebox

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farebox-go/farebox/internal/catalog"
	"pgregory.net/rapid"
)

func newSnapshot(t testing.TB) *Catalog {
	t.Helper()
	c, err := NewCatalog()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSnapshotRows finds every row of the embedded snapshot again, under its name, at its date and with its rates.
func TestSnapshotRows(t *testing.T) {
	t.Parallel()
	table, err := catalog.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	c := newSnapshot(t)
	for i := range table.Rows {
		row := &table.Rows[i]
		m := c.find(row.Provider, row.Model)
		if m == nil {
			t.Errorf("%s/%s is not found", row.Provider, row.Model)
			continue
		}
		from := row.From
		if from.IsZero() {
			from = time.Unix(0, 0)
		}
		price := m.at(from)
		if price == nil || price.source != row.Source || price.variable != row.Variable {
			t.Errorf("%s/%s from %s: another price holds: %+v", row.Provider, row.Model, row.From, price)
			continue
		}
		checkRow(t, row, price)
		checkRowRates(t, row, m)
		for _, alias := range row.Aliases {
			if c.find(row.Provider, alias) == nil {
				t.Errorf("%s/%s is not found as %q", row.Provider, row.Model, alias)
			}
		}
	}
	if c.AsOf().IsZero() || !slices.ContainsFunc(table.Sources, func(s catalog.Source) bool { return s.AsOf.Equal(c.AsOf()) }) {
		t.Errorf("the snapshot is as of %s", c.AsOf())
	}
}

func checkRow(t *testing.T, row *catalog.Row, price *priceTable) {
	if row.Variable {
		return
	}
	if len(price.levels) != 1+len(row.Tiers) || len(price.overrides) != len(row.Overrides) {
		t.Errorf("%s/%s: %d levels, %d overrides", row.Provider, row.Model, len(price.levels), len(price.overrides))
		return
	}
	if u := (&Usage{Input: 9, CacheRead: 9, Output: 9, Reasoning: 9, Requests: 1}); row.Free {
		if _, cost, complete := price.cost(u, &conditions{at: noon}); !cost.IsZero() || !complete {
			t.Errorf("%s/%s is free, and costs %s (complete: %t)", row.Provider, row.Model, cost, complete)
		}
	}
}

// checkRowRates holds the rates of the price that a row became against those of the row.
func checkRowRates(t *testing.T, row *catalog.Row, m *catalogModel) {
	t.Helper()
	i := slices.IndexFunc(m.Prices, func(p Price) bool { return p.From.Equal(row.From) })
	if i < 0 || row.Free || row.Variable {
		return
	}
	price := &m.Prices[i]
	check := func(rates Rates, want []catalog.Rate) {
		for _, r := range want {
			rate, ok := rates[Dimension(r.Dimension)]
			text := rate.PerMillionString()
			if catalog.PerUnit(r.Dimension) {
				text = rate.String()
			}
			if !ok || text != r.Price {
				t.Errorf("%s/%s: %s at %s, want %s", row.Provider, row.Model, r.Dimension, text, r.Price)
			}
		}
	}
	check(price.Rates, row.Rates)
	for i, tier := range row.Tiers {
		check(price.Tiers[i].Rates, tier.Rates)
	}
	for i, o := range row.Overrides {
		check(price.Overrides[i].Rates, o.Rates)
		if o.Multiply != "" && price.Overrides[i].Multiplier != MustFactor(o.Multiply) {
			t.Errorf("%s/%s: multiplied by %s, want %s", row.Provider, row.Model, price.Overrides[i].Multiplier, o.Multiply)
		}
	}
}

// flatModel is a model that costs so many dollars a request.
func flatModel(provider, name string, dollars int64, aliases ...string) Model {
	fee := Rates{DimensionRequest: MustRate(strconv.FormatInt(dollars, 10))}
	return Model{Provider: provider, Name: name, Aliases: aliases, Prices: []Price{{Rates: fee}}}
}

// dollarsOf tells flat models apart; -1 is none.
func dollarsOf(m *catalogModel) int64 {
	if m == nil {
		return -1
	}
	_, cost, _ := m.at(noon).cost(&Usage{Requests: 1}, &conditions{at: noon})
	return cost.nanosUp() / 1e9
}

func TestCatalogFind(t *testing.T) {
	t.Parallel()
	c := &Catalog{}
	err := c.Add(
		flatModel("openai", "gpt-4o", 1, "gpt-4o-alias"), flatModel("openai", "gpt-4o-mini", 2), flatModel("openai", "gpt-4o-2024-05-13", 3),
		flatModel("openrouter", "openai/gpt-4o", 4, "openai/gpt-4o-20240806-slug"), flatModel("openrouter", "deepseek/r1:free", 5),
		flatModel("google", "gemini-2.5-pro", 6), flatModel("", "house-model", 7), flatModel("anthropic", "claude", 8),
		flatModel("openrouter", "anthropic/claude-sonnet-4.6", 9), flatModel("openai", "ft:gpt-4o-2024-08-06", 10),
		flatModel("vertex", "claude-3-5-sonnet", 11), flatModel("bedrock", "us.anthropic.claude-v1:0", 12),
		flatModel("bedrock", "global.anthropic.claude-v1:0", 13), flatModel("bedrock", "amazon.nova-lite-v1:0", 14),
	)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		provider, name string
		want           int64
	}{
		{"openai", "gpt-4o", 1},
		{"openai", "gpt-4o-alias", 1},
		{"openai", "gpt-4o-2024-08-06", 1},
		{"openai", "gpt-4o-20240806", 1},
		{"openai", "gpt-4o@20240806", 1},
		{"openai", "gpt-4o-alias-2024-08-06", 1},
		{"openai", "gpt-4o-2024-05-13", 3}, // a dated name with a price of its own
		{"openai", "gpt-4o-mini", 2},
		{"openai", "gpt-4o-nano", -1},
		{"openai", "gpt-4o-nano-2024-08-06", -1},
		{"openai", "gpt-4o-mini-high", -1},
		{"openai", "gpt-4o-2024-8-6", -1},
		{"openai", "gpt-4o-2024-08-06-preview", -1},
		{"openai", "gpt-4o-08-06", -1},
		{"openai", "gpt-4o-", -1},
		{"openai", "gpt-4", -1},
		{"openai", "GPT-4o", -1},
		{"openai", "-2024-08-06", -1},
		{"openai", "", -1},
		{"openai", "gpt-4o:nitro", -1}, // variants are OpenRouter's
		{"azure", "gpt-4o", 1},
		{"azure", "gpt-4o-2024-08-06", 1},
		{"", "gpt-4o", -1},
		{"unheard-of", "gpt-4o", -1},
		{"openrouter", "gpt-4o", -1},
		{"openrouter", "openai/gpt-4o", 4},
		{"openrouter", "openai/gpt-4o:nitro", 4},
		{"openrouter", "openai/gpt-4o:floor", 4},
		{"openrouter", "openai/gpt-4o:exacto", 4},
		{"openrouter", "openai/gpt-4o-2024-08-06", 4},
		{"openrouter", "openai/gpt-4o-2024-08-06:nitro", 4},
		{"openrouter", "openai/gpt-4o-20240806-slug", 4},
		{"openrouter", "openai/gpt-4o:free", -1}, // variants with prices of their own
		{"openrouter", "openai/gpt-4o:thinking", -1},
		{"openrouter", "openai/gpt-4o:batch", -1},
		{"openrouter", "openai/gpt-4o:nitro:free", -1},
		{"openrouter", "deepseek/r1:free", 5},
		{"openrouter", "deepseek/r1", -1},
		{"openrouter", "deepseek/r1:nitro", -1},
		{"google", "gemini-2.5-pro", 6},
		{"google", "models/gemini-2.5-pro", 6},
		{"openai", "models/gpt-4o", -1},
		{"openrouter", "anthropic/claude-4.6-sonnet-20260217", 9},
		{"openrouter", "anthropic/claude-4.6-sonnet-20260217:nitro", 9},
		{"openrouter", "anthropic/claude-4.6-sonnet:free", -1},
		{"openrouter", "anthropic/claude-4.6-opus-20260217", -1},
		{"openrouter", "anthropic/claude-sonnet-4.6-20260217", 9},
		{"openai", "ft:gpt-4o-2024-08-06:acme::x1", 10}, // never at the base model's price
		{"openai", "ft:gpt-4o-mini-2024-07-18:acme::x1", -1},
		{"vertex", "claude-3.5-sonnet@abc", 11},
		{"vertex", "publishers/anthropic/models/claude-3-5-sonnet@20241022", 11},
		{"vertex", "claude-3.5-sonnet-mini@abc", -1},
		{"google", "tuned/gemini-2.5-pro", -1},
		{"bedrock", "eu.anthropic.claude-v1:0", 12},
		{"bedrock", "anthropic.claude-v1:0", 12},
		{"bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-v1:0", 12},
		{"bedrock", "global.anthropic.claude-v1:0", 13},
		{"bedrock", "apac.amazon.nova-lite-v1:0", 14},
		{"bedrock", "global.amazon.nova-lite-v1:0", 14},
		{"bedrock", "mars.amazon.nova-lite-v1:0", -1},
		{"bedrock", "anthropic.claude", -1},
		{"litellm", "openai/gpt-4o", 1},
		{"litellm", "openrouter/openai/gpt-4o", 4},
		{"vercel", "anthropic/claude", 8},
		{"litellm", "gpt-4o", -1},
		{"openai", "house-model", 7}, // an entry without a provider holds everywhere
		{"anything", "house-model", 7},
		{"anything", "house-model-2024-08-06", 7},
	}
	for _, test := range tests {
		if got := dollarsOf(c.find(test.provider, test.name)); got != test.want {
			t.Errorf("find(%q, %q) costs %d, want %d", test.provider, test.name, got, test.want)
		}
		if m, ok := c.Find(test.provider, test.name); ok != (test.want >= 0) || (!ok && m.Name != "") {
			t.Errorf("Find(%q, %q) = %q, %t", test.provider, test.name, m.Name, ok)
		}
	}
}

var (
	dateAtEnd    = regexp.MustCompile(`^.+(-\d{4}-\d{2}-\d{2}|[-@]\d{8})$`)
	variantAtEnd = regexp.MustCompile(`:(nitro|floor|online|exacto)$`)
)

// TestFindNeverGuesses puts random endings behind the names of the snapshot: what is found then is an entry of that very
// name, or of that name without a date or a routing variant. No model takes the price of another whose name it starts with.
func TestFindNeverGuesses(t *testing.T) {
	t.Parallel()
	c := newSnapshot(t)
	var keys []modelKey
	for key := range c.load().embedded {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b modelKey) int { return strings.Compare(a.provider+" "+a.name, b.provider+" "+b.name) })
	endings := rapid.OneOf(
		rapid.StringMatching(`[-a-z0-9.:@/]{1,12}`),
		rapid.StringMatching(`-(nano|mini|pro|turbo|preview|latest)`),
		rapid.StringMatching(`[-@]20[0-9]{2}-?[0-9]{2}-?[0-9]{2}(-preview)?`),
		rapid.StringMatching(`:(free|nitro|floor|thinking|extended)`),
	)
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SampledFrom(keys).Draw(t, "model")
		name := key.name + endings.Draw(t, "ending")
		bare := name
		if key.provider == "openrouter" {
			bare = variantAtEnd.ReplaceAllString(bare, "")
		}
		known := func(key modelKey) bool { return c.load().embedded[key] != nil }
		switch {
		case known(modelKey{key.provider, name}), known(modelKey{key.provider, bare}), dateAtEnd.MatchString(bare),
			key.provider == "azure" && known(modelKey{"openai", name}),
			key.provider == "vertex" && strings.Contains(name, "@"), // a version
			key.provider == "litellm", key.provider == "vercel":     // they name the provider, whose model it may be
			return
		}
		if m, ok := c.Find(key.provider, name); ok {
			t.Errorf("Find(%q, %q) = %q", key.provider, name, m.Name)
		}
	})
	for _, name := range []string{"gpt-4o-nano-anything", "gpt-5-nano-flagship", "gpt-4o-mini-x"} {
		if m, ok := c.Find("openai", name); ok {
			t.Errorf("Find(%q) = %q", name, m.Name)
		}
	}
}

func TestCatalogAdd(t *testing.T) {
	t.Parallel()
	c := newSnapshot(t)
	before, ok := c.Find("openai", "gpt-4o")
	if !ok {
		t.Fatal("the snapshot has no gpt-4o")
	}
	good, bad := flatModel("openai", "gpt-4o", 9), Model{Provider: "openai", Name: "bad"}
	if err := c.Add(good, bad); err == nil || !strings.Contains(err.Error(), `model "bad"`) {
		t.Fatalf("Add of a bad model: %v", err)
	}
	if m, _ := c.Find("openai", "gpt-4o"); m.ContextTokens != before.ContextTokens || dollarsOf(c.find("openai", "gpt-4o")) == 9 {
		t.Error("an Add that failed changed the catalog")
	}
	if err := c.Add(good); err != nil {
		t.Fatal(err)
	}
	if got := dollarsOf(c.find("openai", "gpt-4o-2024-99-99")); got != 9 {
		t.Errorf("a dated name costs %d after Add, want 9", got)
	}
	if other := newSnapshot(t); dollarsOf(other.find("openai", "gpt-4o")) == 9 {
		t.Error("one catalog's models are in another")
	}
	if err := c.Add(flatModel("", "gpt-4o", 11), flatModel("openai", "gpt-4o", 10)); err != nil {
		t.Fatal(err)
	}
	if got := dollarsOf(c.find("openai", "gpt-4o")); got != 10 {
		t.Errorf("the price at a provider is %d, want its own, 10", got)
	}
	if got := dollarsOf(c.find("mistral", "gpt-4o")); got != 11 {
		t.Errorf("the price elsewhere is %d, want 11", got)
	}
}

func TestCatalogAddErrors(t *testing.T) {
	t.Parallel()
	price := []Price{{Rates: perMillion("input", "1")}}
	for want, m := range map[string]Model{
		"needs a name":                {Prices: price},
		"at least one price":          {Name: "m"},
		"limits are counts":           {Name: "m", Prices: price, ContextTokens: -1},
		"cannot be negative":          {Name: "m", Prices: price, MaxOutputTokens: -1},
		`"tokens" is not a dimension`: {Name: "m", Prices: append(price[:1:1], Price{Rates: Rates{"tokens": {}}})},
	} {
		var c Catalog
		if err := c.Add(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Add(%+v): %v, want an error with %q", m, err, want)
		}
		for m := range c.Models() {
			t.Errorf("%s: the catalog holds %+v", want, m)
		}
	}
}

// TestNamesOutrankAliases checks that no alias takes the place of a model of that name, whichever comes first.
func TestNamesOutrankAliases(t *testing.T) {
	t.Parallel()
	paid, free := flatModel("p", "model", 5), flatModel("p", "model:free", 0, "model", "free-of-charge")
	for _, models := range [][]Model{{paid, free}, {free, paid}} {
		var c Catalog
		if err := c.Add(models...); err != nil {
			t.Fatal(err)
		}
		if got := dollarsOf(c.find("p", "model")); got != 5 {
			t.Errorf("the paid model costs %d, want 5", got)
		}
		if got := dollarsOf(c.find("p", "free-of-charge")); got != 0 {
			t.Errorf("the free one costs %d by its alias", got)
		}
	}
}

func TestCatalogModels(t *testing.T) {
	t.Parallel()
	c := newSnapshot(t)
	seen := map[modelKey]int{}
	for m := range c.Models() {
		seen[modelKey{m.Provider, m.Name}]++
	}
	if err := c.Add(flatModel("openai", "gpt-4o", 1), flatModel("acme", "new", 1, "newest")); err != nil {
		t.Fatal(err)
	}
	after := map[modelKey]int{}
	for m := range c.Models() {
		key := modelKey{m.Provider, m.Name}
		if after[key]++; after[key] > 1 {
			t.Errorf("%v comes twice", key)
		}
		if key == (modelKey{"openai", "gpt-4o"}) && len(m.Prices) != 1 {
			t.Error("the embedded entry comes in place of the added one")
		}
	}
	if len(after) != len(seen)+1 || after[modelKey{"acme", "new"}] != 1 {
		t.Errorf("%d models, and %d after one was added", len(seen), len(after))
	}
	for range c.Models() {
		break // an iteration can be left
	}
}

func TestCatalogAsOf(t *testing.T) {
	t.Parallel()
	var empty Catalog
	if !empty.AsOf().IsZero() {
		t.Errorf("an empty catalog is as of %s", empty.AsOf())
	}
	c := newSnapshot(t)
	before := c.AsOf()
	dated := func(at time.Time) Model {
		return Model{Name: "m", Prices: []Price{{Rates: perMillion("input", "1"), AsOf: at}}}
	}
	for _, step := range []struct{ add, want time.Time }{
		{time.Time{}, before}, {before.AddDate(-1, 0, 0), before}, {before.AddDate(0, 0, 3), before.AddDate(0, 0, 3)},
		{before.AddDate(0, 0, 2), before.AddDate(0, 0, 3)},
	} {
		if err := c.Add(dated(step.add)); err != nil {
			t.Fatal(err)
		}
		if got := c.AsOf(); !got.Equal(step.want) {
			t.Errorf("with a price as of %s the catalog is as of %s, want %s", step.add, got, step.want)
		}
	}
}

// TestCatalogAddIsAtomic replaces two models together, again and again, while others look them up: whoever has seen one
// of them replaced must see the other replaced too.
func TestCatalogAddIsAtomic(t *testing.T) {
	t.Parallel()
	var c Catalog
	replace := func(version int64) {
		if err := c.Add(flatModel("p", "a", version), flatModel("p", "b", version)); err != nil {
			t.Error(err)
		}
	}
	replace(0)
	const versions = 300
	var wg sync.WaitGroup
	for _, names := range [][2]string{{"a", "b"}, {"b", "a"}} {
		wg.Go(func() {
			for last := int64(0); last < versions; {
				first := dollarsOf(c.find("p", names[0]))
				second := dollarsOf(c.find("p", names[1]))
				if second < first || first < last {
					t.Errorf("version %d of %s, then %d of %s", first, names[0], second, names[1])
					return
				}
				last = first
			}
		})
	}
	for version := range int64(versions) {
		replace(version + 1)
	}
	wg.Wait()
}

// lookups are the ways in which a name is found, and one in which it is not.
var lookups = []struct{ provider, name string }{
	{"openai", "gpt-4o"}, {"openai", "gpt-4o-2031-08-06"}, {"azure", "gpt-4o"}, {"openrouter", "openai/gpt-4o:nitro"},
	{"litellm", "openai/gpt-4o"}, {"google", "models/gemini-2.5-pro"}, {"openai", "no-such-model"},
}

func TestFindDoesNotAllocate(t *testing.T) {
	c := newSnapshot(t)
	for _, l := range lookups {
		if (c.find(l.provider, l.name) == nil) != (l.name == "no-such-model") {
			t.Errorf("find(%q, %q) is wrong", l.provider, l.name)
		}
		if n := testing.AllocsPerRun(100, func() { c.find(l.provider, l.name) }); n != 0 {
			t.Errorf("find(%q, %q) allocates %v times", l.provider, l.name, n)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	c := newSnapshot(b)
	for _, l := range lookups {
		b.Run(l.provider+"/"+l.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.find(l.provider, l.name)
			}
		})
	}
}
