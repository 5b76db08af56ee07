package allowance

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// Hold is money set aside, on all its accounts. The zero value stands for nothing. It may be taken again once it has ended,
// and must not be copied.
type Hold struct {
	pool *Pool

	mu    sync.Mutex // for those who end and correct it at the same time; nobody waits for anything with it held but the pool's
	ended bool
	n     int
	few   [fewPostings]entry // so that a hold needs no memory of its own
	many  []entry            // all of them, where they are more
}

// fewPostings is as many postings as most calls have.
const fewPostings = 4

type entry struct {
	account *account
	amount  int64
}

// begin makes the hold one of n entries.
func (h *Hold) begin(p *Pool, n int) {
	h.pool, h.ended, h.n = p, false, n
	if n > fewPostings {
		h.many = slices.Grow(h.many[:0], n)[:n]
	}
}

func (h *Hold) entries() []entry {
	if h.n > fewPostings {
		return h.many
	}
	return h.few[:h.n]
}

// adopt takes over what another hold stands for.
func (h *Hold) adopt(other *Hold) {
	h.begin(other.pool, other.n)
	copy(h.entries(), other.entries())
}

// Extend sets more aside for a hold: one amount for each of its postings. It changes all of them or none; errors are
// those of Take.
func (h *Hold) Extend(ctx context.Context, amounts ...int64) error {
	if h.pool == nil || len(amounts) != h.n {
		return errors.New("allowance: a hold that cannot be extended")
	}
	postings := make([]Posting, len(amounts))
	for i := range amounts {
		a := h.entries()[i].account
		postings[i] = Posting{Account: a.Account, Cap: a.limit.Load(), Amount: amounts[i], Counter: *a.counter.Load()}
	}
	var more Hold
	if err := h.pool.Take(ctx, &more, postings); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		more.End(0)
		return errors.New("allowance: a hold that has ended cannot be extended")
	}
	for i, e := range more.entries() {
		h.entries()[i].amount += e.amount
	}
	return nil
}

// Taken says whether the hold stands for anything.
func (h *Hold) Taken() bool { return h.pool != nil }

// End ends a hold at what was spent: one figure for each posting, or one for all. What is left of it may be spent by
// others. A figure above the hold is booked in full. Only the first End counts.
func (h *Hold) End(actual ...int64) {
	if h.pool == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return
	}
	h.ended = true
	h.settle(actual, true)
	h.pool.ensureBeat()
}

// Correct replaces the figures that a hold has ended at, for as long as its window is kept.
func (h *Hold) Correct(actual ...int64) {
	if h.pool == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended {
		return
	}
	h.settle(actual, false)
	h.pool.ensureBeat()
}

// settle replaces what stands on the accounts by figures; held says that it has been set aside so far.
func (h *Hold) settle(actual []int64, held bool) {
	entries := h.entries()
	for i := range entries {
		e := &entries[i]
		difference := figure(actual, i) - e.amount
		if difference != 0 && !e.account.settle(difference) {
			h.pool.settle(e.account, difference)
		}
		if held { // last: see account.booked
			e.account.ended.Add(e.amount)
		}
		e.amount += difference
	}
}

func figure(actual []int64, i int) int64 {
	if len(actual) == 1 {
		return actual[0]
	}
	return actual[i]
}
