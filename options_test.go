package farebox_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// TestOptionsThatAMeterCannotTake gives every option of a Meter what it cannot take: NewMeter and New both say so, by its name or by
// that of what is wrong.
func TestOptionsThatAMeterCannotTake(t *testing.T) {
	t.Parallel()
	price := farebox.Rates{farebox.DimensionInput: {}}
	tests := []struct {
		option farebox.MeterOption
		want   string
	}{
		{farebox.WithBudget(farebox.Budget{}), "a budget needs a name"},
		{farebox.WithEndpoint(farebox.Endpoint{}), "the zero Endpoint"},
		{farebox.WithEndpoint(farebox.OpenAI("a"), farebox.OpenAI("b")), `two endpoints named "openai": give one another name with WithName`},
		{farebox.WithCatalog(nil), "WithCatalog: the catalog is nil"},
		{farebox.WithPrice("", price), "a model needs a name"},
		{farebox.WithPrice("m", nil), `model "m": a price needs at least one rate`},
		{farebox.WithPrice("m", farebox.Rates{"prompt": {}}), `model "m": "prompt" is not a dimension`},
		{farebox.WithModels(farebox.Model{Name: "m"}), `model "m": a model needs at least one price`},
		{farebox.WithUnpricedRates(nil), "WithUnpricedRates: no rates"},
		{farebox.WithUnpricedRates(farebox.Rates{"prompt": {}}), `WithUnpricedRates: "prompt" is not a dimension`},
		{farebox.WithSink(farebox.SinkFunc(func(farebox.Receipt) {}), nil), "WithSink: the sink is nil"},
		{farebox.WithLedgerSize(0), "WithLedgerSize: 0 receipts"},
		{farebox.WithLedgerSize(-1), "WithLedgerSize: -1 receipts"},
		{farebox.WithBaseTransport(nil), "WithBaseTransport: the round tripper is nil"},
		{farebox.WithMaxRequestBytes(0), "WithMaxRequestBytes: 0"},
		{farebox.WithMaxRequestBytes(-9), "WithMaxRequestBytes: -9"},
		{farebox.WithLogger(nil), "WithLogger: the logger is nil"},
		{farebox.WithTracerProvider(trace.TracerProvider(nil)), "WithTracerProvider: the provider is nil"},
		{farebox.WithMeterProvider(metric.MeterProvider(nil)), "WithMeterProvider: the provider is nil"},
		{farebox.WithMetricTags("team", ""), "WithMetricTags: a tag's name is empty"},
	}
	for _, test := range tests {
		_, meterErr := farebox.NewMeter(test.option)
		_, clientErr := farebox.New(farebox.Compatible("c", "https://c.test", ""), test.option)
		for name, err := range map[string]error{"NewMeter": meterErr, "New": clientErr} {
			if err == nil || !strings.HasPrefix(err.Error(), "farebox: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want an error with %q", name, err, test.want)
			}
		}
	}
}

func TestOptionsThatAClientCannotTake(t *testing.T) {
	t.Parallel()
	choice := farebox.On("", "m")
	tests := []struct {
		options []farebox.Option
		want    string
	}{
		{[]farebox.Option{farebox.WithMeter(nil)}, "WithMeter: the meter is nil"},
		{[]farebox.Option{farebox.WithHTTPClient(nil)}, "WithHTTPClient: the client is nil"},
		{[]farebox.Option{farebox.WithRetry(farebox.Retry{MaxAttempts: -1})}, "WithRetry"},
		{[]farebox.Option{farebox.WithRetry(farebox.Retry{MaxElapsed: -1})}, "WithRetry"},
		{[]farebox.Option{farebox.WithRetry(farebox.Retry{Initial: -1})}, "WithRetry"},
		{[]farebox.Option{farebox.WithRetry(farebox.Retry{Initial: time.Minute, Max: time.Second})}, "WithRetry: Max 1s is shorter than Initial 1m0s"},
		{[]farebox.Option{farebox.WithModelChoice("", choice)}, "WithModelChoice: the name is empty"},
		{[]farebox.Option{farebox.WithModelChoice("fast", nil)}, `WithModelChoice: the choice for "fast" is nil`},
		{[]farebox.Option{farebox.WithModelChoice("fast", choice), farebox.WithModelChoice("fast", choice)}, `WithModelChoice: "fast" is given twice`},
		{[]farebox.Option{farebox.WithAttemptTimeout(0)}, "WithAttemptTimeout: 0s"},
		{[]farebox.Option{farebox.WithAttemptTimeout(-time.Second)}, "WithAttemptTimeout: -1s"},
		{[]farebox.Option{farebox.WithMaxResponseBytes(0)}, "WithMaxResponseBytes: 0"},
		{[]farebox.Option{farebox.WithMaxEventBytes(0)}, "WithMaxEventBytes: 0"},
		{[]farebox.Option{farebox.WithMaxEventBytes(-5)}, "WithMaxEventBytes: -5"},
	}
	for _, test := range tests {
		_, err := farebox.New(farebox.OpenAI("k"), test.options...)
		if err == nil || !strings.HasPrefix(err.Error(), "farebox: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("New: %v, want an error with %q", err, test.want)
		}
	}
}

