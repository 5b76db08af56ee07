package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestBranchModel runs processes of several branches against servers that lose messages and answers, and take messages
// twice, with processes that die at any message, calls that cost more than was held, later figures, and windows that turn.
// Ghost figures keep what was billed. However it goes, what is billed is at most the cap and what calls cost beyond what was
// held for them, and the root counts no less than what is billed; and in the end all that is left can be had by one branch.
func TestBranchModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := newForest(t)
		t.Repeat(map[string]func(*rapid.T){
			"ask":       f.ask,
			"spend":     f.spend,
			"overspend": f.overspend,
			"drain":     f.drain,
			"give back": f.giveBack,
			"repeat":    f.repeat,
			"listen":    f.listen,
			"turn":      f.turn,
			"correct":   f.correct,
			"":          f.check,
		})
		f.quiet = true
		f.allCanBeHad(t)
	})
}

const (
	sharedCap, rollingCap, ownCap = 24, 16, 12
	bucketTime                    = 10 * time.Second
)

// forest is a root and its branches.
type forest struct {
	now       time.Time
	root      Memory
	leaves    []*Memory
	processes []*process // two of each branch
	all       []*process // with those that died
	born      int
	accounts  map[Account]bool  // shared ones that were ever used
	billed    map[Account]int64 // on shared ones
	over      map[Account]int64 // of that, beyond all that was held
	fixes     int
	quiet     bool // no faults any more
}

func newForest(t *rapid.T) *forest {
	f := &forest{now: time.Unix(1_000_000, 0), accounts: map[Account]bool{}, billed: map[Account]int64{}, over: map[Account]int64{}}
	f.root.Clock = func() time.Time { return f.now }
	for range rapid.IntRange(1, 3).Draw(t, "branches") {
		f.leaves = append(f.leaves, &Memory{Clock: f.root.Clock})
		f.processes = append(f.processes, nil, nil)
	}
	return f
}

// process is a client of a branch, with what it knows of itself.
type process struct {
	f       *forest
	branch  int
	name    string
	store   *Branch
	t       *rapid.T
	fuse    int // messages until it dies; negative: it does not
	dead    bool
	granted map[Account]int64
	back    map[Account]int64
	over    map[Account]int64 // as it tells the store
	excess  map[Account]int64 // of that, not given back
	spent   map[Account]int64
	last    []Line
}

// line carries messages to a server, and loses some.
type line struct {
	Store
	p *process
}

var errLine = fmt.Errorf("the line is cut: %w", ErrUnavailable)

func (l *line) Sync(ctx context.Context, client string, lines []Line) (Reply, error) {
	p := l.p
	if p.fuse == 0 {
		p.dead = true
	}
	p.fuse--
	if p.dead {
		return Reply{}, errLine
	}
	fault := 0
	if !p.f.quiet {
		fault = rapid.IntRange(0, 11).Draw(p.t, "fault")
	}
	switch fault {
	case 9:
		return Reply{}, errLine
	case 10: // twice
		if reply, err := l.Store.Sync(ctx, client, lines); err != nil {
			return reply, err
		}
	}
	reply, err := l.Store.Sync(ctx, client, lines)
	if fault == 11 {
		return Reply{}, errLine
	}
	return reply, err
}

func (f *forest) pick(t *rapid.T) *process {
	i := rapid.IntRange(0, len(f.processes)-1).Draw(t, "process")
	p := f.processes[i]
	if p == nil || p.dead {
		p = f.start(i / 2)
		if rapid.Bool().Draw(t, "listens") {
			p.store.pollEvery = 0
		}
		f.processes[i] = p
	}
	p.t, p.fuse = t, -1
	if rapid.IntRange(0, 9).Draw(t, "luck") == 0 {
		p.fuse = rapid.IntRange(0, 4).Draw(t, "fuse")
	}
	return p
}

func (f *forest) start(branch int) *process {
	f.born++
	p := &process{
		f: f, branch: branch, name: fmt.Sprint("process ", f.born), fuse: -1,
		granted: map[Account]int64{}, back: map[Account]int64{}, over: map[Account]int64{}, excess: map[Account]int64{}, spent: map[Account]int64{},
	}
	shared := func(key string) bool { return key != "own" }
	p.store, _ = NewBranch(fmt.Sprint("branch ", branch), &line{&f.root, p}, &line{f.leaves[branch], p}, shared)
	p.store.pollEvery = time.Hour
	f.all = append(f.all, p)
	return p
}

func (p *process) free(a Account) int64 { return p.granted[a] - p.back[a] + p.over[a] - p.spent[a] }

func (p *process) line(a Account, limit int64) Line {
	return Line{Account: a, Cap: limit, Granted: p.granted[a], Returned: p.back[a], Over: p.over[a]}
}

