package farebox

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/farebox-go/farebox/internal/wire"
)

// attempt is one physical attempt, from its quote to its receipt.
type attempt struct {
	meter  *Meter
	ctx    context.Context
	format wire.Format

	providerCount int64 // of the input's tokens; 0: the provider was not asked, or did not say
	asked         bool
	request       wire.Request
	body          []byte // of the request, as the caller made it; nil once the attempt has ended
	fitted        []byte // with a lower output limit; nil: it is sent as it came
	ep            *endpoint
	call          *call // the Client's call that it belongs to; nil under another SDK
	run           *Run  // that it belongs to; nil: none
	quoted        quoted
	hold          hold
	earlier       *attempt    // that this is a later look at; nil: it is charged for itself
	priced        *priceTable // what Computed was made with; nil before, and where there is no price
	receipt       Receipt
	span          attemptSpan
	begun         time.Time // by the clock; the receipt may be dated otherwise

	// connecting and connected tell whether a byte may have been written: see sent.
	connecting, connected atomic.Bool
	trace                 httptrace.ClientTrace
	stripUsage            bool        // the usage chunk was asked for by farebox, not by the caller
	noted                 bool        // in the journal
	signed                bool        // the request's body is part of a signature: it cannot be edited
	returned              atomic.Bool // the transport below has
	ended                 atomic.Bool
	cut                   atomic.Pointer[BudgetCutError] // for want of budget; nil: it was not
}

// newAttempt prices a request and holds its money, or refuses it.
func (m *Meter) newAttempt(req *http.Request, known *recognised, body []byte) (*attempt, error) {
	a := &attempt{
		meter: m, ctx: req.Context(), ep: known.ep, format: known.format, body: body, call: callFromContext(req.Context()),
		run: runFromContext(req.Context()), signed: isSigned(req.Header),
	}
	op := known.route.Operation
	var unreadable error
	if a.request, unreadable = a.format.ReadRequest(op, known.to, body); unreadable != nil {
		// The provider will say so, unless it reads what farebox does not. Under a budget it cannot be priced but by a stated
		// rate; then all of it may be text.
		a.request = wire.Request{Operation: op, TextBytes: int64(len(body))}
	}
	now := time.Now()
	a.startReceipt(now)
	a.quoted = m.quote(a.ep, &a.request, nil, a.receipt.Start)
	if err := m.begin(); err != nil {
		return nil, err
	}
	if err := a.run.enter(); err != nil {
		m.open.Done()
		return nil, err
	}
	m.events.watch(a, now)
	repeat := a.call == nil && m.refused.repeats(req, body, now)
	err := a.holdMoney(body, now, repeat)
	if err == nil {
		err = a.note()
	}
	if err != nil {
		a.run.leave()
		m.open.Done()
		if !repeat {
			m.telemetry.refused(a.ctx, a, err)
			m.events.refused(a, err)
			m.refused.add(req, body, now)
		}
		return nil, err
	}
	return a, nil
}

func (a *attempt) spender() *spender {
	return &spender{
		endpoint: a.ep.name, keyLabel: a.ep.keyLabel, keyHash: a.ep.keyHash,
		model: a.request.Model, fallbacks: a.request.Models, tags: a.receipt.Tags, run: a.run,
	}
}

// startReceipt fills in what is known before the attempt is sent.
func (a *attempt) startReceipt(now time.Time) {
	r := &a.receipt
	a.begun = now
	at := timeFromContext(a.ctx, now)
	r.Schema, r.ID, r.Start, r.Attempt = ReceiptSchema, newID(at), at, 1
	r.CallID = r.ID
	if a.call != nil {
		r.CallID = a.call.id
		r.Attempt = a.call.nextAttempt()
	}
	r.Endpoint, r.KeyLabel, r.KeyHash = a.ep.name, a.ep.keyLabel, a.ep.keyHash
	r.Operation, r.Stream, r.ModelAsked = string(a.request.Operation), a.request.Stream, a.request.Model
	r.Tags = TagsFromContext(a.ctx)
	if a.call != nil {
		r.Edits = append(r.Edits, a.call.edits...)
	}
}

