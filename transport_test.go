package farebox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
)

func TestTransportPassesOtherRoutesThrough(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, `{"data":[]}`))
	meter := newMeter(t, farebox.WithBudget(farebox.Budget{Name: "nothing"}))
	client := meter.HTTPClient()
	for _, path := range []string{"/v1/models", "/v1/files", "/", "/v1/chat/completions/123"} {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, p.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if body := readAll(t, resp); body != `{"data":[]}` {
			t.Errorf("%s: %q", path, body)
		}
	}
	resp, err := client.Post(p.URL+"/v1/videos", "application/json", strings.NewReader(`{"prompt":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = readAll(t, resp)
	if last := p.requests()[4]; last.body != `{"prompt":"x"}` || len(ledger(meter)) != 0 {
		t.Errorf("sent %q; %d receipts", last.body, len(ledger(meter)))
	}
}

func TestTransportMetersAnAnswer(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	meter := newMeter(t, farebox.WithEndpoint(farebox.Compatible("mine", p.URL+"/v1", testKey).WithKeyLabel("prod")))
	resp := mustPost(t, meter.HTTPClient(), p.URL, chatJSON)
	if n := len(ledger(meter)); n != 0 {
		t.Errorf("%d receipts before the body was read", n)
	}
	if resp.ContentLength != int64(len(chatAnswer)) {
		t.Errorf("content length %d, want %d", resp.ContentLength, len(chatAnswer))
	}
	if body := readAll(t, resp); body != chatAnswer {
		t.Errorf("body %q", body)
	}
	r := onlyReceipt(t, meter)
	if r.Cost != chatCost || r.Source != farebox.Computed || r.Endpoint != "mine" || r.KeyLabel != "prod" || r.CallID != r.ID || r.Attempt != 1 {
		t.Errorf("receipt %+v", r)
	}
	if p.only(t).body != chatJSON {
		t.Errorf("sent %q, want the request untouched", p.only(t).body)
	}
}

// oddReader reads at most a few bytes at a time.
func readOdd(t *testing.T, body io.ReadCloser, size int) string {
	t.Helper()
	defer func() { _ = body.Close() }()
	var all bytes.Buffer
	buf := make([]byte, size)
	for {
		n, err := body.Read(buf)
		all.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			return all.String()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestTransportLeavesBytesAlone sends answers cut into pieces of every odd size, and reads them with buffers of others.
func TestTransportLeavesBytesAlone(t *testing.T) {
	t.Parallel()
	crlf := strings.ReplaceAll(bareStream, "\n", "\r\n")
	asked := strings.Replace(streamJSON, `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1)
	tests := []struct {
		name, request, kind string
		sent, want          string
		edited              bool
	}{
		{"JSON", chatJSON, "application/json", chatAnswer, chatAnswer, false},
		{"JSON with blanks", chatJSON, "application/json", " \n" + chatAnswer + "\n\n", " \n" + chatAnswer + "\n\n", false},
		{"stream without the usage chunk", streamJSON, "text/event-stream", wholeStream, bareStream, true},
		{"stream that sends no usage", streamJSON, "text/event-stream", bareStream, bareStream, true},
		{"stream with comments and odd lines", streamJSON, "text/event-stream",
			": hi\n\nevent: x\nid: 1\n" + helloChunk + usageChunk + ":\n\n\n" + doneChunk, ": hi\n\nevent: x\nid: 1\n" + helloChunk + ":\n\n\n" + doneChunk, true},
		{"stream of carriage returns", streamJSON, "text/event-stream",
			strings.Replace(crlf, "data: [DONE]", strings.ReplaceAll(usageChunk, "\n", "\r\n")+"data: [DONE]", 1), crlf, true},
		{"stream cut off", streamJSON, "text/event-stream", helloChunk + "data: {\"id", helloChunk + "data: {\"id", true},
		{"usage last, without a newline", streamJSON, "text/event-stream", helloChunk + strings.TrimRight(usageChunk, "\n"), helloChunk, true},
		{"usage that the caller asked for", asked, "text/event-stream", wholeStream, wholeStream, false},
		{"stream labelled as JSON", streamJSON, "application/json", wholeStream, bareStream, true},
		{"stream without a label", streamJSON, "", wholeStream, bareStream, true},
		{"JSON instead of a stream", streamJSON, "application/json", chatAnswer, chatAnswer, true},
		{"neither", streamJSON, "text/plain", "hello\nworld", "hello\nworld", true},
		{"nothing", streamJSON, "text/event-stream", "", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{1, 2, 3, 7, 64, 1000, 1 << 16} {
				var sent string
				base := roundTripper(func(req *http.Request) (*http.Response, error) {
					body, err := io.ReadAll(req.Body)
					sent = string(body)
					resp := reply(200, "", "Content-Type", tt.kind, "Content-Length", fmt.Sprint(len(tt.sent)))
					resp.ContentLength = int64(len(tt.sent))
					resp.Body = io.NopCloser(&pieces{text: tt.sent, size: size})
					return resp, err
				})
				meter := newMeter(t, farebox.WithBaseTransport(base))
				resp := mustPost(t, meter.HTTPClient(), "http://host", tt.request)
				if length := resp.Header.Get("Content-Length"); resp.ContentLength >= 0 && int(resp.ContentLength) != len(tt.want) || length != "" && length != fmt.Sprint(len(tt.want)) {
					t.Errorf("a length of %d (%q) is declared for %d bytes", resp.ContentLength, length, len(tt.want))
				}
				if got := readOdd(t, resp.Body, 1+(size*5)%97); got != tt.want {
					t.Fatalf("pieces of %d: got %q\nwant %q", size, got, tt.want)
				}
				if edited := strings.Contains(sent, "include_usage") && tt.request != asked; edited != tt.edited || !edited && sent != tt.request {
					t.Errorf("sent %q", sent)
				}
				onlyReceipt(t, meter)
			}
		})
	}
}

