package farebox

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// ErrUnknownReceipt is returned by [Meter.Reconcile] for a receipt whose cost is not open: it is known already, or older
// than the newest 4,096 that are.
var ErrUnknownReceipt = errors.New("farebox: no such receipt is waiting to be reconciled")

// maxUnsettled bounds the attempts that are kept to be reconciled.
const maxUnsettled = 4096

// unsettled keeps the attempts whose cost is estimated or taken at its most, until it is known or they are too many.
type unsettled struct {
	mu   sync.Mutex
	byID map[string]*openCharge
	// answers are the attempts whose answers a later look can settle.
	answers map[awaited]*openCharge
	order   [maxUnsettled]string // a ring of ids
	next    int
}

// openCharge is an attempt whose cost is not known.
type openCharge struct {
	attempt   *attempt // nil: of an earlier process
	receipt   *Receipt
	cost      Money // as it stands now
	corrected bool
}

func (u *unsettled) keep(charge *openCharge) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byID == nil {
		u.byID = make(map[string]*openCharge)
		u.answers = make(map[awaited]*openCharge)
	}
	u.forget(u.order[u.next])
	u.order[u.next] = charge.receipt.ID
	u.next = (u.next + 1) % maxUnsettled
	u.byID[charge.receipt.ID] = charge
	if charge.attempt != nil && charge.receipt.GenerationID != "" {
		u.answers[charge.awaits()] = charge
	}
}

// adjust takes up what an earlier process has learned.
func (u *unsettled) adjust(a *Adjustment) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if charge := u.byID[a.ReceiptID]; charge != nil {
		charge.cost, charge.corrected = charge.cost.Add(a.Amount), true
	}
}

// earlier are the receipts of earlier processes that nothing was learned of since, oldest first.
func (u *unsettled) earlier() (receipts []*Receipt) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range u.order {
		charge := u.byID[u.order[(u.next+i)%maxUnsettled]]
		if charge != nil && charge.attempt == nil && !charge.corrected {
			receipts = append(receipts, charge.receipt)
		}
	}
	return receipts
}

// forget lets go of the oldest attempt.
func (u *unsettled) forget(receiptID string) {
	charge := u.byID[receiptID]
	if charge == nil {
		return
	}
	delete(u.byID, receiptID)
	if u.answers[charge.awaits()] == charge {
		delete(u.answers, charge.awaits())
	}
}

func (c *openCharge) awaits() awaited { return awaited{c.receipt.Endpoint, c.receipt.GenerationID} }

// awaiting is the attempt whose answer a later look can settle; nil: there is none, or it has been settled so.
func (u *unsettled) awaiting(by awaited) *attempt {
	u.mu.Lock()
	defer u.mu.Unlock()
	if charge := u.answers[by]; charge != nil {
		return charge.attempt
	}
	return nil
}

// take says whether an attempt is still to be settled by a later look, and that it no longer is.
func (u *unsettled) take(by awaited) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.answers[by]
	delete(u.answers, by)
	return ok
}

// Reconcile books what an attempt really cost, once the provider's own figure is known: for a receipt whose source is
// Held, Estimated or Unpriced. The receipt stays as it is; the difference is appended to the ledger and the sinks as an
// [Adjustment]. Budgets are corrected in the window that the attempt was held in, and where that has closed, in none.
// A later figure may correct an earlier one. reason says where the figure is from. With [WithJournal] that goes for receipts of
// earlier processes too: the newest ones, which were read back.
func (m *Meter) Reconcile(receiptID string, actual Money, reason string) (Adjustment, error) {
	if actual.Sign() < 0 {
		return Adjustment{}, fmt.Errorf("farebox: a cost of %s is negative", actual)
	}
	return m.reconcile(receiptID, actual, reason, nil)
}

// reconcile books what an attempt cost, and what it consumed where that was learned too.
func (m *Meter) reconcile(receiptID string, actual Money, reason string, used *Usage) (Adjustment, error) {
	adjustment, charge, err := m.correct(receiptID, actual, reason, used)
	if err != nil {
		return Adjustment{}, err
	}
	if charge.attempt != nil {
		m.telemetry.adjusted(charge.attempt, adjustment.Amount)
	} else if m.attempts.Left(m.lendsAs) {
		m.settleUp(settleLater)
	}
	for _, sink := range m.sinks {
		if err := safely(func() error { return sink.Adjustment(adjustment) }); err != nil {
			m.logger.Warn("farebox: sink failed", slog.String("receipt", receiptID), slog.Any("error", err))
		}
	}
	return adjustment, nil
}

// correct books an attempt's cost in place of what was booked before: in the ledger first, so that a crash in between leaves
// budgets at more than the ledger, never at less.
func (m *Meter) correct(receiptID string, actual Money, reason string, used *Usage) (Adjustment, *openCharge, error) {
	u := &m.unsettled
	u.mu.Lock()
	defer u.mu.Unlock()
	charge := u.byID[receiptID]
	if charge == nil {
		return Adjustment{}, nil, ErrUnknownReceipt
	}
	now := time.Now()
	adjustment := Adjustment{
		Schema: ReceiptSchema, ReceiptID: receiptID, At: now, Amount: actual.Sub(charge.cost), Reason: reason, Usage: used,
	}
	m.ledger.Adjust(adjustment)
	if m.receipts != nil {
		m.journaled(receiptID, m.receipts.Adjustment(adjustment))
	}
	m.rebook(charge, actual, now)
	charge.cost, charge.corrected = actual, true
	return adjustment, charge, nil
}

// rebook books another cost on the budgets of an attempt.
func (m *Meter) rebook(charge *openCharge, actual Money, now time.Time) {
	if charge.attempt == nil {
		m.journaled(charge.receipt.ID, m.rebookEarlier(charge, actual))
		return
	}
	h := &charge.attempt.hold
	figures := h.figuresAt(actual)
	if charge.attempt.noted {
		m.journaled(charge.receipt.ID, m.attempts.Correct(charge.receipt.ID, h.loans(&figures)))
	}
	h.reconcile(&figures, now)
}
