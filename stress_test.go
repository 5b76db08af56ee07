package farebox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

// stressFaults are what goes wrong with calls, by the header that asks for it.
var stressFaults = map[string]fareboxtest.Fault{
	"slow head":     {DelayHead: 2 * time.Millisecond},
	"slow body":     {DelayBody: time.Millisecond, DelayChunk: time.Millisecond},
	"server error":  {Status: http.StatusInternalServerError, Bill: true},
	"rate limit":    {Status: http.StatusTooManyRequests},
	"error in 200":  {Status: http.StatusBadRequest, InsideOK: true},
	"error in flow": {Status: http.StatusInternalServerError, InsideOK: true, ErrorAfter: 2, Bill: true},
	"no head":       {Cut: fareboxtest.BeforeHead()},
	"no body":       {Cut: fareboxtest.AfterHead()},
	"half":          {Cut: fareboxtest.InChunk(2)},
	"no usage":      {NoUsage: true},
	"no end":        {NoDone: true},
	"malformed":     {Malformed: true},
	"padded":        {Padding: 64 << 10},
}

var stressFaultNames = func() []string {
	names := []string{"", "", ""}
	for name := range stressFaults {
		names = append(names, name)
	}
	return names
}()

// stress is a Client and another SDK over one Meter, at a provider that fails in every way.
type stress struct {
	provider *fareboxtest.Provider
	client   *farebox.Client
	http     *http.Client
	sent     atomic.Int64 // round trips below the meter
}

func newStress(t *testing.T, options ...farebox.Option) *stress {
	t.Helper()
	s := &stress{provider: fareboxtest.NewProvider(fareboxtest.InMemory())}
	t.Cleanup(s.provider.Close)
	for name, fault := range stressFaults {
		fault.Times = -1
		fault.Match = func(r fareboxtest.Request) bool { return r.Header.Get("X-Fault") == name }
		s.provider.Inject(fault)
	}
	counted := roundTripper(func(req *http.Request) (*http.Response, error) {
		s.sent.Add(1)
		return s.provider.Transport().RoundTrip(req)
	})
	var err error
	s.client, err = farebox.New(s.provider.Endpoint(), append([]farebox.Option{
		farebox.WithBaseTransport(counted), farebox.WithModels(s.provider.Prices()...), quickRetry,
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	s.http = s.client.Meter().HTTPClient()
	return s
}

// stressCall makes one call in a way drawn from rng. What it returns is of no interest: only the books are.
func (s *stress) call(rng *rand.Rand) {
	ctx := context.Background()
	switch rng.IntN(3) {
	case 0:
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.IntN(4000))*time.Microsecond)
		defer cancel()
	case 1:
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		if rng.IntN(2) == 0 {
			go func() { cancel() }()
		}
	}
	fault := farebox.WithRequestHeader("X-Fault", stressFaultNames[rng.IntN(len(stressFaultNames))])
	request := openai.ChatCompletionRequest{
		Model: fareboxtest.LargeModel, MaxTokens: 1 + rng.IntN(50), N: 1 + rng.IntN(2),
		Messages: []openai.ChatCompletionMessage{{Role: "user", Content: "Tell me " + fmt.Sprint(rng.Uint64())}},
	}
	switch rng.IntN(3) {
	case 0:
		_, _ = s.client.CreateChatCompletion(ctx, request, fault)
	case 1:
		s.stream(ctx, rng, request, fault)
	default:
		s.raw(ctx, rng)
	}
}

// stream reads some of a stream, and ends it in one of the ways in which streams end.
func (s *stress) stream(ctx context.Context, rng *rand.Rand, request openai.ChatCompletionRequest, option farebox.CallOption) {
	stream, err := s.client.CreateChatCompletionStream(ctx, request, option)
	if err != nil {
		return
	}
	var closing sync.WaitGroup
	if rng.IntN(3) == 0 {
		closing.Go(func() { _ = stream.Close() }) // in the middle of a Recv, or before it
	}
	for n := rng.IntN(12); n > 0; n-- {
		if _, err := stream.Recv(); err != nil {
			break
		}
	}
	_ = stream.Close()
	closing.Wait()
	_ = stream.Receipts()
}

// raw calls as another SDK would, reads some of the answer and closes it, or leaves that to the context.
func (s *stress) raw(ctx context.Context, rng *rand.Rand) {
	body := fmt.Sprintf(`{"model":%q,"max_tokens":%d,"stream":%t,"messages":[{"role":"user","content":"Hi"}]}`,
		fareboxtest.SmallModel, 1+rng.IntN(50), rng.IntN(2) == 0)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.provider.URL()+"/chat/completions", bytes.NewBufferString(body))
	if err != nil {
		return
	}
	req.Header.Set("X-Fault", stressFaultNames[rng.IntN(len(stressFaultNames))])
	resp, err := s.http.Do(req)
	if err != nil {
		return
	}
	defer func() { _ = resp.Body.Close() }()
	switch rng.IntN(3) {
	case 0:
		_, _ = io.ReadAll(resp.Body)
	case 1:
		_, _ = io.CopyN(io.Discard, resp.Body, int64(rng.IntN(600)))
	}
}

