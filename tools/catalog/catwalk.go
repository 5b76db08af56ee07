package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// catwalkProviders maps the providers of catwalk to those of the snapshot. Left out: subscriptions (Copilot, the
// coding plans), prices in other currencies (the mainland-China and European hosts), and small resellers.
var catwalkProviders = map[string]string{
	"alibaba-singapore": "alibaba",
	"anthropic":         "anthropic",
	"avian":             "avian",
	"azure":             "azure",
	"baseten":           "baseten",
	"bedrock":           "bedrock",
	"bedrock-europe":    "bedrock",
	"cerebras":          "cerebras",
	"chutes":            "chutes",
	"deepseek":          "deepseek",
	"fireworks":         "fireworks",
	"gemini":            "google",
	"groq":              "groq",
	"huggingface":       "huggingface",
	"minimax":           "minimax",
	"moonshot":          "moonshot",
	"nebius":            "nebius",
	"openai":            "openai",
	"openrouter":        "openrouter",
	"venice":            "venice",
	"vercel":            "vercel",
	"vertexai":          "vertex",
	"xai":               "xai",
	"zai":               "zai",
}

// catwalkConfig is the part of a provider's file that is read. The names of the two cached prices mislead: the one
// ending in in_cached is for writing a cache, the one ending in out_cached for reading it. default_max_tokens is
// not read: it is what one program asks for, often half of the limit or a tenth of the context window.
type catwalkConfig struct {
	ID     string `json:"id"`
	Models []struct {
		ID             string  `json:"id"`
		In             float64 `json:"cost_per_1m_in"`
		Out            float64 `json:"cost_per_1m_out"`
		CacheWrite     float64 `json:"cost_per_1m_in_cached"`
		CacheRead      float64 `json:"cost_per_1m_out_cached"`
		ContextWindow  int64   `json:"context_window"`
		CanReason      *bool   `json:"can_reason"`
		SupportsImages *bool   `json:"supports_attachments"`
	} `json:"models"`
}

// readCatwalk reads the providers' files from the module's tree. Models without a known price have no prices.
func readCatwalk(module fs.FS) ([]model, error) {
	files, err := fs.Glob(module, "internal/providers/configs/*.json")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("catwalk: no provider files in the module (%v)", err)
	}
	var models []model
	for _, file := range files {
		text, err := fs.ReadFile(module, file)
		if err != nil {
			return nil, fmt.Errorf("catwalk: %w", err)
		}
		var config catwalkConfig
		if err := json.Unmarshal(text, &config); err != nil {
			return nil, fmt.Errorf("catwalk: %s: %w", path.Base(file), err)
		}
		converted, err := config.convert()
		if err != nil {
			return nil, fmt.Errorf("catwalk: %s: %w", path.Base(file), err)
		}
		models = append(models, converted...)
	}
	return models, nil
}

func (c *catwalkConfig) convert() ([]model, error) {
	provider := catwalkProviders[c.ID]
	if provider == "" {
		return nil, nil
	}
	var models []model
	for _, source := range c.Models {
		m := model{
			provider: provider, name: source.ID, source: catwalkLetter,
			contextTokens: source.ContextWindow,
			embedding:     isEmbedding(source.ID),
			free:          isFreeOnOpenRouter(provider, source.ID),
		}
		m.describe(source.CanReason, source.SupportsImages)
		r, err := catwalkRates(provider, source.In, source.Out, source.CacheWrite, source.CacheRead)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source.ID, err)
		}
		if r != nil || m.free {
			m.prices = []price{{rates: r}}
		}
		models = append(models, m)
	}
	return models, nil
}

// describe notes abilities. The file for OpenRouter is made by a program from OpenRouter's own list, of models that
// can call tools; in the others a false is often a field that nobody filled in.
func (m *model) describe(reasons, images *bool) {
	if images != nil {
		m.inputs = "t"
		if *images {
			m.inputs = "ti"
		}
	}
	if reasons != nil && *reasons {
		m.reasoning = yes
	}
	if m.provider == "openrouter" {
		m.tools = yes
		if reasons != nil {
			m.reasoning = supportIf(*reasons)
		}
	}
}

// catwalkRates returns nil where the price is not known: there, 0 means just that.
//
// Several of the hand-kept files have a cached price in the wrong field or the output price in its place. So a cache
// read dearer than input is dropped, and so is a cache write cheaper than input, except on OpenRouter, whose file is
// made by a program and where writing Gemini's cache is charged beside the input.
func catwalkRates(provider string, in, out, cacheWrite, cacheRead float64) (rates, error) {
	if in == 0 || out == 0 {
		return nil, nil
	}
	if cacheRead > in {
		cacheRead = 0
	}
	if cacheWrite < in && provider != "openrouter" {
		cacheWrite = 0
	}
	r := rates{}
	for dimension, f := range map[string]float64{
		"input": in, "output": out, "cache_write": cacheWrite, "cache_read": cacheRead,
	} {
		if f == 0 {
			continue
		}
		text, err := floatDecimal(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dimension, err)
		}
		r[dimension] = text
	}
	return r, nil
}

// attestedNames are exact model names that providers publish and that neither list spells out. They become aliases
// of the model whose pattern in genai-prices accepts them.
var attestedNames = map[string][]string{
	"anthropic": {
		"claude-3-haiku-20240307", "claude-3-sonnet-20240229", "claude-3-opus-20240229", "claude-3-opus",
		"claude-3-5-sonnet-20240620", "claude-3-5-sonnet-20241022", "claude-3-5-sonnet-latest",
		"claude-3-5-haiku-20241022", "claude-3-5-haiku", "claude-3-7-sonnet-20250219", "claude-3-7-sonnet",
		"claude-2.0", "claude-2.1",
	},
	"openai": {"gpt-5-nano-2025-08-07"},
	"google": {
		"gemini-1.5-flash-001", "gemini-1.5-flash-002", "gemini-1.5-flash-latest", "gemini-1.5-pro-001",
		"gemini-1.5-pro-002", "gemini-1.5-pro-latest", "gemini-2.0-flash-001", "gemini-2.0-flash-lite-001",
	},
	"vertex": {
		"claude-3-haiku@20240307", "claude-3-opus@20240229", "claude-3-5-sonnet@20240620",
		"claude-3-5-sonnet-v2@20241022", "claude-3-5-haiku@20241022", "claude-3-7-sonnet@20250219",
		"claude-sonnet-4@20250514", "claude-opus-4@20250514", "claude-opus-4-1@20250805",
		"claude-sonnet-4-5@20250929",
	},
	"bedrock": {
		"anthropic.claude-3-haiku-20240307-v1:0", "us.anthropic.claude-3-haiku-20240307-v1:0",
		"anthropic.claude-3-5-sonnet-20240620-v1:0", "us.anthropic.claude-3-5-sonnet-20240620-v1:0",
		"anthropic.claude-3-5-sonnet-20241022-v2:0", "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
		"anthropic.claude-3-5-haiku-20241022-v1:0", "us.anthropic.claude-3-5-haiku-20241022-v1:0",
		"us.anthropic.claude-3-7-sonnet-20250219-v1:0", "us.anthropic.claude-sonnet-4-20250514-v1:0",
	},
}

// attested lists the hand-kept names of a provider, in order.
func attested() []model {
	var models []model
	for provider, names := range attestedNames {
		for _, name := range names {
			models = append(models, model{provider: provider, name: name})
		}
	}
	slices.SortFunc(models, func(a, b model) int {
		return strings.Compare(a.provider+" "+a.name, b.provider+" "+b.name)
	})
	return models
}
