package farebox

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"time"
)

// Repriced is what an attempt costs by another price list, or by that of another day.
type Repriced struct {
	// Receipt is the attempt's, unchanged: its Cost is what was taken to have been spent, its Computed and Price what the
	// catalog of its day said.
	Receipt Receipt
	// Computation is what its usage costs now. Zero where Unpriced says why.
	Computation Computation
	// Unpriced says why there is no figure; empty: there is one.
	Unpriced string
}

// Change is what the attempt costs more by the new figure than by the catalog of its day; less than 0 is less.
func (r *Repriced) Change() Money { return r.Computation.Total.Sub(r.Receipt.Computed) }

// Reprice prices attempts again, one after the other as they are read off: at the prices of the day asOf or, where that is
// zero, of each attempt's own day. What the price depends on besides (the hour at which the call started, the tier and the
// provider that served, the terms of the endpoint) stays as it was. Ledgers and logs of receipts are left alone.
//
//	for r := range catalog.Reprice(meter.Ledger().Receipts(farebox.Filter{}), time.Time{}) { … }
func (c *Catalog) Reprice(receipts iter.Seq[Receipt], asOf time.Time) iter.Seq[Repriced] {
	return func(yield func(Repriced) bool) {
		for r := range receipts {
			if !yield(c.reprice(r, asOf)) {
				return
			}
		}
	}
}

// RepriceLedger is [Catalog.Reprice] for the receipts of a ledger that a filter selects, at the usage that was learned last. It
// ends at the first error, which is the ledger's.
func (c *Catalog) RepriceLedger(ctx context.Context, ledger LedgerReader, filter Filter, asOf time.Time) iter.Seq2[Repriced, error] {
	return func(yield func(Repriced, error) bool) {
		for record, err := range ledger.Records(ctx, filter) {
			if err != nil {
				yield(Repriced{}, err)
				return
			}
			if !yield(c.repriceRecord(&record, asOf), nil) {
				return
			}
		}
	}
}

func (c *Catalog) repriceRecord(record *Record, asOf time.Time) Repriced {
	r := record.Receipt
	if learned := record.learnedUsage(); learned != nil {
		r.Usage, r.Iterations = *learned, nil
		if r.Source == Held {
			r.Source = Computed // it is known by now what it consumed
		}
	}
	repriced := c.reprice(r, asOf)
	repriced.Receipt = record.Receipt
	return repriced
}

func (c *Catalog) reprice(r Receipt, asOf time.Time) Repriced {
	repriced := Repriced{Receipt: r}
	switch r.Source {
	case Unbilled:
		return repriced // it cost nothing, at any price
	case Held:
		repriced.Unpriced = "nobody knows what it consumed"
		return repriced
	}
	s := r.served()
	if asOf.IsZero() {
		asOf = r.Start
	}
	entry := c.ofReceipt(&r)
	if entry == nil {
		repriced.Unpriced = fmt.Sprintf("%q is not in the catalog", cmp.Or(r.Model, r.ModelAsked))
		return repriced
	}
	table := entry.at(asOf)
	if table == nil || table.variable {
		repriced.Unpriced = fmt.Sprintf("%q has no price of its own at %s", entry.Name, asOf.Format(time.DateOnly))
		return repriced
	}
	repriced.Computation = compute(entry, table, &s, func(model string) *priceTable {
		if entry := c.find(s.Provider, model); entry != nil {
			return entry.at(asOf)
		}
		return nil
	})
	return repriced
}

// served is what served a receipt's attempt, as it was priced.
func (r *Receipt) served() Served {
	s := Served{
		Provider: cmp.Or(r.Price.Provider, r.Endpoint), Model: r.Model, At: r.Start, Upstream: r.Upstream,
		ServiceTier: cmp.Or(r.Price.ServiceTier, r.ServiceTier), Region: cmp.Or(r.Price.Region, r.Region), Speed: cmp.Or(r.Price.Speed, r.Speed),
		Usage: r.Usage, Iterations: r.Iterations,
	}
	if r.Price.Terms != nil {
		s.Terms = *r.Price.Terms
	}
	return s
}

// ofReceipt finds the model that served an attempt: where the catalog does not know that one, the one that it was priced as,
// or that it asked for.
func (c *Catalog) ofReceipt(r *Receipt) *catalogModel {
	for _, provider := range [...]string{r.Price.Provider, r.Endpoint} {
		for _, name := range [...]string{r.Model, r.Price.Model, r.ModelAsked} {
			if name == "" {
				continue
			}
			if entry := c.find(provider, name); entry != nil {
				return entry
			}
		}
	}
	return nil
}
