package main

import (
	"slices"
	"strings"
	"testing"
)

// priced makes a model with one price.
func priced(provider, name, input, output string) model {
	return model{provider: provider, name: name, source: catwalkLetter, prices: []price{
		{rates: rates{"input": input, "output": output}},
	}}
}

// genaiPriced makes a model of genai-prices that is recognised by a pattern.
func genaiPriced(t *testing.T, m model, pattern string) genaiModel {
	t.Helper()
	match, err := newMatcher(literal(t, pattern))
	if err != nil {
		t.Fatal(err)
	}
	m.source = genaiLetter
	return genaiModel{model: m, match: match}
}

func findModel(t *testing.T, models []model, provider, name string) model {
	t.Helper()
	for _, m := range models {
		if m.provider == provider && (m.name == name || slices.Contains(m.aliases, name)) {
			return m
		}
	}
	t.Fatalf("%s/%s is missing", provider, name)
	return model{}
}

func TestMergePrecedence(t *testing.T) {
	t.Parallel()
	genai := []genaiModel{
		genaiPriced(t, priced("openai", "otter", "2", "8"), `{equals: "otter"}`),
		genaiPriced(t, priced("openai", "heron", "3", "9"), `{starts_with: "heron"}`),
	}
	genai[1].prices = append(genai[1].prices, price{from: "2027-01-01", rates: rates{"input": "30", "output": "90"}})
	both := priced("openai", "Otter", "2.1", "8")
	both.contextTokens, both.inputs, both.reasoning = 1000, "ti", yes
	models, sum := merge(genai, []model{both, priced("openai", "heron-7", "3", "9"), priced("openai", "crane", "1", "2")}, nil, "2026-09-23")

	otter := findModel(t, models, "openai", "otter")
	if otter.source != genaiLetter || otter.prices[0].rates["input"] != "2" {
		t.Errorf("catwalk's price won: %+v", otter)
	}
	if otter.contextTokens != 1000 || otter.inputs != "ti" || otter.reasoning != yes || !slices.Contains(otter.aliases, "Otter") {
		t.Errorf("catwalk's facts are missing: %+v", otter)
	}
	if heron := findModel(t, models, "openai", "heron-7"); heron.name != "heron" || len(heron.prices) != 2 {
		t.Errorf("heron-7 is not heron: %+v", heron)
	}
	if crane := findModel(t, models, "openai", "crane"); crane.source != catwalkLetter {
		t.Errorf("crane: %+v", crane)
	}
	// 2.1 is 5 % off 2; heron's price of next year is not compared.
	want := []string{"openai/Otter input: 2 in genai-prices, 2.1 in catwalk"}
	if !slices.Equal(sum.disagreements, want) {
		t.Errorf("disagreements %q, want %q", sum.disagreements, want)
	}
}

// A pattern decides where a name that catwalk spells out belongs; it makes up none, and an exact name goes first.
func TestMergeNames(t *testing.T) {
	t.Parallel()
	genai := []genaiModel{
		genaiPriced(t, priced("openai", "otter", "5", "9"), `{starts_with: "otter"}`),
		genaiPriced(t, priced("openai", "otter-nano", "1", "2"), `{equals: "otter-nano"}`),
	}
	models, _ := merge(genai, []model{priced("openai", "otter-nano", "1", "2")}, nil, "2026-09-23")
	if nano := findModel(t, models, "openai", "otter-nano"); nano.prices[0].rates["input"] != "1" {
		t.Errorf("otter-nano is priced as the flagship: %+v", nano)
	}
	if otter := findModel(t, models, "openai", "otter"); len(otter.aliases) != 0 {
		t.Errorf("otter has aliases from nowhere: %q", otter.aliases)
	}
}

