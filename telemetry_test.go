package farebox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/farebox-go/farebox/internal/wire"
)

// What spans and metrics look like to a collector is tested in test/otel, which has OpenTelemetry's SDK; what they are
// named is tested in test/semconv.

// finishedAttempt is an attempt as telemetry sees it at its end.
func finishedAttempt(tb testing.TB, m *Meter) *attempt {
	tb.Helper()
	ep, err := OpenAI("sk-telemetry").resolve()
	if err != nil {
		tb.Fatal(err)
	}
	return &attempt{meter: m, ctx: context.Background(), ep: ep, receipt: Receipt{
		ID: "01", Operation: string(wire.Chat), ModelAsked: "gpt-4o-mini", Model: "gpt-4o-mini-2024-07-18",
		Status: http.StatusOK, FinishReason: "stop", KeyLabel: "production", Source: Computed, Cost: MustMoney("0.000975"),
		Duration: time.Second, TimeToFirstChunk: 100 * time.Millisecond, Stream: true,
		Usage:    Usage{Input: 70, CacheRead: 20, CacheWrite: 10, Output: 25, Reasoning: 5},
		RawUsage: json.RawMessage(`{}`), Tags: Tags{"team": "search"},
	}}
}

// silentTelemetry is a meter's telemetry where no provider was ever set.
func silentTelemetry(tb testing.TB) (*telemetry, *attempt) {
	tb.Helper()
	m, err := NewMeter(WithMetricTags("team"))
	if err != nil {
		tb.Fatal(err)
	}
	return m.telemetry, finishedAttempt(tb, m)
}

func TestMetricsThatNobodyReadsAllocateNothing(t *testing.T) {
	tel, a := silentTelemetry(t)
	var refusal error = &BudgetError{Budget: "daily", Reason: ReasonExhausted}
	failed := finishedAttempt(t, a.meter)
	failed.receipt.ErrorType, failed.receipt.Source = "timeout", Held
	unpriced := finishedAttempt(t, a.meter)
	unpriced.receipt.Source = Unpriced
	for name, report := range map[string]func(){
		"an attempt":       func() { tel.measure(a) },
		"a failed one":     func() { tel.measure(failed) },
		"an unpriced one":  func() { tel.measure(unpriced) },
		"a refusal":        func() { tel.refused(a.ctx, a, refusal) },
		"the end of spans": func() { tel.ended(a) },
	} {
		if allocs := testing.AllocsPerRun(100, report); allocs != 0 {
			t.Errorf("%s: %v allocations, want none", name, allocs)
		}
	}
}

func BenchmarkTelemetrySilent(b *testing.B) {
	tel, a := silentTelemetry(b)
	var refusal error = &BudgetError{Budget: "daily", Reason: ReasonExhausted}
	b.Run("measure", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			tel.measure(a)
		}
	})
	b.Run("refused", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			tel.refused(a.ctx, a, refusal)
		}
	})
	b.Run("span", func(b *testing.B) {
		b.ReportAllocs()
		ctx := a.ctx
		for b.Loop() {
			a.ctx = ctx
			a.span = tel.startAttempt(a)
			tel.ended(a)
		}
	})
}

func TestErrorType(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"rate_limit":              &APIError{Status: http.StatusTooManyRequests},
		"auth":                    &APIError{Status: http.StatusUnauthorized},
		"500":                     &APIError{Status: http.StatusInternalServerError},
		"refused.exhausted":       &BudgetError{Reason: ReasonExhausted},
		"refused.contended":       fmt.Errorf("wrapped: %w", &BudgetError{Reason: ReasonContended}),
		"refused":                 fmt.Errorf("farebox: %w", ErrClosed),
		"canceled":                &NetworkError{Err: context.Canceled},
		"timeout":                 &NetworkError{Err: context.DeadlineExceeded},
		"truncated":               &NetworkError{Err: ErrStreamTruncated},
		"network":                 io.ErrUnexpectedEOF,
		"refused.per_call":        errors.Join(errors.New("other"), &BudgetError{Reason: ReasonPerCall}),
		"refused.too_many_values": &BudgetError{Reason: ReasonTooManyValues},
	} {
		if got := errorType(err); got != want {
			t.Errorf("errorType(%v) = %q, want %q", err, got, want)
		}
	}
}

