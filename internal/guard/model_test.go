package guard_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/farebox-go/farebox/internal/guard"
	"github.com/farebox-go/farebox/internal/guard/reference"
)

// machine drives a guard and the reference with the same calls and compares all that can be seen of them.
type machine struct {
	guard    guard.Guard
	counters []*guard.Counter
	refs     []*reference.Counter
	holds    []*guard.Hold
	refHolds []*reference.Hold

	now    time.Time // what the caller's clock shows; it may step back
	latest time.Time // what the guard's clock shows; it does not
}

func newMachine(t *rapid.T) *machine {
	havana := named(t, "America/Havana")[0]
	m := &machine{now: time.Date(2026, 3, 7, 22, 0, 0, 0, havana)}
	m.latest = m.now
	for _, l := range []guard.Limit{
		{Window: guard.Window{}},
		{Window: guard.Window{Kind: guard.PerCall}},
		{Window: guard.Window{Kind: guard.Rolling, Length: time.Hour, Buckets: 4}},
		{Window: guard.Window{Kind: guard.Rolling, Length: 10*time.Minute + 1, Buckets: 1}},
		{Window: guard.Window{Kind: guard.Hour}},
		{Window: guard.Window{Kind: guard.Day, Location: havana}},
		{Window: guard.Window{Kind: guard.Day}, Observe: true},
		{Window: guard.Window{Kind: guard.Week, Weekday: time.Monday}},
		{Window: guard.Window{Kind: guard.Month, Anchor: 31}},
	} {
		l.Cap = rapid.Int64Range(20, 60).Draw(t, "cap")
		c, err := m.guard.NewCounter(l)
		if err != nil {
			t.Fatal(err)
		}
		m.counters = append(m.counters, c)
		m.refs = append(m.refs, &reference.Counter{Window: l.Window, Cap: l.Cap, Observe: l.Observe})
	}
	return m
}

// tick moves the caller's clock: often to the edge of a window or a nanosecond beside it, sometimes back.
func (m *machine) tick(t *rapid.T) {
	switch rapid.SampledFrom([]string{"edge", "edge", "near", "far", "back"}).Draw(t, "tick") {
	case "edge":
		c := rapid.SampledFrom(m.refs).Draw(t, "whose edge")
		edge := c.Window.End(m.latest)
		if c.Window.Kind == guard.Rolling {
			width := c.Bucket()
			buckets := rapid.Int64Range(1, int64(c.Window.Buckets)+2).Draw(t, "buckets")
			edge = time.Unix(0, (m.latest.UnixNano()/width+buckets)*width)
		}
		if !edge.IsZero() {
			m.now = edge.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "beside")))
		}
	case "near":
		m.now = m.now.Add(time.Duration(rapid.Int64Range(0, int64(20*time.Minute)).Draw(t, "by")))
	case "far":
		m.now = m.now.Add(time.Duration(rapid.Int64Range(0, int64(40*24*time.Hour)).Draw(t, "by")))
	case "back":
		m.now = m.now.Add(-time.Duration(rapid.Int64Range(1, int64(30*time.Hour)).Draw(t, "by")))
	}
}

// read is the moment at which a call takes place, on the guard's clock.
func (m *machine) read() time.Time {
	if m.now.After(m.latest) {
		m.latest = m.now
	}
	return m.latest
}

// draw asks for something on a few counters, often for exactly what one of them has left or a little beside it.
func (m *machine) draw(t *rapid.T) (postings []guard.Posting, refs []reference.Posting) {
	now := m.read()
	order := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7, 8}).Draw(t, "order")
	amount := rapid.Int64Range(0, 25).Draw(t, "amount")
	if rapid.Bool().Draw(t, "to the brim") {
		amount = max(0, m.refs[order[0]].Room(now)+rapid.Int64Range(-1, 1).Draw(t, "beside"))
	}
	for i, k := range order[:rapid.SampledFrom([]int{1, 1, 2, 2, 3, 4, 9, 0}).Draw(t, "counters")] {
		asked := amount
		if i > 0 && rapid.Bool().Draw(t, "less") {
			asked /= 2
		}
		postings = append(postings, guard.Posting{Counter: m.counters[k], Amount: asked})
		refs = append(refs, reference.Posting{Counter: m.refs[k], Amount: asked})
	}
	return postings, refs
}

func (m *machine) hold(t *rapid.T) {
	postings, refs := m.draw(t)
	want := reference.Decide(m.read(), refs)
	m.compare(t, m.guard.Check(m.now, postings), postings, want)
	h := new(guard.Hold)
	got := m.guard.Hold(h, m.now, postings)
	m.compare(t, got, postings, want)
	set := want.Refused
	if want.Reason == guard.Admitted {
		set = want.Observed
	}
	for i, p := range refs {
		if set.Has(i) {
			p.Counter.Refusals++
		}
	}
	if !got.Admitted() {
		if h.Settle(m.now, 1) || h.Void(m.now) || h.Charge(m.now) || h.Reconcile(m.now, 1) || h.State() != guard.Unheld {
			t.Fatal("a hold that was refused could be ended")
		}
		return
	}
	m.holds, m.refHolds = append(m.holds, h), append(m.refHolds, reference.Take(m.latest, refs))
	m.wantUnderCaps(t, postings)
}

