package guard_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/farebox-go/farebox/internal/guard"
)

// What is likely stays under the cap, and the most that it can be under the cap with the tolerance.
func TestTolerance(t *testing.T) {
	for _, window := range []guard.Window{{}, daily, {Kind: guard.Rolling, Length: time.Hour, Buckets: 3}} {
		rapid.Check(t, func(t *rapid.T) {
			const limit = 1000
			tolerance := rapid.Int64Range(0, 1_000_000).Draw(t, "tolerance")
			ceiling := int64(limit + limit*tolerance/1_000_000)
			var g guard.Guard
			c, err := g.NewCounter(guard.Limit{Cap: limit, Window: window, Tolerance: tolerance})
			if err != nil {
				t.Fatal(err)
			}
			type open struct {
				h            *guard.Hold
				most, likely int64
			}
			var holds []open
			var spent, most, likely int64
			for range rapid.IntRange(1, 60).Draw(t, "steps") {
				if len(holds) > 0 && rapid.Bool().Draw(t, "settle") {
					i := rapid.IntRange(0, len(holds)-1).Draw(t, "which")
					o := holds[i]
					cost := rapid.Int64Range(0, o.most).Draw(t, "cost")
					o.h.Settle(noon, cost)
					spent, most, likely = spent+cost, most-o.most, likely-o.likely
					holds = append(holds[:i], holds[i+1:]...)
					continue
				}
				p := guard.Posting{Counter: c, Amount: rapid.Int64Range(1, 400).Draw(t, "most")}
				p.Likely = rapid.Int64Range(1, p.Amount).Draw(t, "likely")
				fits := spent+most+p.Amount <= ceiling && (tolerance == 0 || spent+likely+p.Likely <= limit)
				h := new(guard.Hold)
				d := g.Hold(h, noon, []guard.Posting{p})
				if d.Admitted() != fits {
					t.Fatalf("admitted %v with %d spent, %d at most and %d likely held, asked %+v, ceiling %d", d.Admitted(), spent, most, likely, p, ceiling)
				}
				if fits {
					holds = append(holds, open{h, p.Amount, p.Likely})
					most, likely = most+p.Amount, likely+p.Likely
				}
			}
		})
	}
}

func TestExtend(t *testing.T) {
	var g guard.Guard
	day, total := newCounter(t, &g, guard.Limit{Cap: 10, Window: daily}), newCounter(t, &g, guard.Limit{Cap: 12})
	var h guard.Hold
	if d := h.Extend(noon, 1); d.Reason != guard.Invalid {
		t.Errorf("a hold that stands for nothing was extended: %v", d.Reason)
	}
	g.Hold(&h, noon, []guard.Posting{{Counter: day, Amount: 4}, {Counter: total, Amount: 4}})
	if d := h.Extend(noon, 6); !d.Admitted() {
		t.Fatalf("to the brim: %v", d.Reason)
	}
	if d := h.Extend(noon, 1); d.Reason != guard.Exhausted && d.Reason != guard.Contended || d.Counter != day {
		t.Errorf("past the cap: %+v", d)
	}
	if s := total.Snapshot(noon); s.Held != 10 {
		t.Errorf("a refused extension left %d held on the counter that agreed", s.Held)
	}
	midnight := daily.End(noon)
	if d := h.Extend(midnight, 1); d.Reason != guard.Exhausted && d.Reason != guard.Contended {
		t.Errorf("in the next window only the extension was counted: %v", d.Reason)
	}
	if s := day.Snapshot(midnight); s.Held != 0 {
		t.Errorf("a refused extension moved %d into the new window", s.Held)
	}
	if d := h.Extend(midnight, 0); !d.Admitted() {
		t.Errorf("%v", d.Reason)
	}
	h.Settle(midnight, 7, 8)
	if s := day.Snapshot(midnight); s.Spent != 7 || s.Held != 0 || s.Open != 0 {
		t.Errorf("day: %+v", s)
	}
	if s := total.Snapshot(midnight); s.Spent != 8 || s.Held != 0 || s.Overruns != 0 {
		t.Errorf("total: %+v", s)
	}
	if d := h.Extend(midnight, 1); d.Reason != guard.Invalid {
		t.Errorf("a settled hold was extended: %v", d.Reason)
	}
}

