package guard

import "time"

// Reason says why a hold was not taken. A greater reason is the more lasting one.
type Reason uint8

// The reasons, Admitted being none.
const (
	Admitted  Reason = iota // the hold was taken
	Contended               // would fit if the open holds were given back: wait, or ask for less
	Exhausted               // what is spent leaves too little: wait for the window to turn, or raise the cap
	OverCall                // more than the counter allows a single call
	Paused                  // the counter is paused
	Full                    // the value is new to a group that keeps as many counters as it may
	Invalid                 // the postings make no sense: see [Guard.Hold]
)

var reasonNames = [...]string{"admitted", "contended", "exhausted", "per_call", "paused", "full", "invalid"}

// String returns the name of the reason as it is shown in errors and telemetry.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "unknown"
}

// A Mask is a set of postings, by their index.
type Mask uint16

// Has reports whether the posting with index i is in the set.
func (m Mask) Has(i int) bool { return i >= 0 && i < MaxPostings && m&(1<<i) != 0 }

// A Decision is the guard's answer to a set of postings. Amounts are nano-dollars.
//
// If several counters refuse, Reason and the fields that describe a counter are of the greatest reason, and
// among equal ones of the counter that makes room last: once that one agrees, none of the others is known to
// stand in the way for longer.
type Decision struct {
	Reason  Reason
	Posting int      // index of the posting that was refused; 0 if none was
	Counter *Counter // the counter that refused; nil if none did, or if Reason is Invalid or Full

	Cap, Spent, Held, Asked int64 // of the counter that refused; more Asked than Cap never fits

	// ResetAt is the first instant at which the passing of time alone makes room: the end of a fixed window,
	// the moment when enough has left a rolling one. It is zero if time alone does not.
	ResetAt time.Time

	// Room is how much every enforcing counter could still have held before this decision: the smallest of
	// their rooms, never negative. Without an enforcing counter it is math.MaxInt64.
	Room int64

	most int64 // Cap with the counter's tolerance

	Refused  Mask // enforcing postings that said no
	Observed Mask // observing postings that would have said no
}

// Admitted reports whether the hold was taken or, from [Guard.Check], whether it would be.
func (d *Decision) Admitted() bool { return d.Reason == Admitted }

// judge enters what counter c, brought up to date, says about posting i.
func (d *Decision) judge(i int, c *Counter, p *Posting) {
	reason := c.judge(p)
	if c.setting.has(observes) {
		if reason != Admitted {
			d.Observed |= 1 << i
		}
		return
	}
	d.Room = min(d.Room, c.room())
	if reason == Admitted && c.setting.has(claimed) {
		reason = Contended
	}
	if reason != Admitted {
		d.refuse(i, c, p.Amount, reason)
	}
}

func (d *Decision) refuse(i int, c *Counter, asked int64, reason Reason) {
	d.Refused |= 1 << i
	reset := c.resetAt(asked, reason)
	if reason < d.Reason || reason == d.Reason && !lasts(reset, d.ResetAt) {
		return
	}
	d.Reason, d.Posting, d.Counter, d.ResetAt = reason, i, c, reset
	d.Cap, d.Spent, d.Held, d.Asked, d.most = c.cap, c.spent, c.held, asked, c.ceiling()
}

// lasts reports whether a refusal until a lasts longer than one until b; until the zero time is for ever.
func lasts(a, b time.Time) bool {
	if a.IsZero() || b.IsZero() {
		return a.IsZero() && !b.IsZero()
	}
	return a.After(b)
}
