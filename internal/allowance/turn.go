package allowance

import (
	"slices"

	"github.com/farebox-go/farebox/store"
)

// forget takes it that a window which the store keeps no more will not hear of what changed in it: a message that names it
// would be refused for ever, and everything else that is in it with it. mu is held.
func (p *Pool) forget(f *flight, gone *store.WindowError) {
	at := gone.Now.UnixNano()
	for i, a := range f.accounts {
		if a.Key == gone.Key && f.lines[i].Need == 0 && a.Window.End != 0 && a.Window.End <= at {
			a.stale = false
		}
	}
	p.stale = slices.DeleteFunc(p.stale, func(a *account) bool { return !a.stale })
}
