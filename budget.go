package farebox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
)

// Budget is a cap in money, over a window, for a scope. Every call that it applies to must fit under it before it is
// sent; any number of budgets may apply to one call (up to 16), and all must agree.
type Budget struct {
	// Name stands in receipts and errors; it is unique in a Meter.
	Name string
	// Cap is the most that may be spent in a window; it cannot be negative. It is kept in nano-dollars, rounded down.
	Cap Money
	// Window is the time over which the cap counts. The zero value is a total that is never reset.
	Window Window
	// Scope selects the calls that count. The zero value selects all of them.
	Scope Scope
	// Per is the name of a tag: each of its values has a cap of its own. Calls without the tag share one.
	Per string
	// MaxValues is the most values of Per that are kept at a time; a new value beyond it is refused, since dropping a
	// counter inside its window would open the cap. 0 is 100,000.
	MaxValues int
	// Observe counts and reports what would have been refused, but refuses nothing.
	Observe bool
	// ChargeOnly counts only the gateway's own charge of a call made with a key of the user's own (BYOK), and not what
	// that key's provider bills on top.
	ChargeOnly bool
}

// Scope selects calls. Empty fields select all; those that are set must all match, exactly as they are written: a Scope
// with a misspelt name selects nothing.
type Scope struct {
	Tags     Tags   // every one of them must stand on the call
	Key      string // a key's label or its hash
	Endpoint string // an endpoint's name, as receipts have it; see WithEndpoint
	Model    string // the model asked for, or one that may serve instead (OpenRouter's models), as the provider names it
}

// spender is what a scope is matched against.
type spender struct {
	endpoint, keyLabel, keyHash, model string
	fallbacks                          []string // models that the gateway may serve instead
	tags                               Tags
}

func (s *Scope) match(by *spender) bool {
	return (s.Endpoint == "" || s.Endpoint == by.endpoint) &&
		(s.Model == "" || s.Model == by.model || slices.Contains(by.fallbacks, s.Model)) &&
		(s.Key == "" || s.Key == by.keyLabel || s.Key == by.keyHash) &&
		s.Tags.match(by.tags)
}

// Window is the time over which a cap counts: one of [Hourly], [Daily], [Weekly], [Monthly] and [PerCall], or
// [Rolling]. The zero value is a total that is never reset. Calendar windows are of UTC unless [Window.In] says
// otherwise; at their boundary they allow a full cap on either side, which a rolling window does not.
type Window struct {
	kind   guard.Kind
	length time.Duration
	zone   string
}

// The calendar windows, and PerCall, which measures every call by itself. Weeks start on Monday.
var (
	Hourly  = Window{kind: guard.Hour}
	Daily   = Window{kind: guard.Day}
	Weekly  = Window{kind: guard.Week}
	Monthly = Window{kind: guard.Month}
	PerCall = Window{kind: guard.PerCall}
)

// Rolling is a window of the time just gone by: never more than the cap in any interval of that length.
func Rolling(length time.Duration) Window { return Window{kind: guard.Rolling, length: length} }

// In returns the calendar window in a time zone of the IANA database ("Europe/Zurich"). A name that is not known is an
// error of [New] and [NewMeter], as is a zone on a window that is no calendar window.
func (w Window) In(zone string) Window {
	w.zone = zone
	return w
}

// String names the window: "daily", "rolling 24h0m0s", "total".
func (w Window) String() string {
	names := map[guard.Kind]string{
		guard.None: "total", guard.PerCall: "per call", guard.Rolling: "rolling " + w.length.String(),
		guard.Hour: "hourly", guard.Day: "daily", guard.Week: "weekly", guard.Month: "monthly",
	}
	if w.zone != "" {
		return names[w.kind] + " in " + w.zone
	}
	return names[w.kind]
}

