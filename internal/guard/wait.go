package guard

import "time"

// A Waiter stands in a guard's queue until its hold is admitted. The zero value is ready for [Guard.Queue]; it may be
// used again once it has left. A Waiter must not be copied.
type Waiter struct {
	_          noCopy
	hold       *Hold
	n          int
	postings   [MaxPostings]Posting
	decision   Decision
	ready      chan struct{}
	prev, next *Waiter
	queued     bool
}

// queue holds the waiters in the order in which they came.
type queue struct{ first, last *Waiter }

// Queue takes a hold as [Guard.Hold] does or, where it does not fit and waiting may help, puts w into the queue. Then
// [Waiter.Ready] tells when the hold was admitted, or when waiting has stopped making sense, and [Guard.Leave] which of
// the two. Waiting helps against [Contended], and against [Exhausted] where a window turns.
//
// Waiters come in turn. One that is contended keeps everybody who comes later off all its counters, so that nobody
// starves; one that waits for a window to turn lets others use what it cannot. The passing of time is noticed when
// somebody calls the guard; a waiter whose decision has a ResetAt calls [Guard.Serve] then.
func (g *Guard) Queue(w *Waiter, h *Hold, now time.Time, postings []Posting) (d Decision, queued bool) {
	d = g.Hold(h, now, postings)
	if d.Admitted() || !d.passes() {
		return d, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	*w = Waiter{hold: h, n: len(postings), ready: make(chan struct{}), prev: g.queue.last, queued: true}
	copy(w.postings[:], postings)
	for i := range postings {
		c, ok := postings[i].Counter.revive()
		if !ok {
			return Decision{Reason: Full, Posting: i, Asked: postings[i].Amount}, false
		}
		w.postings[i].Counter = c
		if d.Refused.Has(i) && c.refusals > 0 {
			c.refusals-- // it may yet be admitted
		}
	}
	for i := range postings {
		w.postings[i].Counter.waiting++
	}
	if w.prev != nil {
		w.prev.next = w
	} else {
		g.queue.first = w
	}
	g.queue.last = w
	w.decision = d
	g.serveAll() // what was refused a moment ago may fit by now
	return w.decision, true
}

// passes says whether waiting may turn a refusal into an admission.
func (d *Decision) passes() bool {
	switch d.Reason {
	case Contended:
		return true
	case Exhausted:
		return !d.ResetAt.IsZero() && d.Asked <= d.most
	}
	return false
}

// Ready is closed when the waiter's hold has been admitted, or cannot be any more.
func (w *Waiter) Ready() <-chan struct{} { return w.ready }

// Decision is what stands in the waiter's way at the moment.
func (g *Guard) Decision(w *Waiter) Decision {
	g.mu.Lock()
	defer g.mu.Unlock()
	return w.decision
}

// Serve admits those who can be by now.
func (g *Guard) Serve(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.advance(nanos(now))
	g.serveAll()
}

// Leave takes a waiter out of the queue and returns the last decision about it. If that is Admitted, the hold stands
// and has to be ended.
func (g *Guard) Leave(w *Waiter, now time.Time) Decision {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.advance(nanos(now))
	if w.queued {
		count(w.postings[:w.n], w.decision.Refused)
		g.remove(w)
		g.serveAll()
	}
	return w.decision
}

func (g *Guard) remove(w *Waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		g.queue.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		g.queue.last = w.prev
	}
	for i := range w.postings[:w.n] {
		c := w.postings[i].Counter
		c.waiting--
		c.setting.set(claimed, false)
	}
	w.prev, w.next, w.queued = nil, nil, false
}

// serve lets those go on who wait for a counter.
func (g *Guard) serve(c *Counter) {
	if c.waiting > 0 {
		g.serveAll()
	}
}

// serveAny lets those go on who wait for any of the counters that somebody else asks for.
func (g *Guard) serveAny(postings []Posting) {
	for i := range postings {
		if c := postings[i].Counter; c != nil && c.guard == g && c.live().waiting > 0 {
			g.serveAll()
			return
		}
	}
}

// serveAll asks for each waiter in turn, and leaves the counters claimed that later ones must keep off.
func (g *Guard) serveAll() {
	for w := g.queue.first; w != nil; w = w.next {
		w.claim(false)
	}
	for w := g.queue.first; w != nil; {
		next := w.next
		w.decision = Decision{}
		g.decide(&w.decision, w.postings[:w.n])
		switch {
		case w.decision.Reason == Admitted:
			count(w.postings[:w.n], w.decision.Observed)
			g.remove(w)
			w.hold.guard = g
			w.hold.take(w.postings[:w.n])
			close(w.ready)
		case !w.decision.passes():
			count(w.postings[:w.n], w.decision.Refused)
			g.remove(w)
			close(w.ready)
		case w.decision.Reason == Contended:
			w.claim(true)
		}
		w = next
	}
}

func (w *Waiter) claim(on bool) {
	for i := range w.postings[:w.n] {
		w.postings[i].Counter.setting.set(claimed, on)
	}
}
