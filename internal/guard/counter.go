package guard

import (
	"math"
	"math/bits"
	"time"
)

// A Limit is a cap over a window.
type Limit struct {
	Cap     int64  // nano-dollars; 0 admits only what is free
	Window  Window // the zero value is a total that is never reset
	Observe bool   // count, and report what would have been refused, but refuse nothing

	// Tolerance is how far, in millionths of the cap, the most that the open holds can cost may pass it, while what they
	// are likely to cost does not: see [Posting]. 0 holds the cap whatever happens.
	Tolerance int64
	// Thresholds are shares of the cap, in percent and in rising order, that [Guard.Notify] is told of once a window.
	Thresholds []int
	// Owner is handed back with what is told of the limit's counters.
	Owner any
}

// maxTolerance is the whole of the cap once more.
const maxTolerance = 1_000_000

// A Counter keeps what is spent and held under one limit. It is made by [Guard.NewCounter] or [Group.Counter].
// There may be a million: what few counters need is in rare, what a group's share is in schedule.
type Counter struct {
	*schedule
	rare        *rare
	cap         int64
	spent, held int64  // of the generations in view, each with what was held in it
	gen, end    int64  // the current generation: when it started, when the next one starts
	round       uint64 // of the guard's last decision about this counter
	refusals    uint32
	overruns    uint32
	open        int32  // holds that have not ended, of any generation
	era         uint32 // of the guard, when the counter last began anew because the clock was set back
	waiting     uint16 // waiters that name this counter
	passed      uint8  // thresholds that were told of in this window
	setting     setting

	member
}

// rare is what only a counter of a rolling window, with a tolerance, or shared with other processes has.
type rare struct {
	cells  []cell  // Rolling: the generations in view
	likely int64   // Tolerance: of what is held
	parts  []int64 // Rolling with Tolerance: likely, by cell
	quiet  int64   // Rolling with Thresholds: until when those that were told of are not told of again
	others int64   // what other processes have spent, as far as is known: see [Counter.Hear]
}

// setting is a set of switches.
type setting uint8

const (
	observes setting = 1 << iota
	paused
	claimed // by an earlier waiter, which room goes to first
	swept   // from its group
	linked  // in its group's order by last use
	own     // its settings are its own, and not its group's
)

func (s setting) has(one setting) bool { return s&one != 0 }

func (s *setting) set(one setting, on bool) {
	if on {
		*s |= one
	} else {
		*s &^= one
	}
}

// NewCounter adds a counter for a limit. It returns [ErrAmount] for a negative cap, or a tolerance or thresholds out of
// their range, and [ErrWindow] for a window that cannot be kept.
func (g *Guard) NewCounter(l Limit) (*Counter, error) {
	if err := l.validate(); err != nil {
		return nil, err
	}
	return newCounter(l, newSchedule(g, l)), nil
}

// NewTotal makes a counter of a cap of nano-dollars that is never reset, with the usual thresholds; a negative cap is 0. It
// has nothing that [Guard.NewCounter] could refuse.
func (g *Guard) NewTotal(most int64, owner any) *Counter {
	l := Limit{Cap: max(most, 0), Thresholds: UsualThresholds, Owner: owner}
	return newCounter(l, newSchedule(g, l))
}

// UsualThresholds are those of a limit that is given none, in percent.
var UsualThresholds = []int{50, 80, 100}

func newCounter(l Limit, s *schedule) *Counter {
	c := &Counter{schedule: s, cap: min(l.Cap, MaxCap)}
	c.setting.set(observes, l.Observe)
	if s.window.Kind == None || s.perCall {
		c.end = math.MaxInt64
	}
	if s.width > 0 || s.tolerance > 0 {
		c.rare = &rare{}
	}
	if s.width > 0 {
		c.rare.cells = make([]cell, s.window.Buckets+1)
		if s.tolerance > 0 {
			c.rare.parts = make([]int64, s.window.Buckets+1)
		}
	}
	return c
}

func (l Limit) validate() error {
	if l.Cap < 0 || l.Tolerance < 0 || l.Tolerance > maxTolerance || len(l.Thresholds) > math.MaxUint8 {
		return ErrAmount
	}
	for i, t := range l.Thresholds {
		if t <= 0 || i > 0 && t <= l.Thresholds[i-1] {
			return ErrAmount
		}
	}
	return l.Window.Validate()
}

