// Package ledgertest holds a [farebox.LedgerReader] against what it promises: whatever keeps the receipts, the same questions
// have the same answers.
package ledgertest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	"pgregory.net/rapid"
)

// Run tests a ledger. open returns one that holds the entries, recorded in their order, and nothing else; what it opens is the
// caller's to close when t ends. No receipt is there twice.
func Run(t *testing.T, open func(t *testing.T, entries []farebox.LedgerEntry) farebox.LedgerReader) {
	t.Run("Model", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			entries := anyEntries(rt)
			ledger, want := open(t, entries), newOracle(entries)
			for range 6 {
				spend(rt, ledger, want)
				records(rt, ledger, want)
				call(rt, ledger, want)
			}
		})
	})
	t.Run("Empty", func(t *testing.T) { empty(t, open(t, nil)) })
	t.Run("BadQueries", func(t *testing.T) { badQueries(t, open(t, someEntries(3))) })
	t.Run("Cancelled", func(t *testing.T) { cancelled(t, open(t, someEntries(3))) })
	t.Run("BrokenOff", func(t *testing.T) { brokenOff(t, open(t, someEntries(1500))) })
	t.Run("Concurrent", func(t *testing.T) { concurrent(t, open(t, someEntries(300))) })
}

var ctx = context.Background()

// oracle answers the same questions in the simplest way.
type oracle []farebox.Record

func newOracle(entries []farebox.LedgerEntry) (all oracle) {
	for _, e := range entries {
		if e.Receipt != nil {
			all = append(all, farebox.Record{Receipt: *e.Receipt})
		}
	}
	for _, e := range entries {
		for i := range all {
			if e.Adjustment != nil && e.Adjustment.ReceiptID == all[i].Receipt.ID {
				all[i].Adjustments = append(all[i].Adjustments, *e.Adjustment)
			}
		}
	}
	return all
}

func (o oracle) records(want func(*farebox.Receipt) bool) (found []farebox.Record) {
	for _, record := range o {
		if want(&record.Receipt) {
			found = append(found, record)
		}
	}
	return found
}

func (o oracle) call(id string) []farebox.Record {
	call := id
	for _, record := range o {
		if record.Receipt.ID == id {
			call = record.Receipt.CallID
		}
	}
	return o.records(func(r *farebox.Receipt) bool { return r.CallID == call })
}

func (o oracle) spend(q farebox.SpendQuery) []farebox.Spend {
	sums := map[string]*farebox.Spend{}
	if len(q.By) == 0 {
		sums["[]"] = &farebox.Spend{Groups: []string{}}
	}
	for _, record := range o.records(q.Match) {
		groups := []string{}
		for _, by := range q.By {
			groups = append(groups, groupOf(&record.Receipt, by))
		}
		key := fmt.Sprintf("%q", groups)
		if sums[key] == nil {
			sums[key] = &farebox.Spend{Groups: groups}
		}
		addTo(&sums[key].Total, &record)
	}
	all := []farebox.Spend{}
	for _, sum := range sums {
		all = append(all, *sum)
	}
	slices.SortFunc(all, func(a, b farebox.Spend) int {
		return cmp.Or(b.Cost.Cmp(a.Cost), slices.Compare(a.Groups, b.Groups))
	})
	if q.Limit > 0 {
		all = all[:min(q.Limit, len(all))]
	}
	return all
}

func addTo(t *farebox.Total, record *farebox.Record) {
	r := &record.Receipt
	t.Attempts++
	t.Cost = t.Cost.Add(record.Cost())
	t.InputTokens += r.Usage.InputTokens()
	t.OutputTokens += r.Usage.OutputTokens()
	switch r.Source {
	case farebox.Unpriced:
		t.Unpriced++
	case farebox.Estimated, farebox.Held:
		t.Unsettled++
	}
}

func groupOf(r *farebox.Receipt, by string) string {
	switch by {
	case "model":
		return cmp.Or(r.Model, r.ModelAsked)
	case "endpoint":
		return r.Endpoint
	case "key":
		return r.KeyLabel
	case "day":
		return r.Start.UTC().Format("2006-01-02")
	case "hour":
		return r.Start.UTC().Format("2006-01-02T15")
	}
	return r.Tags[by[len("tag:"):]]
}

func spend(t *rapid.T, ledger farebox.LedgerReader, want oracle) {
	query := farebox.SpendQuery{
		Filter: anyFilter().Draw(t, "filter"), Limit: rapid.IntRange(0, 3).Draw(t, "limit"),
		By: rapid.SliceOfN(rapid.SampledFrom([]string{"model", "endpoint", "key", "day", "hour", "tag:team", "tag:user", "tag:none"}), 0, 3).Draw(t, "by"),
	}
	got, err := ledger.Spend(ctx, query)
	if err != nil {
		t.Fatalf("%+v: %v", query, err)
	}
	if wanted := want.spend(query); !reflect.DeepEqual(got, wanted) {
		t.Fatalf("%+v:\n got %+v\nwant %+v", query, got, wanted)
	}
}