func (w Window) resolve() (guard.Window, error) {
	resolved := guard.Window{Kind: w.kind, Length: w.length, Weekday: time.Monday}
	if w.kind == guard.Rolling && w.length <= 0 {
		return resolved, fmt.Errorf("a rolling window of %s: want a positive duration, or the zero Window for a total", w.length)
	}
	if w.zone != "" {
		if w.kind == guard.None || w.kind == guard.PerCall || w.kind == guard.Rolling {
			return resolved, fmt.Errorf("a %s window has no time zone", Window{kind: w.kind, length: w.length})
		}
		zone, err := time.LoadLocation(w.zone)
		if err != nil {
			return resolved, fmt.Errorf("time zone %q is not known: want a name like \"Europe/Zurich\" (a program without a time zone database can import time/tzdata)", w.zone)
		}
		resolved.Location = zone
	}
	if err := resolved.Validate(); err != nil {
		return resolved, fmt.Errorf("window %s: %w", w, err)
	}
	return resolved, nil
}

// limit checks a budget and turns it into the guard's terms.
func (b Budget) limit() (guard.Limit, error) {
	window, err := b.Window.resolve()
	switch {
	case b.Name == "":
		return guard.Limit{}, errors.New("a budget needs a name")
	case err != nil:
		return guard.Limit{}, fmt.Errorf("budget %q: %w", b.Name, err)
	case b.Cap.Sign() < 0:
		return guard.Limit{}, fmt.Errorf("budget %q: cap %s is negative", b.Name, b.Cap)
	case b.MaxValues < 0:
		return guard.Limit{}, fmt.Errorf("budget %q: MaxValues %d is negative", b.Name, b.MaxValues)
	}
	return guard.Limit{Cap: nanosDown(b.Cap), Window: window, Observe: b.Observe}, nil
}

// nanosDown is a cap in nano-dollars: rounded against the caller, like everything that a budget counts.
func nanosDown(m Money) int64 { return -m.Neg().nanosUp() }

// RefusalReason says why a call did not fit.
type RefusalReason string

// The reasons.
const (
	// ReasonExhausted: what is spent leaves too little. Wait for the reset, or raise the cap.
	ReasonExhausted RefusalReason = "exhausted"
	// ReasonContended: it would fit if the calls in flight cost nothing. Wait for them to settle.
	ReasonContended RefusalReason = "contended"
	// ReasonPerCall: dearer than the budget allows a single call to be.
	ReasonPerCall RefusalReason = "per_call"
	// ReasonUnpriceable: the model has no price, so that nobody can say whether it fits.
	ReasonUnpriceable RefusalReason = "unpriceable"
	// ReasonTooManyValues: the budget is per tag, and keeps as many values as it may.
	ReasonTooManyValues RefusalReason = "too_many_values"
	// ReasonPaused: the budget, key or endpoint is paused.
	ReasonPaused RefusalReason = "paused"
)

// BudgetError says that farebox refused a call, and nothing was sent. It matches ErrRefused, and of ErrBudgetExceeded,
// ErrUnpriced and ErrPaused the one that its reason is.
type BudgetError struct {
	Reason   RefusalReason
	Budget   string // the budget that refused; empty where a key or endpoint is paused
	Value    string // of the tag, for a budget per tag
	Endpoint string // where the call was to go
	Model    string // the model asked for

	Cap   Money // of the budget
	Spent Money // settled in the window
	Held  Money // by calls in flight
	Asked Money // the most that this call can cost

	// Fits is the dearest call that would have been admitted. OutputTokens is the output limit with which this one
	// would have been; 0: none, the input alone is too dear.
	Fits         Money
	OutputTokens int64
	// ResetAt is when the passing of time makes room; zero: it does not.
	ResetAt time.Time
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
	default:
		fmt.Fprintf(&b, "%s of %s is %s: %s spent, %s held, the call may cost %s", e.subject(), e.Cap, e.word(), e.Spent, e.Held, e.Asked)
		if e.OutputTokens > 0 {
			fmt.Fprintf(&b, "; it would fit with an output limit of %d tokens", e.OutputTokens)
		}
		if !e.ResetAt.IsZero() {
			fmt.Fprintf(&b, "; resets at %s", e.ResetAt.Format(time.RFC3339))
		}
	}
	b.WriteString(" (nothing was sent)")
	return b.String()
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
	case ErrBudgetExceeded:
		return e.Reason != ReasonUnpriceable && e.Reason != ReasonPaused
	}
	return false
}
