package catalog

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// header is the beginning of every well-formed list in these tests.
const header = "format\t2\n" +
	"source\tc\t2026-08-19\tlist one v1\n" +
	"source\tg\t2026-09-23\tlist two v2\n"

// line joins columns.
func line(columns ...string) string { return strings.Join(columns, "\t") + "\n" }

func day(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
}

func TestParse(t *testing.T) {
	t.Parallel()
	text := "# a comment\n" + header +
		line("provider", "acme") +
		line("ant", "-", "-", "c", "chat", "-", "-", "-", "-", "free") +
		line("bee", "bee-1 bee-2", "-", "g", "chat", "ti>ta", "TrS", "128000", "4096", "input=2.5 cache_read=0.25 output=10") +
		line("bee", "bee-1 bee-2", "2026-01-31", "g", "chat", "ti>ta", "TrS", "128000", "4096", "input=2 output=8") +
		"\n" +
		line("provider", "zoo") +
		line("any", "-", "-", "c", "chat", "-", "-", "-", "-", "variable") +
		line("cat", "-", "-", "c", "embedding", "avf>", "tRs", "-", "-", "input=0.02") +
		line("dog", "-", "-", "c", "chat", "-", "-", "-", "-", "input=1 output=2 >128000 input=2 >=200000 input=3 output=6") +
		line("elk", "-", "-", "c", "chat", "-", "-", "-", "-", "input=1 output=2 request=0.005 @16:30-00:30 input=0.5") +
		line("fox", "-", "-", "cg", "other", "-", "-", "-", "-", "web_search/high=0.05 image=0.04 image/1024x1024/hd=0.08 audio_ms=0.0000001") +
		line("gnu", "-", "-", "c", "chat", "-", "-", "-", "-", "input=1 output=2 >9 input=2 #flex *0.5 #priority&>=9 input=4 @01:00-04:00&%127 input=3 output=5 ~us *1.1 !fast *6")

	table, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	one, two := Source{"list one v1", day(2026, 8, 19)}, Source{"list two v2", day(2026, 9, 23)}
	bee := Row{
		Provider: "acme", Model: "bee", Aliases: []string{"bee-1", "bee-2"}, Source: two.Name, AsOf: two.AsOf,
		ContextTokens: 128000, MaxOutputTokens: 4096, Inputs: Text | Image, Outputs: Text | Audio,
		Tools: Yes, Reasoning: No, StructuredOutput: Yes,
		Rates: []Rate{{Input, "2.5"}, {CacheRead, "0.25"}, {Output, "10"}},
	}
	cheaper := bee
	cheaper.From, cheaper.Rates = day(2026, 1, 31), []Rate{{Input, "2"}, {Output, "8"}}
	want := &Table{Sources: []Source{one, two}, Rows: []Row{
		{Provider: "acme", Model: "ant", Source: one.Name, AsOf: one.AsOf, Free: true},
		bee, cheaper,
		{Provider: "zoo", Model: "any", Source: one.Name, AsOf: one.AsOf, Variable: true},
		{
			Provider: "zoo", Model: "cat", Source: one.Name, AsOf: one.AsOf, Embedding: true,
			Inputs: Audio | Video | File, Tools: No, Reasoning: Yes, StructuredOutput: No,
			Rates: []Rate{{Input, "0.02"}},
		},
		{
			Provider: "zoo", Model: "dog", Source: one.Name, AsOf: one.AsOf,
			Rates: []Rate{{Input, "1"}, {Output, "2"}},
			Tiers: []Tier{
				{Over: 128000, Rates: []Rate{{Input, "2"}}},
				{Over: 200000, Inclusive: true, Rates: []Rate{{Input, "3"}, {Output, "6"}}},
			},
		},
		{
			Provider: "zoo", Model: "elk", Source: one.Name, AsOf: one.AsOf,
			Rates: []Rate{{Input, "1"}, {Output, "2"}, {Request, "0.005"}},
			Overrides: []Override{{
				When: When{Start: 16*time.Hour + 30*time.Minute, End: 30 * time.Minute}, Rates: []Rate{{Input, "0.5"}},
			}},
		},
		{
			Provider: "zoo", Model: "fox", Source: one.Name + "; " + two.Name, AsOf: one.AsOf, Other: true,
			Rates: []Rate{{"web_search/high", "0.05"}, {ImageMade, "0.04"}, {"image/1024x1024/hd", "0.08"}, {AudioMS, "0.0000001"}},
		},
		{
			Provider: "zoo", Model: "gnu", Source: one.Name, AsOf: one.AsOf,
			Rates: []Rate{{Input, "1"}, {Output, "2"}},
			Tiers: []Tier{{Over: 9, Rates: []Rate{{Input, "2"}}}},
			Overrides: []Override{
				{When: When{ServiceTier: "flex"}, Multiply: "0.5"},
				{When: When{ServiceTier: "priority", Over: 9, Inclusive: true}, Rates: []Rate{{Input, "4"}}},
				{
					When:  When{Start: time.Hour, End: 4 * time.Hour, Days: 1<<time.Monday | 1<<time.Tuesday | 1<<time.Sunday},
					Rates: []Rate{{Input, "3"}, {Output, "5"}},
				},
				{When: When{Region: "us"}, Multiply: "1.1"},
				{When: When{Speed: "fast"}, Multiply: "6"},
			},
		},
	}}
	if !reflect.DeepEqual(table, want) {
		t.Errorf("got  %+v\nwant %+v", table, want)
	}
}

