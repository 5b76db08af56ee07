package allowance

import (
	"context"
	"time"

	"github.com/farebox-go/farebox/store"
)

// Standing is how an account stands for all who share it.
type Standing struct {
	// Spent is what counts as spent, but for what this process knows that it has not spent of its own allowance.
	Spent int64
	// Free is what this process could still have, with what it has at hand.
	Free int64
	// Clients is the number of processes that hold an allowance.
	Clients int
	// At is when the store said so, by its clock; zero: it was not asked.
	At time.Time
}

// hear takes over how an account stands; mu is held.
func (p *Pool) hear(a *account, b store.Balance, at time.Time) {
	a.others, a.clients, a.at = max(0, b.Used-a.own()), b.Clients, at
	p.heard(*a.counter.Load(), a.Window, a.standing().Spent)
}

// standing is how the account stands as far as the store has said.
func (a *account) standing() Standing {
	return Standing{
		Spent: store.Add(a.others, a.booked()), Free: max(0, a.limit.Load()-store.Add(a.others, a.own()-a.free.Load())),
		Clients: a.clients, At: a.at,
	}
}

// Standing is how an account stands as far as the store has said; its At is zero where the store was not asked, or where
// the account is not in use here.
func (p *Pool) Standing(of store.Account) Standing {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.accounts.find(&of)
	if a == nil || a.at.IsZero() {
		return Standing{}
	}
	return a.standing()
}

// mostBalances is how many accounts the store is asked for at a time.
const mostBalances = 500

// Standings asks the store how accounts stand, whether they are in use here or not. Of the postings, account and cap count.
func (p *Pool) Standings(ctx context.Context, of []Posting) ([]Standing, error) {
	all := make([]Standing, 0, len(of))
	for start := 0; start < len(of); start += mostBalances {
		part := of[start:min(len(of), start+mostBalances)]
		accounts := make([]store.Account, len(part))
		for i := range part {
			accounts[i] = part[i].Account
		}
		balances, err := p.store.Balances(ctx, accounts)
		if err != nil {
			return nil, unavailable(err)
		}
		all = p.standings(all, part, balances)
	}
	return all, nil
}

// standings takes over what the store has answered.
func (p *Pool) standings(all []Standing, of []Posting, balances []store.Balance) []Standing {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := time.Now().Add(p.ahead)
	for i, b := range balances {
		a := p.accounts.find(&of[i].Account)
		if a == nil {
			all = append(all, Standing{Spent: b.Used, Free: max(0, of[i].Cap-b.Used), Clients: b.Clients, At: at})
			continue
		}
		p.hear(a, b, at)
		all = append(all, a.standing())
	}
	return all
}
