// Package store is the protocol by which a spending cap survives a restart, a crash and a fleet of processes.
//
// A store holds the truth about what may still be spent under every limit. A process asks it for an allowance, spends
// that by itself, and asks for more before it runs dry, so that most calls touch neither disk nor network. The one rule:
// an allowance counts as spent from the moment at which it is granted, and is taken back only where its holder says that
// it was not spent. The allowance of a process that died stays spent, unless somebody who knows what it spent speaks for it.
//
// What a client says is cumulative: the sum of all that it was granted, gave back and overspent since the window began. A
// message that comes twice, late or out of order therefore changes nothing that it should not, and a store that has lost
// writes can be seen to have lost them.
//
// farebox has a store in a file (farebox.WithJournal); those for Redis and SQL are modules of their own. Whoever writes
// another has [github.com/farebox-go/farebox/store/storetest] to hold it against.
package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Store grants allowances. Implementations are safe for concurrent use.
//
// Every method returns an error that matches ErrUnavailable where the store cannot answer, or must not, because it does
// not know what was spent. ctx bounds a call. After an error nobody knows whether the call took effect: it may be repeated.
type Store interface {
	// Sync tells the store where a client stands on some accounts, and asks for more: on all lines that need some, or on
	// none. What the lines say was returned or overspent is taken over in either case.
	Sync(ctx context.Context, client string, lines []Line) (Reply, error)
	// Correct books what a client that is gone was really charged, once that is known: amounts are added to what is
	// spent, and negative where it was less. id names the correction: another one with the same id changes nothing. One to a
	// window that has closed changes nothing either.
	Correct(ctx context.Context, id string, corrections []Correction) error
	// Balances says how accounts stand. An account of which the store knows nothing stands at zero.
	Balances(ctx context.Context, accounts []Account) ([]Balance, error)
	// Close ends the use of the store by this process. It returns no allowance.
	Close() error
}

// Account is what one limit counts in one window: a budget or, for a budget per tag, one value of it.
type Account struct {
	// Key names the limit, the same in every process that shares it.
	Key string
	// Window is the window that counts.
	Window Window
}

// Window is the span of time in which spending counts together. A limit without one has the zero Window.
type Window struct {
	// Start and End are nanoseconds since 1970, Start included, End not; both 0: for ever.
	Start, End int64
	// View is where counting begins: Start, but for a rolling limit, whose windows are buckets of which several count at a
	// time.
	View int64
}

// Holds says whether an instant, in nanoseconds since 1970, is in the window.
func (w Window) Holds(at int64) bool { return w.End == 0 || w.Start <= at && at < w.End }

// Line is where a client stands on one account, and what it asks for. Amounts are whole units of the limit: nano-dollars,
// tokens or requests.
type Line struct {
	Account
	// Cap is the most that all clients together may spend in the window.
	Cap int64
	// Granted, Returned and Over are sums since the window began: what the client knows that it was granted, what it has
	// given back, and what it spent beyond all grants because a call cost more than was held for it. Overspending that
	// turns out not to have been any is given back like what was granted.
	Granted, Returned, Over int64
	// Need is what has to be granted on top, and Want what would be good to have; 0: nothing.
	Need, Want int64
}

// validate says what is wrong with a line.
func (l *Line) validate() error {
	switch {
	case l.Key == "":
		return errors.New("store: an account without a key")
	case l.Cap < 0, l.Granted < 0, l.Returned < 0, l.Over < 0, l.Need < 0:
		return fmt.Errorf("store: account %q: a negative amount", l.Key)
	case l.Returned > Add(l.Granted, l.Over):
		return fmt.Errorf("store: account %q: returned %d of %d granted and %d overspent", l.Key, l.Returned, l.Granted, l.Over)
	case l.Window.End != 0 && (l.Window.Start >= l.Window.End || l.Window.View > l.Window.Start):
		return fmt.Errorf("store: account %q: a window from %d to %d, counted from %d", l.Key, l.Window.Start, l.Window.End, l.Window.View)
	}
	return nil
}

