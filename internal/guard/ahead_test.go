package guard_test

import (
	"testing"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
	"pgregory.net/rapid"
)

// TestAhead: a guard counts in the windows of the clock that it was told of, also where its callers' own clock was fast.
func TestAhead(t *testing.T) {
	for _, w := range []guard.Window{{Kind: guard.Hour}, {Kind: guard.Rolling, Length: time.Minute}} {
		var g guard.Guard
		c, err := g.NewCounter(guard.Limit{Cap: 10, Window: w})
		if err != nil {
			t.Fatal(err)
		}
		truth := time.Date(2026, 3, 1, 9, 58, 0, 0, time.UTC)
		fast := truth.Add(5 * time.Minute)
		var early, right guard.Hold
		holdAt := func(h *guard.Hold, now time.Time) time.Time {
			t.Helper()
			if d := g.Hold(h, now, []guard.Posting{{Counter: c, Amount: 4}}); !d.Admitted() {
				t.Fatalf("%+v: %v", w, d.Reason)
			}
			span, _ := h.Span(0)
			return time.Unix(0, span.Start)
		}
		if start := holdAt(&early, fast); !start.After(truth) {
			t.Fatalf("a window that started at %s", start)
		}
		g.SetAhead(-5 * time.Minute)
		if start := holdAt(&right, fast); start.After(truth) {
			t.Errorf("%+v: a hold at %s is in the window of %s", w, truth, start)
		}
		if s := c.Snapshot(fast); s.Held != 4 || s.Open != 2 {
			t.Errorf("%+v: %+v, want 4 held", w, s)
		}
		// The early hold ends once the window that it was taken in has come, and was forgotten.
		right.Settle(fast.Add(time.Second), 3)
		later := fast.Add(5 * time.Minute)
		var another guard.Hold
		holdAt(&another, later)
		early.Settle(later, 2)
		early.Reconcile(later, 1)
		if s := c.Snapshot(later); s.Held != 4 || s.Spent != 0 || s.Open != 1 {
			t.Errorf("%+v: %+v, want 4 held and nothing spent", w, s)
		}
	}
}

// TestAheadNeverNegative: whatever clock a guard is told of while holds are open, no sum is ever below zero, and a hold that
// was taken counts at once in the window of the clock.
func TestAheadNeverNegative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g guard.Guard
		var counters []*guard.Counter
		var postings []guard.Posting
		for _, w := range []guard.Window{{Kind: guard.Hour}, {Kind: guard.Rolling, Length: 10 * time.Minute, Buckets: 5}, {}} {
			c, err := g.NewCounter(guard.Limit{Cap: 1000, Window: w, Tolerance: rapid.SampledFrom([]int64{0, 1000}).Draw(t, "tolerance")})
			if err != nil {
				t.Fatal(err)
			}
			counters, postings = append(counters, c), append(postings, guard.Posting{Counter: c})
		}
		now, ahead := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), time.Duration(0)
		var open []*guard.Hold
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "seconds")) * time.Second)
			switch step := rapid.IntRange(0, 3).Draw(t, "step"); {
			case step == 0:
				ahead = time.Duration(rapid.IntRange(-120, 120).Draw(t, "minutes")) * time.Minute
				g.SetAhead(ahead)
			case step == 1 || len(open) == 0:
				h := new(guard.Hold)
				for i := range postings {
					postings[i].Amount = rapid.Int64Range(1, 200).Draw(t, "amount")
				}
				if d := g.Hold(h, now, postings); d.Admitted() {
					open = append(open, h)
					if s := counters[0].Snapshot(now); s.Held < postings[0].Amount {
						t.Fatalf("%+v after a hold of %d", s, postings[0].Amount)
					}
				}
			case step == 2:
				open[rapid.IntRange(0, len(open)-1).Draw(t, "which")].Extend(now, 1)
			default:
				i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
				open[i].Settle(now, rapid.Int64Range(0, 300).Draw(t, "actual"))
				open[i].Reconcile(now, rapid.Int64Range(0, 300).Draw(t, "corrected"))
				open = append(open[:i], open[i+1:]...)
			}
			for _, c := range counters {
				if s := c.Snapshot(now); s.Held < 0 || s.Spent < 0 || s.Start.After(now.Add(ahead)) && !s.Start.IsZero() {
					t.Fatalf("at %s, with the other clock %s ahead: %+v", now, ahead, s)
				}
			}
		}
		for _, h := range open {
			h.Void(now)
		}
		for _, c := range counters {
			if s := c.Snapshot(now); s.Held != 0 || s.Open != 0 {
				t.Fatalf("with nothing open: %+v", s)
			}
		}
	})
}
