package farebox_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox"
)

// router is an OpenRouter whose streams break off, and that knows what they cost after so many questions.
type router struct {
	unknown int // times that it answers 404
	status  int // of what it answers then; 0: 200
	figure  string

	mu    sync.Mutex
	asked []time.Time
	keys  []string
}

func (r *router) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if req.Method == http.MethodPost {
		resp := reply(200, `data: {"id":"gen-7","choices":[{"index":0,"delta":{"content":"wor"}}]}`+"\n\n", "Content-Type", "text/event-stream")
		return resp, nil
	}
	r.asked = append(r.asked, time.Now())
	r.keys = append(r.keys, req.Header.Get("Authorization")+" "+req.URL.RequestURI())
	switch {
	case len(r.asked) <= r.unknown:
		return reply(404, `{"error":{"code":404,"message":"not found"}}`), nil
	case r.status != 0:
		return reply(r.status, `{"error":{"message":"no"}}`), nil
	}
	return reply(200, r.figure), nil
}

func (r *router) times() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.asked)
}

func reconcilingMeter(t *testing.T, provider http.RoundTripper) *farebox.Meter {
	t.Helper()
	meter, err := farebox.NewMeter(farebox.WithBaseTransport(provider), farebox.WithPrice("coin", coinRates("0.01")),
		farebox.WithEndpoint(farebox.OpenRouter(testKey)), farebox.WithReconciliation(),
		farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(10)}))
	must(t, err)
	return meter
}

func cutStream(t *testing.T, meter *farebox.Meter, key string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://openrouter.ai/api/v1/chat/completions",
		strings.NewReader(`{"model":"coin","max_tokens":100,"stream":true,"messages":[]}`))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := meter.HTTPClient().Do(req)
	must(t, err)
	_, _ = io.Copy(io.Discard, resp.Body)
	must(t, resp.Body.Close())
}

func TestReconciliation(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		router *router
		key    string
		spent  farebox.Money
		asked  int
	}{
		"after a while":      {&router{unknown: 3, figure: `{"data":{"id":"gen-7","total_cost":0.0123,"is_byok":false,"upstream_inference_cost":9}}`}, testKey, farebox.MustMoney("0.0123"), 4},
		"a key of one's own": {&router{figure: `{"data":{"total_cost":0.01,"is_byok":true,"upstream_inference_cost":2.5e-1}}`}, testKey, farebox.MustMoney("0.26"), 1},
		"never":              {&router{unknown: 99}, testKey, farebox.Dollars(1), 9},
		"not allowed":        {&router{status: 403}, testKey, farebox.Dollars(1), 1},
		"no figure":          {&router{figure: `{"data":{"total_cost":null}}`}, testKey, farebox.Dollars(1), 1},
		"a negative one":     {&router{figure: `{"data":{"total_cost":-1}}`}, testKey, farebox.Dollars(1), 1},
		"another key":        {&router{figure: `{"data":{"total_cost":0}}`}, "sk-of-somebody-else", farebox.Dollars(1), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				meter := reconcilingMeter(t, test.router)
				cutStream(t, meter, test.key)
				if s := meter.Guard().Snapshot()[0]; s.Spent != farebox.Dollars(1) {
					t.Errorf("before: %s", s.Spent)
				}
				time.Sleep(10 * time.Minute)
				s, total := meter.Guard().Snapshot()[0], meter.Ledger().Total()
				if s.Spent != test.spent || total.Cost != test.spent || test.router.times() != test.asked {
					t.Errorf("%s spent, %s in the ledger, asked %d times; want %s, %d", s.Spent, total.Cost, test.router.times(), test.spent, test.asked)
				}
				if test.asked > 0 && test.router.keys[0] != "Bearer "+testKey+" /api/v1/generation?id=gen-7" {
					t.Errorf("asked with %q", test.router.keys[0])
				}
				must(t, meter.Close(t.Context()))
			})
		})
	}
}

// Close has a last look, however long the next try is away.
func TestReconciliationAtClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		provider := &router{unknown: 6, figure: `{"data":{"total_cost":0.5}}`}
		meter := reconcilingMeter(t, provider)
		cutStream(t, meter, testKey)
		time.Sleep(10 * time.Second)
		begin := time.Now()
		must(t, meter.Close(t.Context()))
		if took := time.Since(begin); took > 2*time.Second || meter.Ledger().Total().Cost != farebox.Cents(50) {
			t.Errorf("Close took %s, cost %s", took, meter.Ledger().Total().Cost)
		}

		meter = reconcilingMeter(t, &router{unknown: 1 << 30})
		cutStream(t, meter, testKey)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := meter.Close(ctx); err == nil || meter.Ledger().Total().Cost != farebox.Dollars(1) {
			t.Errorf("a Close that ran out of time: %v", err)
		}
	})
}

// TestReconciliationOfAnEarlierProcess: what a process left open the next one looks up, once.
func TestReconciliationOfAnEarlierProcess(t *testing.T) {
	t.Parallel()
	provider, folder := &router{figure: `{"data":{"id":"gen-7","total_cost":0.0123}}`}, t.TempDir()
	start := func(more ...farebox.MeterOption) *farebox.Meter {
		meter, err := farebox.NewMeter(append(more, farebox.WithBaseTransport(provider), farebox.WithPrice("coin", coinRates("0.01")),
			farebox.WithEndpoint(farebox.OpenRouter(testKey)), farebox.WithJournal(folder),
			farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(10)}))...)
		must(t, err)
		return meter
	}
	first := start()
	cutStream(t, first, testKey)
	must(t, first.Close(t.Context()))
	for range 2 {
		next := start(farebox.WithReconciliation())
		must(t, next.Close(t.Context()))
		if total := next.Ledger().Total().Cost; total != farebox.MustMoney("0.0123") || provider.times() != 1 {
			t.Errorf("the ledger has %s, the provider was asked %d times", total, provider.times())
		}
	}
	last := start()
	if spent := last.Guard().Snapshot()[0].Spent; spent != farebox.MustMoney("0.0123") {
		t.Errorf("the budget stands at %s", spent)
	}
	must(t, last.Close(t.Context()))
}
