package farebox

import (
	"fmt"
	"slices"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
)

// ErrUnknownBudget is returned for a name that no budget of a [Guard] has.
var ErrUnknownBudget = fmt.Errorf("farebox: no such budget")

// ErrSharedCap is returned by [Guard.TopUp] for a budget that is shared with other processes.
var ErrSharedCap = fmt.Errorf("farebox: a cap that is shared through a store cannot be raised by one process")

// Add puts further budgets in force, either all or, with an error, none. What was spent before counts, as far back as the
// Meter's ledger goes, and calls in flight count when they end; what they hold does not. Its errors are those of
// [WithBudget]. Budgets may be added, set and removed while calls go on.
func (g *Guard) Add(budgets ...Budget) error {
	if err := g.add(budgets); err != nil {
		return fmt.Errorf("farebox: %w", err)
	}
	return nil
}

func (g *Guard) add(budgets []Budget) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	added := make([]*budget, 0, len(budgets))
	for _, b := range budgets {
		sameName := func(other *budget) bool { return other.Name == b.Name }
		if slices.ContainsFunc(g.budgets, sameName) || slices.ContainsFunc(added, sameName) {
			return fmt.Errorf("there are two budgets named %q", b.Name)
		}
		state, err := g.newBudget(b)
		if err != nil {
			return err
		}
		added = append(added, state)
	}
	now := time.Now()
	for _, b := range added {
		g.seed(b, nil, now)
	}
	g.budgets = append(slices.Clip(g.budgets), added...)
	g.revise()
	return nil
}

func (g *Guard) newBudget(b Budget) (*budget, error) {
	limit, err := b.limit()
	if err != nil {
		return nil, err
	}
	state := &budget{Budget: b, key: b.accountKey()}
	if b.Per == "" {
		state.counter, err = g.core.NewCounter(limit)
	} else {
		state.group, err = g.core.NewGroup(limit, b.MaxValues)
	}
	if err != nil {
		return nil, fmt.Errorf("budget %q: %w", b.Name, err)
	}
	return state, nil
}

// Set replaces the budget of the same name. What was spent and what is held stays counted. A cap below it is legal: the
// budget refuses until it has drained. With another window, unit or tag, spending counts as far back as the Meter's ledger
// goes. A cap raised by TopUp, and those that single values of a tag were given by it, become the new one's. Its errors are
// those of [WithBudget], and ErrUnknownBudget.
func (g *Guard) Set(b Budget) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.budgets, func(other *budget) bool { return other.Name == b.Name })
	if i < 0 {
		return fmt.Errorf("%w: %q", ErrUnknownBudget, b.Name)
	}
	next, err := g.newBudget(b)
	if err != nil {
		return fmt.Errorf("farebox: %w", err)
	}
	before := g.budgets[i]
	if before.countsAs(next) {
		next.counter, next.group = before.counter, before.group
		if err := next.recap(); err != nil {
			return fmt.Errorf("farebox: budget %q: %w", b.Name, err)
		}
	} else {
		g.seed(next, before, time.Now())
	}
	g.revise()
	g.budgets = slices.Clone(g.budgets)
	g.budgets[i] = next
	return nil
}

// countsAs says whether the counters of one budget do for another.
func (b *budget) countsAs(other *budget) bool {
	return b.Window == other.Window && b.unit() == other.unit() && b.Per == other.Per && b.MaxValues == other.MaxValues &&
		b.TolerancePercent == other.TolerancePercent && slices.Equal(b.thresholds(), other.thresholds())
}

// recap gives a budget's counters its cap.
func (b *budget) recap() error {
	if b.group != nil {
		return b.group.SetLimit(b.cap(), b.Observe)
	}
	if err := b.counter.SetObserve(b.Observe); err != nil {
		return err
	}
	return b.counter.SetCap(b.cap())
}

// Remove takes a budget out of force and says whether there was one of that name. Calls in flight are not affected.
func (g *Guard) Remove(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	kept := slices.DeleteFunc(slices.Clone(g.budgets), func(b *budget) bool { return b.Name == name })
	removed := len(kept) < len(g.budgets)
	g.budgets = kept
	if removed {
		g.revise()
	}
	return removed
}

// Budgets are those in force, in the order in which they were added. A cap that was raised by TopUp is in Snapshot.
func (g *Guard) Budgets() []Budget {
	g.mu.RLock()
	defer g.mu.RUnlock()
	all := make([]Budget, len(g.budgets))
	for i, b := range g.budgets {
		all[i] = b.Budget
	}
	return all
}

