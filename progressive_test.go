package farebox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/farebox-go/farebox"
)

// talker streams so many tokens of four bytes, each of which it bills, until its stream is cancelled.
type talker struct {
	tokens int
	usage  bool // it ends with one
	billed atomic.Int64
	wg     sync.WaitGroup
}

func (p *talker) RoundTrip(req *http.Request) (*http.Response, error) {
	reader, writer := io.Pipe()
	p.wg.Go(func() {
		stop := context.AfterFunc(req.Context(), func() { _ = writer.CloseWithError(context.Cause(req.Context())) })
		defer stop()
		for range p.tokens {
			if _, err := io.WriteString(writer, `data: {"id":"gen-1","model":"coin","choices":[{"index":0,"delta":{"content":"word"}}]}`+"\n\n"); err != nil {
				return
			}
			p.billed.Add(1)
		}
		end := `data: {"id":"gen-1","model":"coin","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
		if p.usage {
			end += fmt.Sprintf(`data: {"id":"gen-1","choices":[],"usage":{"prompt_tokens":0,"completion_tokens":%d}}`+"\n\n", p.tokens)
		}
		_, _ = io.WriteString(writer, end+"data: [DONE]\n\n")
		_ = writer.Close()
	})
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: reader, Request: req}, nil
}

const streamCall = `{"model":"coin","max_tokens":4000,"stream":true,"stream_options":{"include_usage":true},"messages":[]}`

func progressiveMeter(t *testing.T, provider http.RoundTripper, limit farebox.Money, options ...farebox.MeterOption) *farebox.Meter {
	t.Helper()
	options = append([]farebox.MeterOption{
		farebox.WithCatalog(&farebox.Catalog{}), farebox.WithBaseTransport(provider), farebox.WithPrice("coin", coinRates("0.01")),
		farebox.WithEndpoint(farebox.Compatible("acme", "https://acme.test/v1", coinKey).WithCancellableStreams()),
		farebox.WithBudget(farebox.Budget{Name: "b", Cap: limit, Hold: farebox.Progressive}),
	}, options...)
	meter, err := farebox.NewMeter(options...)
	must(t, err)
	return meter
}

func TestProgressiveCut(t *testing.T) {
	t.Parallel()
	provider := &talker{tokens: 4000}
	meter := progressiveMeter(t, provider, farebox.Dollars(10))
	resp, err := post(t, meter.HTTPClient(), "https://acme.test/v1", streamCall)
	must(t, err)
	text, err := io.ReadAll(resp.Body)
	if !errors.Is(err, farebox.ErrBudgetCut) || errors.Is(err, farebox.ErrBudgetExceeded) || errors.Is(err, farebox.ErrRefused) {
		t.Errorf("the stream ended with %v", err)
	}
	if _, again := resp.Body.Read(make([]byte, 1)); !errors.Is(again, farebox.ErrBudgetCut) {
		t.Errorf("the next Read: %v", again)
	}
	must(t, resp.Body.Close())
	provider.wg.Wait()
	r, s := onlyReceipt(t, meter), meter.Guard().Snapshot()[0]
	words := int64(strings.Count(string(text), "word"))
	if words < 400 || words > 500 || provider.billed.Load()-words > 2 { // $10 is 1,000 tokens, held at two bytes each
		t.Errorf("%d words came through, %d were billed", words, provider.billed.Load())
	}
	if !r.Partial || r.Source != farebox.Estimated || r.ErrorType != "budget_cut" || r.Usage.Output != words || r.Cost != farebox.Cents(words) {
		t.Errorf("receipt: %+v", r)
	}
	if s.Cap.Less(s.Spent) || s.Spent.Less(farebox.Cents(900)) || s.Overruns != 0 || !s.Held.IsZero() || s.Refusals != 1 {
		t.Errorf("%+v", s)
	}
	if _, err := meter.Reconcile(r.ID, farebox.Cents(words), "generation"); err != nil || meter.Guard().Snapshot()[0].Spent != farebox.Cents(words) {
		t.Errorf("reconciled: %v, %+v", err, meter.Guard().Snapshot()[0])
	}
}

// Calls that may be long and are not fly together where their worst cases would keep each other out.
func TestProgressiveCallsFlyTogether(t *testing.T) {
	t.Parallel()
	for policy, want := range map[farebox.HoldPolicy]int{farebox.WorstCase: 1, farebox.Progressive: 7} {
		provider := &talker{tokens: 100, usage: true}
		meter := progressiveMeter(t, provider, farebox.Dollars(40))
		must(t, meter.Guard().Set(farebox.Budget{Name: "b", Cap: farebox.Dollars(40), Hold: policy}))
		var open []*http.Response
		for range 10 {
			resp, err := post(t, meter.HTTPClient(), "https://acme.test/v1", streamCall)
			if err == nil {
				open = append(open, resp)
			} else if !errors.Is(err, farebox.ErrBudgetExceeded) {
				t.Error(err)
			}
		}
		if len(open) != want {
			t.Errorf("%s: %d calls fly together, want %d", policy, len(open), want)
		}
		for _, resp := range open {
			finish(t, resp)
		}
		if s := meter.Guard().Snapshot()[0]; s.Spent != farebox.Dollars(int64(want)) || !s.Held.IsZero() {
			t.Errorf("%s: %+v", policy, s)
		}
	}
}

// Whatever their number, the provider has billed no more than the cap when all have ended or were cut.
func TestProgressiveHoldsTheCap(t *testing.T) {
	t.Parallel()
	provider := &talker{tokens: 700}
	meter := progressiveMeter(t, provider, farebox.Dollars(100))
	var wg sync.WaitGroup
	var cuts, ends atomic.Int64
	for range 40 {
		wg.Go(func() {
			resp, err := post(t, meter.HTTPClient(), "https://acme.test/v1", streamCall)
			if err != nil {
				return
			}
			_, err = io.ReadAll(resp.Body)
			switch {
			case errors.Is(err, farebox.ErrBudgetCut):
				cuts.Add(1)
			case err != nil:
				t.Error(err)
			default:
				ends.Add(1)
			}
			_ = resp.Body.Close()
			if s := meter.Guard().Snapshot()[0]; s.Cap.Less(s.Spent.Add(s.Held)) {
				t.Errorf("%s spent, %s held", s.Spent, s.Held)
			}
		})
	}
	wg.Wait()
	provider.wg.Wait()
	s := meter.Guard().Snapshot()[0]
	if s.Cap.Less(farebox.Cents(provider.billed.Load())) || s.Spent.Less(farebox.Cents(provider.billed.Load())) || s.Overruns != 0 || !s.Held.IsZero() {
		t.Errorf("%d cut, %d ended; billed %d cents; %+v", cuts.Load(), ends.Load(), provider.billed.Load(), s)
	}
}

// A caller that leaves pays for what was held so far, not for the most.
func TestProgressiveCancelled(t *testing.T) {
	t.Parallel()
	provider := &talker{tokens: 4000}
	meter := progressiveMeter(t, provider, farebox.Dollars(100))
	resp, err := post(t, meter.HTTPClient(), "https://acme.test/v1", streamCall)
	must(t, err)
	_, err = io.ReadFull(resp.Body, make([]byte, 2000))
	must(t, err)
	must(t, resp.Body.Close())
	provider.wg.Wait()
	if s := meter.Guard().Snapshot()[0]; s.Spent != farebox.Cents(512) || onlyReceipt(t, meter).Source != farebox.Estimated {
		t.Errorf("%+v, %v", s, onlyReceipt(t, meter))
	}
}

// Where cutting a stream would not stop the bill, or not all of it is seen, the most is held.
func TestProgressiveFallsBackToWorstCase(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		url, body string
		held      int64 // in tokens
	}{
		"a server that is known to":       {"acme.test/v1", streamCall, 512},
		"OpenAI":                          {"api.openai.com/v1", streamCall, 512},
		"a server of which nobody knows":  {"other.test/v1", streamCall, 4000},
		"Groq":                            {"api.groq.com/openai/v1", streamCall, 4000},
		"no stream":                       {"acme.test/v1", strings.Replace(streamCall, `"stream":true,"stream_options":{"include_usage":true},`, "", 1), 4000},
		"two answers":                     {"acme.test/v1", strings.Replace(streamCall, `"stream"`, `"n":2,"stream"`, 1), 8000},
		"a model that reasons":            {"acme.test/v1", strings.Replace(streamCall, "coin", "thinker", 1), 4000},
		"OpenRouter, any provider":        {"openrouter.ai/api/v1", streamCall, 4000},
		"OpenRouter, providers that stop": {"openrouter.ai/api/v1", strings.Replace(streamCall, `"messages"`, `"provider":{"only":["openai","DeepInfra/turbo"]},"messages"`, 1), 512},
		"OpenRouter, one that does not":   {"openrouter.ai/api/v1", strings.Replace(streamCall, `"messages"`, `"provider":{"only":["openai","groq"]},"messages"`, 1), 4000},
		"OpenRouter, in order":            {"openrouter.ai/api/v1", strings.Replace(streamCall, `"messages"`, `"provider":{"order":["openai"]},"messages"`, 1), 4000},
		"OpenRouter, in order and no other": {"openrouter.ai/api/v1",
			strings.Replace(streamCall, `"messages"`, `"provider":{"order":["openai"],"allow_fallbacks":false,"max_price":{"prompt":1}},"messages"`, 1), 512},
	} {
		provider := &talker{tokens: 1, usage: true}
		meter := progressiveMeter(t, provider, farebox.Dollars(100), farebox.WithModels(farebox.Model{
			Name: "thinker", Reasoning: farebox.SupportYes, Prices: []farebox.Price{{Rates: coinRates("0.01"), Source: "test"}},
		}))
		resp, err := post(t, meter.HTTPClient(), "https://"+test.url, test.body)
		must(t, err)
		if got := meter.Guard().Snapshot()[0].Held; got != farebox.Cents(test.held) {
			t.Errorf("%s: %s is held, want %s", name, got, farebox.Cents(test.held))
		}
		finish(t, resp)
	}
}

func TestProgressiveStreamOfAClient(t *testing.T) {
	t.Parallel()
	provider := &talker{tokens: 4000}
	client, err := farebox.New(farebox.Compatible("acme", "https://acme.test/v1", coinKey).WithCancellableStreams(),
		farebox.WithBaseTransport(provider), farebox.WithPrice("coin", coinRates("0.01")),
		farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(10), Hold: farebox.Progressive}))
	must(t, err)
	request := chatRequest()
	request.Model, request.MaxTokens = "coin", 4000
	stream, err := client.CreateChatCompletionStream(t.Context(), request)
	must(t, err)
	got, err := text(stream)
	var cut *farebox.BudgetCutError
	if !errors.As(err, &cut) || errors.Is(err, farebox.ErrNetwork) || cut.Budget != "b" || len(farebox.ReceiptsOf(err)) != 1 || !strings.HasPrefix(got, "wordword") {
		t.Errorf("%q: %v", got[:min(len(got), 20)], err)
	}
	if r := stream.Receipt(); !r.Partial || r.Cost.IsZero() {
		t.Errorf("%+v", r)
	}
	provider.wg.Wait()
}
