// Package allowance is a process's side of a store: it borrows allowances, spends them, asks for more before they run
// dry, and gives back what others need more.
package allowance

import (
	"context"
	"errors"
	"slices"
	"sync"
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

	mu       sync.Mutex
	accounts map[store.Account]*account
	stale    []*account    // whose sums the store does not know yet
	flight   *flight       // the message under way; nil: none
	ahead    time.Duration // of the store's clock over this process's
	beat     *time.Timer   // until the next look at what is idle
	closed   bool
}

// account is where this process stands on an account. What it may still spend is free.
type account struct {
	store.Account
	limit                   int64
	granted, returned, over int64
	spent                   int64 // set aside or booked
	held                    int64 // the part of spent that is set aside
	excess                  int64 // the part of over that has not been given back
	chunk                   int64 // of the last grant
	open                    int   // holds that have not ended
	used                    time.Time
	recalled                bool
	stale                   bool  // returned or over have changed since the store heard of them
	counter                 any   // of whoever hears how the account stands
	others                  int64 // what others have spent or borrowed, as the store last said: see hear
	clients                 int
	at                      time.Time
}

func (a *account) free() int64 { return a.granted - a.returned + a.over - a.spent }

// flight is a message to the store, for one who waits for it or for nobody.
type flight struct {
	ended    chan struct{}
	lines    []store.Line
	accounts []*account
	hold     *Hold   // for whom the message asks: what was at hand is set aside already
	lacks    []int64 // of the hold, what the message brings
	refusal  *Refusal
	err      error
	left     bool // whoever the hold is for does not wait any more
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

// Hold is money set aside, on all its accounts. The zero value stands for nothing.
type Hold struct {
	pool    *Pool
	entries []entry
	ended   bool
}

type entry struct {
	account *account
	amount  int64
}

// Sizes of what is asked for in advance, and times.
const (
	callsAhead     = 1000            // as many calls like the one at hand
	shareAhead     = 256             // but no more than this part of the cap: it is lost to the window if the process dies
	idleAfter      = 5 * time.Second // unused for so long, an allowance goes back to where others can have it
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
		heard:    func(any, store.Window, int64) {},
		accounts: make(map[store.Account]*account),
	}
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
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return errClosed
		}
		if p.takeFree(h, postings) {
			p.refill(h)
			p.mu.Unlock()
			return nil
		}
		f, mine := p.flight, false
		if f == nil {
			f, mine = p.ask(postings), true
		}
		p.mu.Unlock()
		select {
		case <-f.ended:
		case <-ctx.Done():
			if mine {
				p.abandon(f)
			}
			return context.Cause(ctx)
		}
		if mine {
			return f.deliver(h)
		}
	}
}

var errClosed = errors.Join(errors.New("the meter is closed"), store.ErrUnavailable)

// deliver hands over what a message that has ended brought.
func (f *flight) deliver(h *Hold) error {
	switch {
	case f.err != nil:
		return f.err
	case f.refusal != nil:
		return f.refusal
	}
	*h = *f.hold
	return nil
}

// abandon lets a message go on for nobody, and gives back what it has brought already.
func (p *Pool) abandon(f *flight) {
	p.mu.Lock()
	underWay := p.flight == f
	f.left = underWay
	p.mu.Unlock()
	var h Hold
	if !underWay && f.deliver(&h) == nil {
		h.End(0)
	}
}

// takeFree takes from what is at hand, if it suffices; mu is held.
func (p *Pool) takeFree(h *Hold, postings []Posting) bool {
	for i := range postings {
		if !postings[i].Observe && p.account(&postings[i]).free() < postings[i].Amount {
			return false
		}
	}
	*h = *p.take(postings)
	for i := range postings {
		if postings[i].Observe {
			p.book(h.entries[i].account, 0) // what is not at hand is overspent
		}
	}
	p.tell()
	return true
}

// take sets amounts aside; mu is held.
func (p *Pool) take(postings []Posting) *Hold {
	h := &Hold{pool: p, entries: make([]entry, len(postings))}
	now := time.Now()
	for i := range postings {
		a := p.account(&postings[i])
		a.spent += postings[i].Amount
		a.held += postings[i].Amount
		a.open++
		a.used = now
		h.entries[i] = entry{account: a, amount: postings[i].Amount}
	}
	return h
}

