package farebox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox/internal/catalog"
)

// priceServer serves a list in catwalk's form, as it is told.
type priceServer struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	body   string
	etag   string
	asked  int
	since  []string // If-None-Match of every request
}

func newPriceServer(t *testing.T, body, etag string) *priceServer {
	t.Helper()
	s := &priceServer{status: http.StatusOK, body: body, etag: etag}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *priceServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	s.since = append(s.since, r.Header.Get("If-None-Match"))
	if s.etag != "" {
		w.Header().Set("Etag", s.etag)
		if r.Header.Get("If-None-Match") == s.etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.body)
}

func (s *priceServer) serve(status int, body, etag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.body, s.etag = status, body, etag
}

func (s *priceServer) refresh() Refresh {
	return Refresh{Sources: []PriceSource{{Format: FormatCatwalk, URL: s.URL + "/prices.json?token=sesame"}}, Client: s.Client()}
}

// catwalkList is a list of models m0, m1, … at prices in dollars per million.
func catwalkList(dollars ...float64) string {
	var models []string
	for i, d := range dollars {
		models = append(models, fmt.Sprintf(`{"id":"m%d","cost_per_1m_in":%g,"cost_per_1m_out":%g}`, i, d, d))
	}
	return `[{"id":"openai","models":[` + strings.Join(models, ",") + `]}]`
}

// inputOf is what a million input tokens cost now.
func inputOf(t *testing.T, c *Catalog, model string) string {
	t.Helper()
	return costOf(t, c, "openai", model, Usage{Input: 1e6}, conditions{at: time.Now()}).String()
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	server := newPriceServer(t, catwalkList(1, 2), `"v1"`)
	var c Catalog
	report, err := c.Refresh(t.Context(), server.refresh())
	if err != nil || report.Sources[0].Outcome != "updated" || report.Sources[0].Models != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	if age := time.Since(c.AsOf()); age > time.Minute || age < 0 || inputOf(t, &c, "m0") != "$1" {
		t.Errorf("the catalog is %s old", age)
	}
	before := c.AsOf()
	if report, err = c.Refresh(t.Context(), server.refresh()); err != nil || report.Sources[0].Outcome != "unchanged" || report.Sources[0].Models != 2 {
		t.Errorf("%+v, %v", report, err)
	}
	if server.since[0] != "" || server.since[1] != `"v1"` || !c.AsOf().After(before) {
		t.Errorf("If-None-Match: %q; as of %s, then %s", server.since, before, c.AsOf())
	}
	if source := report.Sources[0].Source; strings.Contains(source, "sesame") || !strings.HasSuffix(source, "/prices.json") {
		t.Errorf("the source is named %q", source)
	}
	server.serve(http.StatusOK, catwalkList(3, 2), `"v2"`)
	if _, err = c.Refresh(t.Context(), server.refresh()); err != nil || inputOf(t, &c, "m0") != "$3" {
		t.Errorf("m0 costs %s, %v", inputOf(t, &c, "m0"), err)
	}
	if got := costOf(t, &c, "openai", "m0", Usage{Input: 1e6}, conditions{at: report.At.Add(-time.Hour)}); got != Dollars(1) {
		t.Errorf("an hour ago it cost %s", got)
	}
}

