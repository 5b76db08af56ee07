package guard

import (
	"math"
	"time"
)

// A generation is one turn of a counter's window: of a fixed window the whole of it, of a rolling window one
// bucket. It is named by the instant at which it starts, and every posting of a hold carries the name of the
// generation that it was made in.

// A schedule is a window made ready for counting; the counters of a group share one.
type schedule struct {
	guard      *Guard
	group      *Group // nil: the counter is of no group
	window     Window
	perCall    bool
	width      int64 // Rolling: the length of a bucket
	view       int64 // Rolling: how long a bucket counts, from its start
	tolerance  int64
	thresholds []int
	owner      any
}

func newSchedule(g *Guard, l Limit) *schedule {
	w := l.Window.normal()
	s := &schedule{
		guard: g, window: w, perCall: w.Kind == PerCall,
		tolerance: l.Tolerance, thresholds: l.Thresholds, owner: l.Owner,
	}
	if w.Kind == Rolling {
		s.width = w.width()
		s.view = s.width * int64(w.Buckets+1)
	}
	return s
}

// A cell holds the sums of one bucket of a rolling window.
type cell struct{ spent, held int64 }

// turn brings the counter into the generation of the clock. Everything that leaves the view is forgotten,
// holds included: they end in the window that they were taken in. A clock that was set back begins anew.
func (c *Counter) turn(clock int64) {
	if clock < c.gen {
		c.gen, c.end, c.era = 0, 0, c.guard.era
	}
	if clock < c.end {
		return
	}
	if c.width > 0 {
		c.roll(clock)
		return
	}
	start, end := c.window.bounds(c.window.instant(clock))
	c.gen, c.end = start.UnixNano(), end.UnixNano()
	c.spent, c.held, c.passed = 0, 0, 0
	if c.rare != nil {
		c.rare.likely, c.rare.others = 0, 0
	}
}

// roll clears the buckets between the last one counted in and the clock's, and sums up those that remain.
func (c *Counter) roll(clock int64) {
	gen := clock - clock%c.width
	if gen-c.gen >= c.view {
		c.rare.others = 0 // what is known of others is of buckets that have gone by
	}
	first := max(c.gen+c.width, gen-c.view+c.width)
	for g := first; g <= gen; g += c.width {
		i := c.place(g)
		c.rare.cells[i] = cell{}
		if c.tolerance > 0 {
			c.rare.parts[i] = 0
		}
	}
	c.gen, c.end = gen, gen+c.width
	c.spent, c.held, c.rare.likely = 0, 0, 0
	for i := range c.rare.cells {
		c.spent = add(c.spent, c.rare.cells[i].spent)
		c.held = add(c.held, c.rare.cells[i].held)
	}
	for _, likely := range c.rare.parts {
		c.rare.likely = add(c.rare.likely, likely)
	}
	c.rearm(clock)
}

// forgotten is the generation of what was held before the clock was set back: none that is ever in view.
const forgotten = math.MinInt64 / 2

// place is where the bucket of a rolling generation that is in view is kept.
func (c *Counter) place(gen int64) int64 { return gen / c.width % int64(len(c.rare.cells)) }

func (c *Counter) cell(gen int64) *cell { return &c.rare.cells[c.place(gen)] }

// inView reports whether what was done in a generation still counts.
func (c *Counter) inView(gen int64) bool {
	if c.width > 0 {
		return gen > c.gen-c.view
	}
	return gen == c.gen
}

// generation names the generation that the instant at, not after the clock, belongs to, if it is in view.
func (c *Counter) generation(at int64) (int64, bool) {
	gen := c.gen
	switch {
	case c.perCall:
		return 0, false
	case c.width > 0:
		gen = at - at%c.width
	case at < c.gen:
		return 0, false
	}
	return gen, c.inView(gen)
}

// hold sets an amount aside in the current generation, of which a part is likely to be spent.
func (c *Counter) hold(amount, likely int64) { c.holdIn(c.gen, amount, likely) }

// holdIn sets an amount aside in a generation that is in view.
func (c *Counter) holdIn(gen, amount, likely int64) {
	c.held = add(c.held, amount)
	if c.width > 0 {
		b := c.cell(gen)
		b.held = add(b.held, amount)
	}
	if c.tolerance > 0 {
		c.rare.likely = add(c.rare.likely, likely)
		if c.width > 0 {
			part := &c.rare.parts[c.place(gen)]
			*part = add(*part, likely)
		}
	}
}

// release gives back an amount that was held in a generation.
func (c *Counter) release(gen, amount, likely int64) {
	if !c.inView(gen) {
		return
	}
	c.held = sub(c.held, amount)
	if c.width > 0 {
		b := c.cell(gen)
		b.held = sub(b.held, amount)
	}
	if c.tolerance > 0 {
		c.rare.likely = sub(c.rare.likely, likely)
		if c.width > 0 {
			part := &c.rare.parts[c.place(gen)]
			*part = sub(*part, likely)
		}
	}
}

// book adds an amount to what was spent in a generation.
func (c *Counter) book(gen, amount int64) {
	if !c.inView(gen) {
		return
	}
	c.spent = add(c.spent, amount)
	if c.width > 0 {
		b := c.cell(gen)
		b.spent = add(b.spent, amount)
	}
	if c.thresholds != nil && c.guard.Notify != nil {
		c.tell()
	}
}

// unbook takes an amount that was booked in a generation out again.
func (c *Counter) unbook(gen, amount int64) {
	if !c.inView(gen) {
		return
	}
	c.spent = sub(c.spent, amount)
	if c.width > 0 {
		b := c.cell(gen)
		b.spent = sub(b.spent, amount)
	}
}

// resetAt is when the passing of time makes room for what was asked; the zero time if it does not.
func (c *Counter) resetAt(asked int64, reason Reason) time.Time {
	switch {
	case reason == Paused || c.perCall || c.window.Kind == None:
		return time.Time{}
	case c.width == 0:
		return c.window.instant(c.end)
	}
	left := add(c.spent, c.held)
	gen := max(c.gen-c.view+c.width, 0)
	for ; gen < c.gen; gen += c.width {
		b := c.cell(gen)
		left -= min(left, add(b.spent, b.held))
		if asked <= c.ceiling()-left {
			break
		}
	}
	return c.window.instant(gen + c.view)
}

// span is the part of time that counts now, and when that changes next.
func (c *Counter) span() (start, reset time.Time) {
	switch {
	case c.perCall || c.window.Kind == None:
		return time.Time{}, time.Time{}
	case c.width == 0:
		return c.window.instant(c.gen), c.window.instant(c.end)
	}
	oldest := c.gen - c.view + c.width
	for gen := max(oldest, 0); gen <= c.gen; gen += c.width {
		if *c.cell(gen) != (cell{}) {
			reset = c.window.instant(gen + c.view)
			break
		}
	}
	return c.window.instant(oldest), reset
}
