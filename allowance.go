package farebox

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/farebox-go/farebox/internal/allowance"
	"github.com/farebox-go/farebox/internal/guard"
	"github.com/farebox-go/farebox/store"
)

// WithStore keeps what budgets count in a store, so that a cap holds over restarts and for all processes that share the
// store: give each of them budgets of the same names, windows and caps. A process borrows an allowance, spends it by itself
// and asks for more before it runs dry, so that few calls wait for the store; what it borrowed and did not return when it
// dies stays spent, unless [WithJournal] gives it a folder from which its successor can tell. Budgets per call are each
// process's own, and tolerances have no effect: the store holds the most that calls can cost. Thresholds are told of by every
// process; see [Budget]. The store is the caller's to close, after the Meter.
//
// A store that does not answer refuses the calls that budgets apply to ([ErrStoreUnavailable]), until it does; see
// [WithAdmissionWithoutStore].
func WithStore(s store.Store) MeterOption {
	return meterOption(func(c *meterConfig) error {
		switch {
		case s == nil:
			return errors.New("WithStore: the store is nil")
		case c.store != nil:
			return errors.New("WithStore: the Meter has a store already")
		}
		c.store = s
		return nil
	})
}

// WithAdmissionWithoutStore admits calls while the store does not answer, as far as this process's own budgets allow, instead of
// refusing them. Their receipts carry [FlagWithoutStore]; several processes together may then pass a cap.
func WithAdmissionWithoutStore() MeterOption {
	return meterOption(func(c *meterConfig) error {
		c.admitWithoutStore = true
		return nil
	})
}

// lender borrows allowances for a Guard's holds.
type lender struct {
	pool   *allowance.Pool
	admit  bool // calls while the store does not answer
	shared bool // with other processes
	lines  storeLines
}

func newLender(s store.Store, client string, admit bool, g *Guard, logger *slog.Logger) *lender {
	warn := func(err error) { logger.Warn("farebox: store of budgets", slog.Any("error", err)) }
	return &lender{
		pool:  allowance.New(s, client, allowance.Warn(warn), allowance.Clock(g.core.SetAhead), allowance.Heard(heard)),
		admit: admit,
	}
}

// borrow backs a hold with what the store has granted, or gives it back and returns the refusal. again says that by the
// store's clock its windows are not the current ones, so that it has to be taken anew.
func (g *Guard) borrow(ctx context.Context, h *hold, by *spender, q *quoted) (again bool, err error) {
	h.unbacked, h.lent = false, nil
	if g.lender == nil {
		return false, nil
	}
	var places [guard.MaxPostings]int
	postings := make([]allowance.Posting, 0, guard.MaxPostings)
	for i, b := range h.budgets[:h.n] {
		if span, counted := h.Span(i); counted && b.key != "" {
			places[len(postings)] = i
			postings = append(postings, allowance.Posting{
				Account: store.Account{Key: b.account(h.values[i]), Window: store.Window(span)},
				Cap:     h.counters[i].Cap(), Amount: h.held[i], Observe: b.Observe, Counter: h.counters[i],
			})
		}
	}
	if len(postings) == 0 {
		return false, nil
	}
	if refused := g.keptOff(ctx, h, postings, by, q); refused != nil {
		return false, refused
	}
	err = g.lender.pool.Take(ctx, &h.share, postings)
	if err == nil {
		h.lent = postings
		return false, nil
	}
	var window *store.WindowError
	if errors.As(err, &window) && ctx.Err() == nil {
		h.Void(time.Now())
		return true, nil
	}
	if errors.Is(err, allowance.ErrClosed) {
		h.Void(time.Now())
		return false, fmt.Errorf("farebox: %w", ErrClosed)
	}
	var refused *allowance.Refusal
	if !errors.As(err, &refused) && g.lender.admit && ctx.Err() == nil {
		h.unbacked = true
		return false, nil
	}
	h.Void(time.Now())
	if refused == nil {
		e := h.budgets[places[0]].refuse(ReasonStoreUnavailable, h.values[places[0]], by, q)
		e.cause = err
		g.countRefusal(h, places[0], e)
		return false, e
	}
	e := h.refusedByStore(places[refused.Posting], refused, by, q)
	g.countRefusal(h, places[refused.Posting], e)
	return false, e
}

