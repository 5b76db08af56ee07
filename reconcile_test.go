package farebox_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox"
)

// lastReceipt is the newest receipt of a Meter.
func lastReceipt(t testing.TB, meter *farebox.Meter) farebox.Receipt {
	t.Helper()
	all := slices.Collect(meter.Ledger().Receipts(farebox.Filter{}))
	if len(all) == 0 {
		t.Fatal("there is no receipt")
	}
	return all[len(all)-1]
}

// TestReconcile corrects a call whose outcome is unknown, down, up and down again: budgets and ledger follow.
func TestReconcile(t *testing.T) {
	t.Parallel()
	for _, outcome := range []string{"500", "cut", "lost", "silent"} {
		meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(
			farebox.Budget{Name: "b", Cap: farebox.Dollars(1)}, farebox.Budget{Name: "each", Cap: farebox.Dollars(1), Per: "user"}))
		mustSpend(t, meter, coinCall{limit: 10, tokens: 10})
		if err := (coinCall{limit: 60, tokens: 60, outcome: outcome}).on(meter); err != nil && outcome != "lost" {
			t.Fatal(err)
		}
		r := lastReceipt(t, meter)
		cost := r.Cost
		for _, cents := range []int64{20, 20, 75, 0, 90} {
			a, err := meter.Reconcile(r.ID, farebox.Cents(cents), "invoice")
			if err != nil {
				t.Fatalf("%s: %v", outcome, err)
			}
			if a.Amount != farebox.Cents(cents).Sub(cost) || a.ReceiptID != r.ID || a.Reason != "invoice" || time.Since(a.At) > time.Minute {
				t.Errorf("%s: adjustment %+v from %s to %d cents", outcome, a, cost, cents)
			}
			cost = farebox.Cents(cents)
			if total := meter.Ledger().Total().Cost; total != farebox.Cents(10+cents) {
				t.Errorf("%s: the ledger has %s, want %d cents", outcome, total, 10+cents)
			}
			for _, s := range meter.Guard().Snapshot() {
				if s.Spent != farebox.Cents(10+cents) || !s.Held.IsZero() {
					t.Errorf("%s: budget %s stands at %s, want %d cents", outcome, s.Budget, s.Spent, 10+cents)
				}
			}
		}
		if now := lastReceipt(t, meter); now.Cost != r.Cost || now.Source != r.Source || len(meter.Ledger().Adjustments()) != 5 {
			t.Errorf("%s: the receipt has changed: %v", outcome, now)
		}
		mustRefuse(t, meter, coinCall{limit: 1})
		if _, err := meter.Reconcile(r.ID, farebox.Cents(89), "invoice"); err != nil {
			t.Fatal(err)
		}
		mustSpend(t, meter, coinCall{limit: 1, tokens: 1}) // there is room again
	}
}

func TestReconcileErrors(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1)}))
	mustSpend(t, meter, coinCall{limit: 9, tokens: 5})
	settled := lastReceipt(t, meter)
	mustSpend(t, meter, coinCall{limit: 9, outcome: "429"})
	free := lastReceipt(t, meter)
	mustSpend(t, meter, coinCall{limit: 9, tokens: 5, outcome: "500"})
	open := lastReceipt(t, meter)
	for name, id := range map[string]string{"known already": settled.ID, "free, with proof": free.ID, "never made": "no such", "empty": ""} {
		if _, err := meter.Reconcile(id, farebox.Cents(1), ""); !errors.Is(err, farebox.ErrUnknownReceipt) {
			t.Errorf("a receipt that is %s: %v", name, err)
		}
	}
	if _, err := meter.Reconcile(open.ID, farebox.Cents(-1), ""); err == nil || !strings.Contains(err.Error(), "-$0.01 is negative") {
		t.Errorf("a negative cost: %v", err)
	}
	if total := meter.Ledger().Total().Cost; total != farebox.Cents(14) || len(meter.Ledger().Adjustments()) != 0 {
		t.Errorf("what failed changed the ledger: %s", total)
	}
	if s := meter.Guard().Snapshot()[0]; s.Spent != farebox.Cents(14) {
		t.Errorf("what failed changed the budget: %+v", s)
	}
}

// TestReconcileBound makes more calls of unknown outcome than are kept: the oldest ones are let go, and stay charged.
func TestReconcileBound(t *testing.T) {
	t.Parallel()
	const kept = 4096
	meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1_000_000)}))
	for range kept + 2 {
		mustSpend(t, meter, coinCall{limit: 1, tokens: 1, outcome: "500"})
	}
	all := slices.Collect(meter.Ledger().Receipts(farebox.Filter{}))
	for i, want := range map[int]bool{0: false, 1: false, 2: true, kept: true, kept + 1: true} {
		if _, err := meter.Reconcile(all[i].ID, farebox.Money{}, "free"); (err == nil) != want {
			t.Errorf("receipt %d of %d: %v", i+1, len(all), err)
		}
	}
	if s := meter.Guard().Snapshot()[0]; s.Spent != farebox.Cents(kept+2-3) {
		t.Errorf("the budget stands at %s", s.Spent)
	}
}

// TestReconcileAfterTheWindow checks that a figure which comes late corrects the ledger, and no window but its own.
func TestReconcileAfterTheWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(
			farebox.Budget{Name: "hour", Cap: farebox.Dollars(1), Window: farebox.Hourly},
			farebox.Budget{Name: "day", Cap: farebox.Dollars(1), Window: farebox.Daily}))
		mustSpend(t, meter, coinCall{limit: 40, tokens: 40, outcome: "500"})
		r := lastReceipt(t, meter)
		time.Sleep(time.Hour)
		mustSpend(t, meter, coinCall{limit: 5, tokens: 5})
		if _, err := meter.Reconcile(r.ID, farebox.Cents(10), "invoice"); err != nil {
			t.Fatal(err)
		}
		if got := standing(meter); got["hour"] != 5 || got["day"] != 15 {
			t.Errorf("budgets stand at %v, want 5 in this hour and 15 in the day", got)
		}
		if total := meter.Ledger().Total().Cost; total != farebox.Cents(15) {
			t.Errorf("the ledger has %s", total)
		}
	})
}
