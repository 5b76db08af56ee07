package farebox_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox"
)

func cents(t testing.TB, meter *farebox.Meter, budget string, want int64) {
	t.Helper()
	if got := standing(meter)[budget]; got != want {
		t.Errorf("budget %q has %d cents spent, want %d", budget, got, want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestBudgetsComeAndGo(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{})
	guard := meter.Guard()
	ann, bob := farebox.Tags{"user": "ann"}, farebox.Tags{"user": "bob"}
	mustSpend(t, meter, coinCall{limit: 30, tokens: 20, tags: ann})
	mustSpend(t, meter, coinCall{limit: 30, tokens: 5, tags: bob})
	flying, err := coinCall{limit: 10, tokens: 7, tags: bob}.start(meter)
	must(t, err)

	must(t, guard.Add(
		farebox.Budget{Name: "all", Cap: farebox.Cents(60), Window: farebox.Daily},
		farebox.Budget{Name: "each", Cap: farebox.Cents(40), Per: "user"},
		farebox.Budget{Name: "bob", Cap: farebox.Cents(20), Scope: farebox.Scope{Tags: bob}},
	))
	cents(t, meter, "all", 25)
	cents(t, meter, "each/ann", 20)
	cents(t, meter, "bob", 5)
	finish(t, flying)
	cents(t, meter, "all", 32)
	cents(t, meter, "each/bob", 12)
	cents(t, meter, "bob", 12)
	mustSpend(t, meter, coinCall{limit: 8, tokens: 8, tags: bob})
	mustRefuse(t, meter, coinCall{limit: 1, tags: bob})

	must(t, guard.Set(farebox.Budget{Name: "bob", Cap: farebox.Cents(25), Scope: farebox.Scope{Tags: bob}}))
	mustSpend(t, meter, coinCall{limit: 5, tokens: 5, tags: bob})
	cents(t, meter, "bob", 25)
	must(t, guard.Set(farebox.Budget{Name: "bob", Cap: farebox.Cents(10), Scope: farebox.Scope{Tags: bob}}))
	if refused := mustRefuse(t, meter, coinCall{limit: 1, tags: bob}); refused.Cap != farebox.Cents(10) || refused.Spent != farebox.Cents(25) {
		t.Errorf("after the cap was lowered: %v", refused)
	}
	must(t, guard.Set(farebox.Budget{Name: "bob", Cap: farebox.Cents(30), Window: farebox.Monthly, Scope: farebox.Scope{Tags: bob}}))
	cents(t, meter, "bob", 25)
	mustRefuse(t, meter, coinCall{limit: 6, tags: bob})
	if !guard.Remove("bob") || guard.Remove("bob") {
		t.Error("removed otherwise than once")
	}
	mustSpend(t, meter, coinCall{limit: 6, tokens: 6, tags: bob})
	must(t, guard.Add(farebox.Budget{Name: "bob", Cap: farebox.Cents(31), Scope: farebox.Scope{Tags: bob}}))
	mustRefuse(t, meter, coinCall{limit: 1, tags: bob})

	if err := guard.Set(farebox.Budget{Name: "nobody"}); !errors.Is(err, farebox.ErrUnknownBudget) {
		t.Errorf("Set of an unknown budget: %v", err)
	}
	if err := guard.Add(farebox.Budget{Name: "all"}); err == nil {
		t.Error("a second budget of the same name was added")
	}
	if names := guard.Budgets(); len(names) != 3 || names[0].Name != "all" || names[2].Name != "bob" {
		t.Errorf("budgets: %+v", names)
	}
}

// A change of a budget that the ledger is too short to tell of keeps what the counters had.
func TestSetKeepsWhatTheLedgerForgot(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{}, farebox.WithLedgerSize(1), farebox.WithBudget(
		farebox.Budget{Name: "each", Cap: farebox.Cents(40), Per: "user"}))
	ann := farebox.Tags{"user": "ann"}
	for range 3 {
		mustSpend(t, meter, coinCall{limit: 10, tokens: 10, tags: ann})
	}
	must(t, meter.Guard().Set(farebox.Budget{Name: "each", Cap: farebox.Cents(40), Per: "user", MaxValues: 5, Thresholds: []int{10}}))
	cents(t, meter, "each/ann", 30)
	mustRefuse(t, meter, coinCall{limit: 11, tags: ann})
}

// However budgets come and go while calls fly, each has counted every call of the ledger once.
func TestBudgetsChangeUnderLoad(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{})
	guard := meter.Guard()
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(worker)))
			for range 60 {
				tokens := rng.Int64N(5)
				if err := (coinCall{limit: tokens + rng.Int64N(3), tokens: tokens}).on(meter); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 40 {
		must(t, guard.Add(farebox.Budget{Name: "b", Cap: farebox.Dollars(1000), Window: farebox.Monthly}))
		windows := []farebox.Window{{}, farebox.Rolling(240 * time.Hour)}
		must(t, guard.Set(farebox.Budget{Name: "b", Cap: farebox.Dollars(1001), Window: windows[i%2]}))
		must(t, guard.Set(farebox.Budget{Name: "b", Cap: farebox.Dollars(1002), Window: windows[i%2]}))
		if i < 39 && !guard.Remove("b") {
			t.Error("not removed")
		}
	}
	wg.Wait()
	if s, total := guard.Snapshot()[0], meter.Ledger().Total(); s.Spent != total.Cost || !s.Held.IsZero() {
		t.Errorf("the budget has %s spent and %s held, the ledger %s", s.Spent, s.Held, total.Cost)
	}
}

func TestPrepaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Add(24 * time.Hour)
		meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(
			farebox.Budget{Name: "prepaid", Cap: farebox.Cents(10), Expires: end},
			farebox.Budget{Name: "each", Cap: farebox.Cents(100), Per: "user"},
			farebox.Budget{Name: "tokens", Tokens: 1_000_000}))
		guard := meter.Guard()
		mustSpend(t, meter, coinCall{limit: 10, tokens: 10})
		mustRefuse(t, meter, coinCall{limit: 1})
		must(t, guard.TopUp("prepaid", "", farebox.Cents(5)))
		mustSpend(t, meter, coinCall{limit: 5, tokens: 5})
		if refused := mustRefuse(t, meter, coinCall{limit: 1}); refused.Cap != farebox.Cents(15) {
			t.Errorf("cap %s after a top-up, want $0.15", refused.Cap)
		}
		must(t, guard.TopUp("each", "ann", farebox.Cents(900)))
		must(t, guard.TopUp("prepaid", "", farebox.Dollars(100)))
		mustSpend(t, meter, coinCall{limit: 500, tokens: 1, tags: farebox.Tags{"user": "ann"}})
		mustRefuse(t, meter, coinCall{limit: 500, tokens: 1, tags: farebox.Tags{"user": "bob"}})
		for _, err := range []error{
			guard.TopUp("prepaid", "", farebox.Cents(-1)), guard.TopUp("tokens", "", farebox.Cents(1)), guard.TopUp("none", "", farebox.Cents(1)),
		} {
			if err == nil {
				t.Error("a top-up that makes no sense was taken")
			}
		}
		time.Sleep(24*time.Hour - 1)
		mustSpend(t, meter, coinCall{limit: 1})
		time.Sleep(time.Nanosecond)
		if refused := mustRefuse(t, meter, coinCall{limit: 1}); refused.Reason != farebox.ReasonExpired || !errors.Is(refused, farebox.ErrBudgetExceeded) {
			t.Errorf("after its end: %v", refused)
		}
	})
}

