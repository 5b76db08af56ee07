package allowance

import (
	"context"
	"time"
)

// startBeat looks at what is idle a while from now; mu is held.
func (p *Pool) startBeat() {
	if p.beat == nil && !p.closed {
		p.beat = time.AfterFunc(beatEvery, p.tick)
	}
}

// tick gives back what has been idle, or what others were refused, and learns whether any were. It goes on for as long as
// anything is at hand.
func (p *Pool) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat = nil
	if p.closed {
		return
	}
	if p.flight != nil {
		p.startBeat()
		return
	}
	now := time.Now()
	f, current := &flight{ended: make(chan struct{})}, now.Add(p.ahead).UnixNano()
	for _, a := range p.accounts {
		free := a.free()
		if free > 0 && a.Window.Holds(current) && (a.recalled || now.Sub(a.used) > idleAfter) {
			p.giveBack(a)
		}
		if a.stale || free > 0 && a.Window.Holds(current) {
			f.add(a, a.line())
		}
	}
	if len(f.lines) > 0 {
		p.send(f)
	}
}

// giveBack returns what is free; mu is held.
func (p *Pool) giveBack(a *account) {
	a.returned += a.free()
	a.chunk = 0
	p.mark(a)
}

// Close returns everything that is free and ends the pool: it grants nothing any more. What is still held stays spent at
// the store, which stays open. ctx bounds it. A second Close does nothing.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	if p.beat != nil {
		p.beat.Stop()
	}
	for p.flight != nil {
		ended := p.flight.ended
		p.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		p.mu.Lock()
	}
	current := time.Now().Add(p.ahead).UnixNano()
	f := &flight{}
	for _, a := range p.accounts {
		if a.free() > 0 && a.Window.Holds(current) {
			p.giveBack(a)
		}
		if a.stale {
			f.add(a, a.line())
		}
	}
	p.mu.Unlock()
	if len(f.lines) == 0 {
		return nil
	}
	_, err := p.store.Sync(ctx, p.client, f.lines)
	return err
}
