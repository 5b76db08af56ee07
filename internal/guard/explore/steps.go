package explore

// visit is handed a state that may follow, with the step to it and the caller that the step is about; -1: none.
type visit func(step string, caller int, s state)

// steps hands every state that can follow to next.
func (c Config) steps(s state, next visit) {
	for i := range s.callers {
		c.callerSteps(s, i, next)
		c.guardSteps(s, i, next)
	}
	if c.Turns && s.window == 0 {
		s.window = 1
		s.parent, s.child = sums{}, sums{}
		next("the window turns", -1, s)
	}
}

// callerSteps are what a caller does, and the provider.
func (c Config) callerSteps(s state, i int, next visit) {
	who := &s.callers[i]
	was := *who
	become := func(name string, p phase) {
		who.phase = p
		next(name, i, s)
		*who = was
	}
	switch who.phase {
	case idle:
		for need := uint8(1); need <= 2; need++ {
			who.need = need
			become("asks", asking)
		}
	case asking, checked:
		become("dies before it has the answer", diedUnsent)
	case granted:
		most := who.need
		if c.Overruns {
			most++
		}
		for billed := uint8(0); billed <= most; billed++ {
			who.billed = billed
			become("sends", sent)
		}
		become("cannot send", saidUnsent)
		become("dies before sending", diedUnsent)
	case sent:
		become("reads the answer", saidSettle)
		become("gives up", saidUnknown)
		become("dies after sending", diedSent)
	case saidSettle, saidUnsent, saidUnknown, refused:
		// A caller goes on to another attempt once the books on the last are right.
		if s.restarts > 0 && who.record != open && (who.booked == who.billed || who.window != s.window) {
			s.restarts--
			if who.window == s.window && who.record != absent {
				for _, l := range s.limits(i) {
					l.past += who.billed
				}
			}
			*who = caller{need: 1}
			next("begins anew", i, s)
		}
	}
}

// guardSteps are what reaches the guard about an attempt, and the sweeper.
func (c Config) guardSteps(s state, i int, next visit) {
	who := &s.callers[i]
	switch who.phase {
	case asking:
		c.ask(s, i, next)
	case checked:
		s.hold(i)
		who.phase = granted
		next("is held for, having been told that it fits", i, s)
		return
	case saidSettle:
		c.end(s, i, settled, who.billed, "its cost arrives", next)
	case saidUnsent:
		c.end(s, i, voided, 0, "its proof that nothing was sent arrives", next)
	case saidUnknown:
		booked := who.need
		if c.Mistake == CancelIsFree {
			booked = 0
		}
		c.end(s, i, charged, booked, "its giving up arrives", next)
	}
	if who.record == open {
		booked := who.need
		if c.Mistake == RefundOnTimeout {
			booked = 0
		}
		c.end(s, i, charged, booked, "is swept", next)
		if c.Mistake == LostWrites {
			s := s
			s.release(i)
			s.callers[i].record = absent
			next("is forgotten", i, s)
		}
	}
	c.reconcile(s, i, next)
}

// ask delivers a request for a hold. The answer may be lost, and the request come again.
func (c Config) ask(s state, i int, next visit) {
	who := &s.callers[i]
	switch {
	case who.record != absent && c.Mistake == NoIdempotency && !who.twice && s.fits(i, c.Mistake):
		s.hold(i)
		who.twice = true
	case who.record != absent:
	case !s.fits(i, c.Mistake):
		if c.Mistake == PartialHold && s.parent.spent+s.parent.held+who.need <= parentCap {
			s.parent.held += who.need
		}
		who.phase = refused
		next("is refused", i, s)
		return
	case c.Mistake == CheckThenAct:
		who.phase = checked
		next("is told that it fits", i, s)
		return
	default:
		s.hold(i)
	}
	next("is held for, and the answer is lost", i, s)
	who.phase = granted
	next("is held for", i, s)
}

func (s *state) fits(i int, wrong Mistake) bool {
	need := s.callers[i].need
	if wrong == OffByOne {
		need--
	}
	for _, l := range s.limits(i) {
		if l.spent+l.held+need > s.capOf(l) {
			return false
		}
	}
	return true
}

func (s *state) hold(i int) {
	who := &s.callers[i]
	who.record, who.window = open, s.window
	for _, l := range s.limits(i) {
		l.held += who.need
	}
}

// release takes a hold out of the counters, if its window has not closed.
func (s *state) release(i int) {
	who := &s.callers[i]
	if who.window != s.window {
		return
	}
	for _, l := range s.limits(i) {
		l.held -= min(l.held, who.need)
	}
}

// end ends a hold, once.
func (c Config) end(s state, i int, as recordState, booked uint8, name string, next visit) {
	who := &s.callers[i]
	if who.record != open {
		if c.Mistake == DoubleSettle && who.record != absent && who.window == s.window {
			for _, l := range s.limits(i) {
				l.spent += booked
			}
			next(name+" again", i, s)
		}
		return
	}
	if c.Mistake == LostOverrun {
		booked = min(booked, who.need)
	}
	s.release(i)
	who.record, who.booked = as, booked
	for _, l := range s.limits(i) {
		switch {
		case who.window == s.window:
			l.spent += booked
		case c.Mistake == RefundElsewhere:
			l.spent -= min(l.spent, who.need-min(booked, who.need))
		}
	}
	next(name, i, s)
}

// reconcile brings the provider's figure for an attempt that has ended and that will not be sent any more.
func (c Config) reconcile(s state, i int, next visit) {
	who := &s.callers[i]
	if who.record <= open || who.phase < sent || who.booked == who.billed {
		return
	}
	for _, l := range s.limits(i) {
		if who.window == s.window {
			l.spent = l.spent - min(l.spent, who.booked) + who.billed
		}
	}
	who.booked = who.billed
	next("is reconciled", i, s)
}