func TestMergeNamesStandOnce(t *testing.T) {
	t.Parallel()
	first := priced("openai", "otter", "1", "2")
	first.aliases = []string{"shared"}
	second := priced("openai", "shared", "3", "4")
	second.aliases = []string{"heron"}
	third := priced("openai", "otter", "5", "6")
	models, sum := merge([]genaiModel{
		genaiPriced(t, first, `{equals: "otter"}`),
		genaiPriced(t, second, `{equals: "shared"}`),
		genaiPriced(t, third, `{equals: "otter"}`),
	}, nil, nil, "2026-09-23")
	if got := findModel(t, models, "openai", "shared"); got.name != "otter" {
		t.Errorf("shared belongs to %s, want the first, otter", got.name)
	}
	if got := findModel(t, models, "openai", "heron"); got.name != "heron" || len(got.aliases) != 0 {
		t.Errorf("heron: %+v", got)
	}
	if len(models) != 2 || sum.leftOut["no exact name of its own"] != 1 {
		t.Errorf("got %d models, left out %v", len(models), sum.leftOut)
	}
	if err := validate(models); err != nil {
		t.Error(err)
	}
}

func TestMergeOutputLimits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		provider, name string
		want           int64
	}{
		{"openai", "gpt-4o", 16384},
		{"azure", "gpt-4o", 16384},
		{"openrouter", "openai/gpt-4o", 16384},
		{"vertex", "gemini-2.5-pro", 65536},
		{"openai", "gpt-4o-nope", 0},
		{"openrouter", "gpt-4o", 0},
		{"groq", "gpt-4o", 0},
	}
	for _, test := range tests {
		if got := outputLimit(model{provider: test.provider, name: test.name}); got != test.want {
			t.Errorf("%s/%s: %d, want %d", test.provider, test.name, got, test.want)
		}
	}
}

func TestDiffer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"1", "1", false},
		{"100", "99", false},
		{"99", "100", false},
		{"100", "98.99", true},
		{"0.0028", "0.028", true},
		{"", "1", false},
	} {
		if got := differ(test.a, test.b); got != test.want {
			t.Errorf("differ(%s, %s) = %t", test.a, test.b, got)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := func() model {
		m := priced("acme", "bee", "1", "2")
		m.prices[0].tiers = []tier{{over: 5, rates: rates{"input": "3"}}}
		return m
	}
	if err := validate([]model{good()}); err != nil {
		t.Fatalf("a good model: %v", err)
	}
	tests := []struct {
		name  string
		spoil func(m *model)
		want  string
	}{
		{"provider", func(m *model) { m.provider = "" }, "no name"},
		{"name", func(m *model) { m.name = "b ee" }, "no name"},
		{"alias", func(m *model) { m.aliases = []string{"-"} }, "no name"},
		{"alias twice", func(m *model) { m.aliases = []string{"bee"} }, "stands twice"},
		{"limit", func(m *model) { m.contextTokens = -1 }, "negative"},
		{"no price", func(m *model) { m.prices = nil }, "no price"},
		{"date twice", func(m *model) { m.prices = append(m.prices, m.prices[0]) }, "two prices"},
		{"no output", func(m *model) { delete(m.prices[0].rates, "output") }, "input or output"},
		{"embedding with output", func(m *model) { m.embedding = true }, "embedding"},
		{"free and priced", func(m *model) { m.free = true }, "priced at once"},
		{"negative", func(m *model) { m.prices[0].rates["input"] = "-1" }, "no plain decimal"},
		{"fraction", func(m *model) { m.prices[0].rates["input"] = "1/3" }, "no plain decimal"},
		{"dimension", func(m *model) { m.prices[0].rates["moon"] = "1" }, "no dimension"},
		{"absurd", func(m *model) { m.prices[0].rates["input"] = "10000.01" }, "dearest that is believed"},
		{"absurd per unit", func(m *model) { m.prices[0].rates["request"] = "10.5" }, "dearest that is believed"},
		{"absurd tier", func(m *model) { m.prices[0].tiers[0].rates["input"] = "99999" }, "dearest that is believed"},
		{"empty tier", func(m *model) { m.prices[0].tiers[0].rates = nil }, "without rates"},
		{"empty window", func(m *model) { m.prices[0].overrides = []override{{when: "@01:00-02:00"}} }, "without rates"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := good()
			test.spoil(&m)
			if err := validate([]model{m}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if err := validate([]model{good(), good()}); err == nil {
		t.Error("the same model twice passed")
	}
}
