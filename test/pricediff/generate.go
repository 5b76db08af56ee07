package pricediff

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/farebox-go/farebox"
)

// providers are those that farebox and one of the packages have, with the names that the packages give them.
var providers = map[string]struct{ genai, aisdk string }{
	"anthropic": {"anthropic", "anthropic"}, "openai": {"openai", "openai"}, "google": {"google", "google"},
	"xai": {"x-ai", "xai"}, "deepseek": {"deepseek", "deepseek"}, "mistral": {"mistral", "mistral"}, "groq": {"groq", "groq"},
	"cohere": {"cohere", "cohere"}, "perplexity": {"perplexity", "perplexity"}, "together": {"together", "together"},
	"fireworks": {"fireworks", "fireworks"}, "cerebras": {"cerebras", "cerebras"}, "openrouter": {"openrouter", "openrouter"},
	"bedrock": {"aws", ""}, "azure": {"azure", ""}, "moonshot": {"moonshotai", "moonshot"}, "zai": {"zai", "z-ai"},
	"novita": {"novita", ""}, "cloudflare": {"cloudflare", ""}, "minimax": {"minimax", ""}, "avian": {"avian", ""},
}

// models lists every name of every text model that may be known to a package, as a question about a small call.
func models(catalog *farebox.Catalog) (questions []question) {
	for m := range catalog.Models() {
		names, ok := providers[m.Provider]
		price := m.Prices[len(m.Prices)-1]
		if !ok || price.Variable {
			continue
		}
		if _, text := price.Rates[farebox.DimensionInput]; !text {
			continue
		}
		_, answers := price.Rates[farebox.DimensionOutput]
		for _, name := range append([]string{m.Name}, m.Aliases...) {
			questions = append(questions, question{
				Provider: m.Provider, GenAIProvider: names.genai, AISDKProvider: names.aisdk, Model: name,
				At: newest.Format(time.RFC3339), Input: 1000, reads: !answers,
			})
		}
	}
	slices.SortFunc(questions, func(a, b question) int {
		return cmp.Or(strings.Compare(a.Provider, b.Provider), strings.Compare(a.Model, b.Model))
	})
	return questions
}

// times lie on both sides of prices that changed, inside and outside of peak hours, on a weekday and on a Sunday.
var times = []time.Time{
	time.Date(2025, 6, 9, 23, 59, 59, 0, time.UTC), time.Date(2025, 6, 10, 0, 0, 0, 0, time.UTC),
	time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC), time.Date(2026, 8, 21, 0, 0, 0, 0, time.UTC),
	time.Date(2026, 9, 20, 2, 0, 0, 0, time.UTC), time.Date(2026, 9, 21, 2, 0, 0, 0, time.UTC),
	time.Date(2026, 11, 24, 16, 30, 0, 0, time.UTC), time.Date(2026, 11, 24, 16, 29, 59, 0, time.UTC),
	time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
}

// newest is when the newest price of every list holds, outside of peak hours.
var newest = times[len(times)-1]

// thresholds are where prices of long inputs begin, and one token on either side.
var thresholds = []int64{32_000, 128_000, 200_000, 256_000, 272_000}

// generate makes usages of known models: of all sizes, cached or not, and around the thresholds. The same seed gives the
// same usages.
func generate(known []question, n int, seed uint64) []question {
	random := rand.New(rand.NewPCG(seed, seed))
	questions := make([]question, n)
	size := func() int64 { return int64(random.ExpFloat64() * 3000) }
	for i := range questions {
		q := known[random.IntN(len(known))]
		q.At = times[random.IntN(len(times))].Format(time.RFC3339)
		q.Input, q.Output = size(), size()
		if random.IntN(2) == 0 {
			q.CacheRead = size()
		}
		if random.IntN(4) == 0 {
			q.CacheWrite = size()
		}
		if random.IntN(4) == 0 {
			q.Reasoning = size()
		}
		if random.IntN(5) == 0 {
			total := thresholds[random.IntN(len(thresholds))] + int64(random.IntN(3)) - 1
			q.Input = max(total-q.CacheRead-q.CacheWrite, 0)
		}
		if q.reads {
			q.Output, q.Reasoning = 0, 0
		}
		questions[i] = q
	}
	return questions
}
