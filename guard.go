package farebox

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/farebox-go/farebox/internal/allowance"
	"github.com/farebox-go/farebox/internal/guard"
)

// Guard decides whether a call may be sent, holds its money while it is in flight, and settles. It belongs to a
// [Meter]. Safe for concurrent use.
type Guard struct {
	core guard.Guard

	ledger *Ledger // what was spent before a budget came
	lender *lender // of allowances; nil: budgets are this process's own

	mu       sync.RWMutex
	budgets  []*budget
	revision int           // how often they have changed
	change   chan struct{} // closed at the next change; nil: nobody waits for it
	paused   map[Target]struct{}
}

// budget is a Budget with its counter, or one for each value of a tag. It is never changed, only replaced.
type budget struct {
	Budget
	counter *guard.Counter
	group   *guard.Group
	key     string // begins the names of its accounts in a store; empty: it is in none
}

// Target names what to pause: a budget, a key (by label or hash) or an endpoint, exactly as receipts have it. Exactly one
// field is set: a Target with none or several, or with a name that nothing has, pauses nothing.
type Target struct {
	Budget, Key, Endpoint string
}

// Pause refuses every call that a target applies to, from now on until Resume: the kill switch. Calls in flight go on.
// A target that does not exist yet may be paused.
func (g *Guard) Pause(t Target) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.paused == nil {
		g.paused = make(map[Target]struct{})
	}
	g.paused[t] = struct{}{}
	g.revise()
}

// Resume undoes Pause.
func (g *Guard) Resume(t Target) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.paused, t)
}

// hold is what is set aside for one attempt, with the budgets that it is taken on.
type hold struct {
	guard.Hold
	budgets  [guard.MaxPostings]*budget
	values   [guard.MaxPostings]string
	counters [guard.MaxPostings]*guard.Counter
	held     [guard.MaxPostings]int64 // in each budget's unit
	booked   [guard.MaxPostings]int64 // once the hold has ended
	n        int
	pace     pace
	share    allowance.Hold // of what the store has granted
	lent     []allowance.Posting
	inLine   *inLine // where the call waits for other processes; nil: it does not
	revision int     // of the guard, when the budgets were collected
	// wouldRefuse says that a budget that only observes would have refused, unbacked that the store could not be asked.
	wouldRefuse, unbacked bool
}

