package guard_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/farebox-go/farebox/internal/guard"
)

// waiting is a hold in the queue.
type waiting struct {
	guard.Waiter
	hold guard.Hold
}

func enqueue(t testing.TB, g *guard.Guard, now time.Time, postings ...guard.Posting) *waiting {
	t.Helper()
	w := &waiting{}
	if d, queued := g.Queue(&w.Waiter, &w.hold, now, postings); !queued {
		t.Fatalf("not queued: %v", d.Reason)
	}
	return w
}

func (w *waiting) isReady() bool {
	select {
	case <-w.Ready():
		return true
	default:
		return false
	}
}

func (w *waiting) admitted() bool { return w.hold.State() == guard.Open }

func TestWaitersComeInTurn(t *testing.T) {
	var g guard.Guard
	c := newCounter(t, &g, guard.Limit{Cap: 10})
	var first guard.Hold
	hold(&g, &first, noon, c, 10)
	large := enqueue(t, &g, noon, guard.Posting{Counter: c, Amount: 8})
	small := enqueue(t, &g, noon, guard.Posting{Counter: c, Amount: 1})
	first.Settle(noon, 1)
	if !large.admitted() || !small.isReady() || !small.admitted() {
		t.Fatalf("after the settle: large %v, small %v", large.hold.State(), small.hold.State())
	}
	if s := c.Snapshot(noon); s.Held != 9 || s.Spent != 1 || s.Waiting != 0 || s.Refusals != 0 {
		t.Errorf("%+v", s)
	}
}

// Small calls that keep coming must not keep a large one waiting for ever.
func TestALargeWaiterIsNotStarved(t *testing.T) {
	var g guard.Guard
	c, other := newCounter(t, &g, guard.Limit{Cap: 10}), newCounter(t, &g, guard.Limit{Cap: 10})
	var a, b guard.Hold
	hold(&g, &a, noon, c, 5)
	hold(&g, &b, noon, c, 4)
	large := enqueue(t, &g, noon, guard.Posting{Counter: c, Amount: 9}, guard.Posting{Counter: other, Amount: 1})
	a.Void(noon)
	var late guard.Hold
	if reason := hold(&g, &late, noon, c, 1); reason != guard.Contended {
		t.Fatalf("a newcomer went before the waiter: %v", reason)
	}
	later := enqueue(t, &g, noon, guard.Posting{Counter: other, Amount: 1})
	if later.admitted() {
		t.Error("a later waiter took room on a counter that an earlier one waits with")
	}
	if d := b.Extend(noon, 1); !d.Admitted() {
		t.Errorf("a call in flight had to queue: %v", d.Reason)
	}
	b.Settle(noon, 1)
	if !large.admitted() || !later.admitted() {
		t.Errorf("large %v, later %v", large.hold.State(), later.hold.State())
	}
}

// One that waits for tomorrow takes nothing from those who fit today.
func TestAWaiterForTheNextWindowLetsOthersPass(t *testing.T) {
	var g guard.Guard
	day, total := newCounter(t, &g, guard.Limit{Cap: 10, Window: daily}), newCounter(t, &g, guard.Limit{Cap: 100})
	var h guard.Hold
	hold(&g, &h, noon, day, 8)
	h.Settle(noon, 8)
	w := enqueue(t, &g, noon, guard.Posting{Counter: day, Amount: 5}, guard.Posting{Counter: total, Amount: 5})
	if reason := hold(&g, &h, noon, day, 2); reason != guard.Admitted {
		t.Fatalf("what fits today was refused: %v", reason)
	}
	h.Settle(noon, 2)
	reset := g.Decision(&w.Waiter).ResetAt
	g.Serve(reset.Add(-1))
	if w.admitted() {
		t.Fatal("admitted a nanosecond before the window turned")
	}
	if hold(&g, &h, reset, day, 6); !w.admitted() || h.State() != guard.Unheld {
		t.Errorf("at the turn the newcomer went first: waiter %v, newcomer %v", w.hold.State(), h.State())
	}
}