// judge says whether a posting fits on top of what is spent and held. A counter that is over its cap, because a
// call overran its hold or because the cap was lowered, refuses even a hold of nothing.
func (c *Counter) judge(p *Posting) Reason {
	most := c.ceiling()
	switch {
	case c.setting.has(paused):
		return Paused
	case c.perCall:
		if p.Amount > most {
			return OverCall
		}
	case p.Amount > most-c.spent:
		return Exhausted
	case c.tolerance > 0 && p.likely() > c.cap-c.spent:
		return Exhausted
	case p.Amount > most-add(c.spent, c.held):
		return Contended
	case c.tolerance > 0 && p.likely() > c.cap-add(c.spent, c.rare.likely):
		return Contended
	}
	return Admitted
}

// ceiling is what the most that everything can cost must not pass.
func (c *Counter) ceiling() int64 {
	if c.tolerance == 0 {
		return c.cap
	}
	high, low := bits.Mul64(uint64(c.cap), uint64(c.tolerance))
	more, _ := bits.Div64(high, low, maxTolerance) // no more than the cap, so there is no overflow
	return min(add(c.cap, int64(more)), MaxCap)
}

// room is how much more the counter would hold.
func (c *Counter) room() int64 {
	if c.setting.has(paused) || c.tolerance > 0 && c.cap < add(c.spent, c.rare.likely) {
		return 0
	}
	return max(0, c.ceiling()-add(c.spent, c.held))
}

// Cap is the cap as it stands, in the counter's units.
func (c *Counter) Cap() int64 {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	return c.live().cap
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
	return c.change(func(c *Counter) { c.setting.set(observes, observe) })
}

// SetPaused makes the counter refuse everything, or decide again. Its error is [ErrFull] as for [Counter.SetCap].
func (c *Counter) SetPaused(pause bool) error {
	return c.change(func(c *Counter) { c.setting.set(paused, pause) })
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
	c.guard.serve(c)
	return nil
}

// Add books spending that no hold stood for: what a ledger remembers from before, or what was spent elsewhere.
// It counts in the window in which it was made, at; it reports false, and books nothing, if that has closed, if
// the amount is negative, or if the counter was swept from its group, which has become full since. An instant
// after now is read as now.
func (c *Counter) Add(now, at time.Time, nanodollars int64) bool {
	return c.Rebook(now, at, 0, nanodollars)
}

// Rebook replaces a figure that Add has booked by another, in the same window; it reports as Add does.
func (c *Counter) Rebook(now, at time.Time, before, after int64) bool {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	c.guard.advance(nanos(now))
	c, ok := c.revive()
	if !ok || before < 0 || after < 0 {
		return false
	}
	c.turn(c.guard.clock)
	gen, ok := c.generation(min(nanos(at), c.guard.clock))
	if !ok {
		return false
	}
	c.touch()
	c.unbook(gen, before)
	c.book(gen, after)
	c.guard.serve(c)
	return true
}

// A Snapshot is the state of a counter at one instant. Amounts are nano-dollars.
type Snapshot struct {
	Cap, Spent, Held int64
	Free             int64     // what can still be held; 0 for a counter that is over its cap or paused
	Open             int       // holds that have not ended, those of closed windows included
	Waiting          int       // waiters in the queue that name the counter
	Start            time.Time // from when spending counts; zero for a total and for a per-call limit
	ResetAt          time.Time // when the window turns or, if rolling, when room is next made; zero if never
	Refusals         int64     // holds refused or, by an observing counter, holds that it would have refused
	Overruns         int64     // calls that cost more than was held for them
	Observe, Paused  bool
	Span             Span // in which a hold would count now
}

// Snapshot returns the state of the counter. Refusals and overruns count from when the counter was made.
func (c *Counter) Snapshot(now time.Time) Snapshot {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	c.guard.advance(nanos(now))
	c = c.live()
	c.turn(c.guard.clock)
	s := Snapshot{
		Cap: c.cap, Spent: c.spent, Held: c.held, Free: c.room(), Open: int(c.open), Waiting: int(c.waiting),
		Refusals: int64(c.refusals), Overruns: int64(c.overruns),
		Observe: c.setting.has(observes), Paused: c.setting.has(paused),
	}
	s.Start, s.ResetAt = c.span()
	s.Span = c.spanOf(c.gen)
	return s
}
