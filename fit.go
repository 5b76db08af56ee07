package farebox

import (
	"errors"
	"time"

	"github.com/farebox-go/farebox/internal/wire"
)

// defaultFloor is the output limit that [Fit] does not go below unless told otherwise: shorter answers are of little use.
const defaultFloor = 64

// fitTries bounds how often a limit is lowered again because others have taken room meanwhile.
const fitTries = 4

// fit lowers the output limit to what is affordable and holds that, or returns the refusal.
func (a *attempt) fit(body []byte, refused *BudgetError) error {
	limiter, ok := a.format.(wire.OutputLimiter)
	if !ok || a.signed {
		return refused
	}
	g, full := &a.meter.guard, a.quoted
	for range fitTries {
		limit := refused.OutputTokens
		if limit < max(refused.floor, 1) {
			break
		}
		edited, err := limiter.LimitOutput(&a.request, body, limit, a.ep.provider.reasoningLimit)
		if err != nil {
			break
		}
		now := time.Now()
		a.quoted = full
		a.quoted.limitOutput(limit, now)
		g.forgive(&a.hold, refused)
		err = g.take(a.ctx, &a.hold, a.spender(), &a.quoted, now)
		if err == nil {
			a.fitted, a.receipt.FittedOutput = edited, limit
			a.receipt.Edits = append(a.receipt.Edits, editFit)
			return nil
		}
		if !errors.As(err, &refused) {
			return err
		}
	}
	a.quoted = full
	return refused
}

// limitOutput makes the quote one for the same request with a lower output limit.
func (q *quoted) limitOutput(limit int64, now time.Time) {
	q.Most = q.mostWith(limit)
	q.extent.setMostOutputs(limit, q.choices)
	q.MostOutputTokens = q.extent.mostOutputs
	for i := range q.others {
		q.others[i].extent.setMostOutputs(limit, q.choices)
		q.MostOutputTokens = max(q.MostOutputTokens, q.others[i].extent.mostOutputs)
	}
	q.extent.outputs = min(q.extent.outputs, q.extent.mostOutputs)
	if q.table != nil {
		q.Expected = q.table.expected(&q.extent, now)
	}
}

// outputThatFits is the largest output limit of one answer with which a call fits every budget of its hold; 0: none.
func (g *Guard) outputThatFits(h *hold, q *quoted, now time.Time) int64 {
	limit := q.MostOutputTokens / max(q.choices, 1)
	if room, limited := g.roomIn(UnitRequests, h, now); limited && room < 1 {
		return 0
	}
	if room, limited := g.roomIn(UnitTokens, h, now); limited {
		limit = min(limit, max(0, room-q.MostInputTokens)/max(q.choices, 1))
	}
	if room, limited := g.room(h, now); limited {
		limit = min(limit, q.affordableOutput(room))
	}
	return limit
}
