package guard

import "time"

// State is where a [Hold] is in its life. The last three are terminal.
type State uint8

// The states of a hold.
const (
	Unheld     State = iota // stands for nothing: never taken, or refused
	Open                    // money is set aside, and nothing was sent
	Dispatched              // the call may be on the wire: if nobody ends the hold, it counts as charged
	Settled                 // ended at what the call cost
	Voided                  // ended at nothing, on proof that nothing was billed
	Charged                 // ended at the full amount, because nobody knows what was billed
)

var stateNames = [...]string{"unheld", "open", "dispatched", "settled", "voided", "charged"}

// pending says that a hold of this state has yet to end.
func (s State) pending() bool { return s == Open || s == Dispatched }

// String returns the name of the state.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// A Hold is money set aside for one attempt, on all its counters. Its memory is the caller's: [Guard.Hold] fills
// it in, and the methods here end it. Exactly one of [Hold.Settle], [Hold.Void] and [Hold.Charge] takes effect,
// the first to be called; the others, in whatever order and number, then change nothing and report false.
//
// The zero value stands for nothing. A Hold must not be copied once it was given to Guard.Hold. One that has ended
// may be given to Guard.Hold again when nobody else can still call its methods.
type Hold struct {
	_       noCopy
	guard   *Guard
	state   State
	n       int
	era     uint32 // of the guard, when the hold was last taken or extended
	entries [MaxPostings]entry
}

// An entry is what a hold did to one counter.
type entry struct {
	counter *Counter
	gen     int64 // the generation that it was done in
	held    int64
	likely  int64
	booked  int64 // once the hold has ended
}

// take moves the amounts of postings that were admitted from the counters' room into the hold.
func (h *Hold) take(postings []Posting) {
	for i := range postings {
		p := &postings[i]
		c := p.Counter.live()
		h.entries[i] = entry{counter: c, gen: c.gen, held: p.Amount, likely: p.likely()}
		if c.perCall {
			continue
		}
		c.touch()
		c.hold(p.Amount, p.likely())
		c.open++
	}
	h.state, h.n, h.era = Open, len(postings), h.guard.era
}

// A Span is the stretch of time in which an amount counts, in nanoseconds since 1970: the window of a calendar, or the bucket
// of a rolling one, and from when on spending counts together with it. The zero Span never ends.
type Span struct{ Start, End, View int64 }

// Span is where posting i of a hold counts; counted is false for a per-call limit, which remembers nothing.
func (h *Hold) Span(i int) (s Span, counted bool) {
	if h.guard == nil || i >= h.n {
		return Span{}, false
	}
	h.guard.mu.Lock()
	defer h.guard.mu.Unlock()
	e := &h.entries[i]
	if e.counter.perCall {
		return Span{}, false
	}
	return e.counter.spanOf(e.gen), true
}

// spanOf is where what is held in a generation counts.
func (c *Counter) spanOf(gen int64) Span {
	switch {
	case c.perCall || c.window.Kind == None:
		return Span{}
	case c.width > 0:
		return Span{Start: gen, End: gen + c.width, View: max(0, gen-c.view+c.width)}
	}
	start, end := c.window.bounds(c.window.instant(gen))
	return Span{Start: start.UnixNano(), End: end.UnixNano(), View: start.UnixNano()}
}

// Dispatch notes that the call is about to be sent. From then on only proof that nothing was billed gives the money
// back, whereas a hold that was never dispatched is proof in itself, to whoever cleans up after a crash. It reports
// whether the hold was open.
func (h *Hold) Dispatch() bool {
	if h.guard == nil {
		return false
	}
	h.guard.mu.Lock()
	defer h.guard.mu.Unlock()
	if h.state != Open {
		return false
	}
	h.state = Dispatched
	return true
}

// Settle ends the hold at what the call cost: one figure in nano-dollars for each posting, in their order, or a
// single figure for all. A figure above what was held is booked in full and counted as an overrun. Figures that
// cannot be right (one is negative, or their number is wrong) tell nothing about the cost, and the hold is charged.
// It reports whether this call ended the hold.
func (h *Hold) Settle(now time.Time, actual ...int64) bool {
	return h.end(now, Settled, actual)
}

