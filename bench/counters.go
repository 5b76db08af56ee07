package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"

	"github.com/farebox-go/farebox"
)

// CounterMemory is what so many live values of a budget per tag take of memory, in bytes: a call is made for each.
func CounterMemory(ctx context.Context, values int) (int64, error) {
	const answer = `{"id":"ride","object":"chat.completion","model":"fare","choices":[{"index":0,"message":` +
		`{"role":"assistant","content":"here"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":1,"total_tokens":9}}`
	meter, err := farebox.NewMeter(
		farebox.WithBaseTransport(roundTripper(func(req *http.Request) (*http.Response, error) {
			_ = req.Body.Close()
			return &http.Response{
				StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
				Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(answer)), Body: io.NopCloser(strings.NewReader(answer)),
			}, nil
		})),
		farebox.WithPrice("fare", farebox.Rates{farebox.DimensionInput: farebox.MustPerMillion("1"), farebox.DimensionOutput: farebox.MustPerMillion("1")}),
		farebox.WithBudget(farebox.Budget{Name: "user", Cap: farebox.Dollars(1), Per: "user", Window: farebox.Daily, MaxValues: values}),
		farebox.WithLedgerSize(1))
	if err != nil {
		return 0, err
	}
	client := meter.HTTPClient()
	call := func(user int) error {
		return callOnce(farebox.ContextWithTags(ctx, farebox.Tags{"user": fmt.Sprintf("user-%08d", user)}), client)
	}
	if err := call(0); err != nil { // what the first call sets up is nobody's counter
		return 0, err
	}
	before := heap()
	for i := 1; i < values; i++ {
		if err := call(i); err != nil {
			return 0, err
		}
	}
	taken := heap() - before
	if n := len(meter.Guard().Snapshot()); n != values {
		return 0, fmt.Errorf("bench: %d counters, want %d", n, values)
	}
	return taken, meter.Close(ctx)
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
