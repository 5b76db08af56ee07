package farebox

import (
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// perMillion makes rates from pairs of a dimension and dollars per million.
func perMillion(pairs ...string) Rates {
	rates := make(Rates, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		rates[Dimension(pairs[i])] = MustPerMillion(pairs[i+1])
	}
	return rates
}

func compiled(t testing.TB, p Price) *priceTable {
	t.Helper()
	table, err := p.compile()
	if err != nil {
		t.Fatalf("compile(%+v): %v", p, err)
	}
	return &table
}

// anyListRate draws rates as price lists have them, finer than a unit of Money included.
func anyListRate() *rapid.Generator[Rate] {
	return rapid.Custom(func(t *rapid.T) Rate {
		rate := rapid.SampledFrom([]string{"0", "0.05", "0.0833333333333333333", "0.0000005", "1", "2.5", "75", "600"}).Draw(t, "list")
		return MustPerMillion(rate).Scale(rapid.Int64Range(1, 50).Draw(t, "num"), rapid.Int64Range(1, 50).Draw(t, "den"))
	})
}

// anyRates draws rates for some dimensions, at least one.
func anyRates() *rapid.Generator[Rates] {
	rates := rapid.MapOfN(rapid.SampledFrom(dimensions[:]), anyListRate(), 1, dimensionCount)
	return rapid.Map(rates, func(r map[Dimension]Rate) Rates { return r })
}

// anyPrice draws prices with tiers, each dearer by a factor than the one below, and hours.
func anyPrice() *rapid.Generator[Price] {
	return rapid.Custom(func(t *rapid.T) Price {
		p := Price{Rates: anyRates().Draw(t, "rates")}
		over, below := int64(0), p.Rates
		for range rapid.IntRange(0, 3).Draw(t, "tiers") {
			over += rapid.Int64Range(2, 200_000).Draw(t, "over")
			factor := rapid.Int64Range(10, 30).Draw(t, "factor")
			rates := Rates{}
			for d, r := range below {
				rates[d] = r.Scale(factor, 10)
			}
			p.Tiers = append(p.Tiers, Tier{Over: over, Inclusive: rapid.Bool().Draw(t, "inclusive"), Rates: rates})
			below = rates
		}
		for range rapid.IntRange(0, 4).Draw(t, "overrides") {
			p.Overrides = append(p.Overrides, anyOverride().Draw(t, "override"))
		}
		if rapid.Bool().Draw(t, "reversed") {
			slices.Reverse(p.Tiers) // they may come in any order
		}
		return p
	})
}

// Names that conditions draw from; "" is none.
var (
	anyTier     = rapid.SampledFrom([]string{"", "standard", "flex", "priority"})
	anyRegion   = rapid.SampledFrom([]string{"", "us", "eu"})
	anySpeed    = rapid.SampledFrom([]string{"", "fast"})
	anyUpstream = rapid.SampledFrom([]string{"", "acme", "other"})
)

// anyOverride draws an override under up to all conditions, with rates, a multiplier or both.
func anyOverride() *rapid.Generator[Override] {
	return rapid.Custom(func(t *rapid.T) Override {
		o := Override{When: When{
			InputOver: rapid.SampledFrom([]int64{0, 0, 1, 50_000}).Draw(t, "over"), Inclusive: rapid.Bool().Draw(t, "inclusive"),
			Days: rapid.SampledFrom([]Days{0, 0, Weekdays, DaysOf(time.Tuesday)}).Draw(t, "days"), ServiceTier: anyTier.Draw(t, "tier"),
			Region: anyRegion.Draw(t, "region"), Speed: anySpeed.Draw(t, "speed"), Upstream: anyUpstream.Draw(t, "upstream"),
		}}
		if rapid.Bool().Draw(t, "hours") {
			o.When.Start = TimeOfDay(rapid.Int64Range(0, 1439).Draw(t, "start")) * TimeOfDay(time.Minute)
			o.When.End = TimeOfDay(rapid.Int64Range(0, 1440).Draw(t, "end")) * TimeOfDay(time.Minute)
		}
		if rapid.Bool().Draw(t, "scales") {
			o.Multiplier = MustFactor(rapid.SampledFrom([]string{"0", "0.5", "1.1", "2"}).Draw(t, "multiplier"))
		}
		if o.Multiplier.IsOne() || rapid.Bool().Draw(t, "replaces") {
			o.Rates = anyRates().Draw(t, "rates")
		}
		return o
	})
}

// anyConditions draws when and by whom a call was served.
func anyConditions() *rapid.Generator[conditions] {
	return rapid.Custom(func(t *rapid.T) conditions {
		return conditions{
			at: anyTimeOfDay().Draw(t, "when").AddDate(0, 0, rapid.IntRange(0, 6).Draw(t, "day")), tier: anyTier.Draw(t, "tier"),
			region: anyRegion.Draw(t, "region"), speed: anySpeed.Draw(t, "speed"), upstream: anyUpstream.Draw(t, "upstream"),
		}
	})
}

// referenceHolds is the slow reading of conditions.
func referenceHolds(w When, inputTokens int64, c conditions) bool {
	midnight := c.at.UTC().Truncate(24 * time.Hour)
	at := TimeOfDay(c.at.Sub(midnight))
	inside := at >= w.Start && at < w.End
	if w.End <= w.Start {
		inside = at >= w.Start || at < w.End
	}
	tier := c.tier
	if tier == "" {
		tier = "standard"
	}
	long := w.InputOver == 0 || inputTokens > w.InputOver || (w.Inclusive && inputTokens == w.InputOver)
	return inside && long && (w.Days == 0 || w.Days.Has(midnight.Weekday())) && (w.ServiceTier == "" || w.ServiceTier == tier) &&
		(w.Region == "" || w.Region == c.region) && (w.Speed == "" || w.Speed == c.speed) && (w.Upstream == "" || w.Upstream == c.upstream)
}

func anyTimeOfDay() *rapid.Generator[time.Time] {
	return rapid.Map(rapid.Int64Range(0, 86_399), func(s int64) time.Time {
		return noon.Truncate(24 * time.Hour).Add(time.Duration(s) * time.Second).In(time.FixedZone("", 5*3600))
	})
}

// standIns says in one place, and apart from the code, whose rate is charged where a dimension has none.
var standIns = map[Dimension]Dimension{
	DimensionCacheRead: DimensionInput, DimensionCacheWrite: DimensionInput, DimensionCacheWrite1h: DimensionCacheWrite,
	DimensionAudioInput: DimensionInput, DimensionAudioCacheRead: DimensionAudioInput,
	DimensionImageInput: DimensionInput, DimensionImageCacheRead: DimensionImageInput, DimensionVideoInput: DimensionInput,
	DimensionReasoning: DimensionOutput, DimensionAudioOutput: DimensionOutput, DimensionImageOutput: DimensionOutput, DimensionVideoOutput: DimensionOutput,
}

// referenceRates is the slow reading of a price: its rates with those of every tier reached, lowest first, and of all
// overrides that hold put over them, scaled where they are no fees.
func referenceRates(p Price, inputTokens int64, c conditions) Rates {
	rates := Rates{}
	put := func(over Rates) {
		for d, r := range over {
			rates[d] = r
		}
	}
	put(p.Rates)
	tiers := slices.Clone(p.Tiers)
	slices.SortFunc(tiers, func(a, b Tier) int { return int(a.Over - b.Over) })
	for _, tier := range tiers {
		if inputTokens > tier.Over || (tier.Inclusive && inputTokens == tier.Over) {
			put(tier.Rates)
		}
	}
	var multipliers []Factor
	for _, o := range p.Overrides {
		if referenceHolds(o.When, inputTokens, c) {
			put(o.Rates)
			multipliers = append(multipliers, o.Multiplier)
		}
	}
	for d, r := range rates {
		for _, m := range multipliers {
			if d != DimensionWebSearch && d != DimensionRequest {
				r = r.By(m)
			}
		}
		rates[d] = r
	}
	return rates
}

// costInBig rounds quantity x rate to $1e-12 with math/big.
func costInBig(quantity int64, rate Rate) Money {
	exact, ok := new(big.Rat).SetString(rate.String())
	if !ok {
		panic("a rate prints as no number: " + rate.String())
	}
	exact.Mul(exact, new(big.Rat).SetInt64(quantity)).Mul(exact, new(big.Rat).SetInt64(1_000_000_000_000))
	return MustMoney(new(big.Rat).SetFrac(halfEven(exact), big.NewInt(1_000_000_000_000)).FloatString(12))
}

func TestCostAgainstReference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := anyPrice().Draw(t, "price")
		u := anyUsage().Draw(t, "usage")
		c := anyConditions().Draw(t, "conditions")
		table, err := p.compile()
		if err != nil {
			t.Fatalf("compile: %v", err)
		}
		rates := referenceRates(p, u.InputTokens(), c)
		lines, total, complete := table.cost(&u, &c)
		var sum Money
		counted, unpriced := int64(0), false
		for _, line := range lines {
			d := line.Dimension
			rate, ok := rates[d]
			for !ok && standIns[d] != "" {
				d = standIns[d]
				rate, ok = rates[d]
			}
			switch {
			case line.Unpriced == ok:
				t.Errorf("%s: unpriced is %t, and the price has a rate: %t", line.Dimension, line.Unpriced, ok)
			case ok && (line.Rate != rate || line.Amount != costInBig(line.Quantity, rate)):
				t.Errorf("%d %s cost %s at %s; want %s at %s", line.Quantity, line.Dimension, line.Amount, line.Rate,
					costInBig(line.Quantity, rate), rate)
			case line.Amount.Sign() < 0 || (line.Unpriced && !line.Amount.IsZero()):
				t.Errorf("%s: amount %s", line.Dimension, line.Amount)
			}
			sum = sum.Add(line.Amount)
			unpriced = unpriced || line.Unpriced
			if line.Dimension != DimensionCitation && line.Dimension != DimensionWebSearch && line.Dimension != DimensionRequest {
				counted += line.Quantity
			}
		}
		if sum != total || total.Sign() < 0 || complete == unpriced {
			t.Errorf("lines add up to %s, total %s, complete %t", sum, total, complete)
		}
		if counted != u.InputTokens()+u.OutputTokens() {
			t.Errorf("lines hold %d tokens of %d + %d", counted, u.InputTokens(), u.OutputTokens())
		}
	})
}