func records(t *rapid.T, ledger farebox.LedgerReader, want oracle) {
	filter := anyFilter().Draw(t, "filter")
	same(t, collect(t, ledger, filter), want.records(filter.Match), fmt.Sprintf("records of %+v", filter))
}

func call(t *rapid.T, ledger farebox.LedgerReader, want oracle) {
	ids := []string{"nobody's"}
	for _, record := range want {
		ids = append(ids, record.Receipt.ID, record.Receipt.CallID)
	}
	id := rapid.SampledFrom(ids).Draw(t, "id")
	got, err := ledger.Call(ctx, id)
	if err != nil {
		t.Fatalf("call %s: %v", id, err)
	}
	same(t, got, want.call(id), "call "+id)
}

// fataler is a test of either kind.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func collect(t fataler, ledger farebox.LedgerReader, filter farebox.Filter) (all []farebox.Record) {
	t.Helper()
	for record, err := range ledger.Records(ctx, filter) {
		if err != nil {
			t.Fatalf("records of %+v: %v", filter, err)
		}
		all = append(all, record)
	}
	return all
}

func same(t fataler, got, want []farebox.Record, what string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d records, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("%s: record %d:\n got %+v\nwant %+v", what, i, got[i], want[i])
		}
	}
}

func empty(t *testing.T, ledger farebox.LedgerReader) {
	if all := collect(t, ledger, farebox.Filter{}); len(all) != 0 {
		t.Errorf("records of nothing: %+v", all)
	}
	if got, err := ledger.Spend(ctx, farebox.SpendQuery{By: []string{"model"}}); err != nil || len(got) != 0 {
		t.Errorf("by model: %+v, %v", got, err)
	}
	got, err := ledger.Spend(ctx, farebox.SpendQuery{})
	if err != nil || len(got) != 1 || got[0].Total != (farebox.Total{}) || len(got[0].Groups) != 0 {
		t.Errorf("in all: %+v, %v; want one total of zero", got, err)
	}
	if got, err := ledger.Call(ctx, ""); err != nil || len(got) != 0 {
		t.Errorf("the call without an id: %+v, %v", got, err)
	}
}

func badQueries(t *testing.T, ledger farebox.LedgerReader) {
	for _, query := range []farebox.SpendQuery{{By: []string{"colour"}}, {By: []string{"model", ""}}, {By: []string{"tag:"}}, {Limit: -1}} {
		if got, err := ledger.Spend(ctx, query); err == nil {
			t.Errorf("%+v was answered: %+v", query, got)
		}
	}
}

func cancelled(t *testing.T, ledger farebox.LedgerReader) {
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := ledger.Spend(gone, farebox.SpendQuery{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Spend: %v", err)
	}
	if _, err := ledger.Call(gone, "receipt 1"); !errors.Is(err, context.Canceled) {
		t.Errorf("Call: %v", err)
	}
	var last error
	for _, err := range ledger.Records(gone, farebox.Filter{}) {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("Records: %v", last)
	}
}

// brokenOff: an iteration may be left, and others may start within it.
func brokenOff(t *testing.T, ledger farebox.LedgerReader) {
	seen := 0
	for record, err := range ledger.Records(ctx, farebox.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if inner, err := ledger.Call(ctx, record.Receipt.ID); err != nil || len(inner) == 0 {
			t.Fatalf("a call within an iteration: %+v, %v", inner, err)
		}
		if seen++; seen == 7 {
			break
		}
	}
	if all := collect(t, ledger, farebox.Filter{}); len(all) != 1500 {
		t.Errorf("after an iteration was left: %d records, want 1500", len(all))
	}
}

func concurrent(t *testing.T, ledger farebox.LedgerReader) {
	want, err := ledger.Spend(ctx, farebox.SpendQuery{By: []string{"day", "tag:team"}})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			got, err := ledger.Spend(ctx, farebox.SpendQuery{By: []string{"day", "tag:team"}})
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, %v; want %+v", got, err, want)
			}
			n := 0
			for _, err := range ledger.Records(ctx, farebox.Filter{}) {
				if err != nil {
					t.Errorf("records: %v", err)
				}
				n++
			}
			if n != 300 {
				t.Errorf("%d records, want 300", n)
			}
		})
	}
	all.Wait()
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// someEntries are so many receipts.
func someEntries(n int) (entries []farebox.LedgerEntry) {
	for i := range n {
		entries = append(entries, farebox.LedgerEntry{Receipt: &farebox.Receipt{
			Schema: farebox.ReceiptSchema, ID: fmt.Sprintf("receipt %d", i), CallID: fmt.Sprintf("call %d", i), Start: noon.Add(time.Duration(i) * time.Minute),
			Endpoint: "openai", ModelAsked: "gpt", Tags: farebox.Tags{"team": fmt.Sprint(i % 3)}, Cost: farebox.Cents(int64(i)), Source: farebox.Computed,
		}})
	}
	return entries
}

