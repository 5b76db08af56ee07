package sdks

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	prompt = "What is a farebox?"
	answer = "A farebox takes the fare before the ride. It stands beside the driver."
)

// bench is an SDK over a Meter, and the provider that it calls.
type bench struct {
	sdk
	conversation
	form     form
	provider *fareboxtest.Provider
	meter    *farebox.Meter
	tries    atomic.Int32 // what the SDK has sent into the Meter
}

// forEverySDK runs a test for every SDK by every way in that it takes. The budget has room for cap.
func forEverySDK(t *testing.T, room farebox.Money, test func(t *testing.T, b *bench)) {
	t.Parallel()
	for _, s := range sdks {
		for _, f := range s.forms {
			t.Run(s.name+" by "+string(f), func(t *testing.T) {
				t.Parallel()
				provider := fareboxtest.NewProvider(fareboxtest.WithStyle(s.style), fareboxtest.WithReply(reply))
				t.Cleanup(provider.Close)
				meter, err := farebox.NewMeter(farebox.WithEndpoint(provider.Endpoint()), farebox.WithModels(provider.Prices()...),
					farebox.WithBudget(farebox.Budget{Name: "all", Cap: room}), farebox.WithRefuseUnmetered())
				if err != nil {
					t.Fatal(err)
				}
				b := &bench{sdk: s, form: f, provider: provider, meter: meter}
				if b.conversation, err = s.open(connect(meter, f, provider.URL(), &b.tries)); err != nil {
					t.Fatal(err)
				}
				test(t, b)
				b.close(t)
			})
		}
	}
}

// reply says the answer, or calls the tool where the prompt says so.
func reply(p fareboxtest.Prompt) fareboxtest.Reply {
	if strings.Contains(p.Text, toolName) {
		return fareboxtest.Reply{ToolCalls: []fareboxtest.ToolCall{{Name: toolName, Arguments: `{"city":"Zurich"}`}}}
	}
	return fareboxtest.Reply{Text: answer, ReasoningTokens: 5}
}

// close checks that nothing is left in flight.
func (b *bench) close(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.meter.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	if s := b.status(); !s.Held.IsZero() || s.InFlight != 0 {
		t.Errorf("%s is held by %d calls after the end", s.Held, s.InFlight)
	}
}

func (b *bench) status() farebox.BudgetStatus { return b.meter.Guard().Snapshot()[0] }

func (b *bench) receipts() []farebox.Receipt {
	var all []farebox.Receipt
	for r := range b.meter.Ledger().Receipts(farebox.Filter{}) {
		all = append(all, r)
	}
	return all
}

// exact checks that the receipts are what the provider has in its account, call by call and to the last digit.
func (b *bench) exact(t *testing.T, receipts []farebox.Receipt) {
	t.Helper()
	requests := b.provider.Requests()
	if len(receipts) != len(requests) {
		t.Fatalf("%d receipts for %d requests", len(receipts), len(requests))
	}
	for i, r := range receipts {
		billed := requests[i]
		if r.Cost != billed.Billed || r.ModelAsked != model || r.Status != billed.Status || r.Stream != billed.Stream {
			t.Errorf("receipt %d: %s for %q, status %d; the provider billed %s, status %d", i, r.Cost, r.ModelAsked, r.Status, billed.Billed, billed.Status)
		}
		if r.Status == http.StatusOK && (r.Usage.InputTokens() != billed.Usage.Prompt || r.Usage.OutputTokens() != billed.Usage.Completion || r.Usage.Reasoning != billed.Usage.Reasoning) {
			t.Errorf("receipt %d: usage %+v, the provider counted %+v", i, r.Usage, billed.Usage)
		}
	}
	if spent := b.status().Spent; spent != farebox.CostOf(receipts) {
		t.Errorf("the budget has spent %s, the receipts come to %s", spent, farebox.CostOf(receipts))
	}
}

func TestPlainCalls(t *testing.T) {
	forEverySDK(t, farebox.Dollars(1), func(t *testing.T, b *bench) {
		ctx, receipts := farebox.ContextWithReceipts(context.Background())
		text, err := b.ask(ctx, prompt)
		if err != nil || text != answer {
			t.Fatalf("answer %q, %v", text, err)
		}
		b.exact(t, b.receipts())
		if cost := receipts.Cost(); cost != b.provider.Billed() || cost.IsZero() {
			t.Errorf("the context's receipts come to %s, the provider billed %s", cost, b.provider.Billed())
		}
	})
}

func TestStreamedCalls(t *testing.T) {
	forEverySDK(t, farebox.Dollars(1), func(t *testing.T, b *bench) {
		text, err := joined(context.Background(), b, prompt)
		if err != nil || text != answer {
			t.Fatalf("answer %q, %v", text, err)
		}
		b.exact(t, b.receipts())
	})
}

