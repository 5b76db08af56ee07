package sdks

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

// BenchmarkSDKs measures what the Meter adds to a call of each SDK, against an answer from memory. Calls with it and without
// take turns, and of each the quickest round counts, since whatever else runs on a machine can only make a round slower.
func BenchmarkSDKs(b *testing.B) {
	for _, s := range sdks {
		b.Run(s.name+"/plain", func(b *testing.B) { overhead(b, &s, false) })
		b.Run(s.name+"/stream", func(b *testing.B) { overhead(b, &s, true) })
	}
}

const callsEach = 20 // calls of a round

// longAnswer streams in some four hundred chunks, among which what a call costs once is lost.
var longAnswer = strings.TrimSpace(strings.Repeat("farebox ", 400))

func overhead(b *testing.B, s *sdk, stream bool) {
	recorded := capture(b, s, stream)
	meter, err := farebox.NewMeter(farebox.WithBaseTransport(recorded), farebox.WithLedgerSize(1),
		farebox.WithUnpricedRates(farebox.Rates{farebox.DimensionInput: farebox.MustPerMillion("1"), farebox.DimensionOutput: farebox.MustPerMillion("2")}),
		farebox.WithBudget(farebox.Budget{Name: "plenty", Cap: farebox.Dollars(1_000_000)}))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = meter.Close(context.Background()) }()
	url := "https://api.example.com/v1"
	bare, err := s.open(connection{url: url, client: &http.Client{Transport: recorded}})
	if err != nil {
		b.Fatal(err)
	}
	metered, err := s.open(connect(meter, byClient, url, new(atomic.Int32)))
	if err != nil {
		b.Fatal(err)
	}
	without, with := round{time: time.Hour}, round{time: time.Hour}
	for b.Loop() {
		without.run(b, bare, stream)
		with.run(b, metered, stream)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(without.time.Nanoseconds())/callsEach, "bare-ns")
	b.ReportMetric(float64((with.time-without.time).Nanoseconds())/callsEach, "added-ns")
	b.ReportMetric(float64(with.time)/float64(without.time), "ratio")
	b.ReportMetric(float64(int64(with.allocs)-int64(without.allocs))/callsEach, "added-allocs")
	if stream {
		b.ReportMetric(float64((with.time-without.time).Nanoseconds())/callsEach/float64(recorded.events()), "added-ns/chunk")
	}
}

// round is the quickest round so far.
type round struct {
	time   time.Duration
	allocs uint64
}

func (r *round) run(b *testing.B, c conversation, stream bool) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for range callsEach {
		var text string
		var err error
		if stream {
			if text, err = joined(context.Background(), c, prompt); text == longAnswer {
				text = answer
			}
		} else {
			text, err = c.ask(context.Background(), prompt)
		}
		if err != nil || text != answer {
			b.Fatalf("answer %q, %v", text, err)
		}
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if took < r.time {
		r.time, r.allocs = took, after.Mallocs-before.Mallocs
	}
}

// capture makes one call of an SDK's to the simulated provider, to give the same answer to all that follow.
func capture(b *testing.B, s *sdk, stream bool) *taken {
	provider := fareboxtest.NewProvider(fareboxtest.WithStyle(s.style), fareboxtest.WithReply(func(fareboxtest.Prompt) fareboxtest.Reply {
		return fareboxtest.Reply{Text: map[bool]string{true: longAnswer, false: answer}[stream]}
	}))
	defer provider.Close()
	t := &taken{}
	c, err := s.open(connection{url: provider.URL(), client: &http.Client{Transport: t}})
	if err != nil {
		b.Fatal(err)
	}
	if stream {
		_, err = joined(context.Background(), c, prompt)
	} else {
		_, err = c.ask(context.Background(), prompt)
	}
	if err != nil {
		b.Fatal(err)
	}
	return t
}

// taken is an answer that was taken from a provider once. A stream comes event by event.
type taken struct {
	head http.Header
	body []byte
}

func (t *taken) events() int { return bytes.Count(t.body, []byte("\n\n")) }

func (t *taken) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.body == nil {
		return t.take(req)
	}
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: t.head.Clone(), ContentLength: -1, Body: io.NopCloser(&eventReader{rest: t.body}),
	}, nil
}

func (t *taken) take(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	t.head = resp.Header.Clone()
	t.body, err = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if strings.Contains(t.head.Get("Content-Type"), "event-stream") {
		t.head.Del("Content-Length")
	}
	resp.Body = io.NopCloser(bytes.NewReader(t.body))
	return resp, err
}

// eventReader hands over one event for each read, as a network does that is slower than its reader.
type eventReader struct{ rest []byte }

func (r *eventReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	next := len(r.rest)
	if end := bytes.Index(r.rest, []byte("\n\n")); end >= 0 {
		next = end + 2
	}
	n := copy(p, r.rest[:next])
	r.rest = r.rest[n:]
	return n, nil
}
