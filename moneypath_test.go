package farebox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"weak"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/farebox-go/farebox"
)

// dollar is a budget that every test here has room in.
var dollar = farebox.WithBudget(farebox.Budget{Name: "dollar", Cap: farebox.Dollars(1)})

// bookedIn is what the one budget of a Meter has spent, nothing being held.
func bookedIn(t *testing.T, meter *farebox.Meter) farebox.Money {
	t.Helper()
	status := meter.Guard().Snapshot()[0]
	if !status.Held.IsZero() || status.InFlight != 0 {
		t.Errorf("%s is held by %d calls", status.Held, status.InFlight)
	}
	return status.Spent
}

// TestSentOnce: net/http sends a request with an idempotency key again where the connection breaks. Under a meter it must
// not: the second one would be billed and have no receipt.
func TestSentOnce(t *testing.T) {
	t.Parallel()
	p := serve(t, inTurn(answers(200, chatAnswer), hangUp, answers(200, chatAnswer)))
	meter := newMeter(t, dollar)
	client := meter.HTTPClient()
	var last *http.Request
	for range 2 { // the second goes over the connection of the first
		req, err := http.NewRequest(http.MethodPost, p.URL+"/v1/chat/completions", strings.NewReader(chatJSON))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Idempotency-Key", "k")
		last = req
		if resp, err := client.Do(req); err == nil {
			readAll(t, resp)
		}
	}
	if n := len(p.requests()); n != 2 || n != len(ledger(meter)) {
		t.Errorf("%d requests, receipts %v", n, ledger(meter))
	}
	for _, seen := range p.requests() {
		if got := seen.header.Values("Idempotency-Key"); len(got) != 1 || got[0] != "k" {
			t.Errorf("the provider saw the keys %q", got)
		}
	}
	if got := last.Header.Get("Idempotency-Key"); got != "k" {
		t.Errorf("the caller's header now has %q", got)
	}
}

// TestContextOfAnAnswer: a request made with the context of an answered one is metered like any other.
func TestContextOfAnAnswer(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	meter := newMeter(t, dollar)
	client := &http.Client{Transport: meter.Transport(meter.Transport(nil))} // metered twice, counted once
	resp := mustPost(t, client, p.URL, chatJSON)
	readAll(t, resp)
	next, err := postWith(resp.Request.Context(), t, client, p.URL, strings.NewReader(chatJSON))
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, next)
	if n := len(ledger(meter)); n != 2 || bookedIn(t, meter) != chatCost.Mul(2) {
		t.Errorf("%d receipts, %s spent", n, bookedIn(t, meter))
	}
}

type panickingBody struct{ head io.Reader }

func (b *panickingBody) Read(p []byte) (int, error) {
	if n, _ := b.head.Read(p); n > 0 {
		return n, nil
	}
	panic("body")
}

func (*panickingBody) Close() error { return nil }

// swallow runs what panics.
func swallow(f func()) (cause any) {
	defer func() { cause = recover() }()
	f()
	return nil
}

// TestPanicsBelow: whatever panics below or beside the meter, the hold ends, in full, and the panic goes on.
func TestPanicsBelow(t *testing.T) {
	t.Parallel()
	body := func(text string) farebox.MeterOption {
		return farebox.WithBaseTransport(roundTripper(func(*http.Request) (*http.Response, error) {
			resp := reply(200, "")
			resp.Body = &panickingBody{strings.NewReader(text)}
			return resp, nil
		}))
	}
	for name, c := range map[string]struct {
		option farebox.MeterOption
		read   bool
	}{
		"in a read":          {body(`{"choices":[`), true},
		"in a close":         {body(`{"choices":[`), false}, // which reads on, to find the usage
		"in the transport":   {farebox.WithBaseTransport(roundTripper(func(*http.Request) (*http.Response, error) { panic("transport") })), false},
		"in a tracer":        {farebox.WithTracerProvider(panickingTracers{}), false},
		"exits in transport": {farebox.WithBaseTransport(roundTripper(func(*http.Request) (*http.Response, error) { runtime.Goexit(); return nil, nil })), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			meter := newMeter(t, dollar, c.option)
			done := make(chan any)
			go func() {
				defer close(done)
				done <- swallow(func() {
					resp := mustPost(t, meter.HTTPClient(), "https://api.openai.com", chatJSON)
					if c.read {
						_, _ = io.ReadAll(resp.Body)
					} else {
						buf := make([]byte, 8)
						_, _ = resp.Body.Read(buf)
						_ = resp.Body.Close()
					}
				})
			}()
			if cause, ended := <-done; ended && cause == nil {
				t.Error("the panic did not go on")
			}
			receipt := onlyReceipt(t, meter)
			if receipt.Source != farebox.Held || bookedIn(t, meter).IsZero() || bookedIn(t, meter) != receipt.Budgets[0].Held {
				t.Errorf("%s, %s spent", receipt, bookedIn(t, meter))
			}
		})
	}
}

