package farebox

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// APIError is an error that the provider reported: by its status, inside an answer of status 200, or in the middle
// of a stream. It never holds a key or the request. It matches ErrProvider and the sentinel of its kind.
type APIError struct {
	Endpoint     string        // name of the endpoint
	Model        string        // the model asked for
	Status       int           // HTTP status; 200 for an error inside an answer
	Code         string        // the provider's code, numbers written out
	Type         string        // the provider's type
	Message      string        // the provider's words, cut to a readable length
	Upstream     string        // the provider behind a gateway that failed, where it is named
	RequestID    string        // the provider's id for the request
	GenerationID string        // OpenRouter's generation id, to look its cost up
	RetryAfter   time.Duration // how long the provider asks to wait; zero: it does not say
	ResetAt      time.Time     // when a spending limit at the provider is reset; zero: it does not say
	Attempts     int           // physical attempts of the call so far
	Body         []byte        `json:"-"` // the first bytes of the answer, which may repeat the prompt: not printed
	MidStream    bool          // it came after the answer had begun

	reason      string // what a gateway adds to say which of its limits was met
	effective   int    // the status that an error inside a 200 names
	shouldRetry string // OpenAI's and Anthropic's own word: "true" or "false"
	receipts    []Receipt
}

// Error words the error: what happened, where, and the ids to quote to the provider.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "farebox: %s", e.Endpoint)
	if e.Upstream != "" {
		fmt.Fprintf(&b, " (%s)", e.Upstream)
	}
	switch {
	case e.MidStream:
		b.WriteString(" failed in mid-stream")
	case e.Status == http.StatusOK:
		b.WriteString(" answered 200 with an error inside")
	default:
		fmt.Fprintf(&b, " answered %d %s", e.Status, http.StatusText(e.Status))
	}
	if label := e.label(); label != "" {
		fmt.Fprintf(&b, " (%s)", label)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if id := e.RequestID; id != "" {
		b.WriteString(" [request " + id + "]")
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, " [retry after %s]", e.RetryAfter)
	}
	return b.String()
}

// Format prints Error for every verb: %#v must not print Body either.
func (e *APIError) Format(s fmt.State, verb rune) {
	_, _ = fmt.Fprintf(s, fmt.FormatString(s, verb), e.Error())
}

func (e *APIError) label() string {
	switch {
	case e.Type != "" && e.Code != "" && e.Type != e.Code:
		return e.Type + ", " + e.Code
	case e.Type != "":
		return e.Type
	default:
		return e.Code
	}
}

// status is the HTTP status, or the one that an error inside an answer of status 200 names.
func (e *APIError) status() int {
	if e.effective != 0 {
		return e.effective
	}
	return e.Status
}

// Retryable says whether the same request may succeed later at the same endpoint: 408, 409, 429, 5xx and 529,
// but not where the account has run out of money, and not against the provider's own word (x-should-retry). An error in
// mid-stream is not: text has reached the caller.
func (e *APIError) Retryable() bool {
	switch {
	case e.MidStream, e.shouldRetry == "false", e.Is(ErrPaymentRequired), e.Is(ErrContextLength), e.Is(ErrContentFilter):
		return false
	case e.shouldRetry == "true":
		return true
	}
	return retryableStatus(e.status()) || e.Is(ErrRateLimit)
}

func retryableStatus(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented:
		return false
	}
	return status >= 500
}

// ErrorType is a short, bounded name for the kind of error, for metrics and spans (error.type): "rate_limit",
// "context_length", "content_filter", "auth", "payment_required", "timeout", or the status.
func (e *APIError) ErrorType() string {
	if kind := e.kind(); kind != nil {
		return kind.name
	}
	return strconv.Itoa(e.status())
}

// Is matches ErrProvider and the sentinel of the error's kind.
func (e *APIError) Is(target error) bool {
	if target == ErrProvider {
		return true
	}
	kind := e.kind()
	return kind != nil && kind.sentinel == target
}

// apiErrorKind tells one kind of error by its statuses, by words in its code or type, or by words of its message.
type apiErrorKind struct {
	name     string
	sentinel error
	statuses []int
	codes    []string
	words    []string
}

// apiErrorKinds are tried in order, which matters: OpenAI answers 429 to an account without money, and 403 to a
// request that moderation stopped is OpenRouter's.
var apiErrorKinds = []apiErrorKind{
	// OpenRouter's limit on spending in flight is a 402 that passes when open calls end.
	{name: "rate_limit", sentinel: ErrRateLimit, codes: inFlightCodes, words: inFlightWords},
	{
		name: "payment_required", sentinel: ErrPaymentRequired,
		codes: slices.Concat(spendLimitCodes, tooDearCodes, []string{"insufficient_quota", "payment_required", "insufficient_credits"}),
		words: slices.Concat(spendLimitWords, tooDearWords, []string{
			"credit balance is too low", "insufficient credits", "exceeded your current quota", "insufficient balance",
			"used all available credits",
		}),
	},
	{
		name: "context_length", sentinel: ErrContextLength,
		codes: []string{"context_length", "token_limit_exceeded", "string_too_long", "string_above_max_length", "exceed_context_size"},
		words: []string{
			"maximum context length", "maximum prompt length", "prompt is too long", "exceeds the context window",
			"exceed context limit", "exceeds the maximum number of tokens", "exceeds the available context size",
		},
	},
	{
		name: "content_filter", sentinel: ErrContentFilter,
		codes: []string{"content_filter", "content_policy", "responsibleaipolicy", "moderation"},
		words: []string{"flagged by moderation", "requires moderation", "content management policy"},
	},
	{name: "payment_required", sentinel: ErrPaymentRequired, statuses: []int{402}},
	{
		name: "auth", sentinel: ErrAuth, statuses: []int{401, 403},
		codes: []string{"invalid_api_key", "authentication", "permission_denied"},
	},
	{
		name: "rate_limit", sentinel: ErrRateLimit, statuses: []int{429, 529},
		codes: []string{"rate_limit", "overloaded"},
	},
	{name: "timeout", sentinel: ErrTimeout, statuses: []int{408, 504, 524}, codes: []string{"timeout"}},
}

func (k *apiErrorKind) matches(e *APIError) bool {
	if slices.Contains(k.statuses, e.status()) {
		return true
	}
	return e.says(k.codes, k.words)
}

func containsAny(text string, words []string) bool {
	if text == "" || len(words) == 0 {
		return false
	}
	text = strings.ToLower(text)
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}

// kind is the first kind that matches: an error is of one kind only.
func (e *APIError) kind() *apiErrorKind {
	for i := range apiErrorKinds {
		if apiErrorKinds[i].matches(e) {
			return &apiErrorKinds[i]
		}
	}
	return nil
}
