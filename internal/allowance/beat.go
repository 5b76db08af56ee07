package allowance

import "time"

// startBeat looks at what is idle a while from now; mu is held.
func (p *Pool) startBeat() {
	if !p.beating.Load() && !p.closed.Load() {
		p.beating.Store(true)
		p.beat = time.AfterFunc(beatEvery, p.tick)
	}
}

// ensureBeat is startBeat, for those who do not hold mu. Once the pool is closed what has come free goes back at once.
func (p *Pool) ensureBeat() {
	if p.beating.Load() && !p.closed.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Load() {
		p.handBack()
		return
	}
	p.startBeat()
}

// tick gives back what has been idle, or what others were refused, and learns whether any were. It goes on for as long as
// anything is at hand.
func (p *Pool) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beating.Store(false)
	if p.closed.Load() {
		return
	}
	if p.flight.Load() != nil {
		p.startBeat()
		return
	}
	now := time.Now()
	f, current := &flight{ended: make(chan struct{})}, now.Add(p.ahead).UnixNano()
	for a := range p.accounts.all() {
		if a.touched.Swap(false) {
			a.used = now
		}
		free := a.free.Load()
		if free > 0 && a.Window.Holds(current) && (a.recalled.Load() || now.Sub(a.used) > idleAfter) {
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
	a.returned += a.free.Swap(0)
	a.chunk.Store(0)
	p.mark(a)
}
