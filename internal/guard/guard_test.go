package guard_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
)

func newCounter(t testing.TB, g *guard.Guard, l guard.Limit) *guard.Counter {
	t.Helper()
	c, err := g.NewCounter(l)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var daily = guard.Window{Kind: guard.Day}

func TestLifeOfAHold(t *testing.T) {
	t.Parallel()
	for i, tc := range []struct {
		name        string
		end         func(*guard.Hold, time.Time) bool
		state       guard.State
		spent, left int64
		overruns    int64
	}{
		{"settled", func(h *guard.Hold, now time.Time) bool { return h.Settle(now, 3) }, guard.Settled, 3, 7, 0},
		{"settled over the hold", func(h *guard.Hold, now time.Time) bool { return h.Settle(now, 13) }, guard.Settled, 13, 0, 1},
		{"voided", (*guard.Hold).Void, guard.Voided, 0, 10, 0},
		{"charged", (*guard.Hold).Charge, guard.Charged, 6, 4, 0},
		{"settled below nothing", func(h *guard.Hold, now time.Time) bool { return h.Settle(now, -1) }, guard.Charged, 6, 4, 0},
		{"settled at too many figures", func(h *guard.Hold, now time.Time) bool { return h.Settle(now, 1, 1) }, guard.Charged, 6, 4, 0},
		{"settled at none", func(h *guard.Hold, now time.Time) bool { return h.Settle(now) }, guard.Charged, 6, 4, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var g guard.Guard
			c := newCounter(t, &g, guard.Limit{Cap: 10, Window: daily})
			var h guard.Hold
			if r := hold(&g, &h, noon, c, 6); r != guard.Admitted || h.State() != guard.Open {
				t.Fatal(r, h.State())
			}
			if i%2 == 0 && (!h.Dispatch() || h.Dispatch() || h.State() != guard.Dispatched) {
				t.Fatal("dispatched:", h.State())
			}
			if !tc.end(&h, noon) || h.State() != tc.state {
				t.Errorf("ended in state %v, want %v", h.State(), tc.state)
			}
			if h.Settle(noon, 1) || h.Void(noon) || h.Charge(noon) || h.Dispatch() || h.State() != tc.state {
				t.Error("ended twice")
			}
			s := c.Snapshot(noon)
			if s.Spent != tc.spent || s.Held != 0 || s.Free != tc.left || s.Open != 0 || s.Overruns != tc.overruns {
				t.Errorf("%+v", s)
			}
		})
	}
}

// After an overrun nothing more is admitted, not even what is free, until the counter has drained below its cap.
func TestOverrunCloses(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	c := newCounter(t, &g, guard.Limit{Cap: 10, Window: daily})
	var h, next guard.Hold
	hold(&g, &h, noon, c, 6)
	h.Settle(noon, 13)
	if r := hold(&g, &next, noon, c, 0); r != guard.Exhausted {
		t.Errorf("open after an overrun: %v", r)
	}
	h.Reconcile(noon, 9)
	if r := hold(&g, &next, noon, c, 1); r != guard.Admitted {
		t.Errorf("closed at 9 of 10: %v", r)
	}
	if r := hold(&g, new(guard.Hold), noon.Add(12*time.Hour), c, 10); r != guard.Admitted {
		t.Errorf("closed in a new window: %v", r)
	}
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	c := newCounter(t, &g, guard.Limit{Cap: 10, Window: daily})
	var h guard.Hold
	if h.Reconcile(noon, 1) {
		t.Error("reconciled a hold that was never taken")
	}
	hold(&g, &h, noon, c, 6)
	if h.Reconcile(noon, 1) {
		t.Error("reconciled an open hold")
	}
	h.Charge(noon)
	for _, step := range []struct{ actual, spent, overruns int64 }{{2, 2, 0}, {2, 2, 0}, {8, 8, 1}, {9, 9, 1}, {0, 0, 1}, {7, 7, 2}} {
		ok := h.Reconcile(noon, step.actual)
		if s := c.Snapshot(noon); !ok || s.Spent != step.spent || s.Overruns != step.overruns {
			t.Errorf("at %d: %v, %+v", step.actual, ok, s)
		}
	}
	tomorrow := noon.Add(24 * time.Hour)
	if !h.Reconcile(tomorrow, 1) {
		t.Error("a later figure was not taken")
	}
	if s := c.Snapshot(tomorrow); s.Spent != 0 || s.Free != 10 {
		t.Errorf("yesterday's call changed today: %+v", s)
	}
}