// TestCostIsMonotone checks that using more never costs less, across tiers too, where each is dearer than the last.
func TestCostIsMonotone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := anyPrice().Draw(t, "price")
		for i := range p.Overrides {
			p.Overrides[i].When.InputOver = 0 // an override may be cheaper, which a long input is not
		}
		table, err := p.compile()
		if err != nil {
			t.Fatalf("compile: %v", err)
		}
		less := anyUsage().Draw(t, "usage")
		more := less
		for _, field := range []*int64{
			&more.Input, &more.CacheRead, &more.CacheWrite, &more.CacheWrite1h, &more.AudioInput, &more.AudioCacheRead,
			&more.ImageInput, &more.ImageCacheRead, &more.VideoInput, &more.Output, &more.Reasoning, &more.AudioOutput, &more.ImageOutput, &more.VideoOutput,
			&more.Citation, &more.WebSearches, &more.Requests,
		} {
			if rapid.Bool().Draw(t, "grows") {
				*field += anyQuantity().Draw(t, "by")
			}
		}
		c := anyConditions().Draw(t, "conditions")
		_, low, _ := table.cost(&less, &c)
		_, high, _ := table.cost(&more, &c)
		if high.Less(low) {
			t.Errorf("%+v costs %s, and %+v only %s", less, low, more, high)
		}
	})
}