// requireSound checks the books of a Meter at rest against what was sent and what was billed.
func (s *stress) requireSound(t *testing.T) {
	t.Helper()
	meter := s.client.Meter()
	fareboxtest.RequireSettled(t, meter)
	receipts := ledger(meter)
	if n := int64(len(receipts)); n != s.sent.Load() {
		t.Errorf("%d receipts for %d attempts", n, s.sent.Load())
	}
	ids := make(map[string]bool, len(receipts))
	var charged, cost farebox.Money
	for _, r := range receipts {
		if ids[r.ID] {
			t.Errorf("two receipts %s", r.ID)
		}
		ids[r.ID] = true
		cost = cost.Add(r.Cost)
		if r.HasFlag(farebox.FlagOverrun) {
			t.Errorf("overrun: %s, held at %s", r, r.Quote.Most)
		}
		for _, b := range r.Budgets {
			charged = charged.Add(b.Charged)
		}
	}
	if total := meter.Ledger().Total(); total.Cost != cost || total.Attempts != s.sent.Load() {
		t.Errorf("ledger %+v, receipts %s", total, cost)
	}
	status := meter.Guard().Snapshot()[0]
	if status.Spent != charged {
		t.Errorf("the budget has spent %s, its receipts were charged %s", status.Spent, charged)
	}
	if billed := s.provider.Billed(); status.Spent.Less(billed) {
		t.Errorf("the budget has spent %s, the provider billed %s", status.Spent, billed)
	}
	if status.Cap.Less(status.Spent) {
		t.Errorf("spent %s of a cap of %s", status.Spent, status.Cap)
	}
}

// watchCap looks at a budget until stop, and fails where more is spent and held than its cap.
func (s *stress) watchCap(t *testing.T, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(100 * time.Microsecond):
		}
		if status := s.client.Meter().Guard().Snapshot()[0]; status.Cap.Less(status.Spent.Add(status.Held)) {
			t.Errorf("%s spent and %s held under a cap of %s", status.Spent, status.Held, status.Cap)
			return
		}
	}
}

// TestStress: 200 goroutines call, cancel, time out, break off and close at once, at a provider that fails in every way.
// Afterwards nothing is held, every attempt has one receipt, and no less is booked than was billed; with the wide cap
// nothing is refused, with the narrow one it never gives way.
func TestStress(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]farebox.Money{"wide": farebox.Dollars(1000), "narrow": farebox.Cents(25)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStress(t, farebox.WithBudget(farebox.Budget{Name: "all", Cap: limit}))
			stop := make(chan struct{})
			var watching, calling sync.WaitGroup
			watching.Go(func() { s.watchCap(t, stop) })
			for worker := range 200 {
				calling.Go(func() {
					rng := rand.New(rand.NewPCG(7, uint64(worker)))
					for range 4 {
						s.call(rng)
					}
				})
			}
			calling.Wait()
			close(stop)
			watching.Wait()
			closeMeter(t, s.client.Meter())
			s.requireSound(t)
			status := s.client.Meter().Guard().Snapshot()[0]
			if refused := status.Refusals > 0; refused != (name == "narrow") {
				t.Errorf("%d refusals, %s spent", status.Refusals, status.Spent)
			}
		})
	}
}

// TestCloseUnderLoad closes the Meter in the middle: calls in flight end and are booked, later ones are refused, and a
// receipt reaches the sink before the sink is closed.
func TestCloseUnderLoad(t *testing.T) {
	t.Parallel()
	sink := &closingSink{}
	s := newStress(t, farebox.WithSink(sink), farebox.WithBudget(farebox.Budget{Name: "all", Cap: farebox.Dollars(1000)}))
	var calling sync.WaitGroup
	for worker := range 50 {
		calling.Go(func() {
			rng := rand.New(rand.NewPCG(11, uint64(worker)))
			for !sink.closed.Load() {
				s.call(rng)
			}
		})
	}
	waitFor(t, "calls are under way", func() bool { return s.sent.Load() > 100 })
	closeMeter(t, s.client.Meter())
	s.requireSound(t)
	sent := s.sent.Load()
	calling.Wait()
	if _, err := s.client.CreateChatCompletion(t.Context(), chatRequest()); !errors.Is(err, farebox.ErrClosed) {
		t.Errorf("a call after Close: %v", err)
	}
	if s.sent.Load() != sent || sink.receipts.Load() != sent || sink.late.Load() != 0 {
		t.Errorf("%d attempts at Close, %d at the end; the sink has %d receipts and %d after its end",
			sent, s.sent.Load(), sink.receipts.Load(), sink.late.Load())
	}
}

// closingSink counts receipts, and those that come after it was closed.
type closingSink struct {
	closed         atomic.Bool
	receipts, late atomic.Int64
}

func (s *closingSink) Receipt(farebox.Receipt) error {
	s.receipts.Add(1)
	if s.closed.Load() {
		s.late.Add(1)
	}
	return nil
}

func (*closingSink) Adjustment(farebox.Adjustment) error { return nil }

func (s *closingSink) Close() error {
	s.closed.Store(true)
	return nil
}
