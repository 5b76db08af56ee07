package farebox

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/farebox-go/farebox/store"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Option configures a [Client]. Bad options are errors of [New].
type Option interface {
	applyToClient(*clientConfig) error
}

// MeterOption configures a [Meter]; it is an Option of the Client too, for the Meter that a Client makes for itself.
// Bad options are errors of [NewMeter] and [New].
type MeterOption interface {
	Option
	applyToMeter(*meterConfig) error
}

type meterConfig struct {
	catalog    *Catalog
	models     []Model
	unpriced   Rates
	refresh    *Refresh
	budgets    []Budget
	endpoints  []Endpoint
	sinks      []Sink
	ledgerSize int
	store      store.Store
	journal    string
	base       http.RoundTripper
	logger     *slog.Logger
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	metricTags []string

	tokens tokenConfig
	askFor time.Duration

	admitWithoutStore bool

	leaveUsage      bool
	leaveMaxPrice   bool
	events          []eventHandler
	closers         []func() // of what options have opened
	loops           loopConfig
	reconcile       bool
	refuseUnmetered bool
	receiptHeaders  bool
	decoders        map[string]decoder
	maxRequestBytes int64
}

type clientConfig struct {
	meterConfig
	meterOptions int // options that only a new Meter can take
	meter        *Meter
	httpClient   *http.Client
	retry        Retry
	choices      map[string]Choice
	ladder       Ladder
	timeout      time.Duration

	maxResponseBytes int64
	maxEventBytes    int
	streamedAnswers  bool
}

type meterOption func(*meterConfig) error

func (f meterOption) applyToMeter(c *meterConfig) error { return f(c) }
func (f meterOption) applyToClient(c *clientConfig) error {
	c.meterOptions++
	return f(&c.meterConfig)
}

type clientOption func(*clientConfig) error

func (f clientOption) applyToClient(c *clientConfig) error { return f(c) }

// WithBudget puts budgets in force. Each needs a name of its own, a cap that is not negative and a window that exists;
// whether its Scope can ever match a call is not checked.
func WithBudget(budgets ...Budget) MeterOption {
	return meterOption(func(c *meterConfig) error {
		c.budgets = append(c.budgets, budgets...)
		return nil
	})
}

// WithEndpoint registers more endpoints: for a Client, places that a [Choice] can send calls to; for a Meter under
// another SDK, names and key labels for the requests that go there. Without it such a request's endpoint is named after
// the provider whose host it goes to ("openai", "google"), or else after the host and port.
func WithEndpoint(endpoints ...Endpoint) MeterOption { return endpointOption(endpoints) }

// endpointOption is the one option of a Meter that may stand beside WithMeter: a Meter takes endpoints at any time.
type endpointOption []Endpoint

func (o endpointOption) applyToMeter(c *meterConfig) error {
	c.endpoints = append(c.endpoints, o...)
	return nil
}

func (o endpointOption) applyToClient(c *clientConfig) error { return o.applyToMeter(&c.meterConfig) }

// WithCatalog uses a catalog of your own instead of the embedded snapshot; Meters may share one.
func WithCatalog(catalog *Catalog) MeterOption {
	return meterOption(func(c *meterConfig) error {
		if catalog == nil {
			return errors.New("WithCatalog: the catalog is nil")
		}
		c.catalog = catalog
		return nil
	})
}

// WithPrice sets the price of a model, wherever it is called: for models that the catalog does not know, and for prices
// of your own. See [WithModels] for limits, tiers and dates.
func WithPrice(model string, rates Rates) MeterOption {
	return WithModels(Model{Name: model, Prices: []Price{{Rates: rates, Source: "WithPrice"}}})
}

// WithModels puts models into the catalog, over those that it has. A catalog given by [WithCatalog] is changed for all who
// share it.
func WithModels(models ...Model) MeterOption {
	return meterOption(func(c *meterConfig) error {
		c.models = append(c.models, models...)
		return nil
	})
}

// WithUnpricedRates prices every model that has no price at stated rates, so that budgets count it, instead of refusing
// it where a budget applies. Choose rates that are too dear rather than too cheap.
func WithUnpricedRates(rates Rates) MeterOption {
	return meterOption(func(c *meterConfig) error {
		if len(rates) == 0 {
			return errors.New("WithUnpricedRates: no rates")
		}
		c.unpriced = rates
		return nil
	})
}

