package farebox

import (
	"context"
	"fmt"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
)

// maxNap bounds how long a waiting call relies on a timer: the wall clock may be set meanwhile.
const maxNap = time.Minute

// waitForRoom waits in the guard's queue. It returns no error once the call is held; again says that budgets have changed
// meanwhile, so that the call has to be matched against them anew.
func (a *attempt) waitForRoom(refused *BudgetError, start time.Time) (again bool, err error) {
	g, h := &a.meter.guard, &a.hold
	changed := g.changed(h.revision)
	if changed == nil {
		return true, nil
	}
	if refused.Reason != ReasonContended && refused.Reason != ReasonExhausted {
		return false, refused
	}
	a.leaveLine(false)
	g.forgive(h, refused)
	var waiter guard.Waiter
	var in [guard.MaxPostings]guard.Posting
	d, queued := g.core.Queue(&waiter, &h.Hold, start, h.postings(&in, &a.quoted))
	if !queued {
		return a.admittedAnywhere(a.admitted(&d, start))
	}
	defer a.call.pause()()
	for {
		if hopeless(a.ctx, &d) {
			d = g.core.Leave(&waiter, time.Now())
			return false, a.waited(&d, start, context.DeadlineExceeded)
		}
		nap := time.NewTimer(napUntil(d.ResetAt))
		select {
		case <-waiter.Ready():
			nap.Stop()
			d = g.core.Leave(&waiter, time.Now())
			return a.admittedAnywhere(a.waited(&d, start, nil))
		case <-a.ctx.Done():
			d = g.core.Leave(&waiter, time.Now())
			if err = a.waited(&d, start, context.Cause(a.ctx)); err == nil { // admitted at the last moment
				h.Void(time.Now())
				refused.Waited, refused.cause = time.Since(start), context.Cause(a.ctx)
				err = refused
			}
		case <-a.meter.closing:
			g.core.Leave(&waiter, time.Now())
			h.Void(time.Now())
			err = fmt.Errorf("farebox: waiting for room in a budget: %w", ErrClosed)
		case <-changed:
			g.core.Leave(&waiter, time.Now())
			h.Void(time.Now())
			nap.Stop()
			return true, nil
		case <-nap.C:
			g.core.Serve(time.Now())
			d = g.core.Decision(&waiter)
			continue
		}
		nap.Stop()
		return false, err
	}
}

// napUntil is how long to wait before time itself may have made room.
func napUntil(reset time.Time) time.Duration {
	if reset.IsZero() {
		return maxNap
	}
	return min(max(time.Until(reset), 0), maxNap)
}

// hopeless says that a call's time runs out before its window turns, and nothing else can help it.
func hopeless(ctx context.Context, d *guard.Decision) bool {
	deadline, ok := ctx.Deadline()
	return ok && d.Reason == guard.Exhausted && deadline.Before(d.ResetAt)
}

// admitted words a decision of the queue's; nil: the call is held.
func (a *attempt) admitted(d *guard.Decision, now time.Time) error {
	if d.Admitted() {
		a.hold.wouldRefuse = a.hold.wouldRefuse || d.Observed != 0
		return nil
	}
	return a.meter.guard.refusal(&a.hold, d, a.spender(), &a.quoted, now)
}

// waited words how the waiting has ended.
func (a *attempt) waited(d *guard.Decision, start time.Time, cause error) error {
	now := time.Now()
	err := a.admitted(d, now)
	if refused, ok := err.(*BudgetError); ok {
		refused.Waited, refused.cause = now.Sub(start), cause
	}
	return err
}

// changed is closed when the budgets are others than at a revision; nil: they are already.
func (g *Guard) changed(since int) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.revision != since {
		return nil
	}
	if g.change == nil {
		g.change = make(chan struct{})
	}
	return g.change
}

// revise notes that budgets are others than before; mu is held.
func (g *Guard) revise() {
	g.revision++
	if g.change != nil {
		close(g.change)
		g.change = nil
	}
}

// pause stops the clock of a Client's attempt while it waits, and returns what starts it anew.
func (c *call) pause() (resume func()) {
	if c == nil || c.timer == nil || !c.timer.Stop() {
		return func() {}
	}
	return func() { c.timer.Reset(c.client.timeout) }
}
