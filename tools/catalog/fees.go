package main

// Fees that providers publish beside the prices of tokens, and prices of OpenRouter's that its bills show and no list has.
const (
	xaiLetter        = "x"
	perplexityLetter = "p"
	openrouterLetter = "o"
)

var feeSources = []source{
	{xaiLetter, "docs.x.ai/docs/models: tools", "2026-11-01"},
	{perplexityLetter, "docs.perplexity.ai/getting-started/pricing: requests by search context", "2026-11-01"},
	{openrouterLetter, "openrouter.ai: prices of their day, as billed", "2026-08-21"},
}

// xaiTools is what a call of each tool that xAI runs costs.
var xaiTools = rates{
	"web_search": "0.005", "tool_call/x_search": "0.005", "tool_call/code_execution": "0.005",
	"tool_call/attachment_search": "0.005", "tool_call/collections_search": "0.0025",
}

// perplexityRequests is what a request costs by the size of its search context; without one the dearest is taken.
var perplexityRequests = map[string]rates{
	"sonar":               {"request/low": "0.005", "request/medium": "0.008", "request/high": "0.012"},
	"sonar-reasoning":     {"request/low": "0.005", "request/medium": "0.008", "request/high": "0.012"},
	"sonar-pro":           {"request/low": "0.006", "request/medium": "0.01", "request/high": "0.014"},
	"sonar-reasoning-pro": {"request/low": "0.006", "request/medium": "0.01", "request/high": "0.014"},
}

// geminiFlash is what OpenRouter bills for Gemini 2.5 Flash beside input and output: its cache as Google does, and audio.
var geminiFlash = rates{"cache_read": "0.03", "cache_write": "0.083333333333333333", "audio_input": "1", "audio_cache_read": "0.1"}

// solBefore is GPT-5.6 Sol's price until 21 August 2026.
var solBefore = price{
	rates: rates{"input": "5", "cache_read": "0.5", "cache_write": "6.25", "output": "30"},
	tiers: []tier{{over: 272_000, rates: rates{"input": "10", "cache_read": "1", "cache_write": "12.5", "output": "45"}}},
}

// addFees puts them onto the models that they are about.
func (m *model) addFees() {
	switch {
	case m.provider == "xai":
		m.addRates(xaiLetter, xaiTools)
	case m.provider == "perplexity":
		m.addRates(perplexityLetter, perplexityRequests[m.name])
	case m.provider == "openrouter" && m.name == "google/gemini-2.5-flash":
		m.addRates(openrouterLetter, geminiFlash)
	case m.provider == "openrouter" && m.name == "openai/gpt-5.6-sol" && len(m.prices) == 1 && m.prices[0].from == "":
		now := m.prices[0]
		now.from = "2026-08-21"
		m.prices = []price{solBefore, now}
		m.source += openrouterLetter
	}
}

// addRates adds rates to every price of a model, or puts them in the place of those that it has.
func (m *model) addRates(letter string, more rates) {
	if len(more) == 0 {
		return
	}
	changed := make([]price, len(m.prices)) // the same model at another provider has its own
	for i, p := range m.prices {
		all := make(rates, len(p.rates)+len(more))
		for dimension, rate := range p.rates {
			all[dimension] = rate
		}
		for dimension, rate := range more {
			all[dimension] = rate
		}
		p.rates = all
		changed[i] = p
	}
	m.prices = changed
	m.source += letter
}
