package farebox_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
)

// serveTLS starts a server that speaks HTTP/1.1 or HTTP/2, and a Meter whose requests reach it.
func serveTLS(t *testing.T, http2 bool, handler http.HandlerFunc, options ...farebox.MeterOption) (*httptest.Server, *farebox.Meter) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = http2
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, newMeter(t, append(options, farebox.WithBaseTransport(server.Client().Transport))...)
}

// eachProtocol runs a test over HTTP/1.1 and over HTTP/2.
func eachProtocol(t *testing.T, test func(t *testing.T, http2 bool)) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, http2)
		})
	}
}

// TestStreamPassesFlushByFlush sends each event only once the caller has read the one before, so that a transport that
// gathered anything would never end. Head and trailers arrive as they were sent.
func TestStreamPassesFlushByFlush(t *testing.T) {
	eachProtocol(t, func(t *testing.T, http2 bool) {
		events := []string{helloChunk, thereChunk, stopChunk, doneChunk}
		read := make(chan struct{})
		server, meter := serveTLS(t, http2, func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor == 2 != http2 {
				t.Errorf("the request came by %s", r.Proto)
			}
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header()["X-Odd"] = []string{"one", "two"}
			w.Header().Set("Trailer", "X-Checksum")
			w.WriteHeader(http.StatusAccepted)
			for i, event := range events {
				_, _ = io.WriteString(w, event)
				if i == len(events)-2 {
					_, _ = io.WriteString(w, usageChunk)
				}
				w.(http.Flusher).Flush()
				select {
				case <-read:
				case <-r.Context().Done():
					return
				}
			}
			w.Header().Set("X-Checksum", "abc")
		})
		resp := mustPost(t, meter.HTTPClient(), server.URL, streamJSON)
		if resp.StatusCode != http.StatusAccepted || fmt.Sprint(resp.Header["X-Odd"]) != "[one two]" {
			t.Errorf("status %d, header %v", resp.StatusCode, resp.Header)
		}
		for _, event := range events {
			got := make([]byte, len(event))
			if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != event {
				t.Fatalf("read %q, %v; want %q", got, err, event)
			}
			read <- struct{}{}
		}
		if rest := readAll(t, resp); rest != "" {
			t.Errorf("then %q", rest)
		}
		if got := resp.Trailer.Get("X-Checksum"); got != "abc" {
			t.Errorf("trailer %v", resp.Trailer)
		}
		if r := onlyReceipt(t, meter); r.Cost != chatCost || r.Source != farebox.Computed || r.Status != http.StatusAccepted || r.TimeToFirstChunk == 0 {
			t.Errorf("receipt %+v", r)
		}
	})
}

// TestRequestPassesWhole: what net/http does with a request, it does with a metered one.
func TestRequestPassesWhole(t *testing.T) {
	eachProtocol(t, func(t *testing.T, http2 bool) {
		type arrived struct {
			body, expect, trailer string
			values                []string
		}
		got := make(chan arrived, 1)
		server, meter := serveTLS(t, http2, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got <- arrived{string(body), r.Header.Get("Expect"), r.Trailer.Get("X-Sum"), r.Header["X-Values"]}
			answers(200, chatAnswer)(w, r)
		})
		req := chatTo(t, context.Background(), server.URL)
		req.Header.Set("Expect", "100-continue")
		req.Header["X-Values"] = []string{"a", "b"}
		req.Trailer = http.Header{"X-Sum": nil}
		req.ContentLength = -1
		req.Body = io.NopCloser(&trailing{Reader: strings.NewReader(chatJSON), end: func() { req.Trailer.Set("X-Sum", "42") }})
		resp, err := meter.HTTPClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = readAll(t, resp)
		if a := <-got; a.body != chatJSON || a.expect != "100-continue" && !http2 /* its server answers the header itself */ || a.trailer != "42" || len(a.values) != 2 {
			t.Errorf("arrived: %+v", a)
		}
		if r := onlyReceipt(t, meter); r.Cost != chatCost {
			t.Errorf("receipt %v", r)
		}
	})
}

// trailing calls a function at the end of a body.
type trailing struct {
	io.Reader
	end func()
}

