package allowance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox/store"
)

// TestScale lets fleets of growing size spend under one global cap and caps of tenants, in simulated time, with the pools
// and branches that processes have, and prints what it takes: messages to the stores, what could be spent, what dead processes
// strand, and how many refusals were right. FAREBOX_LONG=1 makes it go up to 10,000 processes that make a million calls a
// second together, in ten minutes or so. What is called depends on a seed alone; how many messages that takes, by a hundredth
// or so, also on the order in which goroutines of a process run at one instant.
func TestScale(t *testing.T) {
	runs := []fleet{{processes: 10}, {processes: 100}, {processes: 100, branches: 4}, {processes: 100, branches: 4, day: true}}
	if os.Getenv("FAREBOX_LONG") != "" {
		runs = nil
		for _, day := range []bool{true, false} {
			for _, processes := range []int{10, 100, 1_000, 10_000} {
				runs = append(runs, fleet{processes: processes, day: day})
			}
			runs = append(runs, fleet{processes: 1_000, branches: 16, day: day}, fleet{processes: 10_000, branches: 64, day: day})
		}
	}
	t.Log(head)
	for i := range runs {
		synctest.Test(t, func(t *testing.T) { t.Log(runs[i].run(t)) })
	}
}

// TestScaleIsReproducible: what a fleet calls and spends depends on its seed alone.
func TestScaleIsReproducible(t *testing.T) {
	var fleets [2]fleet
	for i := range fleets {
		synctest.Test(t, func(t *testing.T) {
			fleets[i].processes, fleets[i].branches, fleets[i].day = 40, 2, true
			fleets[i].run(t)
		})
	}
	a, b := &fleets[0], &fleets[1]
	if a.calls.Load() != b.calls.Load() || a.billed.Load() != b.billed.Load() {
		t.Errorf("two runs of one seed: %d calls that cost %d, and %d that cost %d",
			a.calls.Load(), a.billed.Load(), b.calls.Load(), b.billed.Load())
	}
}

// fleet is processes that make a hundred calls a second each.
type fleet struct {
	processes, branches int
	day                 bool // the cap lasts for a day; else it is gone after four fifths of the time

	limit, tenantLimit     int64
	servers                []*server // the root, or the only one, and then the leaves
	warm                   [2]int64  // messages to the root and to leaves by the time that processes have begun
	warmCalls              int64
	calls, billed, held    atomic.Int64 // held: by calls under way
	stranded, firstRefusal atomic.Int64
	refused                atomic.Int64
	right, nearly          atomic.Int64 // refusals with less left anywhere than was needed, or than 1/1000 of the cap
}

const (
	seed         = 1
	simulated    = 8 * time.Second
	warmUp       = 3 * time.Second // until processes have met their tenants
	beat         = 100 * time.Millisecond
	callsABeat   = 10
	beatsACall   = 3   // how long a call takes
	callHeld     = 100 // of which a call costs a half on the average
	callsADeath  = 100_000
	tenantsEach  = 40 // that a process serves, each of them served by four
	tenantsApart = 10
	callsADay    = 86_400 * callsABeat * int64(time.Second/beat) // of a process
)

const head = "processes  branches  cap   calls/s    root msgs/s  leaf msgs/s (each)  calls a msg  at first refusal  spent    stranded  refusals with less left than needed, than 0.1 % of the cap"

// server is a store a millisecond away that counts its messages.
type server struct {
	store.Memory
	messages atomic.Int64
}

// wire is a process's way to a server. Its length differs a little from all others', so that no two messages come at once.
type wire struct {
	*server
	delay time.Duration
}

func (w wire) Sync(ctx context.Context, client string, lines []store.Line) (store.Reply, error) {
	w.messages.Add(1)
	time.Sleep(w.delay)
	return w.Memory.Sync(ctx, client, lines)
}

func (f *fleet) run(t *testing.T) string {
	callsEach := int64(simulated/beat) * callsABeat
	f.limit = int64(f.processes) * callsEach * callHeld / 2 * 8 / 10
	f.tenantLimit = callsADay / 4 * callHeld
	if f.day {
		f.limit = int64(f.processes) * callsADay * callHeld
	}
	for range 1 + f.branches {
		f.servers = append(f.servers, new(server))
	}
	var all sync.WaitGroup
	start := time.Now()
	for i := range f.processes {
		all.Go(func() { f.process(i, start) })
	}
	time.Sleep(warmUp)
	f.warm[0], f.warm[1] = f.messages()
	f.warmCalls = f.calls.Load()
	all.Wait()
	f.check(t)
	return f.row()
}

func (f *fleet) messages() (root, leaves int64) {
	for _, s := range f.servers[1:] {
		leaves += s.messages.Load()
	}
	return f.servers[0].messages.Load(), leaves
}

// check: no more is billed than the cap, and no more than the store counts.
func (f *fleet) check(t *testing.T) {
	balances, err := f.servers[0].Balances(t.Context(), []store.Account{{Key: "global"}})
	if err != nil {
		t.Fatal(err)
	}
	billed := f.billed.Load()
	if billed > f.limit || billed > balances[0].Used || balances[0].Used > f.limit {
		t.Errorf("billed %d of %d, and the store counts %d", billed, f.limit, balances[0].Used)
	}
	if !f.day && share(billed, f.limit) < 95 {
		t.Errorf("only %.2f %% of the cap could be spent", share(billed, f.limit))
	}
}

func share(part, whole int64) float64 { return 100 * float64(part) / float64(max(1, whole)) }

