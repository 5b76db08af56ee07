package main

import "strings"

// outputLimits are the most tokens that one answer can have, from the providers' model pages. Neither price list has
// them. Only figures that hold for every way of calling the model are here: a limit that a header can raise stands at
// its raised value.
var outputLimits = map[string]map[string]int64{
	"openai": {
		"gpt-3.5-turbo": 4096, "gpt-4": 8192, "gpt-4-turbo": 4096,
		"gpt-4o": 16384, "gpt-4o-mini": 16384,
		"gpt-4.1": 32768, "gpt-4.1-mini": 32768, "gpt-4.1-nano": 32768,
		"gpt-5": 128000, "gpt-5-mini": 128000, "gpt-5-nano": 128000,
		"o1": 100000, "o1-mini": 65536, "o1-preview": 32768, "o1-pro": 100000,
		"o3": 100000, "o3-mini": 100000, "o3-pro": 100000, "o4-mini": 100000,
	},
	"anthropic": {
		"claude-3-haiku-20240307": 4096, "claude-3-sonnet-20240229": 4096, "claude-3-opus-20240229": 4096,
		"claude-3-5-sonnet-20241022": 8192, "claude-3-5-haiku-20241022": 8192,
		"claude-3-7-sonnet-20250219": 128000,
		"claude-sonnet-4-20250514":   64000, "claude-opus-4-20250514": 32000, "claude-opus-4-1-20250805": 32000,
		"claude-sonnet-4-5-20250929": 64000, "claude-haiku-4-5-20251001": 64000,
		"claude-opus-4-5-20251101": 64000,
	},
	"google": {
		"gemini-1.5-flash": 8192, "gemini-1.5-pro": 8192,
		"gemini-2.0-flash": 8192, "gemini-2.0-flash-lite": 8192,
		"gemini-2.5-flash": 65536, "gemini-2.5-flash-lite": 65536, "gemini-2.5-pro": 65536,
	},
}

// sellers maps providers that sell another's models under its names to that provider.
var sellers = map[string]string{"azure": "openai", "vertex": "google"}

// outputLimit returns 0 where no limit is known.
func outputLimit(m model) int64 {
	provider := m.provider
	if maker, ok := sellers[provider]; ok {
		provider = maker
	}
	for _, name := range append([]string{m.name}, m.aliases...) {
		maker := provider
		if m.provider == "openrouter" || m.provider == "vercel" {
			maker, name, _ = strings.Cut(name, "/")
		}
		if limit := outputLimits[maker][name]; limit != 0 {
			return limit
		}
	}
	return 0
}
