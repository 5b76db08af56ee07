package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/farebox-go/farebox"
)

// The calls of a stampede: so many at once, each at this price, under one cap.
var (
	StampedeCalls = 256
	StampedePrice = farebox.Cents(10)
	StampedeCap   = farebox.Dollars(1)
)

// Stampede is what came of sending calls at the same time under one cap.
type Stampede struct {
	Name     string
	Admitted int           // calls that were sent
	Billed   farebox.Money // what the provider charges for them
	Books    farebox.Money // what the guard under test says was spent
}

// errRefused is how a guard that is not farebox's says no.
var errRefused = errors.New("bench: over the cap")

// StampedeFarebox sends the calls through a metered transport with a budget.
func StampedeFarebox(ctx context.Context) (Stampede, error) {
	provider := newTurnstile(StampedeCalls)
	meter, err := farebox.NewMeter(
		farebox.WithBaseTransport(provider),
		farebox.WithPrice("fare", farebox.Rates{
			farebox.DimensionInput: farebox.Rate{}, farebox.DimensionOutput: farebox.Rate{},
			farebox.DimensionRequest: farebox.MustRate("0.10"),
		}),
		farebox.WithBudget(farebox.Budget{Name: "cap", Cap: StampedeCap}))
	if err != nil {
		return Stampede{}, err
	}
	client := meter.HTTPClient()
	result, err := stampede(provider, func() error { return callOnce(ctx, client) },
		func(err error) bool { return errors.Is(err, farebox.ErrBudgetExceeded) })
	result.Name, result.Books = "farebox: hold, call, settle", meter.Ledger().Total().Cost
	if spent := meter.Guard().Snapshot()[0].Spent; spent != result.Books {
		return result, fmt.Errorf("bench: the budget says %s and the ledger %s", spent, result.Books)
	}
	return result, err
}

// The protocols below are written out after the published source of the libraries named: their modules are not to be had
// from every module proxy, and nothing here should depend on that. Each of their steps is atomic; the steps together are not.

// StampedeOtellix sends the same calls as otellix has its users do (its Check and Record of 2026-05): ask whether the call
// fits what has been recorded, make the call, record what it cost.
func StampedeOtellix(ctx context.Context) (Stampede, error) {
	return stampedeCheckThenRecord(ctx, "otellix's protocol: Check, call, Record", func(spent farebox.Money) farebox.Money {
		return spent.Add(StampedePrice)
	})
}

// StampedeAgentBudget sends the same calls as AgentBudget's Go SDK has its users do (its WouldExceed and Track of 2026-04):
// as otellix, but a cost that no longer fits is an error and is not entered, although it was paid.
func StampedeAgentBudget(ctx context.Context) (Stampede, error) {
	return stampedeCheckThenRecord(ctx, "AgentBudget's protocol: WouldExceed, call, Track", func(spent farebox.Money) farebox.Money {
		if after := spent.Add(StampedePrice); !StampedeCap.Less(after) {
			return after
		}
		return spent
	})
}

// stampedeCheckThenRecord makes the calls under a guard that decides by what record has made of what was spent before.
func stampedeCheckThenRecord(ctx context.Context, name string, record func(spent farebox.Money) farebox.Money) (Stampede, error) {
	provider := newTurnstile(StampedeCalls)
	client := &http.Client{Transport: provider}
	var mu sync.Mutex
	var spent farebox.Money
	result, err := stampede(provider, func() error {
		mu.Lock()
		fits := !StampedeCap.Less(spent.Add(StampedePrice))
		mu.Unlock()
		if !fits {
			return errRefused
		}
		if err := callOnce(ctx, client); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		spent = record(spent)
		return nil
	}, func(err error) bool { return errors.Is(err, errRefused) })
	result.Name, result.Books = name, spent
	return result, err
}

// Stampedes is everybody's.
func Stampedes(ctx context.Context) ([]Stampede, error) {
	var all []Stampede
	for _, one := range []func(context.Context) (Stampede, error){StampedeFarebox, StampedeAgentBudget, StampedeOtellix} {
		result, err := one(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, result)
	}
	return all, nil
}

// stampede makes the calls at once; all of them are decided before any of them is answered.
func stampede(provider *turnstile, call func() error, refused func(error) bool) (Stampede, error) {
	failures := make(chan error, StampedeCalls)
	var wg sync.WaitGroup
	for range StampedeCalls {
		wg.Go(func() {
			switch err := call(); {
			case refused(err):
				provider.decided()
			case err != nil:
				provider.decided()
				failures <- err
			}
		})
	}
	wg.Wait()
	close(failures)
	admitted := int(provider.sent.Load())
	return Stampede{Admitted: admitted, Billed: StampedePrice.Mul(int64(admitted))}, <-failures
}

func callOnce(ctx context.Context, client *http.Client) error {
	const body = `{"model":"fare","max_tokens":10,"messages":[{"role":"user","content":"ride"}]}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, BaseURL+"/chat/completions", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// turnstile is a provider that answers nobody until everybody is either waiting for it or refused: every call is in
// flight between the question whether it fits and the news of what it cost.
type turnstile struct {
	sent      atomic.Int64
	undecided atomic.Int64
	open      chan struct{}
}

func newTurnstile(calls int) *turnstile {
	t := &turnstile{open: make(chan struct{})}
	t.undecided.Store(int64(calls))
	return t
}

// decided counts one call that is waiting or refused; the last one opens the turnstile.
func (t *turnstile) decided() {
	if t.undecided.Add(-1) == 0 {
		close(t.open)
	}
}

// RoundTrip answers once everybody has been decided about.
func (t *turnstile) RoundTrip(req *http.Request) (*http.Response, error) {
	const answer = `{"id":"ride","object":"chat.completion","model":"fare","choices":[{"index":0,"message":` +
		`{"role":"assistant","content":"here"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":1,"total_tokens":9}}`
	_, err := io.Copy(io.Discard, req.Body)
	_ = req.Body.Close()
	t.sent.Add(1)
	t.decided()
	<-t.open
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header:        http.Header{"Content-Type": {"application/json"}},
		ContentLength: int64(len(answer)), Body: io.NopCloser(strings.NewReader(answer)),
	}, err
}

// WriteStampedes prints results as a table.
func WriteStampedes(w io.Writer, results ...Stampede) error {
	_, err := fmt.Fprintf(w, "%d calls at once, %s each, under a cap of %s\n\n| guard | admitted | billed | its books say | billed ÷ cap |\n|---|---|---|---|---|\n",
		StampedeCalls, dollars(StampedePrice), dollars(StampedeCap))
	for _, r := range results {
		if err == nil {
			_, err = fmt.Fprintf(w, "| %s | %d of %d | %s | %s | %.1f× |\n", r.Name, r.Admitted, StampedeCalls,
				dollars(r.Billed), dollars(r.Books), r.Billed.Float64()/StampedeCap.Float64())
		}
	}
	return err
}

// dollars writes an amount with its cents.
func dollars(m farebox.Money) string { return fmt.Sprintf("$%.2f", m.Float64()) }