func (f *fleet) row() string {
	root, leaves := f.messages()
	root, leaves = root-f.warm[0], leaves-f.warm[1]
	calls, seconds := f.calls.Load()-f.warmCalls, (simulated - warmUp).Seconds()
	limit, perLeaf, first, right := "secs", 0.0, "-", "-"
	if f.day {
		limit = "day"
	}
	if f.branches > 0 {
		perLeaf = float64(leaves) / float64(f.branches) / seconds
	}
	if n := f.refused.Load(); n > 0 {
		first = fmt.Sprintf("%.1f %%", share(f.firstRefusal.Load(), f.limit))
		right = fmt.Sprintf("%5.1f %%  %5.1f %%", share(f.right.Load(), n), share(f.nearly.Load(), n))
	}
	spent := "-"
	if !f.day {
		spent = fmt.Sprintf("%.2f %%", share(f.billed.Load(), f.limit))
	}
	return strings.TrimRight(fmt.Sprintf("%9d  %8d  %-4s  %9.0f  %11.0f  %18.0f  %11.1f  %16s  %7s  %6.3f %%  %s",
		f.processes, f.branches, limit, float64(calls)/seconds, float64(root)/seconds, perLeaf,
		float64(calls)/float64(max(1, root+leaves)), first, spent, share(f.stranded.Load(), f.limit), right), " ")
}

// worker is one process of a fleet.
type worker struct {
	*fleet
	pool    *Pool
	random  *rand.Rand
	tenants []string
	open    [beatsACall][]*call // by the beat at which they end
	dead    bool
}

type call struct {
	hold   Hold
	actual int64
}

func (f *fleet) process(i int, start time.Time) {
	w := &worker{fleet: f, random: rand.New(rand.NewPCG(seed, uint64(i)))}
	w.pool = New(f.connect(i), fmt.Sprint("process ", i))
	w.tenants = f.tenantsOf(i)
	phase := time.Duration(w.random.Int64N(int64(beat)))
	for n := 0; n < int(simulated/beat) && !w.dead; n++ {
		// Never at a time at which something else of the process may fall due: which comes first must not be left to chance.
		time.Sleep(time.Until(start.Add(phase + time.Duration(n)*beat + time.Duration(w.random.IntN(1_000_000)))))
		w.end(n % beatsACall)
		for range callsABeat {
			w.call(n % beatsACall)
		}
	}
	if w.dead {
		w.die()
		return
	}
	for n := range w.open {
		w.end(n)
	}
	_ = w.pool.Close(context.Background())
}

// connect is a process's store: the only server, or a branch with its leaf.
func (f *fleet) connect(i int) store.Store {
	delay := time.Millisecond + time.Duration(i)*time.Nanosecond
	root := wire{f.servers[0], delay}
	if f.branches == 0 {
		return root
	}
	n := f.branchOf(i)
	b, err := store.NewBranch(fmt.Sprint("branch ", n), root, wire{f.servers[1+n], delay}, func(key string) bool { return key == "global" })
	if err != nil {
		panic(err)
	}
	return b
}

func (f *fleet) branchOf(i int) int { return i * f.branches / f.processes }

// tenantsOf are the tenants that a process serves: ten to a process, each of which three others serve as well, in its branch.
func (f *fleet) tenantsOf(i int) []string {
	branch, first, size := 0, 0, f.processes
	if f.branches > 0 {
		branch = f.branchOf(i)
		for first = i; first > 0 && f.branchOf(first-1) == branch; first-- {
		}
		for size = 1; first+size < f.processes && f.branchOf(first+size) == branch; size++ {
		}
	}
	tenants := make([]string, tenantsEach)
	for j := range tenants {
		tenants[j] = fmt.Sprintf("tenant %d of %d", ((i-first)*tenantsApart+j)%(size*tenantsApart), branch)
	}
	return tenants
}

// tenant picks one, by Zipf's law.
func (w *worker) tenant() string {
	const sum = 4.2785 // 1 + 1/2 + ... + 1/40
	x := w.random.Float64() * sum
	for i := range w.tenants {
		if x -= 1 / float64(i+1); x <= 0 {
			return w.tenants[i]
		}
	}
	return w.tenants[0]
}

func (w *worker) call(ends int) {
	if w.dead {
		return
	}
	w.calls.Add(1)
	c := &call{actual: w.random.Int64N(callHeld + 1)}
	w.dead = w.random.IntN(callsADeath) == 0
	err := w.pool.Take(context.Background(), &c.hold, []Posting{
		posting("global", w.limit, callHeld), posting(w.tenant(), w.tenantLimit, callHeld),
	})
	var refused *Refusal
	switch {
	case err == nil:
		w.held.Add(callHeld)
		w.open[ends] = append(w.open[ends], c)
	case errors.As(err, &refused) && refused.Posting == 0:
		w.firstRefusal.CompareAndSwap(0, w.billed.Load())
		w.refused.Add(1)
		left := w.limit - w.billed.Load() - w.held.Load() - w.stranded.Load()
		if left < callHeld {
			w.right.Add(1)
		}
		if left < max(callHeld, w.limit/1000) {
			w.nearly.Add(1)
		}
	}
}

func (w *worker) end(n int) {
	for i := range w.open[n] {
		c := w.open[n][i]
		w.held.Add(-callHeld)
		w.billed.Add(c.actual)
		c.hold.End(c.actual)
	}
	w.open[n] = w.open[n][:0]
}

// die leaves what was borrowed and not spent where nobody can have it. Calls under way are billed.
func (w *worker) die() {
	for _, calls := range w.open {
		for _, c := range calls {
			w.held.Add(-callHeld)
			w.billed.Add(c.actual)
			w.stranded.Add(callHeld - c.actual)
		}
	}
	w.pool.mu.Lock()
	for a := range w.pool.accounts.all() {
		if a.Key == "global" {
			w.stranded.Add(a.free.Load())
		}
	}
	w.pool.mu.Unlock()
	w.pool.kill()
}
