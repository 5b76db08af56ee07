package farebox

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
)

// EventKind says what an [Event] is about.
type EventKind string

// The kinds.
const (
	EventThreshold EventKind = "threshold" // spending has reached a share of a budget's cap; once a window for each
	EventForecast  EventKind = "forecast"  // at the rate so far the cap is reached before the window turns
	EventRefusal   EventKind = "refusal"   // a call was refused
	EventOverrun   EventKind = "overrun"   // a call cost more than was held for it
	EventLoop      EventKind = "loop"      // the same request was made again and again; see WithLoopDetection
)

// Event is something that whoever pays may want to know at once. Fields that its kind has no use for are zero. It holds
// no key and no text of a prompt or an answer.
type Event struct {
	Kind     EventKind     `json:"kind"`
	At       time.Time     `json:"at"`
	Budget   string        `json:"budget,omitzero"`
	Value    string        `json:"value,omitzero"`   // of the tag, for a budget per tag
	Percent  int           `json:"percent,omitzero"` // the threshold that was reached
	Reason   RefusalReason `json:"reason,omitzero"`
	Unit     Unit          `json:"unit,omitzero"`
	Cap      Money         `json:"cap,omitzero"`
	Spent    Money         `json:"spent,omitzero"`    // of a budget in a store, by all processes that share it
	Counts   Counts        `json:"counts,omitzero"`   // in place of Cap and Spent, of a budget of tokens or requests
	ResetAt  time.Time     `json:"reset_at,omitzero"` // when the window turns
	FullAt   time.Time     `json:"full_at,omitzero"`  // when the cap is reached at the rate so far
	Endpoint string        `json:"endpoint,omitzero"`
	Model    string        `json:"model,omitzero"`
	Tags     Tags          `json:"tags,omitempty"`
	Receipt  string        `json:"receipt_id,omitzero"`
	Cost     Money         `json:"cost,omitzero"` // of the call that overran
	Most     Money         `json:"most,omitzero"` // that it, or the refused call, was to cost at most
	Repeats  int           `json:"repeats,omitzero"`
}

// WithEvents calls a function with every [Event], one at a time and off the path of calls. Events that come while 1,024
// wait for it are dropped; see [Meter.DroppedEvents]. Meter.Close hands over those that wait.
func WithEvents(handle func(Event)) MeterOption {
	return meterOption(func(c *meterConfig) error {
		if handle == nil {
			return errors.New("WithEvents: the function is nil")
		}
		c.events = append(c.events, func(_ context.Context, e Event) error {
			handle(e)
			return nil
		})
		return nil
	})
}

// eventHandler takes an event; ctx ends when the Meter gives up.
type eventHandler func(ctx context.Context, e Event) error

const maxEventsWaiting = 1024

// events hands events to those who want them, each in its own time.
type events struct {
	logger  *slog.Logger
	queues  []chan Event
	dropped atomic.Int64
	loops   *loopDetector // nil: off

	mu     sync.RWMutex // against sending to a closed queue
	closed bool
	done   sync.WaitGroup
	cancel context.CancelFunc
}

func newEvents(config *meterConfig, logger *slog.Logger) *events {
	ctx, cancel := context.WithCancel(context.Background())
	e := &events{logger: logger, cancel: cancel, loops: config.loops.start()}
	for _, handle := range config.events {
		queue := make(chan Event, maxEventsWaiting)
		e.queues = append(e.queues, queue)
		e.done.Go(func() {
			for event := range queue {
				if err := safely(func() error { return handle(ctx, event) }); err != nil {
					logger.Warn("farebox: event not delivered", slog.String("kind", string(event.Kind)), slog.Any("error", err))
				}
			}
		})
	}
	return e
}

// send hands an event over, and never waits.
func (e *events) send(event Event) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return
	}
	for _, queue := range e.queues {
		select {
		case queue <- event:
		default:
			e.dropped.Add(1)
		}
	}
}

// close waits until all events have been handled, or ctx ends.
func (e *events) close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	for _, queue := range e.queues {
		close(queue)
	}
	e.mu.Unlock()
	handled := make(chan struct{})
	go func() {
		e.done.Wait()
		close(handled)
	}()
	defer e.cancel()
	select {
	case <-handled:
		return nil
	case <-ctx.Done():
		return errors.Join(errors.New("farebox: events were not all handled"), ctx.Err())
	}
}

// DroppedEvents is the number of events that were dropped because whoever takes them is too slow.
func (m *Meter) DroppedEvents() int64 { return m.events.dropped.Load() }

// limitOwner is how the guard's counters name their budget.
type limitOwner struct {
	budget string
	unit   Unit
}

// crossed tells of a threshold. The guard is locked.
func (e *events) crossed(c guard.Crossing) {
	owner, _ := c.Owner.(limitOwner)
	event := Event{
		Kind: EventThreshold, At: time.Unix(0, c.At), Budget: owner.budget, Value: c.Value, Percent: c.Percent, Unit: owner.unit,
	}
	var start time.Time
	if c.Start != 0 {
		start = time.Unix(0, c.Start)
	}
	if c.End != 0 {
		event.ResetAt = time.Unix(0, c.End)
	}
	if owner.unit == UnitUSD {
		event.Cap, event.Spent = moneyFromNanos(c.Cap), moneyFromNanos(c.Spent)
	} else {
		event.Counts = Counts{Cap: c.Cap, Spent: c.Spent, Free: max(0, c.Cap-c.Spent)}
	}
	event.FullAt = fullAt(start, event.ResetAt, event.At, c.Spent, c.Cap)
	e.send(event)
	if c.Spent < c.Cap && !event.FullAt.IsZero() {
		event.Kind = EventForecast
		e.send(event)
	}
}

// refused tells of a refusal.
func (e *events) refused(a *attempt, err error) {
	if len(e.queues) == 0 {
		return
	}
	event := Event{
		Kind: EventRefusal, At: time.Now(), Endpoint: a.ep.name, Model: a.request.Model, Tags: a.receipt.Tags, Most: a.quoted.Most,
	}
	var refused *BudgetError
	if !errors.As(err, &refused) {
		return
	}
	event.Budget, event.Value, event.Reason, event.Unit = refused.Budget, refused.Value, refused.Reason, refused.Unit
	event.Cap, event.Spent, event.Counts, event.ResetAt = refused.Cap, refused.Spent, refused.Counts, refused.ResetAt
	e.send(event)
}

// ended tells of a call that has cost more than was held for it.
func (e *events) ended(r *Receipt) {
	if len(e.queues) == 0 || !r.HasFlag(FlagOverrun) {
		return
	}
	event := Event{
		Kind: EventOverrun, At: time.Now(), Endpoint: r.Endpoint, Model: modelOf(r), Tags: r.Tags,
		Receipt: r.ID, Cost: r.Cost, Most: r.Quote.Most,
	}
	if len(r.Budgets) > 0 {
		event.Budget, event.Value = r.Budgets[0].Budget, r.Budgets[0].Value
	}
	e.send(event)
}
