package farebox

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// priceTable is a Price made ready for pricing. It never changes once it is made.
type priceTable struct {
	from, to  int64 // unix seconds; to is 0 where the price has no end
	variable  bool
	levels    rateLevels
	overrides []override
	reach     reach // where there are overrides
	source    string
	asOf      time.Time
}

// rateLevels are rates by input length: the base rates, then each tier with the rates of those below filled in.
type rateLevels []rateLevel

type rateLevel struct {
	reachedAt int64 // input tokens from which the level applies
	rates     rateTable
}

// override is an Override made ready.
type override struct {
	reachedAt int64
	when      When // names in lower case, the service tier in its usual form
	rates     rateTable
	factors   []AppliedFactor // its multiplier; none where that is 1
}

// compile checks a price and lays it out.
func (p Price) compile() (priceTable, error) {
	t := priceTable{variable: p.Variable, source: p.Source, asOf: p.AsOf}
	if err := t.setDates(p.From, p.To); err != nil {
		return t, err
	}
	if p.Variable {
		if len(p.Rates) > 0 || len(p.Tiers) > 0 || len(p.Overrides) > 0 {
			return t, errors.New("a variable price takes its rates from the model that serves: remove Rates, Tiers and Overrides")
		}
		return t, nil
	}
	var base rateLevel
	if err := base.rates.fill(p.Rates); err != nil {
		return t, err
	}
	if base.rates.empty() {
		return t, fmt.Errorf("a price needs at least one rate; a model that is free has a rate of 0 for %s and %s",
			DimensionInput, DimensionOutput)
	}
	var err error
	if t.levels, err = base.withTiers(p.Tiers); err != nil {
		return t, err
	}
	if err = t.addOverrides(p.Overrides); err == nil && len(t.overrides) > 0 {
		t.reach = reachOf(&t)
	}
	return t, err
}

func (t *priceTable) setDates(from, to time.Time) error {
	if !from.IsZero() {
		t.from = from.Unix()
	}
	if !to.IsZero() {
		if t.to = to.Unix(); !to.After(from) {
			return fmt.Errorf("a price from %s to %s never holds", from.Format(time.DateOnly), to.Format(time.DateOnly))
		}
	}
	return nil
}

// holdsAt says whether a date, in unix seconds, is within the price's own.
func (t *priceTable) holdsAt(seconds int64) bool {
	return t.from <= seconds && (t.to == 0 || seconds < t.to)
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
		level := rateLevel{reachedAt: tier.reachedAt()}
		if err := level.rates.fill(tier.Rates); err != nil {
			return nil, fmt.Errorf("tier over %d input tokens: %w", tier.Over, err)
		}
		level.rates = level.rates.over(&below.rates)
		levels = append(levels, level)
	}
	return levels, nil
}

func (tier Tier) reachedAt() int64 {
	if tier.Inclusive {
		return tier.Over
	}
	return tier.Over + 1
}

// addOverrides lays overrides out, in their order.
func (t *priceTable) addOverrides(overrides []Override) error {
	if len(overrides) == 0 {
		return nil
	}
	t.overrides = make([]override, len(overrides))
	for i := range overrides {
		if err := t.overrides[i].compile(&overrides[i]); err != nil {
			return fmt.Errorf("override %d (%s): %w", i+1, overrides[i].When.name(), err)
		}
	}
	return nil
}

func (o *override) compile(from *Override) error {
	if err := from.When.check(); err != nil {
		return err
	}
	o.when = from.When
	if o.when.ServiceTier != "" {
		o.when.ServiceTier = usualTier(o.when.ServiceTier)
	}
	o.reachedAt = o.when.reachedAt()
	if !from.Multiplier.IsOne() {
		o.factors = []AppliedFactor{{Name: cmp.Or(from.Name, from.When.name()), Factor: from.Multiplier}}
	}
	if len(from.Rates) == 0 && o.factors == nil {
		return errors.New("it changes nothing: give it Rates or a Multiplier other than 1")
	}
	return o.rates.fill(from.Rates)
}

// usualTier is a service tier under the name that prices know it by.
func usualTier(name string) string {
	switch name = strings.ToLower(name); name {
	case "", "default", "auto", "on_demand", "standard_only":
		return "standard"
	case "on_demand_flex":
		return "flex"
	case "on_demand_priority":
		return "priority"
	case "batches":
		return "batch"
	}
	return name
}

// tierNamed is the service tier of an answer, under the name that this price knows it by. "fast" is another name of the
// priority tier (OpenRouter's API description, 2026-11), unless the price has both.
func (t *priceTable) tierNamed(name string) string {
	tier := usualTier(name)
	if tier == "fast" && !t.hasTier(tier) && t.hasTier("priority") {
		return "priority"
	}
	return tier
}

// hasTier says whether the price has anything to say on a service tier, by its usual name.
func (t *priceTable) hasTier(tier string) bool {
	return slices.ContainsFunc(t.overrides, func(o override) bool { return o.when.ServiceTier == tier })
}

// pricesTier says whether the price has rates or a multiplier for the service tier of an answer; the standard tier is
// what its other rates are for.
func (t *priceTable) pricesTier(name string) bool {
	tier := t.tierNamed(name)
	return tier == "standard" || t.hasTier(tier)
}

// holds says whether the conditions of the override are met; tier is the service tier under its usual name.
func (o *override) holds(inputTokens int64, c *conditions, tier string) bool {
	w := &o.when
	return inputTokens >= o.reachedAt &&
		(w.ServiceTier == "" || w.ServiceTier == tier) &&
		(w.Region == "" || w.inRegion(c.region)) &&
		(w.Speed == "" || strings.EqualFold(w.Speed, c.speed)) &&
		(w.Upstream == "" || strings.EqualFold(w.Upstream, c.upstream)) &&
		w.includes(c.at)
}

// regional stands for every region but the global one: Vertex charges the same for each of them.
const regional = "regional"

// inRegion says whether a region is the one of the conditions, or one of those that it stands for.
func (w *When) inRegion(served string) bool {
	if strings.EqualFold(w.Region, regional) {
		return served != "" && !strings.EqualFold(served, "global")
	}
	return strings.EqualFold(w.Region, served)
}

// includes says whether a time is within the hours and on one of the days.
func (w *When) includes(at time.Time) bool {
	if w.Days == 0 && w.Start == w.End {
		return true
	}
	at = at.UTC()
	if !w.Days.Has(at.Weekday()) {
		return false
	}
	if w.Start == w.End {
		return true
	}
	hour, minute, second := at.Clock()
	clock := TimeOfDay(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second +
		time.Duration(at.Nanosecond()))
	if w.Start < w.End {
		return w.Start <= clock && clock < w.End
	}
	return clock >= w.Start || clock < w.End // around midnight
}

// level returns the rates that a request with so many input tokens is billed at.
func (levels rateLevels) level(inputTokens int64) *rateTable {
	for i := len(levels) - 1; i > 0; i-- {
		if inputTokens >= levels[i].reachedAt {
			return &levels[i].rates
		}
	}
	return &levels[0].rates
}
