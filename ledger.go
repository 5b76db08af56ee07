package farebox

import (
	"cmp"
	"iter"
	"slices"
	"sync"
	"time"
)

// DefaultLedgerSize is the number of receipts that a [Ledger] keeps unless told otherwise.
const DefaultLedgerSize = 100_000

// Ledger keeps receipts and adjustments in memory and adds them up. It holds the newest receipts up to its size; the
// grand total covers those that it has let go too. For every receipt ever made, add a [Sink]. Safe for concurrent use;
// the zero value keeps [DefaultLedgerSize] receipts.
type Ledger struct {
	mu          sync.RWMutex
	size        int
	receipts    receiptRing
	adjustments []Adjustment
	adjusted    map[string]Money // receipt id -> sum of its adjustments
	total       Total
}

// Total is what a set of receipts adds up to.
type Total struct {
	// Attempts is the number of receipts; Unpriced of them have a cost that is not known, and Unsettled one that is
	// estimated or held at its most.
	Attempts  int64 `json:"attempts"`
	Unpriced  int64 `json:"unpriced,omitzero"`
	Unsettled int64 `json:"unsettled,omitzero"`
	// Cost is the sum of costs and of adjustments to them.
	Cost Money `json:"cost"`
	// InputTokens and OutputTokens are of every kind.
	InputTokens  int64 `json:"input_tokens"`
	OutputTokens int64 `json:"output_tokens"`
}

func (t *Total) add(r *Receipt, adjustment Money) {
	t.Attempts++
	switch r.Source {
	case Unpriced:
		t.Unpriced++
	case Estimated, Held:
		t.Unsettled++
	}
	t.Cost = t.Cost.Add(r.Cost).Add(adjustment)
	t.InputTokens += r.Usage.InputTokens()
	t.OutputTokens += r.Usage.OutputTokens()
}

// Filter selects receipts. The zero value selects all of them.
type Filter struct {
	From, To time.Time // by the attempt's start; To is exclusive; zero: no bound
	Endpoint string
	KeyLabel string
	Model    string // the model that served, or where none did, the one asked for
	Tags     Tags   // all of them must match
}

func (f *Filter) match(r *Receipt) bool {
	switch {
	case !f.From.IsZero() && r.Start.Before(f.From),
		!f.To.IsZero() && !r.Start.Before(f.To),
		f.Endpoint != "" && f.Endpoint != r.Endpoint,
		f.KeyLabel != "" && f.KeyLabel != r.KeyLabel,
		f.Model != "" && f.Model != modelOf(r):
		return false
	}
	return f.Tags.match(r.Tags)
}

// match says whether every tag of t stands in other too.
func (t Tags) match(other Tags) bool {
	for name, value := range t {
		if got, ok := other[name]; !ok || got != value {
			return false
		}
	}
	return true
}

func modelOf(r *Receipt) string { return cmp.Or(r.Model, r.ModelAsked) }

// capacity is the number of receipts that the ledger keeps.
func (l *Ledger) capacity() int { return cmp.Or(l.size, DefaultLedgerSize) }

// Append adds a receipt. A Meter does this by itself.
func (l *Ledger) Append(r Receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total.add(&r, Money{})
	l.size = l.capacity()
	if l.receipts.n < l.size {
		l.receipts.push(&r)
		return
	}
	oldest := l.receipts.at(0)
	delete(l.adjusted, oldest.ID)
	*oldest = r
	l.receipts.turn()
}

// Adjust adds what was learned later about a receipt's cost.
func (l *Ledger) Adjust(a Adjustment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.adjusted == nil {
		l.adjusted = make(map[string]Money)
	}
	l.adjustments = append(l.adjustments, a)
	if len(l.adjustments) > 2*DefaultLedgerSize { // dropped in halves, so that each moves once
		l.adjustments = slices.Clone(l.adjustments[DefaultLedgerSize:])
	}
	l.adjusted[a.ReceiptID] = l.adjusted[a.ReceiptID].Add(a.Amount)
	l.total.Cost = l.total.Cost.Add(a.Amount)
}