func TestTokensAndRequests(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(
		farebox.Budget{Name: "money", Cap: farebox.Dollars(100)},
		farebox.Budget{Name: "tokens", Tokens: 2000, Window: farebox.Daily},
		farebox.Budget{Name: "requests", Requests: 4, Window: farebox.Hourly}))
	mustSpend(t, meter, coinCall{limit: 1200, tokens: 700})
	refused := mustRefuse(t, meter, coinCall{limit: 1500})
	if refused.Budget != "tokens" || refused.Unit != farebox.UnitTokens || refused.Counts.Spent != 700 || refused.Counts.Cap != 2000 ||
		refused.AskedCount <= 1500 || !refused.Cap.IsZero() {
		t.Errorf("%+v", refused)
	}
	mustSpend(t, meter, coinCall{limit: refused.OutputTokens, tokens: 100}) // what would fit fits
	mustRefuse(t, meter, coinCall{limit: refused.OutputTokens})

	for _, outcome := range []string{"429", "lost"} {
		_ = coinCall{limit: 10, outcome: outcome}.on(meter)
	}
	status := map[string]farebox.BudgetStatus{}
	for _, s := range meter.Guard().Snapshot() {
		status[s.Budget] = s
	}
	if s := status["requests"]; s.Counts.Spent != 4 || s.Counts.Free != 0 || s.Unit != farebox.UnitRequests {
		t.Errorf("requests: %+v: every attempt that was sent counts", s)
	}
	if s := status["tokens"]; s.Counts.Spent <= 810 || s.Counts.Held != 0 {
		t.Errorf("tokens: %+v: of a lost call, all that were held count", s)
	}
	if refused := mustRefuse(t, meter, coinCall{limit: 1}); refused.Budget != "requests" || refused.AskedCount != 1 {
		t.Errorf("%+v", refused)
	}
	charges := ledger(meter)[0].Budgets
	if len(charges) != 3 || charges[0].Charged != farebox.Dollars(7) || charges[1].ChargedCount != 700 || charges[2].ChargedCount != 1 || charges[1].Unit != farebox.UnitTokens {
		t.Errorf("charges: %+v", charges)
	}
}

func TestStrictBudget(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(farebox.Budget{Name: "strict", Cap: farebox.Dollars(10_000), Strict: true}))
	mustSpend(t, meter, coinCall{limit: 1})
	refused := mustRefuse(t, meter, coinCall{limit: 0}) // no limit, and the catalog has none either
	if refused.Reason != farebox.ReasonUnbounded || errors.Is(refused, farebox.ErrBudgetExceeded) {
		t.Errorf("%v", refused)
	}
}

func TestTolerance(t *testing.T) {
	t.Parallel()
	provider := &coinProvider{}
	meter := coinMeter(t, provider, farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(20), TolerancePercent: 50}))
	var open []func()
	for range 2 { // at most $10 each, $5 as expected of 500 tokens
		resp, err := coinCall{limit: 1000, tokens: 10}.start(meter)
		must(t, err)
		open = append(open, func() { finish(t, resp) })
	}
	third, err := coinCall{limit: 1000, tokens: 10}.start(meter)
	must(t, err)
	open = append(open, func() { finish(t, third) })
	mustRefuse(t, meter, coinCall{limit: 1}) // $30 at most is the cap and half of it again
	for _, end := range open {
		end()
	}
	mustSpend(t, meter, coinCall{limit: 1000, tokens: 10})
}

// FullAt says when the cap is reached at the rate so far.
func TestForecastInSnapshot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Cents(100), Window: farebox.Daily}))
		start := meter.Guard().Snapshot()[0].Start
		time.Sleep(time.Until(start.Add(24 * time.Hour))) // a whole day lies ahead
		start = start.Add(24 * time.Hour)
		time.Sleep(6 * time.Hour)
		mustSpend(t, meter, coinCall{limit: 50, tokens: 50})
		if got, want := meter.Guard().Snapshot()[0].FullAt, start.Add(12*time.Hour); !got.Equal(want) {
			t.Errorf("half spent by 6:00: full at %v, want %v", got, want)
		}
		time.Sleep(12 * time.Hour)
		if got := meter.Guard().Snapshot()[0].FullAt; !got.IsZero() {
			t.Errorf("half spent by 18:00: full at %v, want never", got)
		}
	})
}
