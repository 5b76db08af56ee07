package farebox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// WithReconciliation looks up, in the background, what calls really cost that were charged at their most or by an estimate:
// cut streams above all. It asks OpenRouter (GET /generation), at registered endpoints, whose key farebox has; the figure
// becomes an [Adjustment]. The provider takes seconds to have it, so it is asked again with growing waits, for some
// minutes. Meter.Close has a last look at what is still open. With [WithJournal] that goes for what earlier processes left, too.
func WithReconciliation() MeterOption {
	return meterOption(func(c *meterConfig) error {
		c.reconcile = true
		return nil
	})
}

const (
	maxLookups     = 1024 // waiting; more are left as they are charged
	lookupsAtATime = 4
	lookupTries    = 9
	lookupTimeout  = 10 * time.Second
	firstLookup    = time.Second
	longestLookup  = 30 * time.Second // between two tries
	lastLookups    = 250 * time.Millisecond
	maxGeneration  = 64 << 10 // bytes of an answer
)

// costLookups asks a provider for the cost of single calls.
type costLookups struct {
	meter   *Meter
	client  *http.Client
	waiting chan struct{} // one token for each that waits or asks
	asking  chan struct{}
	jobs    sync.WaitGroup
	ctx     context.Context
	cancel  context.CancelFunc
}

func newLookups(m *Meter) *costLookups {
	l := &costLookups{
		meter:   m,
		client:  &http.Client{Transport: m.base, Timeout: lookupTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		waiting: make(chan struct{}, maxLookups), asking: make(chan struct{}, lookupsAtATime),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// addEarlier looks up what earlier processes left.
func (l *costLookups) addEarlier() {
	for _, r := range l.meter.unsettled.earlier() {
		if ep := l.meter.endpointAt(r); ep != nil {
			l.add(ep, r)
		}
	}
}

// endpointAt is the endpoint of a receipt, with the key that it went out with; nil: it is not registered.
func (m *Meter) endpointAt(r *Receipt) *endpoint {
	m.endpoints.RLock()
	defer m.endpoints.RUnlock()
	for _, ep := range m.endpoints.list {
		if ep.name == r.Endpoint && ep.keyHash == r.KeyHash {
			return ep
		}
	}
	return nil
}

// add looks up what a receipt's attempt cost, if its provider can be asked.
func (l *costLookups) add(ep *endpoint, r *Receipt) {
	if l == nil || ep.provider.id != "openrouter" || r.GenerationID == "" || !ep.hasKey() {
		return
	}
	select {
	case l.waiting <- struct{}{}:
	default:
		l.meter.logger.Warn("farebox: too many calls wait to be reconciled", slog.String("receipt", r.ID))
		return
	}
	receipt, generation := r.ID, r.GenerationID
	l.jobs.Go(func() {
		defer func() { <-l.waiting }()
		if err := l.lookUp(ep, receipt, generation); err != nil && l.ctx.Err() == nil {
			l.meter.logger.Warn("farebox: not reconciled", slog.String("receipt", receipt), slog.Any("error", err))
		}
	})
}

// hasKey says whether the endpoint's key is the one that its requests went out with.
func (e *endpoint) hasKey() bool { return e.secrets != nil && hashKey(e.secrets().key) == e.keyHash }

var errNotReady = errors.New("the provider does not know the cost yet")

// lookUp asks until the provider knows.
func (l *costLookups) lookUp(ep *endpoint, receipt, generation string) (err error) {
	wait := firstLookup
	for range lookupTries {
		if !l.sleep(wait) {
			return l.ctx.Err()
		}
		var cost Money
		cost, err = l.ask(ep, generation)
		if err == nil {
			_, err = l.meter.Reconcile(receipt, cost, "openrouter generation")
			return err
		}
		if !errors.Is(err, errNotReady) {
			return err
		}
		wait = min(2*wait, longestLookup)
	}
	return err
}

// sleep waits between two tries, shorter once the Meter is being closed; false: it is time to give up.
func (l *costLookups) sleep(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	closing := l.meter.closing
	for {
		select {
		case <-timer.C:
			return true
		case <-closing:
			closing = nil
			timer.Reset(min(wait, lastLookups))
		case <-l.ctx.Done():
			return false
		}
	}
}

// ask asks once: errNotReady where asking again may help.
func (l *costLookups) ask(ep *endpoint, generation string) (Money, error) {
	select {
	case l.asking <- struct{}{}:
		defer func() { <-l.asking }()
	case <-l.ctx.Done():
		return Money{}, l.ctx.Err()
	}
	req, err := http.NewRequestWithContext(l.ctx, http.MethodGet, ep.at("generation")+"?id="+url.QueryEscape(generation), http.NoBody)
	if err != nil {
		return Money{}, stripURL(err)
	}
	ep.authorize(req.Header)
	resp, err := l.client.Do(req)
	if err != nil {
		return Money{}, fmt.Errorf("%w: %w", errNotReady, stripURL(err))
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxGeneration))
	switch status := resp.StatusCode; {
	case err != nil, status == http.StatusNotFound, retryableStatus(status):
		return Money{}, fmt.Errorf("%w (status %d)", errNotReady, status)
	case !isSuccess(status):
		return Money{}, fmt.Errorf("the provider answered %d", status)
	}
	return generationCost(body)
}

// generationCost reads what a generation cost: OpenRouter's charge and, with a key of the user's own, the upstream's bill.
func generationCost(body []byte) (Money, error) {
	total, err := generationFigure(body, "total_cost")
	if err != nil {
		return Money{}, err
	}
	if string(jsonwalk.Find(body, "data", "is_byok")) != "true" {
		return total, nil
	}
	upstream, err := generationFigure(body, "upstream_inference_cost")
	return total.Add(upstream), err
}

func generationFigure(body []byte, name string) (Money, error) {
	literal := jsonwalk.Find(body, "data", name)
	amount, err := parseScaled(string(literal), 0)
	if err != nil || !jsonwalk.IsNumber(literal) || amount.Sign() < 0 {
		return Money{}, errors.New("the provider's answer has no " + strconv.Quote(name))
	}
	return amount, nil
}

// close has a last look at what is open, until ctx ends.
func (l *costLookups) close(ctx context.Context) error {
	if l == nil {
		return nil
	}
	defer l.cancel()
	done := make(chan struct{})
	go func() {
		l.jobs.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		l.cancel()
		<-done // they end with l.ctx
		return fmt.Errorf("farebox: calls not reconciled: %w", ctx.Err())
	}
}
