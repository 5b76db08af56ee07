package farebox

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
)

// Guard decides whether a call may be sent, holds its money while it is in flight, and settles. It belongs to a
// [Meter]. Safe for concurrent use.
type Guard struct {
	core guard.Guard

	mu      sync.RWMutex
	budgets []*budget
	paused  map[Target]struct{}
}

// budget is a Budget with its counter, or one for each value of a tag.
type budget struct {
	Budget
	counter *guard.Counter
	group   *guard.Group
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
}

// Resume undoes Pause.
func (g *Guard) Resume(t Target) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.paused, t)
}

// add puts budgets in force; either all or, with an error, none.
func (g *Guard) add(budgets []Budget) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	added := make([]*budget, 0, len(budgets))
	for _, b := range budgets {
		sameName := func(other *budget) bool { return other.Name == b.Name }
		if slices.ContainsFunc(g.budgets, sameName) || slices.ContainsFunc(added, sameName) {
			return fmt.Errorf("there are two budgets named %q", b.Name)
		}
		limit, err := b.limit()
		if err != nil {
			return err
		}
		state := &budget{Budget: b}
		if b.Per == "" {
			state.counter, err = g.core.NewCounter(limit)
		} else {
			state.group, err = g.core.NewGroup(limit, b.MaxValues)
		}
		if err != nil {
			return fmt.Errorf("budget %q: %w", b.Name, err)
		}
		added = append(added, state)
	}
	g.budgets = append(g.budgets, added...)
	return nil
}

// hold is the money set aside for one attempt, with the budgets that it is taken on.
type hold struct {
	guard.Hold
	budgets  [guard.MaxPostings]*budget
	values   [guard.MaxPostings]string
	counters [guard.MaxPostings]*guard.Counter
	n        int
	amount   int64 // nano-dollars, on each budget
	// wouldRefuse says that a budget that only observes would have refused.
	wouldRefuse bool
}

// match collects the budgets that apply to a call, and refuses what no counter need be asked about.
func (g *Guard) match(h *hold, by *spender, q *quoted, now time.Time) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if len(g.paused) > 0 && g.isPaused(by) {
		return &BudgetError{Reason: ReasonPaused, Endpoint: by.endpoint, Model: by.model}
	}
	for _, b := range g.budgets {
		if !b.Scope.match(by) {
			continue
		}
		if _, paused := g.paused[Target{Budget: b.Name}]; paused {
			return b.refuse(ReasonPaused, "", by, q)
		}
		if !q.Priced && !b.Observe {
			return b.refuse(ReasonUnpriceable, "", by, q)
		}
		if h.n == len(h.counters) {
			return fmt.Errorf("farebox: more than %d budgets apply to one call: %w", len(h.counters), ErrRefused)
		}
		counter, value := b.counter, ""
		if b.group != nil {
			value = by.tags[b.Per]
			var err error
			if counter, err = b.group.Counter(now, value); err != nil {
				if b.Observe {
					h.wouldRefuse = true
					continue
				}
				return b.refuse(ReasonTooManyValues, value, by, q)
			}
		}
		h.budgets[h.n], h.values[h.n], h.counters[h.n] = b, value, counter
		h.n++
	}
	return nil
}

// room is what the budgets of a hold have left, the smallest of them; limited is false where none of them enforces.
func (g *Guard) room(h *hold, now time.Time) (left Money, limited bool) {
	if h.n == 0 {
		return Money{}, false
	}
	var postings [guard.MaxPostings]guard.Posting
	decision := g.core.Check(now, h.postings(&postings, 0))
	return moneyFromNanos(decision.Room), decision.Room != math.MaxInt64
}

// check returns the refusal that take would, and counts none.
func (g *Guard) check(h *hold, by *spender, q *quoted, now time.Time) error {
	if h.n == 0 {
		return nil
	}
	var postings [guard.MaxPostings]guard.Posting
	decision := g.core.Check(now, h.postings(&postings, q.Most.nanosUp()))
	if !decision.Admitted() {
		return g.refusal(h, &decision, by, q)
	}
	return nil
}

// take holds the most that a call can cost on every budget that applies, or returns the refusal.
func (g *Guard) take(h *hold, by *spender, q *quoted, now time.Time) error {
	if h.n == 0 {
		return nil
	}
	h.amount = q.Most.nanosUp()
	var postings [guard.MaxPostings]guard.Posting
	decision := g.core.Hold(&h.Hold, now, h.postings(&postings, h.amount))
	if !decision.Admitted() {
		return g.refusal(h, &decision, by, q)
	}
	h.wouldRefuse = h.wouldRefuse || decision.Observed != 0
	return nil
}