func TestWhatWaitingCannotHelpIsNotQueued(t *testing.T) {
	var g guard.Guard
	total, day := newCounter(t, &g, guard.Limit{Cap: 10}), newCounter(t, &g, guard.Limit{Cap: 10, Window: daily})
	total.Add(noon, noon, 6)
	for name, p := range map[string]guard.Posting{
		"an exhausted total": {Counter: total, Amount: 5},
		"more than the cap":  {Counter: day, Amount: 11},
	} {
		var w waiting
		if _, queued := g.Queue(&w.Waiter, &w.hold, noon, []guard.Posting{p}); queued {
			t.Errorf("%s: queued", name)
		}
	}
	w := enqueue(t, &g, noon, guard.Posting{Counter: total, Amount: 4}, guard.Posting{Counter: filled(t, &g), Amount: 1})
	total.Add(noon, noon, 1)
	g.Serve(noon)
	if !w.isReady() || w.admitted() {
		t.Error("a waiter that nothing can help any more was not told")
	}
	if d := g.Leave(&w.Waiter, noon); d.Reason != guard.Exhausted {
		t.Errorf("left with %v", d.Reason)
	}
}

func filled(t testing.TB, g *guard.Guard) *guard.Counter {
	c := newCounter(t, g, guard.Limit{Cap: 1, Window: daily})
	hold(g, new(guard.Hold), noon, c, 1)
	return c
}

func TestLeavingMakesWay(t *testing.T) {
	var g guard.Guard
	c := newCounter(t, &g, guard.Limit{Cap: 10})
	var h guard.Hold
	hold(&g, &h, noon, c, 5)
	large := enqueue(t, &g, noon, guard.Posting{Counter: c, Amount: 9})
	small := enqueue(t, &g, noon, guard.Posting{Counter: c, Amount: 5})
	if d := g.Leave(&large.Waiter, noon); d.Reason != guard.Contended || large.admitted() {
		t.Errorf("left with %v", d.Reason)
	}
	if !small.admitted() {
		t.Error("the one behind did not move up")
	}
	if s := c.Snapshot(noon); s.Refusals != 1 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
	if err := c.SetCap(20); err != nil {
		t.Fatal(err)
	}
	w := enqueue(t, &g, noon, guard.Posting{Counter: c, Amount: 15})
	if err := c.TopUp(10); err != nil {
		t.Fatal(err)
	}
	if !w.admitted() {
		t.Error("a raised cap did not let the waiter go on")
	}
}

// Whatever comes, goes and waits: the cap holds, and once all holds have ended nobody who fits is left waiting.
func TestQueueModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g guard.Guard
		caps := []int64{20, 30}
		var counters []*guard.Counter
		for _, limit := range caps {
			c, err := g.NewCounter(guard.Limit{Cap: limit, Window: daily})
			if err != nil {
				t.Fatal(err)
			}
			counters = append(counters, c)
		}
		now := noon
		var all []*waiting
		postings := func() (in []guard.Posting) {
			amount := rapid.Int64Range(1, 20).Draw(t, "amount")
			for i, c := range counters {
				if i == 0 || rapid.Bool().Draw(t, "both") {
					in = append(in, guard.Posting{Counter: c, Amount: amount})
				}
			}
			return in[rapid.IntRange(0, len(in)-1).Draw(t, "from"):]
		}
		check := func() {
			for i, c := range counters {
				if s := c.Snapshot(now); s.Spent+s.Held > caps[i] {
					t.Fatalf("%d spent and %d held of %d", s.Spent, s.Held, caps[i])
				}
			}
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"queue", "queue", "settle", "settle", "leave", "turn"}).Draw(t, "step") {
			case "queue":
				w := &waiting{}
				g.Queue(&w.Waiter, &w.hold, now, postings())
				all = append(all, w)
			case "settle":
				if len(all) > 0 {
					rapid.SampledFrom(all).Draw(t, "who").hold.Settle(now, rapid.Int64Range(0, 1).Draw(t, "cost"))
				}
			case "leave":
				if len(all) > 0 {
					g.Leave(&rapid.SampledFrom(all).Draw(t, "who").Waiter, now)
				}
			case "turn":
				now = now.Add(12 * time.Hour)
				g.Serve(now)
			}
			check()
		}
		for range len(all) + 1 {
			for _, w := range all {
				w.hold.Void(now)
			}
			now = now.Add(48 * time.Hour)
			g.Serve(now)
			check()
		}
		for i, c := range counters {
			if s := c.Snapshot(now); s.Waiting != 0 || s.Held != 0 {
				t.Fatalf("counter %d: %d still waiting, %d still held", i, s.Waiting, s.Held)
			}
		}
	})
}
