package allowance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox/store"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

func posting(key string, limit, amount int64) Posting {
	return Posting{Account: store.Account{Key: key}, Cap: limit, Amount: amount}
}

func used(t testing.TB, s store.Store, key string) int64 {
	t.Helper()
	balances, err := s.Balances(ctx, []store.Account{{Key: key}})
	if err != nil {
		t.Fatal(err)
	}
	return balances[0].Used
}

// troubled is a store whose messages and answers get lost, and which counts those that arrive.
type troubled struct {
	store.Store
	down     atomic.Bool
	lose     float64
	messages atomic.Int64
}

var errLost = errors.Join(errors.New("the connection broke"), store.ErrUnavailable)

func (s *troubled) Sync(ctx context.Context, client string, lines []store.Line) (store.Reply, error) {
	if s.down.Load() || rand.Float64() < s.lose {
		return store.Reply{}, errLost
	}
	s.messages.Add(1)
	reply, err := s.Store.Sync(ctx, client, lines)
	if rand.Float64() < s.lose {
		return store.Reply{}, errLost
	}
	return reply, err
}

// TestNeverMoreThanTheCap: processes that share a cap over a store whose messages get lost, and some of which die, never
// spend more than it, and the store counts at least what they spent.
func TestNeverMoreThanTheCap(t *testing.T) {
	t.Parallel()
	const limit = 5_000
	for _, lose := range []float64{0, 0.2} {
		synctest.Test(t, func(t *testing.T) {
			s := &troubled{Store: new(store.Memory), lose: lose}
			var spent atomic.Int64
			var all sync.WaitGroup
			for process := range 8 {
				p := New(s, fmt.Sprint("process ", process))
				for range 8 {
					all.Go(func() { spend(p, &spent, limit) })
				}
				if process%2 == 0 { // the others die
					defer func() { _ = p.Close(ctx) }()
				} else {
					defer p.kill()
				}
			}
			all.Wait()
			total := used(t, s, "total")
			if spent.Load() > limit || total < spent.Load() || total > limit {
				t.Errorf("losing %.0f %%: spent %d of %d, and the store counts %d", 100*lose, spent.Load(), limit, total)
			}
			if lose == 0 && spent.Load() < limit*9/10 {
				t.Errorf("spent only %d of %d", spent.Load(), limit)
			}
		})
	}
}

// kill ends a pool as the end of its process would, for the test to be able to end.
func (p *Pool) kill() {
	p.mu.Lock()
	p.closed.Store(true)
	p.accounts = index{}
	p.accounts.init()
	if p.beat != nil {
		p.beat.Stop()
	}
	f := p.flight.Load()
	p.mu.Unlock()
	if f != nil {
		<-f.ended
	}
}

func spend(p *Pool, spent *atomic.Int64, limit int64) {
	for range 60 {
		amount := 1 + rand.Int64N(20)
		var h Hold
		if p.Take(ctx, &h, []Posting{posting("day", 2*limit, amount), posting("total", limit, amount)}) != nil {
			continue
		}
		actual := rand.Int64N(amount + 1)
		time.Sleep(time.Duration(rand.IntN(3)) * time.Second)
		spent.Add(actual)
		h.End(actual)
	}
}

// TestArithmetic runs one pool against figures kept beside it, overruns and corrections included.
func TestArithmetic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := new(store.Memory)
		p := New(s, "process")
		type taken struct {
			hold   *Hold
			amount int64
			ended  bool
		}
		var holds []*taken
		var booked int64
		limit := rapid.Int64Range(10, 400).Draw(t, "cap")
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				amount := rapid.Int64Range(0, 50).Draw(t, "amount")
				h := &Hold{}
				err := p.Take(ctx, h, []Posting{posting("a", limit, amount), posting("b", 10*limit, amount)})
				if fits := amount == 0 || booked+amount <= limit; fits != (err == nil) {
					t.Fatalf("%d on top of %d of %d: %v", amount, booked, limit, err)
				}
				if err == nil {
					booked += amount
					holds = append(holds, &taken{hold: h, amount: amount})
				}
			},
			"end": func(t *rapid.T) {
				if len(holds) == 0 {
					return
				}
				h := rapid.SampledFrom(holds).Draw(t, "hold")
				actual := rapid.Int64Range(0, h.amount+5).Draw(t, "actual")
				h.hold.End(actual)
				if !h.ended {
					booked += actual - h.amount
					h.amount, h.ended = actual, true
				}
			},
			"correct": func(t *rapid.T) {
				if len(holds) == 0 {
					return
				}
				h := rapid.SampledFrom(holds).Draw(t, "hold")
				actual := rapid.Int64Range(0, h.amount+5).Draw(t, "actual")
				h.hold.Correct(actual)
				if h.ended {
					booked += actual - h.amount
					h.amount = actual
				}
			},
			"extend": func(t *rapid.T) {
				if len(holds) == 0 {
					return
				}
				h := rapid.SampledFrom(holds).Draw(t, "hold")
				if h.ended {
					return
				}
				more := rapid.Int64Range(0, 20).Draw(t, "more")
				err := h.hold.Extend(ctx, more, more)
				if fits := more == 0 || booked+more <= limit; fits != (err == nil) {
					t.Fatalf("%d more on top of %d of %d: %v", more, booked, limit, err)
				}
				if err == nil {
					booked += more
					h.amount += more
				}
			},
		})
		if err := p.Close(ctx); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a", "b"} {
			balances, err := s.Balances(ctx, []store.Account{{Key: key}})
			if err != nil || balances[0].Used != booked {
				t.Fatalf("after Close account %s counts %+v, %v; booked are %d", key, balances, err, booked)
			}
		}
	})
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	p := New(new(store.Memory), "process")
	defer p.kill()
	var h Hold
	if err := p.Take(ctx, &h, []Posting{posting("a", 10, 8)}); err != nil {
		t.Fatal(err)
	}
	var refused *Refusal
	err := p.Take(ctx, &h, []Posting{posting("b", 10, 1), posting("a", 10, 3)})
	if !errors.As(err, &refused) || refused.Posting != 1 || refused.Balance.Used != 8 {
		t.Fatalf("Take: %+v", err)
	}
	if err := p.Take(ctx, &h, []Posting{posting("b", 10, 10), posting("a", 10, 2)}); err != nil {
		t.Errorf("what a refused call asked for was not given back: %v", err)
	}
}

