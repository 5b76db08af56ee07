package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farebox-go/farebox/internal/allowance"
	"github.com/farebox-go/farebox/store"
)

// line is a process's line to a store, on which messages and answers get lost, and messages come twice, or once more after
// newer ones.
type line struct {
	store.Store
	sound, dead atomic.Bool

	mu   sync.Mutex
	luck *rand.Rand
	sent []message
}

var errCut = errors.Join(errors.New("the line is cut"), store.ErrUnavailable)

// fates are what may become of a message.
const (
	arrives = iota + 5 // the smaller ones too
	lost
	unanswered
	twice
	afterAnother
	allFates
)

// Sync hands a message over, or does what lines do.
func (l *line) Sync(ctx context.Context, client string, lines []store.Line) (store.Reply, error) {
	fate, earlier := l.draw(client, lines)
	switch {
	case l.dead.Load(), fate == lost:
		return store.Reply{}, errCut
	case fate == twice:
		earlier = &message{client, lines}
	case fate != afterAnother:
		earlier = nil
	}
	if earlier != nil {
		if _, err := l.Store.Sync(ctx, earlier.client, earlier.lines); err != nil {
			return store.Reply{}, err
		}
	}
	reply, err := l.Store.Sync(ctx, client, lines)
	if fate == unanswered {
		return store.Reply{}, errCut
	}
	return reply, err
}

func (l *line) draw(client string, lines []store.Line) (fate int, earlier *message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.sent) > 0 {
		earlier = &l.sent[l.luck.IntN(len(l.sent))]
	}
	l.sent = append(l.sent, message{client, lines})
	if l.sound.Load() {
		return arrives, nil
	}
	return l.luck.IntN(allFates), earlier
}

// process spends over a line as farebox does.
type process struct {
	pool        *allowance.Pool
	line        *line
	accounts    []store.Account
	spent, over atomic.Int64
}

const faultCap = 1500

// spend makes calls of random sizes, some of which cost more than was held for them, or turn out later to have cost less.
func (p *process) spend(luck *rand.Rand) {
	for range 40 {
		amount := 1 + luck.Int64N(20)
		var h allowance.Hold
		postings := make([]allowance.Posting, len(p.accounts))
		for i, a := range p.accounts {
			postings[i] = allowance.Posting{Account: a, Cap: faultCap * int64(1+i), Amount: amount}
		}
		if p.pool.Take(ctx, &h, postings) != nil {
			continue
		}
		cost := luck.Int64N(amount + 1)
		if luck.IntN(20) == 0 {
			cost = amount + 3
		}
		over := max(0, cost-amount)
		h.End(cost)
		if luck.IntN(10) == 0 {
			h.Correct(cost / 2)
			cost /= 2
		}
		p.spent.Add(cost)
		p.over.Add(over)
	}
}

// faults lets processes spend one cap at once, over lines that fail, and some of them die. What was spent never passes the
// cap but for what calls cost beyond their holds; the store never counts less, but for such a cost that its process died
// before it could tell; and once the others have returned what they
// do not need, it counts nothing else, whatever comes late.
func faults(t *testing.T, s store.Store) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	_, window := hours(t, s)
	for _, dying := range []int{0, 2} {
		hour := store.Account{Key: fmt.Sprint("hour, dying ", dying), Window: window(-time.Hour, time.Hour)}
		all := spendAtOnce(s, []store.Account{hour, total(fmt.Sprint("total, dying ", dying))}, seed, dying)
		var spent, over, untold int64
		for _, p := range all {
			spent, over = spent+p.spent.Load(), over+p.over.Load()
			if err := p.pool.Close(ctx); p.line.dead.Load() {
				untold += p.over.Load()
			} else if err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		check := func(when string, exact bool) {
			for i, a := range all[0].accounts {
				got, limit := used(t, s, a), faultCap*int64(1+i)
				if spent-over > limit || got < spent-untold || got > limit+over || exact && got != spent {
					t.Errorf("%d of %d died; %s: the store counts %d of %d, and %d were spent, %d of it over", dying, len(all), when, got, limit, spent, over)
				}
			}
		}
		check("in the end", dying == 0)
		again(t, s, all, func(l *store.Line) bool { return l.Need == 0 && l.Want == 0 })
		check("after all that was told has come once more", dying == 0)
		again(t, s, all, func(*store.Line) bool { return true })
		check("after all messages have come once more", false)
	}
}

// spendAtOnce runs processes until they have made their calls; the first few of them are dead then.
func spendAtOnce(s store.Store, accounts []store.Account, seed uint64, dying int) []*process {
	const processes, calling = 5, 3
	all := make([]*process, processes)
	var ended sync.WaitGroup
	for i := range all {
		l := &line{Store: s, luck: rand.New(rand.NewPCG(seed, uint64(i)))}
		p := &process{pool: allowance.New(l, fmt.Sprint("process ", i, " of ", accounts[0].Key)), line: l, accounts: accounts}
		all[i] = p
		for j := range calling {
			ended.Go(func() {
				p.spend(rand.New(rand.NewPCG(seed, uint64(100*i+j+10))))
				if i < dying {
					l.dead.Store(true)
				}
			})
		}
	}
	ended.Wait()
	for _, p := range all {
		p.line.sound.Store(true)
	}
	return all
}

// again hands messages of which all lines are as wanted to the store once more, in a random order.
func again(t *testing.T, s store.Store, all []*process, wanted func(*store.Line) bool) {
	t.Helper()
	for _, p := range all {
		p.line.mu.Lock()
		for _, i := range p.line.luck.Perm(len(p.line.sent)) {
			late, as := p.line.sent[i], true
			for j := range late.lines {
				as = as && wanted(&late.lines[j])
			}
			if !as {
				continue
			}
			if _, err := s.Sync(ctx, late.client, late.lines); err != nil {
				t.Errorf("a message that came once more: %v", err)
			}
		}
		p.line.mu.Unlock()
	}
}
