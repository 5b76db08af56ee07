package simulation

import (
	"cmp"
	"container/heap"
	"math/rand/v2"
	"time"
)

// Prices of every simulated call, in nano-dollars: a fee that stands for the input, and a rate for each output token.
const (
	feeNanos   = 3_000_000 // $0.003
	tokenNanos = 15_000    // $15 per million
)

// Scenario is callers under one cap.
type Scenario struct {
	Name    string
	Callers int
	Cap     int64 // nano-dollars
	// OutputLimit is the output limit of every request, in tokens.
	OutputLimit int64
	// Share is how many runs of the others' one run of this scenario stands for: the largest take the longest.
	Share int
	// CrashPercent of the calls that are sent lose their answer, CancelPercent are left by their caller; the provider bills
	// both in full.
	CrashPercent, CancelPercent int
}

// Scenarios are those of the documentation: few and many callers, small and large caps.
func Scenarios() []Scenario {
	base := Scenario{Callers: 64, OutputLimit: 2048, CrashPercent: 1, CancelPercent: 5}
	named := func(name string, callers int, dollars int64, share int) Scenario {
		s := base
		s.Name, s.Callers, s.Cap, s.Share = name, callers, dollars*1_000_000_000, share
		return s
	}
	return []Scenario{named("64 callers, $1", 64, 1, 1), named("64 callers, $10", 64, 10, 5), named("512 callers, $100", 512, 100, 50)}
}

// Run is what came of one run.
type Run struct {
	Cap    int64
	Billed int64 // by the provider
	Books  int64 // what the guard says was spent
	// Sent is the number of calls that were sent, Refusals that of refusals, of which False would have fitted: what all
	// calls that were sent cost, those in flight included, and this one beside them, would not have passed the cap.
	Sent, Refusals, False int
	// Lost is the number of calls that were given up for good while more than a tenth of the cap was left.
	Lost int
	// Cut is the number of answers that ended early, because their output limit was lowered or their stream cut.
	Cut int
}

// call is one call of a caller.
type call struct {
	id      int
	caller  int
	length  int64 // how long its answer would be
	limit   int64 // on the output, as it was sent
	actual  int64 // what the provider bills
	expires time.Duration
	way     any // what a guard keeps of it
}

func (c *call) cost(limit int64) int64 { return feeNanos + min(c.length, limit)*tokenNanos }

// outcome is how a call ended for its caller.
type outcome int

const (
	answered  outcome = iota
	lost              // no answer came
	cancelled         // the caller went away
)

// A guarded is a guard with the calls that it watches. ask begins a call, with the most and the mean that it may cost; the
// engine is told by admitted or refused, then or later. end ends one that was admitted.
type guarded interface {
	ask(c *call)
	end(c *call, how outcome)
	// passes is called when simulated time has passed; guards with clocks of their own look at it.
	passes(now time.Duration)
	// figure brings the provider's own figure for a call that ended without one, some time later.
	figure(c *call)
	// books closes the guard and says what it believes was spent.
	books() (int64, error)
}

// A streaming guard watches answers as they come. pass gives it the next tokens of a call's stream, and says whether the
// stream goes on: it does not where the guard has cut it. A stream that is cut or cancelled is billed for what was sent.
type streaming interface {
	pass(c *call, tokens int64) (goesOn bool)
}

// chunkTokens is how many tokens of a stream come at a time.
const chunkTokens = 32

// How callers behave.
const (
	giveUpAfter = 6                // refusals in a row
	backOff     = time.Second      // after the first of them, and twice as long after each further one
	patience    = 30 * time.Second // of a caller that waits for room
	billAfter   = 5 * time.Second  // the provider's own figure can be had
)

// engine is simulated time and the callers in it.
type engine struct {
	Scenario
	random  *rand.Rand
	lengths Lengths
	guard   guarded
	now     time.Duration
	queue   events
	serial  int
	row     []int // refusals in a row, of each caller
	run     Run
	known   int64 // what all calls that were sent cost
}

