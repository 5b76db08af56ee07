package farebox

import (
	"fmt"
	"maps"
	"strings"
)

// rateTable is Rates laid out by place, so that pricing tokens looks nothing up.
type rateTable struct {
	rate  [dimensionCount]Rate
	set   uint32
	units map[Dimension]Rate // those without a place; shared, never changed
}

func (t *rateTable) put(place int, r Rate) { t.rate[place], t.set = r, t.set|1<<place }

func (t *rateTable) has(place int) bool { return t.set&(1<<place) != 0 }

func (t *rateTable) empty() bool { return t.set == 0 && len(t.units) == 0 }

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

// findUnit returns the rate of a dimension without a place, or that of the name before its last slash.
func (t *rateTable) findUnit(d Dimension) (Rate, bool) {
	for {
		if rate, ok := t.units[d]; ok {
			return rate, true
		}
		if place, ok := dimensionPlace(d); ok {
			return t.find(place)
		}
		cut := strings.LastIndexByte(string(d), '/')
		if cut < 0 {
			return Rate{}, false
		}
		d = d[:cut]
	}
}

// fill lays rates out over those that are there.
func (t *rateTable) fill(rates Rates) error {
	for dimension, rate := range rates {
		if place, ok := dimensionPlace(dimension); ok {
			t.put(place, rate)
			continue
		}
		if !dimension.open() {
			return fmt.Errorf("%q is not a dimension that farebox prices; the names are %v, then %v with variants after a slash, and unit/ before a name of your own",
				dimension, dimensions, openDimensions)
		}
		if t.units == nil {
			t.units = make(map[Dimension]Rate, len(rates))
		}
		t.units[dimension] = rate
	}
	return nil
}

// over returns the table with another one's rates put over it.
func (t *rateTable) over(below *rateTable) rateTable {
	merged := *below
	for place := range t.rate {
		if t.has(place) {
			merged.put(place, t.rate[place])
		}
	}
	switch {
	case len(below.units) == 0:
		merged.units = t.units
	case len(t.units) > 0:
		merged.units = maps.Clone(below.units)
		maps.Copy(merged.units, t.units)
	}
	return merged
}
