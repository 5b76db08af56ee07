package farebox

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestOverrides prices calls under every condition that a price may have.
func TestOverrides(t *testing.T) {
	t.Parallel()
	price := Price{
		Rates: Rates{
			DimensionInput: MustPerMillion("1"), DimensionCacheRead: MustPerMillion("0.1"), DimensionOutput: MustPerMillion("10"),
			DimensionWebSearch: MustRate("0.01"),
		},
		Tiers: []Tier{{Over: 200_000, Rates: perMillion("input", "2", "output", "15")}},
		Overrides: []Override{
			{When: When{ServiceTier: "priority"}, Rates: perMillion("input", "3", "output", "20")},
			{When: When{ServiceTier: "priority", InputOver: 200_000}, Rates: perMillion("input", "7")},
			{When: When{ServiceTier: "flex"}, Multiplier: MustFactor("0.5")},
			{When: When{Region: "us"}, Multiplier: MustFactor("1.1")},
			{When: When{Speed: "fast"}, Multiplier: MustFactor("2")},
			{When: When{Upstream: "WandB"}, Rates: perMillion("input", "0.8")},
			{When: When{Days: Weekdays, Start: TimeOfDay(22 * time.Hour), End: TimeOfDay(2 * time.Hour)}, Multiplier: MustFactor("0.9"), Name: "off-peak"},
		},
	}
	table := compiled(t, price)
	mega := Usage{Input: 100_000, Output: 100_000, WebSearches: 1}
	long := Usage{Input: 100_000, CacheRead: 100_001, Output: 100_000}
	saturday := time.Date(2026, 11, 28, 23, 0, 0, 0, time.UTC)
	tests := []struct {
		name  string
		usage Usage
		at    conditions
		want  string
	}{
		{"none", mega, conditions{at: noon}, "1.11"},
		{"the standard tier under another name", mega, conditions{at: noon, tier: "default"}, "1.11"},
		{"a tier with a table of its own", mega, conditions{at: noon, tier: "priority"}, "2.31"},
		{"under another name", mega, conditions{at: noon, tier: "fast"}, "2.31"},
		{"with rows of its own for long inputs", long, conditions{at: noon, tier: "PRIORITY"}, "2.7100001"},
		{"a tier with a multiplier leaves fees alone", mega, conditions{at: noon, tier: "flex"}, "0.56"},
		{"and scales the rates of long inputs", long, conditions{at: noon, tier: "ON_DEMAND_FLEX"}, "0.85500005"},
		{"multipliers multiply each other", mega, conditions{at: noon, region: "US", speed: "fast"}, "2.43"},
		{"all three", mega, conditions{at: noon, tier: "flex", region: "us", speed: "fast"}, "1.22"},
		{"a provider behind a gateway", mega, conditions{at: noon, upstream: "wandb"}, "1.09"},
		{"another", mega, conditions{at: noon, upstream: "Chutes"}, "1.11"},
		{"hours on some days", mega, conditions{at: noon.Add(11 * time.Hour)}, "1"},
		{"past midnight", mega, conditions{at: noon.Add(13 * time.Hour)}, "1"},
		{"not on others", mega, conditions{at: saturday}, "1.11"},
		{"a tier that the price has nothing on", mega, conditions{at: noon, tier: "scale"}, "1.11"},
	}
	for _, test := range tests {
		lines, got, complete := table.cost(&test.usage, &test.at)
		if got != MustMoney(test.want) || !complete {
			t.Errorf("%s: %s (complete: %t), want $%s", test.name, got, complete, test.want)
		}
		for _, line := range lines {
			if line.Amount != line.Rate.Times(line.Quantity) {
				t.Errorf("%s: %d x %s is not %s", test.name, line.Quantity, line.Rate, line.Amount)
			}
		}
	}
	lines, _, _ := table.cost(&mega, &conditions{at: noon, tier: "flex", region: "us"})
	if f := lines[0].Factors; len(f) != 2 || f[0].Name != "service_tier flex" || f[1] != (AppliedFactor{"region us", MustFactor("1.1")}) {
		t.Errorf("the factors of input are %v", f)
	}
	if fee := lines[2]; fee.Dimension != DimensionWebSearch || fee.Factors != nil || fee.Amount != Cents(1) {
		t.Errorf("a fee is scaled: %+v", fee)
	}
}

