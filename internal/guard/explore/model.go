// Package explore visits every state that a small model of the guard's protocol can get into: a few callers under a parent
// cap and a child cap, whose messages are lost or come twice, who die before or after they have sent, beside a sweeper and a
// window that may come at any time. Where the random histories of package guardtest say that a mistake was not found, this
// says that in the model there is none.
package explore

// The model: three callers, of which the first two are under both caps and the last only under the parent's.
const (
	callers   = 3
	parentCap = 3
	childCap  = 2
)

// A Config says what may happen, and what is wrong with the protocol.
type Config struct {
	Mistake  Mistake
	Turns    bool // the window may turn, once
	Overruns bool // the provider may bill one unit more than was held
	Restarts int  // attempts that callers may make after their first, up to 3; with overruns up to 1, or sums are cut off
}

// Mistake is a fault in the protocol. The zero value is none.
type Mistake string

// The mistakes that are known to be made.
const (
	None            Mistake = ""
	CheckThenAct    Mistake = "check, then act"
	OffByOne        Mistake = "off by one"
	PartialHold     Mistake = "partial hold"
	RefundOnTimeout Mistake = "refund on timeout"
	CancelIsFree    Mistake = "cancelled costs nothing"
	DoubleSettle    Mistake = "settled twice"
	NoIdempotency   Mistake = "a repeated request holds again"
	RefundElsewhere Mistake = "refund into a new window"
	LostOverrun     Mistake = "overrun cut to the hold"
	LostWrites      Mistake = "the store loses writes"
)

// Mistakes are all of them.
var Mistakes = []Mistake{
	CheckThenAct, OffByOne, PartialHold, RefundOnTimeout, CancelIsFree, DoubleSettle, NoIdempotency, RefundElsewhere, LostOverrun, LostWrites,
}

// ConfigFor is the smallest model in which a mistake shows.
func ConfigFor(wrong Mistake) Config {
	return Config{Mistake: wrong, Turns: wrong == RefundElsewhere, Overruns: wrong == LostOverrun}
}

// phase is how far a caller has come.
type phase uint8

const (
	idle phase = iota
	asking
	checked // told that it fits, by a guard that has not held anything yet: a mistake
	granted
	sent
	saidSettle // what it says may be delivered any number of times, also none
	saidUnsent
	saidUnknown
	diedUnsent
	diedSent
	refused
)

// recordState is what the guard has of an attempt.
type recordState uint8

const (
	absent recordState = iota
	open
	settled
	voided
	charged
)

// caller is one caller with its attempt, and what the guard has of it.
type caller struct {
	phase  phase
	need   uint8 // units asked for: 1 or 2
	billed uint8 // by the provider
	record recordState
	booked uint8
	window uint8 // that the hold was taken in
	twice  bool  // the hold was taken a second time: a mistake
}

// sums is one limit's counter, and what earlier attempts of its window were billed.
type sums struct{ spent, held, past uint8 }

// state is all there is.
type state struct {
	callers       [callers]caller
	parent, child sums
	window        uint8
	restarts      uint8
}

// pack makes a state one word, which is what is remembered of it.
func (s *state) pack() (word uint64) {
	put := func(value uint8, bits int) { word = word<<bits | uint64(min(value, 1<<bits-1)) }
	for i := range s.callers {
		c := &s.callers[i]
		put(uint8(c.phase), 4)
		put(c.need>>1, 1)
		put(c.billed, 2)
		put(uint8(c.record), 3)
		put(c.booked, 2)
		put(c.window, 1)
		put(bit(c.twice), 1)
	}
	for _, l := range [...]sums{s.parent, s.child} {
		put(l.spent, 4)
		put(l.held, 3)
	}
	put(s.parent.past, 3)
	put(s.child.past, 2)
	put(s.window, 1)
	put(s.restarts, 2)
	return word
}

func unpack(word uint64) (s state) {
	take := func(bits int) uint8 {
		value := uint8(word & (1<<bits - 1))
		word >>= bits
		return value
	}
	s.restarts, s.window, s.child.past, s.parent.past = take(2), take(1), take(2), take(3)
	for _, l := range [...]*sums{&s.child, &s.parent} {
		l.held, l.spent = take(3), take(4)
	}
	for i := callers - 1; i >= 0; i-- {
		c := &s.callers[i]
		c.twice = take(1) == 1
		c.window, c.booked = take(1), take(2)
		c.record = recordState(take(3))
		c.billed = take(2)
		c.need = 1 + take(1)
		c.phase = phase(take(4))
	}
	return s
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// limits are those that a caller is under.
func (s *state) limits(i int) []*sums {
	if i < callers-1 {
		return []*sums{&s.parent, &s.child}
	}
	return []*sums{&s.parent}
}

func (s *state) capOf(l *sums) uint8 {
	if l == &s.child {
		return childCap
	}
	return parentCap
}