// pieces gives a text away in pieces of one size.
type pieces struct {
	text string
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.text == "" {
		return 0, io.EOF
	}
	n := copy(b, p.text[:min(p.size, len(p.text))])
	p.text = p.text[n:]
	return n, nil
}

func TestTransportAsksForUsage(t *testing.T) {
	t.Parallel()
	p := serve(t, streams(wholeStream))
	meter := newMeter(t)
	if body := readAll(t, mustPost(t, meter.HTTPClient(), p.URL, streamJSON)); body != bareStream {
		t.Errorf("the caller got %q", body)
	}
	if want := strings.TrimSuffix(streamJSON, "}") + `,"stream_options":{"include_usage":true}}`; p.only(t).body != want {
		t.Errorf("sent %s, want %s", p.only(t).body, want)
	}
	if r := onlyReceipt(t, meter); r.Cost != chatCost || len(r.Edits) != 1 || r.Edits[0] != "stream_options.include_usage" {
		t.Errorf("receipt %s, edits %q", r, r.Edits)
	}
}

func TestTransportWithoutStreamUsage(t *testing.T) {
	t.Parallel()
	p := serve(t, streams(bareStream))
	meter := newMeter(t, farebox.WithoutStreamUsage(), farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1)}))
	if body := readAll(t, mustPost(t, meter.HTTPClient(), p.URL, streamJSON)); body != bareStream || p.only(t).body != streamJSON {
		t.Errorf("sent %q, got %q; want both untouched", p.only(t).body, body)
	}
	r := onlyReceipt(t, meter)
	if r.Source != farebox.Estimated || len(r.Edits) != 0 || r.Partial || r.Cost.Sign() <= 0 || r.Budgets[0].Charged != r.Budgets[0].Held {
		t.Errorf("receipt %+v; want an estimate, with the budget charged at the hold", r)
	}
}

// closeProbe is a body that notes that it was closed, and blocks at its end until then.
type closeProbe struct {
	io.Reader
	closed chan struct{}
	once   sync.Once
}

func newCloseProbe(text string) *closeProbe {
	return &closeProbe{Reader: strings.NewReader(text), closed: make(chan struct{})}
}

func (p *closeProbe) Read(b []byte) (int, error) {
	if n, err := p.Reader.Read(b); err == nil {
		return n, nil
	}
	<-p.closed
	return 0, errors.New("read on a closed body")
}