// TestUnits prices what is charged by something else than tokens.
func TestUnits(t *testing.T) {
	t.Parallel()
	rates := Rates{
		DimensionInput: MustPerMillion("1"), DimensionWebSearch: MustRate("0.01"), "web_search/high": MustRate("0.05"),
		DimensionImage: MustRate("0.02"), "image/1024x1024": MustRate("0.04"), "image/1024x1024/hd": MustRate("0.08"),
		DimensionAudioMS: MustRate("0.0000001"), "unit/guardrail": MustRate("0.00075"), DimensionPixel: {},
	}
	table := compiled(t, Price{Rates: rates, Overrides: []Override{
		{When: When{ServiceTier: "batch"}, Multiplier: MustFactor("0.5")},
		{When: When{Upstream: "Fal"}, Rates: Rates{"image/1024x1024/hd": MustRate("0.06"), "unit/lora": MustRate("1")}},
		{When: When{Upstream: "Fees"}, Rates: Rates{DimensionRequest: MustRate("0.012"), "request/low": MustRate("0.005")}},
	}})
	units := func(pairs ...any) Usage {
		u := Usage{Units: map[Dimension]int64{}}
		for i := 0; i < len(pairs); i += 2 {
			u.Units[Dimension(pairs[i].(string))] = int64(pairs[i+1].(int))
		}
		return u
	}
	tests := []struct {
		name     string
		usage    Usage
		at       conditions
		want     string
		complete bool
	}{
		{"a variant", units("image/1024x1024/hd", 2), conditions{}, "0.16", true},
		{"one without a rate takes that of the name before the slash", units("image/1024x1024/low", 2), conditions{}, "0.08", true},
		{"and so on", units("image/512x512/low", 2), conditions{}, "0.04", true},
		{"a search by its context", units("web_search/high", 2, "web_search/low", 1), conditions{}, "0.11", true},
		{"time", units("audio_ms", 90_000), conditions{}, "0.009", true},
		{"a name of the user's", units("unit/guardrail", 3), conditions{}, "0.00225", true},
		{"half of it in a batch, but for searches", units("image", 1, "web_search/high", 1), conditions{tier: "batch"}, "0.06", true},
		{"a provider's own rates over the others", units("image/1024x1024/hd", 1, "image", 1, "unit/lora", 1), conditions{upstream: "fal"}, "1.08", true},
		{"a rate of 0 is a rate", units("pixel", 1_000_000), conditions{}, "0", true},
		{"without a rate it is unpriced", units("page", 3, "image", 1), conditions{}, "0.02", false},
		{"a name of the user's has no stand-in", units("unit/other", 1), conditions{}, "0", false},
		{"nothing", units("page", 0, "image", -1), conditions{}, "0", true},
		{"a request by its context", Usage{Requests: 1, Units: map[Dimension]int64{"request/low": 1}}, conditions{upstream: "Fees"}, "0.005", true},
		{"by one without a rate", Usage{Requests: 1, Units: map[Dimension]int64{"request/high": 1}}, conditions{upstream: "Fees"}, "0.012", true},
		{"where it has no fee", Usage{Requests: 1, Units: map[Dimension]int64{"request/high": 1}}, conditions{}, "0", true},
	}
	for _, test := range tests {
		test.at.at = noon
		if _, got, complete := table.cost(&test.usage, &test.at); got != MustMoney(test.want) || complete != test.complete {
			t.Errorf("%s: %s (complete: %t), want $%s (%t)", test.name, got, complete, test.want, test.complete)
		}
	}
	// An image that is charged in tokens needs no rate by the piece.
	tokens := compiled(t, Price{Rates: perMillion("input", "1", "image_output", "40")})
	made := Usage{Input: 10, ImageOutput: 1_000, Units: map[Dimension]int64{"image/1024x1024": 1}}
	if lines, got, complete := tokens.cost(&made, &conditions{at: noon}); got != MustMoney("0.04001") || !complete || len(lines) != 2 {
		t.Errorf("an image of 1,000 tokens costs %s (complete: %t): %+v", got, complete, lines)
	}
}

