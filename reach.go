package farebox

import (
	"iter"
	"slices"
	"strings"
	"time"
)

// reach lists the values of each condition that overrides of a price speak of, with one for which none of them does: to
// try every combination is to try every price that there is.
type reach struct {
	inputs    []int64     // numbers of input tokens from which something changes
	moments   []time.Time // one for every set of hours and days
	upstreams []string
	regions   []string
	speeds    []string
}

// reachOf collects what a price's tiers and overrides speak of.
func reachOf(t *priceTable) reach {
	r := reach{inputs: []int64{0}, upstreams: []string{""}, regions: []string{""}, speeds: []string{""}}
	for i := range t.levels {
		r.inputs = appendNew(r.inputs, t.levels[i].reachedAt)
	}
	clocks, days := []TimeOfDay{0}, false
	for i := range t.overrides {
		w := &t.overrides[i].when
		r.inputs = appendNew(r.inputs, t.overrides[i].reachedAt)
		r.upstreams = appendNew(r.upstreams, strings.ToLower(w.Upstream))
		r.regions = appendNew(r.regions, strings.ToLower(w.Region))
		r.speeds = appendNew(r.speeds, strings.ToLower(w.Speed))
		if w.Start != w.End {
			clocks = appendNew(appendNew(clocks, w.Start), w.End)
		}
		days = days || w.Days != 0
	}
	r.moments = momentsOf(t.overrides, clocks, days)
	return r
}

func appendNew[T comparable](list []T, value T) []T {
	if slices.Contains(list, value) {
		return list
	}
	return append(list, value)
}

// momentsOf picks a moment for every set of overrides that may hold by the clock and the calendar.
func momentsOf(overrides []override, clocks []TimeOfDay, days bool) []time.Time {
	var moments []time.Time
	var seen []string
	sunday := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)
	for day := range 7 {
		if day > 0 && !days {
			break
		}
		for _, clock := range clocks {
			moment := sunday.AddDate(0, 0, day).Add(time.Duration(clock))
			holding := make([]byte, len(overrides))
			for i := range overrides {
				if overrides[i].when.includes(moment) {
					holding[i] = 1
				}
			}
			if key := string(holding); !slices.Contains(seen, key) {
				seen, moments = append(seen, key), append(moments, moment)
			}
		}
	}
	return moments
}

// reached is a set of conditions that a request can meet.
type reached struct {
	conditions
	inputs int64
}

// reachable goes through the conditions that a request of an extent can meet.
func (t *priceTable) reachable(e *extent) iter.Seq[*reached] {
	return func(yield func(*reached) bool) {
		var at reached
		tiers := [...]string{"", e.asked.tier}
		for _, at.tier = range tiers[:distinct(e.asked.tier)] {
			for _, at.upstream = range t.reach.upstreams {
				if !eligible(e.routing, at.upstream, t.reach.upstreams) {
					continue
				}
				for _, at.region = range t.reach.regions {
					for _, at.speed = range t.reach.speeds {
						if at.speed != "" && !strings.EqualFold(at.speed, e.asked.speed) {
							continue
						}
						if !t.reach.each(&at, e.mostInputs, yield) {
							return
						}
					}
				}
			}
		}
	}
}

// each goes through the times and the lengths of the input.
func (r *reach) each(at *reached, mostInputs int64, yield func(*reached) bool) bool {
	for _, at.at = range r.moments {
		for _, at.inputs = range r.inputs {
			if (at.inputs == 0 || at.inputs <= mostInputs) && !yield(at) {
				return false
			}
		}
	}
	return true
}

// distinct is how many service tiers to try: the standard one, and the one asked for where it is another.
func distinct(tier string) int {
	if usualTier(tier) == "standard" {
		return 1
	}
	return 2
}
