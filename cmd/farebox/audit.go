package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/farebox-go/farebox"
)

// auditCommand says what recorded traffic has cost: it sends every exchange through a Meter, whose transport answers from
// the file.
type auditCommand struct {
	Files []string `arg:"" help:"HAR files, recordings, or JSON Lines of exchanges; - is standard input."`
}

// Help is the long help of the command.
func (*auditCommand) Help() string {
	return `Reads HAR 1.2 and exchanges ({"request":{…},"response":{…}}, one by one, in an array, or under "exchanges"), meters each of
them as if it were live, at the prices of its own day, and prints a receipt for each and totals by model, key and day. With
--json it prints one receipt per line; what a later exchange tells about an earlier one is a line {"adjustment":{…}}.`
}

// Run audits the files one after the other, in memory that does not grow with them.
func (c *auditCommand) Run(ctx context.Context, o *output) error {
	a := &audit{output: o, totals: newTotals()}
	meter, err := farebox.NewMeter(farebox.WithCatalog(o.catalog), farebox.WithBaseTransport(replayer{}),
		farebox.WithRefuseUnmetered(), farebox.WithLedgerSize(1), farebox.WithSink(a))
	if err != nil {
		return err
	}
	a.client = &http.Client{
		Transport:     meter.Transport(nil),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var failed error
	for _, name := range c.Files {
		if err := a.file(ctx, name); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed, meter.Close(ctx), a.broken, a.summary())
}

// audit is an audit in progress. It is the Meter's sink.
type audit struct {
	*output
	client *http.Client
	broken error // why nothing can be printed any more

	mu        sync.Mutex
	totals    *totals
	exchanges int
	free      int
	unmetered map[string]int // by route
	took      time.Duration  // of the exchange that is being replayed, as it was recorded
}

func (a *audit) file(ctx context.Context, name string) error {
	source := a.stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		source = file
	}
	number := 0
	return readExchanges(&progress{source: source, name: name, to: a.progress}, func(x *exchange) error {
		number++
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := a.replay(ctx, x); err != nil {
			return fmt.Errorf("exchange %d: %w", number, err)
		}
		return a.broken
	})
}

// replay sends one exchange through the Meter.
func (a *audit) replay(ctx context.Context, x *exchange) error {
	ctx, receipts := farebox.ContextWithReceipts(farebox.ContextWithTime(context.WithValue(ctx, exchangeKey{}, x), x.at()))
	req, err := x.request(ctx)
	if err != nil {
		return err
	}
	a.exchanges++
	a.took = x.took()
	resp, err := a.client.Do(req)
	var unmetered *farebox.UnmeteredError
	switch {
	case errors.As(err, &unmetered):
		if a.unmetered == nil {
			a.unmetered = make(map[string]int)
		}
		a.unmetered[unmetered.Method+" "+unmetered.Host+unmetered.Route]++
		return nil
	case errors.Is(err, farebox.ErrRefused):
		return err
	case err == nil:
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	if len(receipts.All()) == 0 {
		a.free++
	}
	return ctxError(ctx, err)
}

// ctxError is an error that ends an audit: that of an exchange that failed when it was recorded does not.
func ctxError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return nil
}

// exchangeKey is where a request's context has its exchange.
type exchangeKey struct{}

// replayer answers requests from their exchanges.
type replayer struct{}

func (replayer) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	return req.Context().Value(exchangeKey{}).(*exchange).response(req)
}

// Receipt prints a receipt and adds it up.
func (a *audit) Receipt(r farebox.Receipt) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.took > 0 {
		r.Duration = a.took
	}
	a.totals.add(&r)
	if a.json {
		return a.line(r)
	}
	_, err := fmt.Fprintf(a.to, "%s  %-12s %-40s %9d in %8d out  %14s %s%s\n", r.Start.UTC().Format("2006-01-02 15:04:05"),
		r.Endpoint, modelOf(&r), r.Usage.InputTokens(), r.Usage.OutputTokens(), costOf(&r), r.Source, remarks(&r))
	a.broken = err
	return err
}

// Adjustment corrects the totals by what was learned later.
func (a *audit) Adjustment(adjustment farebox.Adjustment) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.totals.adjust(&adjustment)
	if a.json {
		return a.line(map[string]any{"adjustment": adjustment})
	}
	_, err := fmt.Fprintf(a.to, "%30s receipt %s: %s more, %s\n", "", adjustment.ReceiptID, adjustment.Amount, adjustment.Reason)
	a.broken = err
	return err
}

// Close does nothing.
func (a *audit) Close() error { return nil }

func (a *audit) line(value any) error {
	encoder := json.NewEncoder(a.to)
	encoder.SetEscapeHTML(false)
	a.broken = encoder.Encode(value)
	return a.broken
}

func modelOf(r *farebox.Receipt) string {
	if r.Model != "" {
		return r.Model
	}
	return r.ModelAsked
}

func costOf(r *farebox.Receipt) string {
	if r.Source == farebox.Unpriced {
		return "?"
	}
	return r.Cost.String()
}

// remarks are what a reader of a receipt's line should know besides.
func remarks(r *farebox.Receipt) string {
	var words []string
	if r.ErrorType != "" {
		words = append(words, r.ErrorType)
	}
	for _, flag := range r.Flags {
		words = append(words, string(flag))
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, ", ") + ")"
}

// summary prints the totals. JSON has none: whoever reads lines can add them up.
func (a *audit) summary() error {
	if a.json || a.broken != nil {
		return nil
	}
	err := a.totals.print(a.output)
	metered := a.totals.all.calls
	if _, failed := fmt.Fprintf(a.to, "\n%d exchanges: %d metered, %d free, %d unmetered\n", a.exchanges, metered, a.free, a.exchanges-int(metered)-a.free); failed != nil {
		return errors.Join(err, failed)
	}
	for _, route := range slices.Sorted(maps.Keys(a.unmetered)) {
		if _, failed := fmt.Fprintf(a.to, "  unmetered: %s (%d)\n", route, a.unmetered[route]); failed != nil {
			return errors.Join(err, failed)
		}
	}
	return err
}
