package store

import (
	"context"
	"errors"
	"math"
	"time"
)

// returner is the client as which the branch takes out of its leaf what it gives back to the root. What it was granted is
// the sum of all that was given back: whoever of the branch reads it can finish what another began.
func (b *Branch) returner() string { return b.name + "/return" }

// line is where the branch stands at the root.
func (a *allotment) line(of *Line, need, want int64) Line {
	return Line{
		Account: of.Account, Cap: of.Cap, Granted: a.granted, Returned: min(a.returned, a.granted), Need: need, Want: want,
	}
}

// ask tells the root where the branch stands, and asks for more. It returns the first line refused; -1: none.
func (b *Branch) ask(ctx context.Context, lines []Line) (refused int, err error) {
	reply, err := b.root.Sync(ctx, b.name, lines)
	if err != nil {
		return -1, atRoot(err)
	}
	for i := range lines {
		b.hearRoot(&lines[i], &reply.Lines[i])
	}
	return reply.Refused, nil
}

func (b *Branch) hearRoot(l *Line, g *Granted) {
	a := b.lot(&l.Account)
	b.mu.Lock()
	defer b.mu.Unlock()
	if g.Granted < a.granted {
		return // an older answer
	}
	a.granted, a.used, a.recall, a.heard = g.Granted, g.Used, g.Recall, b.now()
	a.others = g.Clients
	if g.Granted > l.Returned {
		a.others--
	}
	a.others = max(0, a.others)
}

// patience is how long a root may take to say what is not needed at once, and how long it is left alone if it does not.
const patience = time.Second

func (b *Branch) isAway() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now().Sub(b.away) < patience
}

// politely asks the root for what is not needed at once. A root that does not answer is left alone for a while, and a
// window that it does not take is let be.
func (b *Branch) politely(ctx context.Context, lines []Line) error {
	if len(lines) == 0 || b.isAway() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := b.ask(ctx, lines)
	return b.forgive(err)
}

// forgive lets only that error of the root pass which says that it has lost what it had granted.
func (b *Branch) forgive(err error) error {
	var lost *LostError
	var window *WindowError
	switch {
	case errors.As(err, &lost):
		return err
	case err != nil && !errors.As(err, &window):
		b.mu.Lock()
		b.away = b.now()
		b.mu.Unlock()
	}
	return nil
}

// copyOf is what is known of an account at the moment.
func (b *Branch) copyOf(lot *allotment) allotment {
	b.mu.Lock()
	defer b.mu.Unlock()
	return *lot
}

// look reads how the leaf stands on the lines that want it, and makes it open their windows as they are in view, so that
// it keeps those before them for as long as they count.
func (m *message) look(ctx context.Context, wanted func(*Line, *allotment) bool) error {
	var lines []Line
	var lots []*allotment
	for i, place := range m.places {
		if l, a := &m.lines[place], m.known(i); wanted(l, &a) {
			of := l.Account
			if a.met {
				of = inLeaf(of)
			}
			lines, lots = append(lines, Line{Account: of, Granted: a.returned}), append(lots, m.lots[i])
		}
	}
	if len(lines) == 0 {
		return nil
	}
	reply, err := m.leaf.Sync(ctx, m.returner(), lines)
	if err != nil {
		return atLeaf(err)
	}
	for i, a := range lots {
		m.hearReturner(a, &lines[i], &reply.Lines[i])
	}
	return nil
}

func (b *Branch) hearReturner(a *allotment, l *Line, g *Granted) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a.met = true
	a.returned = max(a.returned, g.Granted)
	if l.Window.View == l.Window.Start { // else the leaf counts those before it too
		a.lent, a.clients = g.Used, g.Clients
	}
}

// prepare looks at what is not known yet, or seems not to suffice, before the leaf is asked: it would refuse, and so recall
// what its clients hold, although the root has enough.
func (m *message) prepare(ctx context.Context) error {
	if err := m.look(ctx, func(l *Line, a *allotment) bool { return !a.met || a.canMend(l) }); err != nil {
		return err
	}
	for _, step := range []func(*Line, *allotment) (need, want int64){
		func(l *Line, a *allotment) (int64, int64) {
			if !a.heard.IsZero() {
				return 0, 0
			}
			return 0, max(l.Need, l.Want)
		},
		func(l *Line, a *allotment) (int64, int64) {
			if !a.canMend(l) {
				return 0, 0
			}
			return a.lack(l), max(a.lack(l), a.share(l.Cap))
		},
	} {
		var asks []Line
		for i, place := range m.places {
			l, a := &m.lines[place], m.known(i)
			if need, want := step(l, &a); want > 0 {
				asks = append(asks, a.line(l, need, want))
			}
		}
		if err := m.askAhead(ctx, asks); err != nil {
			return err
		}
	}
	return nil
}

// lack is how much less is to be had at the leaf than a line needs.
func (a *allotment) lack(l *Line) int64 { return l.Need - (a.lendable(l.Cap) - a.lent) }

// canMend says whether the leaf seems not to have what a line needs, and the root seems to have it.
func (a *allotment) canMend(l *Line) bool {
	lack := a.lack(l)
	return !a.heard.IsZero() && l.Need > 0 && lack > 0 && !a.recall && lack <= l.Cap-a.used
}

