package farebox

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// PriceDifference is a rate on which a price list and a catalog do not agree.
type PriceDifference struct {
	Provider  string    `json:"provider"`
	Model     string    `json:"model"`
	Dimension Dimension `json:"dimension"`
	When      When      `json:"when,omitzero"` // of a rate that holds under conditions

	Known       Rate   `json:"known"` // in the catalog
	KnownSource string `json:"known_source"`
	Listed      Rate   `json:"listed"`
	ListSource  string `json:"list_source"`
}

// Differences lists where a price list and the catalog differ by more than a share of the larger of two rates: 1 means 1 %,
// 0 every difference. It compares the rates that both have, at the prices that hold at the list's date; a model, a dimension or
// a condition that only one of them has is no difference. Sorted by provider, model and dimension.
func (c *Catalog) Differences(list *PriceList, percent int64) []PriceDifference {
	var all []PriceDifference
	for i := range list.Models {
		m := &list.Models[i]
		known := c.load().exact(m.Provider, m.Name) // not what the name would be found as: a dated name may cost something else
		if known == nil {
			continue
		}
		ours, theirs := priceAt(known.Prices, list), priceAt(m.Prices, list)
		if ours == nil || theirs == nil || ours.Variable || theirs.Variable {
			continue
		}
		d := PriceDifference{Provider: m.Provider, Model: m.Name, KnownSource: ours.Source, ListSource: list.Source}
		all = d.compare(all, When{}, ours.Rates, theirs.Rates, percent)
		listed := theirs.conditional()
		for when, rates := range ours.conditional() {
			all = d.compare(all, when, rates, listed[when], percent)
		}
	}
	slices.SortFunc(all, func(a, b PriceDifference) int {
		return cmp.Or(strings.Compare(a.Provider, b.Provider), strings.Compare(a.Model, b.Model),
			strings.Compare(a.When.name(), b.When.name()), cmp.Compare(a.Dimension, b.Dimension))
	})
	return all
}

// priceAt is the price that holds at a list's date; nil where none does yet.
func priceAt(prices []Price, list *PriceList) *Price {
	var found *Price
	for i := range prices {
		if !prices[i].From.After(list.AsOf) && (found == nil || prices[i].From.After(found.From)) {
			found = &prices[i]
		}
	}
	return found
}

// conditional lays out the rates that hold under conditions.
func (p *Price) conditional() map[When]Rates {
	under := make(map[When]Rates, len(p.Tiers)+len(p.Overrides))
	for _, t := range p.Tiers {
		under[When{InputOver: t.Over, Inclusive: t.Inclusive}] = t.Rates
	}
	for _, o := range p.Overrides {
		if o.When.Upstream == "" && len(o.Rates) > 0 {
			under[o.When] = o.Rates
		}
	}
	return under
}

func (d PriceDifference) compare(all []PriceDifference, when When, ours, theirs Rates, percent int64) []PriceDifference {
	for _, dimension := range slices.Sorted(maps.Keys(ours)) {
		known := ours[dimension]
		listed, ok := theirs[dimension]
		if !ok || !apart(known, listed, percent) {
			continue
		}
		d.When, d.Dimension, d.Known, d.Listed = when, dimension, known, listed
		all = append(all, d)
	}
	return all
}

// apart says whether two rates differ by more than so many percent of the larger.
func apart(a, b Rate, percent int64) bool {
	low, high := a, b
	if low.Cmp(high) > 0 {
		low, high = high, low
	}
	return low.Cmp(high.Scale(100-min(max(percent, 0), 100), 100)) < 0
}