// TopUp raises the cap of a budget in money, as a payment into a prepaid amount does; of a budget per tag, that of one
// value, which from then on keeps a cap of its own. Calls that wait go on where they fit now.
//
// A budget that [WithStore] shares is not topped up, with [ErrSharedCap]: other processes would not hear of it, and hold the
// cap that they know. Give all of them a larger one, with Set or from a file with Apply.
func (g *Guard) TopUp(name, value string, amount Money) error {
	if amount.Sign() < 0 {
		return fmt.Errorf("farebox: a top-up of %s is negative", amount)
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	i := slices.IndexFunc(g.budgets, func(b *budget) bool { return b.Name == name })
	if i < 0 {
		return fmt.Errorf("%w: %q", ErrUnknownBudget, name)
	}
	b := g.budgets[i]
	if b.unit() != UnitUSD {
		return fmt.Errorf("farebox: budget %q is one of %s: a top-up is money", name, b.unit())
	}
	if g.lender != nil && g.lender.shared && b.Window.kind != guard.PerCall {
		return fmt.Errorf("%w: budget %q: give every process a larger Cap with Set", ErrSharedCap, name)
	}
	counter := b.counter
	if b.group != nil {
		var err error
		if counter, err = b.group.Counter(time.Now(), value); err != nil {
			return fmt.Errorf("farebox: budget %q keeps as many values of its tag as MaxValues allows", name)
		}
	}
	return counter.TopUp(nanosDown(amount))
}

// seed books what was spent before a budget came: as the ledger has it, or as the counters of the budget that it
// replaces do where they counted the same and the ledger has less. g.mu is held, so that no receipt is on its way.
func (g *Guard) seed(b, before *budget, now time.Time) {
	sums := make(map[string]int64)
	book := func(value string, at time.Time, amount int64) {
		if counter, err := b.counterFor(&spender{tags: Tags{b.Per: value}}, now); err == nil && counter.Add(now, at, amount) {
			sums[value] += amount
		}
	}
	if g.ledger != nil {
		for r := range g.ledger.Receipts(Filter{}) {
			if by := r.spender(); b.Scope.match(by) {
				book(b.valueFor(by), r.Start, r.took(b, g.ledger.corrected(&r)))
			}
		}
	}
	if before == nil || before.Window != b.Window || before.unit() != b.unit() || before.Per != b.Per {
		return
	}
	for value, s := range before.snapshots(now) {
		book(value, now, max(0, s.Spent-sums[value]))
	}
}

// spender is who an attempt was made by, as its receipt has it.
func (r *Receipt) spender() *spender {
	return &spender{
		endpoint: r.Endpoint, keyLabel: r.KeyLabel, keyHash: r.KeyHash,
		model: r.ModelAsked, fallbacks: []string{r.Model}, tags: r.Tags,
	}
}

// took is what a budget would have been charged for an attempt; corrected is what was learned later of its cost, nil: nothing.
func (r *Receipt) took(b *budget, corrected *Money) int64 {
	s := spent{total: r.Cost, charge: r.Cost, tokens: saturatingAdd(r.Usage.InputTokens(), r.Usage.OutputTokens())}
	if r.Reported != nil {
		s.charge = r.Reported.Charge
	}
	switch {
	case corrected != nil:
		s.total, s.charge = *corrected, *corrected
	case !r.Settled():
		if s.total.Less(r.Quote.Most) {
			s.total = r.Quote.Most
		}
		s.charge = s.total
	}
	return s.of(b, 0)
}

// amend replaces what the receipt of an earlier process has been counted at; before is nil as long as it was not corrected.
func (g *Guard) amend(r *Receipt, before, after *Money) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	now, by := time.Now(), r.spender()
	for _, b := range g.budgets {
		if !b.Scope.match(by) {
			continue
		}
		if counter, err := b.counterFor(by, now); err == nil {
			counter.Rebook(now, r.Start, r.took(b, before), r.took(b, after))
		}
	}
}

// snapshots is how a budget stands, by the value of its tag.
func (b *budget) snapshots(now time.Time) map[string]guard.Snapshot {
	if b.group == nil {
		return map[string]guard.Snapshot{"": b.counter.Snapshot(now)}
	}
	all := make(map[string]guard.Snapshot)
	for _, value := range b.group.Values() {
		if counter, ok := b.group.Lookup(value); ok {
			all[value] = counter.Snapshot(now)
		}
	}
	return all
}

// record keeps the receipt of an attempt whose hold has ended, and books it on budgets that came while it was in flight.
// A budget that comes later finds it in the ledger: no attempt is counted twice, and none is missed.
func (g *Guard) record(h *hold, by *spender, r *Receipt, now time.Time) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if h.revision != g.revision {
		for _, b := range g.budgets {
			if !b.Scope.match(by) {
				continue
			}
			counter, err := b.counterFor(by, now)
			if err == nil && !slices.Contains(h.counters[:h.n], counter) {
				counter.Add(now, r.Start, r.took(b, nil))
			}
		}
	}
	g.ledger.Append(*r)
}
