package farebox_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox"
)

// countingSink counts what it is given.
type countingSink struct {
	mu       sync.Mutex
	receipts int
	closes   int
}

func (s *countingSink) Receipt(farebox.Receipt) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receipts++
	return nil
}

func (*countingSink) Adjustment(farebox.Adjustment) error { return nil }

func (s *countingSink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closes++
	return nil
}

func TestMeterCloseWaitsForCallsInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		body := newCloseProbe(wholeStream)
		sink := &countingSink{}
		meter := newMeter(t, farebox.WithBaseTransport(bodyOf("text/event-stream", body)), farebox.WithSink(sink))
		resp := mustPost(t, meter.HTTPClient(), "http://host", streamJSON)
		time.AfterFunc(5*time.Second, func() { _ = resp.Body.Close() })
		start := time.Now()
		closed := make(chan error)
		go func() { closed <- meter.Close(t.Context()) }()
		synctest.Wait()

		// While it waits, new calls are refused at once.
		if refused, err := post(t, meter.HTTPClient(), "http://host", chatJSON); !errors.Is(err, farebox.ErrClosed) || !errors.Is(err, farebox.ErrRefused) {
			if err == nil {
				_ = refused.Body.Close()
			}
			t.Errorf("a call while Close waits: %v, want ErrClosed", err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the refusal took %s", took)
		}
		if err := <-closed; err != nil || time.Since(start) != 5*time.Second {
			t.Errorf("Close: %v after %s, want it to wait for the open answer", err, time.Since(start))
		}
		if sink.receipts != 1 || sink.closes != 1 {
			t.Errorf("the sink got %d receipts and was closed %d times", sink.receipts, sink.closes)
		}
		for range 2 {
			if err := meter.Close(t.Context()); err != nil || sink.closes != 1 {
				t.Errorf("another Close: %v, the sink was closed %d times", err, sink.closes)
			}
		}
	})
}

func TestMeterCloseGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &countingSink{}
		meter, err := farebox.NewMeter(farebox.WithPrice(testModel, testRates), farebox.WithSink(sink),
			farebox.WithBaseTransport(bodyOf("text/event-stream", newCloseProbe(helloChunk))))
		if err != nil {
			t.Fatal(err)
		}
		resp := mustPost(t, meter.HTTPClient(), "http://host", streamJSON)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		first := meter.Close(ctx)
		if !errors.Is(first, context.DeadlineExceeded) || sink.closes != 1 {
			t.Errorf("Close: %v, the sink was closed %d times", first, sink.closes)
		}
		if second := meter.Close(t.Context()); !errors.Is(second, first) {
			t.Errorf("a second Close: %v, want what the first returned", second)
		}
		_ = resp.Body.Close()
		if r := onlyReceipt(t, meter); r.Source != farebox.Held {
			t.Errorf("receipt %s of an answer that was closed after the meter", r)
		}
	})
}

func TestMeterTellsEndpointsApart(t *testing.T) {
	t.Parallel()
	base := roundTripper(func(*http.Request) (*http.Response, error) { return reply(200, chatAnswer), nil })
	meter := newMeter(t, farebox.WithBaseTransport(base), farebox.WithEndpoint(
		farebox.Compatible("wide", "http://host", testKey).WithKeyLabel("wide key"),
		farebox.Compatible("long", "http://host/tenant", testKey).WithKeyLabel("long key"),
		farebox.Compatible("second key", "http://host/tenant", "another-key-0123456789").WithKeyLabel("other key")))
	tests := []struct{ url, key, endpoint, label string }{
		{"http://host/v1/chat/completions", testKey, "wide", "wide key"},
		{"http://host/tenant/v1/chat/completions", testKey, "long", "long key"},
		{"http://host/tenant/v1/chat/completions", "another-key-0123456789", "second key", "other key"},
		{"http://elsewhere:8080/v1/chat/completions", "", "elsewhere:8080", ""},
		{"https://api.openai.com/v1/chat/completions", "", "openai", ""},
	}
	for _, tt := range tests {
		ctx, receipts := farebox.ContextWithReceipts(context.Background())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, tt.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.key != "" {
			req.Header.Set("Authorization", "Bearer "+tt.key)
		}
		resp, err := meter.HTTPClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = readAll(t, resp)
		if r := receipts.All()[0]; r.Endpoint != tt.endpoint || r.KeyLabel != tt.label {
			t.Errorf("%s: endpoint %q, key %q; want %q, %q", tt.url, r.Endpoint, r.KeyLabel, tt.endpoint, tt.label)
		}
	}
}
