package fareboxtest

import (
	"math/big"
	"slices"

	"github.com/farebox-go/farebox"
)

// The names of DefaultModels.
const (
	SmallModel     = "test-small"     // $0.15 per million input tokens, $0.60 output, $0.075 cached
	LargeModel     = "test-large"     // $2.50 per million input tokens, $10 output, $1.25 cached
	SearchModel    = "test-search"    // $1 per million input and output tokens, and $0.005 per request
	EmbeddingModel = "test-embedding" // $0.02 per million input tokens
)

// Model is a model that a Provider serves, and its price.
type Model struct {
	Name string
	// ServedAs is the name that answers give: OpenAI's dated name, OpenRouter's permanent slug. Empty: Name.
	ServedAs string
	// Rates price input, cache_read, output, reasoning and request; where one is absent, the rules of [farebox.Rates]
	// hold. Rates of other dimensions are listed, but never come into play.
	Rates farebox.Rates
	// CachedPercent is how much of every input is read from the cache, from 0 to 100; tokens are rounded down.
	CachedPercent int
	// ContextTokens and MaxOutputTokens are limits that the provider keeps to; 0: none.
	ContextTokens, MaxOutputTokens int64
	// Embedding models make embeddings and nothing else.
	Embedding bool
}

// DefaultModels returns the models of a Provider that was given none.
func DefaultModels() []Model {
	perMillion := farebox.MustPerMillion
	return []Model{
		{Name: SmallModel, ContextTokens: 128_000, MaxOutputTokens: 16_384, Rates: farebox.Rates{
			farebox.DimensionInput: perMillion("0.15"), farebox.DimensionCacheRead: perMillion("0.075"),
			farebox.DimensionOutput: perMillion("0.60"),
		}},
		{Name: LargeModel, ContextTokens: 200_000, MaxOutputTokens: 32_768, Rates: farebox.Rates{
			farebox.DimensionInput: perMillion("2.50"), farebox.DimensionCacheRead: perMillion("1.25"),
			farebox.DimensionOutput: perMillion("10"),
		}},
		{Name: SearchModel, ContextTokens: 128_000, MaxOutputTokens: 8_192, Rates: farebox.Rates{
			farebox.DimensionInput: perMillion("1"), farebox.DimensionOutput: perMillion("1"),
			farebox.DimensionRequest: farebox.MustRate("0.005"),
		}},
		{Name: EmbeddingModel, ContextTokens: 8_192, Embedding: true, Rates: farebox.Rates{
			farebox.DimensionInput: perMillion("0.02"),
		}},
	}
}

// Prices is the provider's price list as entries for farebox.WithModels.
func (p *Provider) Prices() []farebox.Model {
	entries := make([]farebox.Model, len(p.models))
	for i, m := range p.models {
		entries[i] = farebox.Model{
			Provider: p.name, Name: m.Name, ContextTokens: m.ContextTokens, MaxOutputTokens: m.MaxOutputTokens,
			Inputs: farebox.ModalityText, Outputs: farebox.ModalityText, Embedding: m.Embedding,
			Tools: farebox.SupportYes, Reasoning: farebox.SupportYes,
			Prices: []farebox.Price{{Rates: m.Rates, Source: "fareboxtest"}},
		}
		if m.ServedAs != "" {
			entries[i].Aliases = []string{m.ServedAs}
		}
	}
	return entries
}

func (m *Model) servedAs() string {
	if m.ServedAs != "" {
		return m.ServedAs
	}
	return m.Name
}

// find returns the model that a call is served by: the one asked for or, in OpenRouter's style, the first of its list of
// fallbacks that there is.
func (p *Provider) find(call *call) *Model {
	names := []string{call.Model}
	if p.style == OpenRouter {
		names = append(names, call.Models...)
	}
	for _, name := range names {
		i := slices.IndexFunc(p.models, func(m Model) bool { return m.Name == name || (name != "" && m.ServedAs == name) })
		if i >= 0 && p.models[i].Embedding == (call.op == embeddings) {
			return &p.models[i]
		}
	}
	if p.anyModel && call.Model != "" {
		return &Model{Name: call.Model}
	}
	return nil
}

// cost prices a usage exactly, apart from farebox's own arithmetic: the input's part and the rest.
func (m *Model) cost(u Usage) (input, rest *big.Rat) {
	input = new(big.Rat).Add(
		times(m.rate(farebox.DimensionInput), u.Prompt-u.Cached),
		times(m.rate(farebox.DimensionCacheRead, farebox.DimensionInput), u.Cached),
	)
	rest = new(big.Rat).Add(
		times(m.rate(farebox.DimensionOutput), u.Completion-u.Reasoning),
		times(m.rate(farebox.DimensionReasoning, farebox.DimensionOutput), u.Reasoning),
	)
	return input, rest.Add(rest, m.rate(farebox.DimensionRequest))
}

// rate is the rate of the first dimension that has one; 0 where none has.
func (m *Model) rate(dimensions ...farebox.Dimension) *big.Rat {
	for _, dimension := range dimensions {
		if rate, ok := m.Rates[dimension]; ok {
			exact, _ := new(big.Rat).SetString(rate.String()) // a bare decimal
			return exact
		}
	}
	return new(big.Rat)
}

func times(rate *big.Rat, quantity int64) *big.Rat {
	return new(big.Rat).Mul(rate, new(big.Rat).SetInt64(quantity))
}

// moneyOf rounds an exact amount half to even to the $1e-12 that Money holds.
func moneyOf(amount *big.Rat) farebox.Money {
	money, err := farebox.ParseMoney(amount.FloatString(30))
	if err != nil {
		return farebox.Dollars(1 << 62) // beyond the range: as dear as it gets
	}
	return money
}

func decimal(m farebox.Money) string {
	text, _ := m.MarshalText() // never fails
	return string(text)
}
