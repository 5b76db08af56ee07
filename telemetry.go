package farebox

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

const scopeName = "github.com/farebox-go/farebox"

// describeFirstChunk is the conventions' wording; backends show it beside the metric of other libraries.
const describeFirstChunk = "Time to receive the first chunk, measured from when the client issues the generation request " +
	"to when the first chunk is received in the response stream."

// telemetry makes spans and metrics. Attributes are built only where somebody listens.
type telemetry struct {
	tracer       trace.Tracer
	metricTags   []string
	cost         metric.Float64Counter
	adjustment   metric.Float64UpDownCounter
	unpriced     metric.Int64Counter
	refusals     metric.Int64Counter
	unmetered    metric.Int64Counter
	duration     metric.Float64Histogram
	tokens       metric.Int64Histogram
	firstChunk   metric.Float64Histogram
	registration metric.Registration
}

func newTelemetry(config *meterConfig, g *Guard, catalog *Catalog) (*telemetry, error) {
	tracers, meters := config.tracers, config.meters
	if tracers == nil {
		tracers = otel.GetTracerProvider()
	}
	if meters == nil {
		meters = otel.GetMeterProvider()
	}
	t := &telemetry{tracer: tracers.Tracer(scopeName), metricTags: config.metricTags}
	m := meters.Meter(scopeName)
	var errs [11]error
	t.cost, errs[0] = m.Float64Counter(metricCost, metric.WithUnit("{USD}"), metric.WithDescription("What calls cost."))
	t.unpriced, errs[1] = m.Int64Counter(metricUnpriced, metric.WithUnit("{call}"), metric.WithDescription("Attempts whose cost is not known."))
	t.refusals, errs[2] = m.Int64Counter(metricRefusals, metric.WithUnit("{call}"), metric.WithDescription("Calls refused before they were sent."))
	t.duration, errs[3] = m.Float64Histogram(metricDuration, metric.WithUnit("s"), metric.WithDescription("GenAI operation duration."), metric.WithExplicitBucketBoundaries(durationBuckets...))
	t.tokens, errs[4] = m.Int64Histogram(metricTokens, metric.WithUnit("{token}"), metric.WithDescription("Number of input and output tokens used."), metric.WithExplicitBucketBoundaries(tokenBuckets...))
	t.firstChunk, errs[5] = m.Float64Histogram(metricFirstChunk, metric.WithUnit("s"), metric.WithDescription(describeFirstChunk), metric.WithExplicitBucketBoundaries(durationBuckets...))
	var utilization metric.Float64ObservableGauge
	utilization, errs[6] = m.Float64ObservableGauge(metricUtilization, metric.WithUnit("1"), metric.WithDescription("Share of a budget's cap that is spent or held, by all processes that share it."))
	t.adjustment, errs[10] = m.Float64UpDownCounter(metricAdjustment, metric.WithUnit("{USD}"), metric.WithDescription("What calls turned out to cost, less what was taken for their cost before."))
	t.unmetered, errs[8] = m.Int64Counter(metricUnmetered, metric.WithUnit("{request}"), metric.WithDescription("Requests that could not be metered."))
	var age metric.Float64ObservableGauge
	age, errs[9] = m.Float64ObservableGauge(metricCatalogAge, metric.WithUnit("s"), metric.WithDescription("Time since the newest price source of the catalog."))
	if errs[6] == nil && errs[9] == nil {
		budgets := observeUtilization(g, utilization)
		t.registration, errs[7] = m.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
			if asOf := catalog.AsOf(); !asOf.IsZero() {
				o.ObserveFloat64(age, time.Since(asOf).Seconds())
			}
			return budgets(ctx, o)
		}, utilization, age)
	}
	return t, errors.Join(errs[:]...)
}

