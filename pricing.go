package farebox

import (
	"slices"
	"time"
)

// Line is one cost line of a receipt: a quantity of one dimension at its rate.
type Line struct {
	Dimension Dimension `json:"dimension"`
	Quantity  int64     `json:"quantity"`
	// Rate is what a unit was charged at, with the factors in it: Amount is Quantity times Rate, rounded once.
	Rate   Rate  `json:"rate"`
	Amount Money `json:"amount"`
	// Factors are what the listed rate was multiplied by to give Rate, in their order; on a line that is a share of the
	// others' sum, what share. Not to be changed.
	Factors []AppliedFactor `json:"factors,omitempty"`
	// Model is the model that the line is for, where it is not the answer's: of an [Iteration].
	Model string `json:"model,omitzero"`
	// Unpriced says that the price has no rate for this dimension: the amount is unknown, not zero.
	Unpriced bool `json:"unpriced,omitzero"`
}

// AppliedFactor is a multiplier with what it is for: "service_tier flex", "region us", "discount".
type AppliedFactor struct {
	Name   string `json:"name"`
	Factor Factor `json:"factor"`
}

// conditions are what a price may depend on beside the usage. Names are as the answer states them.
type conditions struct {
	at                            time.Time
	tier, region, speed, upstream string
}

// factors are what rates are multiplied by, in their order.
type factors []AppliedFactor

// resolve chooses the rates of a call: those of the tier that its input reaches, under the overrides that hold, which are
// laid over them in scratch.
func (t *priceTable) resolve(inputTokens int64, c *conditions, scratch *rateTable) (*rateTable, factors) {
	rates := t.levels.level(inputTokens)
	if len(t.overrides) == 0 {
		return rates, nil
	}
	var multiply factors
	tier := t.tierNamed(c.tier)
	for i := range t.overrides {
		o := &t.overrides[i]
		if !o.holds(inputTokens, c, tier) {
			continue
		}
		if !o.rates.empty() {
			*scratch = o.rates.over(rates)
			rates = scratch
		}
		if multiply == nil {
			multiply = o.factors
		} else {
			multiply = append(slices.Clip(multiply), o.factors...)
		}
	}
	return rates, multiply
}

// scale is a rate with the factors in it.
func (f factors) scale(rate Rate) Rate {
	for i := range f {
		rate = rate.By(f[i].Factor)
	}
	return rate
}

// cost prices the usage of a call: a line for every quantity that is not zero, each rounded once. complete is false where
// a quantity has no rate, so that the total is short of it.
func (t *priceTable) cost(u *Usage, c *conditions) (lines []Line, total Money, complete bool) {
	var scratch rateTable
	rates, multiply := t.resolve(u.InputTokens(), c, &scratch)
	quantities := u.quantities()
	lines = make([]Line, 0, countPositive(&quantities)+len(u.Units))
	for place, quantity := range quantities {
		if quantity <= 0 || (place == atRequest && (!rates.has(atRequest) || u.variesRequests())) {
			continue
		}
		rate, ok := rates.find(place)
		lines = multiply.appendLine(lines, dimensions[place], feePlaces&(1<<place) != 0, quantity, rate, ok)
	}
	if len(u.Units) > 0 {
		lines = multiply.appendUnits(lines, u, rates)
	}
	total, complete = sumOf(lines)
	return lines, total, complete
}

// feePlaces are the places of dimensions that are fees.
const feePlaces = 1<<atWebSearch | 1<<atRequest

// appendLine prices one quantity; known says that there is a rate for it.
func (f factors) appendLine(lines []Line, d Dimension, fee bool, quantity int64, rate Rate, known bool) []Line {
	lines = append(lines, Line{}) // filled in where it lies: it is large
	line := &lines[len(lines)-1]
	line.Dimension, line.Quantity, line.Rate, line.Unpriced = d, quantity, rate, !known
	if known {
		if len(f) > 0 && !fee {
			line.Rate, line.Factors = f.scale(rate), f
		}
		line.Amount = line.Rate.Times(quantity)
	}
	return lines
}

// appendUnits adds the lines of what is charged by something else than tokens, in the order of their names. What is
// counted in several ways, as images by the piece and in tokens, is charged in those that have a rate.
func (f factors) appendUnits(lines []Line, u *Usage, rates *rateTable) []Line {
	var room [16]Dimension
	names := room[:0]
	for name, quantity := range u.Units {
		if quantity > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if name == DimensionCacheStorage && !rates.has(atCacheWrite) {
			continue // the tokens are charged as they were read
		}
		rate, ok := rates.findUnit(name)
		if ok || (name.base() != DimensionRequest && !rates.chargesOtherwise(name, u)) {
			lines = f.appendLine(lines, name, name.isFee(), u.Units[name], rate, ok)
		}
	}
	return lines
}

// chargesOtherwise says that what a dimension counts is in the usage in another way too, which has a rate.
func (t *rateTable) chargesOtherwise(d Dimension, u *Usage) bool {
	rated := func(quantity int64, place int) bool {
		_, ok := t.find(place)
		return quantity > 0 && ok
	}
	countedIn := func(other Dimension) bool {
		for name := range u.Units {
			if name.base() != other || u.Units[name] <= 0 {
				continue
			}
			if _, ok := t.findUnit(name); ok {
				return true
			}
		}
		return false
	}
	switch d.base() {
	case DimensionImage:
		return countedIn(DimensionPixel) || rated(u.ImageOutput, atImageOutput) || rated(u.Output, atOutput)
	case DimensionPixel:
		return countedIn(DimensionImage) || rated(u.ImageOutput, atImageOutput) || rated(u.Output, atOutput)
	case DimensionCharacter:
		return countedIn(DimensionAudioMS) || rated(u.AudioOutput, atAudioOutput) || rated(u.Input, atInput)
	case DimensionAudioMS:
		return countedIn(DimensionCharacter) || rated(u.AudioInput, atAudioInput) || rated(u.AudioOutput, atAudioOutput) || rated(u.Input, atInput)
	case DimensionVideoMS:
		return rated(u.VideoOutput, atVideoOutput) || rated(u.VideoInput, atVideoInput)
	}
	return false
}

// variesRequests says that the fee for a request is charged by a variant.
func (u *Usage) variesRequests() bool {
	for name, quantity := range u.Units {
		if quantity > 0 && name.base() == DimensionRequest {
			return true
		}
	}
	return false
}

// sumOf adds lines up; complete is false where one has no amount.
func sumOf(lines []Line) (total Money, complete bool) {
	complete = true
	for i := range lines {
		total = total.Add(lines[i].Amount)
		complete = complete && !lines[i].Unpriced
	}
	return total, complete
}

func countPositive(quantities *[dimensionCount]int64) int {
	n := 0
	for _, quantity := range quantities {
		if quantity > 0 {
			n++
		}
	}
	return n
}