func (p *closeProbe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// bodyOf answers every request with a body.
func bodyOf(kind string, body io.ReadCloser) roundTripper {
	return func(*http.Request) (*http.Response, error) {
		resp := reply(200, "", "Content-Type", kind)
		resp.Body = body
		return resp, nil
	}
}

func TestTransportCloseDrainsWithinBounds(t *testing.T) {
	t.Parallel()
	long := strings.Replace(chatAnswer, "Hello there", strings.Repeat("x", 600<<10), 1)
	tests := []struct {
		name, request, kind string
		body                func() io.ReadCloser
		read                int
		want                farebox.Source
	}{
		{"a JSON answer unread", chatJSON, "application/json", func() io.ReadCloser { return newCloseProbe(chatAnswer) }, 0, farebox.Computed},
		{"a JSON answer read in part", chatJSON, "application/json", func() io.ReadCloser { return newCloseProbe(chatAnswer) }, 30, farebox.Computed},
		{"a JSON answer that is too long", chatJSON, "application/json", func() io.ReadCloser { return newCloseProbe(long) }, 30, farebox.Held},
		{"a JSON answer that stalls", chatJSON, "application/json", func() io.ReadCloser { return newCloseProbe(chatAnswer[:60]) }, 30, farebox.Held},
		{"a stream at its reason to finish", streamJSON, "text/event-stream", func() io.ReadCloser { return newCloseProbe(wholeStream) }, len(helloChunk + thereChunk + stopChunk), farebox.Computed},
		{"a stream in its middle", streamJSON, "text/event-stream", func() io.ReadCloser {
			return newCloseProbe(helloChunk + strings.Repeat(thereChunk, 10_000))
		}, len(helloChunk), farebox.Held},
		{"a stream that stalls before its usage", streamJSON, "text/event-stream", func() io.ReadCloser { return newCloseProbe(helloChunk + stopChunk) }, len(helloChunk + stopChunk), farebox.Held},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			meter := newMeter(t, farebox.WithBaseTransport(bodyOf(tt.kind, tt.body())))
			resp := mustPost(t, meter.HTTPClient(), "http://host", tt.request)
			if _, err := io.ReadFull(resp.Body, make([]byte, tt.read)); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			if err := resp.Body.Close(); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("Close took %s", took)
			}
			r := onlyReceipt(t, meter)
			if r.Source != tt.want || r.Partial != (tt.want == farebox.Held) {
				t.Errorf("receipt %s, partial %v; want %s", r, r.Partial, tt.want)
			}
			_ = resp.Body.Close()
			onlyReceipt(t, meter)
		})
	}
}

func TestTransportSettlesWhenContextEnds(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"text/event-stream", "application/json"} {
		bubble(t, kind, func(t *testing.T) {
			meter := newMeter(t, farebox.WithBaseTransport(bodyOf(kind, newCloseProbe(helloChunk))), farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1)}))
			ctx, cancel := context.WithCancel(t.Context())
			resp, err := postWith(ctx, t, meter.HTTPClient(), "http://host", strings.NewReader(streamJSON))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			if n := len(ledger(meter)); n != 0 {
				t.Fatalf("%d receipts while the answer is open", n)
			}
			cancel() // and nobody reads or closes
			time.Sleep(time.Millisecond)
			r := onlyReceipt(t, meter)
			wantTaken(t, &r, farebox.Held)
		})
	}
}

func TestTransportConcurrentClose(t *testing.T) {
	t.Parallel()
	for range 50 {
		body := newCloseProbe(wholeStream)
		meter := newMeter(t, farebox.WithBaseTransport(bodyOf("text/event-stream", body)))
		resp := mustPost(t, meter.HTTPClient(), "http://host", streamJSON)
		var all sync.WaitGroup
		all.Go(func() { _, _ = io.Copy(io.Discard, resp.Body) })
		for range 3 {
			all.Go(func() { _ = resp.Body.Close() })
		}
		all.Wait()
		onlyReceipt(t, meter)
	}
}

func TestTransportMetersOnce(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	outer, inner := newMeter(t), newMeter(t)
	t.Run("meter over meter", func(t *testing.T) {
		client := &http.Client{Transport: outer.Transport(inner.Transport(nil))}
		_ = readAll(t, mustPost(t, client, p.URL, chatJSON))
		onlyReceipt(t, outer)
		if n := len(ledger(inner)); n != 0 {
			t.Errorf("the inner meter has %d receipts", n)
		}
	})
	t.Run("client over meter", func(t *testing.T) {
		client := newClient(t, openAIAt(p), farebox.WithHTTPClient(inner.HTTPClient()))
		if _, err := client.CreateChatCompletion(context.Background(), chatRequest()); err != nil {
			t.Fatal(err)
		}
		onlyReceipt(t, client.Meter())
		if n := len(ledger(inner)); n != 0 {
			t.Errorf("the inner meter has %d receipts", n)
		}
	})
}

