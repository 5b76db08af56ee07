package guard_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
)

var noon = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)

func newGroup(t testing.TB, g *guard.Guard, l guard.Limit, size int) *guard.Group {
	t.Helper()
	gr, err := g.NewGroup(l, size)
	if err != nil {
		t.Fatal(err)
	}
	return gr
}

func member(t testing.TB, gr *guard.Group, now time.Time, value string) *guard.Counter {
	t.Helper()
	c, err := gr.Counter(now, value)
	if err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	return c
}

func hold(g *guard.Guard, h *guard.Hold, now time.Time, c *guard.Counter, amount int64) guard.Reason {
	d := g.Hold(h, now, []guard.Posting{{Counter: c, Amount: amount}})
	return d.Reason
}

func TestGroupKeepsEachValueByItself(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	gr := newGroup(t, &g, guard.Limit{Cap: 10, Window: guard.Window{Kind: guard.Day}}, 0)
	ann, bob := member(t, gr, noon, "ann"), member(t, gr, noon, "bob")
	var h [3]guard.Hold
	if r := hold(&g, &h[0], noon, ann, 10); r != guard.Admitted {
		t.Fatal(r)
	}
	if r := hold(&g, &h[1], noon, ann, 1); r != guard.Contended {
		t.Errorf("ann is full, yet %v", r)
	}
	if r := hold(&g, &h[2], noon, bob, 10); r != guard.Admitted {
		t.Errorf("bob has spent nothing, yet %v", r)
	}
	if member(t, gr, noon, "ann") != ann {
		t.Error("ann has two counters")
	}
	if c, ok := gr.Lookup("ann"); !ok || c != ann {
		t.Error("ann is not found")
	}
	if c, ok := gr.Lookup("cid"); ok || c != nil || gr.Len() != 2 {
		t.Error("looking up made a counter")
	}
}

func TestGroupDropsNothingInsideItsWindow(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	gr := newGroup(t, &g, guard.Limit{Cap: 10, Window: guard.Window{Kind: guard.Day}}, 2)
	ann := member(t, gr, noon, "ann")
	member(t, gr, noon, "bob")
	var open guard.Hold
	hold(&g, &open, noon, ann, 4)
	if _, err := gr.Counter(noon, "cid"); !errors.Is(err, guard.ErrFull) {
		t.Fatalf("third value of two: %v", err)
	}
	tomorrow := noon.Add(24 * time.Hour)
	cid := member(t, gr, tomorrow, "cid")
	if _, ok := gr.Lookup("ann"); !ok {
		t.Error("ann was dropped with a hold open")
	}
	if _, ok := gr.Lookup("bob"); ok || cid.Value() != "cid" {
		t.Error("bob, of yesterday, was not swept")
	}
	if _, err := gr.Counter(tomorrow, "dee"); !errors.Is(err, guard.ErrFull) {
		t.Errorf("third value of two: %v", err)
	}
}

// A counter that the caller kept must not become a second budget beside the one that took its place.
func TestGroupCounterThatWasSweptIsNoSecondBudget(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	gr := newGroup(t, &g, guard.Limit{Cap: 10, Window: guard.Window{Kind: guard.Day}}, 1)
	kept := member(t, gr, noon, "ann")
	tomorrow := noon.Add(24 * time.Hour)
	member(t, gr, tomorrow, "bob")
	overmorrow := tomorrow.Add(24 * time.Hour)
	fresh := member(t, gr, overmorrow, "ann")
	if fresh == kept {
		t.Fatal("ann was never swept; the test shows nothing")
	}
	var h [3]guard.Hold
	if r := hold(&g, &h[0], overmorrow, kept, 6); r != guard.Admitted {
		t.Fatal(r)
	}
	if r := hold(&g, &h[1], overmorrow, fresh, 6); r != guard.Contended {
		t.Errorf("spent twice the cap by way of a swept counter: %v", r)
	}
	d := g.Hold(&h[2], overmorrow, []guard.Posting{{Counter: kept, Amount: 1}, {Counter: fresh, Amount: 1}})
	if d.Reason != guard.Invalid || d.Posting != 1 {
		t.Errorf("one counter under two names: %v at %d", d.Reason, d.Posting)
	}
}

