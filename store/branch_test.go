package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox/store"
	"github.com/farebox-go/farebox/store/storetest"
)

func newBranch(t testing.TB, name string, root, leaf store.Store) *store.Branch {
	t.Helper()
	b, err := store.NewBranch(name, root, leaf, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBranch(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		return newBranch(t, "branch", new(store.Memory), new(store.Memory))
	})
}

func TestNewBranch(t *testing.T) {
	m := new(store.Memory)
	for name, make := range map[string]func() (*store.Branch, error){
		"no name":  func() (*store.Branch, error) { return store.NewBranch("", m, m, nil) },
		"no root":  func() (*store.Branch, error) { return store.NewBranch("a", nil, m, nil) },
		"a branch": func() (*store.Branch, error) { return store.NewBranch("a", newBranch(t, "b", m, m), m, nil) },
		"no leaf":  func() (*store.Branch, error) { return store.NewBranch("a", m, nil, nil) },
	} {
		if b, err := make(); err == nil || b != nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func line(key string, limit, granted, need int64) store.Line {
	return store.Line{Account: store.Account{Key: key}, Cap: limit, Granted: granted, Need: need}
}

// TestBranchesAtOnce: processes of several branches, each with several goroutines, spend one cap, and caps of their own, to
// the end: never more, and all of it.
func TestBranchesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, branchesAtOnce)
}

func branchesAtOnce(t *testing.T) {
	const branches, processes, limit = 3, 4, 1000
	root := new(store.Memory)
	var spent atomic.Int64
	var all sync.WaitGroup
	leaves := make([]*store.Memory, branches)
	for i := range branches {
		leaves[i] = new(store.Memory)
		for j := range processes {
			b, err := store.NewBranch(fmt.Sprint("branch ", i), root, leaves[i], func(key string) bool { return key == "total" })
			if err != nil {
				t.Fatal(err)
			}
			for k := range 2 {
				all.Go(func() { spent.Add(spendAll(t, b, fmt.Sprint("process ", j, " client ", k), limit)) })
			}
		}
	}
	all.Wait()
	if got := spent.Load(); got != limit {
		t.Errorf("%d of %d could be spent", got, limit)
	}
	balances, err := root.Balances(context.Background(), []store.Account{{Key: "total"}})
	if err != nil || balances[0].Used != limit {
		t.Errorf("the root counts %+v, %v", balances, err)
	}
}

// spendAll spends until there is nothing left, even after others had time to give back what they hold.
func spendAll(t *testing.T, b *store.Branch, client string, limit int64) (spent int64) {
	var granted, own int64
	for refusals := 0; refusals < 50; {
		total, tenant := line("total", limit, granted, 1), line(client, limit, own, 1)
		total.Want = 5
		reply, err := b.Sync(context.Background(), client, []store.Line{total, tenant})
		if err != nil {
			t.Error(err)
			return spent
		}
		granted, own = reply.Lines[0].Granted, reply.Lines[1].Granted
		if reply.Refused >= 0 {
			refusals++
			time.Sleep(100 * time.Millisecond)
			continue
		}
		spent = granted
	}
	return spent
}

