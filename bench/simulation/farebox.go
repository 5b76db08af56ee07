package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/farebox-go/farebox"
)

// metered is farebox, through its transport: each call is a request in flight over a provider that answers it when
// simulated time has come so far. The engine waits after each step until every call is in flight, waits for room, or has
// returned; so runs are the same for the same seed, and time may be simulated.
type metered struct {
	engine    *engine
	meter     *farebox.Meter
	client    *http.Client
	reconcile bool
	waits     bool
	streams   bool

	calls    map[int]*ride
	waiting  []*call      // that wait for room, in the order in which they came
	flying   atomic.Int64 // calls that are with the provider
	returned atomic.Int64 // calls that have come back since they were looked at
	receipts map[int]string
	failure  error
}

// ride is one call's request.
type ride struct {
	call    *call
	cancel  context.CancelFunc
	answer  chan bool   // false: the connection breaks
	chunks  chan []byte // of a stream; nil: the connection breaks
	idle    atomic.Bool // the stream's reader waits for the next chunk
	done    chan struct{}
	arrived atomic.Bool
	flew    bool // the engine knows that it arrived
	limit   int64
	err     error
}

const simulated = "simulated"

// fareboxGuard makes a Meter with one budget.
func fareboxGuard(budget farebox.Budget, reconcile bool) func(*engine) (guarded, error) {
	return func(e *engine) (guarded, error) {
		m := &metered{engine: e, reconcile: reconcile, waits: budget.WhenFull == farebox.Wait, streams: budget.Hold == farebox.Progressive, calls: map[int]*ride{}, receipts: map[int]string{}}
		budget := budget // runs go on side by side
		budget.Name, budget.Cap = "cap", nanoDollars(e.Cap)
		var err error
		m.meter, err = farebox.NewMeter(farebox.WithBaseTransport(m), farebox.WithBudget(budget), farebox.WithSink(m), farebox.WithLedgerSize(1),
			farebox.WithEndpoint(farebox.Compatible("example", "https://api.example.com/v1", "key").WithCancellableStreams()),
			farebox.WithPrice(simulated, farebox.Rates{
				farebox.DimensionRequest: farebox.MustRate("0.003"), farebox.DimensionInput: {}, farebox.DimensionOutput: farebox.MustPerMillion("15"),
			}))
		if err != nil {
			return nil, err
		}
		m.client = m.meter.HTTPClient()
		if m.streams {
			return &streamed{m}, nil
		}
		return m, nil
	}
}

type rideKey struct{}

func (m *metered) ask(c *call) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &ride{call: c, cancel: cancel, answer: make(chan bool, 1), chunks: make(chan []byte), done: make(chan struct{})}
	m.calls[c.id] = r
	ctx = farebox.ContextWithTags(context.WithValue(ctx, rideKey{}, r), farebox.Tags{"call": strconv.Itoa(c.id)})
	body := fmt.Sprintf(`{"model":%q,"max_tokens":%d,"stream":%t,"messages":[{"role":"user","content":"go"}]}`, simulated, c.limit, m.streams)
	go func() {
		defer m.returned.Add(1)
		defer close(r.done)
		r.err = m.send(ctx, body)
		if r.arrived.Load() {
			m.flying.Add(-1)
		}
	}()
	m.settle()
}

func (m *metered) send(ctx context.Context, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.example.com/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := m.client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return err
}

// RoundTrip is the provider: it answers when the engine says so.
func (m *metered) RoundTrip(req *http.Request) (*http.Response, error) {
	r := req.Context().Value(rideKey{}).(*ride)
	var asked struct {
		MaxTokens int64 `json:"max_tokens"`
	}
	body, err := io.ReadAll(req.Body)
	_ = req.Body.Close()
	if err == nil {
		err = json.Unmarshal(body, &asked)
	}
	if err != nil {
		return nil, err
	}
	r.limit = asked.MaxTokens
	m.flying.Add(1)
	r.arrived.Store(true)
	if m.streams {
		return reply(req, "text/event-stream", -1, &flow{ride: r, left: req.Context().Done()}), nil
	}
	select {
	case ok := <-r.answer:
		if !ok {
			return nil, io.ErrUnexpectedEOF
		}
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	tokens := min(r.call.length, r.limit)
	answer := fmt.Appendf(nil, `{"id":"c","object":"chat.completion","model":%q,"choices":[{"index":0,"message":{"role":"assistant","content":"there"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":%d,"total_tokens":%d}}`,
		simulated, tokens, tokens+1)
	return reply(req, "application/json", int64(len(answer)), io.NopCloser(bytes.NewReader(answer))), nil
}

func reply(req *http.Request, kind string, length int64, body io.ReadCloser) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {kind}}, ContentLength: length, Body: body,
	}
}

