package farebox

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