type panickingTracers struct{ noop.TracerProvider }

func (panickingTracers) Tracer(string, ...trace.TracerOption) trace.Tracer { return panickingTracer{} }

type panickingTracer struct{ noop.Tracer }

func (panickingTracer) Start(context.Context, string, ...trace.SpanStartOption) (context.Context, trace.Span) {
	panic("tracer")
}

// TestDearerServiceTier: where a price has nothing to say on a service tier, a dearer one is held and booked at two and a
// half times the standard price, and a cheaper one at that.
func TestDearerServiceTier(t *testing.T) {
	t.Parallel()
	const asked = `{"model":"test-model","max_tokens":100,"service_tier":"priority","messages":[]}`
	tiered := func(tier string) string {
		return strings.Replace(chatAnswer, `"choices"`, `"service_tier":"`+tier+`","choices"`, 1)
	}
	for name, c := range map[string]struct {
		request, answer string
		cost            farebox.Money
		source          farebox.Source
	}{
		"asked and served":      {asked, tiered("priority"), farebox.MustMoney("0.0003"), farebox.Estimated},
		"asked, not mentioned":  {asked, chatAnswer, farebox.MustMoney("0.0003"), farebox.Estimated},
		"asked, served below":   {asked, tiered("default"), chatCost, farebox.Computed},
		"served without asking": {chatJSON, tiered("priority"), farebox.MustMoney("0.0003"), farebox.Estimated},
		"a cheaper one":         {chatJSON, tiered("flex"), chatCost, farebox.Estimated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, answers(200, c.answer))
			meter := newMeter(t, dollar)
			readAll(t, mustPost(t, meter.HTTPClient(), p.URL, c.request))
			r := onlyReceipt(t, meter)
			if r.Cost != c.cost || r.Source != c.source || bookedIn(t, meter) != c.cost {
				t.Errorf("%s, want %s %s; %s spent", r, c.cost, c.source, bookedIn(t, meter))
			}
			if r.HasFlag(farebox.FlagAssumedTier) != (c.source == farebox.Estimated) || r.HasFlag(farebox.FlagOverrun) {
				t.Errorf("flags %v", r.Flags)
			}
			if most := farebox.MustMoney("0.0008"); c.request == asked && r.Quote.Most.Less(most) {
				t.Errorf("held at %s, less than two and a half times 136 input and 100 output tokens", r.Quote.Most)
			}
		})
	}
}

// TestUnknownIsCharged: what an answer leaves open is never booked as nothing.
func TestUnknownIsCharged(t *testing.T) {
	t.Parallel()
	usage := func(more string) string { return strings.Replace(chatAnswer, `"total_tokens":110`, more, 1) }
	runningTotal := `data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}` + "\n\n"
	for name, c := range map[string]struct {
		request string
		handler http.HandlerFunc
		cost    string // empty: the hold
		source  farebox.Source
		flag    farebox.Flag
	}{
		"the upstream's bill": {chatJSON, answers(200, usage(`"cost":0.00001,"is_byok":true`)), "0.00013", farebox.Computed, ""},
		"a search without a price": {chatJSON, answers(200, usage(`"server_tool_use":{"web_search_requests":2}`)), "",
			farebox.Computed, farebox.FlagIncompletePrice},
		"one of two choices, broken off": {strings.Replace(streamJSON, `"stream"`, `"n":2,"stream"`, 1),
			func(w http.ResponseWriter, r *http.Request) { streams(runningTotal)(w, r); panic(http.ErrAbortHandler) }, "", farebox.Held, ""},
		"a running total, ended by the connection": {streamJSON, streams(strings.Replace(runningTotal, `"stop"`, "null", 1)), "", farebox.Held, ""},
		"a stream whose head names a cost": {streamJSON, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Litellm-Response-Cost", "0.0")
			streams(wholeStream)(w, r)
		}, "0.00012", farebox.Computed, ""},
		"an encoding that is none": {chatJSON, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "identity")
			answers(200, chatAnswer)(w, r)
		}, "0.00012", farebox.Computed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, c.handler)
			meter := newMeter(t, dollar)
			resp := mustPost(t, meter.HTTPClient(), p.URL, c.request)
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			r := onlyReceipt(t, meter)
			want := r.Budgets[0].Held
			if c.cost != "" {
				want = farebox.MustMoney(c.cost)
			}
			if r.Source != c.source || bookedIn(t, meter) != want || c.cost != "" && r.Cost != want {
				t.Errorf("%s, %s spent, want %s %s", r, bookedIn(t, meter), want, c.source)
			}
			if c.flag != "" && !r.HasFlag(c.flag) {
				t.Errorf("flags %v", r.Flags)
			}
		})
	}
}

