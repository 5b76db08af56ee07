package farebox

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// ErrRunEnded is returned by calls of a [Run] that has ended. It matches ErrRefused.
var ErrRunEnded = fmt.Errorf("the run has ended: %w", ErrRefused)

// runBudget is the name of a run's budget in receipts and errors; its value is the run's id.
const runBudget = "run"

// Run is a budget of its own for one agent run, or one tree of requests: everything that is called with its context, by
// whatever SDK goes through the Meter, counts against it, beside all other budgets that apply. Runs nest: one that is
// started with another's context counts against both. Safe for concurrent use.
type Run struct {
	id       string
	guard    *Guard
	budget   *budget
	parent   *Run
	ctx      context.Context
	cancel   context.CancelCauseFunc
	receipts *Receipts

	mu    sync.Mutex
	open  int           // attempts in flight, or waiting
	ended bool          // no more may begin
	idle  chan struct{} // closed when open is 0 after the end; nil before
}

// Run starts a run that may cost no more than a cap; a negative one is read as 0. End it when its work is done.
//
//	run := client.Run(ctx, farebox.Dollars(2))
//	defer run.End(ctx)
//	resp, err := client.CreateChatCompletion(run.Context(), request)
func (c *Client) Run(ctx context.Context, limit Money) *Run { return c.meter.Run(ctx, limit) }

// Run starts a run that may cost no more than a cap; see [Client.Run].
func (m *Meter) Run(ctx context.Context, limit Money) *Run {
	if limit.Sign() < 0 {
		limit = Money{}
	}
	b := Budget{Name: runBudget, Cap: limit}
	return m.startRun(ctx, &budget{Budget: b, counter: m.guard.core.NewTotal(b.cap(), limitOwner{b.Name, b.unit()})})
}

// StartRun starts a run with all that a [Budget] can say: tokens or requests instead of money, a tolerance, what becomes
// of calls that do not fit. Its Name, Scope and Per are not used; its errors are those of [WithBudget].
func (m *Meter) StartRun(ctx context.Context, b Budget) (*Run, error) {
	b.Name, b.Per, b.Scope = runBudget, "", Scope{}
	state, err := m.guard.newBudget(b)
	if err != nil {
		return nil, fmt.Errorf("farebox: %w", err)
	}
	state.key = "" // a run is this process's own
	return m.startRun(ctx, state), nil
}

func (m *Meter) startRun(ctx context.Context, state *budget) *Run {
	run := &Run{id: newID(time.Now()), guard: &m.guard, budget: state, parent: runFromContext(ctx)}
	ctx, run.receipts = ContextWithReceipts(ctx)
	run.ctx, run.cancel = context.WithCancelCause(context.WithValue(ctx, runKey, run))
	return run
}

func runFromContext(ctx context.Context) *Run {
	run, _ := ctx.Value(runKey).(*Run)
	return run
}

// ID names the run in receipts, as the value of the budget "run": a ULID.
func (r *Run) ID() string { return r.id }

// Context is what the run's calls are to be made with.
func (r *Run) Context() context.Context { return r.ctx }

// Receipts are those of the run's attempts so far, nested runs included, in the order in which they ended.
func (r *Run) Receipts() []Receipt { return r.receipts.All() }

// Cost is what the run has cost so far.
func (r *Run) Cost() Money { return r.receipts.Cost() }

// Status is how the run's budget stands.
func (r *Run) Status() BudgetStatus {
	now := time.Now()
	return r.budget.status(r.id, r.budget.counter.Snapshot(now), now)
}

// TopUp raises the cap of a run's budget in money. Calls that wait go on where they fit now.
func (r *Run) TopUp(amount Money) error {
	if amount.Sign() < 0 || r.budget.unit() != UnitUSD {
		return fmt.Errorf("farebox: a top-up of %s of a run in %q: want an amount that is not negative, of a run in money", amount, r.budget.unit())
	}
	return r.budget.counter.TopUp(nanosDown(amount))
}

// cutTime is how long an end waits for calls that it has cut to settle.
const cutTime = time.Second

// End ends the run: calls that come later are refused, with ErrRunEnded. It waits for those in flight until ctx is done;
// then they are cut, charged as any call is that was cut, and End returns ctx's error. Afterwards the run's receipts are
// whole. Nested runs end with it. A second End waits as the first does.
func (r *Run) End(ctx context.Context) error {
	r.mu.Lock()
	r.ended = true
	if r.idle == nil {
		r.idle = make(chan struct{})
		if r.open == 0 {
			close(r.idle)
		}
	}
	idle := r.idle
	r.mu.Unlock()
	defer r.cancel(fmt.Errorf("farebox: %w", ErrRunEnded))
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	r.cancel(fmt.Errorf("farebox: %w", ErrRunEnded))
	patience := time.NewTimer(cutTime)
	defer patience.Stop()
	select {
	case <-idle:
	case <-patience.C:
	}
	return fmt.Errorf("farebox: calls of the run were cut: %w", context.Cause(ctx))
}

// enter counts an attempt in, of this run and those around it; it fails where one has ended. Nil is no run.
func (r *Run) enter() error {
	for run := r; run != nil; run = run.parent {
		if !run.count(1) {
			for entered := r; entered != run; entered = entered.parent {
				entered.count(-1)
			}
			return fmt.Errorf("farebox: %w", ErrRunEnded)
		}
	}
	return nil
}

// leave counts an attempt out again.
func (r *Run) leave() {
	for run := r; run != nil; run = run.parent {
		run.count(-1)
	}
}

func (r *Run) count(by int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if by > 0 && r.ended {
		return false
	}
	if r.open += by; r.open == 0 && r.idle != nil {
		close(r.idle)
	}
	return true
}
