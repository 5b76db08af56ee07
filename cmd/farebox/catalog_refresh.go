package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/farebox-go/farebox"
)

type refreshCommand struct {
	Sources []string      `arg:"" optional:"" help:"Lists to fetch, as FORM or FORM=URL: openrouter, genai-prices, models.dev, litellm, catwalk, farebox=URL, openrouter-endpoints=URL. None: openrouter and genai-prices." placeholder:"FORM[=URL]"`
	MaxMove int64         `help:"Hold back models with a rate that moved by more than this factor (${default})." default:"10" placeholder:"FACTOR"`
	Timeout time.Duration `help:"Give up on a list after this time (${default})." default:"60s" placeholder:"TIME"`
}

// Run fetches lists, one after the other.
func (c *refreshCommand) Run(ctx context.Context, o *output) error {
	if c.Timeout <= 0 {
		return fmt.Errorf("%w: --timeout: want a positive time", errUsage)
	}
	if len(c.Sources) == 0 {
		c.Sources = []string{string(farebox.FormatOpenRouter), string(farebox.FormatGenAIPrices)}
	}
	reports := []farebox.SourceReport{}
	failed := false
	for _, arg := range c.Sources {
		format, url, _ := strings.Cut(arg, "=")
		report, err := c.fetch(ctx, o, farebox.PriceSource{Format: farebox.PriceFormat(format), URL: url})
		if err != nil && len(report.Sources) == 0 {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		failed = failed || err != nil
		reports = append(reports, report.Sources...)
		for i := range report.Sources {
			printSource(o, &report.Sources[i])
		}
	}
	if o.json {
		if err := o.printJSON(reports); err != nil {
			return err
		}
	}
	if failed {
		return errShown
	}
	return nil
}

func (c *refreshCommand) fetch(ctx context.Context, o *output, source farebox.PriceSource) (farebox.RefreshReport, error) {
	watched := &watchedTransport{name: string(source.Format), to: o.progress}
	defer watched.clear()
	return o.catalog.Refresh(ctx, farebox.Refresh{
		Sources: []farebox.PriceSource{source}, KeepIn: o.kept, MaxMove: c.MaxMove,
		Client: &http.Client{Transport: watched, Timeout: c.Timeout},
	})
}

func printSource(o *output, s *farebox.SourceReport) {
	switch s.Outcome {
	case "updated":
		o.say("%s: %s models, %s KB", s.Source, grouped(int64(s.Models)), grouped(int64(s.Bytes>>10)))
	case "unchanged":
		o.say("%s: unchanged, %s models", s.Source, grouped(int64(s.Models)))
	default:
		o.say("%s: failed; the prices are as they were\n  %s", s.Source, strings.ReplaceAll(s.Error, "farebox: ", ""))
	}
	for _, d := range s.HeldBack {
		ours, per := shownRate(d.Dimension, d.Known)
		theirs, _ := shownRate(d.Dimension, d.Listed)
		o.say("  held back: %s/%s %s from $%s to $%s %s", d.Provider, d.Model, d.Dimension, ours, theirs, per)
	}
	const most = 10
	for i, p := range s.Problems {
		if i == most {
			o.say("  … and %d rows more that are wrong; --json has all", len(s.Problems)-most)
			break
		}
		o.say("  left out: %s: %s", p.Row, p.Reason)
	}
}

// watchedTransport shows how far a list has been fetched, to somebody who looks.
type watchedTransport struct {
	name  string
	to    io.Writer
	spoke bool
}

// RoundTrip implements http.RoundTripper.
func (w *watchedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	w.show("asking")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &watchedBody{ReadCloser: resp.Body, watcher: w}
	return resp, nil
}

func (w *watchedTransport) show(what string) {
	if w.to != nil {
		w.spoke = true
		_, _ = fmt.Fprintf(w.to, "\r\x1b[K%s: %s", w.name, what)
	}
}

func (w *watchedTransport) clear() {
	if w.spoke {
		_, _ = fmt.Fprint(w.to, "\r\x1b[K")
	}
}

type watchedBody struct {
	io.ReadCloser
	watcher *watchedTransport
	done    int64
	next    time.Time
}

func (b *watchedBody) Read(buf []byte) (int, error) {
	n, err := b.ReadCloser.Read(buf)
	b.done += int64(n)
	if now := time.Now(); now.After(b.next) || errors.Is(err, io.EOF) {
		b.next = now.Add(100 * time.Millisecond)
		b.watcher.show(fmt.Sprintf("%s KB", grouped(b.done>>10)))
	}
	return n, err
}