func TestThresholdsAreToldOfOnceInAWindow(t *testing.T) {
	for name, window := range map[string]guard.Window{"daily": daily, "rolling": {Kind: guard.Rolling, Length: 24 * time.Hour, Buckets: 24}} {
		t.Run(name, func(t *testing.T) {
			var told []int
			g := guard.Guard{Notify: func(c guard.Crossing) { told = append(told, c.Percent) }}
			c := newCounter(t, &g, guard.Limit{Cap: 100, Window: window, Thresholds: []int{50, 80, 100}, Owner: "me"})
			spend := func(at time.Time, amount int64) { c.Add(at, at, amount) }
			spend(noon, 49)
			want(t, told)
			spend(noon, 1)
			spend(noon, 1)
			want(t, told, 50)
			spend(noon, 60) // past two at once: the highest is told of
			spend(noon, 60)
			want(t, told, 50, 100)
			spend(noon.Add(49*time.Hour), 85)
			want(t, told, 50, 100, 80)
		})
	}
}

// A rolling window whose spending moves about a threshold is not told of at every bucket.
func TestRollingThresholdsDoNotFlap(t *testing.T) {
	var told int
	g := guard.Guard{Notify: func(guard.Crossing) { told++ }}
	c := newCounter(t, &g, guard.Limit{Cap: 100, Window: guard.Window{Kind: guard.Rolling, Length: time.Hour, Buckets: 60}, Thresholds: []int{61}})
	for minute := range 600 {
		at := noon.Add(time.Duration(minute) * time.Minute)
		c.Add(at, at, int64(minute%2))
		if minute%2 == 1 {
			c.Add(at, at, 1)
		}
	}
	if told > 10 {
		t.Errorf("told %d times in 10 hours of a window of one", told)
	}
	if told < 5 {
		t.Errorf("told %d times in 10 hours although it was reached in each", told)
	}
}

func want(t *testing.T, got []int, percents ...int) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(percents) {
		t.Fatalf("told of %v, want %v", got, percents)
	}
}

// A million values of a tag are to be kept in 200 MB.
func TestMemoryOfACounter(t *testing.T) {
	const n = 100_000
	var g guard.Guard
	gr := newGroup(t, &g, guard.Limit{Cap: 1, Window: daily}, n)
	before := heap()
	for i := range n {
		member(t, gr, noon, fmt.Sprintf("user-%07d", i))
	}
	each := float64(heap()-before) / n
	t.Logf("%.0f bytes a counter", each)
	if each > 200 {
		t.Errorf("a counter takes %.0f bytes, want at most 200", each)
	}
	runtime.KeepAlive(gr)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestRebook: another figure for what was booked counts as if it had been the first, in the same window, and serves who waits.
func TestRebook(t *testing.T) {
	for _, window := range []guard.Window{{}, daily, {Kind: guard.Rolling, Length: time.Hour, Buckets: 3}} {
		rapid.Check(t, func(t *rapid.T) {
			var g guard.Guard
			limit := guard.Limit{Cap: 1000, Window: window}
			first, err := g.NewCounter(limit)
			if err != nil {
				t.Fatal(err)
			}
			right, err := g.NewCounter(limit)
			if err != nil {
				t.Fatal(err)
			}
			type figure struct {
				at            time.Time
				before, after int64
			}
			var figures []figure
			for range rapid.IntRange(1, 9).Draw(t, "figures") {
				ago := time.Duration(rapid.IntRange(0, 30*60).Draw(t, "seconds ago")) * time.Second
				f := figure{noon.Add(-ago), rapid.Int64Range(0, 500).Draw(t, "before"), rapid.Int64Range(0, 500).Draw(t, "after")}
				figures = append(figures, f)
				first.Add(noon, f.at, f.before)
			}
			later := noon.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "seconds later")) * time.Second)
			for _, f := range figures {
				if booked := first.Rebook(later, f.at, f.before, f.after); booked != right.Add(later, f.at, f.after) {
					t.Fatalf("rebooked: %v, and Add does otherwise", booked)
				}
			}
			if got, want := first.Snapshot(later).Spent, right.Snapshot(later).Spent; got != want {
				t.Fatalf("%d are spent after figures were replaced, %d where they were right at once", got, want)
			}
			if first.Rebook(later, noon, -1, 0) || first.Rebook(later, noon, 0, -1) {
				t.Fatal("took a negative figure")
			}
		})
	}
}
