package farebox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farebox-go/farebox/internal/attempts"
	"github.com/farebox-go/farebox/store"
)

// Meter is what every call passes through: catalog, guard, ledger and telemetry. Use one under a [Client], or hand
// [Meter.HTTPClient] to any other SDK that speaks OpenAI's format. Make one with [NewMeter]; the zero value is not usable.
// Safe for concurrent use.
type Meter struct {
	catalog   *Catalog
	guard     Guard
	ledger    Ledger
	sinks     []Sink
	telemetry *telemetry
	logger    *slog.Logger
	journal   *store.File      // of budgets; nil: there is none
	attempts  *attempts.Log    // in flight; nil: there is no journal
	receipts  *journalReceipts // nil: there is no journal
	lendsFrom store.Store      // where there is a journal: what budgets are kept in
	lendsAs   string           // its kind, as the log of attempts names it
	settling  atomic.Bool      // earlier processes' affairs, in the background
	base      http.RoundTripper
	ownBase   *http.Transport // base, where farebox made it
	unsettled unsettled
	tokens    tokenLearner
	askFor    time.Duration // how long providers may take to count tokens; 0: they are not asked
	refresher *refresher    // nil: nothing keeps the catalog current
	unpriced  *catalogModel // the stated price of models that have none; without tables: there is no such price

	leaveUsage      bool
	leaveMaxPrice   bool
	refuseUnmetered bool
	receiptHeaders  bool
	decoders        map[string]decoder // of encodings that farebox does not know by itself
	maxRequestBytes int64
	routes          unmeteredRoutes
	refused         refusedRequests

	endpoints struct {
		sync.RWMutex
		list []*endpoint
	}
	open    sync.WaitGroup // attempts in flight
	closing chan struct{}  // closed when Close is called
	events  *events
	lookups *costLookups // nil: off
	closers []func()     // of what options have opened
	closed  struct {
		sync.Mutex
		yes  bool
		done chan struct{} // closed when the first Close has ended
		err  error         // of it
	}
}

const (
	defaultMaxRequestBytes  = 64 << 20
	defaultMaxResponseBytes = 64 << 20
	defaultMaxEventBytes    = 16 << 20
	defaultAttemptTimeout   = 10 * time.Minute
)

// ErrClosed is returned by calls through a Meter that has been closed. It matches ErrRefused.
var ErrClosed = fmt.Errorf("meter is closed: %w", ErrRefused)

// NewMeter makes a Meter. Its errors are those of options.
func NewMeter(options ...MeterOption) (*Meter, error) {
	var config meterConfig
	for _, option := range options {
		if option == nil {
			continue
		}
		if err := option.applyToMeter(&config); err != nil {
			return nil, fmt.Errorf("farebox: %w", err)
		}
	}
	return newMeter(&config)
}

func newMeter(config *meterConfig) (*Meter, error) {
	m := &Meter{
		catalog: config.catalog, sinks: config.sinks, logger: config.logger, base: config.base,
		leaveUsage: config.leaveUsage, refuseUnmetered: config.refuseUnmetered, maxRequestBytes: config.maxRequestBytes,
		receiptHeaders: config.receiptHeaders, decoders: config.decoders,
		closing: make(chan struct{}), leaveMaxPrice: config.leaveMaxPrice,
	}
	m.askFor = config.askFor
	m.closed.done = make(chan struct{})
	m.ledger.size = config.ledgerSize
	m.guard.ledger = &m.ledger
	if m.logger == nil {
		m.logger = slog.New(slog.DiscardHandler)
	}
	if m.base == nil {
		m.ownBase = newBaseTransport()
		m.base = m.ownBase
	}
	if m.maxRequestBytes == 0 {
		m.maxRequestBytes = defaultMaxRequestBytes
	}
	if err := m.setPrices(config); err != nil {
		return nil, err
	}
	if err := m.tokens.configure(&config.tokens); err != nil {
		return nil, fmt.Errorf("farebox: %w", err)
	}
	if err := m.openStores(config); err != nil {
		return nil, fmt.Errorf("farebox: %w", err)
	}
	if err := m.fill(config); err != nil {
		return nil, errors.Join(fmt.Errorf("farebox: %w", err), m.closeStores(context.Background()))
	}
	m.refresher = startRefresh(config.refresh, m.catalog, m.logger)
	m.closers = config.closers
	if config.reconcile {
		m.lookups = newLookups(m)
	}
	if m.events = newEvents(config, m.logger); len(m.events.queues) > 0 {
		m.guard.core.Notify = m.events.crossed
	}
	if m.lookups != nil {
		m.lookups.addEarlier()
	}
	return m, nil
}

