package farebox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Retry says how a Client retries attempts that failed in a way that may pass: no connection, 408, 409, 429, 5xx. Every
// attempt is priced, held and receipted by itself. Nothing is retried once a byte of the answer has reached the caller.
// A zero field takes its default.
type Retry struct {
	// MaxAttempts is the most physical attempts at one model, the first included; 1 turns retrying off. Default 3.
	MaxAttempts int
	// MaxElapsed is the longest that waiting may go on, from the first attempt. A provider that asks for a longer wait
	// is not waited for. Default 1 minute.
	MaxElapsed time.Duration
	// Initial is the mean of the first wait; each further mean is twice the one before, up to Max. A wait is drawn
	// evenly between 0 and twice its mean, and never shorter than the provider asks for. Defaults 500 ms and 20 s.
	Initial, Max time.Duration
}

func (r Retry) resolve() (Retry, error) {
	if r.MaxAttempts < 0 || r.MaxElapsed < 0 || r.Initial < 0 || r.Max < 0 {
		return r, fmt.Errorf("WithRetry: %+v: a field is negative; 0 takes the default, MaxAttempts 1 turns retrying off", r)
	}
	if r.MaxAttempts == 0 {
		r.MaxAttempts = 3
	}
	if r.MaxElapsed == 0 {
		r.MaxElapsed = time.Minute
	}
	if r.Initial == 0 {
		r.Initial = 500 * time.Millisecond
	}
	if r.Max == 0 {
		r.Max = max(20*time.Second, r.Initial)
	}
	if r.Max < r.Initial {
		return r, fmt.Errorf("WithRetry: Max %s is shorter than Initial %s", r.Max, r.Initial)
	}
	return r, nil
}

// waits makes the series of waits of one call.
func (r Retry) waits() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(r.Initial),
		backoff.WithMaxInterval(r.Max),
		backoff.WithMultiplier(2),
		backoff.WithRandomizationFactor(1), // full jitter
		backoff.WithMaxElapsedTime(r.MaxElapsed),
	)
}

// repeat makes attempts until one succeeds, fails for good, or the policy has had enough.
func (r Retry) repeat(ctx context.Context, attempt func() error) error {
	waits := r.waits()
	for n := 1; ; n++ {
		err := attempt()
		if err == nil || n >= r.MaxAttempts || !retryable(err) || ctx.Err() != nil {
			return err
		}
		wait := waits.NextBackOff()
		if wait == backoff.Stop {
			return err
		}
		wait = max(wait, retryAfter(err))
		if waits.GetElapsedTime()+wait > r.MaxElapsed || !sleep(ctx, wait) {
			return err
		}
	}
}

// sleep waits, unless ctx ends first or is sure to: then there is no point in waiting.
func sleep(ctx context.Context, wait time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func retryable(err error) bool {
	var api *APIError
	if errors.As(err, &api) {
		return api.Retryable()
	}
	var network *NetworkError
	return errors.As(err, &network) && network.retryable()
}

// fallsBack says whether another model or endpoint may serve what this one did not.
func fallsBack(err error) bool {
	var api *APIError
	if !errors.As(err, &api) {
		return retryable(err)
	}
	if api.MidStream {
		return false
	}
	return api.Retryable() || api.status() == http.StatusNotFound ||
		errors.Is(api, ErrPaymentRequired) || errors.Is(api, ErrContextLength)
}

func retryAfter(err error) time.Duration {
	var api *APIError
	if errors.As(err, &api) {
		return api.RetryAfter
	}
	return 0
}

// maxRetryAfter bounds what a provider's hint is read as; a longer one is an error of the provider's.
const maxRetryAfter = 24 * time.Hour

// parseRetryAfter reads the hint of an answer's head: Retry-After in seconds or as a date (RFC 9110, section 10.2.3), or
// retry-after-ms (OpenAI, Azure). now is when the answer came.
func parseRetryAfter(head http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(head.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return clampWait(ms / 1000)
	}
	return parseWait(head.Get("Retry-After"), now)
}

func parseWait(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds > 0 {
		return clampWait(seconds)
	}
	if date, err := http.ParseTime(text); err == nil {
		return min(max(date.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

func clampWait(seconds float64) time.Duration {
	if !(seconds < maxRetryAfter.Seconds()) {
		return maxRetryAfter
	}
	return time.Duration(seconds * float64(time.Second))
}
