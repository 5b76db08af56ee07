package farebox

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// What can go wrong, for errors.Is. A call's error matches exactly one of ErrRefused (farebox refused; nothing was
// sent), ErrProvider (the provider said so), ErrNetwork (no answer, or only part of one) and ErrBudgetCut (farebox cut the
// stream), or none of them where the request itself could not be built. Where a call made several attempts, its error is
// that of the last one.
var (
	// ErrRefused: farebox refused the attempt before a byte of it reached the network. An earlier attempt of the same call
	// may have been sent: [ReceiptsOf] has it, and the error's text says so.
	ErrRefused = errors.New("refused, nothing was sent")
	// ErrBadRequest: the request cannot be sent as it is, or names what is not registered. Matches ErrRefused too.
	ErrBadRequest = fmt.Errorf("bad request: %w", ErrRefused)
	// ErrBudgetExceeded: the call did not fit a budget. Matches ErrRefused too; see [BudgetError].
	ErrBudgetExceeded = errors.New("budget exceeded")
	// ErrUnpriced: the model has no price, and a budget applies. A call's error that matches it matches ErrRefused too;
	// that of [Catalog.Cost] does not.
	ErrUnpriced = errors.New("model has no price")
	// ErrStoreUnavailable: the store that budgets are kept in cannot say what is left. Matches ErrRefused too.
	ErrStoreUnavailable = errors.New("store of budgets is unavailable")
	// ErrPaused: the budget, key or endpoint is paused. Matches ErrRefused too.
	ErrPaused = errors.New("paused")
	// ErrNoCandidate: no model of a choice meets the request's needs. Matches ErrRefused too.
	ErrNoCandidate = fmt.Errorf("no model meets the request's needs: %w", ErrRefused)

	// ErrProvider: the provider answered with an error; see [APIError].
	ErrProvider = errors.New("provider error")
	// ErrRateLimit: too many requests, or the provider is overloaded.
	ErrRateLimit = errors.New("rate limited")
	// ErrContextLength: the request is longer than the model's context.
	ErrContextLength = errors.New("context length exceeded")
	// ErrContentFilter: the provider's moderation stopped the request or the answer.
	ErrContentFilter = errors.New("content filtered")
	// ErrAuth: the key is missing, wrong or not allowed to do this.
	ErrAuth = errors.New("authentication failed")
	// ErrPaymentRequired: the account or key has run out of credits at the provider.
	ErrPaymentRequired = errors.New("payment required")

	// ErrNetwork: the network failed; see [NetworkError].
	ErrNetwork = errors.New("network failure")
	// ErrTimeout: no answer in time. Matches ErrNetwork, or ErrProvider where the provider timed out.
	ErrTimeout = errors.New("timed out")
	// ErrStreamTruncated: a stream ended without its terminator; what was received stands. Matches ErrNetwork.
	ErrStreamTruncated = errors.New("stream ended before its terminator")
	// ErrTooLarge: an answer, or one event of a stream, is larger than the limit set by [WithMaxResponseBytes] or
	// [WithMaxEventBytes]. Matches ErrNetwork: the rest was not read.
	ErrTooLarge = errors.New("answer larger than the limit")
)

// NetworkError says that an attempt got no answer, or only part of one. It matches ErrNetwork, ErrTimeout where time
// ran out, and whatever the cause matches (context.Canceled, net.ErrClosed, ErrStreamTruncated …).
type NetworkError struct {
	Endpoint string // name of the endpoint
	Model    string // the model asked for
	Attempts int    // physical attempts of the call so far
	Sent     bool   // bytes of the request may have been written: the provider may bill it
	Err      error  // the cause

	receipts []Receipt
}

// Error says what failed and whether anything was sent.
func (e *NetworkError) Error() string {
	sent := "nothing was sent"
	if e.Sent {
		sent = "the request had been sent"
	}
	return fmt.Sprintf("farebox: %s: %s: %v", e.Endpoint, sent, e.Err)
}

// Unwrap returns the cause.
func (e *NetworkError) Unwrap() error { return e.Err }

// Is matches ErrNetwork, and ErrTimeout where time ran out.
func (e *NetworkError) Is(target error) bool {
	return target == ErrNetwork || (target == ErrTimeout && isTimeout(e.Err))
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &timeout) && timeout.Timeout())
}

// retryable says whether another attempt may fare better: not where the caller gave up, and not once text has
// reached the caller, which is decided where this is asked.
func (e *NetworkError) retryable() bool {
	return !errors.Is(e.Err, context.Canceled) && !errors.Is(e.Err, ErrTooLarge)
}

// receiptCarrier is an error that knows what the call cost all the same.
type receiptCarrier interface{ carried() []Receipt }

func (e *APIError) carried() []Receipt     { return e.receipts }
func (e *NetworkError) carried() []Receipt { return e.receipts }
func (e *callError) carried() []Receipt    { return e.receipts }

// callError adds the receipts of earlier attempts to an error of another kind: a refusal of the next one.
type callError struct {
	err      error
	receipts []Receipt
}

func (e *callError) Error() string {
	return fmt.Sprintf("%v; attempts of the call before that: %d, for %s", e.err, len(e.receipts), CostOf(e.receipts))
}

func (e *callError) Unwrap() error { return e.err }

// withReceipts puts the receipts of a call into its error.
func withReceipts(err error, receipts []Receipt) error {
	switch e := err.(type) {
	case *APIError:
		e.receipts = receipts
		return e
	case *NetworkError:
		e.receipts = receipts
		return e
	case *BudgetCutError:
		e.receipts = receipts
		return e
	}
	if err == nil || len(receipts) == 0 {
		return err
	}
	return &callError{err: err, receipts: receipts}
}

// ReceiptsOf returns the receipts of a call that failed, one for each attempt that was made: a failed call may have
// cost money too. It is nil for errors of other origin and for calls that were refused at the first attempt.
func ReceiptsOf(err error) []Receipt {
	var carrier receiptCarrier
	if errors.As(err, &carrier) {
		return carrier.carried()
	}
	return nil
}

// errorType is a short, bounded name for an error.
func errorType(err error) string {
	var api *APIError
	var refused *BudgetError
	switch {
	case errors.As(err, &api):
		return api.ErrorType()
	case errors.As(err, &refused):
		return "refused." + string(refused.Reason)
	case errors.Is(err, ErrBudgetCut):
		return "budget_cut"
	case errors.Is(err, ErrRefused):
		return "refused"
	}
	return networkErrorType(err)
}

func networkErrorType(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case isTimeout(err):
		return "timeout"
	case errors.Is(err, ErrStreamTruncated):
		return "truncated"
	}
	return "network"
}