// Rows share slabs, so appending to one row's rates must not reach into the next row's.
func TestParseRatesDoNotOverlap(t *testing.T) {
	t.Parallel()
	table, err := Parse(header + line("provider", "acme") +
		line("a", "a1 a2", "-", "c", "chat", "-", "-", "-", "-", "input=1 output=2") +
		line("b", "b1 b2", "-", "c", "chat", "-", "-", "-", "-", "input=3 output=4"))
	if err != nil {
		t.Fatal(err)
	}
	_ = append(table.Rows[0].Rates, Rate{Request, "9"})
	_ = append(table.Rows[0].Aliases, "intruder")
	if got := table.Rows[1].Rates[0]; got != (Rate{Input, "3"}) {
		t.Errorf("the next row's rate became %v", got)
	}
	if got := table.Rows[1].Aliases[0]; got != "b1" {
		t.Errorf("the next row's alias became %q", got)
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	// row is a row whose column i is replaced.
	row := func(i int, value string) string {
		columns := []string{"bee", "-", "-", "g", "chat", "-", "-", "-", "-", "input=1 output=2"}
		columns[i] = value
		return header + line("provider", "acme") + line(columns...)
	}
	good := line("bee", "-", "-", "g", "chat", "-", "-", "-", "-", "input=1 output=2")
	tests := []struct {
		name, text string
		line       int
		reason     string // a part of it
	}{
		{"empty", "", 1, "which format"},
		{"only comments", "# hello\n", 1, "which format"},
		{"other format", "format\t1\n", 1, "want format 2"},
		{"no format", "source\tc\t2026-08-19\tx\n", 1, "want format 2"},
		{"source date", "format\t2\nsource\tc\t2026-13-19\tx\n", 2, "a source needs"},
		{"source name", "format\t2\nsource\tc\t2026-12-19\n", 2, "a source needs"},
		{"source of two letters", header + "source\tcc\t2026-12-19\tx\n", 4, "one letter"},
		{"sources that are not all there", row(colSource, "gx"), 5, "not in the header"},
		{"source twice", header + "source\tc\t2026-12-19\tx\n", 4, "already taken"},
		{"provider name", header + "provider\t-\n", 4, "no provider's name"},
		{"provider order", header + "provider\tb\nprovider\ta\n", 5, "not sorted"},
		{"row before provider", header + good, 4, "before any provider"},
		{"too few columns", header + "provider\tacme\nbee\t-\n", 5, "10 columns"},
		{"too many columns", header + "provider\tacme\n" + strings.TrimSuffix(good, "\n") + "\tmore\n", 5, "10 columns"},
		{"carriage return", header + "provider\tacme\n" + strings.TrimSuffix(good, "\n") + "\r\n", 5, "no rate"},
		{"row twice", header + line("provider", "acme") + good + good, 6, "duplicate"},
		{"no model", row(colModel, "-"), 5, "10 columns"},
		{"model with a space", row(colModel, "b ee"), 5, "10 columns"},
		{"empty alias", row(colAliases, "a  b"), 5, "aliases"},
		{"date", row(colFrom, "yesterday"), 5, "no date"},
		{"source", row(colSource, "x"), 5, "not in the header"},
		{"kind", row(colKind, "video"), 5, "chat, embedding or other"},
		{"modality letter", row(colModalities, "tx>t"), 5, "modalities"},
		{"modalities without sides", row(colModalities, "t"), 5, "modalities"},
		{"ability", row(colAbilities, "X"), 5, "abilities"},
		{"context", row(colContext, "0"), 5, "context window"},
		{"context too large", row(colContext, "99999999999999999999"), 5, "context window"},
		{"output limit", row(colMaxOutput, "-5"), 5, "output limit"},
		{"empty price", row(colPrice, "-"), 5, "no rate"},
		{"unknown dimension", row(colPrice, "input=1 output=2 moon=3"), 5, "no rate"},
		{"negative", row(colPrice, "input=-1 output=2"), 5, "no rate"},
		{"exponent", row(colPrice, "input=1e3 output=2"), 5, "no rate"},
		{"two points", row(colPrice, "input=1.2.3 output=2"), 5, "no rate"},
		{"no fraction", row(colPrice, "input=1. output=2"), 5, "no rate"},
		{"no price", row(colPrice, "input= output=2"), 5, "no rate"},
		{"rate twice", row(colPrice, "input=1 input=1 output=2"), 5, "duplicate"},
		{"rates out of order", row(colPrice, "output=2 input=1"), 5, "not in order"},
		{"no input", row(colPrice, "output=2"), 5, "no rate for input"},
		{"no output", row(colPrice, "input=2"), 5, "no rate for output"},
		{"empty tier", row(colPrice, "input=1 output=2 >5"), 5, "tier has no rates"},
		{"tier of nothing", row(colPrice, "input=1 output=2 >0 input=3"), 5, "opens no tier"},
		{"tiers out of order", row(colPrice, "input=1 output=2 >9 input=3 >5 input=2"), 5, "opens no tier"},
		{"window time", row(colPrice, "input=1 output=2 @25:00-01:00 input=3"), 5, "opens no override"},
		{"window form", row(colPrice, "input=1 output=2 @1:00-02:00 input=3"), 5, "opens no override"},
		{"empty window", row(colPrice, "input=1 output=2 @01:00-02:00"), 5, "override has no rates"},
		{"nothing of another kind", strings.Replace(row(colPrice, "#flex *0.5"), "chat", "other", 1), 5, "no rate"},
		{"day", row(colPrice, "input=1 output=2 %8 input=3"), 5, "opens no override"},
		{"no condition", row(colPrice, "input=1 output=2 # input=3"), 5, "opens no override"},
		{"two conditions, one of them none", row(colPrice, "input=1 output=2 #flex& input=3"), 5, "opens no override"},
		{"factor without a condition", row(colPrice, "input=1 output=2 *2"), 5, "no factor"},
		{"factor", row(colPrice, "input=1 output=2 #flex *-2"), 5, "no factor"},
		{"variant of tokens", row(colPrice, "input=1 input/big=1 output=2"), 5, "no rate"},
		{"variant without a name", row(colPrice, "input=1 output=2 image/=2"), 5, "no rate"},
		{"window and tier", row(colPrice, "input=1 output=2 @01:00-02:00 input=3 >5 input=2"), 5, "opens no tier"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			table, err := Parse(test.text)
			var formatError *FormatError
			if !errors.As(err, &formatError) || table != nil {
				t.Fatalf("got %v, %v, want a FormatError", table, err)
			}
			if formatError.Line != test.line || !strings.Contains(formatError.Error(), test.reason) {
				t.Errorf("got %q, want line %d and %q", formatError, test.line, test.reason)
			}
		})
	}
}

