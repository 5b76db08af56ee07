package otel

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/semconv/v1.41.0/genaiconv"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/store"
)

// The buckets that the conventions advise for the three client histograms.
var (
	secondsBuckets = []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	tokenBuckets   = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
)

func sumSet(p metricdata.DataPoint[float64]) attribute.Set              { return p.Attributes }
func countSet(p metricdata.DataPoint[int64]) attribute.Set              { return p.Attributes }
func secondsSet(p metricdata.HistogramDataPoint[float64]) attribute.Set { return p.Attributes }
func tokensSet(p metricdata.HistogramDataPoint[int64]) attribute.Set    { return p.Attributes }

func TestMetricsOfACall(t *testing.T) {
	t.Parallel()
	c := collect(t, nil, overloaded, served)
	if _, err := c.client.CreateChatCompletion(context.Background(), request()); err != nil {
		t.Fatal(err)
	}
	served := []attribute.KeyValue{
		attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.provider.name", "openai"),
		attribute.String("gen_ai.request.model", "gpt-4o-mini"), attribute.String("gen_ai.response.model", "gpt-4o-mini-2024-07-18"),
		attribute.String("farebox.endpoint", "openai"), attribute.String("server.address", "127.0.0.1"),
	}

	cost := c.instrument(t, "farebox.cost")
	sum := cost.Data.(metricdata.Sum[float64])
	if cost.Unit != "{USD}" || !sum.IsMonotonic {
		t.Errorf("farebox.cost: unit %q, monotonic %v", cost.Unit, sum.IsMonotonic)
	}
	point := series(t, sum.DataPoints, sumSet, append(slices.Clone(served), attribute.String("farebox.cost.source", "computed"))...)
	if math.Abs(point.Value-wantCost) > 1e-15 {
		t.Errorf("farebox.cost is %v, want %v", point.Value, wantCost)
	}

	seconds := c.instrument(t, "gen_ai.client.operation.duration").Data.(metricdata.Histogram[float64])
	if p := series(t, seconds.DataPoints, secondsSet, served...); p.Count != 1 || p.Sum <= 0 || !slices.Equal(p.Bounds, secondsBuckets) {
		t.Errorf("duration of the served attempt: %d of %v s in %v", p.Count, p.Sum, p.Bounds)
	}
	failed := series(t, seconds.DataPoints, secondsSet, attribute.String("error.type", "rate_limit"))
	if _, ok := failed.Attributes.Value("gen_ai.response.model"); ok || failed.Count != 1 {
		t.Errorf("duration of the failed attempt: %d, %v", failed.Count, failed.Attributes)
	}

	tokens := c.instrument(t, "gen_ai.client.token.usage").Data.(metricdata.Histogram[int64])
	for kind, want := range map[string]int64{"input": wantInput, "output": wantOutput} {
		p := series(t, tokens.DataPoints, tokensSet, append(slices.Clone(served), attribute.String("gen_ai.token.type", kind))...)
		if p.Count != 1 || p.Sum != want || !slices.Equal(p.Bounds, tokenBuckets) {
			t.Errorf("%s tokens: %d of %d in %v", kind, p.Count, p.Sum, p.Bounds)
		}
	}
	if len(tokens.DataPoints) != 2 {
		t.Errorf("%d series of tokens: an attempt without a usage has none", len(tokens.DataPoints))
	}
	if m, ok := c.metrics(t)["gen_ai.client.operation.time_to_first_chunk"]; ok {
		t.Errorf("an answer that is not a stream has a time to its first chunk: %v", m.Data)
	}
}

func TestMetricsOfAStream(t *testing.T) {
	t.Parallel()
	c := collect(t, nil, streamed)
	stream, err := c.client.CreateChatCompletionStream(context.Background(), request())
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range stream.Chunks() {
		if err != nil {
			t.Fatal(err)
		}
	}
	first := c.instrument(t, "gen_ai.client.operation.time_to_first_chunk").Data.(metricdata.Histogram[float64])
	whole := c.instrument(t, "gen_ai.client.operation.duration").Data.(metricdata.Histogram[float64])
	a, b := first.DataPoints[0], whole.DataPoints[0]
	if a.Count != 1 || a.Sum <= 0 || a.Sum > b.Sum || !slices.Equal(a.Bounds, secondsBuckets) {
		t.Errorf("first chunk after %v s of %v s, in %v", a.Sum, b.Sum, a.Bounds)
	}
	if p := c.instrument(t, "farebox.cost").Data.(metricdata.Sum[float64]).DataPoints[0]; math.Abs(p.Value-wantCost) > 1e-15 {
		t.Errorf("farebox.cost is %v, want %v", p.Value, wantCost)
	}
}