// TestScopesSeeFallbacks: a budget on a model applies to a request that names it as one that may serve instead.
func TestScopesSeeFallbacks(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	meter := newMeter(t, farebox.WithPrice("other", testRates),
		farebox.WithBudget(farebox.Budget{Name: "none", Scope: farebox.Scope{Model: "test-model"}}))
	for _, body := range []string{
		`{"model":"other","models":["test-model"],"messages":[]}`, `{"models":["other","test-model"],"messages":[]}`,
	} {
		_, err := post(t, meter.HTTPClient(), p.URL, body)
		if !errors.Is(err, farebox.ErrBudgetExceeded) {
			t.Errorf("%s: %v", body, err)
		}
	}
	readAll(t, mustPost(t, meter.HTTPClient(), p.URL, `{"model":"other","messages":[]}`))
	if n := len(p.requests()); n != 1 {
		t.Errorf("%d requests were sent", n)
	}
}

// TestEndpointHoweverWritten: a budget on an endpoint is not evaded by another way to write its host.
func TestEndpointHoweverWritten(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	meter := newMeter(t, farebox.WithEndpoint(farebox.OpenAI(testKey).WithName("mine")),
		farebox.WithBudget(farebox.Budget{Name: "none", Scope: farebox.Scope{Endpoint: "mine"}}),
		farebox.WithBaseTransport(roundTripper(func(*http.Request) (*http.Response, error) {
			reached.Add(1)
			return reply(200, chatAnswer), nil
		})))
	for _, base := range []string{"https://api.openai.com", "https://API.OpenAI.com", "https://api.openai.com:443"} {
		if _, err := post(t, meter.HTTPClient(), base, chatJSON); !errors.Is(err, farebox.ErrBudgetExceeded) {
			t.Errorf("%s: %v", base, err)
		}
	}
	for _, base := range []string{"https://api.openai.com:8443", "https://api.openai.com/v11"} {
		readAll(t, mustPost(t, meter.HTTPClient(), base, chatJSON))
	}
	if reached.Load() != 2 {
		t.Errorf("%d requests were sent, want the 2 to other places", reached.Load())
	}
}

// TestUnreadableRequest: a body that farebox cannot read, and a lenient server may, is held at a token for each byte.
func TestUnreadableRequest(t *testing.T) {
	t.Parallel()
	p := serve(t, hangUp)
	meter := newMeter(t, dollar, farebox.WithUnpricedRates(farebox.Rates{
		farebox.DimensionInput: farebox.MustRate("0.00001"), farebox.DimensionOutput: {},
	}))
	_, err := post(t, meter.HTTPClient(), p.URL, `{"model":"m","temperature":NaN,}`+strings.Repeat(" ", 50_000))
	if err == nil {
		t.Fatal("no error")
	}
	if got := bookedIn(t, meter); got.Less(farebox.Cents(50)) {
		t.Errorf("%s held for 50,000 bytes at a cent per thousand", got)
	}
}

type prompt [1 << 10]byte

type promptKey struct{}

// TestHeldReceiptsForgetTheirRequest: what waits to be reconciled keeps nothing of the call's context.
func TestHeldReceiptsForgetTheirRequest(t *testing.T) {
	t.Parallel()
	meter := newMeter(t, dollar, farebox.WithBaseTransport(roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, io.ErrUnexpectedEOF
	})))
	kept := func() weak.Pointer[prompt] {
		secret := new(prompt)
		ctx := context.WithValue(context.Background(), promptKey{}, secret)
		_, err := postWith(ctx, t, meter.HTTPClient(), "https://api.openai.com", strings.NewReader(chatJSON))
		if err == nil {
			t.Error("no error")
		}
		return weak.Make(secret)
	}()
	waitFor(t, "the context is let go", func() bool {
		runtime.GC()
		return kept.Value() == nil
	})
	receipt := onlyReceipt(t, meter)
	if _, err := meter.Reconcile(receipt.ID, farebox.Cents(1), "invoice"); err != nil || bookedIn(t, meter) != farebox.Cents(1) {
		t.Errorf("Reconcile: %v, %s spent", err, bookedIn(t, meter))
	}
}