// TestTerms puts a gateway's terms on a cost: each is seen in the lines, which add up.
func TestTerms(t *testing.T) {
	t.Parallel()
	c := &Catalog{}
	if err := c.Add(Model{Provider: "p", Name: "m", Prices: []Price{{Rates: perMillion("input", "1")}}}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		terms Terms
		want  string
		lines int
	}{
		{Terms{}, "1", 1},
		{Terms{Discount: MustFactor("0.95")}, "0.95", 1},
		{Terms{Discount: MustFactor("0.95"), Margin: MustFactor("1.1")}, "1.045", 2},
		{Terms{Margin: MustFactor("1.08"), Fee: MustMoney("0.0005")}, "1.0805", 3},
		{Terms{CreditFee: MustFactor("1.055")}, "1.055", 2},
		{Terms{Margin: MustFactor("1.1"), Fee: Cents(1), CreditFee: MustFactor("1.05")}, "1.1655", 4},
	} {
		got, err := c.Price(Served{Provider: "p", Model: "m", At: noon, Usage: Usage{Input: 1_000_000}, Terms: test.terms})
		if err != nil || got.Total != MustMoney(test.want) || len(got.Lines) != test.lines {
			t.Errorf("%+v: %s in %d lines, %v; want $%s", test.terms, got.Total, len(got.Lines), err, test.want)
		}
		for _, line := range got.Lines {
			if line.Amount != line.Rate.Times(line.Quantity) {
				t.Errorf("%+v: %+v does not multiply", test.terms, line)
			}
		}
	}
}

