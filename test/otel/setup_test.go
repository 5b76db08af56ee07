package otel

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/farebox-go/farebox"
)

// What must never be seen in telemetry.
const (
	secretKey    = "sk-do-not-show-this-key"
	secretPrompt = "the prompt that nobody else may read"
	secretAnswer = "the answer that nobody else may read"
)

// collector is a collector's view of one meter, and the provider that the meter's calls go to.
type collector struct {
	spans  *tracetest.SpanRecorder
	reader *metric.ManualReader
	server *httptest.Server
	meter  *farebox.Meter
	client *farebox.Client

	mu      sync.Mutex
	headers []http.Header // of the requests that reached the provider
}

// collect starts a provider that answers with each of answers in turn, and then always with the last, and a client of
// it whose telemetry is collected.
func collect(t *testing.T, options []farebox.MeterOption, answers ...http.HandlerFunc) *collector {
	t.Helper()
	c := &collector{spans: tracetest.NewSpanRecorder(), reader: metric.NewManualReader()}
	c.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		c.mu.Lock()
		answer := answers[min(len(c.headers), len(answers)-1)]
		c.headers = append(c.headers, req.Header.Clone())
		c.mu.Unlock()
		answer(w, req)
	}))
	t.Cleanup(c.server.Close)
	var err error
	c.meter, err = farebox.NewMeter(append(options,
		farebox.WithEndpoint(c.endpoint()),
		farebox.WithTracerProvider(trace.NewTracerProvider(trace.WithSpanProcessor(c.spans))),
		farebox.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(c.reader))))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.meter.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c.client, err = farebox.New(c.endpoint(), farebox.WithMeter(c.meter), farebox.WithRetry(farebox.Retry{Initial: time.Millisecond}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *collector) endpoint() farebox.Endpoint {
	return farebox.OpenAI(secretKey).WithBaseURL(c.server.URL + "/v1").WithKeyLabel("production")
}

// otherSDK is go-openai's own client over the metered transport.
func (c *collector) otherSDK() *openai.Client {
	config := openai.DefaultConfig(secretKey)
	config.BaseURL, config.HTTPClient = c.server.URL+"/v1", c.meter.HTTPClient()
	return openai.NewClientWithConfig(config)
}

func (c *collector) sent() []http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.headers
}

// request is a chat completion for a model whose price every figure in these tests is computed from: gpt-4o-mini at
// $0.15 and $0.60 for a million tokens, cached input at half of that.
func request() openai.ChatCompletionRequest {
	return openai.ChatCompletionRequest{
		Model: "gpt-4o-mini", MaxTokens: 50,
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: secretPrompt}},
	}
}

const (
	usage      = `{"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200,"prompt_tokens_details":{"cached_tokens":400}}`
	wantInput  = 1000
	wantOutput = 200
	wantCached = 400
	// 600 at $0.15, 400 at $0.075 and 200 at $0.60 for a million.
	wantCost = 0.00024
)

// served answers with a whole completion.
func served(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"id":"chatcmpl-1","object":"chat.completion","created":1764000000,"model":"gpt-4o-mini-2024-07-18",` +
		`"choices":[{"index":0,"message":{"role":"assistant","content":"` + secretAnswer + `"},"finish_reason":"stop"}],"usage":` + usage + `}`))
}

// streamed answers with a stream, which carries its usage if asked to.
func streamed(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	const head = `data: {"id":"chatcmpl-2","object":"chat.completion.chunk","created":1764000000,"model":"gpt-4o-mini-2024-07-18","choices":`
	for _, rest := range []string{
		`[{"index":0,"delta":{"content":"` + secretAnswer + `"},"finish_reason":null}]}`,
		`[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
		`[],"usage":` + usage + `}`,
	} {
		_, _ = w.Write([]byte(head + rest + "\n\n"))
	}
	_, _ = w.Write([]byte("data: [DONE]\n\n"))
}

// overloaded answers that there were too many requests.
func overloaded(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = w.Write([]byte(`{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}`))
}

// attributes of a span, by name.
func attributes(span trace.ReadOnlySpan) map[attribute.Key]attribute.Value {
	all := make(map[attribute.Key]attribute.Value)
	for _, kv := range span.Attributes() {
		all[kv.Key] = kv.Value
	}
	return all
}

// wantAttributes checks that a span has attributes, of exactly these values, and that it lacks those whose value is nil.
func wantAttributes(t *testing.T, span trace.ReadOnlySpan, want map[attribute.Key]any) {
	t.Helper()
	got := attributes(span)
	for name, value := range want {
		have, ok := got[name]
		switch {
		case value == nil && ok:
			t.Errorf("span %q: %s is %v, want none", span.Name(), name, have.String())
		case value != nil && !ok:
			t.Errorf("span %q has no %s, want %v", span.Name(), name, value)
		case value != nil && have != attributeOf(t, value):
			t.Errorf("span %q: %s is %s %v, want %T %v", span.Name(), name, have.Type(), have.String(), value, value)
		}
	}
}

func attributeOf(t *testing.T, value any) attribute.Value {
	t.Helper()
	switch v := value.(type) {
	case string:
		return attribute.StringValue(v)
	case []string:
		return attribute.StringSliceValue(v)
	case int:
		return attribute.IntValue(v)
	case float64:
		return attribute.Float64Value(v)
	}
	t.Fatalf("no attribute holds a %T", value)
	return attribute.Value{}
}

// instrument finds a metric by name in what the reader collects.
func (c *collector) instrument(t *testing.T, name string) metricdata.Metrics {
	t.Helper()
	if m, ok := c.metrics(t)[name]; ok {
		return m
	}
	t.Fatalf("there is no metric %s", name)
	return metricdata.Metrics{}
}

func (c *collector) metrics(t *testing.T) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := c.reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]metricdata.Metrics)
	for _, scope := range all.ScopeMetrics {
		if scope.Scope.Name != "github.com/farebox-go/farebox" {
			t.Errorf("metrics of scope %q", scope.Scope.Name)
		}
		for _, m := range scope.Metrics {
			byName[m.Name] = m
		}
	}
	return byName
}

// series finds the one data point that has the given attributes among its own.
func series[P any](t *testing.T, points []P, set func(P) attribute.Set, want ...attribute.KeyValue) P {
	t.Helper()
	var found []P
	for _, p := range points {
		if s := set(p); has(&s, want) {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d series of %d have %v, want 1", len(found), len(points), want)
	}
	return found[0]
}

func has(set *attribute.Set, want []attribute.KeyValue) bool {
	for _, kv := range want {
		if v, ok := set.Value(kv.Key); !ok || v != kv.Value {
			return false
		}
	}
	return true
}

// holdsSecret says which secret stands in a text, if any.
func holdsSecret(text string) string {
	for _, secret := range []string{secretKey, secretPrompt, secretAnswer} {
		if strings.Contains(text, secret) {
			return secret
		}
	}
	return ""
}