func TestTransportRequestBodies(t *testing.T) {
	t.Parallel()
	budget := farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1)})
	tests := []struct {
		name    string
		body    io.Reader
		options []farebox.MeterOption
		refused bool
		sent    string
	}{
		{"none", nil, nil, false, ""},
		{"none, under a budget", nil, []farebox.MeterOption{budget}, true, ""},
		{"http.NoBody", http.NoBody, nil, false, ""},
		{"empty", strings.NewReader(""), nil, false, ""},
		{"empty, of unknown length", io.MultiReader(strings.NewReader("")), nil, false, ""},
		{"not JSON", strings.NewReader("hello"), nil, false, "hello"},
		{"not JSON, under a budget", strings.NewReader("hello"), []farebox.MeterOption{budget}, true, ""},
		{"no object", strings.NewReader("[1]"), nil, false, "[1]"},
		{"no model, under a budget", strings.NewReader(`{"messages":[]}`), []farebox.MeterOption{budget}, true, ""},
		{"of unknown length", io.MultiReader(strings.NewReader(chatJSON)), []farebox.MeterOption{budget}, false, chatJSON},
		{"broken", io.MultiReader(strings.NewReader("{"), errorReader{io.ErrUnexpectedEOF}), nil, true, ""},
		{"over the limit", strings.NewReader(chatJSON), []farebox.MeterOption{farebox.WithMaxRequestBytes(10)}, true, ""},
		{"over the limit, of unknown length", io.MultiReader(strings.NewReader(chatJSON)), []farebox.MeterOption{farebox.WithMaxRequestBytes(10)}, true, ""},
		{"exactly at the limit", strings.NewReader(chatJSON), []farebox.MeterOption{farebox.WithMaxRequestBytes(int64(len(chatJSON)))}, false, chatJSON},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, answers(200, chatAnswer))
			meter := newMeter(t, tt.options...)
			resp, err := postWith(context.Background(), t, meter.HTTPClient(), p.URL, tt.body)
			if tt.refused {
				if !errors.Is(err, farebox.ErrRefused) || len(p.requests()) != 0 || len(ledger(meter)) != 0 {
					t.Errorf("error %v, %d requests, want a refusal", err, len(p.requests()))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if body := readAll(t, resp); body != chatAnswer || p.only(t).body != tt.sent {
				t.Errorf("sent %q, got %q", p.only(t).body, body)
			}
			onlyReceipt(t, meter)
		})
	}
}

// endless is a body that never ends; it fails the test if more of it is read than can be needed.
type endless struct {
	t    *testing.T
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read += len(p); e.read > 100<<20 {
		e.t.Error("more than 100 MiB of a body were read")
		return 0, io.EOF
	}
	clear(p)
	return len(p), nil
}

func TestTransportHugeRequests(t *testing.T) {
	t.Parallel()
	for _, declared := range []int64{1 << 30, -1} {
		meter := newMeter(t, farebox.WithBaseTransport(roundTripper(func(*http.Request) (*http.Response, error) {
			return nil, errors.New("it was sent")
		})))
		body := &endless{t: t}
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://host/v1/chat/completions", body)
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = declared
		resp, err := meter.HTTPClient().Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if !errors.Is(err, farebox.ErrRefused) || !strings.Contains(err.Error(), "WithMaxRequestBytes") {
			t.Errorf("declared length %d: %v, want a refusal that names the option", declared, err)
		}
		if declared > 0 && body.read != 0 {
			t.Errorf("%d bytes of a body were read that is declared too long", body.read)
		}
	}
}