func (r *trailing) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil {
		r.end()
	}
	return n, err
}

// TestCallerGoesAway: cancelling and timing out reach the provider, end the caller's read and settle the hold.
func TestCallerGoesAway(t *testing.T) {
	eachProtocol(t, func(t *testing.T, http2 bool) {
		gone := make(chan struct{})
		server, meter := serveTLS(t, http2, func(w http.ResponseWriter, r *http.Request) {
			streams(helloChunk)(w, r)
			<-r.Context().Done()
			close(gone)
			panic(http.ErrAbortHandler) // returning would end the stream well, which the caller may still see
		}, farebox.WithBudget(farebox.Budget{Name: "all", Cap: farebox.Dollars(1)}))
		ctx, cancel := context.WithCancel(context.Background())
		resp, err := postWith(ctx, t, meter.HTTPClient(), server.URL, strings.NewReader(streamJSON))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if _, err := io.ReadFull(resp.Body, make([]byte, len(helloChunk))); err != nil {
			t.Fatal(err)
		}
		cancel()
		<-gone
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("the read ended well")
		}
		if r := onlyReceipt(t, meter); r.Source != farebox.Held || !r.Partial {
			t.Errorf("receipt %+v", r)
		}
	})
}

// TestForgottenAnswerIsSettled: a caller that stops reading, or panics, and never closes the body.
func TestForgottenAnswerIsSettled(t *testing.T) {
	t.Parallel()
	var closed atomic.Bool
	base := roundTripper(func(*http.Request) (*http.Response, error) {
		resp := reply(200, "", "Content-Type", "text/event-stream")
		resp.Body = &closing{Reader: strings.NewReader(helloChunk + thereChunk), closed: &closed}
		return resp, nil
	})
	meter := newMeter(t, farebox.WithBaseTransport(base), farebox.WithBudget(farebox.Budget{Name: "all", Cap: farebox.Dollars(1)}))
	func() {
		defer func() { _ = recover() }()
		resp := mustPost(t, meter.HTTPClient(), "http://host", streamJSON)
		if _, err := resp.Body.Read(make([]byte, 10)); err != nil {
			t.Error(err)
		}
		panic("the caller's own")
	}()
	waitFor(t, "the forgotten answer is settled", func() bool {
		runtime.GC()
		return len(ledger(meter)) == 1 && closed.Load()
	})
	if r := onlyReceipt(t, meter); r.Source != farebox.Held || !r.Partial {
		t.Errorf("receipt %+v", r)
	}
}

type closing struct {
	io.Reader
	closed *atomic.Bool
}

func (c *closing) Close() error {
	c.closed.Store(true)
	return nil
}

