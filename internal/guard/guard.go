// Package guard does the arithmetic that makes spending caps hold, in one process.
//
// Money is set aside before a call is sent, on every counter that applies or on none ([Guard.Hold]), and each
// [Hold] ends once: settled at what the call cost, voided on proof that it cost nothing, or charged in full
// because nobody knows. What is spent and what is held together never pass an enforcing counter's cap at an
// admission. The rules that follow from this:
//
//   - A hold belongs to the window in which it was taken. When it ends after that window, it changes no other.
//   - A call that costs more than its hold is booked in full, and the counter refuses until it has drained.
//   - Time does not run back. A reading before the latest one counts as the latest, so a clock that is set back
//     cannot reopen a window that has closed.
//
// All amounts are nano-dollars in an int64, rounded up by the caller; time is passed in. One mutex covers a whole
// guard, and nothing but arithmetic happens under it.
package guard

import (
	"errors"
	"math"
	"sync"
	"time"
)

// MaxPostings is the most counters that one hold can be taken on.
const MaxPostings = 16

// Errors of the methods that set up and change counters.
var (
	ErrAmount = errors.New("guard: negative amount")
	ErrFull   = errors.New("guard: group keeps as many counters as it may")
)

// A Guard decides about holds on its counters. The zero value is ready for use. All methods of a Guard and of
// its counters, groups and holds may be called from any goroutine. A Guard must not be copied.
type Guard struct {
	mu    sync.Mutex
	clock int64  // the latest time seen, in nanoseconds since 1970, unless SetAhead has set it back
	ahead int64  // of the time that callers pass in; see SetAhead
	round uint64 // numbers the decisions, to notice a counter that comes twice in one
	era   uint32 // numbers how often the clock was set back
	queue queue

	// Notify, if set before the guard is used, is told of thresholds that spending has reached. It is called with the
	// guard locked: it must return at once and must not call the guard.
	Notify func(Crossing)
}

// A Posting asks to hold an amount, in nano-dollars, on a counter. Likely is the part of it that will probably be
// spent, which only a counter with a tolerance looks at; 0 means all of it.
type Posting struct {
	Counter *Counter
	Amount  int64
	Likely  int64
}

func (p *Posting) likely() int64 {
	if p.Likely <= 0 || p.Likely > p.Amount {
		return p.Amount
	}
	return p.Likely
}

// Hold sets money aside on the counters of all postings, or on none, and makes h stand for it. If the decision
// is not [Admitted], h stands for nothing and need not be ended. Hold allocates nothing and keeps no reference
// to postings.
//
// The answer is [Invalid], and no counter is touched, if there are more than [MaxPostings], if an amount is
// negative, if a counter is nil, of another guard, or named twice, or if h is still open or was another guard's.
// Holding on no counter at all is admitted. What waits for room on a counter ([Guard.Queue]) has it first: a hold that
// comes later and would take it is [Contended].
func (g *Guard) Hold(h *Hold, now time.Time, postings []Posting) (d Decision) {
	at := nanos(now)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.advance(at)
	if h.guard != nil && (h.guard != g || h.state.pending()) {
		return Decision{Reason: Invalid}
	}
	h.guard, h.state = g, Unheld
	if g.queue.first != nil {
		g.serveAny(postings)
	}
	g.decide(&d, postings)
	if d.Reason != Admitted {
		count(postings, d.Refused)
		return d
	}
	count(postings, d.Observed)
	h.take(postings)
	return d
}

// Check answers as [Guard.Hold] would, but holds nothing and counts no refusal. With amounts of zero it tells
// the Room that is left.
func (g *Guard) Check(now time.Time, postings []Posting) (d Decision) {
	at := nanos(now)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.advance(at)
	g.decide(&d, postings)
	return d
}

// advance moves the clock on to at, never back.
func (g *Guard) advance(at int64) {
	g.clock = max(g.clock, within(at, g.ahead))
}

// SetAhead makes the guard count by another clock, which is so far ahead of that of its callers: of a store that many
// processes share. Less than zero: it is behind. If the time seen so far was ahead of that clock, it is set back: otherwise
// a caller whose own clock is fast could not make holds in the other's windows until these had come. Counters that have
// been in later windows begin anew in those of the clock, and holds taken before count nowhere any more.
func (g *Guard) SetAhead(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if back := int64(d) - g.ahead; back < 0 {
		g.clock = within(g.clock, back)
		g.era++
	}
	g.ahead = int64(d)
}

// decide brings the counters up to date and enters what each of them says. Their sums stay as they are.
func (g *Guard) decide(d *Decision, postings []Posting) {
	if i, ok := g.sound(postings); !ok {
		d.Reason, d.Posting = Invalid, i
		return
	}
	d.Room = math.MaxInt64
	for i := range postings {
		p := &postings[i]
		c, ok := p.Counter.revive()
		if !ok {
			*d = Decision{Reason: Full, Posting: i, Asked: p.Amount}
			return
		}
		if c.round == g.round {
			*d = Decision{Reason: Invalid, Posting: i, Asked: p.Amount}
			return
		}
		c.round = g.round
		c.turn(g.clock)
		d.judge(i, c, p)
	}
}

// sound starts a round and reports whether the postings make sense, or else the first that does not.
func (g *Guard) sound(postings []Posting) (int, bool) {
	if len(postings) > MaxPostings {
		return MaxPostings, false
	}
	g.round++
	for i := range postings {
		p := &postings[i]
		if p.Amount < 0 || p.Counter == nil || p.Counter.guard != g {
			return i, false
		}
	}
	return 0, true
}

// count adds a refusal to the counters of the postings in set.
func count(postings []Posting, set Mask) {
	if set == 0 {
		return
	}
	for i := range postings {
		if set.Has(i) {
			postings[i].Counter.live().refuse()
		}
	}
}

// refuse counts a refusal.
func (c *Counter) refuse() {
	if c.refusals < math.MaxUint32 {
		c.refusals++
	}
}

// overrun counts a call that cost more than was held for it.
func (c *Counter) overrun() {
	if c.overruns < math.MaxUint32 {
		c.overruns++
	}
}

// Refuse counts a refusal by the counters of the postings in set, which whoever decides beside the guard has found.
func (g *Guard) Refuse(postings []Posting, set Mask) {
	g.mu.Lock()
	defer g.mu.Unlock()
	count(postings, set)
}

// Forgive takes the refusals that a decision has counted out of the count again: the same call is about to be asked for
// in another form.
func (g *Guard) Forgive(postings []Posting, set Mask) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range postings {
		if c := postings[i].Counter.live(); set.Has(i) && c.refusals > 0 {
			c.refusals--
		}
	}
}
