package farebox

import (
	"fmt"
	"strings"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
)

// RefusalReason says why a call did not fit.
type RefusalReason string

// The reasons.
const (
	// ReasonExhausted: what is spent leaves too little. Wait for the reset, or raise the cap; see [Guard.TopUp].
	ReasonExhausted RefusalReason = "exhausted"
	// ReasonContended: it would fit if the calls in flight cost nothing. Wait for them to settle.
	ReasonContended RefusalReason = "contended"
	// ReasonPerCall: dearer than the budget allows a single call to be.
	ReasonPerCall RefusalReason = "per_call"
	// ReasonUnpriceable: the model has no price, so that nobody can say whether it fits.
	ReasonUnpriceable RefusalReason = "unpriceable"
	// ReasonTooManyValues: the budget is per tag, and keeps as many values as it may.
	ReasonTooManyValues RefusalReason = "too_many_values"
	// ReasonUnbounded: nobody can say what the call may cost at most, and the budget is strict.
	ReasonUnbounded RefusalReason = "unbounded"
	// ReasonExpired: the budget's time is over.
	ReasonExpired RefusalReason = "expired"
	// ReasonStoreUnavailable: the store that the budgets are kept in cannot say what is left; see [WithStore].
	ReasonStoreUnavailable RefusalReason = "store_unavailable"
	// ReasonPaused: the budget, key or endpoint is paused.
	ReasonPaused RefusalReason = "paused"
)

// BudgetError says that farebox refused a call, and nothing was sent. It matches ErrRefused, and of ErrBudgetExceeded,
// ErrUnpriced, ErrPaused and ErrStoreUnavailable the one that its reason is; where it waited in vain, also what ended the
// waiting (context.DeadlineExceeded, context.Canceled), and where the store failed, its error.
type BudgetError struct {
	Reason   RefusalReason
	Budget   string // the budget that refused; empty where a key or endpoint is paused
	Value    string // of the tag, for a budget per tag
	Endpoint string // where the call was to go
	Model    string // the model asked for

	Unit   Unit // what the budget counts in; in tokens and requests the figures are in Counts and AskedCount
	Counts Counts

	Cap   Money // of the budget
	Spent Money // settled in the window
	Held  Money // by calls in flight
	Asked Money // the most that this call can cost
	// AskedCount is the most tokens that this call can use, or 1 request; of a budget in money 0.
	AskedCount int64

	// Fits is the dearest call that would have been admitted. OutputTokens is the output limit with which this one
	// would have been; 0: none, the input alone is too dear.
	Fits         Money
	OutputTokens int64
	// ResetAt is when the passing of time makes room; zero: it does not.
	ResetAt time.Time
	// Waited is how long the call had waited for room.
	Waited time.Duration

	cause    error      // what ended the waiting
	whenFull WhenFull   // the budget's, or the call's own
	floor    int64      // of the output limit, where the call is made to fit
	counted  guard.Mask // the budgets of the call that counted a refusal
	atStore  bool       // this process's own budgets had room; other processes have it
}

// Error says which budget refused, why, what would fit and when.
func (e *BudgetError) Error() string {
	var b strings.Builder
	b.WriteString("farebox: ")
	switch e.Reason {
	case ReasonUnpriceable:
		fmt.Fprintf(&b, "model %q at %s has no price and budget %q applies: set one with WithPrice, or a rate for all such models with WithUnpricedRates", e.Model, e.Endpoint, e.Budget)
	case ReasonPaused:
		fmt.Fprintf(&b, "%s is paused", e.subject())
	case ReasonTooManyValues:
		fmt.Fprintf(&b, "budget %q keeps as many values of its tag as MaxValues allows; this one is new", e.Budget)
	case ReasonUnbounded:
		fmt.Fprintf(&b, "what the call may cost at most rests on an assumption, and %s is strict: set an output limit, or limit the uses of the provider's tools", e.subject())
	case ReasonExpired:
		fmt.Fprintf(&b, "%s has expired", e.subject())
	case ReasonStoreUnavailable:
		fmt.Fprintf(&b, "%s cannot be asked: %v", e.subject(), e.cause)
	default:
		e.writeFigures(&b)
		if e.OutputTokens > 0 {
			fmt.Fprintf(&b, "; it would fit with an output limit of %d tokens", e.OutputTokens)
		}
		if !e.ResetAt.IsZero() {
			fmt.Fprintf(&b, "; resets at %s", e.ResetAt.Format(time.RFC3339))
		}
	}
	if e.cause != nil && e.Reason != ReasonStoreUnavailable {
		fmt.Fprintf(&b, "; waited %s: %v", e.Waited.Round(time.Millisecond), e.cause)
	}
	b.WriteString(" (nothing was sent)")
	return b.String()
}

// Unwrap returns what ended the waiting for room, or the store's error; nil where there was neither.
func (e *BudgetError) Unwrap() error { return e.cause }

func (e *BudgetError) writeFigures(b *strings.Builder) {
	if e.Unit == UnitUSD {
		fmt.Fprintf(b, "%s of %s is %s: %s spent, %s held, the call may cost %s", e.subject(), e.Cap, e.word(), e.Spent, e.Held, e.Asked)
		return
	}
	fmt.Fprintf(b, "%s of %d %s is %s: %d spent, %d held, the call may take %d",
		e.subject(), e.Counts.Cap, e.Unit, e.word(), e.Counts.Spent, e.Counts.Held, e.AskedCount)
}

func (e *BudgetError) subject() string {
	switch {
	case e.Budget == "":
		return "endpoint " + e.Endpoint + " or its key"
	case e.Value != "":
		return fmt.Sprintf("budget %q for %q", e.Budget, e.Value)
	}
	return fmt.Sprintf("budget %q", e.Budget)
}

func (e *BudgetError) word() string {
	switch e.Reason {
	case ReasonContended:
		return "full of calls in flight"
	case ReasonPerCall:
		return "per call"
	}
	return "exhausted"
}

// Is matches ErrRefused, and the sentinel of the reason.
func (e *BudgetError) Is(target error) bool {
	switch target {
	case ErrRefused:
		return true
	case ErrUnpriced:
		return e.Reason == ReasonUnpriceable
	case ErrPaused:
		return e.Reason == ReasonPaused
	case ErrStoreUnavailable:
		return e.Reason == ReasonStoreUnavailable
	case ErrBudgetExceeded:
		return e.Reason != ReasonUnpriceable && e.Reason != ReasonPaused && e.Reason != ReasonUnbounded &&
			e.Reason != ReasonStoreUnavailable
	}
	return false
}