// WithSink sends every receipt to a sink, besides the ledger. Sinks are closed by Meter.Close.
func WithSink(sinks ...Sink) MeterOption {
	return meterOption(func(c *meterConfig) error {
		for _, sink := range sinks {
			if sink == nil {
				return errors.New("WithSink: the sink is nil")
			}
		}
		c.sinks = append(c.sinks, sinks...)
		return nil
	})
}

// WithLedgerSize keeps so many receipts in the ledger; the default is [DefaultLedgerSize].
func WithLedgerSize(receipts int) MeterOption {
	return meterOption(func(c *meterConfig) error {
		if receipts <= 0 {
			return fmt.Errorf("WithLedgerSize: %d receipts: want at least 1", receipts)
		}
		c.ledgerSize = receipts
		return nil
	})
}

// WithBaseTransport sends requests through a round tripper of your own instead of one that farebox makes, which has
// timeouts for dialing, TLS and idle connections and none for the answer.
func WithBaseTransport(base http.RoundTripper) MeterOption {
	return meterOption(func(c *meterConfig) error {
		if base == nil {
			return errors.New("WithBaseTransport: the round tripper is nil")
		}
		c.base = base
		return nil
	})
}

// WithoutStreamUsage leaves streams as they are: where a provider sends usage only when asked, farebox does not ask.
// The receipts of such streams carry an estimate from the text that passed, and budgets stay charged at the hold.
func WithoutStreamUsage() MeterOption {
	return meterOption(func(c *meterConfig) error {
		c.leaveUsage = true
		return nil
	})
}

// WithContentDecoder reads answers in an encoding that farebox does not know by itself, as gzip and deflate: "br", "zstd".
// decode returns a reader of the plain content; it may be called by several goroutines at once, and should not hold
// more memory than a window. Answers pass to the caller as they came, encoded. Without it the receipt of such an answer has
// [FlagUnreadableBody], and budgets stay charged at the hold. Only callers that ask for an encoding themselves get one:
// what net/http negotiates, it decodes.
func WithContentDecoder(encoding string, decode func(io.Reader) io.Reader) MeterOption {
	return meterOption(func(c *meterConfig) error {
		encoding = strings.ToLower(strings.TrimSpace(encoding))
		switch {
		case encoding == "" || encoding == "identity" || strings.ContainsAny(encoding, ", "):
			return fmt.Errorf("WithContentDecoder: %q is no encoding's name: want one as in Content-Encoding, like \"br\"", encoding)
		case decode == nil:
			return fmt.Errorf("WithContentDecoder: the decoder for %q is nil", encoding)
		}
		if c.decoders == nil {
			c.decoders = make(map[string]decoder)
		}
		c.decoders[encoding] = func(r io.Reader) (io.Reader, error) { return decode(r), nil }
		return nil
	})
}

// WithRefuseUnmetered refuses, with an [UnmeteredError] and unsent, every request that farebox cannot meter, so that no
// request gets around the budgets. Routes that a provider is known not to charge for (lists of models, token counts)
// still pass. Without it such requests pass untouched, counted by the metric farebox.unmetered and logged once per route.
func WithRefuseUnmetered() MeterOption {
	return meterOption(func(c *meterConfig) error {
		c.refuseUnmetered = true
		return nil
	})
}

// WithMaxRequestBytes refuses requests with a longer body, which has to be read whole to be priced; the default is
// 64 MiB.
func WithMaxRequestBytes(n int64) MeterOption {
	return meterOption(func(c *meterConfig) error {
		if n <= 0 {
			return fmt.Errorf("WithMaxRequestBytes: %d: want at least 1", n)
		}
		c.maxRequestBytes = min(n, math.MaxInt64-1) // one byte more is read, to see that a body is longer
		return nil
	})
}

// WithLogger logs what a caller is not told: a sink that fails. The default logs nothing. For receipts, see [LogSink].
func WithLogger(logger *slog.Logger) MeterOption {
	return meterOption(func(c *meterConfig) error {
		if logger == nil {
			return errors.New("WithLogger: the logger is nil")
		}
		c.logger = logger
		return nil
	})
}

