package store

import (
	"context"
	"errors"
	"math"
)

// This file keeps the root's books no lower than the leaf's, and says how accounts stand.

// raise tells the root of what the branch has spent beyond its allotment, because calls cost more than was held for them:
// it becomes a part of the allotment, whatever the cap. The sum is raised to what the leaf counts, so that it makes no
// difference how many say so. Where the root does not answer, the leaf remembers.
func (b *Branch) raise(ctx context.Context, lot *allotment, l *Line) error {
	a := b.copyOf(lot)
	beyond := a.lent - a.granted
	if beyond <= 0 {
		return nil
	}
	line := a.line(l, beyond, beyond)
	line.Cap = math.MaxInt64
	_, err := b.ask(ctx, []Line{line})
	var closed *WindowError
	if errors.As(err, &closed) {
		return b.raiseClosed(ctx, lot, l)
	}
	return b.forgive(err)
}

// raiseClosed tells it of a window that has closed, which may yet count in those after it: as overspent, since nothing is
// granted there any more.
func (b *Branch) raiseClosed(ctx context.Context, lot *allotment, l *Line) error {
	own, later := inLeaf(l.Account), l.Account
	later.Window.View = l.Window.End
	balances, err := b.leaf.Balances(ctx, []Account{own, later})
	if err != nil {
		return atLeaf(err)
	}
	a := b.copyOf(lot)
	if err := b.politely(ctx, []Line{a.line(l, 0, 0)}); err != nil { // to know what was granted
		return err
	}
	a = b.copyOf(lot)
	line := a.line(l, 0, 0)
	if line.Over = balances[0].Used - balances[1].Used - a.granted; line.Over <= 0 {
		return nil
	}
	return b.politely(ctx, []Line{line})
}

// Correct implements [Store]. A correction counts at the leaf, where the client that is gone was: what was less becomes
// idle in the branch, and what was more is told to the root where it passes the branch's allotment.
func (b *Branch) Correct(ctx context.Context, id string, corrections []Correction) error {
	if b.closed.Load() {
		return errClosed
	}
	if err := b.leaf.Correct(ctx, id, corrections); err != nil {
		return err
	}
	for i := range corrections {
		c := &corrections[i]
		if c.Amount <= 0 || !b.shared(c.Key) {
			continue
		}
		err := b.raiseAnew(ctx, &c.Account)
		var closed *WindowError
		if err != nil && !errors.As(err, &closed) {
			return err
		}
	}
	return nil
}

// raiseAnew looks at how an account stands in the leaf, and tells the root.
func (b *Branch) raiseAnew(ctx context.Context, of *Account) error {
	m := b.message(b.name, []Line{{Account: *of}})
	for range 2 { // the first look may be the one that counts the windows before it
		if err := m.look(ctx, func(*Line, *allotment) bool { return true }); err != nil {
			return err
		}
	}
	return b.raise(ctx, m.lots[0], &m.lines[0])
}

// Balances implements [Store].
func (b *Branch) Balances(ctx context.Context, accounts []Account) ([]Balance, error) {
	if b.closed.Load() {
		return nil, errClosed
	}
	inLeaves, shared, places := append([]Account(nil), accounts...), []Account(nil), []int(nil)
	for i := range accounts {
		if b.shared(accounts[i].Key) {
			inLeaves[i] = inLeaf(accounts[i])
			shared, places = append(shared, accounts[i]), append(places, i)
		}
	}
	balances, err := b.leaf.Balances(ctx, inLeaves)
	if err != nil || len(shared) == 0 {
		return balances, err
	}
	used, err := b.root.Balances(ctx, shared)
	if err != nil {
		return nil, err
	}
	for i, place := range places {
		balances[place] = b.join(ctx, &shared[i], &used[i], &balances[place])
	}
	return balances, nil
}

// join is how a shared account stands, from how it does at the root and at the leaf.
func (b *Branch) join(ctx context.Context, of *Account, root, leaf *Balance) Balance {
	if root.Used == 0 && leaf.Used == 0 && leaf.Clients == 0 {
		return Balance{Recall: root.Recall || leaf.Recall}
	}
	lot := b.lot(of)
	before := b.copyOf(lot)
	_ = b.politely(ctx, []Line{before.line(&Line{Account: *of}, 0, 0)}) // what the branch was allotted
	a := b.copyOf(lot)
	if a.heard.Equal(before.heard) {
		a.used = root.Used
	}
	a.lent, a.clients = leaf.Used, leaf.Clients
	return a.balance(leaf.Recall)
}