// wantUnderCaps is I1: straight after an admission nothing that enforces is over its cap.
func (m *machine) wantUnderCaps(t *rapid.T, postings []guard.Posting) {
	for _, p := range postings {
		if s := p.Counter.Snapshot(m.now); !s.Observe && s.Spent+s.Held > s.Cap {
			t.Fatalf("admitted over the cap: %+v", s)
		}
	}
}

func (m *machine) compare(t *rapid.T, got guard.Decision, postings []guard.Posting, want reference.Decision) {
	t.Helper()
	var counter *guard.Counter
	if want.Reason != guard.Admitted {
		counter = postings[want.Posting].Counter
	}
	same := got.Reason == want.Reason && got.Posting == want.Posting && got.Counter == counter &&
		got.Cap == want.Cap && got.Spent == want.Spent && got.Held == want.Held && got.Asked == want.Asked &&
		got.ResetAt.Equal(want.ResetAt) && got.Room == want.Room &&
		got.Refused == want.Refused && got.Observed == want.Observed
	if !same {
		t.Fatalf("decision\n%+v, want\n%+v", got, want)
	}
}

func (m *machine) pick(t *rapid.T) (*guard.Hold, *reference.Hold) {
	if len(m.holds) == 0 {
		t.Skip("no hold yet")
	}
	i := rapid.IntRange(max(0, len(m.holds)-12), len(m.holds)-1).Draw(t, "hold")
	return m.holds[i], m.refHolds[i]
}

// figures are what a call cost on each counter: mostly no more than was held.
func figures(t *rapid.T, h *reference.Hold) []int64 {
	over := rapid.IntRange(0, 9).Draw(t, "over") == 0
	actual := make([]int64, len(h.Records))
	for i, r := range h.Records {
		actual[i] = rapid.Int64Range(0, r.Held).Draw(t, "actual")
		if over {
			actual[i] += 30
		}
	}
	return actual
}

func (m *machine) end(t *rapid.T) {
	h, ref := m.pick(t)
	m.read()
	var got, want bool
	switch rapid.SampledFrom([]guard.State{guard.Settled, guard.Settled, guard.Voided, guard.Charged}).Draw(t, "how") {
	case guard.Settled:
		actual := figures(t, ref)
		got, want = h.Settle(m.now, actual...), ref.End(guard.Settled, actual)
	case guard.Voided:
		got, want = h.Void(m.now), ref.End(guard.Voided, nil)
	case guard.Charged:
		got, want = h.Charge(m.now), ref.End(guard.Charged, nil)
	}
	if got != want || h.State() != ref.State {
		t.Fatalf("ended: %v, now %v; want %v, %v", got, h.State(), want, ref.State)
	}
}

// nonsense settles at figures that cannot be right: the hold is charged.
func (m *machine) nonsense(t *rapid.T) {
	h, ref := m.pick(t)
	m.read()
	bad := []int64{-1}
	if rapid.Bool().Draw(t, "count") {
		bad = make([]int64, len(ref.Records)+2)
	}
	if h.Reconcile(m.now, bad...) {
		t.Fatal("reconciled with nonsense")
	}
	if got, want := h.Settle(m.now, bad...), ref.End(guard.Charged, nil); got != want || h.State() != ref.State {
		t.Fatalf("ended: %v, now %v; want %v, %v", got, h.State(), want, ref.State)
	}
}

func (m *machine) reconcile(t *rapid.T) {
	h, ref := m.pick(t)
	m.read()
	actual := figures(t, ref)
	if got, want := h.Reconcile(m.now, actual...), ref.Reconcile(actual); got != want || h.State() != ref.State {
		t.Fatalf("reconciled: %v, want %v; now %v", got, want, h.State())
	}
}