// outgoing is the request as it is sent: with the edits that metering needs, and traced.
func (a *attempt) outgoing(req *http.Request, body []byte) *http.Request {
	if a.fitted != nil {
		body = a.fitted
	}
	body = a.capPrice(body)
	if a.request.Stream && !a.signed && !a.request.IncludeUsage && a.ep.provider.streamUsage == usageOnRequest && !a.meter.leaveUsage {
		if edited, err := a.format.IncludeUsage(body); err == nil {
			body, a.stripUsage = edited, true
			a.receipt.Edits = append(a.receipt.Edits, editIncludeUsage)
		}
	}
	a.trace.GetConn = func(string) { a.connecting.Store(true) }
	a.trace.GotConn = func(httptrace.GotConnInfo) { a.connected.Store(true) }
	out := req.WithContext(httptrace.WithClientTrace(context.WithValue(a.ctx, meteredKey, a), &a.trace))
	if req.Body != nil {
		out.ContentLength = int64(len(body))
		out.GetBody = func() (io.ReadCloser, error) { return newSentBody(body), nil }
		out.Body = newSentBody(body)
	}
	if a.stripUsage && req.Header.Get("Accept-Encoding") != "" { // or else the usage chunk could not be taken out again
		out.Header = out.Header.Clone()
		out.Header.Set("Accept-Encoding", "identity")
		a.receipt.Edits = append(a.receipt.Edits, editIdentity)
	}
	if len(req.Trailer) > 0 {
		out.ContentLength = -1 // trailers follow chunks only
	}
	sendOnce(out)
	return out
}

// idempotencyHeaders make net/http send a request again where its connection breaks before the answer. No provider of
// models is known to bill such a repetition once, and it would have no receipt: whoever retries, retries above the meter.
var idempotencyHeaders = [...]string{"Idempotency-Key", "X-Idempotency-Key"}

// sendOnce keeps net/http from sending a request twice. The headers stay, under the names that HTTP/2 has for them, which
// mean the same to a server; what was not sent at all may be sent anew as before.
func sendOnce(out *http.Request) {
	cloned := false
	for _, name := range idempotencyHeaders {
		values, ok := out.Header[name]
		if !ok {
			continue
		}
		if !cloned {
			out.Header, cloned = out.Header.Clone(), true // the caller's must not change
		}
		delete(out.Header, name)
		if len(values) > 0 {
			out.Header[strings.ToLower(name)] = values
		}
	}
}

// sentBody is a request's body, in one piece of memory.
type sentBody struct{ bytes.Reader }

func newSentBody(body []byte) *sentBody {
	b := &sentBody{}
	b.Reset(body)
	return b
}

// Close does nothing.
func (*sentBody) Close() error { return nil }

// sent says whether a byte of the request may have been written. Only a transport that was seen to look for a
// connection and not to get one proves that none was.
func (a *attempt) sent() bool { return a.connected.Load() || !a.connecting.Load() }

// unanswered ends an attempt that got no answer.
func (a *attempt) unanswered(err error) {
	if !a.ended.CompareAndSwap(false, true) {
		return
	}
	a.receipt.ErrorType = networkErrorType(err)
	if a.call != nil {
		a.call.sent = a.sent()
	}
	if a.sent() {
		a.charge(Held, a.quoted.Most)
	} else {
		a.void()
	}
	a.finish()
}

// answered takes what the answer's head says, and meters its body as it is read.
func (a *attempt) answered(resp *http.Response) {
	r := &a.receipt
	r.Status = resp.StatusCode
	r.RequestID = requestIDOf(resp.Header)
	r.GenerationID = resp.Header.Get("X-Generation-Id")
	if a.call != nil {
		a.call.sent = true
	}
	resp.Body = newMeteredBody(a, resp).forCaller()
}