// anyEntries draws receipts that differ in what a ledger looks at, and adjustments: before their receipt, after it, of nobody's.
func anyEntries(t *rapid.T) (entries []farebox.LedgerEntry) {
	n := rapid.IntRange(0, 25).Draw(t, "receipts")
	for i := range n {
		entries = append(entries, farebox.LedgerEntry{Receipt: anyReceipt(i).Draw(t, "receipt")})
	}
	for range rapid.IntRange(0, 8).Draw(t, "adjustments") {
		a := &farebox.Adjustment{
			Schema: farebox.ReceiptSchema, ReceiptID: fmt.Sprintf("receipt %d", rapid.IntRange(0, n+1).Draw(t, "of")), At: anyTime().Draw(t, "at"),
			Amount: anyMoney().Draw(t, "amount"), Reason: "a look at the record",
		}
		if rapid.Bool().Draw(t, "with usage") {
			a.Usage = &farebox.Usage{Input: 5}
		}
		entries = append(entries, farebox.LedgerEntry{Adjustment: a})
	}
	return rapid.Permutation(entries).Draw(t, "order")
}

func anyReceipt(i int) *rapid.Generator[*farebox.Receipt] {
	return rapid.Custom(func(t *rapid.T) *farebox.Receipt {
		name := rapid.SampledFrom([]string{"", "a", "A", "ü \"b\"", "a / b"})
		r := &farebox.Receipt{
			Schema: farebox.ReceiptSchema, ID: fmt.Sprintf("receipt %d", i), CallID: fmt.Sprintf("call %d", i/2), Attempt: 1 + i%2,
			Start: anyTime().Draw(t, "start"), Endpoint: name.Draw(t, "endpoint"), KeyLabel: name.Draw(t, "key"),
			ModelAsked: name.Draw(t, "asked"), Model: name.Draw(t, "model"),
			Usage: farebox.Usage{Input: rapid.Int64Range(0, 9).Draw(t, "in"), Reasoning: rapid.Int64Range(0, 9).Draw(t, "out")},
			Cost:  anyMoney().Draw(t, "cost"),
			Source: rapid.SampledFrom([]farebox.Source{
				farebox.Reported, farebox.Computed, farebox.Estimated, farebox.Held, farebox.Unbilled, farebox.Unpriced,
			}).Draw(t, "source"),
		}
		for _, tag := range []string{"team", "user"} {
			if rapid.Bool().Draw(t, "tagged") {
				if r.Tags == nil {
					r.Tags = farebox.Tags{}
				}
				r.Tags[tag] = name.Draw(t, tag)
			}
		}
		return r
	})
}

// anyTime draws instants near the turn of hours and of days.
func anyTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		turn := noon.Add(time.Duration(rapid.SampledFrom([]int{-36, -13, -12, -11, 0, 1, 12, 36}).Draw(t, "hours")) * time.Hour)
		return turn.Add(rapid.SampledFrom([]time.Duration{-time.Minute, -1, 0, 1, time.Minute}).Draw(t, "from the turn"))
	})
}

// anyMoney draws amounts from 1e-12 dollars to millions, of both signs.
func anyMoney() *rapid.Generator[farebox.Money] {
	return rapid.Custom(func(t *rapid.T) farebox.Money {
		least := farebox.MustMoney("0.000000000001").Mul(rapid.Int64Range(-3_000_000, 3_000_000).Draw(t, "of 1e-12"))
		return least.Add(farebox.Dollars(rapid.SampledFrom([]int64{0, 0, 0, 1, -1, 5_000_000}).Draw(t, "dollars")))
	})
}

func anyFilter() *rapid.Generator[farebox.Filter] {
	return rapid.Custom(func(t *rapid.T) farebox.Filter {
		name := rapid.SampledFrom([]string{"", "", "", "a", "ü \"b\""})
		f := farebox.Filter{Endpoint: name.Draw(t, "endpoint"), KeyLabel: name.Draw(t, "key"), Model: name.Draw(t, "model")}
		if rapid.Bool().Draw(t, "from") {
			f.From = anyTime().Draw(t, "from")
		}
		if rapid.Bool().Draw(t, "to") {
			f.To = anyTime().Draw(t, "to")
		}
		if rapid.IntRange(0, 2).Draw(t, "tags") == 0 {
			f.Tags = farebox.Tags{"team": name.Draw(t, "team")}
		}
		return f
	})
}
