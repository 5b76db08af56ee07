package pricediff

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/farebox-go/farebox"
)

// The reasons for which answers differ. Every one is about the other side's list or arithmetic.
const (
	reasonAgree       = ""
	reasonPattern     = "genai-prices has no entry of this name and takes the price of another that its pattern accepts; catwalk or ai-sdk-cost-calculator lists the name itself"
	reasonWeekend     = "DeepSeek's peak hours are those of weekdays since 2026-08-23 (api-docs.deepseek.com/quick_start/pricing); genai-prices has them every day"
	reasonOtherList   = "the lists have other prices; ours are those of genai-prices"
	reasonOlder       = "an earlier price held at this time, as genai-prices says too; ai-sdk-cost-calculator keeps only the newest"
	reasonCatwalk     = "the lists have other prices; genai-prices has no entry of this name, and ours are those of catwalk"
	reasonFreeWrites  = "ai-sdk-cost-calculator charges nothing for cache writes where its list has no rate for them; they cost as much as input, at least"
	reasonBilled      = "ours are what OpenRouter billed in recorded answers of that day; the other list has another price"
	reasonUnexplained = "unexplained"
)

// same says whether two figures differ by no more than the other side's rounding, and the noise of floating point.
func same(ours farebox.Money, theirs, rounding float64) bool {
	a := ours.Float64()
	return math.Abs(a-theirs) <= rounding+1e-9*math.Max(math.Abs(a), math.Abs(theirs))
}

// What the packages round by: genai-prices not at all, ai-sdk-cost-calculator each part of a sum to a millionth of a dollar.
const (
	roundingGenAI = 1e-11
	roundingAISDK = 3e-6
)

func (q *question) usage() farebox.Usage {
	return farebox.Usage{
		Input: q.Input, CacheRead: q.CacheRead, CacheWrite: q.CacheWrite, Output: q.Output, Reasoning: q.Reasoning, WebSearches: q.WebSearches, Requests: 1,
	}
}

func (q *question) time() time.Time {
	at, _ := time.Parse(time.RFC3339, q.At)
	return at
}

// explainGenAI says why genai-prices has another answer.
func (q *question) explainGenAI(ours farebox.Computation, a *answer) string {
	theirs := a.GenAI
	if same(ours.Total, theirs.Total, roundingGenAI) {
		return reasonAgree
	}
	list := fmt.Sprintf(`[{"id":"peer","models":[{"id":"m","match":{"equals":"m"},"prices":%s}]}]`, theirs.Rates)
	byTheirRates, ok := q.priceBy(farebox.FormatGenAIPrices, list)
	switch {
	case !ok || !same(byTheirRates, theirs.Total, roundingGenAI):
		return reasonUnexplained // their arithmetic differs from ours on the same rates
	case !strings.HasPrefix(ours.Price.Source, "@pydantic/genai-prices"):
		return reasonPattern
	case isBilled(ours):
		return reasonBilled
	case q.Provider == "deepseek" && q.peakOnWeekend():
		return reasonWeekend
	}
	return reasonUnexplained
}

// isBilled says that a price is one that tools/catalog read off recorded bills.
func isBilled(c farebox.Computation) bool { return strings.Contains(c.Price.Source, "as billed") }

func (q *question) peakOnWeekend() bool {
	at := q.time()
	weekend := at.Weekday() == time.Saturday || at.Weekday() == time.Sunday
	return weekend && (at.Hour() >= 1 && at.Hour() < 4 || at.Hour() >= 6 && at.Hour() < 10)
}

// priceBy prices the question with our arithmetic and rates of a list.
func (q *question) priceBy(format farebox.PriceFormat, list string) (farebox.Money, bool) {
	read, err := farebox.ReadPriceList(format, "peer", q.time(), strings.NewReader(list))
	if err != nil || len(read.Problems) > 0 {
		return farebox.Money{}, false
	}
	var catalog farebox.Catalog
	if err := catalog.Use(read); err != nil {
		return farebox.Money{}, false
	}
	computed, err := catalog.Cost("peer", "m", q.usage(), q.time())
	return computed.Total, err == nil && computed.Complete
}

// explainAISDK says why ai-sdk-cost-calculator has another answer.
func (q *question) explainAISDK(catalog *farebox.Catalog, ours farebox.Computation, a *answer) string {
	theirs := a.AISDK
	if same(ours.Total, theirs.Total, roundingAISDK) {
		return reasonAgree
	}
	byTheirRates, ok := q.priceBy(farebox.FormatFarebox, ownList(theirs.Rates, false))
	if !ok || !same(byTheirRates, theirs.Total, roundingAISDK) {
		free, ok := q.priceBy(farebox.FormatFarebox, ownList(theirs.Rates, true))
		if !ok || !same(free, theirs.Total, roundingAISDK) {
			return reasonUnexplained
		}
		if same(ours.Total, byTheirRates.Float64(), roundingAISDK) {
			return reasonFreeWrites
		}
	}
	switch {
	case a.GenAI != nil && same(ours.Total, a.GenAI.Total, roundingGenAI):
		if now, err := catalog.Cost(q.Provider, q.Model, q.usage(), newest); err == nil && same(now.Total, theirs.Total, roundingAISDK) {
			return reasonOlder
		}
		return reasonOtherList
	case isBilled(ours):
		return reasonBilled
	case strings.HasPrefix(ours.Price.Source, "charm.land/catwalk"):
		return reasonCatwalk
	case q.Provider == "deepseek" && q.peakOnWeekend():
		return reasonWeekend
	}
	return reasonUnexplained
}

// ownList writes rates of ai-sdk-cost-calculator in farebox's own form.
func ownList(rates map[string]json.Number, freeWrites bool) string {
	perMillion := func(names ...string) map[string]json.Number {
		group := map[string]json.Number{}
		for i := 0; i < len(names); i += 2 {
			if n, ok := rates[names[i]]; ok {
				group[names[i+1]] = n
			}
		}
		return group
	}
	base := perMillion("inputPer1MTokens", "input", "outputPer1MTokens", "output", "cacheReadPer1MTokens", "cache_read",
		"cacheWritePer1MTokens", "cache_write", "reasoningPer1MTokens", "reasoning")
	if _, ok := base["cache_write"]; !ok && freeWrites {
		base["cache_write"] = "0"
	}
	price := map[string]any{"per_million": base}
	if _, ok := rates["longContextInputPer1MTokens"]; ok {
		over := rates["longContextThreshold"]
		if over == "" {
			over = "200000"
		}
		price["overrides"] = []any{map[string]any{
			"when": map[string]any{"input_over": over, "inclusive": rates["longContextThresholdInclusive"] != ""},
			"per_million": perMillion("longContextInputPer1MTokens", "input", "longContextOutputPer1MTokens", "output",
				"longContextCacheReadPer1MTokens", "cache_read", "longContextCacheWritePer1MTokens", "cache_write",
				"longContextReasoningPer1MTokens", "reasoning"),
		}}
	}
	text, _ := json.Marshal(map[string]any{"models": []any{map[string]any{"provider": "peer", "name": "m", "prices": []any{price}}}})
	return string(text)
}