func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	tests := []struct {
		calls, in, out    int64
		perIn, perOut     string
		wantEach, wantAll string
	}{
		{10_000, 100, 150, "0.20", "0.60", "0.00011", "1.10"},
		{50, 500, 2_000, "10", "30", "0.065", "3.25"},
		{20, 200, 400, "0.30", "0.60", "0.0003", "0.006"},
	}
	for _, test := range tests {
		table := compiled(t, Price{Rates: perMillion("input", test.perIn, "output", test.perOut)})
		var ledger Ledger
		for range test.calls {
			_, cost, complete := table.cost(&Usage{Input: test.in, Output: test.out, Requests: 1}, &conditions{at: noon})
			if cost != MustMoney(test.wantEach) || !complete {
				t.Fatalf("%d in, %d out cost %s (complete: %t), want $%s", test.in, test.out, cost, complete, test.wantEach)
			}
			ledger.Append(Receipt{Cost: cost, Source: Computed})
		}
		if got := ledger.Total().Cost; got != MustMoney(test.wantAll) {
			t.Errorf("%d calls cost %s, want $%s", test.calls, got, test.wantAll)
		}
	}
}

func TestTiers(t *testing.T) {
	t.Parallel()
	base := perMillion("input", "1", "cache_read", "0.1", "output", "10")
	long := Tier{Over: 200_000, Rates: perMillion("input", "2", "output", "15")}
	longer := Tier{Over: 400_000, Rates: perMillion("input", "4")}
	reaches := Tier{Over: 200_000, Inclusive: true, Rates: perMillion("input", "2")}
	tests := []struct {
		name  string
		tiers []Tier
		usage Usage
		want  string
	}{
		{"below", []Tier{long}, Usage{Input: 199_999}, "0.199999"},
		{"at a strict threshold", []Tier{long}, Usage{Input: 200_000}, "0.2"},
		{"over it, all of the input", []Tier{long}, Usage{Input: 200_001}, "0.400002"},
		{"at an inclusive threshold", []Tier{reaches}, Usage{Input: 200_000}, "0.4"},
		{"below an inclusive one", []Tier{reaches}, Usage{Input: 199_999}, "0.199999"},
		{"output follows the input's length", []Tier{long}, Usage{Input: 200_001, Output: 1_000}, "0.415002"},
		{"long output is no long input", []Tier{long}, Usage{Input: 1, Output: 300_000}, "3.000001"},
		{"cached input counts towards it", []Tier{long}, Usage{Input: 1, CacheRead: 200_000}, "0.020002"},
		{"every kind of input does", []Tier{long}, Usage{ImageInput: 100_000, CacheWrite: 100_001}, "0.400002"},
		{"the highest of several", []Tier{long, longer}, Usage{Input: 400_001, Output: 1_000}, "1.615004"},
		{"in between", []Tier{long, longer}, Usage{Input: 300_000}, "0.6"},
		{"in any order", []Tier{longer, long}, Usage{Input: 400_001, Output: 1_000}, "1.615004"},
		{"in any order, in between", []Tier{longer, long}, Usage{Input: 300_000}, "0.6"},
		{"over nothing", []Tier{{Over: 0, Rates: perMillion("input", "2")}}, Usage{Input: 1}, "0.000002"},
	}
	for _, test := range tests {
		table := compiled(t, Price{Rates: base, Tiers: test.tiers})
		if _, got, _ := table.cost(&test.usage, &conditions{at: noon}); got != MustMoney(test.want) {
			t.Errorf("%s: %s, want $%s", test.name, got, test.want)
		}
	}
	if given := []Tier{longer, long}; compiled(t, Price{Rates: base, Tiers: given}) == nil || given[0].Over != longer.Over {
		t.Error("compiling a price reorders the caller's tiers")
	}
}

