package farebox

import (
	"cmp"
	"slices"
)

// Summary adds receipts up by group as they come, without keeping them: for ledgers that are read from a file. Make one with
// [NewSummary]. Not safe for concurrent use.
type Summary struct {
	filter Filter
	by     Grouping
	totals map[string]*Total
	open   map[string]*Total // of receipts whose cost may still be adjusted, by id
}

// NewSummary makes a Summary of the receipts that a filter selects.
func NewSummary(filter Filter, by Grouping) *Summary {
	return &Summary{filter: filter, by: by, totals: make(map[string]*Total), open: make(map[string]*Total)}
}

// Add adds a receipt, if the filter selects it.
func (s *Summary) Add(r *Receipt) {
	if !s.filter.match(r) {
		return
	}
	group := s.by(r)
	total := s.totals[group]
	if total == nil {
		total = &Total{}
		s.totals[group] = total
	}
	total.add(r, Money{})
	if !r.Settled() {
		s.open[r.ID] = total
	}
}

// Adjust adds what was learned later about the cost of a receipt that was added.
func (s *Summary) Adjust(a *Adjustment) {
	if total := s.open[a.ReceiptID]; total != nil {
		total.Cost = total.Cost.Add(a.Amount)
	}
}

// Totals are the groups, dearest first.
func (s *Summary) Totals() []GroupTotal {
	totals := make([]GroupTotal, 0, len(s.totals))
	for group, total := range s.totals {
		totals = append(totals, GroupTotal{Group: group, Total: *total})
	}
	slices.SortFunc(totals, func(a, b GroupTotal) int {
		return cmp.Or(b.Cost.Cmp(a.Cost), cmp.Compare(a.Group, b.Group))
	})
	return totals
}

// Match says whether the filter selects a receipt.
func (f Filter) Match(r *Receipt) bool { return f.match(r) }