// encode encodes a text as a server would: in one piece, or flushed after each event.
func encode(t *testing.T, encoding, text string) string {
	t.Helper()
	var out bytes.Buffer
	var w interface {
		io.WriteCloser
		Flush() error
	}
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "deflate":
		w = zlib.NewWriter(&out)
	case "bare deflate":
		w, _ = flate.NewWriter(&out, flate.DefaultCompression)
	case "odd":
		return odd(text)
	default:
		return text
	}
	for _, event := range strings.SplitAfter(text, "\n\n") {
		_, _ = io.WriteString(w, event)
		_ = w.Flush()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// odd is an encoding of this test's own.
func odd(text string) string {
	return strings.Map(func(r rune) rune { return r ^ 1 }, text)
}

// oddDecoder undoes it, and reads ahead in a goroutine of its own, as fast decoders do.
func oddDecoder(r io.Reader) io.Reader {
	pipe, w := io.Pipe()
	go func() {
		buf := make([]byte, 100)
		for {
			n, err := r.Read(buf)
			if _, broken := io.WriteString(w, odd(string(buf[:n]))); broken != nil {
				return
			}
			if err != nil {
				_ = w.CloseWithError(err)
				return
			}
		}
	}()
	return pipe
}

// TestEncodedAnswersPassAsTheyAreAndAreRead: in every encoding, cut at every odd size.
func TestEncodedAnswersPassAsTheyAreAndAreRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, header, encoding string }{
		{"gzip", "gzip", "gzip"}, {"its old name", "X-GZIP", "gzip"}, {"deflate", "deflate", "deflate"},
		{"deflate without a frame", "deflate", "bare deflate"}, {"a decoder of the user's", "odd", "odd"}, {"none", "identity", ""},
	} {
		for kind, text := range map[string]string{"application/json": chatAnswer, "text/event-stream": wholeStream} {
			t.Run(tt.name+" "+kind, func(t *testing.T) {
				t.Parallel()
				encoded := encode(t, tt.encoding, text)
				for _, size := range []int{1, 3, 7, 64, 1 << 16} {
					base := roundTripper(func(*http.Request) (*http.Response, error) {
						resp := reply(200, "", "Content-Type", kind, "Content-Encoding", tt.header)
						resp.ContentLength, resp.Body = int64(len(encoded)), io.NopCloser(&pieces{text: encoded, size: size})
						return resp, nil
					})
					meter := newMeter(t, farebox.WithBaseTransport(base), farebox.WithContentDecoder("odd", oddDecoder))
					resp := mustPost(t, meter.HTTPClient(), "http://host", asked(kind))
					if resp.ContentLength != int64(len(encoded)) || resp.Header.Get("Content-Encoding") != tt.header {
						t.Errorf("head %d %v", resp.ContentLength, resp.Header)
					}
					if got := readOdd(t, resp.Body, 1+(size*5)%97); got != encoded {
						t.Fatalf("pieces of %d: the bytes have changed", size)
					}
					if r := onlyReceipt(t, meter); r.Cost != chatCost || r.Source != farebox.Computed || len(r.Flags) != 0 {
						t.Errorf("pieces of %d: receipt %+v", size, r)
					}
				}
			})
		}
	}
}

