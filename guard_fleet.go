package farebox

import (
	"context"
	"fmt"
	"time"

	"github.com/farebox-go/farebox/internal/allowance"
	"github.com/farebox-go/farebox/internal/guard"
	"github.com/farebox-go/farebox/store"
)

// FleetStatus is how a budget in a store stands for all processes that share it.
type FleetStatus struct {
	// Spent is what counts as spent, by all of them: what other processes have borrowed counts until they return it, and
	// what died with a process for good. What this process has borrowed and not spent does not.
	Spent Money `json:"spent"`
	// Free is what this process may still spend, with what it has borrowed: the cap without Spent and without what calls
	// hold here.
	Free Money `json:"free"`
	// Counts stands in place of both for a budget of tokens or requests; its Held is that of this process.
	Counts Counts `json:"counts,omitzero"`
	// Processes is the number of those that have borrowed anything.
	Processes int `json:"processes"`
	// At is when the store said so, by its clock; what this process has done since is counted in.
	At time.Time `json:"at"`
}

// FleetSnapshot asks the store how every budget stands, and returns what [Guard.Snapshot] does with Fleet as it is now, for
// budgets too that this process has not spent of. It takes two messages, and one more for every 500 budgets, or values
// of a budget per tag, that this process knows. Its errors match [ErrStoreUnavailable], and ctx's where that has ended. Without a store it is
// the same as Snapshot. It may be called at any time, by any goroutine; calls do not wait for it.
func (g *Guard) FleetSnapshot(ctx context.Context) ([]BudgetStatus, error) {
	if g.lender == nil {
		return g.Snapshot(), nil
	}
	pool := g.lender.pool
	if err := pool.Ping(ctx); err != nil { // windows are those of the store's clock
		return nil, fmt.Errorf("farebox: store of budgets: %w: %w", ErrStoreUnavailable, err)
	}
	var of []allowance.Posting
	var places []int
	all := g.snapshot(func(i int, b *budget, value string, s *guard.Snapshot) {
		if account, kept := b.accountIn(value, s.Span); kept {
			of, places = append(of, allowance.Posting{Account: account, Cap: s.Cap}), append(places, i)
		}
	})
	standings, err := pool.Standings(ctx, of)
	if err != nil {
		return nil, fmt.Errorf("farebox: store of budgets: %w: %w", ErrStoreUnavailable, err)
	}
	for i, place := range places {
		all[place].Fleet = fleetStatus(&all[place], &standings[i])
	}
	return all, nil
}

// accountIn is what counts for a value of a budget in a window; kept is false where no store does.
func (b *budget) accountIn(value string, span guard.Span) (account store.Account, kept bool) {
	if b.key == "" || b.Window.kind == guard.PerCall {
		return store.Account{}, false
	}
	return store.Account{Key: b.account(value), Window: store.Window(span)}, true
}

// fleet is how a budget stands as far as the store has said; nil: it has said nothing.
func (g *Guard) fleet(b *budget, value string, status *BudgetStatus, s *guard.Snapshot) *FleetStatus {
	if g.lender == nil {
		return nil
	}
	account, kept := b.accountIn(value, s.Span)
	if !kept {
		return nil
	}
	standing := g.lender.pool.Standing(account)
	if standing.At.IsZero() {
		return nil
	}
	return fleetStatus(status, &standing)
}

func fleetStatus(of *BudgetStatus, s *allowance.Standing) *FleetStatus {
	f := &FleetStatus{Processes: s.Clients, At: s.At}
	if of.Unit == UnitUSD {
		f.Spent, f.Free = moneyFromNanos(s.Spent), moneyFromNanos(s.Free)
	} else {
		f.Counts = Counts{Cap: of.Counts.Cap, Spent: s.Spent, Held: of.Counts.Held, Free: s.Free}
	}
	return f
}

// heard lets a budget's thresholds look at what all processes have spent.
func heard(counter any, w store.Window, spent int64) {
	if c, ok := counter.(*guard.Counter); ok {
		c.Hear(w.Start, spent)
	}
}