func (m *machine) configure(t *rapid.T) {
	i := rapid.IntRange(0, len(m.refs)-1).Draw(t, "counter")
	c, ref := m.counters[i], m.refs[i]
	var err error
	switch rapid.IntRange(0, 5).Draw(t, "what") {
	case 0, 1:
		ref.Cap = rapid.Int64Range(0, 100).Draw(t, "cap")
		err = c.SetCap(ref.Cap)
	case 2:
		by := rapid.Int64Range(0, 50).Draw(t, "top-up")
		ref.Cap += by
		err = c.TopUp(by)
	case 3:
		ref.Paused = !ref.Paused && rapid.IntRange(0, 3).Draw(t, "pause") == 0
		err = c.SetPaused(ref.Paused)
	case 4, 5:
		ref.Observe = rapid.IntRange(0, 3).Draw(t, "observe") == 0
		err = c.SetObserve(ref.Observe)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// add books spending without a hold, at a time in the past, the present or the future.
func (m *machine) add(t *rapid.T) {
	i := rapid.IntRange(0, len(m.refs)-1).Draw(t, "counter")
	ref := m.refs[i]
	now := m.read()
	ago := rapid.SampledFrom([]time.Duration{0, -time.Minute, -time.Hour, 1, 5 * time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "ago")
	at := now.Add(-ago)
	amount := rapid.Int64Range(-1, 20).Draw(t, "amount")
	got := m.counters[i].Add(m.now, at, amount)
	if at.After(now) {
		at = now
	}
	want := amount >= 0 && ref.Counts(at, now)
	if got != want {
		t.Fatalf("added: %v, want %v", got, want)
	}
	if want {
		ref.Records = append(ref.Records, &reference.Record{At: at, Booked: amount})
	}
}

// check compares every counter with the reference.
func (m *machine) check(t *rapid.T) {
	now := m.read()
	for i, ref := range m.refs {
		got := m.counters[i].Snapshot(m.now)
		want := guard.Snapshot{
			Cap: ref.Cap, Free: ref.Room(now), Open: ref.Open(), Refusals: ref.Refusals, Overruns: ref.Overruns,
			Observe: ref.Observe, Paused: ref.Paused, Start: got.Start, ResetAt: got.ResetAt, Span: got.Span,
		}
		want.Spent, want.Held = ref.Sums(now)
		if got != want {
			t.Fatalf("counter %d (%+v) at %v:\n%+v, want\n%+v", i, ref.Window, now, got, want)
		}
		if start := ref.Window.Start(now); !got.Start.Equal(start) {
			t.Fatalf("counter %d counts from %v, want %v", i, got.Start, start)
		}
		paused := ref.Paused
		ref.Paused = false // pausing does not stop the window
		if reset := ref.Release(now); !got.ResetAt.Equal(reset) {
			t.Fatalf("counter %d turns at %v, want %v", i, got.ResetAt, reset)
		}
		ref.Paused = paused
	}
}

// TestModel is I1 (nothing admitted over a cap), I2 (all or nothing), I3 (one end, in any order and number), I6
// (nothing is lost or made), I7 (a hold changes only the window that it was taken in) and I10 (refusals are exact).
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		actions := map[string]func(*rapid.T){
			"tick": m.tick, "hold": m.hold, "hold more": m.hold, "hold yet more": m.hold, "end": m.end, "end again": m.end,
			"nonsense": m.nonsense, "reconcile": m.reconcile, "configure": m.configure, "add": m.add, "": m.check,
		}
		for range 4 { // a longer history than one repetition makes
			t.Repeat(actions)
		}
		m.quiesce(t)
	})
}

// quiesce ends every hold; then nothing is held or open anywhere, whatever came before.
func (m *machine) quiesce(t *rapid.T) {
	m.read()
	for i, h := range m.holds {
		h.Charge(m.now)
		m.refHolds[i].End(guard.Charged, nil)
	}
	m.check(t)
	for i, c := range m.counters {
		if s := c.Snapshot(m.now); s.Held != 0 || s.Open != 0 {
			t.Fatalf("counter %d still holds something: %+v", i, s)
		}
	}
}

// TestRollingNeverAdmitsMoreThanItsCap looks at what a rolling window promises from outside: whatever was admitted
// in any interval of its length fits the cap.
func TestRollingNeverAdmitsMoreThanItsCap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const limit = 20
		w := guard.Window{
			Kind:    guard.Rolling,
			Length:  time.Duration(rapid.Int64Range(1, 200).Draw(t, "length")),
			Buckets: rapid.IntRange(1, 20).Draw(t, "buckets"),
		}
		var g guard.Guard
		c, err := g.NewCounter(guard.Limit{Cap: limit, Window: w})
		if err != nil {
			t.Fatal(err)
		}
		type admission struct{ at, amount int64 }
		var admitted []admission
		at := int64(1000)
		for range rapid.IntRange(1, 80).Draw(t, "calls") {
			at += rapid.Int64Range(0, int64(w.Length)/4+1).Draw(t, "later")
			amount := rapid.Int64Range(1, limit/2).Draw(t, "amount")
			var h guard.Hold
			d := g.Hold(&h, time.Unix(0, at), []guard.Posting{{Counter: c, Amount: amount}})
			if d.Admitted() {
				h.Charge(time.Unix(0, at))
				admitted = append(admitted, admission{at, amount})
			}
			var sum int64
			for _, a := range admitted {
				if a.at >= at-int64(w.Length) {
					sum += a.amount
				}
			}
			if sum > limit {
				t.Fatalf("%d admitted in the %d before %d", sum, w.Length, at)
			}
		}
	})
}