// askAhead asks the root before the leaf; an error counts only where nothing can be lent without an answer.
func (m *message) askAhead(ctx context.Context, asks []Line) error {
	if len(asks) == 0 {
		return nil
	}
	_, err := m.ask(ctx, asks)
	var lost *LostError
	if err != nil && (m.needsRoot() || errors.As(err, &lost)) {
		return err
	}
	return nil
}

// needsRoot says whether a line needs what only the root can say.
func (m *message) needsRoot() bool {
	for i, place := range m.places {
		if a := m.known(i); a.heard.IsZero() && m.lines[place].Need > 0 {
			return true
		}
	}
	return false
}

// settle brings the root what the leaf's answer means for it, and words the answer for the client.
func (m *message) settle(ctx context.Context, reply *Reply) error {
	now := reply.Now.UnixNano()
	for i, place := range m.places {
		l := &m.lines[place]
		var err error
		if l.Window.Holds(now) {
			err = m.raise(ctx, m.lots[i], l)
		} else if l.Over > 0 {
			err = m.raiseClosed(ctx, m.lots[i], l)
		}
		if err != nil {
			return err
		}
	}
	if err := m.listen(ctx, reply); err != nil {
		return err
	}
	for i, place := range m.places {
		l, g := &m.lines[place], &reply.Lines[place]
		if !l.Window.Holds(now) {
			continue
		}
		if m.isSpare(l, m.lots[i], m.denied == place) {
			if err := m.giveBack(ctx, m.lots[i], l); err != nil {
				return err
			}
		}
		if err := m.relay(ctx, m.lots[i], l, g.Recall); err != nil {
			return err
		}
		a := m.known(i)
		g.Balance = a.balance(g.Recall)
	}
	return nil
}

// listen asks the root although nothing is needed of it: for more where the allotment is low, and where it is this process's
// turn whether another branch was refused. Then it looks at the leaf first, for what another process may have left undone.
func (m *message) listen(ctx context.Context, reply *Reply) error {
	if m.isAway() {
		return nil
	}
	now := reply.Now.UnixNano()
	turn := func(l *Line, a *allotment) bool { return l.Window.Holds(now) && m.isTurn(a) }
	var polls []Line
	if err := m.look(ctx, turn); err != nil {
		return err
	}
	for i, place := range m.places {
		l, a := &m.lines[place], m.known(i)
		low := reply.Refused < 0 && (l.Need > 0 || l.Want > 0) && a.isLow(l.Cap)
		switch {
		case low && l.Window.Holds(now):
			polls = append(polls, a.line(l, 0, a.share(l.Cap)))
		case turn(l, &a):
			polls = append(polls, a.line(l, 0, 0))
		}
	}
	return m.politely(ctx, polls)
}

// isLow says that less than half of what the root would allot is left to lend.
func (a *allotment) isLow(limit int64) bool {
	return !a.heard.IsZero() && !a.recall && a.lendable(limit)-a.lent < a.share(limit)/2
}

// isTurn says whether this process is to ask the root how things stand. The more clients the leaf has, the more seldom each
// does.
func (m *message) isTurn(a *allotment) bool {
	return m.now().Sub(a.heard) >= a.turns()*m.pollEvery
}

// turns is how many processes take turns.
func (a *allotment) turns() time.Duration { return time.Duration(min(max(1, a.clients), 1<<16)) }

// isSpare says whether what is idle should go back: the root refused this branch or another, or a client of the branch gave
// back what it did not need, as it does when it is idle, is told to or ends. Where all do so at a time, because one was
// refused, small amounts go back together.
func (m *message) isSpare(l *Line, lot *allotment, refused bool) bool {
	const small = 1024 // of the cap
	m.mu.Lock()
	defer m.mu.Unlock()
	quiet := l.Need == 0 && l.Want <= 0
	handed := quiet && l.Returned > lot.handed
	lot.handed = max(lot.handed, l.Returned)
	if lot.recall && lot.idle() < l.Cap/small && m.isFresh(lot) {
		return false
	}
	return lot.idle() > 0 && (refused || handed || quiet && lot.recall)
}

// giveBack takes what is idle out of the leaf, and only then tells the root. A process that dies in between has left the
// sum in the leaf, from where the next one tells it.
func (b *Branch) giveBack(ctx context.Context, lot *allotment, l *Line) error {
	for range 2 { // once more if another process was granted some of it
		a := b.copyOf(lot)
		if a.idle() == 0 {
			break
		}
		take := Line{Account: inLeaf(l.Account), Cap: a.granted, Granted: a.returned, Need: a.idle(), Want: a.idle()}
		reply, err := b.leaf.Sync(ctx, b.returner(), []Line{take})
		if err != nil {
			return atLeaf(err)
		}
		b.hearReturner(lot, &take, &reply.Lines[0])
		if reply.Refused < 0 {
			break
		}
	}
	a := b.copyOf(lot)
	return b.politely(ctx, []Line{a.line(l, 0, 0)})
}

// relay makes the leaf recall what its clients hold where another branch was refused.
func (b *Branch) relay(ctx context.Context, lot *allotment, l *Line, heard bool) error {
	a := b.copyOf(lot)
	if heard || !a.recall || b.now().Sub(a.heard) >= recallTime {
		return nil
	}
	_, err := b.leaf.Sync(ctx, b.returner(), []Line{{Account: inLeaf(l.Account), Granted: a.returned, Need: math.MaxInt64}})
	return atLeaf(err)
}