// fill puts in what the configuration names.
func (m *Meter) fill(config *meterConfig) (err error) {
	if err := m.guard.add(config.budgets); err != nil {
		return err
	}
	for _, e := range config.endpoints {
		if _, err := m.register(e); err != nil {
			return err
		}
	}
	if m.telemetry, err = newTelemetry(config, &m.guard, m.catalog); err != nil {
		return fmt.Errorf("telemetry: %w", err)
	}
	return nil
}

func (m *Meter) setPrices(config *meterConfig) error {
	if m.catalog == nil {
		var err error
		if m.catalog, err = NewCatalog(); err != nil {
			return err
		}
	}
	if err := m.catalog.Add(config.models...); err != nil {
		return err
	}
	m.unpriced = &catalogModel{}
	if config.unpriced == nil {
		return nil
	}
	stated := Model{Name: "unpriced", Prices: []Price{{Rates: config.unpriced, Source: "WithUnpricedRates"}}}
	var err error
	if m.unpriced, err = stated.compile(); err != nil {
		return fmt.Errorf("farebox: WithUnpricedRates: %w", err)
	}
	return nil
}

// newBaseTransport is net/http's own with bounds on everything but the answer, which a model may take minutes to begin.
func newBaseTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

// Catalog is where the Meter's prices come from.
func (m *Meter) Catalog() *Catalog { return m.catalog }

// Guard decides about the Meter's calls.
func (m *Meter) Guard() *Guard { return &m.guard }

// Ledger keeps the Meter's receipts.
func (m *Meter) Ledger() *Ledger { return &m.ledger }

