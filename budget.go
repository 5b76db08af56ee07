package farebox

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
)

// Budget is a cap over a window, for a scope: in money or, where Tokens or Requests is set, in those. Every call that it
// applies to must fit under it before it is sent; up to 16 budgets may apply to one call, and all must agree, in one step.
type Budget struct {
	// Name stands in receipts and errors; it is unique in a Meter.
	Name string `json:"name"`
	// Cap is the most that may be spent in a window; it cannot be negative. It is kept in nano-dollars, rounded down.
	Cap Money `json:"cap,omitzero"`
	// Tokens, where it is set, is the most tokens, input and output together, that may be used in a window, in place of
	// Cap. A call is held at the most tokens that it can use, and charged what the provider reports.
	Tokens int64 `json:"tokens,omitzero"`
	// Requests, where it is set, is the most attempts that may be sent in a window, in place of Cap.
	Requests int64 `json:"requests,omitzero"`
	// Window is the time over which the cap counts. The zero value is a total that is never reset.
	Window Window `json:"window,omitzero"`
	// Scope selects the calls that count. The zero value selects all of them.
	Scope Scope `json:"scope,omitzero"`
	// Per is the name of a tag: each of its values has a cap of its own. Calls without the tag share one.
	Per string `json:"per,omitzero"`
	// MaxValues is the most values of Per that are kept at a time; a new value beyond it is refused, since dropping a
	// counter inside its window would open the cap. 0 is 100,000.
	MaxValues int `json:"max_values,omitzero"`
	// WhenFull says what becomes of a call that does not fit; the zero value refuses it.
	WhenFull WhenFull `json:"when_full,omitzero"`
	// Hold says how much is set aside for a call in flight; the zero value holds the most that it can cost.
	Hold HoldPolicy `json:"hold,omitzero"`
	// MinOutputTokens is the floor of [Fit]: an output limit is never lowered below it. 0 is 64.
	MinOutputTokens int64 `json:"min_output_tokens,omitzero"`
	// TolerancePercent lets more calls fly at a time: the most that all of them can cost may pass the cap by so many
	// percent, as long as what they are expected to cost does not. The overshoot is never more. 0, the default, holds the
	// cap whatever happens; 100 is the most. Of a budget in a store it has no effect: the store lends only what the cap has,
	// and calls hold the most that they can cost.
	TolerancePercent int `json:"tolerance_percent,omitzero"`
	// Strict refuses a call whose most rests on an assumption ([Quote.Assumed]) rather than holding what is assumed.
	Strict bool `json:"strict,omitzero"`
	// Thresholds are shares of the cap, in percent and rising, that are told of once a window each. Nil is 50, 80 and 100;
	// an empty list, none. Those of a budget in a store are of what the whole fleet has spent: every process that spends
	// of it tells, once a window each, when the store lets it know, which is about every second; what other processes have
	// borrowed and not spent may make it early by that much, 1/256 of the cap for each of them.
	Thresholds []int `json:"thresholds,omitempty"`
	// Expires is when the budget ends: from then on it refuses everything, whatever is left, until it is changed or taken
	// away. Zero: never. With a total it makes a prepaid amount that lapses. It is by this process's clock.
	Expires time.Time `json:"expires,omitzero"`
	// Observe counts and reports what would have been refused, but refuses nothing.
	Observe bool `json:"observe,omitzero"`
	// ChargeOnly counts only the gateway's own charge of a call made with a key of the user's own (BYOK), and not what
	// that key's provider bills on top.
	ChargeOnly bool `json:"charge_only,omitzero"`
}

// Scope selects calls. Empty fields select all; those that are set must all match, exactly as they are written: a Scope
// with a misspelt name selects nothing.
type Scope struct {
	Tags     Tags   `json:"tags,omitempty"`    // every one of them must stand on the call
	Key      string `json:"key,omitzero"`      // a key's label or its hash
	Endpoint string `json:"endpoint,omitzero"` // an endpoint's name, as receipts have it; see WithEndpoint
	Model    string `json:"model,omitzero"`    // the model asked for, or one that may serve instead (OpenRouter's models), as the provider names it
}

