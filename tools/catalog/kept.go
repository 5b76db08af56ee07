package main

import (
	"slices"
	"strings"
)

// What providers publish and no list has: kept by hand, each with its source and date in the snapshot's header.
const (
	openaiTiersLetter  = "t"
	anthropicLetter    = "n"
	googleBatchLetter  = "b"
	deepseekDaysLetter = "d"
	cohereLetter       = "h"
	vertexLetter       = "v"
)

// keptSources are the pages that the facts below were read from.
var keptSources = []source{
	{anthropicLetter, "platform.claude.com/docs/en/about-claude/pricing: batch, regions, fast mode", "2026-11-01"},
	{googleBatchLetter, "ai.google.dev/gemini-api/docs/pricing: batch", "2026-11-01"},
	{deepseekDaysLetter, "api-docs.deepseek.com/quick_start/pricing: peak hours on weekdays", "2026-08-23"},
	{cohereLetter, "cohere.com/pricing: rerank", "2026-04-06"},
	{vertexLetter, "platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai: regional and multi-region endpoints", "2026-11-26"},
	{openaiTiersLetter, "developers.openai.com/api/docs/pricing: batch, flex, priority", "2026-11-01"},
}

// openaiPriority are the rates of priority processing: a factor of the standard ones where it is the same for all, or a table.
var openaiPriority = map[string]override{
	"gpt-4o":       {rates: rates{"input": "4.25", "cache_read": "2.125", "output": "17"}},
	"gpt-4o-mini":  {rates: rates{"input": "0.25", "cache_read": "0.125", "output": "1"}},
	"gpt-4.1":      {multiply: "1.75"},
	"gpt-4.1-mini": {multiply: "1.75"},
	"gpt-4.1-nano": {multiply: "2"},
	"o3":           {multiply: "1.75"},
	"o4-mini":      {rates: rates{"input": "2", "cache_read": "0.5", "output": "8"}},
	"gpt-5":        {multiply: "2"},
	"gpt-5-mini":   {multiply: "1.8"},
	"gpt-5.1":      {multiply: "2"},
	"gpt-5.2":      {multiply: "2"},
	"gpt-5.4":      {multiply: "2"},
	"gpt-5.4-mini": {multiply: "2"},
	"gpt-5.5":      {multiply: "2.5"},
	"gpt-5.6-":     {multiply: "2"}, // and every name that begins so
	"gpt-6-":       {multiply: "2"},
}

// addKept puts the facts onto the models that they are about.
func addKept(models []model) []model {
	for i := range models {
		m := &models[i]
		if m.free || m.variable || m.other {
			continue
		}
		m.addFees()
		switch m.provider {
		case "openai":
			m.addOpenAITiers()
		case "anthropic":
			m.addAnthropic()
		case "google":
			m.override(googleBatchLetter, override{when: "#batch", multiply: "0.5"})
		case "vertex":
			m.addVertex()
		case "deepseek":
			m.addWeekdays()
		}
	}
	return append(models, keptModels()...)
}

// override adds one to every price of a model.
func (m *model) override(letter string, o override) {
	m.prices = slices.Clone(m.prices) // the same model at another provider has its own
	for i := range m.prices {
		m.prices[i].overrides = append(slices.Clip(m.prices[i].overrides), o)
	}
	if !strings.Contains(m.source, letter) {
		m.source += letter
	}
}

// named says whether a model has a name.
func (m *model) named(name string) bool { return m.name == name || slices.Contains(m.aliases, name) }

func (m *model) addOpenAITiers() {
	m.override(openaiTiersLetter, override{when: "#batch", multiply: "0.5"})
	flex := m.named("o3") || m.named("o4-mini") || strings.HasPrefix(m.name, "gpt-5") || strings.HasPrefix(m.name, "gpt-6")
	if flex && !m.embedding {
		m.override(openaiTiersLetter, override{when: "#flex", multiply: "0.5"})
	}
	for _, name := range []string{m.name, "gpt-5.6-", "gpt-6-"} {
		o, ok := openaiPriority[name]
		if ok && strings.HasPrefix(m.name, name) {
			o.when = "#priority"
			m.override(openaiTiersLetter, o)
			return
		}
	}
}

// addAnthropic: batches at half, inference in the US alone a tenth dearer from the 4.6 models on, and the fast mode of Opus
// 4.6 and 4.7 at six times.
func (m *model) addAnthropic() {
	m.override(anthropicLetter, override{when: "#batch", multiply: "0.5"})
	for _, family := range []string{"claude-opus-4-6", "claude-opus-4-7", "claude-opus-4-8", "claude-sonnet-4-6", "claude-opus-5", "claude-sonnet-5", "claude-fable-5", "claude-mythos-5"} {
		if strings.HasPrefix(m.name, family) {
			m.override(anthropicLetter, override{when: "~us", multiply: "1.1"})
			break
		}
	}
	if strings.HasPrefix(m.name, "claude-opus-4-6") || strings.HasPrefix(m.name, "claude-opus-4-7") {
		m.override(anthropicLetter, override{when: "!fast", multiply: "6"})
	}
}

// vertexFlat begin the names of Claude models from before Sonnet 4.5, which cost the same in every location.
var vertexFlat = []string{"claude-3-", "claude-4-", "claude-opus-4-1", "claude-opus-4-2025", "claude-sonnet-4-2025"}

// addVertex: from Claude Sonnet 4.5 on, regional and multi-region endpoints cost a tenth more than the global one. Bedrock has
// the same rule, and its lists have a row for each kind of profile.
func (m *model) addVertex() {
	flat := func(prefix string) bool { return strings.HasPrefix(m.name, prefix) }
	if strings.HasPrefix(m.name, "claude-") && !slices.ContainsFunc(vertexFlat, flat) {
		m.override(vertexLetter, override{when: "~regional", multiply: "1.1"})
	}
}

// addWeekdays: since 23 August 2026 the peak hours are those of weekdays, by the UTC calendar too, as they end before the
// day does in Beijing.
func (m *model) addWeekdays() {
	const since = "2026-08-23"
	last := m.prices[len(m.prices)-1]
	peak := func(o override) bool { return o.when == "@01:00-04:00" || o.when == "@06:00-10:00" }
	if !slices.ContainsFunc(last.overrides, peak) || last.from >= since {
		return
	}
	last.from = since
	last.overrides = slices.Clone(last.overrides)
	for i := range last.overrides {
		if peak(last.overrides[i]) {
			last.overrides[i].when += "&%12345"
		}
	}
	m.prices = append(slices.Clip(m.prices), last)
	m.source += deepseekDaysLetter
}

// keptModels are models that no list has.
func keptModels() []model {
	var models []model
	for name, search := range map[string]string{
		"rerank-v3.5": "0.002", "rerank-english-v3.0": "0.002", "rerank-multilingual-v3.0": "0.002",
		"rerank-v4.0-fast": "0.002", "rerank-v4.0-pro": "0.0025",
	} {
		models = append(models, model{
			provider: "cohere", name: name, source: cohereLetter, other: true, inputs: "t",
			prices: []price{{rates: rates{"search_unit": search}}},
		})
	}
	return models
}
