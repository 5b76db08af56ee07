package farebox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/farebox-go/farebox/internal/wire"
)

// callSpec is what a method of the Client asks for.
type callSpec struct {
	op      wire.Operation
	path    string // under an endpoint's base URL
	model   string
	request any // encoded as JSON
	stream  bool
	options []CallOption
}

// call is one logical call of a Client: all its attempts, at every model and endpoint that it tries.
type call struct {
	spec    callSpec
	client  *Client
	streams bool // it asks for streams, whatever the caller takes
	id      string
	header  http.Header
	span    trace.Span

	// Of the attempt under way. The transport fills in the last two.
	endpoint *endpoint
	model    string
	edits    []string
	streamed bool // it asks for a stream
	body     []byte
	sent     bool
	timer    *time.Timer // ends the attempt
	answer   *wire.Answer

	mu       sync.Mutex
	attempts int
	receipts []Receipt
}

func callFromContext(ctx context.Context) *call {
	c, _ := ctx.Value(callKey).(*call)
	return c
}

func (c *call) nextAttempt() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempts++
	return c.attempts
}

func (c *call) add(r Receipt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receipts = append(c.receipts, r)
}

func (c *call) all() []Receipt {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.receipts[:len(c.receipts):len(c.receipts)]
}

// end closes the call's books and span, and puts its receipts into its error.
func (c *call) end(err error) error {
	err = withReceipts(err, c.all())
	c.client.meter.telemetry.endCall(c.span, c, err)
	return err
}

// answerReader takes an attempt's answer, and closes its body unless it returns kept: then it reads on later, and ends
// the attempt's context with stop.
type answerReader func(c *call, resp *http.Response, stop func()) (kept bool, err error)

// perform makes a call: it tries each candidate in turn, each as often as the retry policy allows, until read takes
// one's answer. Where it returns no error, ending the call is the caller's.
func (c *Client) perform(ctx context.Context, spec callSpec, read answerReader) (*call, error) {
	options, err := newCallOptions(spec.options)
	if err != nil {
		return nil, err
	}
	streamed := spec.stream || spec.op == wire.Chat && options.streamsAnswer(c.streamedAnswers)
	body, err := options.encode(spec.request, streamed)
	if err != nil {
		return nil, err
	}
	first := c.endpoint
	if options.endpoint != "" {
		if first, err = c.endpointNamed(options.endpoint); err != nil {
			return nil, err
		}
	}
	ctx = ContextWithTags(ctx, options.tags)
	if options.whenFull != "" {
		ctx = ContextWithWhenFull(ctx, options.whenFull)
	}
	this := &call{spec: spec, client: c, id: newID(time.Now()), header: options.header, endpoint: first, model: spec.model, streams: streamed}
	ctx, this.span = c.meter.telemetry.startCall(ctx, string(spec.op), spec.model)
	candidates, err := c.candidates(ctx, first, spec, body)
	for _, candidate := range c.cooldowns.order(candidates, time.Now()) {
		err = c.tryDown(ctx, this, candidate, body, read)
		c.cooldowns.note(this.endpoint, err, time.Now())
		if err == nil {
			return this, nil
		}
		if !fallsBack(err) || ctx.Err() != nil {
			break
		}
	}
	return nil, this.end(err)
}

// try makes attempts at one candidate. degraded says that it stands in for one that did not fit a budget.
func (c *Client) try(ctx context.Context, this *call, candidate resolvedCandidate, degraded bool, body []byte, read answerReader) error {
	body, edits, err := forModel(body, candidate.endpoint, this.spec.model, candidate.model)
	if err != nil {
		return err
	}
	if degraded {
		edits = append(edits, editModel)
	}
	this.endpoint, this.model, this.edits = candidate.endpoint, candidate.model, edits
	if this.streamed = this.streams; this.streamed && !this.spec.stream {
		this.edits = append(edits, editStream)
	}
	return c.retry.repeat(ctx, func() error {
		err := c.attempt(ctx, this, body, read)
		if !this.refusesStream(err) {
			return err
		}
		if body, err = setFields(body, bodyField{"stream", nil}, bodyField{"stream_options", nil}); err != nil {
			return err
		}
		this.streamed, this.edits = false, edits
		return c.attempt(ctx, this, body, read)
	})
}

// errAttemptTimeout is the cause of an attempt that took too long.
var errAttemptTimeout = fmt.Errorf("no answer within the time for an attempt, set by WithAttemptTimeout: %w", context.DeadlineExceeded)

// attempt sends one physical attempt.
func (c *Client) attempt(ctx context.Context, this *call, body []byte, read answerReader) error {
	ctx, cancel := context.WithCancelCause(context.WithValue(ctx, callKey, this))
	timer := time.AfterFunc(c.timeout, func() { cancel(errAttemptTimeout) })
	stop := func() {
		timer.Stop()
		cancel(nil)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, this.endpoint.at(this.spec.path), bytes.NewReader(body))
	if err != nil {
		stop()
		return fmt.Errorf("farebox: endpoint %s: %w", this.endpoint.name, stripURL(err))
	}
	this.setHeader(req.Header)
	this.body, this.sent, this.answer, this.timer = body, false, nil, timer
	resp, err := c.http.Do(req)
	if err != nil {
		stop()
		return this.failure(ctx, err)
	}
	resp.Request = req // not every transport says what it answers
	kept, err := read(this, resp, stop)
	if kept {
		timer.Stop()
		return nil
	}
	stop()
	return err
}