// observeUtilization reports how full each budget is, by what the fleet has spent where that is known; a budget per tag is
// left out, being a series for every value.
func observeUtilization(g *Guard, gauge metric.Float64Observable) metric.Callback {
	return func(_ context.Context, o metric.Observer) error {
		skip := perTag(g)
		for _, s := range g.Snapshot() {
			if skip[s.Budget] || s.Cap.IsZero() {
				continue
			}
			spent := s.Spent
			if s.Fleet != nil {
				spent = s.Fleet.Spent
			}
			o.ObserveFloat64(gauge, spent.Add(s.Held).Float64()/s.Cap.Float64(),
				metric.WithAttributes(attribute.String(attrBudget, s.Budget)))
		}
		return nil
	}
}

// perTag are the names of the budgets that keep a counter for each value of a tag, of which "" is one.
func perTag(g *Guard) map[string]bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	names := make(map[string]bool)
	for _, b := range g.budgets {
		if b.group != nil {
			names[b.Name] = true
		}
	}
	return names
}

func (t *telemetry) close() {
	if t.registration != nil {
		_ = t.registration.Unregister()
	}
}

// The options of spans, made once: a span that nobody records should cost as little as it can.
var (
	clientSpan   = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)}
	internalSpan = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindInternal)}
)

// startCall begins the span of a Client's call; its attempts are children.
func (t *telemetry) startCall(ctx context.Context, op, model string) (context.Context, trace.Span) {
	return t.tracer.Start(ctx, op+" "+model, clientSpan...)
}

// endCall puts usage and cost of the whole call on its span.
func (t *telemetry) endCall(span trace.Span, c *call, err error) {
	if span.IsRecording() {
		receipts := c.all()
		span.SetAttributes(callAttributes(c, receipts)...)
		span.SetAttributes(attribute.Int(attrAttempts, len(receipts)))
		setError(span, err)
	}
	span.End()
}

// callAttributes are those of the attempt that served, with the usage of all of them. A call that was refused made no
// attempt; what it asked for is shown all the same.
func callAttributes(c *call, receipts []Receipt) []attribute.KeyValue {
	if len(receipts) == 0 {
		asked := Receipt{Operation: string(c.spec.op), ModelAsked: c.spec.model, KeyLabel: c.endpoint.keyLabel}
		return costAttribute(keyAttribute(metricAttributes(&asked, c.endpoint), &asked))
	}
	var used usedTokens
	for i := range receipts {
		used.add(&receipts[i])
	}
	attrs := receiptAttributes(&receipts[len(receipts)-1], c.endpoint)
	return costAttribute(used.attributes(attrs), receipts...)
}

func setError(span trace.Span, err error) {
	if err == nil {
		return
	}
	span.SetAttributes(attribute.String(attrErrorType, errorType(err)))
	span.SetStatus(codes.Error, errorType(err))
}

// attemptSpan is the span of one physical attempt.
type attemptSpan struct{ span trace.Span }

// startAttempt begins an attempt's span, and puts it into the attempt's context. Nothing of it is sent to the provider.
func (t *telemetry) startAttempt(a *attempt) attemptSpan {
	var s attemptSpan
	if a.call != nil {
		a.ctx, s.span = t.tracer.Start(a.ctx, "attempt", internalSpan...)
	} else {
		a.ctx, s.span = t.startCall(a.ctx, a.receipt.Operation, a.receipt.ModelAsked)
	}
	return s
}

// ended reports an attempt that has its receipt. An attempt of a Client's call leaves usage and cost to the call's span:
// backends add them up over all spans of a trace, and would count them twice.
func (t *telemetry) ended(a *attempt) {
	r := &a.receipt
	if span := a.span.span; span != nil {
		if span.IsRecording() {
			span.SetAttributes(receiptAttributes(r, a.ep)...)
			if a.call == nil {
				var used usedTokens
				used.add(r)
				span.SetAttributes(used.attributes(costAttribute(nil, *r))...)
			} else if r.Source != Unpriced {
				span.SetAttributes(attribute.Float64(attrAttemptCost, r.Cost.Float64()))
			}
			if r.ErrorType != "" {
				span.SetAttributes(attribute.String(attrErrorType, r.ErrorType))
				span.SetStatus(codes.Error, r.ErrorType)
			}
		}
		span.End()
	}
	t.measure(a)
}