// simulate makes one run. newGuard is told of the engine, which it calls back.
func (s Scenario) simulate(seed uint64, lengths Lengths, newGuard func(*engine) (guarded, error)) (Run, error) {
	e := &engine{Scenario: s, random: rand.New(rand.NewPCG(seed, 1)), lengths: lengths, row: make([]int, s.Callers)}
	var err error
	if e.guard, err = newGuard(e); err != nil {
		return Run{}, err
	}
	for caller := range s.Callers {
		e.at(time.Duration(e.random.Int64N(int64(time.Second))), func() { e.next(caller) })
	}
	for len(e.queue) > 0 {
		event := heap.Pop(&e.queue).(event)
		e.now = event.at
		e.guard.passes(e.now)
		event.do()
	}
	e.run.Cap, e.run.Billed = s.Cap, e.known
	e.run.Books, err = e.guard.books()
	return e.run, err
}

// next has a caller make another call.
func (e *engine) next(caller int) {
	e.serial++
	e.guard.ask(&call{id: e.serial, caller: caller, length: e.lengths.draw(e.random), limit: e.OutputLimit, expires: -1})
}

// refused has the caller of a refused call try again a little later, until it gives up.
func (e *engine) refused(c *call) {
	e.run.Refusals++
	if e.known+c.cost(e.OutputLimit) <= e.Cap {
		e.run.False++
	}
	if e.row[c.caller]++; e.row[c.caller] >= giveUpAfter {
		if e.known < e.Cap-e.Cap/10 {
			e.run.Lost++
		}
		return
	}
	again := *c
	again.way = nil
	e.at(backOff<<(e.row[c.caller]-1), func() { e.guard.ask(&again) })
}

// admitted sends a call: from here on the provider bills it, whatever becomes of the answer.
func (e *engine) admitted(c *call) {
	e.row[c.caller] = 0
	e.run.Sent++
	c.actual = c.cost(c.limit)
	e.known += c.actual
	if c.limit < min(c.length, e.OutputLimit) {
		e.run.Cut++
	}
	tokens := min(c.length, c.limit)
	how := answered
	switch chance := e.random.IntN(100); {
	case chance < e.CrashPercent:
		how = lost
	case chance < e.CrashPercent+e.CancelPercent:
		how = cancelled
	}
	reach := 1.0 // how much of the answer the caller waits for
	if how == cancelled {
		reach = e.random.Float64()
	}
	begins := 300*time.Millisecond + time.Duration(e.random.Int64N(int64(100*time.Millisecond)))
	if s, ok := e.guard.(streaming); ok {
		e.at(begins, func() { e.flow(c, s, 0, int64(float64(tokens)*reach), how) })
		return
	}
	lasts := time.Duration(float64(begins+time.Duration(tokens)*perToken) * reach)
	e.at(lasts, func() { e.ended(c, how) })
}

// perToken is how long a token takes to come.
const perToken = 20 * time.Millisecond

// flow passes a stream on, from the tokens that have come to where it ends.
func (e *engine) flow(c *call, s streaming, come, end int64, how outcome) {
	if come == end {
		if how == cancelled {
			e.amend(c, come)
		}
		e.ended(c, how)
		return
	}
	more := min(chunkTokens, end-come)
	e.at(time.Duration(more)*perToken, func() {
		if s.pass(c, more) {
			e.flow(c, s, come+more, end, how)
			return
		}
		e.run.Cut++
		e.amend(c, come+more)
		e.at(billAfter, func() { e.guard.figure(c) })
		e.next(c.caller)
	})
}

// amend has the provider bill a stream for what was sent of it.
func (e *engine) amend(c *call, tokens int64) {
	e.known -= c.actual
	c.actual = feeNanos + tokens*tokenNanos
	e.known += c.actual
}

// ended ends a call that was sent.
func (e *engine) ended(c *call, how outcome) {
	e.guard.end(c, how)
	if how != answered {
		e.at(billAfter, func() { e.guard.figure(c) })
	}
	e.next(c.caller)
}

// at has something done after a while.
func (e *engine) at(after time.Duration, do func()) {
	e.serial++
	heap.Push(&e.queue, event{at: e.now + after, order: e.serial, do: do})
}

// event is something that will be done.
type event struct {
	at    time.Duration
	order int
	do    func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].at, q[j].at), cmp.Compare(q[i].order, q[j].order)) < 0
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