// settle waits until nothing moves any more, and tells the engine of what has become of calls.
func (m *metered) settle() {
	for m.flying.Load()+m.returned.Load()+m.inQueue() < int64(len(m.calls)) {
		runtime.Gosched()
	}
	waiting := m.waiting[:0]
	for _, id := range m.undecided() {
		r := m.calls[id]
		select {
		case <-r.done:
			delete(m.calls, id)
			m.returned.Add(-1)
			m.gone(r)
			continue
		default:
		}
		switch {
		case r.arrived.Load():
			r.flew = true
			r.call.limit = r.limit
			m.engine.admitted(r.call)
		default:
			waiting = append(waiting, r.call)
			if r.call.expires < 0 {
				r.call.expires = m.engine.now + patience
				m.engine.at(patience, func() { m.tire(r) })
			}
		}
	}
	m.waiting = waiting
}

// undecided are the calls that the engine has not been told of, in the order in which they were made.
func (m *metered) undecided() []int {
	var ids []int
	for id, r := range m.calls {
		if !r.flew {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// inQueue is the number of calls that wait for room.
func (m *metered) inQueue() int64 {
	if !m.waits {
		return 0
	}
	return int64(m.meter.Guard().Snapshot()[0].Waiting)
}

// gone tells the engine of a call that came back without having been sent.
func (m *metered) gone(r *ride) {
	r.cancel()
	if r.err == nil || !errors.Is(r.err, farebox.ErrRefused) {
		m.failure = fmt.Errorf("simulation: a call that was not sent ended with %v", r.err)
	}
	m.engine.refused(r.call)
}

// tire has a caller go away who has waited long enough.
func (m *metered) tire(r *ride) {
	if m.calls[r.call.id] == r && !r.flew {
		r.cancel()
		<-r.done
		m.settle()
	}
}

func (m *metered) end(c *call, how outcome) {
	r := m.calls[c.id]
	switch {
	case how == cancelled:
		r.cancel()
	case m.streams:
		r.finish(how == answered)
	default:
		r.answer <- how == answered
	}
	<-r.done
	r.cancel()
	if (how == answered) != (r.err == nil) {
		m.failure = fmt.Errorf("simulation: outcome %d of a call that ended with %v", how, r.err)
	}
	m.landed(c)
}

// landed takes a call that has come back from the list, and looks what that means to others.
func (m *metered) landed(c *call) {
	for m.returned.Load() == 0 {
		runtime.Gosched()
	}
	delete(m.calls, c.id)
	m.returned.Add(-1)
	m.settle()
}

func (m *metered) passes(time.Duration) {}

func (m *metered) figure(c *call) {
	if !m.reconcile {
		return
	}
	if _, err := m.meter.Reconcile(m.receipts[c.id], nanoDollars(c.actual), "the provider's own figure"); err != nil {
		m.failure = err
	}
	m.settle()
}

func (m *metered) books() (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := m.meter.Close(ctx); err != nil {
		return 0, err
	}
	status := m.meter.Guard().Snapshot()[0]
	if status.InFlight != 0 || !status.Held.IsZero() {
		return 0, fmt.Errorf("simulation: %s held by %d calls at the end", status.Held, status.InFlight)
	}
	return int64(math.Round(status.Spent.Float64() * 1e9)), m.failure
}

func nanoDollars(n int64) farebox.Money { return farebox.MustMoney("0.000000001").Mul(n) }

// Receipt keeps what is needed to reconcile a call, as a sink.
func (m *metered) Receipt(r farebox.Receipt) error {
	if r.Settled() {
		return nil
	}
	id, err := strconv.Atoi(r.Tags["call"])
	if err == nil {
		m.receipts[id] = r.ID // calls end one at a time
	}
	return err
}

// Adjustment does nothing, as a sink.
func (*metered) Adjustment(farebox.Adjustment) error { return nil }

// Close does nothing, as a sink.
func (*metered) Close() error { return nil }