// WithTracerProvider makes spans with a provider of your own instead of OpenTelemetry's global one.
func WithTracerProvider(provider trace.TracerProvider) MeterOption {
	return meterOption(func(c *meterConfig) error {
		if provider == nil {
			return errors.New("WithTracerProvider: the provider is nil")
		}
		c.tracers = provider
		return nil
	})
}

// WithMeterProvider makes metrics with a provider of your own instead of OpenTelemetry's global one.
func WithMeterProvider(provider metric.MeterProvider) MeterOption {
	return meterOption(func(c *meterConfig) error {
		if provider == nil {
			return errors.New("WithMeterProvider: the provider is nil")
		}
		c.meters = provider
		return nil
	})
}

// WithMetricTags puts the named tags on metrics, each of whose values is then a time series of its own. Without it
// tags stand on spans and receipts only.
func WithMetricTags(names ...string) MeterOption {
	return meterOption(func(c *meterConfig) error {
		if slices.Contains(names, "") {
			return errors.New("WithMetricTags: a tag's name is empty")
		}
		c.metricTags = append(c.metricTags, names...)
		return nil
	})
}

// WithMeter sends a Client's calls through a Meter that exists, so that several clients share budgets and a ledger.
// Options of a Meter cannot stand beside it, except WithEndpoint. Closing the Client leaves the Meter open.
func WithMeter(meter *Meter) Option {
	return clientOption(func(c *clientConfig) error {
		if meter == nil {
			return errors.New("WithMeter: the meter is nil")
		}
		c.meter = meter
		return nil
	})
}

// WithHTTPClient sends a Client's requests through an HTTP client of your own: its transport, its timeout and its
// redirect policy. If that transport is metered already, the call is metered once, by this Client's Meter.
func WithHTTPClient(client *http.Client) Option {
	return clientOption(func(c *clientConfig) error {
		if client == nil {
			return errors.New("WithHTTPClient: the client is nil")
		}
		c.httpClient = client
		return nil
	})
}

// WithRetry changes how failed attempts are retried; see [Retry]. A negative field is an error.
func WithRetry(retry Retry) Option {
	return clientOption(func(c *clientConfig) error {
		c.retry = retry
		return nil
	})
}

// WithModelChoice gives a name of the service's own to a choice of models: a request for that name goes where the
// choice says. An endpoint in it that is not registered is an error of the call, ErrBadRequest.
func WithModelChoice(name string, choice Choice) Option {
	return clientOption(func(c *clientConfig) error {
		switch {
		case name == "":
			return errors.New("WithModelChoice: the name is empty")
		case choice == nil:
			return fmt.Errorf("WithModelChoice: the choice for %q is nil", name)
		case c.choices[name] != nil:
			return fmt.Errorf("WithModelChoice: %q is given twice", name)
		}
		if c.choices == nil {
			c.choices = make(map[string]Choice)
		}
		c.choices[name] = choice
		return nil
	})
}

// WithAttemptTimeout bounds each physical attempt, from sending it to the end of its answer; of a stream, to its first
// event. The default is 10 minutes; ctx bounds the whole call.
func WithAttemptTimeout(timeout time.Duration) Option {
	return clientOption(func(c *clientConfig) error {
		if timeout <= 0 {
			return fmt.Errorf("WithAttemptTimeout: %s: want a positive duration", timeout)
		}
		c.timeout = timeout
		return nil
	})
}

// WithMaxResponseBytes bounds the answers that a Client reads whole; a longer one is ErrTooLarge. The default is 64 MiB.
func WithMaxResponseBytes(n int64) Option {
	return clientOption(func(c *clientConfig) error {
		if n <= 0 {
			return fmt.Errorf("WithMaxResponseBytes: %d: want at least 1", n)
		}
		c.maxResponseBytes = min(n, math.MaxInt64-1)
		return nil
	})
}

// WithMaxEventBytes bounds a line and an event of the streams that a Client reads; a longer one is ErrTooLarge. The
// default is 16 MiB.
func WithMaxEventBytes(n int) Option {
	return clientOption(func(c *clientConfig) error {
		if n <= 0 {
			return fmt.Errorf("WithMaxEventBytes: %d: want at least 1", n)
		}
		c.maxEventBytes = n
		return nil
	})
}
