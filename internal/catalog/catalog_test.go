package catalog

import (
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

func snapshot(t testing.TB) *Table {
	t.Helper()
	table, err := Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// lookup finds the price of a model, by its name or an alias, that held at a moment.
func lookup(table *Table, provider, name string, at time.Time) *Row {
	var found *Row
	for i := range table.Rows {
		row := &table.Rows[i]
		named := row.Model == name || slices.Contains(row.Aliases, name)
		if row.Provider == provider && named && !row.From.After(at) {
			found = row
		}
	}
	return found
}

// The snapshot is trusted with money: every row is held against the rules by which the generator made it.
func TestSnapshotIsSane(t *testing.T) {
	t.Parallel()
	table := snapshot(t)
	if len(table.Rows) < 1500 {
		t.Errorf("only %d rows", len(table.Rows))
	}
	if len(snapshotText) > 400<<10 {
		t.Errorf("the snapshot has grown to %d bytes; it is part of every program that imports farebox", len(snapshotText))
	}
	dearest := map[bool]*big.Rat{false: big.NewRat(10_000, 1), true: big.NewRat(10, 1)} // by PerUnit
	for i := range table.Rows {
		row := &table.Rows[i]
		checkRow(t, row)
		if i > 0 && !rowLess(&table.Rows[i-1], row) {
			t.Errorf("%s/%s is a duplicate or not in order", row.Provider, row.Model)
		}
		if row.Provider != strings.ToLower(row.Provider) {
			t.Errorf("provider %s is not in lower case", row.Provider)
		}
		for _, rate := range row.Rates {
			price, ok := new(big.Rat).SetString(rate.Price)
			if !ok || price.Sign() < 0 || price.Cmp(dearest[PerUnit(rate.Dimension)]) > 0 {
				t.Errorf("%s/%s: %s=%s is not believable", row.Provider, row.Model, rate.Dimension, rate.Price)
			}
		}
	}
}

// A name that led to two models would let an old ledger and a new one disagree about a price.
func TestSnapshotNamesAreUnique(t *testing.T) {
	t.Parallel()
	owner := map[string]string{}
	table := snapshot(t)
	for i := range table.Rows {
		row := &table.Rows[i]
		for _, name := range append([]string{row.Model}, row.Aliases...) {
			key := row.Provider + " " + name
			if model, taken := owner[key]; taken && model != row.Model {
				t.Errorf("%s names both %s and %s", key, model, row.Model)
			}
			owner[key] = row.Model
		}
	}
}

func TestSnapshotCoversProviders(t *testing.T) {
	t.Parallel()
	rows := map[string]int{}
	for _, row := range snapshot(t).Rows {
		rows[row.Provider]++
	}
	for provider, atLeast := range map[string]int{
		"openrouter": 500, "openai": 60, "bedrock": 60, "together": 50, "vertex": 40, "google": 30, "mistral": 25,
		"groq": 20, "anthropic": 20, "azure": 15, "xai": 15, "fireworks": 20, "deepseek": 5, "cohere": 5,
		"perplexity": 5, "cerebras": 3, "voyage": 15,
	} {
		if rows[provider] < atLeast {
			t.Errorf("%s has %d rows, want at least %d", provider, rows[provider], atLeast)
		}
	}
}

// Prices written down by hand: a generator that mixed up fields, units or dates would not reproduce them.
func TestSnapshotKnownPrices(t *testing.T) {
	t.Parallel()
	table := snapshot(t)
	autumn := day(2026, 11, 1)
	tests := []struct {
		provider, model string
		at              time.Time
		want            string // dimension=price
	}{
		{"openai", "gpt-4o", autumn, "input=2.5 cache_read=1.25 output=10"},
		{"openai", "gpt-4o-2024-08-06", autumn, "input=2.5 cache_read=1.25 output=10"},
		{"openai", "gpt-4o-2024-05-13", autumn, "input=5 output=15"},
		{"openai", "gpt-4o-mini", autumn, "input=0.15 cache_read=0.075 output=0.6"},
		{"openai", "gpt-4.1-mini", autumn, "input=0.4 cache_read=0.1 output=1.6"},
		{"openai", "gpt-5", autumn, "input=1.25 cache_read=0.125 output=10"},
		{"openai", "gpt-5-nano", autumn, "input=0.05 cache_read=0.005 output=0.4"},
		{"openai", "o3", day(2025, 6, 9), "input=10 output=40"},
		{"openai", "o3", day(2025, 6, 10), "input=2 cache_read=0.5 output=8"},
		{"openai", "gpt-5.6-sol", day(2026, 8, 20), "input=5 output=30 cache_write=6.25"},
		{"openai", "gpt-5.6-sol", day(2026, 8, 21), "input=4 output=20"},
		{"openai", "text-embedding-3-small", autumn, "input=0.02"},
		{"openai", "text-embedding-3-large", autumn, "input=0.13"},
		{"anthropic", "claude-sonnet-4-5", autumn, "input=3 cache_read=0.3 cache_write=3.75 cache_write_1h=6 output=15"},
		{"anthropic", "claude-sonnet-4-5-20250929", autumn, "input=3 cache_read=0.3 cache_write=3.75 output=15"},
		{"anthropic", "claude-3-5-haiku-20241022", autumn, "input=0.8 cache_read=0.08 cache_write=1 output=4"},
		{"anthropic", "claude-opus-4-1-20250805", autumn, "input=15 output=75 web_search=0.01"},
		{"google", "gemini-2.5-pro", autumn, "input=1.25 cache_read=0.125 output=10"},
		{"google", "gemini-2.5-flash", autumn, "input=0.3 cache_read=0.03 output=2.5 audio_input=1"},
		{"google", "gemini-2.5-flash-image", autumn, "image_output=30"},
		{"google", "gemini-embedding-001", autumn, "input=0.15"},
		{"vertex", "gemini-2.5-pro", autumn, "input=1.25 output=10"},
		{"xai", "grok-3-mini", autumn, "input=0.3 cache_read=0.075 output=0.5"},
		{"mistral", "mistral-large-2512", autumn, "input=0.5 output=1.5"},
		{"mistral", "mistral-embed", autumn, "input=0.1"},
		{"deepseek", "deepseek-chat", autumn, "input=0.135 cache_read=0.035 output=0.55"},
		{"deepseek", "deepseek-v4-pro", day(2026, 8, 16), "input=0.435 cache_read=0.003625 output=0.87"},
		{"openrouter", "anthropic/claude-sonnet-4.5", autumn, "input=3 cache_read=0.3 cache_write=3.75 output=15"},
		{"openrouter", "openai/gpt-4o-mini", autumn, "input=0.15 cache_read=0.075 output=0.6"},
		{"bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", autumn, "input=3.3 output=16.5"},
		{"openai", "whisper-1", autumn, "audio_ms=0.0000001"}, // $0.006 a minute
		{"openai", "tts-1", autumn, "character=0.000015"},
		{"openai", "dall-e-3", autumn, "image=0.04 image/1024x1024/hd=0.08 image/1024x1792=0.08"},
		{"openai", "gpt-image-1", autumn, "input=5 image_input=10 image_output=40"},
		{"openai", "gpt-4o-transcribe", autumn, "input=2.5 audio_input=6 output=10"},
		{"groq", "whisper-large-v3", autumn, "audio_ms=0.000000030833333333333333"},
		{"google", "imagen-4.0-generate-001", autumn, "image=0.04"},
		{"vertex", "veo-3.1-generate-001", autumn, "video_ms=0.0004"},
		{"mistral", "mistral-ocr-2512", autumn, "page=0.002 page/annotated=0.003"},
		{"cohere", "rerank-v3.5", autumn, "search_unit=0.002"},
		{"cohere", "embed-v4.0", autumn, "input=0.12"},
		{"bedrock", "anthropic.claude-3-haiku-20240307-v1:0", autumn, "input=0.25 output=1.25"},
		{"perplexity", "sonar-deep-research", autumn, "input=2 output=8 reasoning=3 citation=2"},
	}
	for _, test := range tests {
		row := lookup(table, test.provider, test.model, test.at)
		if row == nil {
			t.Errorf("%s/%s is not in the snapshot", test.provider, test.model)
			continue
		}
		for rate := range strings.FieldsSeq(test.want) {
			dimension, price, _ := strings.Cut(rate, "=")
			if got := rateOf(row, dimension); got != price {
				t.Errorf("%s/%s on %s: %s is %q, want %s",
					test.provider, test.model, test.at.Format(time.DateOnly), dimension, got, price)
			}
		}
	}
}

func TestSnapshotTiers(t *testing.T) {
	t.Parallel()
	table := snapshot(t)
	tests := []struct {
		provider, model string
		over            int64
		inclusive       bool
		input, output   string
	}{
		{"google", "gemini-2.5-pro", 200_000, false, "2.5", "15"},
		{"vertex", "gemini-2.5-pro", 200_000, false, "2.5", "15"},
		{"anthropic", "claude-sonnet-4-5", 200_000, false, "6", "22.5"},
		{"openai", "gpt-5.4", 272_000, true, "5", "22.5"},
		{"openai", "gpt-6-sol", 272_000, false, "4", "15"},
		{"xai", "grok-4.5", 200_000, true, "4", "12"},
	}
	for _, test := range tests {
		row := lookup(table, test.provider, test.model, day(2026, 11, 1))
		if row == nil || len(row.Tiers) != 1 {
			t.Errorf("%s/%s: want one tier, got %+v", test.provider, test.model, row)
			continue
		}
		tier := row.Tiers[0]
		long := &Row{Rates: tier.Rates}
		if tier.Over != test.over || tier.Inclusive != test.inclusive ||
			rateOf(long, Input) != test.input || rateOf(long, Output) != test.output {
			t.Errorf("%s/%s: got %+v, want %+v", test.provider, test.model, tier, test)
		}
	}
}

func TestSnapshotFacts(t *testing.T) {
	t.Parallel()
	table := snapshot(t)
	autumn := day(2026, 11, 1)

	gpt4o := lookup(table, "openai", "gpt-4o", autumn)
	if gpt4o.ContextTokens != 128_000 || gpt4o.MaxOutputTokens != 16_384 || gpt4o.Inputs != Text|Image {
		t.Errorf("gpt-4o: %+v", gpt4o)
	}
	if row := lookup(table, "openai", "text-embedding-3-small", autumn); !row.Embedding {
		t.Error("text-embedding-3-small is no embedding model")
	}
	if row := lookup(table, "openrouter", "openai/gpt-4o-mini", autumn); row.Tools != Yes || row.MaxOutputTokens != 16_384 {
		t.Errorf("openai/gpt-4o-mini: %+v", row)
	}
	if row := lookup(table, "openrouter", "google/gemma-4-31b-it:free", autumn); row == nil || !row.Free {
		t.Error("google/gemma-4-31b-it:free is not free")
	}
	if row := lookup(table, "openrouter", "~openai/gpt-latest", autumn); row == nil || !row.Variable {
		t.Error("~openai/gpt-latest has a fixed price")
	}
	daytime := lookup(table, "deepseek", "deepseek-chat", autumn)
	if len(daytime.Overrides) != 1 || daytime.Overrides[0].When.End != 16*time.Hour+30*time.Minute ||
		!slices.Equal(daytime.Overrides[0].Rates, []Rate{{Input, "0.27"}, {CacheRead, "0.07"}, {Output, "1.1"}}) {
		t.Errorf("deepseek-chat: %+v", daytime.Overrides)
	}
	peak := lookup(table, "deepseek", "deepseek-v4-pro", autumn)
	if len(peak.Overrides) != 2 || peak.Overrides[0].When.Start != time.Hour || peak.Overrides[0].When.End != 4*time.Hour {
		t.Errorf("deepseek-v4-pro: %+v", peak.Overrides)
	}
}

// What holds under conditions, as the providers' pages say it.
func TestSnapshotOverrides(t *testing.T) {
	t.Parallel()
	table := snapshot(t)
	weekdays := uint8(1<<time.Monday | 1<<time.Tuesday | 1<<time.Wednesday | 1<<time.Thursday | 1<<time.Friday)
	for _, test := range []struct {
		provider, model string
		when            When
		multiply        string
		rates           []Rate
	}{
		{"openai", "gpt-5", When{ServiceTier: "flex"}, "0.5", nil},
		{"openai", "gpt-5.5", When{ServiceTier: "priority"}, "2.5", nil},
		{"openai", "gpt-4o-mini", When{ServiceTier: "priority"}, "", []Rate{{Input, "0.25"}, {CacheRead, "0.125"}, {Output, "1"}}},
		{"openai", "text-embedding-3-small", When{ServiceTier: "batch"}, "0.5", nil},
		{"anthropic", "claude-opus-4-6", When{Region: "us"}, "1.1", nil},
		{"anthropic", "claude-sonnet-4-5", When{ServiceTier: "batch"}, "0.5", nil},
		{"google", "gemini-2.5-pro", When{ServiceTier: "batch"}, "0.5", nil},
		{"deepseek", "deepseek-v4-pro", When{Start: time.Hour, End: 4 * time.Hour, Days: weekdays}, "", []Rate{{Input, "1.32"}, {CacheRead, "0.044"}, {Output, "3.96"}}},
	} {
		row := lookup(table, test.provider, test.model, day(2026, 11, 1))
		if row == nil {
			t.Errorf("%s/%s is not in the snapshot", test.provider, test.model)
			continue
		}
		i := slices.IndexFunc(row.Overrides, func(o Override) bool { return o.When == test.when })
		if i < 0 || row.Overrides[i].Multiply != test.multiply || !slices.Equal(row.Overrides[i].Rates, test.rates) {
			t.Errorf("%s/%s: %+v, want %+v", test.provider, test.model, row.Overrides, test)
		}
	}
}

// What the lists do not price must be missing, neither free nor guessed.
func TestSnapshotLeavesOutTheUnpriced(t *testing.T) {
	t.Parallel()
	table := snapshot(t)
	for _, absent := range []struct{ provider, model string }{
		{"openai", "gpt-live-1"},           // per minute of a session
		{"openai", "gpt-4o-audio-preview"}, // no price for its audio
		{"openrouter", "openai/gpt-5-image"},
		{"openai", "ft:gpt-4o-mini"}, // a pattern, not a name
		{"google", "gemma-3"},        // free or unknown
		{"openrouter", "gpt-4o"},     // not a name there
		{"openai", "gpt-5-nano-x"},   // a prefix match of the source
		{"zai", "glm-4.7-flash-nope"},
	} {
		if row := lookup(table, absent.provider, absent.model, day(2026, 11, 1)); row != nil {
			t.Errorf("%s/%s is in the snapshot: %+v", absent.provider, absent.model, row)
		}
	}
}

func TestSnapshotIsShared(t *testing.T) {
	t.Parallel()
	first, second := snapshot(t), snapshot(t)
	if first != second {
		t.Error("the snapshot was decoded twice")
	}
}

func TestPerUnit(t *testing.T) {
	t.Parallel()
	for dimension, want := range map[string]bool{
		"input": false, "cache_write_1h": false, "video_output": false, "citation": false, "moon": false, "imagery": false,
		"web_search": true, "request": true, "image": true, "image/1024x1024/hd": true, "audio_ms": true, "session": true,
	} {
		if PerUnit(dimension) != want {
			t.Errorf("PerUnit(%s) = %t", dimension, !want)
		}
	}
}

// Decoding is paid at first use, so it stays at a few allocations per tier or window, none per plain row.
func TestParseAllocations(t *testing.T) {
	table := snapshot(t)
	special, joined := 0, map[string]bool{}
	for _, row := range table.Rows {
		special += len(row.Tiers) + len(row.Overrides)
		joined[row.Source] = true
	}
	allocs := testing.AllocsPerRun(5, func() {
		if _, err := Parse(snapshotText); err != nil {
			t.Error(err)
		}
	})
	if limit := float64(special + 20 + 4*len(joined)); allocs > limit {
		t.Errorf("%.0f allocations for %d rows, want at most %.0f", allocs, len(table.Rows), limit)
	}
}

func BenchmarkParseSnapshot(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(snapshotText)))
	for b.Loop() {
		if _, err := Parse(snapshotText); err != nil {
			b.Fatal(err)
		}
	}
}