func TestProviderName(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		endpoint Endpoint
		want     string
	}{
		{OpenAI("k"), "openai"},
		{OpenAI("k").WithName("second key"), "openai"},
		{OpenRouter("k"), "openrouter"},
		{Anthropic("k"), "anthropic"},
		{Gemini("k"), "gcp.gemini"},
		{TogetherAI("k"), "together"},
		{Compatible("grok", "https://api.x.ai/v1", "k"), "x_ai"},
		{Compatible("mine", "https://mine.openai.azure.com/openai/v1", "k"), "azure.ai.openai"},
		{Compatible("cluster", "http://vllm.internal:8000/v1", "k"), "cluster"},
	} {
		ep, err := test.endpoint.resolve()
		if err != nil {
			t.Fatal(err)
		}
		if got := providerName(ep); got != test.want {
			t.Errorf("providerName(%v) = %q, want %q", test.endpoint, got, test.want)
		}
	}
}

func TestServerAttributes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		host string
		want []attribute.KeyValue
	}{
		{"api.openai.com", []attribute.KeyValue{attribute.String(attrServerAddress, "api.openai.com")}},
		{"localhost:8000", []attribute.KeyValue{attribute.String(attrServerAddress, "localhost"), attribute.Int(attrServerPort, 8000)}},
		{"[::1]:8000", []attribute.KeyValue{attribute.String(attrServerAddress, "::1"), attribute.Int(attrServerPort, 8000)}},
		{"localhost:http", []attribute.KeyValue{attribute.String(attrServerAddress, "localhost")}},
	} {
		if got := serverAttributes(&endpoint{host: test.host}); !slices.Equal(got, test.want) {
			t.Errorf("serverAttributes(%q) = %v, want %v", test.host, got, test.want)
		}
	}
}

func TestUsageOnSpansCountsCachedTokensAmongTheInput(t *testing.T) {
	t.Parallel()
	a := finishedAttempt(t, nil)
	var used usedTokens
	used.add(&a.receipt)
	used.add(&a.receipt)
	a.receipt.RawUsage = nil // an estimate is not the provider's usage
	used.add(&a.receipt)
	want := []attribute.KeyValue{
		attribute.Int64(attrInputTokens, 200), attribute.Int64(attrOutputTokens, 60),
		attribute.Int64(attrReasoningTokens, 10), attribute.Int64(attrCacheReadTokens, 40), attribute.Int64(attrCacheWritten, 20),
	}
	if got := used.attributes(nil); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	var none usedTokens
	none.add(&a.receipt)
	if got := none.attributes(nil); got != nil {
		t.Errorf("a receipt without a reported usage shows %v", got)
	}
}

func TestCostOnSpansIsLeftOutWhereItIsNotKnown(t *testing.T) {
	t.Parallel()
	known := Receipt{Source: Computed, Cost: MustMoney("0.25")}
	free := Receipt{Source: Unbilled}
	unknown := Receipt{Source: Unpriced}
	cost := func(dollars float64) []attribute.KeyValue {
		return []attribute.KeyValue{attribute.Float64(attrCost, dollars)}
	}
	for name, test := range map[string]struct {
		receipts []Receipt
		want     []attribute.KeyValue
	}{
		"no attempt":       {nil, cost(0)},
		"one":              {[]Receipt{known}, cost(0.25)},
		"free":             {[]Receipt{free}, cost(0)},
		"a sum":            {[]Receipt{free, known, known}, cost(0.5)},
		"unknown":          {[]Receipt{unknown}, nil},
		"unknown in a sum": {[]Receipt{known, unknown}, nil},
	} {
		if got := costAttribute(nil, test.receipts...); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
