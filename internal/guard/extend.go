package guard

import (
	"math"
	"time"
)

// Extend sets more aside for a hold that is open, on all its counters or on none: one further amount for each posting,
// in their order, or a single one for all. It answers as [Guard.Hold] does, and a refusal leaves the hold as it was.
// A hold that was extended belongs to the window of its extension, whole: what began before midnight and spends on
// after it must fit what comes after. Nobody's turn comes before that of a call in flight.
//
// The answer is [Invalid] if the hold is not open or the amounts cannot be right.
func (h *Hold) Extend(now time.Time, more ...int64) (d Decision) {
	if h.guard == nil {
		return Decision{Reason: Invalid}
	}
	at := nanos(now)
	h.guard.mu.Lock()
	defer h.guard.mu.Unlock()
	if !h.state.pending() || !h.plausible(more) {
		return Decision{Reason: Invalid}
	}
	h.guard.advance(at)
	d.Room = math.MaxInt64
	for i := range h.entries[:h.n] {
		h.entries[i].tryExtending(&d, i, h, figure(more, i))
	}
	set := d.Refused
	if d.Reason == Admitted {
		set = d.Observed
	}
	for i := range h.entries[:h.n] {
		e := &h.entries[i]
		if set.Has(i) {
			e.counter.refuse()
		}
		if d.Reason == Admitted {
			e.extend(figure(more, i))
		}
	}
	if d.Reason == Admitted {
		h.era = h.guard.era
	}
	return d
}

// tryExtending enters what the counter says to the hold at its new size, as if the old one were given back first.
func (e *entry) tryExtending(d *Decision, i int, h *Hold, more int64) {
	c := e.counter
	e.turn(h)
	if !c.perCall {
		c.release(e.gen, e.held, e.likely)
	}
	wanted := Posting{Counter: c, Amount: add(e.held, more), Likely: add(e.likely, more)}
	wasClaimed := c.setting.has(claimed)
	c.setting.set(claimed, false)
	d.judge(i, c, &wanted)
	c.setting.set(claimed, wasClaimed)
	if !c.perCall && c.inView(e.gen) {
		c.holdIn(e.gen, e.held, e.likely)
	}
}

// extend moves the hold into the counter's generation at its new size.
func (e *entry) extend(more int64) {
	c := e.counter
	if !c.perCall {
		c.release(e.gen, e.held, e.likely)
	}
	e.gen, e.held, e.likely = c.gen, add(e.held, more), add(e.likely, more)
	if c.perCall {
		return
	}
	c.touch()
	c.hold(e.held, e.likely)
}
