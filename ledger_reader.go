package farebox

import (
	"context"
	"iter"
)

// LedgerReader answers who spent what, out of receipts and what was learned about them later, wherever they are kept: a [Ledger]
// in memory, a [LedgerFile], the Ledger of store/sql. Package ledgertest holds one against what is said here. Methods may be
// called by several goroutines at once, and while receipts come.
type LedgerReader interface {
	// Spend adds up receipts and adjustments by the groups that a query names, dearest first. Where it names none, the one
	// total of all is there even if no receipt is. Its error is that of a query that is not understood, or of what the
	// receipts are kept in.
	Spend(ctx context.Context, query SpendQuery) ([]Spend, error)
	// Records iterates over the receipts that a filter selects, with their adjustments, in the order in which they were
	// recorded. It ends at the first error.
	Records(ctx context.Context, filter Filter) iter.Seq2[Record, error]
	// Call is the records of one call's attempts, by the call's id or a receipt's; none where there is no such call.
	Call(ctx context.Context, id string) ([]Record, error)
}

// Record is a receipt with what was learned about it later.
type Record struct {
	Receipt     Receipt      `json:"receipt"`
	Adjustments []Adjustment `json:"adjustments,omitempty"` // in the order in which they came
}

// Cost is what the attempt cost by all that is known: the receipt's, with the adjustments.
func (r *Record) Cost() Money {
	sum := r.Receipt.Cost
	for i := range r.Adjustments {
		sum = sum.Add(r.Adjustments[i].Amount)
	}
	return sum
}

// Usage is what the attempt consumed: what was learned last, else what its receipt says.
func (r *Record) Usage() Usage {
	if learned := r.learnedUsage(); learned != nil {
		return *learned
	}
	return r.Receipt.Usage
}

func (r *Record) learnedUsage() *Usage {
	for i := len(r.Adjustments) - 1; i >= 0; i-- {
		if r.Adjustments[i].Usage != nil {
			return r.Adjustments[i].Usage
		}
	}
	return nil
}

var (
	_ LedgerReader = (*Ledger)(nil)
	_ LedgerReader = (*LedgerFile)(nil)
)

// Spend implements [LedgerReader] over the receipts that the ledger keeps.
func (l *Ledger) Spend(ctx context.Context, query SpendQuery) ([]Spend, error) {
	summary, err := NewSummary(query)
	if err != nil {
		return nil, err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	l.each(func(r *Receipt) { summary.Add(r, l.adjusted[r.ID]) })
	return summary.Spend(), ctx.Err()
}

// Records implements [LedgerReader]; the receipts are those of the moment at which the iteration starts.
func (l *Ledger) Records(ctx context.Context, filter Filter) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for _, record := range l.records(filter.match) {
			if ctx.Err() != nil {
				yield(Record{}, ctx.Err())
				return
			}
			if !yield(record, nil) {
				return
			}
		}
	}
}

// Call implements [LedgerReader].
func (l *Ledger) Call(ctx context.Context, id string) ([]Record, error) {
	call := id
	for _, record := range l.records(func(r *Receipt) bool { return id != "" && r.ID == id }) {
		call = record.Receipt.CallID
	}
	return l.records(func(r *Receipt) bool { return call != "" && r.CallID == call }), ctx.Err()
}

// records are the receipts that are wanted, with their adjustments.
func (l *Ledger) records(want func(*Receipt) bool) []Record {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var records []Record
	places := make(map[string]int)
	l.each(func(r *Receipt) {
		if want(r) {
			if _, adjusted := l.adjusted[r.ID]; adjusted {
				places[r.ID] = len(records)
			}
			records = append(records, Record{Receipt: *r})
		}
	})
	if len(places) == 0 {
		return records
	}
	for _, a := range l.adjustments {
		if place, ok := places[a.ReceiptID]; ok {
			records[place].Adjustments = append(records[place].Adjustments, a)
		}
	}
	return records
}
