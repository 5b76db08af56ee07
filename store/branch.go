package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Branch is a Store made of two others, so that one cap can be spent through many servers: the processes of a branch ask its
// leaf, and the branch borrows from a root what the leaf may lend on the accounts that branches share. Accounts that are not
// shared are the leaf's alone. A message is one atomic step at the leaf, over both kinds; the root is asked only where the
// branch's allotment does not suffice, or is low, and about once a second for what others were refused.
//
// Every process of a branch makes a Branch of the same name over the same two stores, and none needs to outlive another: an
// allotment that one has borrowed is lent by all. What a branch was allotted counts as spent at the root until it is
// given back. A cap holds across all branches whatever happens to processes and messages between the two steps. Neither of
// the two stores may be a Branch.
//
// Make one with [NewBranch]. Safe for concurrent use.
type Branch struct {
	name       string
	root, leaf Store
	shared     func(key string) bool
	now        func() time.Time
	pollEvery  time.Duration

	closed atomic.Bool
	mu     sync.Mutex
	lots   map[Account]*allotment
	away   time.Time // when the root last did not answer
}

// NewBranch makes a Branch. name is its name at the root, the same in all its processes and no other branch's; shared says
// of an account's key whether branches share it, and nil shares all. The stores stay the caller's to close.
//
// Figures of shared accounts, in answers and in Balances, count what other branches were allotted as spent, and of this
// branch what its own processes were granted.
func NewBranch(name string, root, leaf Store, shared func(key string) bool) (*Branch, error) {
	switch {
	case name == "":
		return nil, errors.New("store: a branch without a name")
	case root == nil, leaf == nil:
		return nil, fmt.Errorf("store: branch %q: want a root and a leaf, and one is nil", name)
	case isBranch(root), isBranch(leaf):
		return nil, fmt.Errorf("store: branch %q: its root or leaf is a branch: want two stores that are none", name)
	}
	if shared == nil {
		shared = func(string) bool { return true }
	}
	return &Branch{
		name: name, root: root, leaf: leaf, shared: shared, now: time.Now, pollEvery: time.Second,
		lots: make(map[Account]*allotment),
	}, nil
}

func isBranch(s Store) bool {
	_, yes := s.(*Branch)
	return yes
}

// allotment is what this process knows of a shared account. Granted and used are of one answer of the root, so that a stale
// pair is a safe one.
type allotment struct {
	granted  int64     // by the root to the branch since the window began, never less than the leaf counts
	used     int64     // at the root, by all branches
	others   int       // other branches that hold an allotment
	recall   bool      // a branch was refused
	heard    time.Time // when the root last answered; zero: it never did
	met      bool      // the leaf has the window
	lent     int64     // what the leaf counts in the window, with what was taken out of it for the root
	clients  int       // of the leaf
	returned int64     // taken out of the leaf for the root
	handed   int64     // the most that a client said it had given back
}

// lendable is the leaf's cap. Where the root counts more than the cap, because a call cost more than was held for it, the
// branch that has most lately heard of it lends so much less: what it still has may be the part that is too much.
func (a *allotment) lendable(limit int64) int64 {
	return max(0, a.granted-max(0, a.used-limit))
}

// idle is what the branch was allotted and has not lent.
func (a *allotment) idle() int64 { return max(0, a.granted-a.lent) }

// share is about what the root would grant of what it has left.
func (a *allotment) share(limit int64) int64 {
	branches := a.others
	if a.granted > a.returned {
		branches++
	}
	return Chunk(0, math.MaxInt64, max(0, limit-a.used), branches)
}

// balance is how the account stands as the branch sees it.
func (a *allotment) balance(recall bool) Balance {
	own := a.clients
	if a.returned > 0 {
		own-- // the branch itself, as a client of its leaf
	}
	return Balance{Used: max(0, a.used-a.idle()), Clients: max(0, own) + a.others, Recall: recall || a.recall}
}

// Close implements [Store]. Root and leaf stay open.
func (b *Branch) Close() error {
	b.closed.Store(true)
	return nil
}

// Sync implements [Store].
func (b *Branch) Sync(ctx context.Context, client string, lines []Line) (Reply, error) {
	if b.closed.Load() {
		return Reply{}, errClosed
	}
	if err := Validate(client, lines); err != nil {
		return Reply{}, err
	}
	if client == b.returner() {
		return Reply{}, fmt.Errorf("store: %q is the name under which branch %q gives back", client, b.name)
	}
	m := b.message(client, lines)
	for {
		reply, err := m.pass(ctx)
		again, err := b.turn(ctx, lines, err)
		if !again {
			return reply, err
		}
	}
}

