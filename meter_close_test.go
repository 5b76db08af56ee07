package farebox_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/store"
)

// overStores runs a test over stores of both kinds.
func overStores(t *testing.T, test func(*testing.T, store.Store)) {
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		test(t, new(store.Memory))
	})
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		s, err := store.OpenFile(filepath.Join(t.TempDir(), "budgets"))
		must(t, err)
		t.Cleanup(func() { must(t, s.Close()) })
		test(t, s)
	})
}

// centsUsed is what a store counts for the total "b", in cents.
func centsUsed(t *testing.T, s store.Store) float64 {
	t.Helper()
	balances, err := s.Balances(t.Context(), []store.Account{{Key: "b/total/usd/"}})
	must(t, err)
	return float64(balances[0].Used) / cent
}

// eventually waits until something holds, and fails when the test has no time left for it.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	patience, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !holds() {
		if patience.Err() != nil {
			t.Fatalf("it never came about that %s", what)
		}
		runtime.Gosched()
	}
}

func closingMeter(t *testing.T, s store.Store) *farebox.Meter {
	return coinMeter(t, &coinProvider{}, farebox.WithStore(s), farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(100)}))
}

// TestCloseWithCallsInFlight: a Close that does not wait for a call returns all that the call does not hold, and the call
// settles when it ends.
func TestCloseWithCallsInFlight(t *testing.T) {
	t.Parallel()
	overStores(t, func(t *testing.T, s store.Store) {
		meter := closingMeter(t, s)
		mustSpend(t, meter, coinCall{limit: 10, tokens: 7})
		resp, err := coinCall{limit: 50, tokens: 20}.start(meter)
		must(t, err)
		over, err := coinCall{limit: 5, tokens: 9}.start(meter) // costs more than it holds
		must(t, err)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		first := meter.Close(ended)
		if !errors.Is(first, context.Canceled) {
			t.Errorf("Close: %v", first)
		}
		eventually(t, "the store counts what is spent and held", func() bool { return centsUsed(t, s) == 7+50+5 })
		if err := (coinCall{limit: 1}).on(meter); !errors.Is(err, farebox.ErrClosed) {
			t.Errorf("a call after Close: %v", err)
		}
		finish(t, resp)
		finish(t, over)
		eventually(t, "the store counts what was spent", func() bool { return centsUsed(t, s) == 7+20+9 })
		if total := meter.Ledger().Total(); total.Attempts != 3 || total.Cost != farebox.Cents(36) {
			t.Errorf("the ledger has %+v", total)
		}
		if second := meter.Close(t.Context()); !errors.Is(second, first) {
			t.Errorf("a second Close: %v", second)
		}
	})
}

// TestCloseTwiceAtOnce: a Close beside another one waits for it, for as long as its own ctx allows.
func TestCloseTwiceAtOnce(t *testing.T) {
	t.Parallel()
	overStores(t, func(t *testing.T, s store.Store) {
		meter := closingMeter(t, s)
		resp, err := coinCall{limit: 50, tokens: 20}.start(meter)
		must(t, err)
		closed := make(chan error, 2)
		go func() { closed <- meter.Close(t.Context()) }()
		eventually(t, "calls are refused", func() bool { return errors.Is(coinCall{limit: 1}.on(meter), farebox.ErrClosed) })
		go func() { closed <- meter.Close(t.Context()) }()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := meter.Close(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("a Close that does not wait for another: %v", err)
		}
		finish(t, resp)
		for range 2 {
			if err := <-closed; err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		if got := centsUsed(t, s); got != 20 {
			t.Errorf("the store counts %v cents, want 20", got)
		}
		if err := meter.Close(ended); err != nil {
			t.Errorf("a Close after it: %v", err)
		}
	})
}

// gate is a store whose messages wait until it is opened.
type gate struct {
	store.Store
	asked, open chan struct{}
}

func (s *gate) Sync(ctx context.Context, client string, lines []store.Line) (store.Reply, error) {
	select {
	case s.asked <- struct{}{}:
	default:
	}
	select {
	case <-s.open:
		return s.Store.Sync(ctx, client, lines)
	case <-ctx.Done():
		return store.Reply{}, ctx.Err()
	}
}

// TestCloseDuringAMessage: what a message brings that was under way when the Meter was closed is spent or goes back.
func TestCloseDuringAMessage(t *testing.T) {
	t.Parallel()
	overStores(t, func(t *testing.T, s store.Store) {
		g := &gate{Store: s, asked: make(chan struct{}, 1), open: make(chan struct{})}
		meter := closingMeter(t, g)
		called := make(chan error, 1)
		go func() { called <- coinCall{limit: 50, tokens: 20}.on(meter) }()
		<-g.asked
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := meter.Close(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Close: %v", err)
		}
		close(g.open)
		want := 0.0
		if err := <-called; err == nil {
			want = 20
		} else if !errors.Is(err, farebox.ErrClosed) {
			t.Errorf("the call: %v", err)
		}
		eventually(t, "the store counts what was spent", func() bool { return centsUsed(t, s) == want })
	})
}

// TestNeverClosed: a service that never closes its Meter loses what it had borrowed and not spent, and nothing else.
func TestNeverClosed(t *testing.T) {
	t.Parallel()
	overStores(t, func(t *testing.T, s store.Store) {
		meter := closingMeter(t, s)
		for range 20 {
			mustSpend(t, meter, coinCall{limit: 10, tokens: 3})
		}
		// A message may be under way, for as much again.
		if got := centsUsed(t, s); got < 60 || got > 60+2*10_000/256+10 {
			t.Errorf("the store counts %v cents, of which 60 were spent", got)
		}
		if total := meter.Ledger().Total(); total.Attempts != 20 || total.Cost != farebox.Cents(60) {
			t.Errorf("the ledger has %+v", total)
		}
		must(t, meter.Close(t.Context())) // for the test's own sake
		if got := centsUsed(t, s); got != 60 {
			t.Errorf("after Close the store counts %v cents", got)
		}
	})
}