func TestInstrumentsAreTheConventions(t *testing.T) {
	t.Parallel()
	c := collect(t, nil, streamed)
	stream, err := c.client.CreateChatCompletionStream(context.Background(), request())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []interface {
		Name() string
		Unit() string
		Description() string
	}{genaiconv.ClientOperationDuration{}, genaiconv.ClientTokenUsage{}, genaiconv.ClientOperationTimeToFirstChunk{}} {
		got := c.instrument(t, want.Name())
		if got.Unit != want.Unit() || got.Description != want.Description() {
			t.Errorf("%s: %q in %q, want %q in %q", want.Name(), got.Description, got.Unit, want.Description(), want.Unit())
		}
	}
}

func TestTagsAreOnMetricsOnlyWhereAskedFor(t *testing.T) {
	t.Parallel()
	tags := farebox.Tags{"team": "search", "user": "u42"}
	for name, test := range map[string]struct {
		options []farebox.MeterOption
		want    map[attribute.Key]string
	}{
		"not asked for": {nil, nil},
		"team":          {[]farebox.MeterOption{farebox.WithMetricTags("team", "never set")}, map[attribute.Key]string{"farebox.tag.team": "search"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := collect(t, test.options, served)
			if _, err := c.client.CreateChatCompletion(context.Background(), request(), farebox.WithTags(tags)); err != nil {
				t.Fatal(err)
			}
			points := c.instrument(t, "farebox.cost").Data.(metricdata.Sum[float64]).DataPoints
			got := map[attribute.Key]string{}
			for _, kv := range points[0].Attributes.ToSlice() {
				if len(kv.Key) > len("farebox.tag.") && kv.Key[:len("farebox.tag.")] == "farebox.tag." {
					got[kv.Key] = kv.Value.AsString()
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("tags on the metric: %v, want %v", got, test.want)
			}
		})
	}
}

func TestUnpricedAttemptsAreCountedAndCostNothing(t *testing.T) {
	t.Parallel()
	c := collect(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":"x","model":"house-blend","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":` + usage + `}`))
	})
	unpriced := request()
	unpriced.Model = "house-blend"
	for range 3 {
		if _, err := c.client.CreateChatCompletion(context.Background(), unpriced); err != nil {
			t.Fatal(err)
		}
	}
	counted := c.instrument(t, "farebox.cost.unpriced").Data.(metricdata.Sum[int64])
	if p := series(t, counted.DataPoints, countSet, attribute.String("gen_ai.request.model", "house-blend")); p.Value != 3 {
		t.Errorf("farebox.cost.unpriced is %d, want 3", p.Value)
	}
	if m, ok := c.metrics(t)["farebox.cost"]; ok {
		t.Errorf("a cost that is not known is counted as %v", m.Data)
	}
}