// A hold that outlives its window neither frees nor costs anything in the next one.
func TestHoldOutlivesItsWindow(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	c := newCounter(t, &g, guard.Limit{Cap: 10, Window: daily})
	var old, young guard.Hold
	hold(&g, &old, noon, c, 8)
	tomorrow := noon.Add(24 * time.Hour)
	hold(&g, &young, tomorrow, c, 10)
	old.Void(tomorrow)
	if s := c.Snapshot(tomorrow); s.Held != 10 || s.Spent != 0 || s.Open != 1 {
		t.Errorf("after the old hold: %+v", s)
	}
	if r := hold(&g, new(guard.Hold), tomorrow, c, 1); r != guard.Contended {
		t.Errorf("a refund of yesterday was spent today: %v", r)
	}
}

// What is spent counts to the last nanosecond of its window and not for one more.
func TestEdgesOfWindows(t *testing.T) {
	t.Parallel()
	for _, w := range []guard.Window{
		{Kind: guard.Hour}, daily, {Kind: guard.Week}, {Kind: guard.Month}, {Kind: guard.Rolling, Length: time.Hour, Buckets: 7},
	} {
		var g guard.Guard
		c := newCounter(t, &g, guard.Limit{Cap: 10, Window: w})
		c.Add(noon, noon, 10)
		end := w.End(noon)
		d := g.Hold(new(guard.Hold), end.Add(-1), []guard.Posting{{Counter: c, Amount: 1}})
		if d.Reason != guard.Exhausted || !d.ResetAt.Equal(end) || d.Spent != 10 {
			t.Errorf("%+v: just before %v: %+v", w, end, d)
		}
		if r := hold(&g, new(guard.Hold), end, c, 10); r != guard.Admitted {
			t.Errorf("%+v: at %v: %v", w, end, r)
		}
	}
}

func TestClockThatStepsBackReopensNothing(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	c := newCounter(t, &g, guard.Limit{Cap: 10, Window: daily})
	late := newCounter(t, &g, guard.Limit{Cap: 10, Window: daily})
	tomorrow := noon.Add(24 * time.Hour)
	if c.Add(noon, noon, 10); !c.Add(tomorrow, tomorrow, 10) {
		t.Fatal("nothing booked")
	}
	if r := hold(&g, new(guard.Hold), noon, c, 1); r != guard.Exhausted {
		t.Errorf("yesterday was opened again: %v", r)
	}
	if s := late.Snapshot(noon); !s.Start.Equal(daily.Start(tomorrow)) {
		t.Errorf("a counter first used after the step is in %v", s.Start)
	}
}

func TestAllOrNothing(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	var postings []guard.Posting
	for i := range guard.MaxPostings {
		c := newCounter(t, &g, guard.Limit{Cap: int64(100 - i), Window: daily})
		postings = append(postings, guard.Posting{Counter: c, Amount: 90})
	}
	var h guard.Hold
	d := g.Hold(&h, noon, postings)
	if d.Reason != guard.Exhausted || d.Refused != 0b1111_1000_0000_0000 || d.Room != 85 || !d.Refused.Has(15) || d.Refused.Has(16) {
		t.Errorf("%+v", d)
	}
	for i, p := range postings {
		if s := p.Counter.Snapshot(noon); s.Held != 0 || s.Spent != 0 || s.Open != 0 {
			t.Errorf("counter %d kept a part of what was refused: %+v", i, s)
		}
	}
	for i := range postings {
		postings[i].Amount = d.Room
	}
	if d := g.Hold(&h, noon, postings); !d.Admitted() {
		t.Errorf("what the refusal said would fit did not: %+v", d)
	}
}

