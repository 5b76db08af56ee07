package prompt

import (
	"strings"
	"testing"
)

func TestFamilyOf(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]string{
		"gpt-4o":                        "gpt-4o",
		"openai/gpt-4o":                 "gpt-4o",
		"openrouter/openai/gpt-4o-mini": "gpt-4o-mini",
		"GPT-4o-2024-08-06":             "gpt-4o",
		"ft:gpt-4o-mini:org::id":        "gpt-4o-mini",
		"chatgpt-4o-latest":             "gpt-4o",
		"openai-gpt-4.1":                "gpt-4o",
		"gpt-4.1-nano-2025-04-14":       "gpt-4.1-nano",
		"gpt-4o-search-preview":         "gpt-search",
		"gpt-4o-audio-preview":          "gpt-audio",
		"gpt-5":                         "gpt-5",
		"gpt-5-mini":                    "gpt-5-mini",
		"gpt-5.6-sol":                   "gpt-5",
		"openrouter/openai/gpt-5.2":     "gpt-5-routed",
		"o1":                            "o-series",
		"o3-mini":                       "o-series",
		"o4-mini-2025-04-16":            "o4-mini",
		"gpt-oss:20b":                   "gpt-oss",
		"openai.gpt-oss-safeguard-20b":  "gpt-oss",
		"gpt-4":                         "gpt-4",
		"gpt-4-turbo-preview":           "gpt-4-turbo",
		"gpt-35-turbo":                  "gpt-4",
		"gpt-3.5-turbo-instruct":        "openai-text",
		"text-embedding-3-small":        "openai-text",
		"text-embedding-qwen3-0-6b":     "qwen-3",
		"text-davinci-003":              "openai-p50k",
		"ada":                           "openai-r50k",
		"anthropic/claude-sonnet-4.5":   "claude-4",
		"claude-3-7-sonnet-20250219":    "claude-3",
		"us.anthropic.claude-sonnet-4-5-20250929-v1:0": "claude-4",
		"claude-opus-4-7":                        "claude-5",
		"google/gemini-2.0-flash-001":            "gemini-2.0",
		"gemini-2.5-pro":                         "gemini-2.5",
		"gemini-3-pro-preview":                   "gemini-3",
		"mistralai/Mixtral-8x7B-Instruct-v0.1":   "mistral",
		"mistral-small-latest":                   "mistral-small",
		"deepseek/deepseek-v3.2":                 "deepseek",
		"deepseek-r1-distill-llama-70b":          "llama-3",
		"meta-llama/Meta-Llama-3.1-70B-Instruct": "llama-3.1",
		"meta-llama/llama-3-8b-instruct:free":    "llama-3",
		"groq/llama3-8b-8192":                    "llama-3",
		"meta-llama/Llama-4-Scout-17B-16E":       "llama-4",
		"llamacpp/Qwen3-1.7B-Q4_K_M":             "qwen-3",
		"Qwen/Qwen3.5-9B":                        "qwen-3.5",
		"Qwen/Qwen2.5-72B-Instruct-Turbo":        "qwen-2",
		"cerebras/zai-glm-4.7":                   "glm-4",
		"zai-org/GLM-5.2-FP8":                    "glm-5",
		"x-ai/grok-4":                            "grok",
		"command-r-plus":                         "cohere",
		"perplexity/sonar":                       "sonar",
		"groq/compound-beta":                     "compound",
		"venice/mistral-small-3-2-24b-instruct":  "venice",
		"openrouter/auto":                        "unknown",
		"canada-9b":                              "unknown",
		"":                                       "unknown",
	} {
		if got := familyOf(model).name; got != want {
			t.Errorf("%q is of the family %s, want %s", model, got, want)
		}
	}
}

// TestTable looks at what every row must have.
func TestTable(t *testing.T) {
	t.Parallel()
	rules := append(append([]rule{}, endpointRules...), modelRules...)
	seen := map[string]bool{}
	for _, r := range rules {
		f := r.family
		if seen[r.prefix] || r.prefix != strings.ToLower(r.prefix) {
			t.Errorf("%s: twice, or not in lower case", r.prefix)
		}
		seen[r.prefix] = true
		if _, err := f.vocabulary(); err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
		if f.name == "" || f.source == "" || f.ratio < perMille || f.band <= 0 || f.toolBand <= 0 {
			t.Errorf("%s: a figure is missing: %+v", r.prefix, *f)
		}
		if a := f.around; a.priming+a.system < 0 {
			t.Errorf("%s: a system message takes %d off", f.name, -a.priming-a.system)
		}
		if f.own && f.ratio != perMille {
			t.Errorf("%s: a ratio of %d with its own vocabulary", f.name, f.ratio)
		}
	}
}
