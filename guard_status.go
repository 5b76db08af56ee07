package farebox

import (
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
)

// BudgetStatus is how one budget stands in this process; of a budget per tag, how it stands for one value.
type BudgetStatus struct {
	Budget string `json:"budget"`
	Value  string `json:"value,omitzero"`
	Window string `json:"window"`
	// Unit is what it counts in; in tokens and requests its figures are in Counts, and those in money are 0.
	Unit   Unit   `json:"unit,omitzero"`
	Counts Counts `json:"counts,omitzero"`

	Cap   Money `json:"cap"`
	Spent Money `json:"spent"`
	Held  Money `json:"held"`
	Free  Money `json:"free"`
	// Fleet is how a budget in a store stands for all processes that share it, as the store said when it was last asked for
	// an allowance, which is about every second while calls go on; nil: it is in no store, or was not asked in this window.
	// See [Guard.FleetSnapshot].
	Fleet *FleetStatus `json:"fleet,omitzero"`
	// InFlight is the number of holds that have not ended.
	InFlight int `json:"in_flight"`
	// Waiting is the number of calls that wait for room, for other processes to return what they do not need too.
	Waiting int `json:"waiting,omitzero"`
	// Start is from when spending counts, ResetAt when the window turns; zero where it never does.
	Start   time.Time `json:"start,omitzero"`
	ResetAt time.Time `json:"reset_at,omitzero"`
	// FullAt is when the cap is reached if spending, of the fleet where Fleet is known, goes on as it did since Start; zero:
	// not before ResetAt.
	FullAt  time.Time `json:"full_at,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	// Refusals is the number of calls that it refused or, where it only observes, would have; Overruns of those that took
	// more than was held for them.
	Refusals int64 `json:"refusals"`
	Overruns int64 `json:"overruns"`
	Observe  bool  `json:"observe,omitzero"`
	Paused   bool  `json:"paused,omitzero"`
}

// Snapshot says how every budget stands, each value of a budget per tag by itself, in the order in which the budgets
// were given and then by value.
func (g *Guard) Snapshot() []BudgetStatus {
	return g.snapshot(func(int, *budget, string, *guard.Snapshot) {})
}

// snapshot shows the counter of every status, with its place, to a function.
func (g *Guard) snapshot(see func(i int, b *budget, value string, s *guard.Snapshot)) []BudgetStatus {
	g.mu.RLock()
	defer g.mu.RUnlock()
	now := time.Now()
	var all []BudgetStatus
	add := func(b *budget, value string, counter *guard.Counter) {
		s := counter.Snapshot(now)
		see(len(all), b, value, &s)
		all = append(all, g.status(b, value, &s, now))
	}
	for _, b := range g.budgets {
		if b.counter != nil {
			add(b, "", b.counter)
			continue
		}
		values := b.group.Values()
		slices.Sort(values)
		if b.Window.kind == guard.PerCall {
			values = []string{""} // what remembers nothing needs one counter for all values
		}
		for _, value := range values {
			if counter, ok := b.group.Lookup(value); ok {
				add(b, value, counter)
			}
		}
	}
	return all
}

func (g *Guard) status(b *budget, value string, s *guard.Snapshot, now time.Time) BudgetStatus {
	status := b.status(value, *s, now)
	_, status.Paused = g.paused[Target{Budget: b.Name}]
	if g.lender != nil {
		status.Waiting += g.lender.lines.waiting(b.Name, value)
	}
	if status.Fleet = g.fleet(b, value, &status, s); status.Fleet != nil {
		status.FullAt = fullAt(s.Start, s.ResetAt, now, status.spentByAll(), s.Cap)
	}
	return status
}

func (b *budget) status(value string, s guard.Snapshot, now time.Time) BudgetStatus {
	status := BudgetStatus{
		Budget: b.Name, Value: value, Window: b.Window.String(), Unit: b.unit(),
		InFlight: s.Open, Waiting: s.Waiting, Start: s.Start, ResetAt: s.ResetAt,
		FullAt: fullAt(s.Start, s.ResetAt, now, s.Spent, s.Cap), Expires: b.Expires,
		Refusals: s.Refusals, Overruns: s.Overruns, Observe: b.Observe,
	}
	if status.Unit == UnitUSD {
		status.Cap, status.Spent = moneyFromNanos(s.Cap), moneyFromNanos(s.Spent)
		status.Held, status.Free = moneyFromNanos(s.Held), moneyFromNanos(s.Free)
	} else {
		status.Counts = Counts{Cap: s.Cap, Spent: s.Spent, Held: s.Held, Free: s.Free}
	}
	return status
}

// spentByAll is what is spent of a budget, by the fleet where that is known, in the budget's unit.
func (s *BudgetStatus) spentByAll() int64 {
	switch {
	case s.Unit == UnitUSD && s.Fleet != nil:
		return s.Fleet.Spent.nanosUp()
	case s.Unit == UnitUSD:
		return s.Spent.nanosUp()
	case s.Fleet != nil:
		return s.Fleet.Counts.Spent
	}
	return s.Counts.Spent
}

// fullAt is when a cap is reached at the rate of the window so far; zero: not before the window turns.
func fullAt(start, reset, now time.Time, spent, cap int64) time.Time {
	gone := now.Sub(start)
	if start.IsZero() || gone <= 0 || spent <= 0 {
		return time.Time{}
	}
	if spent >= cap {
		return now
	}
	high, low := bits.Mul64(uint64(gone), uint64(cap))
	if high >= uint64(spent) {
		return time.Time{}
	}
	needed, _ := bits.Div64(high, low, uint64(spent))
	if needed > math.MaxInt64 {
		return time.Time{}
	}
	at := start.Add(time.Duration(needed))
	if !reset.IsZero() && at.After(reset) {
		return time.Time{}
	}
	return at
}
