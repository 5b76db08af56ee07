package farebox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// PriceSource is where a price list is to be had.
type PriceSource struct {
	Format PriceFormat
	// URL is the list's; empty: where its publisher keeps it (not for FormatFarebox and FormatOpenRouterEndpoints, which have
	// no one place). https, or http for a server of your own.
	URL string
}

// Refresh says how a catalog is kept current: by [Catalog.Refresh] once, by [WithCatalogRefresh] in the background. The zero
// value reads OpenRouter's list of models.
type Refresh struct {
	// Sources are read in their order; empty: OpenRouter's list of models. [Catalog.Use] says which of them prices a model.
	Sources []PriceSource
	// Client fetches them; nil: one with a timeout of 30 seconds.
	Client *http.Client
	// KeepIn is a folder in which the last good copy of each list is kept, and from which it is read before the network is
	// asked; it is made where there is none. Empty: nothing is kept.
	KeepIn string
	// MaxMove is by how much a rate may rise or fall from one list to the next, as a factor; a model with a rate that moved
	// by more keeps its price, and stands in the report. 0: 10. A model that was free may get a price.
	MaxMove int64
	// Every is the time between two background refreshes, give or take a tenth; 0: a day. After a failure it is a minute,
	// then two, and so on up to Every.
	Every time.Duration
	// WarnAfter is the age of the catalog from which each background refresh logs a warning; 0: a week.
	WarnAfter time.Duration
	// OnReport is called with what came of each background refresh; nil: nobody.
	OnReport func(RefreshReport)
}

const (
	defaultMaxMove      = 10
	defaultRefreshEvery = 24 * time.Hour
	defaultWarnAfter    = 7 * 24 * time.Hour
	refreshTimeout      = 30 * time.Second
)

// RefreshReport is what came of a refresh.
type RefreshReport struct {
	At      time.Time      `json:"at"`
	AsOf    time.Time      `json:"as_of"` // of the catalog, afterwards
	Sources []SourceReport `json:"sources"`
}

// SourceReport is what came of one source.
type SourceReport struct {
	Format PriceFormat `json:"format"`
	Source string      `json:"source"` // host and path of the URL
	// Outcome is "updated", "unchanged" (the source said so, by its ETag) or "failed", which leaves the prices as they were.
	Outcome string `json:"outcome"`
	Error   string `json:"error,omitzero"`
	Models  int    `json:"models,omitzero"` // that the list prices
	Bytes   int    `json:"bytes,omitzero"`
	// HeldBack are rates that moved by more than MaxMove: their models kept their prices.
	HeldBack []PriceDifference `json:"held_back,omitempty"`
	Problems []PriceProblem    `json:"problems,omitempty"`
}

// fetched is what is known of a source since its last good answer.
type fetched struct {
	etag, lastModified string
	models             int
}

// check fills in what is left open, and says what is wrong.
func (r Refresh) check() (Refresh, error) {
	if len(r.Sources) == 0 {
		r.Sources = []PriceSource{{Format: FormatOpenRouter}}
	}
	r.Sources = slices.Clone(r.Sources)
	for i := range r.Sources {
		if err := r.Sources[i].check(); err != nil {
			return r, err
		}
	}
	switch {
	case r.MaxMove < 0 || r.MaxMove == 1:
		return r, fmt.Errorf("refresh: MaxMove is %d: want a factor of 2 or more, or 0 for %d", r.MaxMove, defaultMaxMove)
	case r.Every < 0 || r.Every > 0 && r.Every < time.Minute:
		return r, fmt.Errorf("refresh: Every is %s: want a minute or more, or 0 for a day", r.Every)
	case r.WarnAfter < 0:
		return r, fmt.Errorf("refresh: WarnAfter is %s: want a positive duration, or 0 for a week", r.WarnAfter)
	}
	if r.Client == nil {
		r.Client = &http.Client{Timeout: refreshTimeout}
	}
	if r.MaxMove == 0 {
		r.MaxMove = defaultMaxMove
	}
	if r.Every == 0 {
		r.Every = defaultRefreshEvery
	}
	if r.WarnAfter == 0 {
		r.WarnAfter = defaultWarnAfter
	}
	return r, nil
}

func (s *PriceSource) check() error {
	if _, err := s.Format.known(); err != nil {
		return err
	}
	if s.URL == "" {
		s.URL = priceFormats[s.Format].url
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("refresh: source %s: want the URL of the list, such as https://host/prices.json", s.Format)
	}
	return nil
}

// name is the source's host and path: what of its URL cannot hold a key.
func (s *PriceSource) name() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return string(s.Format)
	}
	return u.Host + u.Path
}