// countRefusal counts that a budget of the hold refused, whoever spent what it lacks.
func (g *Guard) countRefusal(h *hold, i int, e *BudgetError) {
	var in [guard.MaxPostings]guard.Posting
	for j, counter := range h.counters[:h.n] {
		in[j].Counter = counter
	}
	e.counted = 1 << i
	g.core.Refuse(in[:h.n], e.counted)
}

// refusedByStore words that other processes have what a call needs.
func (h *hold) refusedByStore(i int, r *allowance.Refusal, by *spender, q *quoted) *BudgetError {
	b := h.budgets[i]
	e := b.refuse(ReasonExhausted, h.values[i], by, q)
	if r.Others > 0 {
		e.Reason = ReasonContended // some of it may yet be returned
	}
	limit := h.counters[i].Cap()
	b.wordStore(e, limit, r.Balance.Used, max(0, limit-r.Balance.Used)+r.Free, q)
	if span, _ := h.Span(i); span.End != 0 && b.Window.kind != guard.Rolling {
		e.ResetAt = time.Unix(0, span.End)
	}
	return e
}

// wordStore puts into a refusal how a budget stands at the store.
func (b *budget) wordStore(e *BudgetError, limit, spent, left int64, q *quoted) {
	e.whenFull, e.atStore, e.floor = b.WhenFull, true, cmp.Or(b.MinOutputTokens, defaultFloor)
	if e.Unit == UnitUSD {
		e.Cap, e.Spent, e.Fits = moneyFromNanos(limit), moneyFromNanos(spent), moneyFromNanos(left)
		e.OutputTokens = q.affordableOutput(e.Fits)
	} else {
		e.Counts = Counts{Cap: limit, Spent: spent, Free: left}
	}
}

// repay ends what was borrowed for a hold at what its budgets booked.
func (h *hold) repay() {
	if actual := h.loans(&h.booked); len(actual) > 0 {
		h.share.End(actual...)
	}
}

// correctLoan replaces the figures that it has ended at.
func (h *hold) correctLoan(booked *[guard.MaxPostings]int64) {
	if actual := h.loans(booked); len(actual) > 0 {
		h.share.Correct(actual...)
	}
}

// loans are the figures of the budgets that the store counts; none where nothing was borrowed.
func (h *hold) loans(booked *[guard.MaxPostings]int64) []int64 {
	if !h.share.Taken() {
		return nil
	}
	actual := make([]int64, 0, guard.MaxPostings)
	for i, b := range h.budgets[:h.n] {
		if b.isLent() {
			actual = append(actual, booked[i])
		}
	}
	return actual
}

// isLent says whether a store counts the budget too.
func (b *budget) isLent() bool { return b.Window.kind != guard.PerCall && b.key != "" }

// accountKey begins the names of a budget's accounts in a store. What counts otherwise has another name.
func (b *Budget) accountKey() string {
	escape := strings.NewReplacer("%", "%25", "/", "%2F")
	return escape.Replace(b.Name) + "/" + escape.Replace(b.Window.String()) + "/" + cmp.Or(string(b.unit()), "usd") + "/"
}

// maxAccountKey is the longest name of an account in bytes that every store takes.
const maxAccountKey = 400

// account names what a budget counts for a value of its tag.
func (b *budget) account(value string) string {
	if len(b.key)+len(value) <= maxAccountKey {
		return b.key + value
	}
	sum := sha256.Sum256([]byte(b.key + value))
	return b.key[:min(len(b.key), 200)] + "sha256:" + hex.EncodeToString(sum[:])
}
