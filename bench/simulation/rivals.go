package simulation

import (
	"time"
)

// rival is a guard by the rules that other gateways and libraries prescribe. It answers at once.
type rival struct {
	rules
	engine *engine
	spent  int64 // as its books have it
	held   int64
	due    []entry // what is to happen to its books, by time
}

// rules are the rules of admission and of settling.
type rules struct {
	// lag passes before what a call cost is in the books.
	lag time.Duration
	// holds is what is set aside: nothing, the mean of what calls cost, or the most.
	holds estimate
	// shrink admits what does not fit as long as anything is left, and holds that.
	shrink bool
	// ttl gives a hold back for which nobody has spoken in so long.
	ttl time.Duration
	// cancelled is what a call is booked at whose caller went away: nothing, or the input.
	inputOnCancel bool
}

type estimate int

const (
	nothing estimate = iota
	mean
	most
)

// entry is a change of a rival's books that is due.
type entry struct {
	at          time.Duration
	spent, held int64
	hold        *hold // of an expiry: not if it has ended
}

type hold struct {
	amount int64
	ended  bool
}

func (r rules) guard(e *engine) (guarded, error) { return &rival{rules: r, engine: e}, nil }

func (r *rival) ask(c *call) {
	amount := int64(0)
	switch r.holds {
	case mean:
		amount = feeNanos + r.engine.lengths.mean(c.limit)*tokenNanos
	case most:
		amount = feeNanos + c.limit*tokenNanos
	}
	room := r.engine.Cap - r.spent - r.held
	if r.shrink && room > 0 {
		amount = min(amount, room)
	}
	if amount > room || r.holds == nothing && room <= 0 {
		r.engine.refused(c)
		return
	}
	h := &hold{amount: amount}
	c.way = h
	r.held += amount
	if r.ttl > 0 {
		r.due = append(r.due, entry{at: r.engine.now + r.ttl, held: -amount, hold: h})
	}
	r.engine.admitted(c)
}

func (r *rival) end(c *call, how outcome) {
	h := c.way.(*hold)
	cost := c.actual
	switch {
	case how == lost: // nobody speaks for the hold any more
		if r.ttl == 0 {
			r.held -= h.amount
		}
		return
	case how == cancelled && r.inputOnCancel:
		cost = feeNanos
	case how == cancelled && r.holds != nothing:
		cost = 0
	}
	released := h.amount
	if h.ended {
		released = 0 // it was given back before
	}
	h.ended = true
	if r.lag > 0 {
		r.due = append(r.due, entry{at: r.engine.now + r.lag, spent: cost, held: -released})
		return
	}
	r.spent += cost
	r.held -= released
}

func (r *rival) passes(now time.Duration) {
	kept := r.due[:0]
	for _, d := range r.due {
		switch {
		case d.at > now:
			kept = append(kept, d)
		case d.hold != nil && d.hold.ended:
		default:
			if d.hold != nil {
				d.hold.ended = true
			}
			r.spent += d.spent
			r.held += d.held
		}
	}
	r.due = kept
}

func (*rival) figure(*call) {}

func (r *rival) books() (int64, error) {
	r.passes(1 << 62)
	return r.spent, nil
}
