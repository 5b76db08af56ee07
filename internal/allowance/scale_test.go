package allowance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox/store"
)

// TestScale lets fleets of growing size spend one cap to its end, in simulated time, with the pools that processes have, and
// prints what it takes: messages to the store, what dead processes strand, and how much of the cap was really spent when calls
// were first refused. FAREBOX_LONG=1 makes it go up to 1,000 processes that make 100,000 calls a second together.
func TestScale(t *testing.T) {
	fleets := []int{10, 100}
	if os.Getenv("FAREBOX_LONG") != "" {
		fleets = append(fleets, 1_000)
	}
	t.Log("processes  calls/s    store calls/s  calls per store call  spent at first refusal  spent in all  stranded by deaths")
	for _, processes := range fleets {
		synctest.Test(t, func(t *testing.T) { newFleet(processes).run(t) })
	}
}

// fleet is processes that call a hundred times a second each; one call in a hundred thousand kills its process.
type fleet struct {
	processes    int
	limit        int64
	messages     atomic.Int64
	calls, spent atomic.Int64
	dead         atomic.Int64 // what processes had borrowed and not spent when they died
	firstRefusal atomic.Int64 // what had been spent by then
	store        store.Memory
}

const (
	simulated   = 20 * time.Second
	callsASec   = 100
	callHeld    = 100 // of which a call costs a half on the average
	callTime    = 300 * time.Millisecond
	callsADeath = 100_000 // calls, one of which kills its process
)

func newFleet(processes int) *fleet {
	calls := int64(processes) * callsASec * int64(simulated/time.Second)
	return &fleet{processes: processes, limit: calls * callHeld / 2 * 8 / 10} // four in five of what they would spend
}

func (f *fleet) Sync(ctx context.Context, client string, lines []store.Line) (store.Reply, error) {
	f.messages.Add(1)
	time.Sleep(time.Millisecond) // the way there and back
	return f.store.Sync(ctx, client, lines)
}

func (f *fleet) Correct(context.Context, string, []store.Correction) error { return nil }
func (f *fleet) Balances(ctx context.Context, accounts []store.Account) ([]store.Balance, error) {
	return f.store.Balances(ctx, accounts)
}
func (f *fleet) Close() error { return nil }

func (f *fleet) run(t *testing.T) {
	var all sync.WaitGroup
	start := time.Now()
	for i := range f.processes {
		all.Go(func() { f.process(fmt.Sprint("process ", i), start) })
	}
	all.Wait()
	gone := time.Since(start).Seconds()
	spent, used := f.spent.Load(), used(t, &f.store, "total")
	t.Logf("%9d  %9.0f  %13.0f  %20.1f  %20.2f %%  %10.2f %%  %16.2f %%", f.processes, float64(f.calls.Load())/simulated.Seconds(),
		float64(f.messages.Load())/gone, float64(f.calls.Load())/float64(f.messages.Load()),
		share(f.firstRefusal.Load(), f.limit), share(spent, f.limit), share(f.dead.Load(), f.limit))
	if spent > f.limit || used > f.limit || used < spent {
		t.Errorf("spent %d of %d, and the store counts %d", spent, f.limit, used)
	}
	if share(spent, f.limit) < 97 {
		t.Errorf("only %.2f %% of the cap could be spent", share(spent, f.limit))
	}
}

func share(part, whole int64) float64 { return 100 * float64(part) / float64(whole) }

// process calls until the time is over, in as many goroutines as it takes to have its calls in flight.
func (f *fleet) process(name string, start time.Time) {
	p := New(f, name)
	var all sync.WaitGroup
	var died atomic.Bool
	time.Sleep(rand.N(time.Second / callsASec))
	for time.Since(start) < simulated && !died.Load() {
		all.Go(func() {
			if rand.IntN(callsADeath) == 0 && died.CompareAndSwap(false, true) {
				return
			}
			f.call(p, &died)
		})
		time.Sleep(time.Second / callsASec)
	}
	all.Wait()
	if died.Load() {
		p.mu.Lock()
		for a := range p.accounts.all() {
			f.dead.Add(a.free.Load())
		}
		p.mu.Unlock()
		p.kill()
		return
	}
	_ = p.Close(context.Background())
}

func (f *fleet) call(p *Pool, died *atomic.Bool) {
	f.calls.Add(1)
	var h Hold
	err := p.Take(context.Background(), &h, []Posting{posting("total", f.limit, callHeld)})
	if err != nil {
		var refused *Refusal
		if errors.As(err, &refused) {
			f.firstRefusal.CompareAndSwap(0, f.spent.Load())
		}
		return
	}
	time.Sleep(callTime)
	actual := rand.Int64N(callHeld + 1)
	f.spent.Add(actual)
	if !died.Load() {
		h.End(actual)
	}
}