// Void ends the hold at nothing. It takes proof that nothing was billed: a timeout or a lost connection is none.
// It reports whether this call ended the hold.
func (h *Hold) Void(now time.Time) bool { return h.end(now, Voided, nil) }

// Charge ends the hold at the full amount, for a call whose outcome is not known. It reports whether this call
// ended the hold.
func (h *Hold) Charge(now time.Time) bool { return h.end(now, Charged, nil) }

// Reconcile replaces what a hold that has ended was booked at with the provider's own later figures, given as for
// [Hold.Settle], higher or lower; the last figures count. They change the window that the hold was taken in, and
// if that has closed, none. It reports false, and changes nothing, for a hold that has not ended and for figures
// that cannot be right. The state stays what it was.
func (h *Hold) Reconcile(now time.Time, actual ...int64) bool {
	if h.guard == nil {
		return false
	}
	at := nanos(now)
	h.guard.mu.Lock()
	defer h.guard.mu.Unlock()
	if h.state <= Dispatched || !h.plausible(actual) {
		return false
	}
	h.guard.advance(at)
	for i := range h.entries[:h.n] {
		h.entries[i].rebook(h, figure(actual, i))
	}
	h.serve()
	return true
}

// State returns the hold's state.
func (h *Hold) State() State {
	if h.guard == nil {
		return Unheld
	}
	h.guard.mu.Lock()
	defer h.guard.mu.Unlock()
	return h.state
}

func (h *Hold) end(now time.Time, state State, actual []int64) bool {
	if h.guard == nil {
		return false
	}
	at := nanos(now)
	h.guard.mu.Lock()
	defer h.guard.mu.Unlock()
	if !h.state.pending() {
		return false
	}
	h.guard.advance(at)
	if state == Settled && !h.plausible(actual) {
		state = Charged
	}
	h.state = state
	for i := range h.entries[:h.n] {
		e := &h.entries[i]
		switch state {
		case Settled:
			e.booked = figure(actual, i)
		case Charged:
			e.booked = e.held
		}
		e.close(h)
	}
	h.serve()
	return true
}

// serve lets those go on who wait for what this hold has given back.
func (h *Hold) serve() {
	if h.guard.queue.first == nil {
		return
	}
	for i := range h.entries[:h.n] {
		h.guard.serve(h.entries[i].counter)
	}
}

// plausible reports whether the figures can be what the call cost.
func (h *Hold) plausible(actual []int64) bool {
	if len(actual) != 1 && len(actual) != h.n {
		return false
	}
	for _, a := range actual {
		if a < 0 {
			return false
		}
	}
	return true
}

// figure is the one of the figures that posting i is booked at.
func figure(actual []int64, i int) int64 {
	if len(actual) == 1 {
		return actual[0]
	}
	return actual[i]
}

// close turns what was held into what is booked.
func (e *entry) close(h *Hold) {
	c := e.counter
	if e.booked > e.held {
		c.overrun()
	}
	if c.perCall {
		return
	}
	c.open--
	e.turn(h)
	c.release(e.gen, e.held, e.likely)
	c.book(e.gen, e.booked)
}

// turn brings the counter into the generation of the clock. If it has begun anew since, the entry is in none of its own.
func (e *entry) turn(h *Hold) {
	e.counter.turn(h.guard.clock)
	if e.counter.era > h.era {
		e.gen = forgotten
	}
}

// rebook changes what is booked.
func (e *entry) rebook(h *Hold, actual int64) {
	c := e.counter
	if actual > e.held && e.booked <= e.held {
		c.overrun()
	}
	if !c.perCall {
		e.turn(h)
		c.unbook(e.gen, e.booked)
		c.book(e.gen, actual)
	}
	e.booked = actual
}

// noCopy lets go vet find copies of what contains it.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}
