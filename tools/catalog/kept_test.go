package main

import (
	"slices"
	"strings"
	"testing"
)

func overridesOf(t *testing.T, m model) string {
	t.Helper()
	m = addKept([]model{m})[0]
	if err := m.validate(); err != nil {
		t.Errorf("%s: %v", m.name, err)
	}
	last := m.prices[len(m.prices)-1]
	_, conditions, _ := strings.Cut(m.priceText(last), "output=2")
	return strings.TrimSpace(conditions)
}

func TestServiceTiersAreKept(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"openai gpt-4o":                        "#batch *0.5 #priority input=4.25 cache_read=2.125 output=17",
		"openai gpt-4.1":                       "#batch *0.5 #priority *1.75",
		"openai gpt-5.5":                       "#batch *0.5 #flex *0.5 #priority *2.5",
		"openai gpt-5.6-sol":                   "#batch *0.5 #flex *0.5 #priority *2",
		"openai gpt-5-nano":                    "#batch *0.5 #flex *0.5",
		"openai gpt-4o-search-preview":         "#batch *0.5",
		"anthropic claude-opus-4-6":            "#batch *0.5 ~us *1.1 !fast *6",
		"anthropic claude-haiku-4-5":           "#batch *0.5",
		"google gemini-2.5-pro":                "#batch *0.5",
		"vertex claude-sonnet-4-5":             "~regional *1.1",
		"vertex claude-haiku-4-5-20251001":     "~regional *1.1",
		"vertex claude-opus-5":                 "~regional *1.1",
		"vertex claude-opus-4-1":               "",
		"vertex claude-4-sonnet":               "",
		"vertex claude-3-5-haiku":              "",
		"vertex gemini-2.5-pro":                "",
		"bedrock eu.anthropic.claude-sonnet-5": "",
		"openrouter anthropic/claude-opus-4-6": "",
	} {
		provider, model, _ := strings.Cut(name, " ")
		if got := overridesOf(t, priced(provider, model, "1", "2")); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestPeakHoursAreThoseOfWeekdays(t *testing.T) {
	t.Parallel()
	m := priced("deepseek", "heron", "1", "2")
	m.prices[0].overrides = []override{{when: "@01:00-04:00", rates: rates{"input": "2"}}, {when: "@06:00-10:00", rates: rates{"input": "2"}}}
	before := m.prices[0]
	if got := overridesOf(t, m); got != "@01:00-04:00&%12345 input=2 @06:00-10:00&%12345 input=2" {
		t.Errorf("since then: %q", got)
	}
	kept := addKept([]model{m})[0]
	if len(kept.prices) != 2 || kept.prices[1].from != "2026-08-23" || !kept.prices[0].equal(before) || kept.source != "cd" {
		t.Errorf("history: %+v", kept)
	}
}

// What is added to a model does not reach the same model at another provider, which shares its prices until then.
func TestKeptFactsStayWithTheirProvider(t *testing.T) {
	t.Parallel()
	shared := []price{{rates: rates{"input": "1", "output": "2"}}}
	models := addKept([]model{
		{provider: "openai", name: "gpt-5", source: genaiLetter, prices: shared},
		{provider: "azure", name: "gpt-5", source: genaiLetter, prices: shared},
	})
	if len(models[0].prices[0].overrides) == 0 || len(models[1].prices[0].overrides) > 0 || models[1].source != genaiLetter {
		t.Errorf("got %+v", models[:2])
	}
	if !slices.ContainsFunc(models, func(m model) bool { return m.provider == "cohere" && m.prices[0].rates["search_unit"] != "" }) {
		t.Error("rerankers are missing")
	}
}