// match collects the budgets that apply to a call, and refuses what no counter need be asked about.
func (g *Guard) match(h *hold, by *spender, q *quoted, now time.Time) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	h.revision = g.revision
	if len(g.paused) > 0 && g.isPaused(by) {
		return &BudgetError{Reason: ReasonPaused, Endpoint: by.endpoint, Model: by.model}
	}
	for run := by.run; run != nil; run = run.parent {
		if err := g.apply(h, run.budget, run.id, by, q, now); err != nil {
			return err
		}
	}
	for _, b := range g.budgets {
		if b.Scope.match(by) {
			if err := g.apply(h, b, b.valueFor(by), by, q, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// apply puts a budget onto the hold, or refuses.
func (g *Guard) apply(h *hold, b *budget, value string, by *spender, q *quoted, now time.Time) error {
	if reason := g.barred(b, q, now); reason != "" {
		if b.Observe && reason != ReasonPaused {
			h.wouldRefuse = true
			return nil
		}
		return b.refuse(reason, value, by, q)
	}
	if h.n == len(h.counters) {
		return fmt.Errorf("farebox: more than %d budgets apply to one call: %w", len(h.counters), ErrRefused)
	}
	counter, err := b.counterFor(by, now)
	switch {
	case err == nil:
		h.add(b, value, counter)
	case b.Observe:
		h.wouldRefuse = true
	default:
		return b.refuse(ReasonTooManyValues, value, by, q)
	}
	return nil
}

// forget makes the hold one of no budgets again. Nothing is held by it.
func (h *hold) forget() { h.n, h.wouldRefuse = 0, false }

func (h *hold) add(b *budget, value string, counter *guard.Counter) {
	h.budgets[h.n], h.values[h.n], h.counters[h.n] = b, value, counter
	h.n++
}

// barred says why a budget refuses a call whatever is left in it; empty: it does not.
func (g *Guard) barred(b *budget, q *quoted, now time.Time) RefusalReason {
	_, paused := g.paused[Target{Budget: b.Name}]
	switch {
	case paused:
		return ReasonPaused
	case !b.Expires.IsZero() && !now.Before(b.Expires):
		return ReasonExpired
	case !q.Priced && b.unit() == UnitUSD && !b.Observe:
		return ReasonUnpriceable
	case b.Strict && q.Assumed:
		return ReasonUnbounded
	}
	return ""
}

// valueFor is the value of its tag that a budget counts a call under.
func (b *budget) valueFor(by *spender) string {
	if b.group == nil {
		return ""
	}
	return by.tags[b.Per]
}

// counterFor is what counts a call; the error is that there are too many values.
func (b *budget) counterFor(by *spender, now time.Time) (*guard.Counter, error) {
	if b.group == nil {
		return b.counter, nil
	}
	return b.group.Counter(now, by.tags[b.Per])
}

// room is how much money the budgets of a hold have left, the smallest of them; limited is false where none of them
// enforces.
func (g *Guard) room(h *hold, now time.Time) (left Money, limited bool) {
	nanos, limited := g.roomIn(UnitUSD, h, now)
	return moneyFromNanos(nanos), limited
}

// roomIn is what the budgets of one unit have left.
func (g *Guard) roomIn(unit Unit, h *hold, now time.Time) (left int64, limited bool) {
	var in [guard.MaxPostings]guard.Posting
	n := 0
	for i, b := range h.budgets[:h.n] {
		if b.unit() == unit {
			in[n] = guard.Posting{Counter: h.counters[i]}
			n++
		}
	}
	if n == 0 {
		return math.MaxInt64, false
	}
	room := g.core.Check(now, in[:n]).Room
	return room, room != math.MaxInt64
}

// check returns the refusal that take would, and counts none.
func (g *Guard) check(h *hold, by *spender, q *quoted, now time.Time) error {
	if h.n == 0 {
		return nil
	}
	var in [guard.MaxPostings]guard.Posting
	decision := g.core.Check(now, h.postings(&in, q))
	if !decision.Admitted() {
		return g.refusal(h, &decision, by, q, now)
	}
	return nil
}

// take holds the most that a call can cost on every budget that applies, or returns the refusal.
func (g *Guard) take(ctx context.Context, h *hold, by *spender, q *quoted, now time.Time) error {
	for h.n > 0 {
		var in [guard.MaxPostings]guard.Posting
		decision := g.core.Hold(&h.Hold, now, h.postings(&in, q))
		if !decision.Admitted() {
			return g.refusal(h, &decision, by, q, now)
		}
		h.wouldRefuse = h.wouldRefuse || decision.Observed != 0
		if again, err := g.borrow(ctx, h, by, q); !again {
			return err
		}
		now = time.Now()
	}
	return nil
}

// forgive takes a refusal out of the count again, since the call is to be made to fit.
func (g *Guard) forgive(h *hold, refused *BudgetError) {
	var in [guard.MaxPostings]guard.Posting
	for i, counter := range h.counters[:h.n] {
		in[i].Counter = counter
	}
	g.core.Forgive(in[:h.n], refused.counted)
}

// postings asks every budget of the hold for what the call may take of it.
func (h *hold) postings(in *[guard.MaxPostings]guard.Posting, q *quoted) []guard.Posting {
	for i, b := range h.budgets[:h.n] {
		most, likely := q.takes(b.unit(), b.outputHeld(&h.pace))
		h.held[i] = most
		in[i] = guard.Posting{Counter: h.counters[i], Amount: most, Likely: likely}
	}
	return in[:h.n]
}

// allOutput stands for as much output as the quote allows for.
const allOutput = -1

// outputHeld is how much of a call's output a budget holds.
func (b *budget) outputHeld(p *pace) int64 {
	if b.Hold == Progressive && p.held > 0 {
		return p.held
	}
	return allOutput
}

// takes is the most that a call can take of a budget, in its unit, up to so many tokens of output, and how much of that is
// likely.
func (q *quoted) takes(unit Unit, output int64) (most, likely int64) {
	switch unit {
	case UnitTokens:
		if output == allOutput {
			output = q.MostOutputTokens
		}
		return saturatingAdd(q.MostInputTokens, output), saturatingAdd(q.InputTokens, min(output, expectedOutputTokens))
	case UnitRequests:
		return 1, 1
	}
	if output == allOutput {
		return q.Most.nanosUp(), q.Expected.nanosUp()
	}
	return q.mostWith(output).nanosUp(), q.Expected.nanosUp()
}

// refuse words a refusal that no counter was asked about.
func (b *budget) refuse(reason RefusalReason, value string, by *spender, q *quoted) *BudgetError {
	e := &BudgetError{Reason: reason, Budget: b.Name, Value: value, Endpoint: by.endpoint, Model: by.model, Unit: b.unit()}
	e.AskedCount, _ = q.takes(e.Unit, allOutput)
	if e.Counts.Cap = b.cap(); e.Unit == UnitUSD {
		e.Cap, e.Asked, e.Counts.Cap, e.AskedCount = b.Cap, q.Most, 0, 0
	}
	return e
}

func (g *Guard) isPaused(by *spender) bool {
	for _, t := range [...]Target{{Endpoint: by.endpoint}, {Key: by.keyLabel}, {Key: by.keyHash}} {
		if _, paused := g.paused[t]; paused && t != (Target{}) {
			return true
		}
	}
	return false
}

var refusalReasons = map[guard.Reason]RefusalReason{
	guard.Contended: ReasonContended, guard.Exhausted: ReasonExhausted, guard.OverCall: ReasonPerCall,
	guard.Paused: ReasonPaused, guard.Full: ReasonTooManyValues,
}

// refusal words a decision against a call.
func (g *Guard) refusal(h *hold, d *guard.Decision, by *spender, q *quoted, now time.Time) error {
	reason, ok := refusalReasons[d.Reason]
	if !ok {
		return fmt.Errorf("farebox: the guard was asked for a hold that makes no sense: %w", ErrRefused)
	}
	b := h.budgets[d.Posting]
	e := b.refuse(reason, h.values[d.Posting], by, q)
	e.ResetAt, e.whenFull, e.counted = d.ResetAt, b.WhenFull, d.Refused
	e.floor = cmp.Or(b.MinOutputTokens, defaultFloor)
	e.OutputTokens = g.outputThatFits(h, q, now)
	room, _ := g.roomIn(e.Unit, h, now)
	if e.Unit == UnitUSD {
		e.Cap, e.Spent, e.Held = moneyFromNanos(d.Cap), moneyFromNanos(d.Spent), moneyFromNanos(d.Held)
		e.Fits = moneyFromNanos(room)
	} else {
		e.Counts = Counts{Cap: d.Cap, Spent: d.Spent, Held: d.Held, Free: room}
	}
	return e
}

// spent is what a call has turned out to take.
type spent struct {
	total, charge Money // charge is the gateway's own where the two differ
	tokens        int64 // less than 0: not known
}

// of is what a budget counts of it, in its unit; held where that is not known.
func (s *spent) of(b *budget, held int64) int64 {
	switch {
	case b.unit() == UnitRequests:
		return 1
	case b.unit() == UnitTokens && s.tokens < 0:
		return held
	case b.unit() == UnitTokens:
		return s.tokens
	case b.ChargeOnly:
		return s.charge.nanosUp()
	}
	return s.total.nanosUp()
}

// settle ends a hold at what the call took, and lists it for the receipt.
func (h *hold) settle(s *spent, now time.Time) []BudgetCharge {
	if h.n == 0 {
		return nil
	}
	var actual [guard.MaxPostings]int64
	for i, b := range h.budgets[:h.n] {
		actual[i] = s.of(b, h.held[i])
	}
	h.Settle(now, actual[:h.n]...)
	h.booked = actual
	return h.charges(&h.booked)
}

// figuresAt is what a hold would be booked at for another cost. Tokens stay as they were.
func (h *hold) figuresAt(cost Money) (actual [guard.MaxPostings]int64) {
	for i, b := range h.budgets[:h.n] {
		actual[i] = (&spent{total: cost, charge: cost, tokens: -1}).of(b, h.booked[i])
	}
	return actual
}

// reconcile books other figures in place of those that an ended hold was booked at.
func (h *hold) reconcile(actual *[guard.MaxPostings]int64, now time.Time) {
	if h.n == 0 {
		return
	}
	h.Reconcile(now, actual[:h.n]...)
	h.correctLoan(actual)
}

// chargeInFull ends a hold at all that was held.
func (h *hold) chargeInFull(now time.Time) []BudgetCharge {
	h.Charge(now)
	h.booked = h.held
	return h.charges(&h.booked)
}

// giveBack ends a hold at nothing. What was sent is a request all the same.
func (h *hold) giveBack(sent bool, now time.Time) []BudgetCharge {
	if sent && slices.ContainsFunc(h.budgets[:h.n], func(b *budget) bool { return b.unit() == UnitRequests }) {
		return h.settle(&spent{}, now)
	}
	h.Void(now)
	h.booked = [guard.MaxPostings]int64{}
	return h.charges(&h.booked)
}

// charges lists what the hold has booked, in its budgets' units.
func (h *hold) charges(booked *[guard.MaxPostings]int64) []BudgetCharge {
	if h.n == 0 {
		return nil
	}
	charges := make([]BudgetCharge, h.n)
	for i, b := range h.budgets[:h.n] {
		c := BudgetCharge{Budget: b.Name, Value: h.values[i], Unit: b.unit()}
		if c.Unit == UnitUSD {
			c.Held, c.Charged = moneyFromNanos(h.held[i]), moneyFromNanos(booked[i])
		} else {
			c.HeldCount, c.ChargedCount = h.held[i], booked[i]
		}
		charges[i] = c
	}
	return charges
}
