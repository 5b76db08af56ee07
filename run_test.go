package farebox_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox"
)

// inRun makes a call of a run: at most, and really, so many cents.
func inRun(t *testing.T, meter *farebox.Meter, run *farebox.Run, limit, tokens string) error {
	t.Helper()
	body := `{"model":"coin","max_tokens":` + limit + `,"messages":[]}`
	resp, err := postTokens(t, meter, run, body, tokens)
	if err == nil {
		finish(t, resp)
	}
	return err
}

func TestRun(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(farebox.Budget{Name: "all", Cap: farebox.Dollars(1)}))
	run := meter.Run(t.Context(), farebox.Cents(20))
	must(t, inRun(t, meter, run, "15", "10"))
	mustSpend(t, meter, coinCall{limit: 50, tokens: 50}) // not of the run
	err := inRun(t, meter, run, "11", "1")
	var refused *farebox.BudgetError
	if !errors.As(err, &refused) || refused.Budget != "run" || refused.Value != run.ID() || refused.Spent != farebox.Cents(10) {
		t.Errorf("%v", err)
	}

	child := meter.Run(run.Context(), farebox.Dollars(5))
	must(t, inRun(t, meter, child, "8", "8"))
	if err := inRun(t, meter, child, "3", "1"); !errors.As(err, &refused) || refused.Value != run.ID() {
		t.Errorf("past what its parent has left: %v", err)
	}
	must(t, run.TopUp(farebox.Cents(10)))
	must(t, inRun(t, meter, child, "3", "1"))
	if run.Cost() != farebox.Cents(19) || len(run.Receipts()) != 3 || child.Cost() != farebox.Cents(9) || child.Status().Spent != farebox.Cents(9) {
		t.Errorf("run %s of %d receipts, child %s", run.Cost(), len(run.Receipts()), child.Cost())
	}
	if charges := child.Receipts()[0].Budgets; len(charges) != 3 || charges[0].Value != child.ID() || charges[1].Value != run.ID() || charges[2].Budget != "all" {
		t.Errorf("charges: %+v", charges)
	}
	if len(meter.Guard().Snapshot()) != 1 {
		t.Error("a run stands among the guard's own budgets")
	}
	must(t, run.End(t.Context()))
	for name, r := range map[string]*farebox.Run{"run": run, "child": child} {
		if err := inRun(t, meter, r, "1", "1"); !errors.Is(err, farebox.ErrRunEnded) || !errors.Is(err, farebox.ErrRefused) {
			t.Errorf("a call of the ended %s: %v", name, err)
		}
	}
	mustSpend(t, meter, coinCall{limit: 1, tokens: 1})
	must(t, run.End(t.Context()))
}

func TestRunsOfOtherKinds(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{})
	steps, err := meter.StartRun(t.Context(), farebox.Budget{Requests: 2})
	must(t, err)
	must(t, inRun(t, meter, steps, "1", "1"))
	must(t, inRun(t, meter, steps, "1", "1"))
	if err := inRun(t, meter, steps, "1", "1"); !errors.Is(err, farebox.ErrBudgetExceeded) {
		t.Errorf("a third step of two: %v", err)
	}
	if err := steps.TopUp(farebox.Cents(1)); err == nil {
		t.Error("a run in requests was topped up with money")
	}
	fit, err := meter.StartRun(t.Context(), farebox.Budget{Cap: farebox.Cents(80), WhenFull: farebox.Fit, MinOutputTokens: 70})
	must(t, err)
	must(t, inRun(t, meter, fit, "1000", "5"))
	must(t, inRun(t, meter, fit, "1000", "6"))
	if err := inRun(t, meter, fit, "1000", "1"); !errors.Is(err, farebox.ErrBudgetExceeded) {
		t.Errorf("below the floor: %v", err)
	}
	if got := fit.Receipts()[1].FittedOutput; got != 75 {
		t.Errorf("fitted to %d tokens, want 75", got)
	}
	if _, err := meter.StartRun(t.Context(), farebox.Budget{WhenFull: "cry"}); err == nil {
		t.Error("a bad budget was taken")
	}
	if err := inRun(t, meter, meter.Run(t.Context(), farebox.Cents(-5)), "1", "1"); !errors.Is(err, farebox.ErrBudgetExceeded) {
		t.Errorf("a negative cap: %v", err)
	}
}

// End waits for what is in flight; when its time is over, it cuts it, and the receipts are there.
func TestEndOfRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		meter := coinMeter(t, &coinProvider{})
		run := meter.Run(t.Context(), farebox.Dollars(1))
		slow, err := postTokens(t, meter, run, `{"model":"coin","max_tokens":9,"messages":[]}`, "4")
		must(t, err)
		go func() {
			time.Sleep(time.Minute)
			finish(t, slow)
		}()
		must(t, run.End(t.Context()))
		if run.Cost() != farebox.Cents(4) {
			t.Errorf("after its end the run has cost %s", run.Cost())
		}

		run = meter.Run(t.Context(), farebox.Dollars(1))
		stuck, err := postTokens(t, meter, run, `{"model":"coin","max_tokens":9,"messages":[]}`, "4")
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := run.End(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("End with a call in flight: %v", err)
		}
		if r := run.Receipts(); len(r) != 1 || r[0].Source != farebox.Held || run.Status().InFlight != 0 {
			t.Errorf("receipts: %v", r)
		}
		must(t, stuck.Body.Close())
	})
}

func TestRunUnderLoad(t *testing.T) {
	t.Parallel()
	provider := &coinProvider{}
	meter := coinMeter(t, provider)
	run := meter.Run(t.Context(), farebox.Cents(100))
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			err := inRun(t, meter, run, "3", "2")
			if err != nil && !errors.Is(err, farebox.ErrRefused) {
				t.Error(err)
			}
		})
	}
	time.Sleep(time.Millisecond)
	must(t, run.End(t.Context()))
	cost := run.Cost()
	wg.Wait()
	if cost != run.Cost() || cost != farebox.Cents(provider.billed()) || farebox.Cents(100).Less(cost) {
		t.Errorf("at its end the run had cost %s, later %s; billed %d", cost, run.Cost(), provider.billed())
	}
}

func TestRunOfAClient(t *testing.T) {
	t.Parallel()
	client := newClient(t, openAIAt(serve(t, answers(200, chatAnswer))))
	run := client.Run(t.Context(), farebox.Dollars(1))
	resp, err := client.CreateChatCompletion(run.Context(), chatRequest())
	must(t, err)
	must(t, run.End(t.Context()))
	if run.Cost() != resp.Cost || resp.Cost.IsZero() || !strings.HasPrefix(resp.Receipt.Budgets[0].Value, run.ID()) {
		t.Errorf("run %s, call %s, %+v", run.Cost(), resp.Cost, resp.Receipt.Budgets)
	}
}