func TestHours(t *testing.T) {
	t.Parallel()
	at := func(start, end string) Override {
		from, err1 := time.ParseDuration(start)
		to, err2 := time.ParseDuration(end)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		return Override{When: When{Start: TimeOfDay(from), End: TimeOfDay(to)}, Rates: perMillion("input", "5")}
	}
	tests := []struct {
		name   string
		hours  []Override
		when   string
		inside bool
	}{
		{"before", []Override{at("1h", "4h")}, "2026-11-24T00:59:59.999999999Z", false},
		{"at the start", []Override{at("1h", "4h")}, "2026-11-24T01:00:00Z", true},
		{"to the last moment", []Override{at("1h", "4h")}, "2026-11-24T03:59:59.999999999Z", true},
		{"at the end", []Override{at("1h", "4h")}, "2026-11-24T04:00:00Z", false},
		{"half hours", []Override{at("16h30m", "20h")}, "2026-11-24T16:29:00Z", false},
		{"around midnight, evening", []Override{at("16h30m", "30m")}, "2026-11-24T23:59:00Z", true},
		{"around midnight, morning", []Override{at("16h30m", "30m")}, "2026-11-24T00:29:59Z", true},
		{"around midnight, end", []Override{at("16h30m", "30m")}, "2026-11-24T00:30:00Z", false},
		{"around midnight, day", []Override{at("16h30m", "30m")}, "2026-11-24T12:00:00Z", false},
		{"until midnight", []Override{at("16h", "0s")}, "2026-11-24T00:00:00Z", false},
		{"until midnight, in hours", []Override{at("16h", "24h")}, "2026-11-24T23:59:59Z", true},
		{"the same start and end is all day", []Override{at("9h", "9h")}, "2026-11-24T08:00:00Z", true},
		{"from midnight to midnight", []Override{at("0s", "0s")}, "2026-11-24T12:00:00Z", true},
		{"of UTC, whatever the zone", []Override{at("1h", "4h")}, "2026-11-24T09:00:00+08:00", true},
		{"of UTC, not of the zone", []Override{at("1h", "4h")}, "2026-11-24T02:00:00+08:00", false},
		{"one of several", []Override{at("1h", "4h"), at("6h", "10h")}, "2026-11-24T02:00:00Z", true},
	}
	for _, test := range tests {
		when, err := time.Parse(time.RFC3339Nano, test.when)
		if err != nil {
			t.Fatal(err)
		}
		table := compiled(t, Price{Rates: perMillion("input", "1", "output", "2"), Overrides: test.hours})
		want := MustMoney("3")
		if test.inside {
			want = MustMoney("7")
		}
		if _, got, _ := table.cost(&Usage{Input: 1_000_000, Output: 1_000_000}, &conditions{at: when}); got != want {
			t.Errorf("%s: %s, want %s", test.name, got, want)
		}
	}
}

