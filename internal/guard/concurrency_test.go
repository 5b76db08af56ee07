package guard_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
)

const goroutines = 200

// together runs f in many goroutines that set off at once.
func together(f func(worker int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	ready.Add(goroutines)
	for i := range goroutines {
		done.Go(func() {
			ready.Done()
			<-start
			f(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

// Everybody asks for the last of the money at once: exactly as many are admitted as fit.
func TestExactlyTheCapIsAdmitted(t *testing.T) {
	t.Parallel()
	const each, fits = 7, 501
	var g guard.Guard
	wide := newCounter(t, &g, guard.Limit{Cap: each * fits * 2})
	narrow := newCounter(t, &g, guard.Limit{Cap: each*fits + each - 1, Window: daily})
	var admitted, refused atomic.Int64
	together(func(int) {
		for range 10 {
			var h guard.Hold
			d := g.Hold(&h, noon, []guard.Posting{{Counter: wide, Amount: each}, {Counter: narrow, Amount: each}})
			if d.Admitted() {
				admitted.Add(1)
			} else {
				refused.Add(1)
			}
		}
	})
	if admitted.Load() != fits || refused.Load() != 10*goroutines-fits {
		t.Errorf("%d admitted, %d refused, want %d", admitted.Load(), refused.Load(), fits)
	}
	if s := wide.Snapshot(noon); s.Held != each*fits || s.Open != fits || s.Refusals != 0 {
		t.Errorf("the counter that did not refuse: %+v", s)
	}
	if s := narrow.Snapshot(noon); s.Held != each*fits || s.Refusals != refused.Load() {
		t.Errorf("the counter that refused: %+v", s)
	}
}

// Calls come and go over two caps while somebody watches; in the end the books are what was billed.
func TestCapHoldsUnderChurn(t *testing.T) {
	t.Parallel()
	const limit = 1000
	var g guard.Guard
	hourly := newCounter(t, &g, guard.Limit{Cap: limit, Window: guard.Window{Kind: guard.Rolling, Length: time.Hour}})
	total := newCounter(t, &g, guard.Limit{Cap: 5 * limit})
	var billed atomic.Int64
	together(func(worker int) {
		r := rand.New(rand.NewPCG(1, uint64(worker)))
		for range 200 {
			var h guard.Hold
			amount := r.Int64N(50)
			if d := g.Hold(&h, noon, []guard.Posting{{Counter: hourly, Amount: amount}, {Counter: total, Amount: amount}}); d.Admitted() {
				billed.Add(finish(&h, r, amount))
			}
			for _, c := range []*guard.Counter{hourly, total} {
				if s := c.Snapshot(noon); s.Spent+s.Held > s.Cap {
					t.Errorf("over the cap: %+v", s)
				}
			}
		}
	})
	for _, c := range []*guard.Counter{hourly, total} {
		if s := c.Snapshot(noon); s.Spent != billed.Load() || s.Held != 0 || s.Open != 0 {
			t.Errorf("%+v, billed %d", s, billed.Load())
		}
	}
}

// finish ends a hold in some way and returns what was billed for it.
func finish(h *guard.Hold, r *rand.Rand, amount int64) int64 {
	switch r.IntN(3) {
	case 0:
		h.Void(noon)
		return 0
	case 1:
		h.Charge(noon)
		return amount
	}
	actual := r.Int64N(amount + 1)
	h.Settle(noon, actual)
	return actual
}

// Success, cancellation and the reaper all end the same hold at once; one of them does.
func TestOneEndWins(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	c := newCounter(t, &g, guard.Limit{Cap: 100})
	for range 50 {
		var h guard.Hold
		if r := hold(&g, &h, noon, c, 10); r != guard.Admitted {
			t.Fatal(r)
		}
		before := c.Snapshot(noon)
		var won atomic.Int64
		var spent atomic.Int64
		together(func(worker int) {
			ended, cost := false, int64(0)
			switch worker % 3 {
			case 0:
				ended, cost = h.Settle(noon, 0), 0
			case 1:
				ended, cost = h.Void(noon), 0
			case 2:
				ended, cost = h.Charge(noon), 10
			}
			if ended {
				won.Add(1)
				spent.Store(cost)
			}
		})
		after := c.Snapshot(noon)
		if won.Load() != 1 || after.Spent-before.Spent != spent.Load() || after.Held != 0 || after.Open != 0 {
			t.Fatalf("%d ends, %+v", won.Load(), after)
		}
		h.Reconcile(noon, 0)
	}
}

// Values come, are swept and come back while the day turns under the callers.
func TestGroupUnderChurn(t *testing.T) {
	t.Parallel()
	const limit, values, days = 30, 40, 20
	var g guard.Guard
	gr := newGroup(t, &g, guard.Limit{Cap: limit, Window: daily}, values)
	names := make([]string, 2*values)
	for i := range names {
		names[i] = string(rune('a'+i%26)) + string(rune('a'+i/26))
	}
	together(func(worker int) {
		r := rand.New(rand.NewPCG(2, uint64(worker)))
		for day := range days {
			now := noon.AddDate(0, 0, day)
			for range 10 {
				c, err := gr.Counter(now, names[(r.IntN(values)+day)%len(names)])
				if err != nil {
					continue
				}
				var h guard.Hold
				if hold(&g, &h, now, c, r.Int64N(limit)) == guard.Admitted && r.IntN(4) > 0 {
					h.Charge(now)
				}
				if s := c.Snapshot(now); s.Spent+s.Held > s.Cap {
					t.Errorf("over the cap: %+v", s)
				}
			}
		}
	})
	if n := gr.Len(); n > values {
		t.Errorf("%d counters, want at most %d", n, values)
	}
}
