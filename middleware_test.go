package farebox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// emptyBudget is a budget that has room for no call.
var emptyBudget = farebox.WithBudget(farebox.Budget{Name: "spent"})

// chatTo is a chat request as an SDK makes it.
func chatTo(t *testing.T, ctx context.Context, base string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/chat/completions", strings.NewReader(chatJSON))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	return req
}

// retryingSDK calls as openai-go and anthropic-sdk-go do: it tries every error again, unless an answer beside the error says
// not to. It returns how often it tried.
func retryingSDK(ctx context.Context, t *testing.T, base string, numbered bool, do func(*http.Request) (*http.Response, error)) (tries int, err error) {
	t.Helper()
	const maxTries = 3
	for tries < maxTries {
		req := chatTo(t, ctx, base)
		if numbered {
			req.Header.Set("X-Stainless-Retry-Count", strconv.Itoa(tries))
		}
		var resp *http.Response
		resp, err = do(req)
		tries++
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			return tries, nil
		}
		if resp != nil {
			if resp.Body == nil {
				t.Error("an answer without a body")
			}
			if resp.Header.Get("x-should-retry") == "false" {
				break
			}
		}
	}
	return tries, err
}

// checkRefused checks that an error is the refusal of one call, of which nothing was sent.
func checkRefused(t *testing.T, err error, meter *farebox.Meter, p *provider) {
	t.Helper()
	var refused *farebox.BudgetError
	if !errors.As(err, &refused) || refused.Budget != "spent" || !errors.Is(err, farebox.ErrRefused) {
		t.Errorf("error %v, want the refusal", err)
	}
	if n := meter.Guard().Snapshot()[0].Refusals; n != 1 {
		t.Errorf("%d refusals counted, want 1", n)
	}
	if n := len(p.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestDoerAndMiddlewareEndARefusedCallAtOnce(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]func(*farebox.Meter) func(*http.Request) (*http.Response, error){
		"Doer": func(m *farebox.Meter) func(*http.Request) (*http.Response, error) { return m.Doer().Do },
		"Middleware": func(m *farebox.Meter) func(*http.Request) (*http.Response, error) {
			middleware := m.Middleware()
			return func(req *http.Request) (*http.Response, error) { return middleware(req, http.DefaultClient.Do) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, answers(200, chatAnswer))
			meter := newMeter(t, emptyBudget)
			tries, err := retryingSDK(context.Background(), t, p.URL, true, form(meter))
			if tries != 1 {
				t.Errorf("%d tries, want 1", tries)
			}
			checkRefused(t, err, meter, p)
		})
	}
}

// TestEveryFormMeters sends a call through each way into the Meter.
func TestEveryFormMeters(t *testing.T) {
	t.Parallel()
	chain := func(base http.RoundTripper, wrap func(http.RoundTripper) http.RoundTripper) http.RoundTripper {
		return wrap(base)
	}
	for name, form := range map[string]func(*farebox.Meter) func(*http.Request) (*http.Response, error){
		"HTTPClient": func(m *farebox.Meter) func(*http.Request) (*http.Response, error) { return m.HTTPClient().Do },
		"Doer":       func(m *farebox.Meter) func(*http.Request) (*http.Response, error) { return m.Doer().Do },
		"round trippers": func(m *farebox.Meter) func(*http.Request) (*http.Response, error) {
			return chain(http.DefaultTransport, m.Transport).RoundTrip
		},
		"Middleware": func(m *farebox.Meter) func(*http.Request) (*http.Response, error) {
			return through(m.Middleware(), http.DefaultClient.Do)
		},
		"one over another": func(m *farebox.Meter) func(*http.Request) (*http.Response, error) {
			return through(m.Middleware(), m.Doer().Do)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, answers(200, chatAnswer))
			meter := newMeter(t, farebox.WithRefuseUnmetered(), farebox.WithBudget(farebox.Budget{Name: "all", Cap: farebox.Dollars(1)}))
			resp, err := form(meter)(chatTo(t, context.Background(), p.URL))
			if err != nil {
				t.Fatal(err)
			}
			if body := readAll(t, resp); body != chatAnswer {
				t.Errorf("body %q", body)
			}
			if r := onlyReceipt(t, meter); r.Cost != chatCost {
				t.Errorf("receipt %v", r)
			}
			p.only(t)
		})
	}
}