func TestRefreshChangesNothingWhenItFails(t *testing.T) {
	t.Parallel()
	server := newPriceServer(t, catwalkList(1, 2, 3), "")
	var c Catalog
	if _, err := c.Refresh(t.Context(), server.refresh()); err != nil {
		t.Fatal(err)
	}
	before := c.load()
	tests := []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"an error", http.StatusBadGateway, "<html>", "502"},
		{"no JSON", http.StatusOK, "<html>", "line 1"},
		{"cut short", http.StatusOK, catwalkList(1, 2, 3)[:40], "cut short"},
		{"nothing", http.StatusOK, "[]", "no model"},
		{"negative prices only", http.StatusOK, catwalkList(-1, -1), "negative"},
		{"a third of the models", http.StatusOK, catwalkList(1), "1 models where it had 3"},
		{"another list", http.StatusOK, `{"data":[]}`, "no model"},
	}
	for _, test := range tests {
		server.serve(test.status, test.body, "")
		report, err := c.Refresh(t.Context(), server.refresh())
		if err == nil || !strings.Contains(err.Error(), test.want) || report.Sources[0].Outcome != "failed" || report.Sources[0].Error == "" {
			t.Errorf("%s: %+v, %v; want an error that says %q", test.name, report, err, test.want)
		}
		if err != nil && (strings.Contains(err.Error(), "sesame") || strings.Count(err.Error(), "farebox:") != 1) {
			t.Errorf("%s: %v", test.name, err)
		}
		if c.load() != before {
			t.Errorf("%s: the catalog has changed", test.name)
		}
	}
	server.Close()
	if _, err := c.Refresh(t.Context(), server.refresh()); err == nil || strings.Contains(err.Error(), "sesame") || c.load() != before {
		t.Errorf("no server: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Refresh(ctx, server.refresh()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestRefreshHoldsBackWhatMovesTooFar(t *testing.T) {
	t.Parallel()
	server := newPriceServer(t, catwalkList(1, 1, 1, 1), "")
	var c Catalog
	how := server.refresh()
	if _, err := c.Refresh(t.Context(), how); err != nil {
		t.Fatal(err)
	}
	server.serve(http.StatusOK, catwalkList(10, 10.1, 0.1, 0.09), "")
	report, err := c.Refresh(t.Context(), how)
	if err != nil {
		t.Fatal(err)
	}
	var held []string
	for _, d := range report.Sources[0].HeldBack {
		if d.Dimension == DimensionInput {
			held = append(held, d.Model+" from "+d.Known.PerMillionString()+" to "+d.Listed.PerMillionString())
		}
	}
	if got := strings.Join(held, "; "); got != "m1 from 1 to 10.1; m3 from 1 to 0.09" {
		t.Errorf("held back: %s", got)
	}
	for model, want := range map[string]string{"m0": "$10", "m1": "$1", "m2": "$0.1", "m3": "$1"} {
		if got := inputOf(t, &c, model); got != want {
			t.Errorf("%s costs %s, want %s", model, got, want)
		}
	}
	how.MaxMove = 100
	if _, err := c.Refresh(t.Context(), how); err != nil || inputOf(t, &c, "m1") != "$10.1" {
		t.Errorf("with another limit m1 costs %s, %v", inputOf(t, &c, "m1"), err)
	}
}

func TestRefreshKeepsTheLastGood(t *testing.T) {
	t.Parallel()
	server := newPriceServer(t, catwalkList(1, 2), `"v1"`)
	folder := filepath.Join(t.TempDir(), "prices")
	how := server.refresh()
	how.KeepIn = folder
	var c Catalog
	if _, err := c.Refresh(t.Context(), how); err != nil {
		t.Fatal(err)
	}
	asOf := c.AsOf()
	files, _ := filepath.Glob(filepath.Join(folder, "*"))
	if len(files) != 1 {
		t.Fatalf("kept: %v", files)
	}
	if kept, _ := os.ReadFile(files[0]); bytes.Contains(kept, []byte("sesame")) {
		t.Error("the URL's key is on disk")
	}

	var second Catalog // of another process, which asks only for what has changed
	if report, err := second.Refresh(t.Context(), how); err != nil || report.Sources[0].Outcome != "unchanged" || inputOf(t, &second, "m1") != "$2" {
		t.Errorf("%+v, %v", report, err)
	}
	server.serve(http.StatusInternalServerError, "", "")
	var third Catalog // of another process, while the source is down
	if _, err := third.Refresh(t.Context(), how); err == nil || inputOf(t, &third, "m0") != "$1" || !third.AsOf().Equal(asOf) {
		t.Errorf("from disk: %v; as of %s, want %s", err, third.AsOf(), asOf)
	}
	if after, _ := filepath.Glob(filepath.Join(folder, "*")); len(after) != 1 || after[0] != files[0] {
		t.Errorf("a failed refresh has left %v", after)
	}
	good, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"cut short": good[:len(good)-3], "changed": bytes.Replace(good, []byte(`"cost_per_1m_in":1`), []byte(`"cost_per_1m_in":9`), 1),
		"empty": nil, "of nothing": []byte("{}\n"),
	} {
		if err := os.WriteFile(files[0], damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		var c Catalog
		if _, err := c.Refresh(t.Context(), how); err == nil {
			t.Errorf("%s: no error", name)
		}
		if m := c.find("openai", "m0"); m != nil {
			t.Errorf("%s: a damaged list is in force", name)
		}
	}
}

func TestBadRefreshIsAnErrorOfNewMeter(t *testing.T) {
	t.Parallel()
	for want, how := range map[string]Refresh{
		"URL of the list": {Sources: []PriceSource{{Format: FormatFarebox}}},
		"such as https":   {Sources: []PriceSource{{Format: FormatLiteLLM, URL: "ftp://x/y"}}},
		"want one of":     {Sources: []PriceSource{{Format: "csv"}}},
		"MaxMove":         {MaxMove: 1},
		"Every":           {Every: time.Second},
		"WarnAfter":       {WarnAfter: -1},
	} {
		if m, err := NewMeter(WithCatalogRefresh(how)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error that says %q", how, err, want)
			_ = m.Close(t.Context())
		}
	}
}

// numbered answers requests by their number, for tests in which time is not real.
type numbered func(n int64) (status int, body string)

type counted struct {
	answer numbered
	n      atomic.Int64
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := c.answer(c.n.Add(1))
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func TestBackgroundRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		list := catwalkList(1, 2)
		source := &counted{answer: func(n int64) (int, string) {
			if n >= 3 && n <= 5 {
				return http.StatusBadGateway, ""
			}
			return http.StatusOK, list
		}}
		var log bytes.Buffer
		var reports []RefreshReport
		c := &Catalog{}
		meter, err := NewMeter(WithCatalog(c), WithLogger(slog.New(slog.NewTextHandler(&log, nil))), WithCatalogRefresh(Refresh{
			Sources: []PriceSource{{Format: FormatCatwalk, URL: "https://prices.example/list"}},
			Client:  &http.Client{Transport: source}, Every: time.Hour, WarnAfter: 2 * time.Minute,
			OnReport: func(r RefreshReport) { reports = append(reports, r) },
		}))
		if err != nil {
			t.Fatal(err)
		}
		if source.n.Load() != 0 || c.find("openai", "m0") != nil {
			t.Error("the network was asked in NewMeter")
		}
		time.Sleep(10 * time.Second)
		if source.n.Load() != 1 || inputOf(t, c, "m0") != "$1" {
			t.Errorf("after ten seconds: asked %d times", source.n.Load())
		}
		time.Sleep(67 * time.Minute)
		if source.n.Load() != 2 {
			t.Errorf("an hour later: asked %d times, want 2", source.n.Load())
		}
		time.Sleep(75 * time.Minute) // fails; again a minute later, two, four
		if n := source.n.Load(); n < 5 {
			t.Errorf("after failures: asked %d times", n)
		}
		if !strings.Contains(log.String(), "prices could not be refreshed") || !strings.Contains(log.String(), "prices are old") {
			t.Errorf("the log: %s", log.String())
		}
		if inputOf(t, c, "m1") != "$2" {
			t.Error("failures have cost prices")
		}
		if err := meter.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		asked := source.n.Load()
		time.Sleep(48 * time.Hour)
		if source.n.Load() != asked || len(reports) != int(asked) {
			t.Errorf("after Close the source was asked %d times more; %d reports", source.n.Load()-asked, len(reports))
		}
	})
}