// HTTPClient returns a new HTTP client whose requests are metered, as [Meter.Transport] says: hand it to any SDK. It does
// not follow redirects, so that a key goes nowhere else. A refused call is an error of the client that wraps a
// [BudgetError]. It has no timeout of its own; the request's context bounds a call.
func (m *Meter) HTTPClient() *http.Client {
	return &http.Client{
		Transport:     m.Transport(nil),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// register makes an endpoint known; one that is registered already is returned as it is.
func (m *Meter) register(e Endpoint) (*endpoint, error) {
	resolved, err := e.resolve()
	if err != nil {
		return nil, err
	}
	m.endpoints.Lock()
	defer m.endpoints.Unlock()
	for _, other := range m.endpoints.list {
		if other.name != resolved.name {
			continue
		}
		if other.baseURL == resolved.baseURL && other.keyHash == resolved.keyHash && other.keyLabel == resolved.keyLabel {
			return other, nil
		}
		return nil, fmt.Errorf("there are two endpoints named %q: give one another name with WithName", e.name)
	}
	m.endpoints.list = append(m.endpoints.list, resolved)
	return resolved, nil
}

// endpointOf finds the endpoint that a request of another SDK goes to: the registered one with the longest base URL
// in front of the request's and, if several have it, the same key; else what is known of the host.
func (m *Meter) endpointOf(req *http.Request) *endpoint {
	facts := providerOf(req.URL)
	key := keyOf(req.Header)
	if key == "" && facts.keyQuery != "" {
		key = req.URL.Query().Get(facts.keyQuery)
	}
	keyHash := hashKey(key)
	if known := m.registeredFor(req, keyHash); known != nil {
		return known
	}
	name := facts.id
	if name == "" {
		name = req.URL.Host
	}
	return &endpoint{
		Endpoint: Endpoint{name: name, provider: facts, keyLabel: labelOf(keyHash)},
		url:      req.URL, host: req.URL.Host, keyHash: keyHash,
	}
}

func (m *Meter) registeredFor(req *http.Request, keyHash string) *endpoint {
	m.endpoints.RLock()
	defer m.endpoints.RUnlock()
	var best *endpoint
	for _, e := range m.endpoints.list {
		if e.host != hostOf(req.URL) || !under(e.url.Path, req.URL.Path) {
			continue
		}
		switch {
		case best == nil,
			len(e.url.Path) > len(best.url.Path),
			len(e.url.Path) == len(best.url.Path) && e.keyHash == keyHash && best.keyHash != keyHash:
			best = e
		}
	}
	if best != nil && best.keyHash != keyHash && keyHash != "" {
		other := *best // the same place with a key that was not registered
		other.keyHash, other.keyLabel = keyHash, labelOf(keyHash)
		return &other
	}
	return best
}

// under says whether a path is a base path or lies below it.
func under(base, path string) bool {
	rest, ok := strings.CutPrefix(path, base)
	return ok && (rest == "" || rest[0] == '/')
}

// begin notes that an attempt is in flight, unless the Meter is closed.
func (m *Meter) begin() error {
	m.closed.Lock()
	defer m.closed.Unlock()
	if m.closed.yes {
		return fmt.Errorf("farebox: %w", ErrClosed)
	}
	m.open.Add(1)
	return nil
}

// Close refuses new calls, waits for those in flight until ctx ends, returns to a store what it had granted and is not spent,
// and closes the sinks. Answers that are still open are the callers' to close. A second Close returns what the first did, or
// ctx's error where it does not wait for that. A service that never calls it loses nothing but that: what was granted and
// not returned stays spent.
//
// Where ctx ends early, the error matches its own, and everything is closed nevertheless. Calls that are still in flight
// go on and settle in the budgets, and in a store given by [WithStore] for as long as that is open; sinks that have been closed
// do not get their receipts, and those of [WithJournal] are made by the next process on the folder, at the most that the
// calls can have cost.
func (m *Meter) Close(ctx context.Context) error {
	if m.isFirstClose() {
		m.closed.err = m.shut(ctx)
		close(m.closed.done)
	}
	select {
	case <-m.closed.done:
		return m.closed.err
	default:
	}
	select {
	case <-m.closed.done:
		return m.closed.err
	case <-ctx.Done():
		return fmt.Errorf("farebox: another Close is under way: %w", context.Cause(ctx))
	}
}

func (m *Meter) isFirstClose() bool {
	m.closed.Lock()
	defer m.closed.Unlock()
	if m.closed.yes {
		return false
	}
	m.closed.yes = true
	close(m.closing)
	return true
}

func (m *Meter) shut(ctx context.Context) (err error) {
	m.refresher.stop()
	drained := make(chan struct{})
	go func() {
		m.open.Wait()
		close(drained)
	}()
	select {
	case <-drained:
	case <-ctx.Done():
		err = fmt.Errorf("farebox: calls in flight: %w", ctx.Err())
	}
	err = errors.Join(err, m.lookups.close(ctx)) // which corrects what stores, events and sinks have been told
	err = errors.Join(err, m.closeStores(ctx), m.events.close(ctx))
	for _, closeOne := range m.closers {
		closeOne()
	}
	for _, sink := range m.sinks {
		err = errors.Join(err, safely(sink.Close))
	}
	m.telemetry.close()
	if m.ownBase != nil {
		m.ownBase.CloseIdleConnections()
	}
	return err
}

// record hands a receipt on, once the ledger has it: to who collects those of a context, and to every sink.
func (m *Meter) record(ctx context.Context, r *Receipt) {
	receiptsFromContext(ctx).add(*r)
	for _, sink := range m.sinks {
		if err := safely(func() error { return sink.Receipt(*r) }); err != nil {
			m.logger.WarnContext(ctx, "farebox: sink failed", slog.String("receipt", r.ID), slog.Any("error", err))
		}
	}
}

// safely runs code of the user's, which must not be able to take a call down with it.
func safely(f func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return f()
}