// postings asks every budget of the hold for an amount.
func (h *hold) postings(in *[guard.MaxPostings]guard.Posting, amount int64) []guard.Posting {
	for i, counter := range h.counters[:h.n] {
		in[i] = guard.Posting{Counter: counter, Amount: amount}
	}
	return in[:h.n]
}

// refuse words a refusal that no counter was asked about.
func (b *budget) refuse(reason RefusalReason, value string, by *spender, q *quoted) *BudgetError {
	return &BudgetError{
		Reason: reason, Budget: b.Name, Value: value, Cap: b.Cap, Endpoint: by.endpoint, Model: by.model, Asked: q.Most,
	}
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
func (g *Guard) refusal(h *hold, d *guard.Decision, by *spender, q *quoted) error {
	reason, ok := refusalReasons[d.Reason]
	if !ok {
		return fmt.Errorf("farebox: the guard was asked for a hold that makes no sense: %w", ErrRefused)
	}
	b := h.budgets[d.Posting]
	fits := moneyFromNanos(d.Room)
	return &BudgetError{
		Reason: reason, Budget: b.Name, Value: h.values[d.Posting], Endpoint: by.endpoint, Model: by.model,
		Cap: b.Cap, Spent: moneyFromNanos(d.Spent), Held: moneyFromNanos(d.Held), Asked: q.Most,
		Fits: fits, OutputTokens: q.affordableOutput(fits), ResetAt: d.ResetAt,
	}
}

// settle ends a hold at what the call cost: total, of which charge is the gateway's own where the two differ.
func (h *hold) settle(total, charge Money, now time.Time) {
	if h.n == 0 {
		return
	}
	var actual [guard.MaxPostings]int64
	for i, b := range h.budgets[:h.n] {
		actual[i] = total.nanosUp()
		if b.ChargeOnly {
			actual[i] = charge.nanosUp()
		}
	}
	h.Settle(now, actual[:h.n]...)
}

// charges lists what the hold booked, for the receipt; booked maps a budget to what it was charged.
func (h *hold) charges(booked func(*budget) int64) []BudgetCharge {
	if h.n == 0 {
		return nil
	}
	charges := make([]BudgetCharge, h.n)
	for i, b := range h.budgets[:h.n] {
		charges[i] = BudgetCharge{
			Budget: b.Name, Value: h.values[i],
			Held: moneyFromNanos(h.amount), Charged: moneyFromNanos(booked(b)),
		}
	}
	return charges
}

// BudgetStatus is how one budget stands; of a budget per tag, how it stands for one value.
type BudgetStatus struct {
	Budget string `json:"budget"`
	Value  string `json:"value,omitzero"`
	Window string `json:"window"`
	Cap    Money  `json:"cap"`
	Spent  Money  `json:"spent"`
	Held   Money  `json:"held"`
	Free   Money  `json:"free"`
	// InFlight is the number of holds that have not ended.
	InFlight int `json:"in_flight"`
	// Start is from when spending counts, ResetAt when the window turns; zero where it never does.
	Start    time.Time `json:"start,omitzero"`
	ResetAt  time.Time `json:"reset_at,omitzero"`
	Refusals int64     `json:"refusals"`
	Overruns int64     `json:"overruns"`
}

// Snapshot says how every budget stands, each value of a budget per tag by itself, in the order in which the budgets
// were given and then by value.
func (g *Guard) Snapshot() []BudgetStatus {
	g.mu.RLock()
	defer g.mu.RUnlock()
	now := time.Now()
	var all []BudgetStatus
	for _, b := range g.budgets {
		if b.counter != nil {
			all = append(all, b.status("", b.counter.Snapshot(now)))
			continue
		}
		values := b.group.Values()
		slices.Sort(values)
		if b.Window.kind == guard.PerCall {
			values = []string{""} // what remembers nothing needs one counter for all values
		}
		for _, value := range values {
			if counter, ok := b.group.Lookup(value); ok {
				all = append(all, b.status(value, counter.Snapshot(now)))
			}
		}
	}
	return all
}

func (b *budget) status(value string, s guard.Snapshot) BudgetStatus {
	return BudgetStatus{
		Budget: b.Name, Value: value, Window: b.Window.String(), Cap: b.Cap,
		Spent: moneyFromNanos(s.Spent), Held: moneyFromNanos(s.Held), Free: moneyFromNanos(s.Free),
		InFlight: s.Open, Start: s.Start, ResetAt: s.ResetAt, Refusals: s.Refusals, Overruns: s.Overruns,
	}
}