func TestAdjustmentsAreDrift(t *testing.T) {
	t.Parallel()
	c := collect(t, nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	_, err := c.client.CreateChatCompletion(context.Background(), request())
	receipts := farebox.ReceiptsOf(err)
	if len(receipts) == 0 {
		t.Fatal(err)
	}
	adjustment, err := c.client.Meter().Reconcile(receipts[0].ID, farebox.Money{}, "invoice")
	if err != nil || adjustment.Amount.Sign() >= 0 {
		t.Fatal(adjustment, err)
	}
	sum := c.instrument(t, "farebox.cost.adjustment").Data.(metricdata.Sum[float64])
	if len(sum.DataPoints) != 1 || sum.DataPoints[0].Value != adjustment.Amount.Float64() || sum.IsMonotonic {
		t.Errorf("%+v, want one series of %s", sum, adjustment.Amount)
	}
}

// TestUtilizationOfAFleet: of a budget in a store the gauge shows what all processes have spent.
func TestUtilizationOfAFleet(t *testing.T) {
	t.Parallel()
	shared := new(store.Memory)
	ctx := context.Background()
	other := store.Line{Account: store.Account{Key: "all/total/usd/"}, Cap: 960_000, Need: 480_000}
	if _, err := shared.Sync(ctx, "another process", []store.Line{other}); err != nil {
		t.Fatal(err)
	}
	c := collect(t, []farebox.MeterOption{farebox.WithStore(shared), farebox.WithBudget(
		farebox.Budget{Name: "all", Cap: farebox.MustMoney("0.00096")})}, served)
	if _, err := c.client.CreateChatCompletion(ctx, request()); err != nil {
		t.Fatal(err)
	}
	points := c.instrument(t, "farebox.budget.utilization").Data.(metricdata.Gauge[float64]).DataPoints
	if len(points) != 1 || math.Abs(points[0].Value-0.75) > 1e-12 {
		t.Errorf("utilization %+v, want three quarters", points)
	}
}

func TestRefusalsAndUtilization(t *testing.T) {
	t.Parallel()
	c := collect(t, []farebox.MeterOption{farebox.WithBudget(
		farebox.Budget{Name: "daily", Cap: farebox.MustMoney("0.00048"), Window: farebox.Daily},
		farebox.Budget{Name: "per user", Cap: farebox.Dollars(1), Per: "user"},
		farebox.Budget{Name: "nothing", Scope: farebox.Scope{Endpoint: "elsewhere"}},
	)}, served)
	ctx := context.Background()
	if _, err := c.client.CreateChatCompletion(ctx, request()); err != nil {
		t.Fatal(err)
	}
	utilization := c.instrument(t, "farebox.budget.utilization")
	if utilization.Unit != "1" {
		t.Errorf("farebox.budget.utilization: unit %q", utilization.Unit)
	}
	points := utilization.Data.(metricdata.Gauge[float64]).DataPoints
	if len(points) != 1 {
		t.Errorf("%d series of utilization, want 1: a budget per tag would have one for each value, and nothing has no share", len(points))
	}
	if p := series(t, points, sumSet, attribute.String("farebox.budget", "daily")); math.Abs(p.Value-0.5) > 1e-12 {
		t.Errorf("utilization is %v, want half", p.Value)
	}

	long := request()
	long.MaxTokens = 1000
	for range 2 {
		if _, err := c.client.CreateChatCompletion(ctx, long); !errors.Is(err, farebox.ErrBudgetExceeded) {
			t.Fatal(err)
		}
	}
	refusals := c.instrument(t, "farebox.budget.refusals").Data.(metricdata.Sum[int64])
	p := series(t, refusals.DataPoints, countSet, attribute.String("farebox.budget", "daily"),
		attribute.String("farebox.refusal.reason", "exhausted"), attribute.String("gen_ai.request.model", "gpt-4o-mini"))
	if p.Value != 2 {
		t.Errorf("farebox.budget.refusals is %d, want 2", p.Value)
	}
	if count := c.instrument(t, "gen_ai.client.operation.duration").Data.(metricdata.Histogram[float64]).DataPoints[0].Count; count != 1 {
		t.Errorf("%d operations have a duration, want the one that was sent", count)
	}
}

func TestMetricsAddUpToTheLedger(t *testing.T) {
	t.Parallel()
	c := collect(t, nil, served, overloaded, streamed, served)
	for range 5 {
		// The second of them fails, and the third is answered with a stream: both have their receipts all the same.
		_, _ = c.otherSDK().CreateChatCompletion(context.Background(), request())
	}
	var sum float64
	for _, p := range c.instrument(t, "farebox.cost").Data.(metricdata.Sum[float64]).DataPoints {
		sum += p.Value
	}
	total := c.meter.Ledger().Total()
	if want := total.Cost.Float64(); total.Attempts != 5 || math.Abs(sum-want) > 1e-12 {
		t.Errorf("the metric adds up to %v and the ledger to %v, of %d attempts", sum, want, total.Attempts)
	}
}

func TestClosedMeterObservesNoBudget(t *testing.T) {
	t.Parallel()
	c := collect(t, []farebox.MeterOption{farebox.WithBudget(farebox.Budget{Name: "daily", Cap: farebox.Dollars(1)})}, served)
	c.instrument(t, "farebox.budget.utilization")
	if err := c.meter.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if m, ok := c.metrics(t)["farebox.budget.utilization"]; ok {
		t.Errorf("a meter that is closed still reports %v", m.Data)
	}
}

func TestMetricOfUnmeteredRequests(t *testing.T) {
	t.Parallel()
	c := collect(t, nil, served)
	client := c.meter.HTTPClient()
	for range 2 {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, c.server.URL+"/v1/oddities", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	unmetered := c.instrument(t, "farebox.unmetered")
	p := series(t, unmetered.Data.(metricdata.Sum[int64]).DataPoints, countSet,
		attribute.String("http.request.method", "POST"), attribute.String("server.address", "127.0.0.1"), attribute.Bool("farebox.refused", false))
	if p.Value != 2 || unmetered.Unit != "{request}" {
		t.Errorf("farebox.unmetered is %d %s, want 2", p.Value, unmetered.Unit)
	}
}
