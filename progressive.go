package farebox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// HoldPolicy says how much a budget sets aside for a call in flight.
type HoldPolicy string

// The policies.
const (
	// WorstCase holds the most that the call can cost. It is what the zero value does.
	WorstCase HoldPolicy = "worst_case"
	// Progressive holds the input and a first slice of the output, and more as the stream goes on. Where the budget has no
	// more, the stream is cut: it ends with ErrBudgetCut after the text that was paid for. So calls that may be long, and
	// hardly ever are, do not keep each other out. [WithStreamedAnswers] makes streams of calls for whole answers. It is for budgets of this process alone (not [WithStore]), for streams of
	// one answer whose bill stops when they are cancelled, and for models that are not known to reason where nobody sees
	// it; all other calls are held as WorstCase. What passes is taken for one token in two bytes at most; a stream that has
	// more is booked in full, as an overrun.
	Progressive HoldPolicy = "progressive"
)

// ErrBudgetCut is what a stream ends with that was cut because a budget had no more to hold for it; see [Progressive]. What
// was received stands, and was paid for. It does not match ErrBudgetExceeded or ErrRefused: the call was sent.
var ErrBudgetCut = fmt.Errorf("cut in mid-stream for want of budget")

// BudgetCutError says which budget cut a stream. It matches ErrBudgetCut.
type BudgetCutError struct {
	Budget string
	Value  string        // of the tag, for a budget per tag
	Reason RefusalReason // of the further hold

	receipts []Receipt
}

// Error says which budget cut the stream.
func (e *BudgetCutError) Error() string {
	return fmt.Sprintf("farebox: budget %q (%s): %v", e.Budget, e.Reason, ErrBudgetCut)
}

// Is matches ErrBudgetCut.
func (e *BudgetCutError) Is(target error) bool { return target == ErrBudgetCut }

func (e *BudgetCutError) carried() []Receipt { return e.receipts }

const (
	outputSlice   = 512 // tokens of output that are held at a time
	cutMargin     = 64  // tokens before the end of what is held at which a stream is cut: what comes before the cut takes effect
	bytesPerHeld  = 2   // bytes of text that are taken for a token
	retryDistance = 32  // tokens between two tries for more
)

// pace is how far a stream that is held progressively has come, in output tokens.
type pace struct {
	held  int64 // 0: the call is not held progressively
	limit int64
	tryAt int64 // having seen how many to ask for more
}

// startPace decides whether the call is held progressively by the budgets that are.
func (a *attempt) startPace() {
	a.hold.pace = pace{}
	progressive := func(b *budget) bool { return b.Hold == Progressive }
	if a.meter.guard.lender != nil || !a.request.Stream || a.quoted.choices != 1 || !slices.ContainsFunc(a.hold.budgets[:a.hold.n], progressive) ||
		a.quoted.MostOutputTokens <= outputSlice || a.reasonsUnseen() || !a.cancelStopsBill() {
		return
	}
	a.hold.pace = pace{held: outputSlice, limit: a.quoted.MostOutputTokens, tryAt: outputSlice / 2}
}

// reasonsUnseen says whether the model may have output that no text tells of.
func (a *attempt) reasonsUnseen() bool {
	return a.quoted.model == nil || a.quoted.model.Reasoning == SupportYes || len(a.quoted.others) > 0
}

// cancellingProviders are those whose bill stops when a stream is cancelled: OpenRouter relies on it, by cancelling its own
// requests to them (openrouter.ai/docs/api-reference/streaming, 2026-11).
var cancellingProviders = []string{
	"openai", "azure", "anthropic", "together", "xai", "deepseek", "cohere", "fireworks", "novita", "cloudflare",
}

// openRouterCancels are the providers behind OpenRouter whose bill stops when a stream is cancelled (the same page).
// Bedrock, Groq, Google, Mistral and others go on.
var openRouterCancels = []string{
	"openai", "azure", "anthropic", "fireworks", "mancer", "recursal", "anyscale", "lepton", "octoai", "novita", "deepinfra",
	"together", "cohere", "hyperbolic", "infermatic", "xai", "cloudflare", "sfcompute", "liquid", "friendli", "chutes", "deepseek",
}