// TestIterations prices each part of an answer at its own model's price.
func TestIterations(t *testing.T) {
	t.Parallel()
	c := &Catalog{}
	if err := c.Add(
		Model{Provider: "p", Name: "m", Prices: []Price{{Rates: perMillion("input", "1")}}},
		Model{Provider: "p", Name: "advisor", Prices: []Price{{Rates: perMillion("input", "5")}}},
	); err != nil {
		t.Fatal(err)
	}
	tokens := Usage{Input: 1_000_000}
	got, err := c.Price(Served{Provider: "p", Model: "m", At: noon, Usage: tokens, Iterations: []Iteration{
		{Usage: tokens}, {Model: "advisor", Usage: tokens}, {Model: "unheard-of", Usage: tokens},
	}})
	if err != nil || got.Total != Dollars(7) || got.Complete || len(got.Lines) != 4 || got.Lines[2].Model != "advisor" || !got.Lines[3].Unpriced {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestPriceDates picks a price by its dates.
func TestPriceDates(t *testing.T) {
	t.Parallel()
	c := &Catalog{}
	from, to := noon.AddDate(0, -1, 0), noon.AddDate(0, 1, 0)
	if err := c.Add(Model{Name: "m", Prices: []Price{
		{Rates: perMillion("input", "1")}, {Rates: perMillion("input", "2"), From: from, To: to},
	}}); err != nil {
		t.Fatal(err)
	}
	for when, want := range map[time.Time]Money{
		from.Add(-1): Dollars(1), from: Dollars(2), to.Add(-time.Second): Dollars(2), to: Dollars(1), to.AddDate(1, 0, 0): Dollars(1),
	} {
		if got, err := c.Cost("p", "m", Usage{Input: 1_000_000}, when); err != nil || got.Total != want {
			t.Errorf("at %s: %s, %v; want %s", when, got.Total, err, want)
		}
	}
	if err := c.Add(Model{Name: "m", Prices: []Price{{Rates: perMillion("input", "2"), From: to, To: from}}}); err == nil {
		t.Error("a price that ends before it starts was taken")
	}
}

// TestPriceJSON writes a price with all its conditions and reads it back.
func TestPriceJSON(t *testing.T) {
	t.Parallel()
	price := Price{
		Rates: perMillion("input", "1"), Source: "s", From: noon, To: noon.AddDate(1, 0, 0),
		Overrides: []Override{{
			When: When{
				InputOver: 9, Inclusive: true, Start: TimeOfDay(16*time.Hour + 30*time.Minute), End: TimeOfDay(5 * time.Second),
				Days: DaysOf(time.Sunday, time.Friday), ServiceTier: "flex", Region: "us", Speed: "fast", Upstream: "u",
			},
			Multiplier: MustFactor("1.1"), Name: "n",
		}},
	}
	text, err := json.Marshal(price)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"start":"16:30"`, `"end":"00:00:05"`, `"days":["sunday","friday"]`, `"multiplier":"1.1"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s has no %s", text, want)
		}
	}
	var read Price
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(read)
	if err != nil || string(again) != string(text) || read.Overrides[0].When != price.Overrides[0].When {
		t.Errorf("%v\nread  %s\nwrote %s", err, again, text)
	}
	for _, bad := range []string{
		`{"overrides":[{"when":{"start":"25:00"}}]}`, `{"overrides":[{"when":{"start":"9:00"}}]}`, `{"overrides":[{"when":{"days":["mo"]}}]}`,
		`{"overrides":[{"multiplier":"-1"}]}`, `{"overrides":[{"multiplier":"1e9"}]}`, `{"overrides":[{"multiplier":true}]}`,
	} {
		if err := json.Unmarshal([]byte(bad), &read); err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestPriceAllocations: a look-up makes no garbage, and pricing a call nothing but its lines.
func TestPriceAllocations(t *testing.T) {
	c := newSnapshot(t)
	if n := testing.AllocsPerRun(100, func() { c.find("openrouter", "openai/gpt-4o:nitro") }); n != 0 {
		t.Errorf("a look-up makes %.0f allocations", n)
	}
	usage := Usage{Input: 900, CacheRead: 10_000, CacheWrite: 500, Output: 700, Reasoning: 300, WebSearches: 2}
	table := compiled(t, Price{Rates: perMillion("input", "1", "output", "2"), Overrides: []Override{
		{When: When{ServiceTier: "flex"}, Multiplier: MustFactor("0.5")}, {When: When{Upstream: "x"}, Rates: perMillion("input", "2")},
	}})
	at := &conditions{at: noon, tier: "flex", upstream: "x"}
	if n := testing.AllocsPerRun(100, func() { table.cost(&usage, at) }); n != 1 {
		t.Errorf("pricing six lines makes %.0f allocations", n)
	}
}

func BenchmarkPriceSixLines(b *testing.B) {
	usage := Usage{Input: 900, CacheRead: 10_000, CacheWrite: 500, Output: 700, Reasoning: 300, WebSearches: 2}
	rates := Rates{
		DimensionInput: MustPerMillion("1"), DimensionCacheRead: MustPerMillion("0.1"), DimensionOutput: MustPerMillion("10"),
		DimensionWebSearch: MustRate("0.01"),
	}
	for name, price := range map[string]Price{
		"flat": {Rates: rates},
		"conditions": {Rates: rates, Overrides: []Override{
			{When: When{ServiceTier: "flex"}, Multiplier: MustFactor("0.5")}, {When: When{Region: "us"}, Multiplier: MustFactor("1.1")},
		}},
	} {
		table := compiled(b, price)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if lines, _, _ := table.cost(&usage, &conditions{at: noon, tier: "flex"}); len(lines) != 6 {
					b.Fatal(lines)
				}
			}
		})
	}
}