// spender is what a scope is matched against.
type spender struct {
	endpoint, keyLabel, keyHash, model string
	fallbacks                          []string // models that the gateway may serve instead
	tags                               Tags
	run                                *Run // nil: none
}

func (s *Scope) match(by *spender) bool {
	return (s.Endpoint == "" || s.Endpoint == by.endpoint) &&
		(s.Model == "" || s.Model == by.model || slices.Contains(by.fallbacks, s.Model)) &&
		(s.Key == "" || s.Key == by.keyLabel || s.Key == by.keyHash) &&
		s.Tags.match(by.tags)
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
	case b.Tokens < 0 || b.Requests < 0:
		return guard.Limit{}, fmt.Errorf("budget %q: %d tokens, %d requests: want neither negative", b.Name, b.Tokens, b.Requests)
	case b.units() > 1:
		return guard.Limit{}, fmt.Errorf("budget %q: has more than one of Cap, Tokens and Requests: make a Budget of each", b.Name)
	case b.Requests > 0 && b.Window.kind == guard.PerCall:
		return guard.Limit{}, fmt.Errorf("budget %q: a cap of requests per call: every call is one", b.Name)
	case !b.WhenFull.isKnown():
		return guard.Limit{}, fmt.Errorf("budget %q: WhenFull %q is not known: want Refuse, Fit, Degrade or Wait", b.Name, b.WhenFull)
	case b.Hold != "" && b.Hold != WorstCase && b.Hold != Progressive:
		return guard.Limit{}, fmt.Errorf("budget %q: Hold %q is not known: want WorstCase or Progressive", b.Name, b.Hold)
	case b.MinOutputTokens < 0:
		return guard.Limit{}, fmt.Errorf("budget %q: MinOutputTokens %d is negative", b.Name, b.MinOutputTokens)
	case b.TolerancePercent < 0 || b.TolerancePercent > 100:
		return guard.Limit{}, fmt.Errorf("budget %q: TolerancePercent %d: want 0 to 100", b.Name, b.TolerancePercent)
	}
	limit := guard.Limit{
		Cap: b.cap(), Window: window, Observe: b.Observe,
		Tolerance: int64(b.TolerancePercent) * 10_000, Thresholds: b.thresholds(), Owner: limitOwner{b.Name, b.unit()},
	}
	for i, t := range limit.Thresholds {
		if t < 1 || i > 0 && t <= limit.Thresholds[i-1] || len(limit.Thresholds) > maxThresholds {
			return limit, fmt.Errorf("budget %q: Thresholds %v: want up to %d rising percentages, the first at least 1", b.Name, limit.Thresholds, maxThresholds)
		}
	}
	return limit, nil
}

const maxThresholds = 100

func (b *Budget) thresholds() []int {
	if b.Thresholds == nil {
		return guard.UsualThresholds
	}
	return b.Thresholds
}

// Unit is what a budget counts in.
type Unit string

// The units.
const (
	UnitUSD      Unit = "" // the usual one
	UnitTokens   Unit = "tokens"
	UnitRequests Unit = "requests"
)

func (b *Budget) unit() Unit {
	switch {
	case b.Tokens > 0:
		return UnitTokens
	case b.Requests > 0:
		return UnitRequests
	}
	return UnitUSD
}

// units is how many units a budget has a cap in.
func (b *Budget) units() (n int) {
	for _, set := range [...]bool{!b.Cap.IsZero(), b.Tokens > 0, b.Requests > 0} {
		if set {
			n++
		}
	}
	return n
}

// cap is the budget's cap in the guard's terms: nano-dollars, tokens or requests.
func (b *Budget) cap() int64 {
	switch b.unit() {
	case UnitTokens:
		return b.Tokens
	case UnitRequests:
		return b.Requests
	}
	return nanosDown(b.Cap)
}

// Counts are how a budget of tokens or requests stands; of a budget in money all are 0.
type Counts struct {
	Cap   int64 `json:"cap"`
	Spent int64 `json:"spent"`
	Held  int64 `json:"held"`
	Free  int64 `json:"free"`
}

// nanosDown is a cap in nano-dollars: rounded against the caller, like everything that a budget counts.
func nanosDown(m Money) int64 { return -m.Neg().nanosUp() }
