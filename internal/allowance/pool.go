// Package allowance is a process's side of a store: it borrows allowances, spends them, asks for more before they run
// dry, and gives back what others need more.
package allowance

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farebox-go/farebox/store"
)

// Pool is what this process may spend, account by account. Make one with [New]. Safe for concurrent use.
type Pool struct {
	store   store.Store
	client  string
	timeout time.Duration
	warn    func(error)
	clock   func(ahead time.Duration)
	heard   func(counter any, w store.Window, used int64)

	// What most calls need of these they read without mu, which guards changes.
	mu       sync.Mutex
	accounts index
	flight   atomic.Pointer[flight] // the message under way; nil: none
	beating  atomic.Bool            // beat is under way
	closed   atomic.Bool

	stale   []*account    // whose sums the store does not know yet
	ahead   time.Duration // of the store's clock over this process's
	beat    *time.Timer   // until the next look at what is idle
	retries int           // of messages, since it was closed
}

// Posting asks to set an amount aside on an account.
type Posting struct {
	store.Account
	Cap    int64 // of all who share the account
	Amount int64
	// Observe says that the account is only counted: the amount is set aside whether it fits or not.
	Observe bool
	// Counter is handed to [Heard] with what is heard of the account.
	Counter any
}

// Refusal says that a store has not enough left.
type Refusal struct {
	Posting int           // the place of the first posting that does not fit
	Balance store.Balance // of its account
	Free    int64         // what this process may still spend there
	Others  int           // processes that hold an allowance there
}

// Error is for those who print it; callers take it apart.
func (r *Refusal) Error() string { return "the store has not enough left" }

// Sizes of what is asked for in advance, and times.
const (
	callsAhead     = 1000                   // as many calls like the one at hand
	soonGone       = 100 * time.Millisecond // twice as many where the last were gone sooner than this
	mostAhead      = 1 << 20                // calls
	shareAhead     = 256                    // but no more than this part of the cap: it is lost to the window if the process dies
	idleAfter      = 5 * time.Second        // unused for so long, an allowance goes back to where others can have it
	beatEvery      = time.Second
	defaultTimeout = 5 * time.Second
)

// Option changes a Pool.
type Option func(*Pool)

// Timeout bounds a message to the store; the default is 5 seconds.
func Timeout(d time.Duration) Option { return func(p *Pool) { p.timeout = d } }

// Warn is told of errors that nobody waits for.
func Warn(f func(error)) Option { return func(p *Pool) { p.warn = f } }

// Clock is told how far the store's clock is ahead of this process's, whenever that turns out to be otherwise.
func Clock(f func(ahead time.Duration)) Option { return func(p *Pool) { p.clock = f } }

// Heard is told what all who share an account have spent in a window, as far as is known, with the Counter of the latest
// posting to it. It is called with the pool locked: it must return at once and must not call the pool.
func Heard(f func(counter any, w store.Window, used int64)) Option {
	return func(p *Pool) { p.heard = f }
}

// New makes a pool over a store, for a client of a name that no other process ever had.
func New(s store.Store, client string, options ...Option) *Pool {
	p := &Pool{
		store: s, client: client, timeout: defaultTimeout, warn: func(error) {}, clock: func(time.Duration) {},
		heard: func(any, store.Window, int64) {},
	}
	p.accounts.init()
	for _, option := range options {
		option(p)
	}
	return p
}

// Now is the store's time, as far as it is known.
func (p *Pool) Now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Add(p.ahead)
}

// Ping asks the store for its time.
func (p *Pool) Ping(ctx context.Context) error {
	sent := time.Now()
	reply, err := p.store.Sync(ctx, p.client, nil)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setClock(sent, reply.Now)
	return nil
}

// setClock learns from the store's time, which was read between question and answer; mu is held. What is known already
// stays, as long as it can be true: an answer that was long under way says little. Otherwise the time is taken as that of
// the middle.
func (p *Pool) setClock(sent, at time.Time) {
	round := time.Since(sent)
	if most := at.Sub(sent); p.ahead > most || p.ahead < most-round {
		p.ahead = most - round/2
		p.clock(p.ahead)
	}
}

// Take sets the amounts of all postings aside, or none. It asks the store where what is at hand does not suffice. The
// error is a [*Refusal], the store's, or ctx's; a [*store.WindowError] says that the postings' windows are not the store's
// current ones, and that Now now knows better.
func (p *Pool) Take(ctx context.Context, h *Hold, postings []Posting) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if p.takeFree(h, postings) {
			p.refillSoon(h)
			return nil
		}
		f, mine, err := p.ask(h, postings)
		if f == nil {
			return err
		}
		select {
		case <-f.ended:
		case <-ctx.Done():
			if mine {
				p.abandon(f)
			}
			return context.Cause(ctx)
		}
		if mine {
			if f.refusal != nil && p.takeFree(h, postings) {
				return nil // others have given it back in the meantime
			}
			return f.deliver(h)
		}
	}
}