func TestGroupCounterThatWasSweptTakesItsPlaceAgain(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	gr := newGroup(t, &g, guard.Limit{Cap: 10, Window: guard.Window{Kind: guard.Day}}, 1)
	ann := member(t, gr, noon, "ann")
	tomorrow := noon.Add(24 * time.Hour)
	bob := member(t, gr, tomorrow, "bob")
	var h guard.Hold
	if r := hold(&g, &h, tomorrow, ann, 1); r != guard.Full {
		t.Errorf("no place for ann, yet %v", r)
	}
	if err := ann.SetCap(5); !errors.Is(err, guard.ErrFull) {
		t.Errorf("SetCap: %v", err)
	}
	if ann.Add(tomorrow, tomorrow, 1) {
		t.Error("booked on a counter without a place")
	}
	if s := ann.Snapshot(tomorrow); s.Spent != 0 || s.Cap != 10 {
		t.Errorf("%+v", s)
	}
	if err := gr.SetCap(7); err != nil {
		t.Fatal(err)
	}
	overmorrow := tomorrow.Add(24 * time.Hour)
	if r := hold(&g, &h, overmorrow, ann, 7); r != guard.Admitted {
		t.Errorf("ann's place is free, yet %v", r)
	}
	if c, ok := gr.Lookup("ann"); !ok || c != ann || gr.Len() != 1 {
		t.Error("ann is not back")
	}
	if r := hold(&g, new(guard.Hold), overmorrow, bob, 1); r != guard.Full {
		t.Errorf("bob was swept, yet %v", r)
	}
}

func TestGroupCapAndOwnCaps(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	gr := newGroup(t, &g, guard.Limit{Cap: 10, Window: guard.Window{Kind: guard.Day}}, 2)
	ann, bob := member(t, gr, noon, "ann"), member(t, gr, noon, "bob")
	if err := ann.TopUp(5); err != nil {
		t.Fatal(err)
	}
	if err := gr.SetCap(20); err != nil {
		t.Fatal(err)
	}
	if a, b := ann.Snapshot(noon).Cap, bob.Snapshot(noon).Cap; a != 15 || b != 20 {
		t.Errorf("caps are %d and %d, want ann's own 15 and the group's 20", a, b)
	}
	tomorrow := noon.Add(24 * time.Hour)
	if c := member(t, gr, tomorrow, "cid").Snapshot(tomorrow).Cap; c != 20 {
		t.Errorf("a new value has cap %d", c)
	}
	if s := ann.Snapshot(tomorrow); s.Cap != 15 {
		t.Errorf("ann's own cap was lost: %+v", s)
	}
	if _, ok := gr.Lookup("ann"); !ok {
		t.Error("a counter with a cap of its own was swept")
	}
	if err := gr.SetCap(-1); !errors.Is(err, guard.ErrAmount) {
		t.Errorf("negative cap: %v", err)
	}
}

func TestGroupOfTotalsIsNeverSwept(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	gr := newGroup(t, &g, guard.Limit{Cap: 10}, 1)
	member(t, gr, noon, "ann")
	if _, err := gr.Counter(noon.AddDate(50, 0, 0), "bob"); !errors.Is(err, guard.ErrFull) {
		t.Errorf("a prepaid account was forgotten: %v", err)
	}
}

func TestGroupOfPerCallLimits(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	gr := newGroup(t, &g, guard.Limit{Cap: 10, Window: guard.Window{Kind: guard.PerCall}}, 1)
	var h guard.Hold
	for i := range 100 {
		c := member(t, gr, noon, fmt.Sprint(i))
		if r := hold(&g, &h, noon, c, 10); r != guard.Admitted {
			t.Fatal(r)
		}
		h.Void(noon)
	}
	if err := gr.SetCap(9); err != nil {
		t.Fatal(err)
	}
	c, ok := gr.Lookup("anyone")
	if r := hold(&g, &h, noon, c, 10); !ok || r != guard.OverCall {
		t.Errorf("over the limit of a call: %v", r)
	}
}

// Counters of closed windows leave as others come, so that memory follows the values in use.
func TestGroupShrinks(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	gr := newGroup(t, &g, guard.Limit{Cap: 10, Window: guard.Window{Kind: guard.Day}}, 1000)
	for i := range 900 {
		member(t, gr, noon, fmt.Sprint("old ", i))
	}
	tomorrow := noon.Add(24 * time.Hour)
	for i := range 300 {
		member(t, gr, tomorrow, fmt.Sprint("new ", i))
	}
	if n := gr.Len(); n != 300 {
		t.Errorf("%d counters kept for 300 values in use", n)
	}
}

func TestNewGroupRefusesNonsense(t *testing.T) {
	t.Parallel()
	var g guard.Guard
	for _, tc := range []struct {
		limit guard.Limit
		size  int
		want  error
	}{
		{guard.Limit{Cap: -1}, 0, guard.ErrAmount},
		{guard.Limit{}, -1, guard.ErrAmount},
		{guard.Limit{Window: guard.Window{Kind: 77}}, 0, guard.ErrWindow},
	} {
		if gr, err := g.NewGroup(tc.limit, tc.size); gr != nil || !errors.Is(err, tc.want) {
			t.Errorf("%+v: %v, want %v", tc, err, tc.want)
		}
	}
}