func TestHoursOverlapAndTiers(t *testing.T) {
	t.Parallel()
	table := compiled(t, Price{
		Rates: perMillion("input", "1", "output", "10"),
		Tiers: []Tier{{Over: 100, Rates: perMillion("input", "2", "output", "20")}},
		Overrides: []Override{
			{When: When{End: TimeOfDay(day)}, Rates: perMillion("input", "0.5")},
			{When: When{Start: TimeOfDay(12 * time.Hour), End: TimeOfDay(13 * time.Hour)}, Rates: perMillion("input", "0.25")},
		},
	})
	for _, test := range []struct {
		when  time.Time
		usage Usage
		want  string
	}{
		{noon, Usage{Input: 100, Output: 100}, "0.001025"}, // the last that holds wins
		{noon.Add(time.Hour), Usage{Input: 100, Output: 100}, "0.00105"},
		{noon, Usage{Input: 1_000, Output: 100}, "0.00225"}, // what hours do not name keeps the tier's rate
	} {
		if _, got, _ := table.cost(&test.usage, &conditions{at: test.when}); got != MustMoney(test.want) {
			t.Errorf("%+v at %s: %s, want $%s", test.usage, test.when.Format(time.TimeOnly), got, test.want)
		}
	}
}

func TestAbsentRates(t *testing.T) {
	t.Parallel()
	plain := perMillion("input", "1", "output", "2")
	tests := []struct {
		name     string
		rates    Rates
		usage    Usage
		want     string
		complete bool
	}{
		{"every kind of input stands in for itself", plain,
			Usage{CacheRead: 1, CacheWrite: 1, CacheWrite1h: 1, AudioInput: 1, AudioCacheRead: 1, ImageInput: 1, VideoInput: 1}, "0.000007", true},
		{"every kind of output too", plain, Usage{Reasoning: 1, AudioOutput: 1, ImageOutput: 1}, "0.000006", true},
		{"an hour's cache write takes that of minutes", perMillion("input", "1", "cache_write", "3"), Usage{CacheWrite1h: 1}, "0.000003", true},
		{"cached audio takes audio's", perMillion("input", "1", "audio_input", "5"), Usage{AudioCacheRead: 1}, "0.000005", true},
		{"a rate of 0 is a rate", perMillion("input", "1", "cache_read", "0"), Usage{CacheRead: 1}, "0", true},
		{"a request without a fee is free", plain, Usage{Requests: 1}, "0", true},
		{"a request's fee", Rates{DimensionRequest: MustRate("0.01")}, Usage{Requests: 2}, "0.02", true},
		{"searches have no stand-in", plain, Usage{Input: 1, WebSearches: 1}, "0.000001", false},
		{"citations have none", plain, Usage{Output: 1, Citation: 1}, "0.000002", false},
		{"input has none", Rates{DimensionOutput: MustRate("1")}, Usage{CacheRead: 1, Output: 1}, "1", false},
		{"nothing used", plain, Usage{}, "0", true},
		{"negative quantities are not charged", plain, Usage{Input: -5, Output: 1}, "0.000002", true},
	}
	for _, test := range tests {
		lines, got, complete := compiled(t, Price{Rates: test.rates}).cost(&test.usage, &conditions{at: noon})
		if got != MustMoney(test.want) || complete != test.complete {
			t.Errorf("%s: %s (complete: %t), want $%s (%t): %v", test.name, got, complete, test.want, test.complete, lines)
		}
	}
}