type middleware = func(*http.Request, func(*http.Request) (*http.Response, error)) (*http.Response, error)

func through(m middleware, next func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) { return m(req, next) }
}

// TestDoerLeavesOtherErrorsToTheSDK: only a refusal is final.
func TestDoerLeavesOtherErrorsToTheSDK(t *testing.T) {
	t.Parallel()
	p := serve(t, inTurn(hangUp, hangUp, answers(200, chatAnswer)))
	meter := newMeter(t)
	tries, err := retryingSDK(context.Background(), t, p.URL, true, meter.Doer().Do)
	if tries != 3 || err != nil || len(ledger(meter)) != 3 {
		t.Errorf("%d tries, error %v, %d receipts", tries, err, len(ledger(meter)))
	}
}

func TestARefusedCallThatIsTriedAgainIsOneRefusal(t *testing.T) {
	t.Parallel()
	cancellable, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	for _, tt := range []struct {
		name     string
		ctx      context.Context
		numbered bool
		want     int64
	}{
		{"numbered by the SDK", context.Background(), true, 1},
		{"under one context", cancellable, false, 1},
		{"nothing in common but its looks", context.Background(), false, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, answers(200, chatAnswer))
			meter := newMeter(t, emptyBudget)
			tries, err := retryingSDK(tt.ctx, t, p.URL, tt.numbered, meter.HTTPClient().Do)
			if tries != 3 || !errors.Is(err, farebox.ErrRefused) || len(p.requests()) != 0 {
				t.Errorf("%d tries, error %v, %d sent", tries, err, len(p.requests()))
			}
			if n := meter.Guard().Snapshot()[0].Refusals; n != tt.want {
				t.Errorf("%d refusals counted, want %d", n, tt.want)
			}
		})
	}
}

// TestTwoCallsAreTwoRefusals: the same request under the same context and numbered as a first attempt is another call.
func TestTwoCallsAreTwoRefusals(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	meter := newMeter(t, emptyBudget)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for range 2 {
		if _, err := retryingSDK(ctx, t, p.URL, true, meter.Doer().Do); !errors.Is(err, farebox.ErrBudgetExceeded) {
			t.Errorf("error %v", err)
		}
	}
	if n := meter.Guard().Snapshot()[0].Refusals; n != 2 {
		t.Errorf("%d refusals counted, want 2", n)
	}
}

// TestARetryIsAdmittedOnceThereIsRoom: a refusal is remembered to be counted once, not to be repeated.
func TestARetryIsAdmittedOnceThereIsRoom(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		answers(200, chatAnswer)(w, r)
	})
	meter := newMeter(t, farebox.WithBudget(farebox.Budget{Name: "one at a time", Cap: farebox.MustMoney("0.0005")}))
	client := meter.HTTPClient()
	first := make(chan *http.Response, 1)
	go func() {
		resp, err := client.Do(chatTo(t, context.Background(), p.URL))
		if err != nil {
			t.Error(err)
		}
		first <- resp
	}()
	waitFor(t, "the first call is in flight", func() bool { return len(p.requests()) == 1 })

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var refused *farebox.BudgetError
	if _, err := client.Do(chatTo(t, ctx, p.URL)); !errors.As(err, &refused) || refused.Reason != farebox.ReasonContended {
		t.Fatalf("error %v, want that the first call's hold is in the way", err)
	}
	close(release)
	_ = readAll(t, <-first)
	resp, err := client.Do(chatTo(t, ctx, p.URL))
	if err != nil {
		t.Fatalf("the retry: %v", err)
	}
	_ = readAll(t, resp)
}