// FuzzParse: whatever the text, Parse returns a FormatError or rows that keep its promises.
func FuzzParse(f *testing.F) {
	f.Add(header + line("provider", "acme") +
		line("a", "a1 a2", "2026-01-31", "c", "chat", "ti>t", "TRs", "8192", "4096", "input=1 output=2 >5 input=3"))
	f.Add(header + line("provider", "acme") +
		line("a", "-", "-", "c", "embedding", "-", "-", "-", "-", "input=1 @01:00-02:00 input=3"))
	f.Add(header + line("provider", "acme") + line("a", "-", "-", "c", "chat", "-", "-", "-", "-", "free"))
	f.Add("format\t2\n")
	f.Add("\x00\t\n\r")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := Parse(text)
		if err != nil {
			var formatError *FormatError
			if !errors.As(err, &formatError) || formatError.Line < 1 {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		for i := range table.Rows {
			checkRow(t, &table.Rows[i])
			if i > 0 && !rowLess(&table.Rows[i-1], &table.Rows[i]) {
				t.Errorf("row %d is not behind row %d", i, i-1)
			}
		}
	})
}

// checkRow holds a row against what the documentation of Row promises.
func checkRow(t *testing.T, row *Row) {
	t.Helper()
	fail := func(what string) { t.Errorf("%s/%s: %s", row.Provider, row.Model, what) }
	if row.Provider == "" || row.Model == "" || row.Source == "" || row.AsOf.IsZero() {
		fail("lacks a name, a source or a date")
	}
	if row.Free || row.Variable {
		if row.Free == row.Variable || len(row.Rates)+len(row.Tiers)+len(row.Overrides) > 0 {
			fail("free or variable, and more than that")
		}
		return
	}
	if !row.Other && (rateOf(row, Input) == "" || (!row.Embedding && rateOf(row, Output) == "")) {
		fail("lacks a rate for input or output")
	}
	lists := [][]Rate{row.Rates}
	for _, tier := range row.Tiers {
		lists = append(lists, tier.Rates)
	}
	for _, o := range row.Overrides {
		if o.Multiply == "" || len(o.Rates) > 0 {
			lists = append(lists, o.Rates)
		}
	}
	for _, rates := range lists {
		if len(rates) == 0 {
			fail("has an empty list of rates")
		}
		for _, rate := range rates {
			if !isDecimal(rate.Price) {
				fail("has a rate that is no decimal: " + rate.Price)
			}
		}
	}
}

// rateOf returns the row's own price of a dimension, empty where it has none.
func rateOf(row *Row, dimension string) string {
	for _, rate := range row.Rates {
		if rate.Dimension == dimension {
			return rate.Price
		}
	}
	return ""
}

func rowLess(a, b *Row) bool {
	if a.Provider != b.Provider {
		return a.Provider < b.Provider
	}
	if a.Model != b.Model {
		return a.Model < b.Model
	}
	return a.From.Before(b.From)
}