func (p *Pool) account(of *Posting) *account {
	a := p.accounts[of.Account]
	if a == nil {
		p.sweep()
		a = &account{Account: of.Account}
		p.accounts[of.Account] = a
	}
	a.limit, a.counter = of.Cap, of.Counter
	return a
}

// sweep drops accounts whose window is over once nothing is open in them; mu is held. Most calls find nothing to drop, so
// it looks only as often as accounts are made.
func (p *Pool) sweep() {
	const step = 4
	now, looked := time.Now().Add(p.ahead).UnixNano(), 0
	for key, a := range p.accounts {
		if looked++; looked > step {
			return
		}
		if a.open == 0 && !a.stale && a.Window.End != 0 && a.Window.End < now {
			delete(p.accounts, key)
		}
	}
}

// ask sends a message for what postings lack; mu is held. What is at hand is set aside at once, so that nobody else can
// take it before the answer comes.
func (p *Pool) ask(postings []Posting) *flight {
	f := &flight{ended: make(chan struct{}), lacks: make([]int64, len(postings))}
	for i := range postings {
		a := p.account(&postings[i])
		line := a.line()
		if lack := postings[i].Amount - a.free(); lack > 0 && !postings[i].Observe {
			f.lacks[i] = lack
			line.Need, line.Want = lack, max(lack, a.ahead(postings[i].Amount))
		}
		f.add(a, line)
	}
	f.hold = p.take(postings)
	for i, e := range f.hold.entries {
		e.account.spent -= f.lacks[i]
		e.account.held -= f.lacks[i]
		if postings[i].Observe {
			p.book(e.account, 0)
		}
	}
	p.send(f)
	return f
}

func (f *flight) add(a *account, line store.Line) {
	f.accounts, f.lines = append(f.accounts, a), append(f.lines, line)
}

// line is where the process stands.
func (a *account) line() store.Line {
	return store.Line{Account: a.Account, Cap: a.limit, Granted: a.granted, Returned: a.returned, Over: a.over}
}

// ahead is how much to borrow in advance, with calls of an amount.
func (a *account) ahead(amount int64) int64 {
	share := a.limit / shareAhead
	if amount > share/callsAhead {
		return share
	}
	return amount * callsAhead
}

// refill asks for more in the background where less than half of what was last borrowed is left; mu is held.
func (p *Pool) refill(h *Hold) {
	if p.flight != nil {
		return
	}
	var f *flight
	for i := range h.entries {
		a, amount := h.entries[i].account, h.entries[i].amount
		if want := a.ahead(amount); !a.recalled && a.free() < a.chunk/2 && want >= a.chunk/2 {
			if f == nil {
				f = &flight{ended: make(chan struct{})}
			}
			line := a.line()
			line.Want = want
			f.add(a, line)
		}
	}
	if f != nil {
		p.send(f)
	}
}

// send sends a message in a goroutine of its own, so that no caller's end ends it for others; mu is held.
func (p *Pool) send(f *flight) {
	p.flight = f
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
		defer cancel()
		sent := time.Now()
		reply, err := p.store.Sync(ctx, p.client, f.lines)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.flight = nil
		p.answered(f, sent, &reply, err)
		if f.hold != nil {
			f.complete()
		}
		p.startBeat()
		close(f.ended)
	}()
}

// complete sets aside what a hold lacked, or frees what was set aside for it.
func (f *flight) complete() {
	granted := f.err == nil && f.refusal == nil && !f.left
	for i, e := range f.hold.entries {
		if granted {
			e.account.spent += f.lacks[i]
			e.account.held += f.lacks[i]
		} else {
			e.account.open--
			e.account.spent -= e.amount - f.lacks[i]
			e.account.held -= e.amount - f.lacks[i]
		}
	}
}

