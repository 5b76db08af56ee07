package guard_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
)

// fourWindows is what a busy service has: a day and a month for all, a day for the team, a prepaid total.
func fourWindows(t testing.TB, g *guard.Guard, limit int64) []guard.Posting {
	var postings []guard.Posting
	for _, w := range []guard.Window{daily, {Kind: guard.Month}, daily, {}} {
		postings = append(postings, guard.Posting{Counter: newCounter(t, g, guard.Limit{Cap: limit, Window: w}), Amount: 100})
	}
	return postings
}

func TestAllocations(t *testing.T) {
	var g guard.Guard
	var h guard.Hold
	plenty, nothing := fourWindows(t, &g, guard.MaxCap), fourWindows(t, &g, 0)
	rolling := []guard.Posting{{Counter: newCounter(t, &g, guard.Limit{Cap: guard.MaxCap, Window: guard.Window{Kind: guard.Rolling, Length: time.Hour}}), Amount: 100}}
	gr := newGroup(t, &g, guard.Limit{Cap: 1, Window: daily}, 0)
	member(t, gr, noon, "ann")
	now := noon
	for name, f := range map[string]func(){
		"hold and settle":            func() { g.Hold(&h, now, plenty); h.Settle(now, 60) },
		"hold and settle for each":   func() { g.Hold(&h, now, plenty); h.Settle(now, 60, 61, 62, 63) },
		"hold and void":              func() { g.Hold(&h, now, plenty); h.Void(now) },
		"hold, charge and reconcile": func() { g.Hold(&h, now, plenty); h.Charge(now); h.Reconcile(now, 3) },
		"a refusal":                  func() { g.Hold(&h, now, nothing) },
		"a check":                    func() { g.Check(now, plenty) },
		"a new window each time":     func() { now = now.Add(time.Hour); g.Hold(&h, now, plenty); h.Settle(now, 60) },
		"a rolling window":           func() { now = now.Add(time.Minute); g.Hold(&h, now, rolling); h.Settle(now, 60) },
		"a snapshot":                 func() { plenty[0].Counter.Snapshot(now) },
		"a member of a group":        func() { member(t, gr, now, "ann") },
	} {
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkHoldSettle(b *testing.B) {
	for _, n := range []int{1, 4, guard.MaxPostings} {
		b.Run(fmt.Sprintf("limits=%d", n), func(b *testing.B) {
			var g guard.Guard
			var postings []guard.Posting
			for len(postings) < n {
				postings = append(postings, fourWindows(b, &g, guard.MaxCap)...)
			}
			postings = postings[:n]
			var h guard.Hold
			b.ReportAllocs()
			for b.Loop() {
				g.Hold(&h, noon, postings)
				h.Settle(noon, 60)
			}
		})
	}
}

func BenchmarkHoldSettleParallel(b *testing.B) {
	for _, n := range []int{1, 64} {
		for name, clock := range map[string]func() time.Time{"none": func() time.Time { return noon }, "real": time.Now} {
			b.Run(fmt.Sprintf("goroutines=%dxP/clock=%s", n, name), func(b *testing.B) {
				var g guard.Guard
				postings := fourWindows(b, &g, guard.MaxCap)
				b.SetParallelism(n)
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					var h guard.Hold
					for pb.Next() {
						g.Hold(&h, clock(), postings)
						h.Settle(clock(), 60)
					}
				})
			})
		}
	}
}

func BenchmarkRolling(b *testing.B) {
	var g guard.Guard
	c := newCounter(b, &g, guard.Limit{Cap: guard.MaxCap, Window: guard.Window{Kind: guard.Rolling, Length: time.Hour}})
	var h guard.Hold
	now := noon
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		hold(&g, &h, now, c, 100)
		h.Settle(now, 60)
	}
}

func BenchmarkRefusal(b *testing.B) {
	var g guard.Guard
	postings := fourWindows(b, &g, 0)
	var h guard.Hold
	b.ReportAllocs()
	for b.Loop() {
		g.Hold(&h, noon, postings)
	}
}

func BenchmarkGroupCounter(b *testing.B) {
	var g guard.Guard
	gr := newGroup(b, &g, guard.Limit{Cap: 1, Window: daily}, 0)
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprint("user-", i)
		member(b, gr, noon, names[i])
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		member(b, gr, noon, names[i%len(names)])
		i++
	}
}

func BenchmarkWindowTurn(b *testing.B) {
	havana := named(b, "America/Havana")[0]
	w := guard.Window{Kind: guard.Day, Location: havana}
	now := noon
	b.ReportAllocs()
	for b.Loop() {
		now = w.End(now)
	}
}

// BenchmarkHoldSettleTimed reads the clock for both steps, as a call does: what bench/cmd/guard sets beside others.
func BenchmarkHoldSettleTimed(b *testing.B) {
	var g guard.Guard
	postings := fourWindows(b, &g, guard.MaxCap)
	var h guard.Hold
	b.ReportAllocs()
	for b.Loop() {
		g.Hold(&h, time.Now(), postings)
		h.Settle(time.Now(), 60)
	}
}
