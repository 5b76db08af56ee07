package farebox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// WhenFull says what becomes of a call that does not fit a budget. Where several budgets refuse, that of the one in the
// [BudgetError] counts.
type WhenFull string

// The choices.
const (
	// Refuse returns a BudgetError. It is what the zero value does.
	Refuse WhenFull = "refuse"
	// Fit lowers the output limit to what is affordable, never below the budget's MinOutputTokens; the receipt's Edits say
	// so. A call that would not fit even then is refused.
	Fit WhenFull = "fit"
	// Degrade makes a Client try the next cheaper candidate, as [WithLadder] has it, and the next after that. Under another
	// SDK, and where no ladder goes on from the model, the call is refused.
	Degrade WhenFull = "degrade"
	// Wait waits, first come first served, until calls in flight settle or the window turns, for as long as ctx allows. A
	// call that neither can help is refused at once, as is one whose deadline comes before the window turns.
	Wait WhenFull = "wait"
)

func (w WhenFull) isKnown() bool {
	switch w {
	case "", Refuse, Fit, Degrade, Wait:
		return true
	}
	return false
}

// ContextWithWhenFull returns a context whose calls that do not fit a budget do as w says, whatever the budget does.
func ContextWithWhenFull(ctx context.Context, w WhenFull) context.Context {
	return context.WithValue(ctx, whenFullKey, w)
}

// WithWhenFull makes the call do as w says where it does not fit a budget, whatever the budget says.
func WithWhenFull(w WhenFull) CallOption {
	return callOption(func(o *callOptions) error {
		if !w.isKnown() {
			return fmt.Errorf("WithWhenFull: %q is not known: want Refuse, Fit, Degrade or Wait", w)
		}
		o.whenFull = w
		return nil
	})
}

// holdMoney holds the most that the attempt can cost, or makes it fit as the budget or the call says. repeat says that
// the call was refused before: if it is again, that is not counted again.
func (a *attempt) holdMoney(body []byte, now time.Time, repeat bool) (err error) {
	defer func() { a.leaveLine(err == nil) }()
	for {
		err := a.tryHolding(body, now, repeat)
		if err == nil {
			return nil
		}
		if a.hold.inLine != nil && a.ctx.Err() != nil {
			return a.waitedInVain() // the store was being asked once more
		}
		var refused *BudgetError
		if repeat || !errors.As(err, &refused) {
			return err
		}
		switch asked, _ := a.ctx.Value(whenFullKey).(WhenFull); cmp.Or(asked, refused.whenFull) {
		case Fit:
			return a.fit(body, refused)
		case Degrade:
			refused.whenFull = Degrade
			return refused
		case Wait:
			var again bool
			if refused.atStore {
				again, err = a.waitForStore(refused)
			} else {
				again, err = a.waitForRoom(refused, now)
			}
			if !again {
				return err
			}
			a.hold.forget()
			now = time.Now()
		default:
			return refused
		}
	}
}

// tryHolding holds the most that the attempt can cost. Where the bound by bytes is worth more than a hundredth of what the
// budgets have left, the tokens are counted first; below that it would change nothing that matters. Where even then the
// call would be refused the provider may be asked.
func (a *attempt) tryHolding(body []byte, now time.Time, repeat bool) error {
	g, by := &a.meter.guard, a.spender()
	if err := g.match(&a.hold, by, &a.quoted, now); err != nil {
		return err
	}
	if left, limited := g.room(&a.hold, now); limited && left.Less(a.quoted.inputMost().Mul(100)) {
		p := &payload{format: a.format, body: body, providerCount: a.providerCount}
		a.quoted = a.meter.quote(a.ep, &a.request, p, now)
		if !repeat && a.quoted.InputBasis != basisExact && a.askBeforeRefusing(p, now) {
			a.quoted = a.meter.quote(a.ep, &a.request, p, now)
		}
	}
	a.startPace()
	if repeat {
		if err := g.check(&a.hold, by, &a.quoted, now); err != nil {
			return err
		}
	}
	err := g.take(a.ctx, &a.hold, by, &a.quoted, now)
	var refused *BudgetError
	if repeat && errors.As(err, &refused) {
		g.forgive(&a.hold, refused)
	}
	return err
}
