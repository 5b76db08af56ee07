package farebox

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Rates is what each dimension costs, in US dollars per unit. A dimension that is absent has no rate of its own,
// which is not the same as a rate of zero: cached, cache-write, audio, image and video input then cost what plain
// input costs, reasoning, audio and image output what plain output costs, and a request fee is not charged.
type Rates map[Dimension]Rate

// A Tier replaces rates for a whole request once its input, cached tokens included, is long enough. A dimension
// that a tier does not name keeps the rate of the tier below.
type Tier struct {
	// Over is the number of input tokens above which the tier applies.
	Over int64 `json:"over"`
	// Inclusive says that the tier applies at exactly Over tokens too (xAI: "reaches").
	Inclusive bool `json:"inclusive,omitzero"`
	// Rates replace those of the price.
	Rates Rates `json:"rates"`
}

// Hours replaces rates every day from Start until before End, both counted from midnight UTC; it wraps around midnight
// where End is not after Start. A dimension that it does not name keeps its rate.
type Hours struct {
	Start time.Duration `json:"start"`
	End   time.Duration `json:"end"`
	Rates Rates         `json:"rates"`
}

// A Price is a set of rates with the conditions under which they hold.
type Price struct {
	// Rates are the base rates.
	Rates Rates `json:"rates"`
	// Tiers replace rates by input length; in any order.
	Tiers []Tier `json:"tiers,omitempty"`
	// Hours replace rates by the time of day at which a call starts; of those that hold, the last one in the list.
	Hours []Hours `json:"hours,omitempty"`
	// From is when the price took effect; zero: always.
	From time.Time `json:"from,omitzero"`
	// Source says where the price was found, for receipts.
	Source string `json:"source,omitzero"`
	// AsOf is when the source said so.
	AsOf time.Time `json:"as_of,omitzero"`
	// Variable says that the price is that of whatever model serves: a router such as openrouter/auto.
	// It has no rates and cannot be bounded before the call.
	Variable bool `json:"variable,omitzero"`
}

// Line is one cost line of a receipt: a quantity of one dimension at its rate.
type Line struct {
	Dimension Dimension `json:"dimension"`
	Quantity  int64     `json:"quantity"`
	Rate      Rate      `json:"rate"`
	Amount    Money     `json:"amount"`
	// Unpriced says that the price has no rate for this dimension: the amount is unknown, not zero.
	Unpriced bool `json:"unpriced,omitzero"`
}

// rateTable is Rates laid out by place, so that pricing a call looks nothing up.
type rateTable struct {
	rate [dimensionCount]Rate
	set  uint32
}

func (t *rateTable) put(place int, r Rate) { t.rate[place], t.set = r, t.set|1<<place }

func (t *rateTable) has(place int) bool { return t.set&(1<<place) != 0 }

// insteadOf names the dimension whose rate applies where one has none of its own. Searches, citations and
// requests have no stand-in; -1 says so.
var insteadOf = [dimensionCount]int{
	atInput: -1, atCacheRead: atInput, atCacheWrite: atInput, atCacheWrite1h: atCacheWrite,
	atAudioInput: atInput, atAudioCacheRead: atAudioInput, atImageInput: atInput, atImageCacheRead: atImageInput, atVideoInput: atInput,
	atOutput: -1, atReasoning: atOutput, atAudioOutput: atOutput, atImageOutput: atOutput, atVideoOutput: atOutput,
	atCitation: -1, atWebSearch: -1, atRequest: -1,
}

// find returns the rate for a place, or that of the dimension that stands in for it.
func (t *rateTable) find(place int) (Rate, bool) {
	for ; place >= 0; place = insteadOf[place] {
		if t.has(place) {
			return t.rate[place], true
		}
	}
	return Rate{}, false
}

// priceTable is a Price made ready for pricing.
type priceTable struct {
	from     int64 // unix seconds
	variable bool
	levels   rateLevels
	hours    []hourLevels
	source   string
	asOf     time.Time
}

// rateLevels are rates by input length: the base rates, then each tier with the rates of those below filled in.
type rateLevels []rateLevel

type rateLevel struct {
	reachedAt int64 // input tokens from which the level applies
	rates     rateTable
}

// hourLevels are the levels at certain times of the day.
type hourLevels struct {
	start, end time.Duration
	levels     rateLevels
}

