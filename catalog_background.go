package farebox

import (
	"context"
	"log/slog"
	"time"
)

// WithCatalogRefresh keeps the Meter's catalog current in the background, from NewMeter until Meter.Close. Lists that were
// kept in Refresh.KeepIn are in force at once; the network is first asked some seconds later, and nothing waits for it. What
// fails is logged as a warning.
func WithCatalogRefresh(how Refresh) MeterOption {
	return meterOption(func(c *meterConfig) error {
		checked, err := how.check()
		if err != nil {
			return err
		}
		c.refresh = &checked
		return nil
	})
}

// refresher runs refreshes until it is stopped.
type refresher struct {
	how     *Refresh
	catalog *Catalog
	logger  *slog.Logger
	cancel  context.CancelFunc
	ended   chan struct{}
}

// firstRefresh is how long after the start of a program its first refresh comes, at most.
const firstRefresh = 10 * time.Second

// startRefresh begins to keep a catalog current; nil where that was not asked for.
func startRefresh(how *Refresh, catalog *Catalog, logger *slog.Logger) *refresher {
	if how == nil {
		return nil
	}
	catalog.refreshing.Lock()
	catalog.takeKept(how)
	catalog.refreshing.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	r := &refresher{how: how, catalog: catalog, logger: logger, cancel: cancel, ended: make(chan struct{})}
	go r.run(ctx)
	return r
}

func (r *refresher) run(ctx context.Context) {
	defer close(r.ended)
	timer := time.NewTimer(jitter(firstRefresh / 2))
	defer timer.Stop()
	for failures := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if r.once(ctx) {
			failures = 0
		} else {
			failures++
		}
		if ctx.Err() != nil {
			return
		}
		timer.Reset(jitter(r.next(failures)))
	}
}

// next is the time until the next refresh, after so many failures in a row.
func (r *refresher) next(failures int) time.Duration {
	if failures == 0 {
		return r.how.Every
	}
	return min(time.Minute<<min(failures-1, 10), r.how.Every)
}

// once refreshes, and says whether every source answered.
func (r *refresher) once(ctx context.Context) bool {
	report, err := r.catalog.Refresh(ctx, *r.how)
	if ctx.Err() != nil {
		return false // the Meter was closed
	}
	if err != nil {
		r.logger.WarnContext(ctx, "farebox: prices could not be refreshed", slog.Any("error", err))
	}
	for _, s := range report.Sources {
		if len(s.HeldBack) > 0 {
			r.logger.WarnContext(ctx, "farebox: prices moved too far and were held back",
				slog.String("source", s.Source), slog.Int("rates", len(s.HeldBack)), slog.String("first", s.HeldBack[0].Provider+"/"+s.HeldBack[0].Model))
		}
	}
	if age := time.Since(r.catalog.AsOf()); age > r.how.WarnAfter {
		r.logger.WarnContext(ctx, "farebox: prices are old", slog.Duration("age", age), slog.Time("as_of", r.catalog.AsOf()))
	}
	if r.how.OnReport != nil {
		if failed := safely(func() error { r.how.OnReport(report); return nil }); failed != nil {
			r.logger.WarnContext(ctx, "farebox: OnReport failed", slog.Any("error", failed))
		}
	}
	return err == nil
}

// stop ends the refreshes and waits for one under way, which is cancelled.
func (r *refresher) stop() {
	if r != nil {
		r.cancel()
		<-r.ended
	}
}
