package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/farebox-go/farebox"
)

// total is what some exchanges come to.
type total struct {
	calls, unpriced int64
	input, output   int64
	cost            farebox.Money
}

func (t *total) add(r *farebox.Receipt) {
	t.calls++
	t.input += r.Usage.InputTokens()
	t.output += r.Usage.OutputTokens()
	t.cost = t.cost.Add(r.Cost)
	if r.Source == farebox.Unpriced {
		t.unpriced++
	}
}

// totals adds receipts up by model, key and day.
type totals struct {
	all             total
	model, key, day map[string]*total
	unsettled       map[string][]*total // by the ids of receipts whose cost may be corrected later
}

// maxUnsettled is how many receipts are kept in mind to be corrected.
const maxUnsettled = 100_000

func newTotals() *totals {
	return &totals{model: map[string]*total{}, key: map[string]*total{}, day: map[string]*total{}, unsettled: map[string][]*total{}}
}

func (t *totals) add(r *farebox.Receipt) {
	rows := []*total{
		&t.all, row(t.model, r.Endpoint+" "+modelOf(r)), row(t.key, cmp.Or(r.KeyLabel, "none")), row(t.day, r.Start.UTC().Format(time.DateOnly)),
	}
	for _, row := range rows {
		row.add(r)
	}
	if !r.Settled() && len(t.unsettled) < maxUnsettled {
		t.unsettled[r.ID] = rows
	}
}

func row(rows map[string]*total, name string) *total {
	if rows[name] == nil {
		rows[name] = &total{}
	}
	return rows[name]
}

func (t *totals) adjust(a *farebox.Adjustment) {
	for _, row := range t.unsettled[a.ReceiptID] {
		row.cost = row.cost.Add(a.Amount)
	}
}

// print shows the totals, the dearest first and days in their order.
func (t *totals) print(o *output) error {
	byCost := func(rows map[string]*total) []string {
		return slices.SortedFunc(maps.Keys(rows), func(a, b string) int {
			return cmp.Or(rows[b].cost.Cmp(rows[a].cost), cmp.Compare(a, b))
		})
	}
	for _, group := range []struct {
		name  string
		rows  map[string]*total
		names []string
	}{{"model", t.model, byCost(t.model)}, {"key", t.key, byCost(t.key)}, {"day", t.day, slices.Sorted(maps.Keys(t.day))}} {
		if _, err := fmt.Fprintln(o.to); err != nil {
			return err
		}
		var table [][]any
		for _, name := range group.names {
			table = append(table, cells(name, group.rows[name]))
		}
		if err := o.tableWith([]any{group.name, "calls", "input", "output", "cost", "without a price"}, table, cells("total", &t.all)); err != nil {
			return err
		}
	}
	return nil
}

func cells(name string, t *total) []any {
	return []any{name, t.calls, t.input, t.output, t.cost, t.unpriced}
}