// send sends a message, once; what it brings counts only where the answer arrives.
func (p *process) send(lines ...Line) (refused int, err error) {
	p.last = lines
	reply, err := p.store.Sync(context.Background(), p.name, lines)
	if p.dead {
		return -1, errLine
	}
	if err != nil {
		return -1, err
	}
	for i, l := range lines {
		if l.Key != "own" {
			p.f.accounts[l.Account] = true
		}
		p.granted[l.Account] = max(p.granted[l.Account], reply.Lines[i].Granted)
	}
	return reply.Refused, nil
}

func (f *forest) sharedAccounts() []Account { return []Account{{Key: "total"}, f.bucket(0)} }

// bucket is the rolling limit's window now, or some before it.
func (f *forest) bucket(before int64) Account {
	n := int64(bucketTime)
	start := (f.now.UnixNano()/n - before) * n
	return Account{Key: "rolling", Window: Window{Start: start, End: start + n, View: start - 2*n}}
}

func limitOf(a Account) int64 {
	return map[string]int64{"total": sharedCap, "rolling": rollingCap, "own": ownCap}[a.Key]
}

func (f *forest) ask(t *rapid.T) {
	p := f.pick(t)
	all := append(f.sharedAccounts(), Account{Key: "own"})
	first, n := rapid.IntRange(0, 2).Draw(t, "first"), rapid.IntRange(1, 3).Draw(t, "accounts")
	need := rapid.Int64Range(1, 8).Draw(t, "need")
	var lines []Line
	for i := range n {
		l := p.line(all[(first+i)%3], limitOf(all[(first+i)%3]))
		l.Need, l.Want = need, need+rapid.Int64Range(0, 20).Draw(t, "want")
		lines = append(lines, l)
	}
	before := f.countsAtLeaf(p.branch, Account{Key: "own"})
	refused, err := p.send(lines...)
	if err == nil && refused >= 0 && f.countsAtLeaf(p.branch, Account{Key: "own"}) != before {
		t.Fatalf("refused %+v, and it took something of its own account", lines)
	}
}

func (f *forest) countsAtLeaf(branch int, a Account) int64 {
	balances, _ := f.leaves[branch].Balances(context.Background(), []Account{a})
	return balances[0].Used
}

func (f *forest) used(p *process, t *rapid.T) (Account, bool) {
	var known []Account
	for _, a := range append(f.sharedAccounts(), f.bucket(1)) {
		if p.granted[a] > 0 {
			known = append(known, a)
		}
	}
	if len(known) == 0 {
		return Account{}, false
	}
	return rapid.SampledFrom(known).Draw(t, "account"), true
}

func (f *forest) spend(t *rapid.T) {
	p := f.pick(t)
	if a, ok := f.used(p, t); ok && p.free(a) > 0 {
		amount := rapid.Int64Range(1, p.free(a)).Draw(t, "amount")
		p.spent[a] += amount
		f.billed[a] += amount
	}
}

// overspend: a call costs more than all that is at hand.
func (f *forest) overspend(t *rapid.T) {
	p := f.pick(t)
	if a, ok := f.used(p, t); ok {
		beyond := rapid.Int64Range(1, 9).Draw(t, "amount")
		f.billed[a] += p.free(a) + beyond
		p.spent[a] += p.free(a) + beyond
		f.over[a] += beyond
		p.over[a] += beyond
		p.excess[a] += beyond
		_, _ = p.send(p.line(a, limitOf(a)))
	}
}

// drain: a call cost less than it seemed. What was overspent goes back before anything is free.
func (f *forest) drain(t *rapid.T) {
	p := f.pick(t)
	if a, ok := f.used(p, t); ok && p.spent[a] > 0 {
		amount := rapid.Int64Range(1, p.spent[a]).Draw(t, "amount")
		p.spent[a] -= amount
		f.billed[a] -= amount
		back := min(amount, p.excess[a])
		p.back[a] += back
		p.excess[a] -= back
		f.over[a] -= back
		_, _ = p.send(p.line(a, limitOf(a)))
	}
}

func (f *forest) giveBack(t *rapid.T) {
	p := f.pick(t)
	if a, ok := f.used(p, t); ok && p.free(a) > 0 {
		p.back[a] += rapid.Int64Range(1, p.free(a)).Draw(t, "amount")
		_, _ = p.send(p.line(a, limitOf(a)))
	}
}

func (f *forest) repeat(t *rapid.T) {
	if p := f.pick(t); p.last != nil {
		_, _ = p.send(p.last...)
	}
}

// listen says where a process stands, and hears what others were refused.
func (f *forest) listen(t *rapid.T) {
	p := f.pick(t)
	var lines []Line
	for _, a := range f.sharedAccounts() {
		lines = append(lines, p.line(a, limitOf(a)))
	}
	_, _ = p.send(lines...)
}

func (f *forest) turn(t *rapid.T) {
	f.now = f.now.Add(time.Duration(rapid.IntRange(1, 7).Draw(t, "seconds")) * time.Second)
}

