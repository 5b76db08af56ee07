package attempts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/farebox-go/farebox/store"
)

// linesAtATime bounds a message that speaks for a client that is gone.
const linesAtATime = 64

// SettleUp speaks for earlier processes to a store of a kind: what they had borrowed and did not spend it gives back, and
// what was learned later about their attempts it corrects. What fails is left for another time. It does nothing where
// nothing is left to be said.
func (l *Log) SettleUp(ctx context.Context, s store.Store, kind string) error {
	l.settling.Lock()
	defer l.settling.Unlock()
	l.mu.Lock()
	gone := slices.Clone(l.gone)
	l.mu.Unlock()
	for _, c := range gone {
		if c.Kind != kind {
			continue
		}
		if err := l.giveBack(ctx, s, c); err != nil {
			return fmt.Errorf("giving back what process %s left: %w", c.Name, err)
		}
		if err := l.forget(c); err != nil {
			return err
		}
	}
	return l.tellCorrections(ctx, s)
}

// forget writes down that a client has nothing left to be given back.
func (l *Log) forget(c *Client) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.append(&record{Gone: c.Name}); err != nil {
		return err
	}
	l.gone = slices.DeleteFunc(l.gone, func(other *Client) bool { return other == c })
	return l.shrink()
}

func (l *Log) giveBack(ctx context.Context, s store.Store, c *Client) error {
	l.mu.Lock()
	var accounts []store.Account
	for of := range c.sums {
		if !outOfView(of.Window, time.Now()) {
			accounts = append(accounts, of)
		}
	}
	l.mu.Unlock()
	for part := range slices.Chunk(accounts, linesAtATime) {
		err := l.giveBackOn(ctx, s, c, part)
		var closed *store.WindowError
		if !errors.As(err, &closed) {
			if err != nil {
				return err
			}
			continue
		}
		for i := range part { // one of them is of a window that the store has let go
			if err := l.giveBackOn(ctx, s, c, part[i:i+1]); err != nil && !errors.As(err, &closed) {
				return err
			}
		}
	}
	return nil
}

// giveBackOn asks what a client was granted on some accounts, and tells what of it was spent.
func (l *Log) giveBackOn(ctx context.Context, s store.Store, c *Client, accounts []store.Account) error {
	lines := make([]store.Line, len(accounts))
	for i, of := range accounts {
		lines[i].Account = of
	}
	reply, err := s.Sync(ctx, c.Name, lines)
	if err != nil {
		return err
	}
	l.mu.Lock()
	for i := range lines {
		lines[i] = c.line(accounts[i], reply.Lines[i].Granted)
	}
	err = l.tell(c, lines)
	l.mu.Unlock()
	if err != nil {
		return err
	}
	_, err = s.Sync(ctx, c.Name, lines)
	return err
}

// line is where a client that is gone stands once all is given back that it did not spend. What it had told its store before
// may or may not have come there: sums only grow, so nothing is given back twice.
func (c *Client) line(of store.Account, granted int64) store.Line {
	s := c.sum(&of)
	line := store.Line{Account: of, Granted: granted, Returned: s.returned, Over: s.over}
	if free := store.Add(granted, s.over) - s.returned - s.spent; free >= 0 {
		line.Returned += free
	} else { // the store has forgotten a grant
		line.Over -= free
	}
	return line
}

// tellCorrections tells a store what was learned about attempts whose client is gone.
func (l *Log) tellCorrections(ctx context.Context, s store.Store) error {
	l.mu.Lock()
	var pending []*Attempt
	for _, a := range l.unsettled {
		if len(a.pending) > 0 {
			pending = append(pending, a)
		}
	}
	l.mu.Unlock()
	slices.SortFunc(pending, byID)
	for _, a := range pending {
		if err := l.tellFixes(ctx, s, a); err != nil {
			return fmt.Errorf("correcting attempt %s: %w", a.ID, err)
		}
	}
	return nil
}

func (l *Log) tellFixes(ctx context.Context, s store.Store, a *Attempt) error {
	for {
		l.mu.Lock()
		pending := a.pending
		l.mu.Unlock()
		if len(pending) == 0 {
			return nil
		}
		if err := s.Correct(ctx, fmt.Sprintf("%s/%d", a.ID, pending[0].Number), pending[0].Of); err != nil {
			return err
		}
		l.mu.Lock()
		a.pending = a.pending[1:]
		err := l.append(&record{Settled: a.ID})
		l.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// Abandon writes down that nothing is to be given back any more to stores of a kind, and returns the clients that this
// concerns.
func (l *Log) Abandon(kind string) (left []*Client, err error) {
	l.mu.Lock()
	for _, c := range l.gone {
		if c.Kind == kind {
			left = append(left, c)
		}
	}
	l.mu.Unlock()
	for _, c := range left {
		err = errors.Join(err, l.forget(c))
	}
	return left, err
}

// Left says whether anything is still to be told to a store of a kind.
func (l *Log) Left(kind string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.ContainsFunc(l.gone, func(c *Client) bool { return c.Kind == kind }) {
		return true
	}
	for _, a := range l.unsettled {
		if len(a.pending) > 0 {
			return true
		}
	}
	return false
}
