package allowance

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/farebox-go/farebox/store"
)

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

func (f *flight) add(a *account, line store.Line) {
	f.accounts, f.lines = append(f.accounts, a), append(f.lines, line)
}

// deliver hands over what a message that has ended brought.
func (f *flight) deliver(h *Hold) error {
	switch {
	case f.err != nil:
		return f.err
	case f.refusal != nil:
		return f.refusal
	}
	h.adopt(f.hold)
	return nil
}

// abandon lets a message go on for nobody, and gives back what it has brought already.
func (p *Pool) abandon(f *flight) {
	p.mu.Lock()
	underWay := p.flight.Load() == f
	f.left = underWay
	p.mu.Unlock()
	var h Hold
	if !underWay && f.deliver(&h) == nil {
		h.End(0)
	}
}

// refillSoon is refill, for those who do not hold mu, and who do not wait for it: the next call asks as well.
func (p *Pool) refillSoon(h *Hold) {
	if p.flight.Load() != nil || !h.runsLow() || !p.mu.TryLock() {
		return
	}
	defer p.mu.Unlock()
	p.refill(h)
}

// runsLow says whether little is left on an account of the hold.
func (h *Hold) runsLow() bool {
	for _, e := range h.entries() {
		if e.account.runsLow(e.amount) {
			return true
		}
	}
	return false
}

// refill asks for more in the background where little is left; mu is held.
func (p *Pool) refill(h *Hold) {
	if p.flight.Load() != nil || p.closed.Load() {
		return
	}
	var f *flight
	now := time.Now()
	for _, e := range h.entries() {
		if !e.account.runsLow(e.amount) {
			continue
		}
		if f == nil {
			f = &flight{ended: make(chan struct{})}
		}
		e.account.hasten(e.amount, now)
		line := e.account.line()
		line.Want = e.account.ahead(e.amount)
		f.add(e.account, line)
	}
	if f != nil {
		p.send(f)
	}
}

// tell tells the store, in the background, of what has changed; mu is held.
func (p *Pool) tell() {
	if p.closed.Load() {
		p.handBack()
		return
	}
	if len(p.stale) == 0 || p.flight.Load() != nil {
		return // a message under way brings the next one with it
	}
	f := &flight{ended: make(chan struct{})}
	for _, a := range p.stale {
		f.add(a, a.line())
	}
	p.send(f)
}

// send sends a message in a goroutine of its own, so that no caller's end ends it for others; mu is held.
func (p *Pool) send(f *flight) {
	p.flight.Store(f)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
		defer cancel()
		sent := time.Now()
		reply, err := p.store.Sync(ctx, p.client, f.lines)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.answered(f, sent, &reply, err)
		p.flight.Store(nil)
		p.goOn(f)
		close(f.ended)
		if err == nil {
			p.tell()
		}
	}()
}

// answered takes over what the store says; mu is held.
func (p *Pool) answered(f *flight, sent time.Time, reply *store.Reply, err error) {
	if err != nil {
		var wrong *store.WindowError
		if errors.As(err, &wrong) {
			p.setClock(sent, wrong.Now)
			p.forget(f, wrong)
		}
		var lost *store.LostError
		if errors.As(err, &lost) {
			p.remind()
		}
		f.err = unavailable(err)
		for _, a := range f.accounts {
			a.doubt = true
		}
		if f.hold == nil {
			p.warn(err)
		}
		p.complete(f)
		return
	}
	p.setClock(sent, reply.Now)
	if reply.Refused >= 0 {
		f.refusal = &Refusal{Posting: reply.Refused, Balance: reply.Lines[reply.Refused].Balance}
	}
	now, granted := time.Now(), f.granted()
	for i, a := range f.accounts {
		got := &reply.Lines[i]
		brought := max(0, got.Granted-a.granted)
		a.granted += brought
		a.chunk.Store(max(brought, a.chunk.Load()/2))
		a.recalled.Store(got.Recall)
		a.doubt = false
		a.filled = now
		if granted {
			a.begun.Add(f.lacks[i])
			brought -= f.lacks[i] // before anybody else can have it
		}
		p.book(a, -brought)
		p.hear(a, got.Balance, reply.Now)
		if line := &f.lines[i]; line.Returned == a.returned && line.Over == a.over {
			a.stale = false
		}
	}
	p.stale = slices.DeleteFunc(p.stale, func(a *account) bool { return !a.stale })
	p.complete(f)
	if f.refusal != nil {
		a := f.accounts[reply.Refused]
		f.refusal.Free = a.free.Load()
		if f.refusal.Others = f.refusal.Balance.Clients; a.granted > a.returned {
			f.refusal.Others--
		}
	}
}

// remind tells the store all that it has granted in windows that are not over, as soon as it listens: it has lost some of it,
// and what is spent is nowhere else; mu is held.
func (p *Pool) remind() {
	current := time.Now().Add(p.ahead).UnixNano()
	for a := range p.accounts.all() {
		if a.granted > 0 && a.Window.Holds(current) {
			p.mark(a)
		}
	}
}

// granted says whether the hold that a message asks for comes about.
func (f *flight) granted() bool {
	return f.hold != nil && f.err == nil && f.refusal == nil && !f.left
}

// complete frees what was set aside for a hold that does not come about; mu is held.
func (p *Pool) complete(f *flight) {
	if f.hold == nil || f.granted() {
		return
	}
	for i, e := range f.hold.entries() {
		p.book(e.account, f.lacks[i]-e.amount)
		e.account.ended.Add(e.amount - f.lacks[i])
	}
}

// unavailable marks a store that took too long as one that cannot answer.
func unavailable(err error) error {
	if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, store.ErrUnavailable) {
		return errors.Join(store.ErrUnavailable, err)
	}
	return err
}
