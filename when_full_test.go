package farebox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox"
)

// lastBody is a provider that remembers the last body it was sent.
type lastBody struct {
	coinProvider
	mu   sync.Mutex
	body []byte
}

func (p *lastBody) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.body = body
	p.mu.Unlock()
	if int64(len(body)) != req.ContentLength {
		return nil, fmt.Errorf("a body of %d bytes is sent as one of %d", len(body), req.ContentLength)
	}
	return p.coinProvider.RoundTrip(req)
}

func TestFit(t *testing.T) {
	t.Parallel()
	provider := &lastBody{}
	meter := coinMeter(t, provider, farebox.WithBudget(
		farebox.Budget{Name: "b", Cap: farebox.Dollars(10), WhenFull: farebox.Fit, MinOutputTokens: 200},
		farebox.Budget{Name: "tokens", Tokens: 5000, WhenFull: farebox.Fit}))
	mustSpend(t, meter, coinCall{limit: 2000, tokens: 700})
	if want := `"max_tokens":1000,`; !bytes.Contains(provider.body, []byte(want)) {
		t.Errorf("sent %s, want %s in it", provider.body, want)
	}
	first := ledger(meter)[0]
	if first.FittedOutput != 1000 || !slices.Contains(first.Edits, "output_limit") || first.Quote.Most != farebox.Dollars(10) {
		t.Errorf("receipt: %d, %v, %v", first.FittedOutput, first.Edits, first.Quote)
	}
	mustSpend(t, meter, coinCall{limit: 250, tokens: 1}) // fits as it is
	if second := ledger(meter)[1]; second.FittedOutput != 0 || second.Edits != nil {
		t.Errorf("a call that fits was changed: %+v", second)
	}
	mustSpend(t, meter, coinCall{limit: 5000, tokens: 100})
	if refused := mustRefuse(t, meter, coinCall{limit: 5000}); refused.OutputTokens != 199 { // below the floor of 200
		t.Errorf("%+v", refused)
	}
	if got := meter.Guard().Snapshot()[0].Refusals; got != 1 {
		t.Errorf("%d refusals counted, want the one call that was refused", got)
	}
}

// Whatever is in flight and whatever is asked for, a fitted call holds no more than is left, and its limit is the largest.
func TestFitUnderLoad(t *testing.T) {
	t.Parallel()
	provider := &coinProvider{}
	meter := coinMeter(t, provider, farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(20), WhenFull: farebox.Fit, MinOutputTokens: 1}))
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(2, uint64(worker)))
			for range 30 {
				err := coinCall{limit: 1 + rng.Int64N(400), tokens: 1}.on(meter)
				if err != nil && !errors.Is(err, farebox.ErrBudgetExceeded) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if s := meter.Guard().Snapshot()[0]; s.Cap.Less(s.Spent) || s.Overruns != 0 || s.Spent != farebox.Cents(provider.billed()) {
		t.Errorf("%+v, billed %d", s, provider.billed())
	}
}

func TestFitOfRequestsThatHaveNoLimit(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{"api.openai.com": `"max_completion_tokens":100}`, "api.deepseek.com": `"max_tokens":100}`} {
		var sent string
		meter := newMeter(t, farebox.WithPrice("coin", coinRates("0.01")), farebox.WithBaseTransport(roundTripper(func(req *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(req.Body)
			sent = string(body)
			return reply(200, `{"usage":{"prompt_tokens":1,"completion_tokens":1}}`), err
		})), farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1)}))
		ctx := farebox.ContextWithWhenFull(t.Context(), farebox.Fit)
		resp, err := postWith(ctx, t, meter.HTTPClient(), "https://"+host+"/v1", strings.NewReader(`{"model":"coin","messages":[]}`))
		must(t, err)
		finish(t, resp)
		if !strings.HasSuffix(sent, want) || !json.Valid([]byte(sent)) {
			t.Errorf("%s was sent %s, want it to end in %s", host, sent, want)
		}
	}
}

// waitingMeter has a budget of a dollar an hour that waits.
func waitingMeter(t *testing.T, provider http.RoundTripper) *farebox.Meter {
	return coinMeter(t, provider, farebox.WithBudget(
		farebox.Budget{Name: "b", Cap: farebox.Dollars(1), Window: farebox.Hourly, WhenFull: farebox.Wait}))
}

func TestWaitForSettle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		meter := waitingMeter(t, &coinProvider{})
		first, err := coinCall{limit: 100, tokens: 10}.start(meter)
		must(t, err)
		var order []int64
		var mu sync.Mutex
		for _, limit := range []int64{90, 60, 40} {
			go func() {
				resp, err := coinCall{limit: limit, tokens: 1}.start(meter)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, limit)
				mu.Unlock()
				time.Sleep(time.Minute)
				finish(t, resp)
			}()
			synctest.Wait()
		}
		if s := meter.Guard().Snapshot()[0]; s.Waiting != 3 {
			t.Errorf("%d calls wait, want 3", s.Waiting)
		}
		finish(t, first)
		synctest.Wait()
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if fmt.Sprint(order) != "[90 60 40]" {
			t.Errorf("admitted in the order %v, want that of their coming", order)
		}
		if s := meter.Guard().Snapshot()[0]; s.Refusals != 0 || s.Waiting != 0 || s.Spent != farebox.Cents(13) || !s.Held.IsZero() {
			t.Errorf("%+v", s)
		}
	})
}

func TestWaitForTheWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		meter := waitingMeter(t, &coinProvider{})
		mustSpend(t, meter, coinCall{limit: 100, tokens: 100})
		reset := meter.Guard().Snapshot()[0].ResetAt
		mustSpend(t, meter, coinCall{limit: 100, tokens: 1})
		if now := time.Now(); !now.Equal(reset) {
			t.Errorf("admitted at %v, the window turned at %v", now, reset)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		mustSpend(t, meter, coinCall{limit: 99, tokens: 99})
		_, err := postWith(ctx, t, meter.HTTPClient(), "https://acme.test/v1", strings.NewReader(`{"model":"coin","max_tokens":5,"messages":[]}`))
		var refused *farebox.BudgetError
		if !errors.As(err, &refused) || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, farebox.ErrRefused) || !time.Now().Equal(begin) {
			t.Errorf("a call that cannot live to the turn of the window: %v, after %s", err, time.Since(begin))
		}
	})
}

func TestWaitEnds(t *testing.T) {
	t.Parallel()
	call := `{"model":"coin","max_tokens":5,"messages":[]}`
	for name, end := range map[string]struct {
		stop func(*farebox.Meter, context.CancelFunc)
		is   error // nil: the call goes through
	}{
		"cancelled": {func(_ *farebox.Meter, cancel context.CancelFunc) { cancel() }, context.Canceled},
		"closed":    {func(m *farebox.Meter, _ context.CancelFunc) { go func() { _ = m.Close(context.Background()) }() }, farebox.ErrClosed},
		"paused":    {func(m *farebox.Meter, _ context.CancelFunc) { m.Guard().Pause(farebox.Target{Budget: "b"}) }, farebox.ErrPaused},
		"topped up": {func(m *farebox.Meter, _ context.CancelFunc) { _ = m.Guard().TopUp("b", "", farebox.Dollars(1)) }, nil},
		"removed":   {func(m *farebox.Meter, _ context.CancelFunc) { m.Guard().Remove("b") }, nil},
		"changed": {func(m *farebox.Meter, _ context.CancelFunc) {
			_ = m.Guard().Set(farebox.Budget{Name: "b", Cap: farebox.Dollars(5), Window: farebox.Daily})
		}, nil},
		"timed out": {func(*farebox.Meter, context.CancelFunc) { time.Sleep(time.Hour) }, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(
					farebox.Budget{Name: "b", Cap: farebox.Dollars(1), WhenFull: farebox.Wait}))
				first, err := coinCall{limit: 100, tokens: 10}.start(meter)
				must(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), 59*time.Minute)
				defer cancel()
				done := make(chan error, 1)
				go func() {
					resp, err := postWith(ctx, t, meter.HTTPClient(), "https://acme.test/v1", strings.NewReader(call))
					if err == nil {
						finish(t, resp)
					}
					done <- err
				}()
				synctest.Wait()
				time.Sleep(time.Second)
				end.stop(meter, cancel)
				if err := <-done; !errors.Is(err, end.is) || (err == nil) != (end.is == nil) {
					t.Errorf("%v, want %v", err, end.is)
				}
				finish(t, first)
				synctest.Wait()
				for _, s := range meter.Guard().Snapshot() {
					if !s.Held.IsZero() || s.InFlight != 0 || s.Waiting != 0 {
						t.Errorf("%+v", s)
					}
				}
			})
		})
	}
}

// The time that a Client's call waits is not that of its attempt.
func TestWaitingIsNotTheAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, err := farebox.New(farebox.Compatible("acme", "https://acme.test/v1", coinKey),
			farebox.WithBaseTransport(&coinProvider{}), farebox.WithPrice("coin", coinRates("0.01")), farebox.WithAttemptTimeout(time.Second),
			farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1), Window: farebox.Hourly}))
		must(t, err)
		meter := client.Meter()
		mustSpend(t, meter, coinCall{limit: 100, tokens: 100})
		request := chatRequest()
		request.Model, request.MaxTokens = "coin", 10
		_, err = client.CreateChatCompletion(t.Context(), request)
		if !errors.Is(err, farebox.ErrBudgetExceeded) {
			t.Errorf("without Wait: %v", err)
		}
		if _, err = client.CreateChatCompletion(t.Context(), request, farebox.WithWhenFull(farebox.Wait)); err != nil {
			t.Errorf("with Wait: %v", err)
		}
		if _, err = client.CreateChatCompletion(t.Context(), request, farebox.WithWhenFull("sleep")); err == nil {
			t.Error("an unknown WhenFull was taken")
		}
	})
}

// Many calls of all sizes that wait: all are served, and the cap holds at every moment.
func TestWaitUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		provider := &coinProvider{}
		meter := waitingMeter(t, provider)
		var wg sync.WaitGroup
		for worker := range 200 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(3, uint64(worker)))
				tokens := rng.Int64N(4)
				resp, err := coinCall{limit: tokens + rng.Int64N(90), tokens: tokens}.start(meter)
				if tokens == 0 && err != nil {
					return // without a limit it never fits
				}
				if err != nil {
					t.Error(err)
					return
				}
				if s := meter.Guard().Snapshot()[0]; s.Cap.Less(s.Spent.Add(s.Held)) {
					t.Errorf("%s spent and %s held", s.Spent, s.Held)
				}
				time.Sleep(time.Duration(rng.Int64N(int64(time.Minute))))
				finish(t, resp)
			})
		}
		wg.Wait()
		if s := meter.Guard().Snapshot()[0]; !s.Held.IsZero() || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}
