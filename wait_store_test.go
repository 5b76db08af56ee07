package farebox_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/store"
)

// cent is a cent in the units of a store.
const cent = 10_000_000

// counted is a store that counts its messages.
type counted struct {
	store.Store
	messages atomic.Int64
}

func (s *counted) Sync(ctx context.Context, client string, lines []store.Line) (store.Reply, error) {
	s.messages.Add(1)
	return s.Store.Sync(ctx, client, lines)
}

// neighbour is another process with an allowance of the total "b".
type neighbour struct {
	t     *testing.T
	store store.Store
	line  store.Line
}

func newNeighbour(t *testing.T, s store.Store, cents int64) *neighbour {
	t.Helper()
	n := &neighbour{t, s, store.Line{Account: store.Account{Key: "b/total/usd/"}, Cap: 100 * cent, Need: cents * cent}}
	n.sync()
	n.line.Granted, n.line.Need = cents*cent, 0
	return n
}

func (n *neighbour) sync() {
	n.t.Helper()
	if reply, err := n.store.Sync(n.t.Context(), "neighbour", []store.Line{n.line}); err != nil || reply.Refused >= 0 {
		n.t.Fatal(reply, err)
	}
}

func (n *neighbour) giveBack(cents int64) {
	n.t.Helper()
	n.line.Returned += cents * cent
	n.sync()
}

// served notes which calls have come through, in their order.
type served struct {
	mu   sync.Mutex
	who  []int
	errs []error
}

func (s *served) call(i int, c coinCall, meter *farebox.Meter) {
	err := c.on(meter)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.errs = append(s.errs, err)
		return
	}
	s.who = append(s.who, i)
}

func (s *served) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.who)
}

func waitingInStore(t *testing.T, s store.Store) (*farebox.Meter, func() int) {
	meter := coinMeter(t, &coinProvider{}, farebox.WithStore(s),
		farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1), WhenFull: farebox.Wait}))
	return meter, func() int { return meter.Guard().Snapshot()[0].Waiting }
}

// TestManyWaitForAnotherProcess: calls that wait for other processes are counted, come through in the order in which they
// came, and ask the store no more often than one of them would.
func TestManyWaitForAnotherProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &counted{Store: new(store.Memory)}
		other := newNeighbour(t, s, 100)
		meter, waiting := waitingInStore(t, s)
		var done served
		var all sync.WaitGroup
		const calls = 40
		for i := range calls {
			all.Go(func() { done.call(i, coinCall{limit: 1, tokens: 1}, meter) })
			synctest.Wait()
		}
		before := s.messages.Load()
		time.Sleep(10 * time.Second)
		if n := s.messages.Load() - before; n > 25 {
			t.Errorf("%d calls that waited for ten seconds sent %d messages", calls, n)
		}
		if n := waiting(); n != calls {
			t.Errorf("%d are said to wait, and %d do", n, calls)
		}
		for i := range calls {
			other.giveBack(1)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if n := done.count(); n != i+1 || done.who[i] != i {
				t.Fatalf("room for %d: came through %v", i+1, done.who)
			}
		}
		all.Wait()
		if s := meter.Guard().Snapshot()[0]; s.Waiting != 0 || s.Refusals != 0 || !s.Held.IsZero() || len(done.errs) > 0 {
			t.Errorf("afterwards %+v; errors %v", s, done.errs)
		}
		must(t, meter.Close(t.Context()))
	})
}

// TestRoomForAllWhoWait: what comes back at once serves all at once.
func TestRoomForAllWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(store.Memory)
		other := newNeighbour(t, s, 100)
		meter, _ := waitingInStore(t, s)
		var done served
		var all sync.WaitGroup
		for i := range 30 {
			all.Go(func() { done.call(i, coinCall{limit: 3, tokens: 3}, meter) })
		}
		synctest.Wait()
		other.giveBack(100)
		start := time.Now()
		all.Wait()
		if took := time.Since(start); took > time.Second || done.count() != 30 {
			t.Errorf("%d came through, and it took %s", done.count(), took)
		}
		must(t, meter.Close(t.Context()))
	})
}

// TestLargeCallsDoNotStarve: small calls that come later do not take what a large one waits for; where it waits in vain they
// pass it after a while.
func TestLargeCallsDoNotStarve(t *testing.T) {
	t.Parallel()
	for _, dead := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := new(store.Memory)
			other := newNeighbour(t, s, 100)
			meter, _ := waitingInStore(t, s)
			ctx, cancel := context.WithCancel(t.Context())
			var done served
			var all sync.WaitGroup
			all.Go(func() { done.call(0, coinCall{limit: 60, tokens: 60, ctx: ctx}, meter) })
			synctest.Wait()
			for i := range 4 {
				all.Go(func() { done.call(1+i, coinCall{limit: 5, tokens: 5}, meter) })
				synctest.Wait()
			}
			returns := 20
			if dead {
				returns = 4 // and the rest is gone
			}
			for range returns {
				other.giveBack(5)
				time.Sleep(time.Second)
			}
			if dead {
				if n := done.count(); n != 0 {
					t.Errorf("%d calls have passed a large one that waited for four seconds", n)
				}
				time.Sleep(40 * time.Second)
				if n := done.count(); n != 4 {
					t.Errorf("%d of 4 small calls have passed one that waits in vain", n)
				}
			}
			cancel()
			all.Wait()
			if !dead && (done.count() != 5 || done.who[0] != 0) || dead && (len(done.errs) != 1 || !errors.Is(done.errs[0], context.Canceled)) {
				t.Errorf("the other is dead %v: came through %v, errors %v", dead, done.who, done.errs)
			}
			must(t, meter.Close(t.Context()))
		})
	}
}

// TestWaitingEnds: calls whose time runs out leave the line to those behind them, and Close ends the waiting.
func TestWaitingEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(store.Memory)
		other := newNeighbour(t, s, 100)
		meter, waiting := waitingInStore(t, s)
		var first, rest served
		var all sync.WaitGroup
		short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		all.Go(func() { first.call(0, coinCall{limit: 50, tokens: 1, ctx: short}, meter) })
		synctest.Wait()
		for i := range 3 {
			all.Go(func() { rest.call(i, coinCall{limit: 10, tokens: 10}, meter) })
			synctest.Wait()
		}
		other.giveBack(10)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		var refused *farebox.BudgetError
		if len(first.errs) != 1 || !errors.As(first.errs[0], &refused) || !errors.Is(first.errs[0], context.DeadlineExceeded) || refused.Waited != 5*time.Second {
			t.Errorf("the first ended with %v, %+v", first.errs, refused)
		}
		if n := waiting(); rest.count() != 1 || n != 2 {
			t.Errorf("%v came through and %d wait, with room for one", rest.who, n)
		}
		must(t, meter.Close(t.Context()))
		all.Wait()
		if len(rest.errs) != 2 || !errors.Is(rest.errs[0], farebox.ErrClosed) || !errors.Is(rest.errs[1], farebox.ErrClosed) {
			t.Errorf("after Close: %v", rest.errs)
		}
		if s := meter.Guard().Snapshot()[0]; s.Waiting != 0 || s.Refusals != 1 {
			t.Errorf("afterwards %+v", s)
		}
	})
}