// compile checks a price and lays it out.
func (p Price) compile() (priceTable, error) {
	t := priceTable{variable: p.Variable, source: p.Source, asOf: p.AsOf}
	if !p.From.IsZero() {
		t.from = p.From.Unix()
	}
	if p.Variable {
		if len(p.Rates) > 0 || len(p.Tiers) > 0 || len(p.Hours) > 0 {
			return t, fmt.Errorf("a variable price takes its rates from the model that serves: remove Rates, Tiers and Hours")
		}
		return t, nil
	}
	var base rateLevel
	if err := base.rates.fill(p.Rates); err != nil {
		return t, err
	}
	if base.rates.set == 0 {
		return t, fmt.Errorf("a price needs at least one rate; a model that is free has a rate of 0 for %s and %s",
			DimensionInput, DimensionOutput)
	}
	var err error
	if t.levels, err = base.withTiers(p.Tiers); err != nil {
		return t, err
	}
	return t, t.addHours(p.Hours)
}

// withTiers puts tiers on top of the base rates.
func (base rateLevel) withTiers(tiers []Tier) (rateLevels, error) {
	levels := append(make(rateLevels, 0, 1+len(tiers)), base)
	tiers = slices.SortedFunc(slices.Values(tiers), func(a, b Tier) int { return cmp.Compare(a.reachedAt(), b.reachedAt()) })
	for _, tier := range tiers {
		below := &levels[len(levels)-1]
		if tier.Over < 0 || tier.reachedAt() <= below.reachedAt {
			return nil, fmt.Errorf("tier over %d input tokens: thresholds must be positive and differ", tier.Over)
		}
		level := rateLevel{reachedAt: tier.reachedAt(), rates: below.rates}
		if err := level.rates.fill(tier.Rates); err != nil {
			return nil, fmt.Errorf("tier over %d input tokens: %w", tier.Over, err)
		}
		levels = append(levels, level)
	}
	return levels, nil
}

// addHours makes the levels of each time of the day: those of the whole day with some rates replaced.
func (t *priceTable) addHours(hours []Hours) error {
	const day = 24 * time.Hour
	for _, h := range hours {
		if h.Start < 0 || h.Start >= day || h.End < 0 || h.End > day {
			return fmt.Errorf("hours from %s to %s: want times of a day, counted from midnight UTC", h.Start, h.End)
		}
		levels := slices.Clone(t.levels)
		for i := range levels {
			if err := levels[i].rates.fill(h.Rates); err != nil {
				return fmt.Errorf("hours from %s to %s: %w", h.Start, h.End, err)
			}
		}
		t.hours = append(t.hours, hourLevels{start: h.Start, end: h.End, levels: levels})
	}
	return nil
}

func (tier Tier) reachedAt() int64 {
	if tier.Inclusive {
		return tier.Over
	}
	return tier.Over + 1
}

func (t *rateTable) fill(rates Rates) error {
	for dimension, rate := range rates {
		place, ok := dimensionPlace(dimension)
		if !ok {
			return fmt.Errorf("%q is not a dimension that farebox prices; the names are %v", dimension, dimensions)
		}
		t.put(place, rate)
	}
	return nil
}

// at returns the levels that hold at a time.
func (t *priceTable) at(when time.Time) rateLevels {
	if len(t.hours) == 0 {
		return t.levels
	}
	when = when.UTC()
	sinceMidnight := time.Duration(when.Hour())*time.Hour + time.Duration(when.Minute())*time.Minute +
		time.Duration(when.Second())*time.Second + time.Duration(when.Nanosecond())
	for i := len(t.hours) - 1; i >= 0; i-- {
		if t.hours[i].holds(sinceMidnight) {
			return t.hours[i].levels
		}
	}
	return t.levels
}

func (h *hourLevels) holds(at time.Duration) bool {
	if h.start < h.end {
		return h.start <= at && at < h.end
	}
	return at >= h.start || at < h.end // around midnight; the same start and end is all day
}

// level returns the rates that a request with so many input tokens is billed at: a tier is a cliff for the
// whole request at every provider in use.
func (levels rateLevels) level(inputTokens int64) *rateTable {
	for i := len(levels) - 1; i > 0; i-- {
		if inputTokens >= levels[i].reachedAt {
			return &levels[i].rates
		}
	}
	return &levels[0].rates
}

// cost prices the usage of a call that started at a time: a line for every quantity that is not zero, each rounded
// once. complete is false where a quantity has no rate, so that the total is short of it.
func (t *priceTable) cost(u *Usage, when time.Time) (lines []Line, total Money, complete bool) {
	rates := t.at(when).level(u.InputTokens())
	quantities := u.quantities()
	lines = make([]Line, 0, 4)
	complete = true
	for place, quantity := range quantities {
		if quantity <= 0 || (place == atRequest && !rates.has(atRequest)) {
			continue
		}
		line := Line{Dimension: dimensions[place], Quantity: quantity}
		if rate, ok := rates.find(place); ok {
			line.Rate = rate
			line.Amount = rate.Times(quantity)
			total = total.Add(line.Amount)
		} else {
			line.Unpriced = true
			complete = false
		}
		lines = append(lines, line)
	}
	return lines, total, complete
}