// corrected is what a receipt's cost was corrected to; nil: it was not.
func (l *Ledger) corrected(r *Receipt) *Money {
	l.mu.RLock()
	defer l.mu.RUnlock()
	adjusted, ok := l.adjusted[r.ID]
	if !ok {
		return nil
	}
	cost := r.Cost.Add(adjusted)
	return &cost
}

// Total adds up everything that was ever appended, receipts that are no longer kept included.
func (l *Ledger) Total() Total {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.total
}

// Receipts iterates over the receipts that a filter selects, oldest first, as they stand when the iteration starts.
func (l *Ledger) Receipts(filter Filter) iter.Seq[Receipt] {
	return func(yield func(Receipt) bool) {
		for _, r := range l.selected(filter) {
			if !yield(r) {
				return
			}
		}
	}
}

// Adjustments returns the newest adjustments, at least [DefaultLedgerSize] of them, in the order in which they came.
func (l *Ledger) Adjustments() []Adjustment {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Clone(l.adjustments)
}

func (l *Ledger) selected(filter Filter) []Receipt {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var selected []Receipt
	l.each(func(r *Receipt) {
		if filter.match(r) {
			selected = append(selected, *r)
		}
	})
	return selected
}

// each calls f for every receipt kept, oldest first; mu is held.
func (l *Ledger) each(f func(*Receipt)) {
	for i := range l.receipts.n {
		f(l.receipts.at(i))
	}
}

// receiptRing keeps receipts in pages, so that growing moves none of them.
type receiptRing struct {
	pages  []*[receiptsPerPage]Receipt
	n      int
	oldest int // place of the oldest, once the ring turns
}

const receiptsPerPage = 64

// push adds a receipt to a ring that does not turn yet.
func (r *receiptRing) push(receipt *Receipt) {
	if r.n == len(r.pages)*receiptsPerPage {
		r.pages = append(r.pages, new([receiptsPerPage]Receipt))
	}
	r.n++
	*r.at(r.n - 1) = *receipt
}

// at is the i-th oldest receipt.
func (r *receiptRing) at(i int) *Receipt {
	if i += r.oldest; i >= r.n {
		i -= r.n
	}
	return &r.pages[i/receiptsPerPage][i%receiptsPerPage]
}

// turn makes the oldest receipt the newest.
func (r *receiptRing) turn() {
	if r.oldest++; r.oldest == r.n {
		r.oldest = 0
	}
}

// Grouping names what to total receipts by.
type Grouping func(*Receipt) string

// The groupings that need no argument.
var (
	ByModel    Grouping = modelOf
	ByEndpoint Grouping = func(r *Receipt) string { return r.Endpoint }
	ByKey      Grouping = func(r *Receipt) string { return r.KeyLabel }
)

// ByTag groups by the value of a tag; receipts without it stand under "".
func ByTag(name string) Grouping { return func(r *Receipt) string { return r.Tags[name] } }

// ByDay groups by the day of the attempt's start in a time zone, as "2026-11-24"; nil is UTC.
func ByDay(zone *time.Location) Grouping {
	if zone == nil {
		zone = time.UTC
	}
	return func(r *Receipt) string { return r.Start.In(zone).Format(time.DateOnly) }
}

// GroupTotal is the total of one group.
type GroupTotal struct {
	Group string `json:"group"`
	Total
}

// Totals adds up the receipts that a filter selects, by group, dearest first.
func (l *Ledger) Totals(filter Filter, by Grouping) []GroupTotal {
	l.mu.RLock()
	defer l.mu.RUnlock()
	places := map[string]int{}
	var totals []GroupTotal
	l.each(func(r *Receipt) {
		if !filter.match(r) {
			return
		}
		group := by(r)
		place, ok := places[group]
		if !ok {
			place = len(totals)
			places[group] = place
			totals = append(totals, GroupTotal{Group: group})
		}
		totals[place].add(r, l.adjusted[r.ID])
	})
	slices.SortFunc(totals, func(a, b GroupTotal) int {
		return cmp.Or(b.Cost.Cmp(a.Cost), cmp.Compare(a.Group, b.Group))
	})
	return totals
}