// message is a client's message on its way through a branch. Its shared lines are those at places, with what is known of
// their accounts.
type message struct {
	*Branch
	client string
	lines  []Line // as the client sent them
	places []int
	lots   []*allotment
	denied int // the line that the root refused, in this message; -1: none
}

func (b *Branch) message(client string, lines []Line) *message {
	m := &message{Branch: b, client: client, lines: lines, denied: -1}
	for i := range lines {
		if b.shared(lines[i].Key) {
			m.places, m.lots = append(m.places, i), append(m.lots, b.lot(&lines[i].Account))
		}
	}
	return m
}

// lot finds what is known of an account, and forgets what ended long ago.
func (b *Branch) lot(of *Account) *allotment {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.lots[*of]
	if a == nil {
		long, looked := b.now().Add(-time.Hour).UnixNano(), 0
		for key := range b.lots {
			if looked++; looked > 4 {
				break
			}
			if key.Window.End != 0 && key.Window.End < long {
				delete(b.lots, key)
			}
		}
		a = &allotment{}
		b.lots[*of] = a
	}
	return a
}

// known is a copy of what is known of the i-th shared line's account.
func (m *message) known(i int) allotment {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *m.lots[i]
}

// rounds is how often a message asks the root for what other processes of the branch then took; each time some process was
// granted what it needs.
const rounds = 64

// pass takes a message through the leaf, and to the root where that does not suffice.
func (m *message) pass(ctx context.Context) (Reply, error) {
	if len(m.places) == 0 {
		reply, err := m.leaf.Sync(ctx, m.client, m.lines)
		return reply, atLeaf(err)
	}
	if err := m.prepare(ctx); err != nil {
		return Reply{}, err
	}
	for round := 1; ; round++ {
		reply, err := m.lend(ctx)
		if err != nil {
			return Reply{}, err
		}
		done := true
		if round < rounds && reply.Refused >= 0 && m.isShared(reply.Refused) {
			if done, err = m.borrow(ctx, &reply); err != nil {
				return Reply{}, err
			}
		}
		if done {
			return reply, m.settle(ctx, &reply)
		}
	}
}

func (m *message) isShared(line int) bool {
	for _, i := range m.places {
		if i == line {
			return true
		}
	}
	return false
}

// lend is the step at the leaf, with what the root has allotted for a cap.
func (m *message) lend(ctx context.Context) (Reply, error) {
	lines := append([]Line(nil), m.lines...)
	for i, place := range m.places {
		a := m.known(i)
		lines[place].Account = inLeaf(lines[place].Account)
		lines[place].Cap = a.lendable(lines[place].Cap)
	}
	reply, err := m.leaf.Sync(ctx, m.client, lines)
	if err != nil {
		return Reply{}, atLeaf(err)
	}
	for i, place := range m.places {
		if m.lines[place].Window.Holds(reply.Now.UnixNano()) {
			m.hearLeaf(m.lots[i], &reply.Lines[place])
		}
	}
	return reply, nil
}

// inLeaf is an account as the leaf is to count it: each window by itself, since the root's figures are.
func inLeaf(a Account) Account {
	a.Window.View = a.Window.Start
	return a
}

func (b *Branch) hearLeaf(a *allotment, g *Granted) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a.lent, a.clients = g.Used, g.Clients
}

// dryAsks is how many times a second, for about each pollEvery, a branch asks a root that had not enough when last heard of.
const dryAsks = 100

// isFresh says whether this process need not ask a root that is dry: others of its branch do.
func (b *Branch) isFresh(a *allotment) bool {
	return b.now().Sub(a.heard) < a.turns()*b.pollEvery/dryAsks
}

// borrow asks the root for what the leaf did not have. done says that the answer stands: the root has not enough either.
func (m *message) borrow(ctx context.Context, reply *Reply) (done bool, err error) {
	var asks []Line
	var places []int
	for i, place := range m.places {
		l, a := &m.lines[place], m.known(i)
		unknown := reply.Lines[place].Granted - l.Granted // was granted without the client's knowledge
		if lack := a.lack(l) - unknown; l.Need > 0 && lack > 0 {
			if len(asks) == 0 && a.recall && lack > l.Cap-a.used && m.isFresh(&a) {
				reply.Refused = place
				return true, nil
			}
			asks, places = append(asks, a.line(l, lack, max(lack, a.share(l.Cap)))), append(places, place)
		}
	}
	if len(asks) == 0 {
		return false, nil // the root was heard of since the leaf was asked
	}
	refused, err := m.ask(ctx, asks)
	if err != nil || refused < 0 {
		return false, err
	}
	reply.Refused, m.denied = places[refused], places[refused]
	return true, nil
}
