package farebox

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/farebox-go/farebox/internal/wire"
)

// Shortage says which of the provider's own limits on money a call has met.
type Shortage string

// The shortages. All but ShortageInFlight match ErrPaymentRequired and are not retried: waiting seconds does not help. A
// call that has a choice of models falls back from them, and its endpoint is passed over until the limit is reset or, where
// the provider does not say when, for a minute.
const (
	// ShortageCredits: the account has run out of money.
	ShortageCredits Shortage = "credits"
	// ShortageLimit: a limit on the spending of the key, the workspace or the account has been reached; see APIError.ResetAt.
	ShortageLimit Shortage = "limit"
	// ShortageTooDear: the call alone may cost more than is left. One with a lower output limit may be taken.
	ShortageTooDear Shortage = "too_dear"
	// ShortageInFlight: calls in flight hold what is left. It matches ErrRateLimit, and is retried after RetryAfter.
	ShortageInFlight Shortage = "in_flight"
)

// The words for shortages, in codes, types and reasons, and in messages.
var (
	// OpenRouter counts what calls in flight may cost (openrouter.ai/docs/api-reference/limits, 2026-09: 402 with
	// metadata.reason and Retry-After).
	inFlightCodes = []string{"in_flight_budget"}
	inFlightWords = []string{"given your current in-flight requests"}

	// OpenRouter, where a call's most is more than the balance (402, 2026-05: how many tokens it can afford).
	tooDearCodes = []string{"weight_exceeds_budget"}
	tooDearWords = []string{"requires more credits, or fewer max_tokens"}

	// OpenAI's hard limit (429, 2026-07), LiteLLM's budgets (400), OpenRouter's limits of a key (403, 2026-08) and of a
	// workspace (403 with limit_source), Anthropic's usage limits (400, 2026-04: when access is regained).
	spendLimitCodes = []string{"billing_hard_limit", "budget_exceeded", "spend_limit"}
	spendLimitWords = []string{"key limit exceeded", "reached your specified api usage limits", "budget has been exceeded"}
)

// says whether the error has any of some words in its code, type or reason, or of others in its message.
func (e *APIError) says(codes, words []string) bool {
	return containsAny(e.Code, codes) || containsAny(e.Type, codes) || containsAny(e.reason, codes) || containsAny(e.Message, words)
}

// Shortage says which of the provider's own limits on money the call has met; empty: none.
func (e *APIError) Shortage() Shortage {
	switch {
	case e.says(inFlightCodes, inFlightWords):
		return ShortageInFlight
	case !e.Is(ErrPaymentRequired):
		return ""
	case e.says(tooDearCodes, tooDearWords):
		return ShortageTooDear
	case e.says(spendLimitCodes, spendLimitWords):
		return ShortageLimit
	}
	return ShortageCredits
}

// regainLayout is how Anthropic says when a usage limit is reset.
const regainLayout = "regain access on 2006-01-02 at 15:04 MST"

// parseReset reads when a spending limit is reset; the zero time where the error does not say.
func parseReset(reported *wire.Error) time.Time {
	if at, err := time.Parse(time.RFC3339, reported.ResetAt); err == nil {
		return at
	}
	for from := range len(reported.Message) - len(regainLayout) + 1 {
		if at, err := time.Parse(regainLayout, reported.Message[from:from+len(regainLayout)]); err == nil {
			return at
		}
	}
	return time.Time{}
}

// defaultCooldown is how long an endpoint without money is passed over where nobody says when it will have some again.
const defaultCooldown = time.Minute

// cooldowns are the endpoints that have run out of money. The zero value has none.
type cooldowns struct {
	mu    sync.Mutex
	until map[string]time.Time // by the name of the endpoint
}

// note learns from how a call at an endpoint has ended.
func (c *cooldowns) note(ep *endpoint, err error, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		delete(c.until, ep.name)
		return
	}
	var api *APIError
	if !errors.As(err, &api) {
		return
	}
	if s := api.Shortage(); s != ShortageCredits && s != ShortageLimit {
		return
	}
	if c.until == nil {
		c.until = make(map[string]time.Time)
	}
	c.until[ep.name] = now.Add(defaultCooldown)
	if api.ResetAt.After(now) {
		c.until[ep.name] = api.ResetAt
	}
}

// order puts candidates at endpoints that have run out of money behind the others: a call that has no other place to go
// is the one that finds out whether there is money again.
func (c *cooldowns) order(candidates []resolvedCandidate, now time.Time) []resolvedCandidate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.until) == 0 || len(candidates) < 2 {
		return candidates
	}
	cools := func(candidate resolvedCandidate) bool { return now.Before(c.until[candidate.endpoint.name]) }
	ordered := slices.DeleteFunc(slices.Clone(candidates), cools)
	for _, candidate := range candidates {
		if cools(candidate) {
			ordered = append(ordered, candidate)
		}
	}
	return ordered
}