func TestTheMostLastingRefusalIsReported(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	fill := func(w guard.Window, spent int64) *guard.Counter {
		c := newCounter(t, &g, guard.Limit{Cap: 10, Window: w})
		c.Add(noon, noon, spent)
		return c
	}
	hourly, day, total := fill(guard.Window{Kind: guard.Hour}, 10), fill(daily, 10), fill(guard.Window{}, 10)
	contended, perCall := fill(guard.Window{}, 0), fill(guard.Window{Kind: guard.PerCall}, 0)
	hold(&g, new(guard.Hold), noon, contended, 10)
	paused := fill(daily, 0)
	if err := paused.SetPaused(true); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name     string
		counters []*guard.Counter
		amount   int64
		want     guard.Reason
		posting  int
		resetAt  time.Time
	}{
		{"exhausted lasts longer than contended", []*guard.Counter{contended, hourly}, 1, guard.Exhausted, 1, noon.Add(time.Hour)},
		{"the later reset", []*guard.Counter{hourly, day}, 1, guard.Exhausted, 1, noon.Add(12 * time.Hour)},
		{"the later reset comes first", []*guard.Counter{day, hourly}, 1, guard.Exhausted, 0, noon.Add(12 * time.Hour)},
		{"never is later still", []*guard.Counter{day, total, hourly}, 1, guard.Exhausted, 1, time.Time{}},
		{"too much for a call", []*guard.Counter{total, perCall}, 11, guard.OverCall, 1, time.Time{}},
		{"paused", []*guard.Counter{perCall, paused, day}, 11, guard.Paused, 1, time.Time{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var postings []guard.Posting
			for _, c := range tc.counters {
				postings = append(postings, guard.Posting{Counter: c, Amount: tc.amount})
			}
			d := g.Check(noon, postings)
			if d.Reason != tc.want || d.Posting != tc.posting || d.Counter != tc.counters[tc.posting] || !d.ResetAt.Equal(tc.resetAt) {
				t.Errorf("%v by %d until %v", d.Reason, d.Posting, d.ResetAt)
			}
		})
	}
}

func TestPostingsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	var g, other guard.Guard
	c := newCounter(t, &g, guard.Limit{Cap: 10})
	foreign := newCounter(t, &other, guard.Limit{Cap: 10})
	one := guard.Posting{Counter: c, Amount: 1}
	for _, tc := range []struct {
		name     string
		postings []guard.Posting
		at       int
	}{
		{"negative", []guard.Posting{{Counter: c, Amount: -1}}, 0},
		{"least", []guard.Posting{{Counter: c, Amount: math.MinInt64}}, 0},
		{"no counter", []guard.Posting{one, {}}, 1},
		{"another guard's", []guard.Posting{one, {Counter: foreign}}, 1},
		{"twice", []guard.Posting{one, one}, 1},
		{"too many", make([]guard.Posting, guard.MaxPostings+1), guard.MaxPostings},
	} {
		var h guard.Hold
		if d := g.Hold(&h, noon, tc.postings); d.Reason != guard.Invalid || d.Posting != tc.at || h.State() != guard.Unheld {
			t.Errorf("%s: %v at %d", tc.name, d.Reason, d.Posting)
		}
	}
	var h guard.Hold
	if r := hold(&g, &h, noon, c, 4); r != guard.Admitted {
		t.Fatal(r)
	}
	if r := hold(&g, &h, noon, c, 4); r != guard.Invalid {
		t.Errorf("an open hold was taken again: %v", r)
	}
	if r := hold(&other, &h, noon, foreign, 4); r != guard.Invalid {
		t.Errorf("a hold was taken by a second guard: %v", r)
	}
	if s := c.Snapshot(noon); s.Held != 4 || s.Open != 1 || s.Refusals != 0 {
		t.Errorf("%+v", s)
	}
	if d := g.Hold(new(guard.Hold), noon, nil); !d.Admitted() || d.Room != math.MaxInt64 {
		t.Errorf("a call without budgets: %+v", d)
	}
}