// TestOneMessageForManyCalls: what was borrowed serves many calls.
func TestOneMessageForManyCalls(t *testing.T) {
	t.Parallel()
	s := &troubled{Store: new(store.Memory)}
	p := New(s, "process")
	defer p.kill()
	for range 10_000 {
		var h Hold
		if err := p.Take(ctx, &h, []Posting{posting("a", 1_000_000_000, 10)}); err != nil {
			t.Fatal(err)
		}
		h.End(10)
	}
	if n := s.messages.Load(); n > 400 {
		t.Errorf("10,000 calls took %d messages", n)
	}
}

func TestStoreDown(t *testing.T) {
	t.Parallel()
	s := &troubled{Store: new(store.Memory)}
	p := New(s, "process")
	defer p.kill()
	s.down.Store(true)
	var h Hold
	if err := p.Take(ctx, &h, []Posting{posting("a", 100, 10)}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Take: %v, want ErrUnavailable", err)
	}
	s.down.Store(false)
	if err := p.Take(ctx, &h, []Posting{posting("a", 100, 100)}); err != nil {
		t.Errorf("Take once the store is back: %v", err)
	}
}

// TestStoreThatHangs: a call is refused when its own time is over, and what the answer brings after all is not lost.
func TestStoreThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Store: new(store.Memory), delay: 3 * time.Second}
		p := New(s, "process")
		defer p.kill()
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		var h Hold
		if err := p.Take(short, &h, []Posting{posting("a", 100, 100)}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Take: %v", err)
		}
		if err := p.Take(ctx, &h, []Posting{posting("a", 100, 100)}); err != nil {
			t.Errorf("what came after its caller had left was lost: %v", err)
		}
		h.End(0)
		s.delay = time.Minute
		if err := p.Take(ctx, &h, []Posting{posting("b", 100, 100)}); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Take of a store that takes a minute: %v, want ErrUnavailable", err)
		}
	})
}

type slow struct {
	store.Store
	delay time.Duration
}

func (s *slow) Sync(ctx context.Context, client string, lines []store.Line) (store.Reply, error) {
	select {
	case <-time.After(s.delay):
		return s.Store.Sync(ctx, client, lines)
	case <-ctx.Done():
		return store.Reply{}, ctx.Err()
	}
}

// TestIdleAllowances: what is not needed goes back by itself, and at once where another process is refused.
func TestIdleAllowances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(store.Memory)
		one, two := New(s, "one"), New(s, "two")
		defer one.kill()
		defer two.kill()
		var h Hold
		if err := one.Take(ctx, &h, []Posting{posting("a", 10_000, 60)}); err != nil {
			t.Fatal(err)
		}
		h.End(10)
		if err := two.Take(ctx, &h, []Posting{posting("a", 10_000, 9_990)}); err == nil {
			t.Fatal("two holders of one amount")
		}
		time.Sleep(2*beatEvery + time.Millisecond) // one learns of it, and returns
		synctest.Wait()
		if err := two.Take(ctx, &h, []Posting{posting("a", 10_000, 9_990)}); err != nil {
			t.Errorf("after a recall: %v", err)
		}
		h.End(20)
		time.Sleep(idleAfter + 3*beatEvery)
		synctest.Wait()
		if got := used(t, s, "a"); got != 30 {
			t.Errorf("after a while of idleness the store counts %d, want 30", got)
		}
	})
}