func (c *call) setHeader(h http.Header) {
	h.Set("Content-Type", "application/json")
	h.Set("Accept", "application/json")
	if c.streamed {
		h.Set("Accept", "text/event-stream")
	}
	c.endpoint.authorize(h)
	for name, values := range c.header {
		h[name] = values
	}
}

// failure words an attempt that got no answer, or only part of one: farebox refused it, or the network failed.
func (c *call) failure(ctx context.Context, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // the URL adds nothing
	}
	if errors.Is(err, ErrRefused) {
		return err
	}
	var cut *BudgetCutError
	if errors.As(err, &cut) {
		return &BudgetCutError{Budget: cut.Budget, Value: cut.Value, Reason: cut.Reason} // its receipts are the call's
	}
	if cause := context.Cause(ctx); errors.Is(cause, errAttemptTimeout) {
		err = cause
	}
	return &NetworkError{Endpoint: c.endpoint.name, Model: c.model, Attempts: c.attempts, Sent: c.sent, Err: err}
}

// whole reads an answer that is not a stream. take is given its body, which is one that holds no error.
func whole(limit int64, take func(body []byte, head http.Header) error) answerReader {
	return func(c *call, resp *http.Response, _ func()) (kept bool, err error) {
		body, err := c.readBody(resp, limit)
		if err != nil {
			return false, err
		}
		if err := c.errorIn(resp, body); err != nil {
			return false, err
		}
		if err := take(body, resp.Header); err != nil {
			return false, c.invalid(resp, body, err)
		}
		return false, nil
	}
}

// readBody reads an answer's body to its end and closes it.
func (c *call) readBody(resp *http.Response, limit int64) ([]byte, error) {
	defer func() { _ = resp.Body.Close() }()
	if !isSuccess(resp.StatusCode) {
		limit = min(limit, maxErrorBody)
	}
	var buf bytes.Buffer
	if resp.ContentLength > 0 && resp.ContentLength <= limit {
		buf.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil && isSuccess(resp.StatusCode):
		return nil, c.failure(resp.Request.Context(), err)
	case n > limit && isSuccess(resp.StatusCode):
		return nil, c.failure(resp.Request.Context(), fmt.Errorf("%w of %d bytes, set by WithMaxResponseBytes", ErrTooLarge, limit))
	}
	return buf.Bytes(), nil
}

// errorIn returns the error that an answer reports, by its status or inside.
func (c *call) errorIn(resp *http.Response, body []byte) error {
	if !isSuccess(resp.StatusCode) {
		reported := c.client.format.ReadError(resp.StatusCode, body)
		return c.apiError(resp, body, &reported)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return c.failure(resp.Request.Context(), fmt.Errorf("the answer of status %d is empty: %w", resp.StatusCode, io.ErrUnexpectedEOF))
	}
	if c.answer != nil && c.answer.Err != nil {
		return c.apiError(resp, body, c.answer.Err)
	}
	return nil
}

// invalid words an answer of status 200 that is not what was asked for.
func (c *call) invalid(resp *http.Response, body []byte, err error) *APIError {
	return c.apiError(resp, body, &wire.Error{
		Type: "invalid_response", Message: "the answer is not what the operation returns: " + err.Error(),
	})
}

const errorBodyBytes = 4 << 10 // of an answer, kept with its error

// apiError makes the error that a caller sees of what a provider reported.
func (c *call) apiError(resp *http.Response, body []byte, reported *wire.Error) *APIError {
	hide := keyHider(resp.Request.Header)
	e := newAPIError(c.endpoint.name, c.model, resp.StatusCode, reported)
	e.Message, e.Code, e.Type = hide.Replace(e.Message), hide.Replace(e.Code), hide.Replace(e.Type)
	e.RequestID = requestIDOf(resp.Header)
	e.GenerationID = resp.Header.Get("X-Generation-Id")
	e.RetryAfter = max(e.RetryAfter, parseRetryAfter(resp.Header, time.Now()))
	e.shouldRetry = resp.Header.Get("X-Should-Retry")
	e.Attempts = c.attempts
	shown := hide.Replace(string(body[:min(len(body), maxErrorBody)]))
	e.Body = []byte(shown[:min(len(shown), errorBodyBytes)])
	return e
}

// minKey is the length from which a key is worth hiding: shorter ones are words that may stand in any text.
const minKey = 8

// keyHider hides the key of a request: some providers and proxies repeat the one that they refuse.
func keyHider(head http.Header) *strings.Replacer {
	key := keyOf(head)
	if len(key) < minKey {
		return strings.NewReplacer()
	}
	return strings.NewReplacer(key, "***")
}

func newAPIError(endpoint, model string, status int, reported *wire.Error) *APIError {
	return &APIError{
		Endpoint: endpoint, Model: model, Status: status, effective: reported.Status,
		Code: reported.Code, Type: reported.Type, Message: reported.Message, Upstream: reported.Provider,
		RetryAfter: parseWait(reported.RetryAfter, time.Now()),
		reason:     reported.Reason, ResetAt: parseReset(reported),
	}
}