func TestAmountsAtTheEndOfTheRange(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	c := newCounter(t, &g, guard.Limit{Cap: math.MaxInt64, Window: daily})
	watch := newCounter(t, &g, guard.Limit{Cap: 1, Window: guard.Window{Kind: guard.Rolling, Length: time.Hour}, Observe: true})
	both := func(amount int64) []guard.Posting {
		return []guard.Posting{{Counter: c, Amount: amount}, {Counter: watch, Amount: amount}}
	}
	var first, second guard.Hold
	if d := g.Hold(&first, noon, both(guard.MaxCap)); !d.Admitted() || !d.Observed.Has(1) {
		t.Fatalf("%+v", d)
	}
	if d := g.Hold(&second, noon, both(1)); d.Reason != guard.Contended || d.Room != 0 {
		t.Errorf("%+v", d)
	}
	first.Settle(noon, math.MaxInt64)
	if d := g.Hold(&second, noon, both(0)); d.Reason != guard.Exhausted {
		t.Errorf("a sum that no longer fits: %+v", d)
	}
	first.Reconcile(noon, 0)
	if d := g.Hold(&second, noon, both(0)); d.Reason != guard.Exhausted {
		t.Errorf("a sum that was cut off came loose: %+v", d)
	}
	tomorrow := noon.Add(24 * time.Hour)
	if d := g.Hold(&second, tomorrow, both(5)); !d.Admitted() || c.Snapshot(tomorrow).Held != 5 || watch.Snapshot(tomorrow).Held != 5 {
		t.Errorf("the next window: %+v", d)
	}
	if err := c.TopUp(math.MaxInt64); err != nil || c.Snapshot(tomorrow).Cap != guard.MaxCap {
		t.Errorf("top-up: %v", err)
	}
}

func TestTimesAtTheEndOfTheRange(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{{}, time.Unix(-1<<62, 0), time.Unix(1<<62, 0), time.Unix(0, math.MaxInt64), time.Unix(0, math.MinInt64)} {
		for _, w := range []guard.Window{
			{}, {Kind: guard.PerCall}, {Kind: guard.Rolling, Length: 10 * 365 * 24 * time.Hour, Buckets: 1}, {Kind: guard.Hour},
			daily, {Kind: guard.Week}, {Kind: guard.Month, Anchor: 31}, {Kind: guard.Rolling, Length: 1, Buckets: 4096},
		} {
			var g guard.Guard
			c := newCounter(t, &g, guard.Limit{Cap: 10, Window: w})
			var h guard.Hold
			if r := hold(&g, &h, at, c, 10); r != guard.Admitted {
				t.Fatalf("%+v at %v: %v", w, at, r)
			}
			if r := hold(&g, new(guard.Hold), at, c, 10); (r == guard.Contended) == (w.Kind == guard.PerCall) {
				t.Errorf("%+v at %v: %v", w, at, r)
			}
			h.Void(at)
			if s := c.Snapshot(at); s.Held != 0 {
				t.Errorf("%+v at %v: %+v", w, at, s)
			}
		}
	}
}

func TestSettingsRefuseNonsense(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	if _, err := g.NewCounter(guard.Limit{Cap: -1}); !errors.Is(err, guard.ErrAmount) {
		t.Error(err)
	}
	if _, err := g.NewCounter(guard.Limit{Window: guard.Window{Kind: guard.Rolling}}); !errors.Is(err, guard.ErrWindow) {
		t.Error(err)
	}
	c := newCounter(t, &g, guard.Limit{Cap: 10})
	if err := c.SetCap(-1); !errors.Is(err, guard.ErrAmount) {
		t.Error(err)
	}
	if err := c.TopUp(-1); !errors.Is(err, guard.ErrAmount) {
		t.Error(err)
	}
	if s := c.Snapshot(noon); s.Cap != 10 || c.Value() != "" {
		t.Errorf("%+v", s)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for r, want := range map[guard.Reason]string{
		guard.Admitted: "admitted", guard.Contended: "contended", guard.Exhausted: "exhausted", guard.OverCall: "per_call",
		guard.Paused: "paused", guard.Full: "full", guard.Invalid: "invalid", guard.Invalid + 1: "unknown",
	} {
		if r.String() != want {
			t.Errorf("%d is %q, want %q", r, r, want)
		}
	}
	for s, want := range map[guard.State]string{
		guard.Unheld: "unheld", guard.Open: "open", guard.Dispatched: "dispatched", guard.Settled: "settled", guard.Voided: "voided",
		guard.Charged: "charged", guard.Charged + 1: "unknown",
	} {
		if s.String() != want {
			t.Errorf("%d is %q, want %q", s, s, want)
		}
	}
}
