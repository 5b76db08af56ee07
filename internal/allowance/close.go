package allowance

import (
	"context"
	"errors"
	"time"

	"github.com/farebox-go/farebox/store"
)

// ErrClosed is the error of a Take from a pool that was closed. It matches [store.ErrUnavailable].
var ErrClosed = errors.Join(errors.New("the meter is closed"), store.ErrUnavailable)

// Close returns everything that is free and ends the pool: it grants nothing any more. What is still held stays spent at
// the store; a hold that ends later returns what it did not need, for as long as the store stays open. ctx bounds Close, and
// not what is under way. The error is that of the last message. A second Close does nothing.
func (p *Pool) Close(ctx context.Context) (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Swap(true) {
		return nil
	}
	if p.beat != nil {
		p.beat.Stop()
	}
	p.handBack()
	for f := p.flight.Load(); f != nil; f = p.flight.Load() {
		p.mu.Unlock()
		select {
		case <-f.ended:
		case <-ctx.Done():
			p.mu.Lock()
			return context.Cause(ctx)
		}
		p.mu.Lock()
		err = f.err
	}
	return err
}

// handBack returns, once the pool is closed, what is free, and tells of what has changed or may have been granted without
// being heard of; mu is held. A message under way is followed by another one.
func (p *Pool) handBack() {
	if p.flight.Load() != nil {
		return
	}
	f, current := &flight{ended: make(chan struct{})}, time.Now().Add(p.ahead).UnixNano()
	for a := range p.accounts.all() {
		if a.free.Load() > 0 && a.Window.Holds(current) {
			p.giveBack(a)
		}
		if a.stale || a.doubt && a.Window.Holds(current) {
			f.add(a, a.line())
		}
	}
	if len(f.lines) > 0 {
		p.send(f)
	}
}

// goOn does after a message what its answer asks for; mu is held. One that failed is not repeated, but for one whose window
// the store keeps no more, since the next one leaves that out.
func (p *Pool) goOn(f *flight) {
	var gone *store.WindowError
	switch {
	case !p.closed.Load():
		p.startBeat()
	case f.err == nil:
		p.handBack()
	case errors.As(f.err, &gone) && p.retries < maxRetries:
		p.retries++
		p.handBack()
	}
}

const maxRetries = 16