func TestNilOptionsAreIgnored(t *testing.T) {
	t.Parallel()
	if _, err := farebox.NewMeter(nil, farebox.WithLedgerSize(1), nil); err != nil {
		t.Errorf("NewMeter: %v", err)
	}
	if _, err := farebox.New(farebox.OpenAI("k"), nil, farebox.WithLedgerSize(1), nil); err != nil {
		t.Errorf("New: %v", err)
	}
}

// TestWithMeterStandsAlone checks that options which only a new Meter can take are not lost beside WithMeter, in
// whatever order they come.
func TestWithMeterStandsAlone(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{})
	budget := farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1)})
	for _, options := range [][]farebox.Option{
		{farebox.WithMeter(meter), budget}, {budget, farebox.WithMeter(meter)}, {farebox.WithMeter(meter), farebox.WithLedgerSize(5)},
		{farebox.WithMeter(meter), farebox.WithPrice("m", coinRates("1"))}, {farebox.WithMeter(meter), farebox.WithoutStreamUsage()},
	} {
		if _, err := farebox.New(farebox.OpenAI("k"), options...); err == nil || !strings.Contains(err.Error(), "WithMeter") {
			t.Errorf("New: %v, want an error that names WithMeter", err)
		}
	}
	if _, err := farebox.New(farebox.OpenAI("k"), farebox.WithMeter(meter), farebox.WithRetry(farebox.Retry{MaxAttempts: 1})); err != nil {
		t.Errorf("options of the Client's own: %v", err)
	}
	client, err := farebox.New(farebox.OpenAI("k"), farebox.WithMeter(meter), farebox.WithEndpoint(farebox.Compatible("third", "https://third.test", "")))
	if err != nil || client.Meter() != meter {
		t.Errorf("WithMeter beside WithEndpoint: %v", err)
	}
}

// TestTheSameEndpointTwice registers what is registered already.
func TestTheSameEndpointTwice(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{}, farebox.WithEndpoint(farebox.OpenAI("k"), farebox.OpenAI("k")))
	if _, err := farebox.New(farebox.OpenAI("k"), farebox.WithMeter(meter)); err != nil {
		t.Errorf("the same endpoint: %v", err)
	}
	for _, other := range []farebox.Endpoint{
		farebox.OpenAI("k2"), farebox.OpenAI("k").WithKeyLabel("l"), farebox.OpenAI("k").WithBaseURL("https://eu.api.openai.com/v1"),
	} {
		if _, err := farebox.New(other, farebox.WithMeter(meter)); err == nil || !strings.Contains(err.Error(), "WithName") {
			t.Errorf("another endpoint of that name: %v", err)
		}
	}
	if _, err := farebox.New(farebox.OpenAI("k2").WithName("second"), farebox.WithMeter(meter)); err != nil {
		t.Errorf("another endpoint of another name: %v", err)
	}
}

// TestNoLimitOnRequests takes the largest number for no limit at all.
func TestNoLimitOnRequests(t *testing.T) {
	t.Parallel()
	for _, limit := range []int64{10_000, math.MaxInt64 - 1, math.MaxInt64} {
		meter := coinMeter(t, &coinProvider{}, farebox.WithMaxRequestBytes(limit))
		mustSpend(t, meter, coinCall{limit: 9, tokens: 3})
		if r := lastReceipt(t, meter); r.ModelAsked != "coin" || r.Cost != farebox.Cents(3) {
			t.Errorf("with a limit of %d bytes: %v", limit, r)
		}
	}
	meter := coinMeter(t, &coinProvider{}, farebox.WithMaxRequestBytes(20))
	if err := (coinCall{limit: 9}).on(meter); err == nil || !strings.Contains(err.Error(), "longer than 20 bytes") {
		t.Errorf("a request of more than 20 bytes: %v", err)
	}
}

func TestLedgerSize(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{}, farebox.WithLedgerSize(2))
	for tokens := range int64(5) {
		mustSpend(t, meter, coinCall{limit: 9, tokens: tokens + 1})
	}
	var kept []int64
	for r := range meter.Ledger().Receipts(farebox.Filter{}) {
		kept = append(kept, r.Usage.Output)
	}
	if total := meter.Ledger().Total(); len(kept) != 2 || kept[0] != 4 || kept[1] != 5 || total.Attempts != 5 || total.Cost != farebox.Cents(15) {
		t.Errorf("kept %v, total %+v", kept, total)
	}
}
