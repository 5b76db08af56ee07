package explore

import (
	"fmt"
	"math/bits"
	"strings"
)

// A Result is what came of visiting every state.
type Result struct {
	States int
	Broken string   // the invariant that broke; empty: none
	Trace  []string // the steps that lead there
}

// Run visits every state, breadth first, until all are seen, one breaks an invariant, or more than most have been seen,
// which is an error.
func (c Config) Run(most int) (Result, error) {
	first := state{restarts: uint8(min(max(c.Restarts, 0), 3))}
	for i := range first.callers {
		first.callers[i].need = 1
	}
	seen := newTable()
	seen.add(first.pack(), first.pack())
	level := []uint64{first.pack()}
	for len(level) > 0 {
		var following []uint64
		for _, word := range level {
			from := unpack(word)
			broken, at := "", uint64(0)
			c.steps(from, func(_ string, _ int, to state) {
				if broken != "" {
					return
				}
				packed := to.pack()
				if !seen.add(packed, word) {
					return
				}
				following = append(following, packed)
				broken, at = c.check(&from, &to), packed
			})
			if broken != "" {
				return Result{States: seen.used, Broken: broken, Trace: c.trace(seen, at)}, nil
			}
			if seen.used > most {
				return Result{States: seen.used}, fmt.Errorf("explore: more than %d states", most)
			}
		}
		level = following
	}
	return Result{States: seen.used}, nil
}

// check names the invariant that a state breaks.
func (c Config) check(from, to *state) string {
	for _, l := range [...]*sums{&to.parent, &to.child} {
		spent, held, billed := to.truth(l)
		before := &from.parent
		if l == &to.child {
			before = &from.child
		}
		switch {
		case l.held > before.held && l.spent+l.held > to.capOf(l):
			return "I1: admitted over the cap"
		case !c.Overruns && billed > to.capOf(l):
			return "I4: billed over the cap"
		case !c.Overruns && l.spent+l.held < billed, l.spent < spent:
			return "I5: the books say less than was billed"
		case l.spent != spent || l.held != held:
			return "I6: the counters are not the sum of the holds"
		}
	}
	for i := range to.callers {
		if who := &to.callers[i]; who.record == settled && who.booked != who.billed {
			return "I5: an overrun is not booked in full"
		}
	}
	return ""
}

// truth is what a limit's counter should say, and what was billed in its window.
func (s *state) truth(l *sums) (spent, held, billed uint8) {
	spent, billed = l.past, l.past
	for i := range s.callers {
		who := &s.callers[i]
		if who.window != s.window || who.record == absent && who.billed == 0 || l == &s.child && i == callers-1 {
			continue
		}
		billed += who.billed
		switch who.record {
		case absent:
		case open:
			held += who.need
		default:
			spent += who.booked
		}
	}
	return spent, held, billed
}

// trace is how a state was reached.
func (c Config) trace(seen *table, at uint64) []string {
	var names []string
	for {
		before := seen.from(at)
		if before == at {
			break
		}
		name := ""
		from := unpack(before)
		c.steps(from, func(step string, caller int, to state) {
			if to.pack() == at && name == "" {
				name = describe(step, caller)
			}
		})
		names = append([]string{name}, names...)
		at = before
	}
	return names
}

// describe says which caller a step is about.
func describe(step string, caller int) string {
	if caller < 0 {
		return step
	}
	return fmt.Sprintf("caller %d %s", caller+1, step)
}

// String is the result in a line or two.
func (r Result) String() string {
	if r.Broken == "" {
		return fmt.Sprintf("%d states, no invariant breaks", r.States)
	}
	return fmt.Sprintf("%s, after %d states: %s", r.Broken, r.States, strings.Join(r.Trace, "; "))
}

// table is a set of states, each with the one that it was first reached from. They are kept as complements, so that 0 can
// mark a free place: no state packs to all ones.
type table struct {
	keys, origins []uint64
	used          int
}

const firstSize = 1 << 16

func newTable() *table {
	return &table{keys: make([]uint64, firstSize), origins: make([]uint64, firstSize)}
}

func (t *table) slot(key uint64) int {
	mask := uint64(len(t.keys) - 1)
	at := hash(key) & mask
	for t.keys[at] != 0 && t.keys[at] != key {
		at = (at + 1) & mask
	}
	return int(at)
}

// add reports whether a state is new.
func (t *table) add(word, origin uint64) bool {
	key := ^word
	at := t.slot(key)
	if t.keys[at] != 0 {
		return false
	}
	t.keys[at], t.origins[at] = key, origin
	if t.used++; t.used*4 > len(t.keys)*3 {
		t.grow()
	}
	return true
}

func (t *table) from(word uint64) uint64 { return t.origins[t.slot(^word)] }

func (t *table) grow() {
	old := *t
	t.keys, t.origins = make([]uint64, 2*len(old.keys)), make([]uint64, 2*len(old.keys))
	for i, key := range old.keys {
		if key != 0 {
			at := t.slot(key)
			t.keys[at], t.origins[at] = key, old.origins[i]
		}
	}
}

// hash mixes a word.
func hash(x uint64) uint64 {
	high, low := bits.Mul64(x^0x9e3779b97f4a7c15, 0xd1342543de82ef95)
	return high ^ low
}