// requestIDHeaders carry the provider's id for a request, under the names in use.
var requestIDHeaders = []string{"X-Request-Id", "Request-Id", "Apim-Request-Id", "X-Litellm-Call-Id", "Cf-Ray"}

func requestIDOf(h http.Header) string {
	for _, name := range requestIDHeaders {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}

// end settles and records the attempt once its body has ended. whole says that the body was read to its end.
func (a *attempt) end(answer *wire.Answer, head http.Header, whole bool) {
	if !a.ended.CompareAndSwap(false, true) {
		return
	}
	if a.earlier != nil {
		a.settleEarlier(answer, head, whole)
		return
	}
	if isSuccess(a.receipt.Status) {
		a.format.ReadHeaders(&a.request, head, answer)
	}
	a.readAnswer(answer)
	if a.call != nil {
		a.call.answer = answer
	}
	// A stream may carry running totals, so a figure is the last one only once the answer has come to its own end; that of
	// the connection is none. Of several choices one may have finished while the others go on.
	finished := answer.FinishReason != "" && (whole || a.quoted.choices <= 1)
	final := answer.Done || answer.Err != nil || finished
	complete := isComplete(answer) && (answer.Done || finished)
	switch {
	case !isSuccess(a.receipt.Status):
		a.settleStatus(a.receipt.Status)
	case final && a.settleReported(answer):
	case final && answer.UsageSeen:
		a.settleComputed(nil)
	case answer.Err != nil && (answer.TextBytes == 0 || a.ep.provider.insures(answer.Err.Status)):
		a.settleStatus(answer.Err.Status)
	case answer.Pending:
		a.charge(Held, a.quoted.Most) // until a later look at the answer says what it consumed
	case complete:
		a.estimate(answer)
	case a.hold.pace.held > 0 && answer.TextBytes > 0: // cancelled, which stops the bill
		a.estimate(answer)
	default:
		a.charge(Held, a.quoted.Most)
	}
	a.receipt.Partial = isSuccess(a.receipt.Status) && !complete
	a.finish()
}

func isSuccess(status int) bool { return status >= 200 && status < 300 }

// isComplete says whether an answer came to its own end. A stream without a terminator has, if it gave its reason to
// finish and its usage after it: that is the last thing a provider sends, and some send no terminator.
func isComplete(answer *wire.Answer) bool {
	return answer.Err == nil && (answer.Done || (answer.UsageSeen && answer.FinishReason != ""))
}

// readAnswer copies what the answer says of itself into the receipt.
func (a *attempt) readAnswer(answer *wire.Answer) {
	r := &a.receipt
	r.Model, r.Upstream, r.ServiceTier = answer.Model, answer.Provider, answer.ServiceTier
	r.Region, r.Speed, r.FinishReason = answer.Region, answer.Speed, answer.FinishReason
	if r.GenerationID == "" {
		r.GenerationID = answer.ID
	}
	if answer.UsageSeen {
		a.learn(answer)
		r.Usage, r.RawUsage = usageOf(&answer.Usage), answer.RawUsage
		r.Iterations = iterationsOf(answer.Iterations)
		if answer.Contradictory {
			r.Flags = append(r.Flags, FlagContradictoryUsage)
		}
	}
	switch {
	case answer.Err != nil:
		r.ErrorType = newAPIError(a.ep.name, a.request.Model, r.Status, answer.Err).ErrorType()
	case !isSuccess(r.Status):
		r.ErrorType = (&APIError{Status: r.Status}).ErrorType()
	}
}

// settleStatus ends an attempt whose answer is an error: free if the endpoint does not bill that status.
func (a *attempt) settleStatus(status int) {
	if billed, _ := a.ep.provider.bills(status); billed {
		a.charge(Held, a.quoted.Most)
		return
	}
	a.void()
}

// settleReported settles at the provider's own figure; false if there is none that can be read.
func (a *attempt) settleReported(answer *wire.Answer) bool {
	reported, ok := reportedOf(answer)
	if !ok {
		return false
	}
	r := &a.receipt
	r.Reported = reported
	charge := reported.Charge
	if terms := a.ep.terms(); terms != nil {
		reported.CreditFee = terms.creditFee(charge)
		charge = charge.Add(reported.CreditFee)
	}
	if answer.BYOK && r.Reported.UpstreamLiteral == "" {
		a.settleComputed(&charge) // the upstream's bill is not stated, which does not make it nothing
		return true
	}
	if a.compute(); answer.Err == nil && r.Reported.Total().IsZero() && !r.Computed.IsZero() {
		r.Flags = append(r.Flags, FlagReportedZero)
	}
	a.settle(Reported, r.Reported.Total(), charge)
	return true
}

// moneyOf reads a stated figure exactly as it is written; a negative one is not a cost.
func moneyOf(c wire.ReportedCost) (Money, bool) {
	if c.Literal == "" {
		return Money{}, false
	}
	amount, err := parseScaled(c.Literal, c.Exponent)
	return amount, err == nil && amount.Sign() >= 0
}

// settleComputed settles at what the reported usage costs by the catalog. A gateway that does not state what the
// upstream bills to the caller's own key takes its charge beside that.
func (a *attempt) settleComputed(gateway *Money) {
	if !a.compute() {
		a.charge(Unpriced, Money{})
		return
	}
	total, source := a.atTier(a.receipt.Computed)
	charge := total
	if gateway != nil {
		total, charge = total.Add(*gateway), *gateway
	}
	if a.receipt.HasFlag(FlagIncompletePrice) {
		a.charge(source, total) // short of it by an unknown amount: the budgets stay charged
		return
	}
	a.settle(source, total, charge)
}

// estimate makes a receipt from the text that passed; the budgets stay charged at the hold.
func (a *attempt) estimate(answer *wire.Answer) {
	a.receipt.Usage = Usage{
		Input:  a.quoted.InputTokens,
		Output: (answer.TextBytes + bytesPerToken - 1) / bytesPerToken, Requests: 1,
		Units: quantitiesOf(a.request.Units),
	}
	if !a.compute() {
		a.charge(Unpriced, Money{})
		return
	}
	cost, _ := a.atTier(a.receipt.Computed)
	a.charge(Estimated, cost)
}

// atTier is a computed cost at the service tier and in the mode that served. Where the price has nothing to say on a
// dearer one the cost is an estimate, taken at its most; on a cheaper one, at the standard price.
func (a *attempt) atTier(computed Money) (Money, Source) {
	if a.priced == nil {
		return computed, Computed
	}
	served := a.served()
	at := served.conditions()
	assumed := a.priced.assumption(&at, a.ep.provider.charges(at.tier))
	if cheaper := usualTier(at.tier); assumed == 10 && (cheaper != "flex" && cheaper != "batch" || a.priced.pricesTier(cheaper)) {
		return computed, Computed
	}
	a.receipt.Flags = append(a.receipt.Flags, FlagAssumedTier)
	return tenths(computed, assumed), Estimated
}

// served is what served the attempt. Where an answer does not name the tier, the mode or the region that a request asked
// for and that cost more, they are taken to have served.
func (a *attempt) served() Served {
	r := &a.receipt
	s := Served{
		Provider: a.ep.provider.id, Model: r.Model, At: r.Start, Upstream: r.Upstream, ServiceTier: r.ServiceTier,
		Region: cmp.Or(r.Region, a.request.Region, a.ep.region()), Speed: cmp.Or(r.Speed, a.request.Speed),
		Usage: r.Usage, Iterations: r.Iterations,
	}
	if terms := a.ep.terms(); terms != nil {
		s.Terms = *terms
	}
	if s.ServiceTier == "" && a.ep.provider.charges(a.request.ServiceTier) {
		s.ServiceTier = a.request.ServiceTier
	}
	return s
}

// compute prices the receipt's usage at the model that served, or where the catalog does not know that one, at the model
// asked for; false if neither has a price.
func (a *attempt) compute() bool {
	r := &a.receipt
	entry, table := a.meter.price(a.ep, r.Model, r.Start)
	if table == nil || table.variable {
		entry, table = a.quoted.model, a.quoted.table
	}
	if table == nil {
		return false
	}
	a.priced = table
	s := a.served()
	computed := compute(entry, table, &s, func(model string) *priceTable {
		_, table := a.meter.price(a.ep, model, r.Start)
		return table
	})
	r.Lines, r.Computed, r.Price = computed.Lines, computed.Total, computed.Price
	if !computed.Complete {
		r.Flags = append(r.Flags, FlagIncompletePrice)
		return slices.ContainsFunc(r.Lines, func(l Line) bool { return !l.Unpriced })
	}
	return true
}

// settle ends the hold at a known cost, of which charge is the gateway's own where the two differ.
func (a *attempt) settle(source Source, total, charge Money) {
	a.receipt.Source, a.receipt.Cost = source, total
	a.receipt.Budgets = a.hold.settle(&spent{total: total, charge: charge, tokens: a.tokens()}, time.Now())
	if a.hold.n > 0 && (a.quoted.Most.Less(total) || a.receipt.Source != Held && !a.hold.covers(total)) {
		a.receipt.Flags = append(a.receipt.Flags, FlagOverrun)
	}
}

// tokens is how many the provider reported; less than 0: it did not.
func (a *attempt) tokens() int64 {
	if a.receipt.RawUsage == nil {
		return -1
	}
	return saturatingAdd(a.receipt.Usage.InputTokens(), a.receipt.Usage.OutputTokens())
}

// charge leaves the hold spent in full: the outcome, or its cost, is not known. What is known to have been spent beyond
// the hold is booked as well.
func (a *attempt) charge(source Source, cost Money) {
	if a.quoted.Most.Less(cost) || !a.hold.covers(cost) {
		a.settle(source, cost, cost)
		return
	}
	a.receipt.Source, a.receipt.Cost = source, cost
	if !a.quoted.Priced && source == Held {
		a.receipt.Source = Unpriced
	}
	a.receipt.Budgets = a.hold.chargeInFull(time.Now())
}

// void gives the hold back: there is proof that the attempt was not billed.
func (a *attempt) void() {
	a.receipt.Source, a.receipt.Cost = Unbilled, Money{}
	a.receipt.Budgets = a.hold.giveBack(a.sent(), time.Now())
}

// finish records the receipt.
func (a *attempt) finish() {
	defer a.meter.open.Done() // a Close must not wait for what a sink or an exporter has broken
	defer a.run.leave()
	r := &a.receipt
	r.Quote = QuotedCost{Expected: a.quoted.Expected, Most: a.quoted.Most}
	r.Flags = a.flagsOfHold(r.Flags)
	r.Duration = time.Since(a.begun)
	a.body, a.fitted = nil, nil // what waits to be reconciled must not keep it
	if a.call != nil {
		a.call.add(*r)
	}
	a.meter.guard.record(&a.hold, a.spender(), r, time.Now())
	a.writeDown()
	if !r.Settled() {
		a.meter.unsettled.keep(&openCharge{attempt: a, receipt: r, cost: r.Cost})
	}
	a.meter.events.ended(r)
	a.meter.record(a.ctx, r)
	if !r.Settled() {
		a.meter.lookups.add(a.ep, r) // once the ledger has what it will correct
	}
	a.meter.telemetry.ended(a)
	a.ctx, a.call = nil, nil // both lead to the request, prompt and all
}

// flagsOfHold adds what is to be said of how the attempt was held.
func (a *attempt) flagsOfHold(flags []Flag) []Flag {
	for _, f := range [...]struct {
		flag Flag
		set  bool
	}{
		{FlagAssumedLimit, a.quoted.Assumed}, {FlagWouldRefuse, a.hold.wouldRefuse}, {FlagWithoutStore, a.hold.unbacked},
	} {
		if f.set {
			flags = append(flags, f.flag)
		}
	}
	return flags
}
