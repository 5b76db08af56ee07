package explore

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
	"github.com/farebox-go/farebox/internal/guard/guardtest"
)

// follower has a guard take the steps of the model, and compares its counters with the model's.
type follower struct {
	guard guardtest.Subject
	now   time.Time
	ids   [callers]int // of the attempts that the callers are at
	next  int
}

// move is a step of the model.
type move struct {
	step   string
	caller int
	to     state
}

// TestTheGuardFollowsTheModel walks through the model at random and has the guard take the same steps: what holds in every
// state of the model then holds of the guard, as far as the walks go.
func TestTheGuardFollowsTheModel(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	config := Config{Turns: true, Overruns: true, Restarts: 1}
	for range 3000 {
		f := newFollower(t)
		s := state{restarts: 1, callers: [callers]caller{{need: 1}, {need: 1}, {need: 1}}}
		var steps []string
		for range 40 {
			var moves []move
			config.steps(s, func(step string, caller int, to state) { moves = append(moves, move{step, caller, to}) })
			if len(moves) == 0 {
				break
			}
			m := moves[random.IntN(len(moves))]
			steps = append(steps, describe(m.step, m.caller))
			if wrong := f.take(&s, &m); wrong != "" {
				t.Fatalf("seed %d: %s after %s", seed, wrong, strings.Join(steps, "; "))
			}
			s = m.to
		}
	}
}

func newFollower(t *testing.T) *follower {
	t.Helper()
	daily := guard.Window{Kind: guard.Day}
	subject, err := guardtest.InProcess([]guard.Limit{{Cap: parentCap, Window: daily}, {Cap: childCap, Window: daily}})
	if err != nil {
		t.Fatal(err)
	}
	return &follower{guard: subject, now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), ids: [callers]int{0, 1, 2}, next: callers}
}

// take takes one step. It says what is not as it is in the model; empty: nothing.
func (f *follower) take(from *state, m *move) string {
	i := max(m.caller, 0)
	who, id := &from.callers[i], f.ids[i]
	postings := []guardtest.Posting{{Limit: 0, Amount: int64(who.need)}, {Limit: 1, Amount: int64(who.need)}}[:len(from.limits(i))]
	figures := func(amount uint8) []int64 {
		return []int64{int64(amount), int64(amount)}[:len(postings)]
	}
	switch m.step {
	case "is held for", "is held for, and the answer is lost", "is refused":
		if got, want := f.guard.Admit(f.now, id, postings), m.step != "is refused"; (got == guard.Admitted) != want {
			return fmt.Sprintf("the guard says %v", got)
		}
	case "its cost arrives":
		f.guard.Settle(f.now, id, figures(who.billed))
	case "its proof that nothing was sent arrives":
		f.guard.Unsent(f.now, id)
	case "its giving up arrives":
		f.guard.Unknown(f.now, id)
	case "is swept":
		f.guard.Expire(f.now, id)
	case "is reconciled":
		f.guard.Reconcile(f.now, id, figures(who.billed))
	case "begins anew":
		f.ids[i], f.next = f.next, f.next+1
	case "the window turns":
		f.now = f.now.Add(24 * time.Hour)
	}
	for limit, l := range [...]*sums{&m.to.parent, &m.to.child} {
		if spent, held := f.guard.Sums(f.now, limit); spent != int64(l.spent) || held != int64(l.held) {
			return fmt.Sprintf("limit %d has %d spent and %d held, in the model %d and %d,", limit, spent, held, l.spent, l.held)
		}
	}
	return ""
}
