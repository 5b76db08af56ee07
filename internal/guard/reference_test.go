package guard_test

import (
	"math"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
)

// The reference keeps every record that was ever made and answers each question by reading them all again. It
// knows nothing of generations, rings or running sums.

type refRecord struct {
	at     time.Time // as the guard's clock read it
	held   int64
	booked int64
	open   bool
}

type refCounter struct {
	window             guard.Window
	cap                int64
	observe, paused    bool
	records            []*refRecord
	refusals, overruns int64
}

type refPosting struct {
	counter *refCounter
	amount  int64
}

// counts reports whether what was done at a time counts at now.
func (c *refCounter) counts(at, now time.Time) bool {
	switch c.window.Kind {
	case guard.None:
		return true
	case guard.PerCall:
		return false
	case guard.Rolling:
		width := c.bucket()
		return now.UnixNano()/width-at.UnixNano()/width <= int64(c.window.Buckets)
	}
	return c.window.Start(at).Equal(c.window.Start(now))
}

func (c *refCounter) bucket() int64 {
	return int64(math.Ceil(float64(c.window.Length) / float64(c.window.Buckets)))
}

func (c *refCounter) sums(now time.Time) (spent, held int64) {
	for _, r := range c.records {
		switch {
		case !c.counts(r.at, now):
		case r.open:
			held += r.held
		default:
			spent += r.booked
		}
	}
	return spent, held
}

func (c *refCounter) open() (n int) {
	for _, r := range c.records {
		if r.open && c.window.Kind != guard.PerCall {
			n++
		}
	}
	return n
}

func (c *refCounter) reason(now time.Time, amount int64) guard.Reason {
	spent, held := c.sums(now)
	switch {
	case c.paused:
		return guard.Paused
	case c.window.Kind == guard.PerCall && amount > c.cap:
		return guard.OverCall
	case c.window.Kind == guard.PerCall:
		return guard.Admitted
	case spent+amount > c.cap:
		return guard.Exhausted
	case spent+held+amount > c.cap:
		return guard.Contended
	}
	return guard.Admitted
}

func (c *refCounter) room(now time.Time) int64 {
	if c.paused {
		return 0
	}
	spent, held := c.sums(now)
	return max(0, c.cap-spent-held)
}

// resetAt tries one instant after the other at which something can be forgotten.
func (c *refCounter) resetAt(now time.Time, amount int64) time.Time {
	switch {
	case c.paused || c.window.Kind == guard.None || c.window.Kind == guard.PerCall:
		return time.Time{}
	case c.window.Kind != guard.Rolling:
		return c.window.End(now)
	}
	width := c.bucket()
	var at time.Time
	for k := int64(1); k <= int64(c.window.Buckets)+1; k++ {
		at = time.Unix(0, (now.UnixNano()/width+k)*width)
		if spent, held := c.sums(at); spent+held+amount <= c.cap {
			return at
		}
	}
	return at
}

// release is when something that counts now is forgotten next.
func (c *refCounter) release(now time.Time) time.Time {
	if c.window.Kind != guard.Rolling {
		return c.resetAt(now, 0)
	}
	width := c.bucket()
	spent, held := c.sums(now)
	for k := int64(1); k <= int64(c.window.Buckets)+1; k++ {
		at := time.Unix(0, (now.UnixNano()/width+k)*width)
		if s, h := c.sums(at); s+h != spent+held {
			return at
		}
	}
	return time.Time{}
}

// refDecision is what can be said of a decision without naming the guard's own counters.
type refDecision struct {
	reason                  guard.Reason
	posting                 int
	cap, spent, held, asked int64
	resetAt                 time.Time
	room                    int64
	refused, observed       guard.Mask
}

func refDecide(now time.Time, postings []refPosting) refDecision {
	d := refDecision{room: math.MaxInt64}
	for i, p := range postings {
		reason := p.counter.reason(now, p.amount)
		if p.counter.observe {
			if reason != guard.Admitted {
				d.observed |= 1 << i
			}
			continue
		}
		d.room = min(d.room, p.counter.room(now))
		if reason == guard.Admitted {
			continue
		}
		d.refused |= 1 << i
		reset := p.counter.resetAt(now, p.amount)
		longer := !d.resetAt.IsZero() && (reset.IsZero() || reset.After(d.resetAt))
		if reason > d.reason || reason == d.reason && longer {
			d.reason, d.posting, d.resetAt, d.asked, d.cap = reason, i, reset, p.amount, p.counter.cap
			d.spent, d.held = p.counter.sums(now)
		}
	}
	return d
}

// refHold is a hold of the reference, with what may still be done to it.
type refHold struct {
	state    guard.State
	counters []*refCounter
	records  []*refRecord
}

func refTake(now time.Time, postings []refPosting) *refHold {
	h := &refHold{state: guard.Open}
	for _, p := range postings {
		r := &refRecord{at: now, held: p.amount, open: true}
		p.counter.records = append(p.counter.records, r)
		h.counters, h.records = append(h.counters, p.counter), append(h.records, r)
	}
	return h
}

func (h *refHold) end(state guard.State, actual []int64) bool {
	if h.state != guard.Open {
		return false
	}
	h.state = state
	for i, r := range h.records {
		r.open = false
		switch state {
		case guard.Settled:
			r.booked = actual[i]
		case guard.Charged:
			r.booked = r.held
		}
		if r.booked > r.held {
			h.counters[i].overruns++
		}
	}
	return true
}

func (h *refHold) reconcile(actual []int64) bool {
	if h.state == guard.Open {
		return false
	}
	for i, r := range h.records {
		if r.booked <= r.held && actual[i] > r.held {
			h.counters[i].overruns++
		}
		r.booked = actual[i]
	}
	return true
}
