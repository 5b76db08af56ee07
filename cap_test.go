package farebox_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/farebox-go/farebox"
)

// TestCapUnderConcurrency: 200 calls at once, of which a dollar pays for ten. The server holds all that reach it open,
// so that nothing but the guard can keep the others from being sent.
func TestCapUnderConcurrency(t *testing.T) {
	t.Parallel()
	const callers, affordable = 200, 10
	release := make(chan struct{})
	var arrived atomic.Int64
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		<-release
		answers(200, strings.ReplaceAll(chatAnswer, testModel, "dime"))(w, r)
	})
	client := newClient(t, openAIAt(p),
		farebox.WithPrice("dime", farebox.Rates{farebox.DimensionRequest: farebox.MustRate("0.10"), farebox.DimensionInput: {}, farebox.DimensionOutput: {}}),
		farebox.WithBudget(farebox.Budget{Name: "dollar", Cap: farebox.Dollars(1)}))
	request := chatRequest()
	request.Model = "dime"

	var refused, served atomic.Int64
	var callersDone sync.WaitGroup
	for range callers {
		callersDone.Go(func() {
			resp, err := client.CreateChatCompletion(context.Background(), request)
			var no *farebox.BudgetError
			switch {
			case err == nil:
				served.Add(1)
				if resp.Cost != farebox.Cents(10) || resp.Receipt.Source != farebox.Computed {
					t.Errorf("receipt %s, want $0.10", resp.Receipt)
				}
			case errors.As(err, &no) && errors.Is(err, farebox.ErrBudgetExceeded):
				refused.Add(1)
				if no.Reason != farebox.ReasonContended || no.Held.Add(no.Spent) != farebox.Dollars(1) || no.Asked != farebox.Cents(10) || !no.Fits.IsZero() {
					t.Errorf("refusal %+v", no)
				}
				if farebox.ReceiptsOf(err) != nil {
					t.Errorf("a refused call has receipts: %v", farebox.ReceiptsOf(err))
				}
			default:
				t.Errorf("unexpected error: %v", err)
			}
		})
	}
	waitFor(t, "all but the affordable calls are refused and those are in flight", func() bool {
		return refused.Load() == callers-affordable && arrived.Load() == affordable
	})
	if status := client.Meter().Guard().Snapshot()[0]; status.InFlight != affordable || status.Held != farebox.Dollars(1) || !status.Spent.IsZero() {
		t.Errorf("with all in flight: %+v", status)
	}
	close(release)
	callersDone.Wait()

	status := client.Meter().Guard().Snapshot()[0]
	if served.Load() != affordable || status.Spent != farebox.Dollars(1) || !status.Held.IsZero() || status.InFlight != 0 || status.Refusals != callers-affordable {
		t.Errorf("%d served; %+v", served.Load(), status)
	}
	if n := len(p.requests()); n != affordable {
		t.Errorf("%d requests reached the provider", n)
	}
	total := client.Meter().Ledger().Total()
	if total.Attempts != affordable || total.Cost != farebox.Dollars(1) {
		t.Errorf("ledger %+v", total)
	}
	_, err := client.CreateChatCompletion(context.Background(), request)
	var no *farebox.BudgetError
	if !errors.As(err, &no) || no.Reason != farebox.ReasonExhausted {
		t.Errorf("a call after the dollar is spent: %v, want exhausted", err)
	}
}