// answered takes over what the store says; mu is held.
func (p *Pool) answered(f *flight, sent time.Time, reply *store.Reply, err error) {
	if err != nil {
		var wrong *store.WindowError
		if errors.As(err, &wrong) {
			p.setClock(sent, wrong.Now)
			p.forget(f, wrong)
		}
		f.err = unavailable(err)
		if f.hold == nil {
			p.warn(err)
		}
		return
	}
	p.setClock(sent, reply.Now)
	for i, a := range f.accounts {
		got := &reply.Lines[i]
		a.chunk = max(got.Granted-a.granted, a.chunk/2)
		a.granted = max(a.granted, got.Granted)
		a.recalled = got.Recall
		p.hear(a, got.Balance, reply.Now)
		if line := &f.lines[i]; line.Returned == a.returned && line.Over == a.over {
			a.stale = false
		}
	}
	p.stale = slices.DeleteFunc(p.stale, func(a *account) bool { return !a.stale })
	if reply.Refused >= 0 {
		a := f.accounts[reply.Refused]
		f.refusal = &Refusal{Posting: reply.Refused, Balance: reply.Lines[reply.Refused].Balance, Free: a.free()}
		if f.refusal.Others = f.refusal.Balance.Clients; a.granted > a.returned {
			f.refusal.Others--
		}
	}
}

// unavailable marks a store that took too long as one that cannot answer.
func unavailable(err error) error {
	if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, store.ErrUnavailable) {
		return errors.Join(store.ErrUnavailable, err)
	}
	return err
}

// Extend sets more aside for a hold: one amount for each of its postings. It changes all of them or none; errors are
// those of Take.
func (h *Hold) Extend(ctx context.Context, amounts ...int64) error {
	p := h.pool
	if p == nil || len(amounts) != len(h.entries) {
		return errors.New("allowance: a hold that cannot be extended")
	}
	postings := make([]Posting, len(amounts))
	p.mu.Lock()
	for i := range amounts {
		a := h.entries[i].account
		postings[i] = Posting{Account: a.Account, Cap: a.limit, Amount: amounts[i], Counter: a.counter}
	}
	p.mu.Unlock()
	var more Hold
	if err := p.Take(ctx, &more, postings); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range more.entries {
		h.entries[i].amount += more.entries[i].amount
		more.entries[i].account.open--
	}
	return nil
}

// Taken says whether the hold stands for anything.
func (h *Hold) Taken() bool { return h.pool != nil }

// End ends a hold at what was spent: one figure for each posting, or one for all. What is left of it may be spent by
// others. A figure above the hold is booked in full. Only the first End counts.
func (h *Hold) End(actual ...int64) {
	p := h.pool
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.ended {
		return
	}
	h.ended = true
	for i := range h.entries {
		e := &h.entries[i]
		e.account.open--
		e.account.held -= e.amount
		p.book(e.account, figure(actual, i)-e.amount)
		e.amount = figure(actual, i)
	}
	p.tell()
	p.startBeat()
}

// Correct replaces the figures that a hold has ended at, for as long as its window is kept.
func (h *Hold) Correct(actual ...int64) {
	p := h.pool
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !h.ended {
		return
	}
	for i := range h.entries {
		e := &h.entries[i]
		p.book(e.account, figure(actual, i)-e.amount)
		e.amount = figure(actual, i)
	}
	p.tell()
	p.startBeat()
}

func figure(actual []int64, i int) int64 {
	if len(actual) == 1 {
		return actual[0]
	}
	return actual[i]
}

// book changes what is spent. What goes beyond all grants is overspent; it is nobody's to spend, so where less is spent
// after all it is given back before anything becomes free. mu is held.
func (p *Pool) book(a *account, difference int64) {
	a.spent = max(0, store.Add(a.spent, difference))
	if free := a.free(); free < 0 {
		a.over -= free
		a.excess -= free
		p.mark(a)
	} else if back := min(free, a.excess); back > 0 {
		a.returned += back
		a.excess -= back
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

// tell tells the store, in the background, of what has changed; mu is held.
func (p *Pool) tell() {
	if len(p.stale) == 0 || p.flight != nil || p.closed {
		return // a message under way brings the next one with it
	}
	f := &flight{ended: make(chan struct{})}
	for _, a := range p.stale {
		f.add(a, a.line())
	}
	p.send(f)
}