// Refresh reads price lists from where they are published over the catalog. Each is checked before it replaces anything: it
// must be of its form and have models, at least half as many as it had before; negative or unbelievable prices are left out;
// a rate that moved by more than MaxMove is held back. A source that has not changed since is not read again. A source that
// fails leaves its prices as they were; the error joins those of all that failed, and stands in the report too. Look-ups see
// the old prices or the new ones, without a lock. Calls of Refresh take turns.
func (c *Catalog) Refresh(ctx context.Context, how Refresh) (RefreshReport, error) {
	how, err := how.check()
	if err != nil {
		return RefreshReport{}, fmt.Errorf("farebox: %w", err)
	}
	c.refreshing.Lock()
	defer c.refreshing.Unlock()
	c.takeKept(&how)
	report := RefreshReport{At: time.Now().UTC()}
	for i := range how.Sources {
		source := &how.Sources[i]
		done, failed := c.refreshFrom(ctx, &how, source)
		if failed != nil {
			failed = fmt.Errorf("farebox: price list %s: %w", source.name(), failed)
			done.Outcome, done.Error = "failed", failed.Error()
			err = errors.Join(err, failed)
		}
		done.Format, done.Source = source.Format, source.name()
		report.Sources = append(report.Sources, done)
	}
	report.AsOf = c.AsOf()
	return report, err
}

func (c *Catalog) refreshFrom(ctx context.Context, how *Refresh, source *PriceSource) (done SourceReport, err error) {
	known := c.fetched[source.URL]
	answer, err := source.fetch(ctx, how.Client, known)
	if err != nil {
		return done, err
	}
	now := time.Now().UTC()
	if answer.unchanged {
		done.Outcome, done.Models = "unchanged", known.models
		c.confirm(now)
		return done, nil
	}
	list, err := ReadPriceList(source.Format, source.name(), now, bytes.NewReader(answer.body))
	if err != nil {
		return done, errors.Unwrap(err) // which names the source, as the caller does
	}
	done.Outcome, done.Models, done.Bytes, done.Problems = "updated", len(list.Models), len(answer.body), list.Problems
	if known != nil && len(list.Models)*2 < known.models {
		return done, fmt.Errorf("it has %d models where it had %d: not taken", len(list.Models), known.models)
	}
	done.HeldBack = c.holdBack(list, how.MaxMove)
	if err := c.Use(list); err != nil {
		return done, err
	}
	c.remember(source, answer, len(list.Models))
	if how.KeepIn != "" {
		if err := keep(how.KeepIn, source, answer, now); err != nil {
			return done, fmt.Errorf("it is in use, and could not be kept: %w", err)
		}
	}
	return done, nil
}

func (c *Catalog) remember(source *PriceSource, answer *priceAnswer, models int) {
	if c.fetched == nil {
		c.fetched = make(map[string]*fetched)
	}
	c.fetched[source.URL] = &fetched{etag: answer.etag, lastModified: answer.lastModified, models: models}
}

// confirm notes that a source still says what it said.
func (c *Catalog) confirm(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := *c.load()
	next.asOf = now
	c.state.Store(&next)
}

// holdBack takes out of a list the models with a rate that moved by more than a factor, and returns those rates.
func (c *Catalog) holdBack(list *PriceList, most int64) (held []PriceDifference) {
	moved := map[modelKey]bool{}
	for _, d := range c.Differences(list, 99-100/most) {
		low, high := d.Known, d.Listed
		if low.Cmp(high) > 0 {
			low, high = high, low
		}
		if low.Scale(most, 1).Cmp(high) >= 0 || d.Known.IsZero() {
			continue
		}
		held = append(held, d)
		moved[modelKey{d.Provider, d.Model}] = true
	}
	if len(moved) > 0 {
		list.Models = slices.DeleteFunc(list.Models, func(m Model) bool { return moved[modelKey{m.Provider, m.Name}] })
	}
	return held
}

// priceAnswer is what a source answered.
type priceAnswer struct {
	body               []byte
	etag, lastModified string
	unchanged          bool
}

// fetch asks a source for its list, unless it is what was fetched before.
func (s *PriceSource) fetch(ctx context.Context, client *http.Client, known *fetched) (*priceAnswer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, http.NoBody)
	if err != nil {
		return nil, stripURL(err)
	}
	req.Header.Set("Accept", "application/json")
	if known != nil && known.etag != "" {
		req.Header.Set("If-None-Match", known.etag)
	} else if known != nil && known.lastModified != "" {
		req.Header.Set("If-Modified-Since", known.lastModified)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, stripURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode == http.StatusNotModified && known != nil:
		return &priceAnswer{unchanged: true}, nil
	case !isSuccess(resp.StatusCode):
		return nil, fmt.Errorf("status %s", strings.TrimSpace(resp.Status))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxPriceListBytes+1))
	if err != nil {
		return nil, stripURL(err)
	}
	if len(body) > MaxPriceListBytes {
		return nil, fmt.Errorf("it has more than %d MiB", MaxPriceListBytes>>20)
	}
	return &priceAnswer{body: body, etag: resp.Header.Get("Etag"), lastModified: resp.Header.Get("Last-Modified")}, nil
}

// jitter is a time around another, give or take a tenth: a fleet that was started at once does not ask at once.
func jitter(d time.Duration) time.Duration {
	if d < 10 {
		return d
	}
	return d - d/10 + rand.N(d/5)
}
