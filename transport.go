package farebox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/farebox-go/farebox/internal/wire"
)

// Transport returns a round tripper that meters every request that it knows how to read, and passes all others through
// untouched. base sends them; nil is a transport of farebox's own with sensible timeouts.
//
// A metered request is priced, held against every budget that applies and refused, with a [BudgetError] and before a
// byte is sent, where it does not fit. Its answer's bytes pass through as they arrive. The one exception: where a stream
// would carry no usage, farebox asks for it and takes the extra chunk out again; [WithoutStreamUsage] turns that off.
// The receipt is made when the answer's body has been read to its end or closed, so a body must be closed, as ever.
//
// A request that has passed one metered transport is not metered again by another below it.
//
// A request that no wire format of farebox's knows passes without a receipt and outside every budget; it is counted and
// logged, or refused where [WithRefuseUnmetered] is set. Routes that a provider does not charge for pass as they are.
func (m *Meter) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = m.base
	}
	return &transport{meter: m, base: base}
}

type transport struct {
	meter *Meter
	base  http.RoundTripper
}

// RoundTrip meters one physical attempt.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if isMetered(req.Context()) {
		return t.base.RoundTrip(req)
	}
	known, ok := t.meter.recognise(req)
	switch {
	case !ok:
		return t.pass(req, known.ep)
	case known.route.Billing == wire.FollowUp:
		return t.followUp(req, &known)
	case known.route.Billing == wire.Free:
		return t.base.RoundTrip(req)
	}
	body, err := readBody(req, t.meter.maxRequestBytes)
	if err != nil {
		return nil, err
	}
	if ctx := req.Context(); ctx.Err() != nil {
		return nil, context.Cause(ctx) // nothing would be sent: no attempt
	}
	a, err := t.meter.newAttempt(req, &known, body)
	if err != nil {
		return nil, err
	}
	resp, err := t.send(a, req, body)
	if err != nil {
		a.unanswered(err)
		return nil, err
	}
	withHeaders := a.wantsHeaders(resp)
	a.answered(resp)
	if withHeaders {
		a.putReceipt(resp)
	}
	return resp, nil
}

// pass sends a request that cannot be metered as it is, unless that is refused.
func (t *transport) pass(req *http.Request, ep *endpoint) (*http.Response, error) {
	if err := t.meter.unmetered(req, ep); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as a RoundTripper has to
		}
		return nil, err
	}
	return t.base.RoundTrip(req)
}

var (
	errPanicked = errors.New("farebox: the transport below panicked")
	errNoAnswer = errors.New("farebox: the transport below returned neither an answer nor an error")
)

// send hands an attempt to the transport below. A panic there, or in a tracer, goes on, but not before the attempt has
// been settled.
func (t *transport) send(a *attempt, req *http.Request, body []byte) (*http.Response, error) {
	defer func() {
		if !a.returned.Swap(true) {
			a.unanswered(errPanicked)
		}
	}()
	a.span = t.meter.telemetry.startAttempt(a)
	resp, err := t.base.RoundTrip(a.outgoing(req, body))
	a.returned.Store(true)
	switch {
	case err == nil && resp == nil:
		return nil, errNoAnswer
	case err == nil && resp.Body == nil:
		resp.Body = http.NoBody
	}
	return resp, err
}

// isMetered says that a metered transport has seen the request before this one, and waits for its answer. The context of
// an answered request, which http.Response.Request hands on, must not make later requests free.
func isMetered(ctx context.Context) bool {
	above, _ := ctx.Value(meteredKey).(*attempt)
	return above != nil && !above.returned.Load()
}

// readBody takes the whole body out of a request: it has to be read to be priced.
func readBody(req *http.Request, limit int64) ([]byte, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	defer func() { _ = req.Body.Close() }()
	if req.ContentLength > limit {
		return nil, tooLong(limit)
	}
	if c := callFromContext(req.Context()); c != nil && int64(len(c.body)) == req.ContentLength {
		return c.body, nil
	}
	var buf bytes.Buffer
	if req.ContentLength > 0 {
		buf.Grow(int(req.ContentLength) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(req.Body, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("farebox: reading the request's body: %w: %w", err, ErrRefused)
	case n > limit:
		return nil, tooLong(limit)
	}
	return buf.Bytes(), nil
}

func tooLong(limit int64) error {
	return fmt.Errorf("farebox: the request's body is longer than %d bytes, the limit set by WithMaxRequestBytes: %w", limit, ErrRefused)
}
