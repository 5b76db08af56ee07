package guard

import (
	"math"
	"time"
)

// A Limit is a cap over a window.
type Limit struct {
	Cap     int64  // nano-dollars; 0 admits only what is free
	Window  Window // the zero value is a total that is never reset
	Observe bool   // count, and report what would have been refused, but refuse nothing
}

// A Counter keeps what is spent and held under one limit. It is made by [Guard.NewCounter] or [Group.Counter].
type Counter struct {
	guard *Guard
	*schedule
	cap         int64
	spent, held int64  // of the generations in view, each with what was held in it
	gen, end    int64  // the current generation: when it started, when the next one starts
	cells       []cell // Rolling only: the generations in view
	round       uint64 // of the guard's last decision about this counter
	observe     bool
	paused      bool
	open        int // holds that have not ended, of any generation
	refusals    int64
	overruns    int64

	member
}

// NewCounter adds a counter for a limit. It returns [ErrAmount] for a negative cap and [ErrWindow] for a window
// that cannot be kept.
func (g *Guard) NewCounter(l Limit) (*Counter, error) {
	if err := l.validate(); err != nil {
		return nil, err
	}
	return newCounter(g, l, newSchedule(l.Window)), nil
}

func newCounter(g *Guard, l Limit, s *schedule) *Counter {
	c := &Counter{guard: g, schedule: s, cap: min(l.Cap, MaxCap), observe: l.Observe}
	switch s.window.Kind {
	case None, PerCall:
		c.end = math.MaxInt64
	case Rolling:
		c.cells = make([]cell, s.window.Buckets+1)
	}
	return c
}

func (l Limit) validate() error {
	if l.Cap < 0 {
		return ErrAmount
	}
	return l.Window.Validate()
}

// judge says whether amount fits on top of what is spent and held. A counter that is over its cap, because a
// call overran its hold or because the cap was lowered, refuses even a hold of nothing.
func (c *Counter) judge(amount int64) Reason {
	switch {
	case c.paused:
		return Paused
	case c.perCall:
		if amount > c.cap {
			return OverCall
		}
	case amount > c.cap-c.spent:
		return Exhausted
	case amount > c.cap-add(c.spent, c.held):
		return Contended
	}
	return Admitted
}

// room is how much more the counter would hold.
func (c *Counter) room() int64 {
	if c.paused {
		return 0
	}
	return max(0, c.cap-add(c.spent, c.held))
}

// SetCap changes the cap. One below what is spent and held is legal: the counter refuses until it has drained.
// A counter of a [Group] leaves the group's common cap for good. It returns [ErrAmount] for a negative cap and
// [ErrFull] if the counter was swept from its group, which has become full since.
func (c *Counter) SetCap(nanodollars int64) error {
	if nanodollars < 0 {
		return ErrAmount
	}
	return c.change(func(c *Counter) { c.cap = min(nanodollars, MaxCap) })
}

// TopUp raises the cap by an amount, as a payment into a prepaid total does. Its errors are those of
// [Counter.SetCap].
func (c *Counter) TopUp(nanodollars int64) error {
	if nanodollars < 0 {
		return ErrAmount
	}
	return c.change(func(c *Counter) { c.cap = min(add(c.cap, nanodollars), MaxCap) })
}

// SetObserve makes the counter observe, or enforce again. Its error is [ErrFull] as for [Counter.SetCap].
func (c *Counter) SetObserve(observe bool) error {
	return c.change(func(c *Counter) { c.observe = observe })
}

// SetPaused makes the counter refuse everything, or decide again. Its error is [ErrFull] as for [Counter.SetCap].
func (c *Counter) SetPaused(paused bool) error {
	return c.change(func(c *Counter) { c.paused = paused })
}

// change alters the settings of the live counter, which from then on are its own and not its group's.
func (c *Counter) change(alter func(*Counter)) error {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	c, ok := c.revive()
	if !ok {
		return ErrFull
	}
	c.keep()
	alter(c)
	return nil
}

// Add books spending that no hold stood for: what a ledger remembers from before, or what was spent elsewhere.
// It counts in the window in which it was made, at; it reports false, and books nothing, if that has closed, if
// the amount is negative, or if the counter was swept from its group, which has become full since. An instant
// after now is read as now.
func (c *Counter) Add(now, at time.Time, nanodollars int64) bool {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	c.guard.advance(nanos(now))
	c, ok := c.revive()
	if !ok || nanodollars < 0 {
		return false
	}
	c.turn(c.guard.clock)
	gen, ok := c.generation(min(nanos(at), c.guard.clock))
	if !ok {
		return false
	}
	c.touch()
	c.book(gen, nanodollars)
	return true
}

// A Snapshot is the state of a counter at one instant. Amounts are nano-dollars.
type Snapshot struct {
	Cap, Spent, Held int64
	Free             int64     // what can still be held; 0 for a counter that is over its cap or paused
	Open             int       // holds that have not ended, those of closed windows included
	Start            time.Time // from when spending counts; zero for a total and for a per-call limit
	ResetAt          time.Time // when the window turns or, if rolling, when room is next made; zero if never
	Refusals         int64     // holds refused or, by an observing counter, holds that it would have refused
	Overruns         int64     // calls that cost more than was held for them
	Observe, Paused  bool
}

// Snapshot returns the state of the counter. Refusals and overruns count from when the counter was made.
func (c *Counter) Snapshot(now time.Time) Snapshot {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	c.guard.advance(nanos(now))
	c = c.live()
	c.turn(c.guard.clock)
	s := Snapshot{
		Cap: c.cap, Spent: c.spent, Held: c.held, Free: c.room(), Open: c.open,
		Refusals: c.refusals, Overruns: c.overruns, Observe: c.observe, Paused: c.paused,
	}
	s.Start, s.ResetAt = c.span()
	return s
}