// takeFree takes from what is at hand, if it suffices. It waits for nobody.
func (p *Pool) takeFree(h *Hold, postings []Posting) bool {
	if p.closed.Load() {
		return false
	}
	var few [fewPostings]*account
	accounts := few[:0]
	for i := range postings {
		a := p.accounts.find(&postings[i].Account)
		if a == nil || a.free.Load() < postings[i].Amount {
			return false
		}
		accounts = append(accounts, a)
	}
	for i, a := range accounts {
		if !a.take(postings[i].Amount) {
			for j, a := range accounts[:i] {
				a.untake(postings[j].Amount)
			}
			return false
		}
	}
	h.begin(p, len(postings))
	entries := h.entries()
	for i, a := range accounts {
		a.touch(&postings[i])
		entries[i] = entry{account: a, amount: postings[i].Amount}
	}
	return true
}

// ask sends a message for what postings lack and returns it, or the one under way, which is not the caller's. It returns none
// where it could take what was at hand, and where the pool is closed.
func (p *Pool) ask(h *Hold, postings []Posting) (f *flight, mine bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed.Load():
		return nil, false, ErrClosed
	case p.takeFree(h, postings) || p.takeObserved(h, postings):
		p.refill(h)
		p.tell()
		return nil, false, nil
	case p.flight.Load() != nil:
		return p.flight.Load(), false, nil
	}
	f = &flight{ended: make(chan struct{}), hold: new(Hold), lacks: make([]int64, len(postings))}
	p.setAside(f.hold, postings, f.lacks)
	now := time.Now()
	for i, e := range f.hold.entries() {
		line := e.account.line()
		if f.lacks[i] > 0 {
			e.account.hasten(e.amount, now)
			line.Need, line.Want = f.lacks[i], max(f.lacks[i], e.account.ahead(e.amount))
		}
		f.add(e.account, line)
	}
	p.send(f)
	return f, true, nil
}

// takeObserved takes what is at hand where nothing lacks but on accounts that are only counted; mu is held.
func (p *Pool) takeObserved(h *Hold, postings []Posting) bool {
	for i := range postings {
		if !postings[i].Observe && p.account(&postings[i]).free.Load() < postings[i].Amount {
			return false
		}
	}
	lacks := make([]int64, len(postings))
	p.setAside(h, postings, lacks)
	if slices.Max(lacks) == 0 {
		return true
	}
	for i, e := range h.entries() { // others were quicker
		p.book(e.account, lacks[i]-e.amount)
		e.account.ended.Add(e.amount - lacks[i])
	}
	return false
}

// setAside takes what is at hand at once, so that nobody else can before an answer comes, and says what lacks; mu is held.
func (p *Pool) setAside(h *Hold, postings []Posting, lacks []int64) {
	h.begin(p, len(postings))
	entries := h.entries()
	for i := range postings {
		a, amount := p.account(&postings[i]), postings[i].Amount
		a.begun.Add(amount)
		entries[i] = entry{account: a, amount: amount}
		if postings[i].Observe {
			p.book(a, amount) // what is not at hand is overspent
		} else {
			lacks[i] = amount - a.takeUpTo(amount)
			a.ended.Add(lacks[i])
		}
	}
}

// account finds an account, or makes it; mu is held.
func (p *Pool) account(of *Posting) *account {
	a := p.accounts.find(&of.Account)
	if a == nil {
		p.sweep()
		a = newAccount(of)
		p.accounts.add(a)
	}
	a.touch(of)
	return a
}

// sweep drops accounts whose window is over once nothing is open in them; mu is held. Most calls find nothing to drop, so
// it looks only as often as accounts are made.
func (p *Pool) sweep() {
	const few = fewestBuckets
	now := time.Now().Add(p.ahead).UnixNano()
	p.accounts.sweep(few, func(a *account) bool {
		return !a.stale && a.Window.End != 0 && a.Window.End < now && a.drop()
	})
}

// settle is book, for those who do not hold mu.
func (p *Pool) settle(a *account, difference int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.book(a, difference)
	p.tell()
}

// book changes what is spent. What goes beyond all grants is overspent; it is nobody's to spend, so where less is spent
// after all it is given back before anything becomes free. mu is held.
func (p *Pool) book(a *account, difference int64) {
	if difference < 0 {
		a.free.Add(-difference)
	} else if over := difference - a.takeUpTo(difference); over > 0 {
		a.over = store.Add(a.over, over)
		a.excess.Store(store.Add(a.excess.Load(), over))
		p.mark(a)
		return
	}
	if back := a.takeUpTo(a.excess.Load()); back > 0 {
		a.returned += back
		a.excess.Add(-back)
		p.mark(a)
	}
}

// mark notes that the store has to hear of an account.
func (p *Pool) mark(a *account) {
	if !a.stale {
		a.stale = true
		p.stale = append(p.stale, a)
	}
}