// TestWindowTurns: nothing that was borrowed in one window is spent in the next.
func TestWindowTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(store.Memory)
		p := New(s, "process")
		defer p.kill()
		hour := func() Posting {
			start := p.Now().Truncate(time.Hour).UnixNano()
			return Posting{
				Account: store.Account{Key: "a", Window: store.Window{Start: start, End: start + int64(time.Hour), View: start}},
				Cap:     100, Amount: 100,
			}
		}
		for range 5 {
			first := hour()
			var h Hold
			if err := p.Take(ctx, &h, []Posting{first}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			h.End(5) // too late to matter
			var wrong *store.WindowError
			if err := p.Take(ctx, &h, []Posting{{Account: first.Account, Cap: 200, Amount: 100}}); !errors.As(err, &wrong) {
				t.Errorf("a grant for a window that is over: %v", err)
			}
		}
		if p.accounts.size > 2 {
			t.Errorf("%d accounts are kept", p.accounts.size)
		}
	})
}

// TestClock: the store's clock counts, however far off this process's is.
func TestClock(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-7 * time.Minute, 0, 3 * time.Hour} {
		s := &store.Memory{Clock: func() time.Time { return time.Now().Add(off) }}
		p := New(s, "process")
		if err := p.Ping(ctx); err != nil {
			t.Fatal(err)
		}
		if got := time.Until(p.Now()) - off; got < -time.Second || got > time.Second {
			t.Errorf("the store is %s ahead, and Now is off by %s", off, got)
		}
	}
}

func TestObserved(t *testing.T) {
	t.Parallel()
	s := new(store.Memory)
	p := New(s, "process")
	var h, more Hold
	observed := posting("a", 10, 25)
	observed.Observe = true
	for _, h := range []*Hold{&h, &more} {
		if err := p.Take(ctx, h, []Posting{observed, posting("b", 100, 25)}); err != nil {
			t.Fatal(err)
		}
	}
	h.End(20)
	more.End(30)
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if a, b := used(t, s, "a"), used(t, s, "b"); a != 50 || b != 50 {
		t.Errorf("the store counts %d and %d, want 50 and 50", a, b)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	p := New(new(store.Memory), "process")
	for range 2 {
		if err := p.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
	var h Hold
	if err := p.Take(ctx, &h, []Posting{posting("a", 10, 1)}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Take: %v", err)
	}
	h.End(1)
	new(Hold).End(1)
}

func BenchmarkTake(b *testing.B) {
	p := New(new(store.Memory), "process")
	defer p.kill()
	postings := []Posting{posting("a", 1<<60, 10), posting("b", 1<<60, 10), posting("c", 1<<60, 10)}
	var h Hold
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Take(ctx, &h, postings); err != nil {
			b.Fatal(err)
		}
		h.End(4)
	}
}

// TestNoAllocations: what is at hand is taken and given back without memory of its own.
func TestNoAllocations(t *testing.T) {
	p := New(new(store.Memory), "process")
	defer p.kill()
	postings := []Posting{posting("a", 1<<60, 10), posting("b", 1<<60, 10), posting("c", 1<<60, 10)}
	var h Hold
	if err := p.Take(ctx, &h, postings); err != nil {
		t.Fatal(err)
	}
	h.End(10)
	allocations := testing.AllocsPerRun(100, func() {
		if err := p.Take(ctx, &h, postings); err != nil {
			t.Fatal(err)
		}
		h.End(4)
	})
	if allocations != 0 {
		t.Errorf("%g allocations", allocations)
	}
}

// TestNobodyWaitsForALock: what is at hand is taken and given back while another goroutine has the pool's lock.
func TestNobodyWaitsForALock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := New(new(store.Memory), "process")
		defer p.kill()
		var h Hold
		if err := p.Take(ctx, &h, []Posting{posting("a", 1<<40, 10)}); err != nil {
			t.Fatal(err)
		}
		h.End(10)
		p.mu.Lock()
		defer p.mu.Unlock()
		for range 10 {
			if err := p.Take(ctx, &h, []Posting{posting("a", 1<<40, 10)}); err != nil {
				t.Fatal(err)
			}
			h.End(5)
		}
	})
}