func TestToolCalls(t *testing.T) {
	forEverySDK(t, farebox.Dollars(1), func(t *testing.T, b *bench) {
		name, arguments, err := b.callTool(context.Background(), "What is the "+toolName+" in Zurich?")
		if err != nil || name != toolName || !sameJSON(arguments, `{"city":"Zurich"}`) {
			t.Fatalf("tool %q with %s, %v", name, arguments, err)
		}
		b.exact(t, b.receipts())
	})
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// TestCallsThatTheProviderRefuses: an error that is not billed gives everything back.
func TestCallsThatTheProviderRefuses(t *testing.T) {
	forEverySDK(t, farebox.Dollars(1), func(t *testing.T, b *bench) {
		b.provider.Inject(fareboxtest.Fault{Status: http.StatusBadRequest, Message: "no such thing"})
		if _, err := b.ask(context.Background(), prompt); err == nil {
			t.Fatal("no error")
		}
		b.exact(t, b.receipts())
		if r := b.receipts()[0]; r.Source != farebox.Unbilled {
			t.Errorf("receipt %v", r)
		}
	})
}

// TestRetriedCalls: every attempt that an SDK makes by itself has a hold and a receipt of its own.
func TestRetriedCalls(t *testing.T) {
	forEverySDK(t, farebox.Dollars(1), func(t *testing.T, b *bench) {
		b.provider.Inject(fareboxtest.Fault{Status: http.StatusInternalServerError, Times: b.attempts, Header: http.Header{"Retry-After-Ms": {"1"}}})
		if _, err := b.ask(context.Background(), prompt); err == nil {
			t.Fatal("no error")
		}
		if n := b.provider.RequestCount(); n != b.attempts {
			t.Errorf("%d attempts, want %d", n, b.attempts)
		}
		text, err := b.ask(context.Background(), prompt)
		if err != nil || text != answer {
			t.Fatalf("answer %q, %v", text, err)
		}
		receipts := b.receipts()
		if len(receipts) != b.attempts+1 {
			t.Fatalf("%d receipts, want %d", len(receipts), b.attempts+1)
		}
		var most farebox.Money
		for i, r := range receipts[:b.attempts] {
			// OpenRouter and Gemini do not bill a server's error; the rest may, so that the hold stays charged.
			if want := heldOrNothing(b.style); r.Source != want || r.Status != http.StatusInternalServerError {
				t.Errorf("receipt %d: %v, want %s", i, r, want)
			}
			most = most.Add(r.Cost)
		}
		if served := receipts[b.attempts]; served.Cost != b.provider.Billed() {
			t.Errorf("the attempt that served: %v", served)
		}
		if spent := b.status().Spent; spent.Less(most.Add(b.provider.Billed())) {
			t.Errorf("the budget has spent %s, less than the receipts", spent)
		}
	})
}

func heldOrNothing(style fareboxtest.Style) farebox.Source {
	if style == fareboxtest.OpenRouter || style == fareboxtest.Gemini {
		return farebox.Unbilled
	}
	return farebox.Held
}

// TestStreamsThatAreCancelled: what nobody knows the cost of stays charged at the most it can be.
func TestStreamsThatAreCancelled(t *testing.T) {
	forEverySDK(t, farebox.Dollars(1), func(t *testing.T, b *bench) {
		b.provider.Inject(fareboxtest.Fault{DelayChunk: 20 * time.Millisecond})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		err := b.stream(ctx, prompt, func(text string) bool {
			if text != "" {
				cancel()
			}
			return true
		})
		if err == nil && !b.mayEndCancelled {
			t.Error("a cancelled stream has ended well")
		}
		b.cutShort(t)
	})
}

// TestStreamsThatAreLeft: the reader breaks out of the loop.
func TestStreamsThatAreLeft(t *testing.T) {
	forEverySDK(t, farebox.Dollars(1), func(t *testing.T, b *bench) {
		b.provider.Inject(fareboxtest.Fault{DelayChunk: 20 * time.Millisecond})
		if err := b.stream(context.Background(), prompt, func(text string) bool { return text == "" }); err != nil {
			t.Error(err)
		}
		b.cutShort(t)
	})
}

// cutShort waits for the one receipt of a stream that was not read to its end, and checks that nothing was given back.
func (b *bench) cutShort(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(b.receipts()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the stream was not settled")
		}
	}
	r := b.receipts()[0]
	if r.Source != farebox.Held || !r.Partial || r.Cost != r.Quote.Most || b.status().Spent.Less(r.Cost) {
		t.Errorf("receipt %+v; spent %s", r, b.status().Spent)
	}
}

// TestCallsThatABudgetRefuses: nothing is sent, the error is a BudgetError, and all tries count as one.
func TestCallsThatABudgetRefuses(t *testing.T) {
	forEverySDK(t, farebox.MustMoney("0.000001"), func(t *testing.T, b *bench) {
		calls := map[string]func(context.Context) error{
			"plain":    func(ctx context.Context) error { _, err := b.ask(ctx, prompt); return err },
			"streamed": func(ctx context.Context) error { _, err := joined(ctx, b, prompt); return err },
		}
		for name, call := range calls {
			// Each call has a context of its own, as a service's requests have.
			ctx, cancel := context.WithCancel(context.Background())
			before, triesBefore := b.status().Refusals, b.tries.Load()
			err := call(ctx)
			var refused *farebox.BudgetError
			if b.form == byClient && b.hidesClientErrors {
				if err == nil || errors.As(err, &refused) {
					t.Errorf("%s: error %v: the SDK hides no errors any more", name, err)
				}
			} else if !errors.As(err, &refused) || !errors.Is(err, farebox.ErrRefused) || refused.Budget != "all" || refused.Reason != farebox.ReasonExhausted {
				t.Errorf("%s: error %v, want a BudgetError", name, err)
			}
			if n := b.status().Refusals - before; n != 1 {
				t.Errorf("%s: %d refusals counted, want 1", name, n)
			}
			tries := b.tries.Load() - triesBefore
			if again := b.form == byClient && b.retriesRefusals; again != (tries > 1) {
				t.Errorf("%s: the SDK tried %d times", name, tries)
			}
			cancel()
		}
		if n := b.provider.RequestCount(); n != 0 || len(b.receipts()) != 0 {
			t.Errorf("%d requests were sent, %d receipts", n, len(b.receipts()))
		}
	})
}
