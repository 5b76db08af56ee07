package allowance

import (
	"sync/atomic"
	"time"

	"github.com/farebox-go/farebox/store"
)

// account is where this process stands on an account.
//
// What is free goes to holds and comes back without the pool's lock, so that a goroutine that loses its processor in the
// middle keeps nobody waiting. All else that is granted, returned or overspent is taken out of free, or put into it, with the
// lock held: granted - returned + over - free is what is set aside or booked.
type account struct {
	store.Account
	free     atomic.Int64 // never negative
	begun    atomic.Int64 // sum of what was set aside for holds
	ended    atomic.Int64 // sum of what had been set aside for holds that have ended
	gone     atomic.Bool  // dropped: nothing may be taken any more
	excess   atomic.Int64 // the part of over that has not been given back; changed with the lock held, as are those below
	limit    atomic.Int64
	chunk    atomic.Int64 // of the last grant
	calls    atomic.Int64 // so many are borrowed for in advance
	recalled atomic.Bool
	touched  atomic.Bool         // taken from since the last beat
	counter  atomic.Pointer[any] // of whoever hears how the account stands

	granted, returned, over int64
	filled                  time.Time // when the last grant came
	used                    time.Time // as of the last beat
	stale                   bool      // returned or over have changed since the store heard of them
	doubt                   bool      // a message that named it was not answered: more may have been granted
	others                  int64     // what others have spent or borrowed, as the store last said: see hear
	clients                 int
	at                      time.Time
}

func newAccount(of *Posting) *account {
	a := &account{Account: of.Account}
	a.calls.Store(callsAhead)
	a.touch(of)
	return a
}

// take sets an amount aside, if so much is free.
func (a *account) take(amount int64) bool {
	a.begun.Add(amount) // first: see booked
	for !a.gone.Load() {
		free := a.free.Load()
		if free < amount {
			break
		}
		if a.free.CompareAndSwap(free, free-amount) {
			return true
		}
	}
	a.ended.Add(amount)
	return false
}

// takeUpTo sets aside what is free of an amount, and says how much that is.
func (a *account) takeUpTo(amount int64) int64 {
	for {
		free := a.free.Load()
		taken := min(free, amount)
		if a.free.CompareAndSwap(free, free-taken) {
			return taken
		}
	}
}

// untake undoes take.
func (a *account) untake(amount int64) {
	a.free.Add(amount)
	a.ended.Add(amount)
}

// settle changes what is spent by a difference where that needs nothing but what is free; else it changes nothing.
func (a *account) settle(difference int64) bool {
	if difference <= 0 {
		if a.excess.Load() != 0 {
			return false
		}
		a.free.Add(-difference)
		return true
	}
	for {
		free := a.free.Load()
		if free < difference {
			return false
		}
		if a.free.CompareAndSwap(free, free-difference) {
			return true
		}
	}
}

// drop keeps an account from being taken from, if nothing is held in it.
func (a *account) drop() bool {
	a.gone.Store(true)
	if a.begun.Load() != a.ended.Load() {
		a.gone.Store(false)
	}
	return a.gone.Load()
}

// own is what the store counts as this process's; the pool's lock is held.
func (a *account) own() int64 { return a.granted - a.returned + a.over }

// booked is what this process has spent, but for what is set aside; the pool's lock is held. Calls that begin or end in
// the meantime can only make it less, since what is set aside is counted from before to after what is free.
func (a *account) booked() int64 {
	ended := a.ended.Load()
	free := a.free.Load()
	return a.own() - free - (a.begun.Load() - ended)
}

// touch notes that an account is in use, under which cap, and who is to hear of it.
func (a *account) touch(by *Posting) {
	if a.limit.Load() != by.Cap {
		a.limit.Store(by.Cap)
	}
	if c := a.counter.Load(); c == nil || *c != by.Counter {
		counter := by.Counter
		a.counter.Store(&counter)
	}
	if !a.touched.Load() {
		a.touched.Store(true)
	}
}

// line is where the process stands; the pool's lock is held.
func (a *account) line() store.Line {
	return store.Line{Account: a.Account, Cap: a.limit.Load(), Granted: a.granted, Returned: a.returned, Over: a.over}
}

// ahead is how much to borrow in advance, with calls of an amount.
func (a *account) ahead(amount int64) int64 {
	share, calls := a.limit.Load()/shareAhead, a.calls.Load()
	if amount > share/calls {
		return share
	}
	return amount * calls
}

// runsLow says whether less than half is left of what was last borrowed, or would be now.
func (a *account) runsLow(amount int64) bool {
	half := a.chunk.Load() / 2
	free := a.free.Load()
	return free < half && free < a.ahead(amount)/2 && !a.recalled.Load()
}

// hasten borrows for more calls at a time where what was granted, as asked for, is gone soon, and for fewer where it lasts;
// the pool's lock is held.
func (a *account) hasten(amount int64, now time.Time) {
	lasted, calls := now.Sub(a.filled), a.calls.Load()
	switch {
	case lasted < soonGone && a.chunk.Load() >= a.ahead(amount)/2:
		a.calls.Store(min(2*calls, mostAhead))
	case lasted > 10*soonGone:
		a.calls.Store(max(calls/2, callsAhead))
	}
}