// asked is a request for an answer of a kind, which asks for usage itself.
func asked(kind string) string {
	if kind == "text/event-stream" {
		return strings.Replace(streamJSON, `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1)
	}
	return chatJSON
}

// TestEncodedAnswersThatCannotBeRead keep the hold charged and say so.
func TestEncodedAnswersThatCannotBeRead(t *testing.T) {
	t.Parallel()
	whole := encode(t, "gzip", chatAnswer)
	for _, tt := range []struct {
		name, header, body string
		flagged            bool
	}{
		{"nobody knows it", "br", "\x1b\x03", true},
		{"two at once", "gzip, br", whole, true},
		{"no gzip at all", "gzip", "this is plain text", true},
		{"gzip that is broken", "gzip", whole[:len(whole)/2] + "odd" + whole[len(whole)/2:], true},
		{"gzip that ends early", "gzip", whole[:len(whole)/2], true},
		{"a decoder that panics", "panics", whole, true},
		{"nothing", "gzip", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			base := roundTripper(func(*http.Request) (*http.Response, error) {
				resp := reply(200, "", "Content-Encoding", tt.header)
				resp.Body = io.NopCloser(&pieces{text: tt.body, size: 9})
				return resp, nil
			})
			meter := newMeter(t, farebox.WithBaseTransport(base), farebox.WithBudget(farebox.Budget{Name: "all", Cap: farebox.Dollars(1)}),
				farebox.WithContentDecoder("panics", func(io.Reader) io.Reader { panic("no") }))
			if got := readAll(t, mustPost(t, meter.HTTPClient(), "http://host", chatJSON)); got != tt.body {
				t.Errorf("the bytes have changed: %q", got)
			}
			r := onlyReceipt(t, meter)
			if r.HasFlag(farebox.FlagUnreadableBody) != tt.flagged || r.Source != farebox.Held || r.Cost != r.Quote.Most {
				t.Errorf("receipt %+v", r)
			}
		})
	}
}

// TestStreamsThatFareboxAsksUsageOfAreNotEncoded: or else the caller would be given the extra chunk.
func TestStreamsThatFareboxAsksUsageOfAreNotEncoded(t *testing.T) {
	t.Parallel()
	p := serve(t, streams(wholeStream))
	meter := newMeter(t)
	req := chatTo(t, context.Background(), p.URL)
	req.Body, req.ContentLength = io.NopCloser(strings.NewReader(streamJSON)), int64(len(streamJSON))
	req.Header.Set("Accept-Encoding", "gzip, br")
	resp, err := meter.HTTPClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, resp); got != bareStream {
		t.Errorf("read %q", got)
	}
	if got := p.only(t).header.Get("Accept-Encoding"); got != "identity" || req.Header.Get("Accept-Encoding") != "gzip, br" {
		t.Errorf("sent Accept-Encoding %q; the caller's header is %v", got, req.Header)
	}
	if r := onlyReceipt(t, meter); len(r.Edits) != 2 || r.Cost != chatCost {
		t.Errorf("edits %q, %v", r.Edits, r)
	}
}

// TestLongAnswerCostsNoMemory passes ten megabytes, plain and encoded, whole and as a stream.
func TestLongAnswerCostsNoMemory(t *testing.T) {
	const size, bound = 10 << 20, 512 << 10
	long := strings.Replace(chatAnswer, "Hello there", strings.Repeat("ten megabytes ", size/14), 1)
	stream := strings.Repeat(helloChunk, size/len(helloChunk)) + stopChunk + usageChunk + doneChunk
	for _, tt := range []struct{ name, kind, encoding, body string }{
		{"JSON", "application/json", "", long}, {"stream", "text/event-stream", "", stream},
		{"JSON in gzip", "application/json", "gzip", encode(t, "gzip", long)},
		{"stream in deflate", "text/event-stream", "deflate", encode(t, "deflate", stream)},
	} {
		base := roundTripper(func(*http.Request) (*http.Response, error) {
			resp := reply(200, "", "Content-Type", tt.kind, "Content-Encoding", tt.encoding)
			resp.Body = io.NopCloser(strings.NewReader(tt.body))
			return resp, nil
		})
		meter := newMeter(t, farebox.WithBaseTransport(base))
		client := meter.HTTPClient()
		buf := make([]byte, 32<<10)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		resp := mustPost(t, client, "http://host", asked(tt.kind))
		for {
			if _, err := resp.Body.Read(buf); err != nil {
				break
			}
		}
		_ = resp.Body.Close()
		runtime.ReadMemStats(&after)
		spent := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d KiB allocated for %d MiB", tt.name, spent>>10, size>>20)
		if spent > bound {
			t.Errorf("%s: %d bytes were allocated for an answer of %d, want at most %d", tt.name, spent, size, bound)
		}
		if r := onlyReceipt(t, meter); r.Cost != chatCost {
			t.Errorf("%s: receipt %v", tt.name, r)
		}
	}
}

func TestContentDecoderOptionIsChecked(t *testing.T) {
	t.Parallel()
	plain := func(r io.Reader) io.Reader { return r }
	for name, option := range map[string]farebox.MeterOption{
		"no name": farebox.WithContentDecoder("", plain), "identity": farebox.WithContentDecoder("Identity", plain),
		"two": farebox.WithContentDecoder("br, gzip", plain), "nil": farebox.WithContentDecoder("br", nil),
	} {
		if _, err := farebox.NewMeter(option); err == nil || !strings.Contains(err.Error(), "WithContentDecoder") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestReceiptHeaders(t *testing.T) {
	t.Parallel()
	long := strings.Replace(chatAnswer, "Hello there", strings.Repeat("x", 4<<20), 1)
	for _, tt := range []struct {
		name, request, answer string
		status                int
		cost                  string // empty: no header
		receipt               bool
	}{
		{"a plain answer", chatJSON, chatAnswer, 200, "0.00012", true},
		{"an error that is not billed", chatJSON, `{"error":{"message":"no"}}`, 400, "0", true},
		{"a model without a price", strings.Replace(chatJSON, testModel, "nobody-knows-it", 1), strings.Replace(chatAnswer, testModel, "nobody-knows-it", 1), 200, "", true},
		{"an answer past the bound", chatJSON, long, 200, "", false},
		{"nothing", chatJSON, "", 200, "0.000346", true}, // held
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Farebox-Cost", "forged")
				answers(tt.status, tt.answer)(w, r)
			})
			meter := newMeter(t, farebox.WithReceiptHeaders())
			resp := mustPost(t, meter.HTTPClient(), p.URL, tt.request)
			cost, receipt := resp.Header.Get(farebox.HeaderCost), resp.Header.Get(farebox.HeaderReceipt)
			if got := readAll(t, resp); got != tt.answer {
				t.Errorf("the body has changed: %d bytes, want %d", len(got), len(tt.answer))
			}
			if cost != tt.cost || (receipt != "") != tt.receipt {
				t.Errorf("cost %q, receipt %q", cost, receipt)
			}
			if r := onlyReceipt(t, meter); tt.receipt && r.ID != receipt {
				t.Errorf("the header says %q, the receipt is %s", receipt, r.ID)
			}
		})
	}
}

// TestReceiptHeadersOnRequest: of one call by its context; never of a stream, whose head comes first.
func TestReceiptHeadersOnRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		ctx        context.Context
		handler    http.HandlerFunc
		want       string
	}{
		{"asked for", chatJSON, farebox.ContextWithReceiptHeaders(context.Background()), answers(200, chatAnswer), "0.00012"},
		{"not asked for", chatJSON, context.Background(), answers(200, chatAnswer), ""},
		{"a stream", streamJSON, farebox.ContextWithReceiptHeaders(context.Background()), streams(wholeStream), ""},
		{"a stream that nobody asked for", chatJSON, farebox.ContextWithReceiptHeaders(context.Background()), streams(wholeStream), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, tt.handler)
			meter := newMeter(t)
			resp, err := postWith(tt.ctx, t, meter.HTTPClient(), p.URL, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.Header.Get(farebox.HeaderCost); got != tt.want {
				t.Errorf("%s: %q, want %q", farebox.HeaderCost, got, tt.want)
			}
			_ = readAll(t, resp)
			onlyReceipt(t, meter)
		})
	}
}

// TestReceiptHeadersOfAnAnswerThatBreaksOff: the caller is given what came, and then the error.
func TestReceiptHeadersOfAnAnswerThatBreaksOff(t *testing.T) {
	t.Parallel()
	p := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(chatAnswer)))
		_, _ = io.WriteString(w, chatAnswer[:50])
	})
	meter := newMeter(t, farebox.WithReceiptHeaders())
	resp := mustPost(t, meter.HTTPClient(), p.URL, chatJSON)
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	if string(got) != chatAnswer[:50] || err == nil || resp.Header.Get(farebox.HeaderReceipt) != "" {
		t.Errorf("read %q, %v; header %v", got, err, resp.Header)
	}
	if r := onlyReceipt(t, meter); r.Source != farebox.Held {
		t.Errorf("receipt %+v", r)
	}
}

// TestReplayedCallsAreDatedAndPricedAsOfThen: prices have their days, and so has recorded traffic.
func TestReplayedCallsAreDatedAndPricedAsOfThen(t *testing.T) {
	t.Parallel()
	turn := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	dated := farebox.Model{Name: "dated-model", Prices: []farebox.Price{
		{Rates: farebox.Rates{farebox.DimensionInput: farebox.MustPerMillion("10"), farebox.DimensionOutput: farebox.MustPerMillion("20")}, To: turn},
		{Rates: testRates, From: turn},
	}}
	p := serve(t, answers(200, strings.Replace(chatAnswer, testModel, "dated-model", 1)))
	meter := newMeter(t, farebox.WithModels(dated))
	for _, tt := range []struct {
		at   time.Time
		cost farebox.Money
	}{{turn.Add(-time.Hour), chatCost.Mul(10)}, {turn.Add(time.Hour), chatCost}, {time.Time{}, chatCost}} {
		ctx, receipts := farebox.ContextWithReceipts(farebox.ContextWithTime(context.Background(), tt.at))
		resp, err := postWith(ctx, t, meter.HTTPClient(), p.URL, strings.NewReader(strings.Replace(chatJSON, testModel, "dated-model", 1)))
		if err != nil {
			t.Fatal(err)
		}
		_ = readAll(t, resp)
		r := receipts.All()[0]
		if r.Cost != tt.cost || !tt.at.IsZero() && !r.Start.Equal(tt.at) || r.Duration < 0 || r.Duration > time.Hour {
			t.Errorf("at %s: %v, started %s, took %s", tt.at, r, r.Start, r.Duration)
		}
	}
}