// cancelStopsBill says whether a stream that is cancelled is billed no further. Behind OpenRouter that is so where the
// request leaves it no provider but such ones.
func (a *attempt) cancelStopsBill() bool {
	if a.ep.provider.id != "openrouter" {
		return a.ep.cancellable || slices.Contains(cancellingProviders, a.ep.provider.id)
	}
	var preferences ProviderPreferences
	if raw := jsonwalk.Find(a.body, "provider"); raw == nil || json.Unmarshal(withoutMaxPrice(raw), &preferences) != nil {
		return false
	}
	allowed := preferences.Only
	if fallbacks := preferences.AllowFallbacks; len(allowed) == 0 && fallbacks != nil && !*fallbacks {
		allowed = preferences.Order
	}
	for _, name := range allowed {
		name, _, _ = strings.Cut(strings.ToLower(name), "/") // "deepinfra/turbo" is an endpoint of DeepInfra
		if !slices.Contains(openRouterCancels, name) {
			return false
		}
	}
	return len(allowed) > 0
}

// withoutMaxPrice is preferences with a max_price that decodes, whatever was in it.
func withoutMaxPrice(preferences []byte) []byte {
	if jsonwalk.Find(preferences, "max_price") == nil {
		return preferences
	}
	plain, err := jsonwalk.Set(preferences, "null", "max_price")
	if err != nil {
		return nil
	}
	return plain
}

// keepPace holds more where a stream has come near the end of what is held, and cuts it where there is no more.
func (a *attempt) keepPace(textBytes int64) {
	p := &a.hold.pace
	seen := textBytes / bytesPerHeld
	if seen < p.tryAt || p.held >= p.limit || a.cut.Load() != nil {
		return
	}
	decision := a.growByWhatFits(p)
	switch {
	case decision.Admitted() || decision.Reason == guard.Invalid: // Invalid: the attempt has ended
	case seen+cutMargin >= p.held:
		a.cutStream(&decision)
	default:
		a.meter.guard.forgive(&a.hold, &BudgetError{counted: decision.Refused})
		p.tryAt = seen + retryDistance
	}
}

// growByWhatFits holds another slice or, where there is no room for it, a smaller one.
func (a *attempt) growByWhatFits(p *pace) (decision guard.Decision) {
	for slice := int64(outputSlice); slice >= cutMargin; slice /= 2 {
		target := min(p.held+slice, p.limit)
		decision = a.hold.grow(&a.quoted, target, time.Now())
		if decision.Admitted() || decision.Reason == guard.Invalid {
			p.held, p.tryAt = target, target-slice/2
			break
		}
		if slice > cutMargin {
			a.meter.guard.forgive(&a.hold, &BudgetError{counted: decision.Refused})
		}
	}
	return decision
}

func (a *attempt) cutStream(d *guard.Decision) {
	a.receipt.ErrorType = "budget_cut"
	a.cut.Store(&BudgetCutError{
		Budget: a.hold.budgets[d.Posting].Name, Value: a.hold.values[d.Posting], Reason: refusalReasons[d.Reason],
	})
}

// grow extends the hold to so many tokens of output.
func (h *hold) grow(q *quoted, output int64, now time.Time) guard.Decision {
	var more [guard.MaxPostings]int64
	for i, b := range h.budgets[:h.n] {
		if b.Hold == Progressive {
			most, _ := q.takes(b.unit(), output)
			more[i] = max(0, most-h.held[i])
		}
	}
	decision := h.Extend(now, more[:h.n]...)
	if decision.Admitted() {
		for i := range h.held[:h.n] {
			h.held[i] += more[i]
		}
	}
	return decision
}

// covers says whether what is held in money is no less than a cost.
func (h *hold) covers(cost Money) bool {
	for i, b := range h.budgets[:h.n] {
		if b.unit() == UnitUSD && h.held[i] < cost.nanosUp() {
			return false
		}
	}
	return true
}