func TestTransportBelowMisbehaves(t *testing.T) {
	t.Parallel()
	budget := farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1)})
	t.Run("panic", func(t *testing.T) {
		t.Parallel()
		meter := newMeter(t, budget, farebox.WithBaseTransport(roundTripper(func(*http.Request) (*http.Response, error) { panic("below") })))
		func() {
			defer func() {
				if cause := recover(); cause != "below" {
					t.Errorf("recovered %v, want the transport's own panic", cause)
				}
			}()
			resp, err := post(t, meter.HTTPClient(), "http://host", chatJSON)
			if err == nil {
				_ = resp.Body.Close()
			}
		}()
		r := onlyReceipt(t, meter)
		wantTaken(t, &r, farebox.Held)
	})
	t.Run("neither answer nor error", func(t *testing.T) {
		t.Parallel()
		meter := newMeter(t, budget, farebox.WithBaseTransport(roundTripper(func(*http.Request) (*http.Response, error) { return nil, nil })))
		if resp, err := post(t, meter.HTTPClient(), "http://host", chatJSON); err == nil {
			_ = resp.Body.Close()
			t.Error("no error")
		}
		r := onlyReceipt(t, meter)
		wantTaken(t, &r, farebox.Held)
	})
	t.Run("no body", func(t *testing.T) {
		t.Parallel()
		meter := newMeter(t, budget, farebox.WithBaseTransport(bodyOf("application/json", nil)))
		if body := readAll(t, mustPost(t, meter.HTTPClient(), "http://host", chatJSON)); body != "" {
			t.Errorf("body %q", body)
		}
		r := onlyReceipt(t, meter)
		wantTaken(t, &r, farebox.Held)
	})
	t.Run("an encoding that is not read", func(t *testing.T) {
		t.Parallel()
		base := roundTripper(func(*http.Request) (*http.Response, error) {
			return reply(200, "\x1f\x8bnot really", "Content-Encoding", "br"), nil
		})
		meter := newMeter(t, budget, farebox.WithBaseTransport(base))
		if body := readAll(t, mustPost(t, meter.HTTPClient(), "http://host", chatJSON)); body != "\x1f\x8bnot really" {
			t.Errorf("body %q", body)
		}
		r := onlyReceipt(t, meter)
		wantTaken(t, &r, farebox.Held)
		if !r.HasFlag(farebox.FlagUnreadableBody) {
			t.Errorf("flags %v", r.Flags)
		}
	})
}

// badSink fails in every way that it can.
type badSink struct{ panics bool }

func (s badSink) Receipt(farebox.Receipt) error       { return s.fail() }
func (s badSink) Adjustment(farebox.Adjustment) error { return s.fail() }
func (s badSink) Close() error                        { return s.fail() }

func (s badSink) fail() error {
	if s.panics {
		panic("the sink's")
	}
	return errors.New("disk full")
}

func TestSinksThatFailDisturbNobody(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	var logged bytes.Buffer
	var got []farebox.Receipt
	meter, err := farebox.NewMeter(farebox.WithPrice(testModel, testRates), farebox.WithLogger(slog.New(slog.NewTextHandler(&logged, nil))),
		farebox.WithSink(badSink{}, badSink{panics: true}, farebox.SinkFunc(func(r farebox.Receipt) { got = append(got, r) })))
	if err != nil {
		t.Fatal(err)
	}
	if body := readAll(t, mustPost(t, meter.HTTPClient(), p.URL, chatJSON)); body != chatAnswer {
		t.Errorf("body %q", body)
	}
	r := onlyReceipt(t, meter)
	if len(got) != 1 || got[0].ID != r.ID {
		t.Errorf("the sink behind them got %v", got)
	}
	for _, want := range []string{"disk full", "panic: the sink's", r.ID} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("the log lacks %q: %s", want, logged.String())
		}
	}
	if err := meter.Close(context.Background()); err == nil || !strings.Contains(err.Error(), "disk full") || !strings.Contains(err.Error(), "the sink's") {
		t.Errorf("Close: %v, want what the sinks say", err)
	}
}

func TestContexts(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	client := newMeter(t).HTTPClient()
	ask := func(ctx context.Context) {
		resp, err := postWith(ctx, t, client, p.URL, strings.NewReader(chatJSON))
		if err != nil {
			t.Fatal(err)
		}
		_ = readAll(t, resp)
	}
	outer, all := farebox.ContextWithReceipts(farebox.ContextWithTags(context.Background(), farebox.Tags{"team": "a", "user": "u"}))
	ask(outer)
	inner, one := farebox.ContextWithReceipts(farebox.ContextWithTags(outer, farebox.Tags{"team": "b", "": "dropped"}))
	ask(inner)
	ask(context.Background())
	if all.Cost() != chatCost.Mul(2) || one.Cost() != chatCost || len(all.All()) != 2 || len(one.All()) != 1 {
		t.Errorf("outer %v, inner %v", all.All(), one.All())
	}
	if tags := one.All()[0].Tags; tags["team"] != "b" || tags["user"] != "u" || len(tags) != 2 {
		t.Errorf("inner tags %v", tags)
	}
	if tags := all.All()[0].Tags; tags["team"] != "a" {
		t.Errorf("outer tags %v, want those of the outer call unchanged", tags)
	}
	if all.All()[1].ID != one.All()[0].ID {
		t.Error("the collectors disagree on the inner call")
	}
}
