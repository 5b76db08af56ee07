package guard_test

import (
	"testing"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
	"pgregory.net/rapid"
)

// TestThresholdsOfAllWhoShare: what other processes have spent counts for thresholds as if it were spent here, until the
// window turns, and for nothing else.
func TestThresholdsOfAllWhoShare(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var told []guard.Crossing
		g := &guard.Guard{Notify: func(c guard.Crossing) { told = append(told, c) }}
		w := rapid.SampledFrom([]guard.Window{{}, {Kind: guard.Hour}, {Kind: guard.Rolling, Length: time.Hour}}).Draw(t, "window")
		c, err := g.NewCounter(guard.Limit{Cap: 100, Window: w, Thresholds: []int{50, 100}})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 11, 26, 12, 10, 0, 0, time.UTC)
		var own, all int64
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "spends") {
				amount := rapid.Int64Range(1, 10).Draw(t, "amount")
				c.Add(now, now, amount)
				own, all = own+amount, all+amount
			} else {
				all = max(own, rapid.Int64Range(0, 130).Draw(t, "of all"))
				c.Hear(c.Snapshot(now).Span.Start, all)
				c.Hear(c.Snapshot(now).Span.Start+1, 1000) // another window's
			}
			if all >= 50 && len(told) == 0 || all >= 100 && told[len(told)-1].Percent != 100 {
				t.Fatalf("%d spent here and %d by all: told of %+v", own, all, told)
			}
			if s := c.Snapshot(now); s.Spent != own || s.Free != max(0, 100-own) {
				t.Fatalf("%d spent here and %d by all: %+v", own, all, s)
			}
		}
		for i, crossing := range told {
			if i > 0 && crossing.Percent <= told[i-1].Percent || crossing.Spent < int64(crossing.Percent) {
				t.Fatalf("told of %+v", told)
			}
		}
		if w.Kind == guard.None {
			return
		}
		told, now = nil, now.Add(3*time.Hour)
		c.Add(now, now, 49)
		if len(told) != 0 {
			t.Fatalf("what others had spent counts in the next window: %+v", told)
		}
	})
}