// TestBranchFiguresReachCallers: a refusal names the line that the root refused, with what all branches have, and the other
// branch is told to give back.
func TestBranchFiguresReachCallers(t *testing.T) {
	t.Parallel()
	root := new(store.Memory)
	one, other := newBranch(t, "one", root, new(store.Memory)), newBranch(t, "other", root, new(store.Memory))
	sync := func(b *store.Branch, lines ...store.Line) store.Reply {
		reply, err := b.Sync(context.Background(), "process", lines)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	if reply := sync(one, line("total", 100, 0, 80)); reply.Refused >= 0 {
		t.Fatalf("refused: %+v", reply)
	}
	reply := sync(other, line("team", 1000, 0, 30), line("total", 100, 0, 30))
	if reply.Refused != 1 || reply.Lines[1].Used < 80 || reply.Lines[1].Used > 100 || reply.Lines[1].Clients != 1 || reply.Lines[0].Granted != 0 {
		t.Errorf("refused with %+v", reply)
	}
	time.Sleep(1100 * time.Millisecond) // the first branch's turn to ask how things stand
	if reply := sync(one, line("total", 100, 80, 0)); !reply.Lines[0].Recall {
		t.Errorf("not recalled: %+v", reply)
	}
	given := line("total", 100, 80, 0)
	given.Returned = 50
	sync(one, given)
	if reply := sync(other, line("total", 100, 0, 70)); reply.Refused >= 0 {
		t.Errorf("what went back cannot be had: %+v", reply)
	}
}

// TestBranchRootAway: without the root a branch lends what it was allotted, and is refused only what it was not.
func TestBranchRootAway(t *testing.T) {
	t.Parallel()
	root := new(store.Memory)
	b := newBranch(t, "branch", root, new(store.Memory))
	first := line("total", 1000, 0, 1)
	first.Want = 100
	if _, err := b.Sync(context.Background(), "one", []store.Line{first}); err != nil {
		t.Fatal(err)
	}
	_ = root.Close()
	if reply, err := b.Sync(context.Background(), "two", []store.Line{line("total", 1000, 0, 20)}); err != nil || reply.Refused >= 0 {
		t.Errorf("what is at hand: %+v, %v", reply, err)
	}
	if _, err := b.Sync(context.Background(), "two", []store.Line{line("total", 1000, 20, 500)}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("what is not: %v", err)
	}
}

// TestBranchOverspentLate: what is overspent in a bucket of a rolling limit that has closed still counts at the root.
func TestBranchOverspentLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root := new(store.Memory)
		b := newBranch(t, "branch", root, new(store.Memory))
		bucket := func(at time.Time) store.Account {
			return store.Account{Key: "rolling", Window: store.Window{
				Start: at.UnixNano(), End: at.Add(time.Minute).UnixNano(), View: at.Add(-time.Minute).UnixNano(),
			}}
		}
		first := bucket(time.Now())
		sync := func(l store.Line) store.Reply {
			reply, err := b.Sync(context.Background(), "process", []store.Line{l})
			if err != nil {
				t.Fatal(err)
			}
			return reply
		}
		sync(store.Line{Account: first, Cap: 100, Need: 10})
		time.Sleep(time.Minute)
		second := bucket(time.Now())
		sync(store.Line{Account: second, Cap: 100, Need: 5})
		for range 2 {
			sync(store.Line{Account: first, Cap: 100, Granted: 10, Over: 70})
		}
		balances, err := root.Balances(context.Background(), []store.Account{second})
		if err != nil || balances[0].Used < 10+70+5 || balances[0].Used > 100 {
			t.Errorf("the root counts %+v, %v, want 85 and what it has allotted", balances, err)
		}
		if reply := sync(store.Line{Account: second, Cap: 100, Granted: 5, Need: 16}); reply.Refused != 0 {
			t.Errorf("granted beyond the cap: %+v", reply)
		}
	})
}

// TestBranchClocksDiffer: where the clocks of root and leaf turn a window one after the other, a caller that goes by what it
// is told is sent to the new window once, and then waits; clocks too far apart are an error that does not say to try again.
func TestBranchClocksDiffer(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-700 * time.Millisecond, 700 * time.Millisecond, -5 * time.Second, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			root := &store.Memory{Clock: func() time.Time { return time.Now().Add(skew) }}
			b := newBranch(t, "branch", root, new(store.Memory))
			hour := func(at time.Time) store.Account {
				start := at.Truncate(time.Hour)
				return store.Account{Key: "hour", Window: store.Window{
					Start: start.UnixNano(), End: start.Add(time.Hour).UnixNano(), View: start.UnixNano(),
				}}
			}
			now := time.Now().Truncate(time.Hour).Add(time.Hour - skew.Abs() - time.Millisecond)
			time.Sleep(time.Until(now))
			for i := range 40 {
				told, tries := time.Now(), 0
				for {
					tries++
					l := store.Line{Account: hour(told), Cap: 1 << 40, Need: 1 << 20}
					_, err := b.Sync(context.Background(), fmt.Sprint("client ", i), []store.Line{l})
					var wrong *store.WindowError
					if !errors.As(err, &wrong) {
						if err != nil && (skew.Abs() < 2*time.Second || !errors.Is(err, store.ErrUnavailable)) {
							t.Fatal(err)
						}
						break
					}
					if told = wrong.Now; tries > 2 {
						t.Fatalf("sent to and fro %d times with clocks %s apart", tries, skew)
					}
				}
				time.Sleep(skew.Abs() / 10)
			}
		})
	}
}