func TestBadPrices(t *testing.T) {
	t.Parallel()
	good := perMillion("input", "1")
	day := 24 * time.Hour
	tests := []struct {
		name  string
		price Price
		want  string
	}{
		{"no rates", Price{}, "at least one rate"},
		{"unknown dimension", Price{Rates: Rates{"prompt": {}}}, `"prompt" is not a dimension`},
		{"unknown dimension in a tier", Price{Rates: good, Tiers: []Tier{{Over: 1, Rates: Rates{"Input": {}}}}}, `tier over 1 input tokens: "Input"`},
		{"unknown dimension in hours", Price{Rates: good, Overrides: []Override{{Rates: Rates{"": {}}}}}, `"" is not a dimension`},
		{"negative threshold", Price{Rates: good, Tiers: []Tier{{Over: -1}}}, "must be positive and differ"},
		{"no threshold", Price{Rates: good, Tiers: []Tier{{Inclusive: true}}}, "must be positive and differ"},
		{"largest threshold", Price{Rates: good, Tiers: []Tier{{Over: 1<<63 - 1}}}, "must be positive and differ"},
		{"the same threshold", Price{Rates: good, Tiers: []Tier{{Over: 9}, {Over: 9}}}, "must be positive and differ"},
		{"the same threshold in two ways", Price{Rates: good, Tiers: []Tier{{Over: 9}, {Over: 10, Inclusive: true}}}, "must be positive and differ"},
		{"variable with rates", Price{Variable: true, Rates: good}, "takes its rates from the model that serves"},
		{"variable with hours", Price{Variable: true, Overrides: []Override{{Rates: good}}}, "takes its rates from the model that serves"},
		{"start before the day", Price{Rates: good, Overrides: []Override{{When: When{Start: -1}, Rates: good}}}, "want times of a day"},
		{"start after the day", Price{Rates: good, Overrides: []Override{{When: When{Start: TimeOfDay(day)}, Rates: good}}}, "want times of a day"},
		{"end after the day", Price{Rates: good, Overrides: []Override{{When: When{End: TimeOfDay(day + 1)}, Rates: good}}}, "want times of a day"},
	}
	for _, test := range tests {
		if _, err := test.price.compile(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error with %q", test.name, err, test.want)
		}
	}
	if table := compiled(t, Price{Variable: true}); !table.variable {
		t.Error("a variable price is not told from others once compiled")
	}
	if _, err := PerMillion("-1"); err == nil {
		t.Error("-1 was read as a rate: it says that a price varies")
	}
}

func TestEffectiveDates(t *testing.T) {
	t.Parallel()
	date := func(text string) time.Time {
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return day
	}
	later := Price{Rates: perMillion("input", "2"), From: date("2026-03-01"), Source: "list 2", AsOf: date("2026-03-02")}
	latest := Price{Rates: perMillion("input", "3"), From: date("2026-06-01")}
	first := Price{Rates: perMillion("input", "1")}
	model, err := Model{Name: "m", Prices: []Price{latest, first, later}}.compile()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ when, want string }{
		{"2001-01-01", "1"}, {"2026-02-28", "1"}, {"2026-03-01", "2"}, {"2026-05-31", "2"}, {"2026-06-01", "3"}, {"2099-01-01", "3"},
	} {
		_, got, _ := model.at(date(test.when)).cost(&Usage{Input: 1_000_000}, &conditions{at: noon})
		if got != MustMoney(test.want) {
			t.Errorf("on %s a million tokens cost %s, want $%s", test.when, got, test.want)
		}
	}
	if ref := model.ref(model.at(date("2026-04-01"))); ref.From != later.From || ref.Source != "list 2" || ref.AsOf != later.AsOf {
		t.Errorf("the price is named %+v", ref)
	}
	if ref := model.ref(model.at(date("2026-01-01"))); !ref.From.IsZero() {
		t.Errorf("a price from ever is named as from %s", ref.From)
	}
	future, err := Model{Name: "m", Prices: []Price{latest}}.compile()
	if err != nil {
		t.Fatal(err)
	}
	if table := future.at(date("2026-05-31")); table != nil {
		t.Errorf("a price holds before its date: %+v", table)
	}
}

func BenchmarkCost(b *testing.B) {
	table := compiled(b, Price{
		Rates: perMillion("input", "1", "cache_read", "0.1", "output", "10"),
		Tiers: []Tier{{Over: 200_000, Rates: perMillion("input", "2", "output", "15")}},
	})
	usage := Usage{Input: 1_000, CacheRead: 8_000, Output: 500, Reasoning: 300, Requests: 1}
	b.ReportAllocs()
	for b.Loop() {
		if _, total, _ := table.cost(&usage, &conditions{at: noon}); total.IsZero() {
			b.Fatal("no cost")
		}
	}
}