// TestIndex: accounts are found, and those that may go are swept, while others look for them.
func TestIndex(t *testing.T) {
	t.Parallel()
	var x index
	x.init()
	of := func(i int) store.Account {
		return store.Account{Key: fmt.Sprint("tag ", i%100), Window: store.Window{Start: int64(i / 100), End: 1 << 40}}
	}
	var all sync.WaitGroup
	var stop atomic.Bool
	for range 2 {
		all.Go(func() {
			for i := 0; !stop.Load(); i++ {
				want := of(i % 1000)
				if a := x.find(&want); a != nil && a.Account != want {
					t.Errorf("found %+v, want %+v", a.Account, want)
				}
			}
		})
	}
	for i := range 1000 {
		x.add(newAccount(&Posting{Account: of(i)}))
	}
	x.sweep(len(*x.buckets.Load()), func(a *account) bool { return a.Window.Start%2 == 0 && a.drop() })
	stop.Store(true)
	all.Wait()
	seen := make(map[store.Account]bool)
	for a := range x.all() {
		seen[a.Account] = true
	}
	for i := range 1000 {
		want := of(i)
		kept := want.Window.Start%2 == 1
		if found := x.find(&want) != nil; found != kept || seen[want] != kept {
			t.Errorf("account %d: found %t, ranged over %t; kept %t", i, found, seen[want], kept)
		}
	}
	if x.size != 500 || len(seen) != 500 {
		t.Errorf("%d accounts, and %d to range over, want 500", x.size, len(seen))
	}
}

// TestRaceForTheLast: of callers at once for what is left of several accounts, as many get it as it suffices for.
func TestRaceForTheLast(t *testing.T) {
	t.Parallel()
	for range 50 {
		s := new(store.Memory)
		p := New(s, "process")
		var got atomic.Int64
		var all sync.WaitGroup
		holds := make([]Hold, 32)
		for i := range holds {
			postings := []Posting{posting("a", 1_000, 10), posting("b", 100, 10), posting("c", 2_000, 10)}
			if i%2 == 0 {
				postings[0], postings[1] = postings[1], postings[0]
			}
			all.Go(func() {
				if p.Take(ctx, &holds[i], postings) == nil {
					got.Add(1)
				}
			})
		}
		all.Wait()
		if got.Load() != 10 {
			t.Errorf("%d of 32 calls got 10 each of 100", got.Load())
		}
		for i := range holds {
			holds[i].End(5)
		}
		if err := p.Close(ctx); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a", "b", "c"} {
			if n := used(t, s, key); n != 50 {
				t.Errorf("account %s counts %d, want 50", key, n)
			}
		}
	}
}

// TestStandingWhileCallsGoOn: what is only set aside never shows as spent, at whatever moment one looks.
func TestStandingWhileCallsGoOn(t *testing.T) {
	t.Parallel()
	p := New(new(store.Memory), "process")
	defer p.kill()
	var h Hold
	if err := p.Take(ctx, &h, []Posting{posting("a", 1<<40, 10)}); err != nil {
		t.Fatal(err)
	}
	h.End(7)
	var all sync.WaitGroup
	var stop atomic.Bool
	for range 4 {
		all.Go(func() {
			for !stop.Load() {
				var h Hold
				if err := p.Take(ctx, &h, []Posting{posting("a", 1<<40, 10)}); err != nil {
					t.Error(err)
				}
				h.End(0)
			}
		})
	}
	for range 10_000 {
		if got := p.Standing(store.Account{Key: "a"}).Spent; got > 7 {
			t.Errorf("%d are spent, want 7", got)
			break
		}
	}
	stop.Store(true)
	all.Wait()
	if got := p.Standing(store.Account{Key: "a"}).Spent; got != 7 {
		t.Errorf("%d are spent in the end, want 7", got)
	}
}

// forgetful is a store that has lost everything, and notes what it is told.
type forgetful struct {
	store.Store
	lost  atomic.Bool
	mu    sync.Mutex
	heard map[string]int64
}

func (s *forgetful) Sync(ctx context.Context, client string, lines []store.Line) (store.Reply, error) {
	if !s.lost.Load() {
		return s.Store.Sync(ctx, client, lines)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range lines {
		s.heard[lines[i].Key] = lines[i].Granted
	}
	return store.Reply{}, &store.LostError{Learning: true}
}

// TestReminded: a store that has lost what it granted is told all of it, also where nothing is left at hand or asked for.
func TestReminded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &forgetful{Store: new(store.Memory), heard: make(map[string]int64)}
		p := New(s, "process")
		defer func() { _ = p.Close(ctx) }()
		for _, key := range []string{"a", "b"} {
			var h Hold
			if err := p.Take(ctx, &h, []Posting{posting(key, 100, 100)}); err != nil {
				t.Fatal(err)
			}
			h.End(100)
		}
		time.Sleep(time.Minute) // nothing to say to the store
		s.lost.Store(true)
		var lost *store.LostError
		if err := p.Take(ctx, new(Hold), []Posting{posting("c", 100, 1)}); !errors.As(err, &lost) {
			t.Fatalf("a store that has lost everything: %v", err)
		}
		time.Sleep(time.Minute)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.heard["a"] != 100 || s.heard["b"] != 100 {
			t.Errorf("it heard of %v", s.heard)
		}
		s.lost.Store(false)
	})
}