// measures says whether any of the metrics of attempts is listened to.
func (t *telemetry) measures(ctx context.Context) bool {
	return t.duration.Enabled(ctx) || t.tokens.Enabled(ctx) || t.cost.Enabled(ctx) ||
		t.unpriced.Enabled(ctx) || t.firstChunk.Enabled(ctx)
}

// measure feeds the metrics.
func (t *telemetry) measure(a *attempt) {
	ctx, r := a.ctx, &a.receipt
	if !t.measures(ctx) {
		return
	}
	attrs := metricAttributes(r, a.ep)
	for _, tag := range t.metricTags {
		if value, ok := r.Tags[tag]; ok {
			attrs = append(attrs, attribute.String(attrTagPrefix+tag, value))
		}
	}
	set := attribute.NewSet(attrs...)
	with := metric.WithAttributeSet(set)
	if r.Source == Unpriced {
		t.unpriced.Add(ctx, 1, with)
	} else {
		t.cost.Add(ctx, r.Cost.Float64(), with, metric.WithAttributes(attribute.String(attrCostSource, string(r.Source))))
	}
	if r.ErrorType != "" {
		t.duration.Record(ctx, r.Duration.Seconds(), with, metric.WithAttributes(attribute.String(attrErrorType, r.ErrorType)))
	} else {
		t.duration.Record(ctx, r.Duration.Seconds(), with)
	}
	if r.TimeToFirstChunk > 0 {
		t.firstChunk.Record(ctx, r.TimeToFirstChunk.Seconds(), with)
	}
	if r.Source == Estimated || r.RawUsage != nil {
		t.tokens.Record(ctx, r.Usage.InputTokens(), with, metric.WithAttributes(attribute.String(attrTokenType, tokenTypeInput)))
		t.tokens.Record(ctx, r.Usage.OutputTokens(), with, metric.WithAttributes(attribute.String(attrTokenType, tokenTypeOutput)))
	}
}

// refused reports a call that was not sent.
func (t *telemetry) refused(ctx context.Context, a *attempt, err error) {
	if !t.refusals.Enabled(ctx) {
		return
	}
	attrs := metricAttributes(&a.receipt, a.ep)
	var refused *BudgetError
	if errors.As(err, &refused) {
		attrs = append(attrs, attribute.String(attrBudget, refused.Budget), attribute.String(attrReason, string(refused.Reason)))
	}
	t.refusals.Add(ctx, 1, metric.WithAttributes(attrs...))
}

// passed reports a request that could not be metered. Its route is logged: as an attribute it could be anything.
func (t *telemetry) passed(req *http.Request, ep *endpoint, refused bool) {
	ctx := req.Context()
	if !t.unmetered.Enabled(ctx) {
		return
	}
	attrs := append(serverAttributes(ep),
		attribute.String(attrHTTPMethod, knownMethod(req.Method)), attribute.String(attrProvider, providerName(ep)),
		attribute.String(attrEndpoint, ep.name), attribute.Bool(attrRefused, refused))
	t.unmetered.Add(ctx, 1, metric.WithAttributes(attrs...))
}

// knownMethod is a method as the conventions have it on metrics: bounded.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "_OTHER"
}

// adjusted reports what was learned about an attempt's cost after its receipt.
func (t *telemetry) adjusted(a *attempt, amount Money) {
	ctx := context.Background() // the call's has ended
	if t.adjustment.Enabled(ctx) {
		t.adjustment.Add(ctx, amount.Float64(), metric.WithAttributes(metricAttributes(&a.receipt, a.ep)...),
			metric.WithAttributes(attribute.String(attrCostSource, string(a.receipt.Source))))
	}
}
