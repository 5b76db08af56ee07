package farebox

import (
	"context"
	"testing"
	"time"
)

// fourBudgets apply to every call with the tags of a busy service: two for all, one for the team, one for each user.
func fourBudgets(tb testing.TB) *Guard {
	tb.Helper()
	g := &Guard{}
	if err := g.Add(
		Budget{Name: "day", Cap: Dollars(1_000_000), Window: Daily},
		Budget{Name: "month", Cap: Dollars(1_000_000), Window: Monthly},
		Budget{Name: "team", Cap: Dollars(1_000_000), Window: Daily, Scope: Scope{Tags: Tags{"team": "search"}}},
		Budget{Name: "user", Cap: Dollars(1_000_000), Per: "user"},
	); err != nil {
		tb.Fatal(err)
	}
	return g
}

// holdAndSettle is what the guard does about a call: the budgets are found by the tags of its context, money is held on
// all of them and settled.
func holdAndSettle(ctx context.Context, g *Guard, h *hold, q *quoted) error {
	now := time.Now()
	by := spender{endpoint: "openai", model: "m", tags: TagsFromContext(ctx)}
	h.forget()
	if err := g.match(h, &by, q, now); err != nil {
		return err
	}
	if err := g.take(context.Background(), h, &by, q, now); err != nil {
		return err
	}
	h.settle(&spent{total: Cents(1), charge: Cents(1)}, time.Now())
	return nil
}

// The one allocation is the list of what was charged, for the receipt.
func TestGuardByTagsAllocations(t *testing.T) {
	g := fourBudgets(t)
	ctx := ContextWithTags(context.Background(), Tags{"team": "search", "user": "ann"})
	q := &quoted{Quote: Quote{Priced: true, Most: Cents(5)}}
	h := new(hold)
	if err := holdAndSettle(ctx, g, h, q); err != nil || h.n != 4 {
		t.Fatalf("%d budgets, %v", h.n, err)
	}
	n := testing.AllocsPerRun(500, func() {
		if err := holdAndSettle(ctx, g, h, q); err != nil {
			t.Fatal(err)
		}
	})
	if n > 1 {
		t.Errorf("%v allocations a call", n)
	}
}

func BenchmarkGuardByTags(b *testing.B) {
	g := fourBudgets(b)
	ctx := ContextWithTags(context.Background(), Tags{"team": "search", "user": "ann"})
	q := &quoted{Quote: Quote{Priced: true, Most: Cents(5)}}
	h := new(hold)
	b.ReportAllocs()
	for b.Loop() {
		if err := holdAndSettle(ctx, g, h, q); err != nil {
			b.Fatal(err)
		}
	}
}
