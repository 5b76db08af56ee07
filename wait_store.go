package farebox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farebox-go/farebox/internal/allowance"
)

// This file is about calls that wait for what other processes have borrowed. Those of one process stand in line, so that
// however many there are the store is asked by the first of them.

// storeNap is how long a call waits before it asks a store again that had nothing left for it: others give back what they
// do not need within a second or two of a refusal.
const storeNap = 500 * time.Millisecond

// storePatience is how long the first call in line keeps others off. What it waits for may have died with a process.
const storePatience = 30 * time.Second

// storeLines are the lines of waiting calls, one for each budget and value that refused. The zero value is ready for use.
type storeLines struct {
	calls atomic.Int64 // in all lines

	mu     sync.Mutex
	byName map[lineName]*storeLine
}

type lineName struct{ budget, value string }

// storeLine is calls that wait for one budget, in the order in which they came.
type storeLine struct {
	calls []*inLine
	// contended says that the first would fit if others returned what they have borrowed, so that nobody may pass it.
	contended bool
}

// inLine is a call that waits.
type inLine struct {
	name    lineName
	asks    int64 // of the budget, in its unit
	since   time.Time
	refused *BudgetError  // the last time
	first   time.Time     // when it became the first; zero: it is not yet
	turn    chan struct{} // has something in it when the call should ask again at once
}

// stand puts a call that a budget has refused into its line, or leaves it there, and says whether it is the first.
func (s *storeLines) stand(c *inLine, refused *BudgetError) (_ *inLine, first bool) {
	name := lineName{refused.Budget, refused.Value}
	if c != nil && c.name != name {
		s.leave(c, false)
		c = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	line := s.byName[name]
	if line == nil {
		if s.byName == nil {
			s.byName = make(map[lineName]*storeLine)
		}
		line = &storeLine{}
		s.byName[name] = line
	}
	if c == nil {
		c = &inLine{name: name, since: time.Now(), turn: make(chan struct{}, 1)}
		line.calls = append(line.calls, c)
		s.calls.Add(1)
	}
	asks, left := refused.asked()
	c.asks = asks
	if first = line.calls[0] == c; first {
		if c.first.IsZero() {
			c.first = time.Now()
		}
		line.contended = refused.Reason == ReasonContended && time.Since(c.first) < storePatience
		line.passOver(left)
	}
	return c, first
}

// passOver lets the first call after the one in front ask that what is left would do for: where only the window's turn
// helps the one in front, it keeps nobody off.
func (l *storeLine) passOver(left int64) {
	if l.contended {
		return
	}
	for _, c := range l.calls[1:] {
		if c.asks <= left {
			c.wake()
			return
		}
	}
}

func (c *inLine) wake() {
	select {
	case c.turn <- struct{}{}:
	default:
	}
}

// leave takes a call out of its line. The next one asks at once where this one was served, or was the first.
func (s *storeLines) leave(c *inLine, served bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := s.byName[c.name]
	i := slices.Index(line.calls, c)
	line.calls = slices.Delete(line.calls, i, i+1)
	s.calls.Add(-1)
	if i < len(line.calls) && (served || i == 0) {
		line.calls[i].wake()
	}
	if len(line.calls) == 0 {
		delete(s.byName, c.name)
	}
}

// waiting is the number of calls in a line.
func (s *storeLines) waiting(budget, value string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := s.byName[lineName{budget, value}]
	if line == nil {
		return 0
	}
	return len(line.calls)
}

// isContended says whether a call that comes now has to go behind others.
func (s *storeLines) isContended(budget, value string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := s.byName[lineName{budget, value}]
	return line != nil && line.contended
}

// asked is what a refused call asks of the budget, and what the budget had left, in its unit.
func (e *BudgetError) asked() (asks, left int64) {
	if e.Unit == UnitUSD {
		return e.Asked.nanosUp(), nanosDown(e.Fits)
	}
	return e.AskedCount, e.Counts.Free
}

// keptOff refuses a call that would wait, and comes after others that wait for the same. What it has held is given back.
func (g *Guard) keptOff(ctx context.Context, h *hold, postings []allowance.Posting, by *spender, q *quoted) *BudgetError {
	if h.inLine != nil || g.lender.lines.calls.Load() == 0 {
		return nil
	}
	asked, _ := ctx.Value(whenFullKey).(WhenFull)
	at := 0 // of the posting: not every budget is in the store
	for i, b := range h.budgets[:h.n] {
		if at == len(postings) || postings[at].Counter != any(h.counters[i]) {
			continue
		}
		p := &postings[at]
		at++
		if cmp.Or(asked, b.WhenFull) != Wait || b.Observe || !g.lender.lines.isContended(b.Name, h.values[i]) {
			continue
		}
		h.Void(time.Now())
		e := b.refuse(ReasonContended, h.values[i], by, q)
		standing := g.lender.pool.Standing(p.Account)
		b.wordStore(e, p.Cap, standing.Spent, standing.Free, q)
		g.countRefusal(h, i, e)
		return e
	}
	return nil
}

// admittedAnywhere backs a hold that this process's budgets have admitted after a wait.
func (a *attempt) admittedAnywhere(err error) (again bool, _ error) {
	if err != nil {
		return false, err
	}
	again, err = a.meter.guard.borrow(a.ctx, &a.hold, a.spender(), &a.quoted)
	var refused *BudgetError
	if errors.As(err, &refused) && refused.atStore {
		return a.waitForStore(refused)
	}
	return again, err
}

// waitForStore waits in line for other processes to give back what they do not need.
func (a *attempt) waitForStore(refused *BudgetError) (again bool, err error) {
	defer a.call.pause()()
	g := &a.meter.guard
	var first bool
	a.hold.inLine, first = g.lender.lines.stand(a.hold.inLine, refused)
	a.hold.inLine.refused = refused
	var nap <-chan time.Time
	if first {
		timer := time.NewTimer(storeNap)
		defer timer.Stop()
		nap = timer.C
	}
	select {
	case <-nap:
	case <-a.hold.inLine.turn:
	case <-a.meter.closing:
		g.forgive(&a.hold, refused)
		return false, fmt.Errorf("farebox: waiting for room in a budget: %w", ErrClosed)
	case <-a.ctx.Done():
		return false, a.waitedInVain()
	}
	g.forgive(&a.hold, refused)
	return true, nil
}

// waitedInVain is the refusal of a call in line whose time is over.
func (a *attempt) waitedInVain() *BudgetError {
	c := a.hold.inLine
	c.refused.Waited, c.refused.cause = time.Since(c.since), context.Cause(a.ctx)
	return c.refused
}

// leaveLine ends a call's waiting for other processes, if it did.
func (a *attempt) leaveLine(served bool) {
	if a.hold.inLine != nil {
		a.meter.guard.lender.lines.leave(a.hold.inLine, served)
		a.hold.inLine = nil
	}
}