// correct: what a process that has died was granted and did not spend turns out to be so.
func (f *forest) correct(t *rapid.T) {
	total := Account{Key: "total"}
	for i, p := range f.processes {
		if p == nil || !p.dead || p.free(total) <= 0 {
			continue
		}
		f.fixes++
		c := Correction{Account: total, Amount: -rapid.Int64Range(1, p.free(total)).Draw(t, "amount")}
		p.granted[total] += c.Amount
		by := f.start(i / 2)
		by.t = t
		for range 2 {
			if err := by.store.Correct(context.Background(), fmt.Sprint(f.fixes), []Correction{c}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// check: in no view is more billed than the cap and what calls cost beyond what was held for them, and no more than the root
// counts but for what it could not be told.
func (f *forest) check(t *rapid.T) {
	for _, a := range []Account{{Key: "total"}, f.bucket(0)} {
		billed, over, untold := f.inView(a)
		if billed > limitOf(a)+over {
			t.Fatalf("%s: billed %d of %d, with %d overspent", a.Key, billed, limitOf(a), over)
		}
		balances, err := f.root.Balances(context.Background(), []Account{a})
		if err != nil {
			t.Fatal(err)
		}
		if got := balances[0].Used; billed > got+untold {
			t.Fatalf("%s: billed %d, the root counts %d, and was not told of %d", a.Key, billed, got, untold)
		}
	}
}

// inView adds up what is billed in view of an account, and what was overspent of it. untold is what was overspent of which
// the root has not heard: because the leaf did not, or because nobody has yet brought it on from there.
func (f *forest) inView(a Account) (billed, over, untold int64) {
	for b, amount := range f.billed {
		if b.Key != a.Key || b.Window.Start < a.Window.View {
			continue
		}
		billed += amount
		over += f.over[b]
		for _, p := range f.all {
			untold += max(0, p.over[b]-f.leaves[p.branch].standing(p.name, &b).Over)
		}
		for i, leaf := range f.leaves {
			root := f.root.standing(fmt.Sprint("branch ", i), &b)
			gap := inWindow(leaf, b) - root.Granted - root.Over
			if gap > 0 && f.quiet && b.Window.Holds(f.now.UnixNano()) {
				panic(fmt.Sprintf("branch %d, %s: nobody has told the root of %d", i, b.Key, gap))
			}
			untold += max(0, gap)
		}
	}
	return billed, over, untold
}

// inWindow is what a leaf counts in one window, with what was taken out for the root.
func inWindow(leaf *Memory, of Account) int64 {
	if a := leaf.accounts[of.Key]; a != nil && a.windows[of.Window.Start] != nil {
		return a.windows[of.Window.Start].used
	}
	return 0
}

// allCanBeHad: once the processes that are left, or begin, have said where they stand, one process can have all that is
// not spent, however it was spread over the branches; and the root counts what the leaves do, no less and no more.
func (f *forest) allCanBeHad(t *rapid.T) {
	total := Account{Key: "total"}
	for i, p := range f.processes {
		if p == nil || p.dead {
			f.processes[i] = f.start(i / 2)
		}
		f.processes[i].t, f.processes[i].fuse, f.processes[i].store.pollEvery = t, -1, 0
		f.processes[i].store.away = time.Time{} // a while later
	}
	taker := f.processes[rapid.IntRange(0, len(f.processes)-1).Draw(t, "taker")]
	f.tell(t)
	var left int64 = sharedCap
	for i := range f.leaves {
		left -= f.countsAtLeaf(i, total) - f.givenBack(t, i, total)
	}
	for _, p := range f.processes {
		left += p.free(total)
	}
	if left <= 0 {
		return
	}
	for range 4 { // the first is refused, so that others give back
		l := taker.line(total, sharedCap)
		l.Need = max(0, left-taker.free(total))
		refused, err := taker.send(l)
		if err != nil {
			t.Fatal(err)
		}
		if refused < 0 {
			f.check(t)
			return
		}
		for _, p := range f.processes {
			if p != taker {
				p.back[total] += max(0, p.free(total))
			}
		}
		f.tell(t)
	}
	t.Fatalf("%d of %d are left, and cannot be had", left, sharedCap)
}

// tell has all processes say where they stand, twice, so that each hears what the others said.
func (f *forest) tell(t *rapid.T) {
	for range 2 {
		for _, p := range f.processes {
			var lines []Line
			for _, a := range append(f.sharedAccounts(), f.bucket(1)) {
				lines = append(lines, p.line(a, limitOf(a)))
			}
			_, err := p.send(lines[:2]...)
			if err != nil {
				t.Fatal(err)
			}
			var closed *WindowError
			if _, err = p.send(lines[2]); err != nil && !errors.As(err, &closed) {
				t.Fatal(err)
			}
		}
	}
}

// givenBack is what a branch has taken out of its leaf for the root.
func (f *forest) givenBack(t *rapid.T, branch int, a Account) int64 {
	reply, err := f.leaves[branch].Sync(context.Background(), fmt.Sprintf("branch %d/return", branch), []Line{{Account: a}})
	if err != nil {
		t.Fatal(err)
	}
	return reply.Lines[0].Granted
}
