// Package guardtest is what every guard has to pass, in process or over a store: the invariants of the protocol by which
// money is held, under random interleavings, clocks that step back, callers that die at any step, messages that are lost
// or come twice, and a sweeper that comes at any time.
//
// A guard takes part by a [Subject]; [Run] is the suite.
package guardtest

import (
	"flag"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/farebox-go/farebox/internal/guard"
)

// A Posting asks to hold an amount on one of the limits that a Subject was made with.
type Posting struct {
	Limit  int // index
	Amount int64
}

// A Subject is a guard over a few limits, and what its user does with the outcomes of attempts. An attempt is named by
// an id of the caller's choice. Every method but Extend is a message: it may come late, and more than once with the same
// content. Admit is called by several goroutines at once, the other methods by one.
type Subject interface {
	// Admit holds the amounts, or says why not. For an attempt that was admitted before, whatever became of it, it holds
	// nothing more and says Admitted: the answer to the first message was lost.
	Admit(now time.Time, id int, postings []Posting) guard.Reason
	// Extend holds more for an attempt that is under way, a figure for each posting, on all limits or on none; the whole of it
	// then belongs to the window of now. For one that has ended the answer is Invalid.
	Extend(now time.Time, id int, more []int64) guard.Reason
	// Settle says what the attempt cost, a figure for each posting.
	Settle(now time.Time, id int, actual []int64)
	// Unsent says that nothing of the attempt was written to the network: proof that it cost nothing.
	Unsent(now time.Time, id int)
	// Unknown says that nobody will learn what the attempt cost: cancelled, timed out, broken off.
	Unknown(now time.Time, id int)
	// Expire is what a sweeper does about an attempt that is taken to be abandoned, rightly or not.
	Expire(now time.Time, id int)
	// Reconcile says what the provider's own records have the attempt at.
	Reconcile(now time.Time, id int, actual []int64)
	// Sums is what a limit has spent and held.
	Sums(now time.Time, limit int) (spent, held int64)
}

// A Factory makes a Subject with nothing spent. Its limits never observe.
type Factory func(limits []guard.Limit) (Subject, error)

// Run checks a guard with as many cases as rapid is told to make (-rapid.checks, -rapid.steps), and prints the seed that
// makes the same ones again.
func Run(t *testing.T, make Factory) {
	seed := flag.Lookup("rapid.seed").Value
	if seed.String() == "0" {
		if err := seed.Set(strconv.FormatUint(rand.Uint64(), 10)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s cases, -rapid.seed=%s", flag.Lookup("rapid.checks").Value, seed)
	rapid.Check(t, func(t *rapid.T) { Interleavings(t, make) })
}

// InProcess is the guard of this module, used as it is meant to be: what is unknown stays charged.
func InProcess(limits []guard.Limit) (Subject, error) {
	s := &inProcess{holds: make(map[int]*guard.Hold)}
	for _, l := range limits {
		c, err := s.guard.NewCounter(l)
		if err != nil {
			return nil, err
		}
		s.counters = append(s.counters, c)
	}
	return s, nil
}

type inProcess struct {
	guard    guard.Guard
	counters []*guard.Counter
	mu       sync.Mutex
	holds    map[int]*guard.Hold
}

func (s *inProcess) hold(id int) *guard.Hold {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.holds[id]
	if h == nil {
		h = new(guard.Hold)
		s.holds[id] = h
	}
	return h
}

func (s *inProcess) Admit(now time.Time, id int, postings []Posting) guard.Reason {
	h := s.hold(id)
	if h.State() > guard.Open {
		return guard.Admitted // an ended hold could be taken again, which is not what is asked
	}
	asked := make([]guard.Posting, len(postings))
	for i, p := range postings {
		asked[i] = guard.Posting{Counter: s.counters[p.Limit], Amount: p.Amount}
	}
	d := s.guard.Hold(h, now, asked)
	if d.Reason == guard.Invalid && h.State() == guard.Open {
		return guard.Admitted // the guard saw that it stands for something already
	}
	return d.Reason
}

func (s *inProcess) Extend(now time.Time, id int, more []int64) guard.Reason {
	return s.hold(id).Extend(now, more...).Reason
}

func (s *inProcess) Settle(now time.Time, id int, actual []int64) { s.hold(id).Settle(now, actual...) }

func (s *inProcess) Unsent(now time.Time, id int) { s.hold(id).Void(now) }

func (s *inProcess) Unknown(now time.Time, id int) { s.hold(id).Charge(now) }

func (s *inProcess) Expire(now time.Time, id int) { s.hold(id).Charge(now) }

func (s *inProcess) Reconcile(now time.Time, id int, actual []int64) {
	s.hold(id).Reconcile(now, actual...)
}

func (s *inProcess) Sums(now time.Time, limit int) (spent, held int64) {
	snapshot := s.counters[limit].Snapshot(now)
	return snapshot.Spent, snapshot.Held
}
