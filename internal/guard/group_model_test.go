package guard_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/farebox-go/farebox/internal/guard"
	"github.com/farebox-go/farebox/internal/guard/reference"
)

// groupMachine drives a small group with more values than it may keep, through counters fresh and long kept.
type groupMachine struct {
	guard guard.Guard
	group *guard.Group
	size  int
	refs  map[string]*reference.Counter
	kept  map[string][]*guard.Counter // every counter that was ever handed out
	live  map[string]time.Time        // when a value was last seen in use
	holds []*guard.Hold
	ends  []*reference.Hold
	now   time.Time
}

var groupValues = []string{"ann", "bob", "cid", "dee", "eve", "fay"}

func newGroupMachine(t *rapid.T) *groupMachine {
	m := &groupMachine{
		size: rapid.IntRange(1, 4).Draw(t, "size"),
		refs: map[string]*reference.Counter{}, kept: map[string][]*guard.Counter{}, live: map[string]time.Time{},
		now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	limit := guard.Limit{Cap: 20, Window: rapid.SampledFrom([]guard.Window{
		{}, {Kind: guard.Hour}, {Kind: guard.Day}, {Kind: guard.Rolling, Length: time.Hour, Buckets: 3},
	}).Draw(t, "window")}
	var err error
	if m.group, err = m.guard.NewGroup(limit, m.size); err != nil {
		t.Fatal(err)
	}
	for _, v := range groupValues {
		m.refs[v] = &reference.Counter{Window: limit.Window, Cap: limit.Cap}
	}
	return m
}

func (m *groupMachine) tick(t *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{time.Minute, 20 * time.Minute, time.Hour, 2 * time.Hour, 24 * time.Hour}).Draw(t, "by")
	m.now = m.now.Add(d)
}

// counter finds a value's counter anew or takes one from long ago.
func (m *groupMachine) counter(t *rapid.T) (string, *guard.Counter) {
	value := rapid.SampledFrom(groupValues).Draw(t, "value")
	if old := m.kept[value]; len(old) > 0 && rapid.Bool().Draw(t, "old") {
		return value, rapid.SampledFrom(old).Draw(t, "which")
	}
	c, err := m.group.Counter(m.now, value)
	if err != nil {
		m.wantFull(t, value, err)
		t.Skip("full")
	}
	if c.Value() != value {
		t.Fatalf("the counter of %q is for %q", value, c.Value())
	}
	if len(m.kept[value]) == 0 || m.kept[value][len(m.kept[value])-1] != c {
		m.kept[value] = append(m.kept[value], c)
		m.live[value] = m.now
	}
	return value, c
}

// wantFull checks that a new value is turned away only where as many others as the group keeps are in use.
func (m *groupMachine) wantFull(t *rapid.T, value string, err error) {
	if !errors.Is(err, guard.ErrFull) {
		t.Fatal(err)
	}
	inUse := 0
	for v, ref := range m.refs {
		if v != value && (ref.Counts(m.live[v], m.now) && !m.live[v].IsZero() || m.touched(v)) {
			inUse++
		}
	}
	if inUse < m.size {
		t.Fatalf("%q turned away with %d of %d in use", value, inUse, m.size)
	}
}

// touched reports whether a value has a hold that is open, or has been in this window.
func (m *groupMachine) touched(value string) bool {
	for _, r := range m.refs[value].Records {
		if r.Open || m.refs[value].Counts(r.At, m.now) {
			return true
		}
	}
	return false
}

func (m *groupMachine) hold(t *rapid.T) {
	value, c := m.counter(t)
	amount := rapid.Int64Range(0, 12).Draw(t, "amount")
	want := reference.Decide(m.now, []reference.Posting{{Counter: m.refs[value], Amount: amount}})
	h := new(guard.Hold)
	got := m.guard.Hold(h, m.now, []guard.Posting{{Counter: c, Amount: amount}})
	if got.Reason == guard.Full {
		m.wantFull(t, value, guard.ErrFull)
		return
	}
	if got.Reason != want.Reason || got.Room != want.Room {
		t.Fatalf("%q: %v with room for %d, want %v with %d", value, got.Reason, got.Room, want.Reason, want.Room)
	}
	m.live[value] = m.now
	if got.Admitted() {
		m.holds = append(m.holds, h)
		m.ends = append(m.ends, reference.Take(m.now, []reference.Posting{{Counter: m.refs[value], Amount: amount}}))
	}
}

func (m *groupMachine) end(t *rapid.T) {
	if len(m.holds) == 0 {
		t.Skip("no hold yet")
	}
	i := rapid.IntRange(0, len(m.holds)-1).Draw(t, "hold")
	h, ref := m.holds[i], m.ends[i]
	for j, c := range ref.Counters {
		if ref.Records[j].Open {
			for v, r := range m.refs {
				if r == c {
					m.live[v] = m.now // an open hold kept the value in the group
				}
			}
		}
	}
	actual := figures(t, ref)
	if h.State() != guard.Open {
		h.Reconcile(m.now, actual...)
		ref.Reconcile(actual)
		return
	}
	h.Settle(m.now, actual...)
	ref.End(guard.Settled, actual)
}

// check compares every counter ever handed out with the reference: a value that was dropped has spent nothing in
// the window that is current, and one that has spent was not dropped.
func (m *groupMachine) check(t *rapid.T) {
	if n := m.group.Len(); n > m.size || n != len(m.group.Values()) {
		t.Fatalf("%d counters of %d kept, named %v", n, m.size, m.group.Values())
	}
	for value, counters := range m.kept {
		spent, held := m.refs[value].Sums(m.now)
		for _, c := range counters {
			if s := c.Snapshot(m.now); s.Spent != spent || s.Held != held || s.Open != m.refs[value].Open() {
				t.Fatalf("%q at %v: %+v, want spent %d, held %d, open %d", value, m.now, s, spent, held, m.refs[value].Open())
			}
		}
	}
}

func TestGroupModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newGroupMachine(t)
		t.Repeat(map[string]func(*rapid.T){
			"tick": m.tick, "hold": m.hold, "hold again": m.hold, "end": m.end, "": m.check,
		})
	})
}