// Look-ups see whole prices, old or new, while lists are swapped under them.
func TestLookUpsDuringRefresh(t *testing.T) {
	t.Parallel()
	server := newPriceServer(t, catwalkList(1, 1), "")
	c := newSnapshot(t)
	if _, err := c.Refresh(t.Context(), server.refresh()); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got, err := c.Cost("openai", "m0", Usage{Input: 1e6, Output: 1e6}, time.Now())
				if err != nil || got.Total != Dollars(2) && got.Total != Dollars(4) {
					t.Errorf("%v, %v", got.Total, err)
					return
				}
			}
		})
	}
	for i := range 20 {
		server.serve(http.StatusOK, catwalkList(float64(1+i%2), float64(1+i%2)), "")
		if _, err := c.Refresh(t.Context(), server.refresh()); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	readers.Wait()
}

func TestLookUpAllocatesNothing(t *testing.T) {
	c := newSnapshot(t)
	if err := c.Use(listFile(t, FormatLiteLLM, "internal/pricelist/testdata/litellm.json")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gpt-4o-mini", "gpt-6-astra", "gpt-4o-mini-2024-07-18", "no-such-model"} {
		if n := testing.AllocsPerRun(100, func() { c.find("openai", name) }); n != 0 {
			t.Errorf("looking up %s allocates %v times", name, n)
		}
	}
}

func BenchmarkCatalogFind(b *testing.B) {
	c := newSnapshot(b)
	b.ReportAllocs()
	for b.Loop() {
		if c.find("openai", "gpt-4o-mini") == nil {
			b.Fatal("not found")
		}
	}
}

// BenchmarkSnapshotEntries makes the catalog's entries of the decoded snapshot, which is most of a first use.
func BenchmarkSnapshotEntries(b *testing.B) {
	table, err := catalog.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := stateOf(table); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCatalogFindDuringSwaps looks up from all processors while another goroutine swaps prices without a pause.
func BenchmarkCatalogFindDuringSwaps(b *testing.B) {
	c := newSnapshot(b)
	list := listFile(b, FormatLiteLLM, "internal/pricelist/testdata/litellm.json")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				if err := c.Use(list); err != nil {
					b.Error(err)
				}
			}
		}
	}()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if c.find("openai", "gpt-4o-mini") == nil {
				b.Error("not found")
			}
		}
	})
	close(stop)
	<-stopped
}
