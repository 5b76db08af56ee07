package farebox

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"time"

	"github.com/farebox-go/farebox/internal/allowance"
	"github.com/farebox-go/farebox/internal/attempts"
)

// This file keeps the log of attempts: what it is told before an attempt is sent and once it has ended, and what is made of
// it after a crash.

// note writes an attempt down before it is sent, or gives its hold back and returns the refusal. An attempt that nothing was
// borrowed for goes on without.
func (a *attempt) note() error {
	m, h := a.meter, &a.hold
	if m.attempts == nil {
		return nil
	}
	interrupted, err := json.Marshal(a.interrupted())
	if err == nil {
		err = m.attempts.Note(&attempts.Attempt{ID: a.receipt.ID, Receipt: interrupted, Postings: h.postingsLent()})
	}
	if err == nil {
		a.noted = true
		return nil
	}
	if !h.share.Taken() {
		m.logger.Warn("farebox: an attempt is not in the journal", slog.String("receipt", a.receipt.ID), slog.Any("error", err))
		return nil
	}
	h.share.End(0)
	h.share = allowance.Hold{}
	if m.guard.lender.admit {
		h.unbacked = true
		return nil
	}
	h.Void(time.Now())
	i := slices.IndexFunc(h.budgets[:h.n], (*budget).isLent)
	e := h.budgets[i].refuse(ReasonStoreUnavailable, h.values[i], a.spender(), &a.quoted)
	e.cause = err
	return e
}

// interrupted is the receipt that the attempt has if nobody lives to see its end.
func (a *attempt) interrupted() *Receipt {
	r := a.receipt
	r.Source, r.Cost, r.ErrorType = Held, a.quoted.Most, string(FlagInterrupted)
	if !a.quoted.Priced {
		r.Source = Unpriced
	}
	r.Quote = QuotedCost{Expected: a.quoted.Expected, Most: a.quoted.Most}
	r.Flags = append(a.flagsOfHold(slices.Clone(r.Flags)), FlagInterrupted)
	r.Budgets = a.hold.charges(&a.hold.held)
	return &r
}

// postingsLent are the amounts of a hold that the store counts.
func (h *hold) postingsLent() []attempts.Posting {
	if !h.share.Taken() {
		return nil
	}
	postings := make([]attempts.Posting, 0, len(h.lent))
	for i, b := range h.budgets[:h.n] {
		if b.isLent() {
			account := h.lent[len(postings)].Account
			postings = append(postings, attempts.Posting{Account: account, Amount: h.held[i], Place: i, Money: b.unit() == UnitUSD})
		}
	}
	return postings
}

// writeDown writes the end of an attempt down, and then repays what was borrowed for it: what another can borrow must be spent
// no longer by the log.
func (a *attempt) writeDown() {
	m, r := a.meter, &a.receipt
	if m.receipts != nil {
		m.journaled(r.ID, m.receipts.Receipt(*r))
	}
	if a.noted {
		m.journaled(r.ID, m.attempts.End(r.ID, a.hold.loans(&a.hold.booked), r.Settled()))
	}
	a.hold.repay()
}

// journaled warns of what the journal did not take.
func (m *Meter) journaled(receiptID string, err error) {
	if err != nil {
		m.logger.Warn("farebox: journal", slog.String("receipt", receiptID), slog.Any("error", err))
	}
}

// takeOver ends the attempts that processes before this one had in flight: by their receipts, where those were written, or
// else by new ones that hold the most that they can have cost.
func (m *Meter) takeOver(receipts map[string]*Receipt) {
	for _, a := range m.attempts.InFlight() {
		r := receipts[a.ID]
		if r == nil {
			r = &Receipt{}
			if err := json.Unmarshal(a.Receipt, r); err != nil {
				m.journaled(a.ID, err)
				continue
			}
			m.takeBack(r)
			m.journaled(a.ID, m.receipts.Receipt(*r))
			m.record(context.Background(), r)
		}
		m.journaled(a.ID, m.attempts.End(a.ID, r.booked(a.Postings), r.Settled()))
	}
}

// booked is what the receipt says that postings were charged.
func (r *Receipt) booked(postings []attempts.Posting) []int64 {
	booked := make([]int64, len(postings))
	for i := range postings {
		p := &postings[i]
		switch booked[i] = p.Amount; {
		case p.Place >= len(r.Budgets): // held in full
		case p.Money:
			booked[i] = r.Budgets[p.Place].Charged.nanosUp()
		default:
			booked[i] = r.Budgets[p.Place].ChargedCount
		}
	}
	return booked
}

// warnOfLost says what stays spent although nobody spends it.
func (m *Meter) warnOfLost(lost []*attempts.Client) {
	for _, c := range lost {
		m.logger.Warn("farebox: what an earlier process had borrowed stays counted as spent until its windows end, since its "+
			"records may have gaps after a loss of power or damage; where the provider's figures are known, Correct of the store takes it back",
			slog.String("client", c.Name))
	}
}

// How long the store of a fleet may take to hear what processes before this one have left, before that is done in the background,
// and how often it is tried there.
const (
	settleAtStart = time.Second
	settleLater   = 5 * time.Second
	settleEvery   = 5 * time.Second
)

// settleUp tells the store what is left to be said for earlier processes: within a time, and otherwise in the background.
func (m *Meter) settleUp(within time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	err := m.attempts.SettleUp(ctx, m.lendsFrom, m.lendsAs)
	if err == nil || !m.settling.CompareAndSwap(false, true) {
		return
	}
	m.logger.Warn("farebox: what an earlier process left is not settled yet", slog.Any("error", err))
	go func() {
		defer m.settling.Store(false)
		for m.attempts.Left(m.lendsAs) {
			select {
			case <-m.closing:
				return
			case <-time.After(settleEvery):
			}
			ctx, cancel := context.WithTimeout(context.Background(), settleLater)
			_ = m.attempts.SettleUp(ctx, m.lendsFrom, m.lendsAs)
			cancel()
		}
	}()
}

// rebookEarlier books another cost for an attempt of an earlier process: in the log, for the store, and on this process's
// budgets.
func (m *Meter) rebookEarlier(c *openCharge, actual Money) error {
	var before *Money
	if c.corrected {
		before = &c.cost
	}
	m.guard.amend(c.receipt, before, &actual)
	a := m.attempts.Unsettled(c.receipt.ID)
	if a == nil || len(a.Postings) == 0 {
		return nil
	}
	booked := make([]int64, len(a.Postings))
	for i := range a.Postings {
		if booked[i] = a.Postings[i].Amount; a.Postings[i].Money {
			booked[i] = actual.nanosUp()
		}
	}
	return m.attempts.Correct(c.receipt.ID, booked)
}
