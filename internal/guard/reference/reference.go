// Package reference answers what a guard answers, in the plainest way there is: it keeps every record that was ever made
// and reads them all again for each question. It knows nothing of generations, rings, running sums or locks, and is what
// guards are compared with in tests.
package reference

import (
	"math"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
)

// A Record is what one hold did to one counter, or what was added without a hold.
type Record struct {
	At     time.Time // as the guard's clock read it
	Held   int64
	Booked int64 // once it is not open
	Open   bool
}

// A Counter is one limit with its records. The caller fills in the settings.
type Counter struct {
	Window             guard.Window
	Cap                int64
	Observe, Paused    bool
	Records            []*Record
	Refusals, Overruns int64
}

// Counts reports whether what was done at a time counts at now.
func (c *Counter) Counts(at, now time.Time) bool {
	switch c.Window.Kind {
	case guard.None:
		return true
	case guard.PerCall:
		return false
	case guard.Rolling:
		width := c.Bucket()
		return now.UnixNano()/width-at.UnixNano()/width <= int64(c.Window.Buckets)
	}
	return c.Window.Start(at).Equal(c.Window.Start(now))
}

// Bucket is the length of a bucket of a rolling window, in nanoseconds.
func (c *Counter) Bucket() int64 {
	return int64(math.Ceil(float64(c.Window.Length) / float64(c.Window.Buckets)))
}

// Sums is what counts at now.
func (c *Counter) Sums(now time.Time) (spent, held int64) {
	for _, r := range c.Records {
		switch {
		case !c.Counts(r.At, now):
		case r.Open:
			held += r.Held
		default:
			spent += r.Booked
		}
	}
	return spent, held
}

// Open is the number of holds that have not ended.
func (c *Counter) Open() (n int) {
	for _, r := range c.Records {
		if r.Open && c.Window.Kind != guard.PerCall {
			n++
		}
	}
	return n
}

// Judge says whether an amount fits.
func (c *Counter) Judge(now time.Time, amount int64) guard.Reason {
	spent, held := c.Sums(now)
	switch {
	case c.Paused:
		return guard.Paused
	case c.Window.Kind == guard.PerCall && amount > c.Cap:
		return guard.OverCall
	case c.Window.Kind == guard.PerCall:
		return guard.Admitted
	case spent+amount > c.Cap:
		return guard.Exhausted
	case spent+held+amount > c.Cap:
		return guard.Contended
	}
	return guard.Admitted
}

// Room is how much more could be held.
func (c *Counter) Room(now time.Time) int64 {
	if c.Paused {
		return 0
	}
	spent, held := c.Sums(now)
	return max(0, c.Cap-spent-held)
}

// ResetAt tries one instant after the other at which something can be forgotten, until an amount fits.
func (c *Counter) ResetAt(now time.Time, amount int64) time.Time {
	switch {
	case c.Paused || c.Window.Kind == guard.None || c.Window.Kind == guard.PerCall:
		return time.Time{}
	case c.Window.Kind != guard.Rolling:
		return c.Window.End(now)
	}
	width := c.Bucket()
	var at time.Time
	for k := int64(1); k <= int64(c.Window.Buckets)+1; k++ {
		at = time.Unix(0, (now.UnixNano()/width+k)*width)
		if spent, held := c.Sums(at); spent+held+amount <= c.Cap {
			return at
		}
	}
	return at
}

// Release is when something that counts now is forgotten next.
func (c *Counter) Release(now time.Time) time.Time {
	if c.Window.Kind != guard.Rolling {
		return c.ResetAt(now, 0)
	}
	width := c.Bucket()
	spent, held := c.Sums(now)
	for k := int64(1); k <= int64(c.Window.Buckets)+1; k++ {
		at := time.Unix(0, (now.UnixNano()/width+k)*width)
		if s, h := c.Sums(at); s+h != spent+held {
			return at
		}
	}
	return time.Time{}
}

// A Posting asks to hold an amount on a counter.
type Posting struct {
	Counter *Counter
	Amount  int64
}

// A Decision is what can be said of a guard's without naming the guard's own counters.
type Decision struct {
	Reason                  guard.Reason
	Posting                 int
	Cap, Spent, Held, Asked int64
	ResetAt                 time.Time
	Room                    int64
	Refused, Observed       guard.Mask
}

// Decide says what becomes of a set of postings.
func Decide(now time.Time, postings []Posting) Decision {
	d := Decision{Room: math.MaxInt64}
	for i, p := range postings {
		reason := p.Counter.Judge(now, p.Amount)
		if p.Counter.Observe {
			if reason != guard.Admitted {
				d.Observed |= 1 << i
			}
			continue
		}
		d.Room = min(d.Room, p.Counter.Room(now))
		if reason == guard.Admitted {
			continue
		}
		d.Refused |= 1 << i
		reset := p.Counter.ResetAt(now, p.Amount)
		longer := !d.ResetAt.IsZero() && (reset.IsZero() || reset.After(d.ResetAt))
		if reason > d.Reason || reason == d.Reason && longer {
			d.Reason, d.Posting, d.ResetAt, d.Asked, d.Cap = reason, i, reset, p.Amount, p.Counter.Cap
			d.Spent, d.Held = p.Counter.Sums(now)
		}
	}
	return d
}

// A Hold is an attempt's, on all its counters.
type Hold struct {
	State    guard.State
	Counters []*Counter
	Records  []*Record
}

// Take holds what was admitted.
func Take(now time.Time, postings []Posting) *Hold {
	h := &Hold{State: guard.Open}
	for _, p := range postings {
		r := &Record{At: now, Held: p.Amount, Open: true}
		p.Counter.Records = append(p.Counter.Records, r)
		h.Counters, h.Records = append(h.Counters, p.Counter), append(h.Records, r)
	}
	return h
}

// Extend holds more, as if the whole hold were taken anew.
func (h *Hold) Extend(now time.Time, more []int64) guard.Reason {
	if h.State != guard.Open {
		return guard.Invalid
	}
	postings := make([]Posting, len(h.Records))
	for i, r := range h.Records {
		r.Open = false // for now: as if it were given back
		postings[i] = Posting{h.Counters[i], r.Held + more[i]}
	}
	reason := Decide(now, postings).Reason
	for i, r := range h.Records {
		if r.Open = true; reason == guard.Admitted {
			r.At, r.Held = now, r.Held+more[i]
		}
	}
	return reason
}

// End ends the hold, once: actual has a figure for each posting where it is settled.
func (h *Hold) End(state guard.State, actual []int64) bool {
	if h.State != guard.Open {
		return false
	}
	h.State = state
	for i, r := range h.Records {
		r.Open = false
		switch state {
		case guard.Settled:
			r.Booked = actual[i]
		case guard.Charged:
			r.Booked = r.Held
		}
		if r.Booked > r.Held {
			h.Counters[i].Overruns++
		}
	}
	return true
}

// Reconcile replaces what an ended hold was booked at.
func (h *Hold) Reconcile(actual []int64) bool {
	if h.State == guard.Open {
		return false
	}
	for i, r := range h.Records {
		if r.Booked <= r.Held && actual[i] > r.Held {
			h.Counters[i].Overruns++
		}
		r.Booked = actual[i]
	}
	return true
}
