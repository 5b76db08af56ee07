package farebox

import (
	"slices"
	"time"

	"github.com/farebox-go/farebox/internal/fixed"
)

// ceiling is the dearest that each part of a request can be at a price: at every length that its input can reach, at
// every time of the day, since a call may start later than it was quoted, at the service tier that it asks for and at
// the standard one, and at whichever provider behind a gateway serves.
type ceiling struct {
	input, output, request    Rate
	prompt, completion        Rate // of plain text, as a gateway's max_price counts
	search, citation, toolUse Rate
	units                     Money // of what the request itself fixes, such as images to make
	unpricedUnits             bool  // some of it has no rate
	// assumed multiplies all of it, where the request asks for something dearer that the price does not know: in tenths.
	assumed int64
	terms   *Terms // of the endpoint; nil: none
}

// What something costs, in tenths of the standard price, where it is dearer and the price has nothing to say on it.
const (
	// A dearer service tier: OpenAI's priority tier is 1.67 to 2 times the standard price
	// (openai.com/api-priority-processing), GPT-5.5's 2.5 (tokencost.app, 2026-06-04).
	assumedTier = 25
	// Anthropic's fast mode is 2 to 6 times (platform.claude.com/docs/en/build-with-claude/fast-mode, 2026-11).
	assumedSpeed = 60
	// Bedrock's latency-optimized inference is 1.25 times, for every model that has it (aws.amazon.com/bedrock/pricing, 2026-11).
	assumedOptimized = 13
)

// tenths multiplies an amount, rounded up.
func tenths(m Money, n int64) Money {
	if n == 10 {
		return m
	}
	return Money{units: m.units.MulQuo(n, 10, fixed.AwayFromZero)}
}

// assumption is what multiplies a price, in tenths, at conditions that it does not know; 10 where it knows them all.
// dearTier says that the provider charges more for the tier.
func (t *priceTable) assumption(c *conditions, dearTier bool) int64 {
	factor := int64(10)
	if dearTier && !t.pricesTier(c.tier) {
		factor = assumedTier
	}
	if c.speed != "" && c.speed != "standard" && !t.mentions(func(w *When) bool { return w.Speed != "" }) {
		faster := int64(assumedSpeed)
		if c.speed == "optimized" {
			faster = assumedOptimized
		}
		factor = factor * faster / 10
	}
	return factor
}

func (t *priceTable) mentions(condition func(*When) bool) bool {
	return slices.ContainsFunc(t.overrides, func(o override) bool { return condition(&o.when) })
}

// ceiling finds the dearest rates for a request of an extent.
func (t *priceTable) ceiling(e *extent) ceiling {
	c := ceiling{assumed: t.assumption(&e.asked, e.dearTier)}
	if len(t.overrides) == 0 {
		for i := range t.levels {
			if i == 0 || e.mostInputs >= t.levels[i].reachedAt {
				c.raise(&t.levels[i].rates, nil, e)
			}
		}
		c.capAt(e)
		return c
	}
	var scratch rateTable
	for at := range t.reachable(e) {
		rates, multiply := t.resolve(at.inputs, &at.conditions, &scratch)
		c.raise(rates, multiply, e)
	}
	c.capAt(e)
	return c
}

// raise takes over what is dearer under some conditions.
func (c *ceiling) raise(t *rateTable, multiply factors, e *extent) {
	prompt, _ := t.find(atInput)
	completion, _ := t.find(atOutput)
	c.prompt = dearer(c.prompt, multiply.scale(prompt))
	c.completion = dearer(c.completion, multiply.scale(completion))
	c.input = dearer(c.input, multiply.scale(t.dearest(e.dearInput)))
	c.output = dearer(c.output, multiply.scale(t.dearest(e.dearOutput)))
	c.request = dearer(c.request, dearer(t.rate[atRequest], t.dearestUnit(DimensionRequest)))
	if e.searches > 0 {
		search, ok := t.find(atWebSearch)
		if !ok {
			search = mostSearchRate
		}
		c.search = dearer(c.search, dearer(search, t.dearestUnit(DimensionWebSearch)))
		citation, _ := t.find(atCitation)
		c.citation = dearer(c.citation, multiply.scale(citation))
	}
	if e.serverTools {
		c.toolUse = dearer(c.toolUse, dearer(t.dearestUnit(DimensionToolCall), t.dearestUnit(DimensionSession)))
	}
	if len(e.units) > 0 {
		c.raiseUnits(t, multiply, e)
	}
}

func (c *ceiling) raiseUnits(t *rateTable, multiply factors, e *extent) {
	var sum Money
	for name, quantity := range e.units {
		rate, ok := t.findUnit(Dimension(name))
		if !ok {
			_, outputs := t.find(atOutput)
			_, inputs := t.find(atInput)
			c.unpricedUnits = c.unpricedUnits || (!outputs && !inputs) // else it is charged in tokens
			continue
		}
		sum = sum.Add(multiply.scale(rate).TimesUp(quantity))
	}
	if c.units.Less(sum) {
		c.units = sum
	}
}

// dearestUnit is the dearest rate of a dimension's variants, and of its own where that has no place.
func (t *rateTable) dearestUnit(base Dimension) Rate {
	var dearest Rate
	for name, rate := range t.units {
		if name.base() == base {
			dearest = dearer(dearest, rate)
		}
	}
	return dearest
}

func (t *rateTable) dearest(places []int) Rate {
	var dearest Rate
	for _, place := range places {
		if rate, ok := t.find(place); ok {
			dearest = dearer(dearest, rate)
		}
	}
	return dearest
}

func dearer(a, b Rate) Rate {
	if a.Cmp(b) < 0 {
		return b
	}
	return a
}

// most is what a request comes to at the ceiling. Rounded up token by token, so that it bounds the sum of any number of
// lines, each rounded by itself.
func (c *ceiling) most(e *extent) Money {
	most := c.input.TimesUp(1).Mul(e.mostInputs).
		Add(c.output.TimesUp(1).Mul(e.mostOutputs)).
		Add(c.request.TimesUp(1)).
		Add(c.units)
	if e.searches > 0 {
		most = most.Add(c.search.TimesUp(e.searches)).Add(c.citation.TimesUp(1).Mul(max(e.toolInputs, mostSearchTokens)))
	}
	if e.serverTools {
		most = most.Add(c.toolUse.TimesUp(e.toolUses))
	}
	most = tenths(most, c.assumed)
	if c.terms != nil {
		return c.terms.most(most)
	}
	return most
}

// expected is what a request of this extent is likely to cost.
func (t *priceTable) expected(e *extent, when time.Time) Money {
	var scratch rateTable
	asked := e.asked
	asked.at = when
	rates, multiply := t.resolve(e.inputs, &asked, &scratch)
	input, _ := rates.find(atInput)
	output, _ := rates.find(atOutput)
	sum := multiply.scale(input).Times(e.inputs).Add(multiply.scale(output).Times(e.outputs)).Add(rates.rate[atRequest].Times(1))
	if e.searches > 0 {
		search, ok := rates.find(atWebSearch)
		if !ok {
			search = mostSearchRate
		}
		sum = sum.Add(search.Times(1))
	}
	for name, quantity := range e.units {
		if rate, ok := rates.findUnit(Dimension(name)); ok {
			sum = sum.Add(multiply.scale(rate).Times(quantity))
		}
	}
	return tenths(sum, t.assumption(&asked, e.dearTier))
}