// Validate says what is wrong with a request, for implementations to ask first.
func Validate(client string, lines []Line) error {
	if client == "" {
		return errors.New("store: a client without a name")
	}
	for i := range lines {
		if err := lines[i].validate(); err != nil {
			return err
		}
	}
	if twice := repeated(lines); twice >= 0 {
		return fmt.Errorf("store: account %q stands in two lines", lines[twice].Key)
	}
	return nil
}

// repeated is the first line whose account stands in one before it; -1: none. A call asks for a few, but whoever gives back what
// is idle may name thousands.
func repeated(lines []Line) int {
	const few = 16
	if len(lines) <= few {
		for i := range lines {
			for j := range lines[:i] {
				if lines[j].Account == lines[i].Account {
					return i
				}
			}
		}
		return -1
	}
	seen := make(map[Account]struct{}, len(lines))
	for i := range lines {
		if _, ok := seen[lines[i].Account]; ok {
			return i
		}
		seen[lines[i].Account] = struct{}{}
	}
	return -1
}

// Reply is a store's answer, with a line for each that was sent.
type Reply struct {
	// Now is the store's clock.
	Now time.Time
	// Refused is the first line that could not be granted what it needs, so that none was; -1: all were granted.
	Refused int
	Lines   []Granted
}

// Granted is where a client stands after a Sync.
type Granted struct {
	// Granted is the sum of what the client has been granted, more than it knew of where an answer was lost.
	Granted int64
	// Balance is how the account stands.
	Balance
}

// Balance is how an account stands.
type Balance struct {
	// Used is what counts as spent in view of the window: what was granted and not returned, what was overspent, and
	// corrections.
	Used int64
	// Clients is the number of clients that hold an allowance in the window.
	Clients int
	// Recall says that a client was refused what it needs: others should return what they do not.
	Recall bool
}

// Correction is a later figure for what was spent on an account.
type Correction struct {
	Account
	Amount int64
}

// ErrUnavailable is matched by every error by which a store says that it cannot answer: a guarded call is refused.
var ErrUnavailable = errors.New("store is unavailable")

// LostError says that the store has forgotten what it had granted. It matches ErrUnavailable.
type LostError struct {
	Key             string // the account; empty: all of them
	Granted, Stored int64  // as the client knows, and as the store does
	Learning        bool   // the store is recovering: it grants nothing, and takes over what clients say they were granted
}

// Error says what was lost.
func (e *LostError) Error() string {
	if e.Learning {
		return "store: it has lost what it had granted, and is learning it anew from those who are alive"
	}
	if e.Key == "" {
		return "store: it holds no record of having been set up, so that what was spent is not known: set it up anew, or restore it"
	}
	return fmt.Sprintf("store: account %q: %d had been granted, and the store remembers %d: it has lost writes", e.Key, e.Granted, e.Stored)
}

// Is matches ErrUnavailable.
func (e *LostError) Is(target error) bool { return target == ErrUnavailable }

// WindowError says that by the store's clock a line's window is not the current one: ask again with the one that is.
type WindowError struct {
	Key string
	Now time.Time // by the store's clock
}

// Error names the account and the time.
func (e *WindowError) Error() string {
	return fmt.Sprintf("store: account %q: the window does not hold %s, the time by the store's clock", e.Key, e.Now.UTC().Format(time.RFC3339Nano))
}

// Chunk is what to grant a line, for implementations that do not decide otherwise: what it needs and, of what is left, at
// most a share that leaves as much to each of the others several times over. left is what the cap leaves before the grant.
func Chunk(need, want, left int64, clients int) int64 {
	const turns = 4 // a quarter of an equal share: simulated, it strands least with processes that die
	share := left / int64(turns*max(clients, 1))
	return max(need, min(want, share))
}

// Add is a sum that stays at the largest figure instead of wrapping around.
func Add(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
