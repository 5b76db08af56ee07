package farebox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox"
)

// timeline is a provider in memory that notes when it was asked. Used inside a bubble, its times are simulated.
type timeline struct {
	mu     sync.Mutex
	start  time.Time
	asked  []time.Duration
	answer func(n int) (*http.Response, error) // n counts from 1
}

func newTimeline(answer func(n int) (*http.Response, error)) *timeline {
	return &timeline{start: time.Now(), answer: answer}
}

func (l *timeline) RoundTrip(req *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return nil, err
	}
	_ = req.Body.Close()
	l.mu.Lock()
	l.asked = append(l.asked, time.Since(l.start))
	n := len(l.asked)
	l.mu.Unlock()
	return l.answer(n)
}

// failing answers every request but the last of n with the same failure.
func failing(n int, status int, body string, header ...string) func(int) (*http.Response, error) {
	return func(i int) (*http.Response, error) {
		if i >= n {
			return reply(200, chatAnswer), nil
		}
		return reply(status, body, header...), nil
	}
}

func always(status int, body string, header ...string) func(int) (*http.Response, error) {
	return failing(1<<30, status, body, header...)
}

// inMemory makes a Client over a timeline.
func inMemory(t *testing.T, line *timeline, options ...farebox.Option) *farebox.Client {
	t.Helper()
	return newClient(t, farebox.OpenAI(testKey), append([]farebox.Option{farebox.WithBaseTransport(line)}, options...)...)
}

func TestRetriedStatuses(t *testing.T) {
	t.Parallel()
	retried := []int{408, 409, 429, 500, 502, 503, 504, 524, 529}
	for _, status := range []int{301, 400, 401, 402, 403, 404, 408, 409, 413, 418, 422, 429, 500, 501, 502, 503, 504, 524, 529} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				line := newTimeline(always(status, `{"error":{"message":"no"}}`))
				_, err := inMemory(t, line).CreateChatCompletion(t.Context(), chatRequest())
				want := 1
				if slices.Contains(retried, status) {
					want = 3
				}
				var failure *farebox.APIError
				if !errors.As(err, &failure) || failure.Status != status || failure.Attempts != want {
					t.Fatalf("error %v, want status %d after %d attempts", err, status, want)
				}
				if len(line.asked) != want || len(farebox.ReceiptsOf(err)) != want {
					t.Errorf("%d requests and %d receipts, want %d", len(line.asked), len(farebox.ReceiptsOf(err)), want)
				}
			})
		})
	}
}

func TestRetryHints(t *testing.T) {
	t.Parallel()
	const plain = `{"error":{"message":"wait"}}`
	tests := []struct {
		name   string
		body   string
		header func() []string
		wait   time.Duration
	}{
		{"seconds", plain, func() []string { return []string{"Retry-After", "3"} }, 3 * time.Second},
		{"fraction of seconds", plain, func() []string { return []string{"Retry-After", "1.5"} }, 1500 * time.Millisecond},
		{"date", plain, func() []string {
			return []string{"Retry-After", time.Now().Add(9 * time.Second).UTC().Format(http.TimeFormat)}
		}, 9 * time.Second},
		{"date gone by", plain, func() []string {
			return []string{"Retry-After", time.Now().Add(-9 * time.Second).UTC().Format(http.TimeFormat)}
		}, 0},
		{"milliseconds", plain, func() []string { return []string{"Retry-After-Ms", "2500", "Retry-After", "60"} }, 2500 * time.Millisecond},
		{"in OpenRouter's body", `{"error":{"code":429,"message":"m","metadata":{"headers":{"Retry-After":"4"}}}}`, nil, 4 * time.Second},
		{"in Google's body", `[{"error":{"code":429,"message":"m","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7s"}]}}]`, nil, 7 * time.Second},
		{"the longer of two", `{"error":{"message":"m","retry_after":5}}`, func() []string { return []string{"Retry-After", "2"} }, 5 * time.Second},
		{"nonsense", plain, func() []string { return []string{"Retry-After", "soon"} }, 0},
		{"negative", plain, func() []string { return []string{"Retry-After", "-5"} }, 0},
		{"not a number", plain, func() []string { return []string{"Retry-After", "NaN"} }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var header []string
				if tt.header != nil {
					header = tt.header()
				}
				line := newTimeline(failing(2, 429, tt.body, header...))
				if _, err := inMemory(t, line).CreateChatCompletion(t.Context(), chatRequest()); err != nil {
					t.Fatal(err)
				}
				if waited := line.asked[1] - line.asked[0]; waited < tt.wait || waited > tt.wait+time.Second {
					t.Errorf("waited %s, want %s", waited, tt.wait)
				}
			})
		})
	}
}

func TestRetryIsBounded(t *testing.T) {
	t.Parallel()
	bubble(t, "by the elapsed time", func(t *testing.T) {
		line := newTimeline(always(500, ""))
		retry := farebox.WithRetry(farebox.Retry{MaxAttempts: 1000, MaxElapsed: 10 * time.Second, Initial: time.Second, Max: time.Second})
		_, err := inMemory(t, line, retry).CreateChatCompletion(t.Context(), chatRequest())
		if len(line.asked) < 4 || time.Since(line.start) > 10*time.Second || err == nil {
			t.Errorf("%d attempts in %s: %v; want several within 10 s", len(line.asked), time.Since(line.start), err)
		}
	})
	bubble(t, "a hint beyond the elapsed time is not waited for", func(t *testing.T) {
		line := newTimeline(always(429, "", "Retry-After", "3600"))
		_, err := inMemory(t, line).CreateChatCompletion(t.Context(), chatRequest())
		var failure *farebox.APIError
		if !errors.As(err, &failure) || failure.RetryAfter != time.Hour || len(line.asked) != 1 || time.Since(line.start) != 0 {
			t.Errorf("%d attempts in %s: %v; want one at once", len(line.asked), time.Since(line.start), err)
		}
	})
	bubble(t, "a hint without measure is an error of the provider's", func(t *testing.T) {
		_, err := inMemory(t, newTimeline(always(429, "", "Retry-After", "1e300"))).CreateChatCompletion(t.Context(), chatRequest())
		var failure *farebox.APIError
		if !errors.As(err, &failure) || failure.RetryAfter != 24*time.Hour {
			t.Errorf("error %v, want a wait cut to a day", err)
		}
	})
	bubble(t, "by ctx's deadline, without waiting for it", func(t *testing.T) {
		line := newTimeline(always(429, "", "Retry-After", "5"))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := inMemory(t, line).CreateChatCompletion(ctx, chatRequest())
		if !errors.Is(err, farebox.ErrRateLimit) || len(line.asked) != 1 || time.Since(line.start) != 0 {
			t.Errorf("%d attempts in %s: %v; want the provider's error at once", len(line.asked), time.Since(line.start), err)
		}
	})
	bubble(t, "by ctx's end in a wait", func(t *testing.T) {
		line := newTimeline(always(429, "", "Retry-After", "5"))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(2*time.Second, cancel)
		_, err := inMemory(t, line).CreateChatCompletion(ctx, chatRequest())
		if err == nil || len(line.asked) != 1 || time.Since(line.start) != 2*time.Second {
			t.Errorf("%d attempts in %s: %v; want one, and 2 s", len(line.asked), time.Since(line.start), err)
		}
	})
	bubble(t, "off", func(t *testing.T) {
		line := newTimeline(always(500, ""))
		_, err := inMemory(t, line, noRetry).CreateChatCompletion(t.Context(), chatRequest())
		if err == nil || len(line.asked) != 1 {
			t.Errorf("%d attempts: %v", len(line.asked), err)
		}
	})
}

// bubble runs a subtest in simulated time.
func bubble(t *testing.T, name string, f func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	})
}

func TestWaitsGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		retry := farebox.WithRetry(farebox.Retry{MaxAttempts: 6, MaxElapsed: time.Hour, Initial: time.Second, Max: 4 * time.Second})
		var longest [5]time.Duration
		for range 200 {
			line := newTimeline(always(500, ""))
			if _, err := inMemory(t, line, retry).CreateChatCompletion(t.Context(), chatRequest()); err == nil {
				t.Fatal("no error")
			}
			for i := range longest {
				longest[i] = max(longest[i], line.asked[i+1]-line.asked[i])
			}
		}
		for i, mean := range []time.Duration{1, 2, 4, 4, 4} {
			if most := 2 * mean * time.Second; longest[i] > most || longest[i] < most/2 {
				t.Errorf("longest wait %d of 200: %s; want one drawn from 0 to %s", i+1, longest[i], most)
			}
		}
	})
}

func TestProvidersOwnWordOnRetrying(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		word   string
		want   int
	}{{500, "false", 1}, {400, "true", 3}, {500, "true", 3}, {500, "maybe", 3}, {402, "true", 1}} {
		bubble(t, fmt.Sprint(tt.status, " ", tt.word), func(t *testing.T) {
			line := newTimeline(always(tt.status, "", "X-Should-Retry", tt.word))
			_, err := inMemory(t, line).CreateChatCompletion(t.Context(), chatRequest())
			if err == nil || len(line.asked) != tt.want {
				t.Errorf("%d attempts: %v; want %d", len(line.asked), err, tt.want)
			}
		})
	}
}

func TestRetryOptions(t *testing.T) {
	t.Parallel()
	for _, retry := range []farebox.Retry{{MaxAttempts: -1}, {MaxElapsed: -1}, {Initial: -1}, {Max: -1}, {Initial: 2, Max: 1}} {
		if _, err := farebox.New(farebox.OpenAI(testKey), farebox.WithRetry(retry)); err == nil {
			t.Errorf("WithRetry(%+v): no error", retry)
		}
	}
}

// brokenBody fails after some bytes, as a connection does that is cut.
type brokenBody struct{ io.Reader }

func newBrokenBody(text string) io.ReadCloser {
	return brokenBody{io.MultiReader(strings.NewReader(text), errorReader{io.ErrUnexpectedEOF})}
}

func (brokenBody) Close() error { return nil }

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

func TestStreamsAreRetriedUpToTheFirstEvent(t *testing.T) {
	t.Parallel()
	cutAfter := func(text string) func(int) (*http.Response, error) {
		return func(n int) (*http.Response, error) {
			resp := reply(200, wholeStream, "Content-Type", "text/event-stream")
			if n == 1 {
				resp.Body = newBrokenBody(text)
			}
			return resp, nil
		}
	}
	bubble(t, "before the first event", func(t *testing.T) {
		line := newTimeline(cutAfter(": keep-alive\n\n" + helloChunk[:20]))
		stream, err := inMemory(t, line).CreateChatCompletionStream(t.Context(), chatRequest())
		if err != nil {
			t.Fatal(err)
		}
		wantWhole(t, stream)
		if receipts := stream.Receipts(); len(line.asked) != 2 || len(receipts) != 2 || receipts[0].Source != farebox.Held {
			t.Errorf("%d requests, receipts %v; want two, the first held", len(line.asked), receipts)
		}
	})
	bubble(t, "after it", func(t *testing.T) {
		line := newTimeline(cutAfter(helloChunk))
		stream, err := inMemory(t, line).CreateChatCompletionStream(t.Context(), chatRequest())
		if err != nil {
			t.Fatal(err)
		}
		got, err := text(stream)
		if got != "Hello" || !errors.Is(err, farebox.ErrNetwork) || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q, %v; want what came and the network's error", got, err)
		}
		if len(line.asked) != 1 || len(stream.Receipts()) != 1 {
			t.Errorf("%d requests, want no retry once text has reached the caller", len(line.asked))
		}
	})
}

func TestAttemptTimeoutIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		base := roundTripper(func(req *http.Request) (*http.Response, error) {
			if asked++; asked == 1 {
				<-req.Context().Done()
				return nil, context.Cause(req.Context())
			}
			return reply(200, chatAnswer), nil
		})
		client := newClient(t, farebox.OpenAI(testKey), farebox.WithBaseTransport(base), farebox.WithAttemptTimeout(30*time.Second))
		start := time.Now()
		resp, err := client.CreateChatCompletion(t.Context(), chatRequest())
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 30*time.Second || took > 31*time.Second || len(resp.Receipts) != 2 {
			t.Errorf("%d attempts in %s, want two and the time of the first", len(resp.Receipts), took)
		}
		if first := resp.Receipts[0]; first.ErrorType != "timeout" || first.Source != farebox.Held || resp.Cost != first.Quote.Most.Add(chatCost) {
			t.Errorf("first attempt %s with error %q, whole call %s; want a timeout that stays charged", first, first.ErrorType, resp.Cost)
		}
	})
}

// TestStreamsOutliveTheAttemptTimeout: the bound is on the wait for the first event.
func TestStreamsOutliveTheAttemptTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		base := roundTripper(func(*http.Request) (*http.Response, error) {
			r, w := io.Pipe()
			go func() {
				for _, part := range []string{helloChunk, thereChunk, stopChunk, usageChunk, doneChunk} {
					time.Sleep(20 * time.Second)
					_, _ = io.WriteString(w, part)
				}
				_ = w.Close()
			}()
			resp := reply(200, "", "Content-Type", "text/event-stream")
			resp.Body = r
			return resp, nil
		})
		client := newClient(t, farebox.OpenAI(testKey), farebox.WithBaseTransport(base), farebox.WithAttemptTimeout(30*time.Second))
		stream, err := client.CreateChatCompletionStream(t.Context(), chatRequest())
		if err != nil {
			t.Fatal(err)
		}
		wantWhole(t, stream)
		if first := stream.Receipt().TimeToFirstChunk; first != 20*time.Second {
			t.Errorf("time to first chunk %s, want 20 s", first)
		}
	})
}

func TestWhatIsBilled(t *testing.T) {
	t.Parallel()
	generic := farebox.Compatible("generic", "https://models.example/v1", testKey)
	tests := []struct {
		name     string
		endpoint farebox.Endpoint
		status   int
		want     farebox.Source
	}{
		{"openai", farebox.OpenAI(testKey), 500, farebox.Held},
		{"openai", farebox.OpenAI(testKey), 502, farebox.Held},
		{"openai", farebox.OpenAI(testKey), 503, farebox.Held},
		{"openai", farebox.OpenAI(testKey), 408, farebox.Held},
		{"openai", farebox.OpenAI(testKey), 400, farebox.Unbilled},
		{"openai", farebox.OpenAI(testKey), 401, farebox.Unbilled},
		{"openai", farebox.OpenAI(testKey), 404, farebox.Unbilled},
		{"openai", farebox.OpenAI(testKey), 429, farebox.Unbilled},
		{"openrouter", farebox.OpenRouter(testKey), 402, farebox.Unbilled},
		{"openrouter", farebox.OpenRouter(testKey), 500, farebox.Unbilled},
		{"openrouter", farebox.OpenRouter(testKey), 502, farebox.Unbilled},
		{"openrouter", farebox.OpenRouter(testKey), 503, farebox.Unbilled},
		{"openrouter", farebox.OpenRouter(testKey), 529, farebox.Unbilled},
		{"openrouter", farebox.OpenRouter(testKey), 504, farebox.Held},
		{"anthropic", farebox.Anthropic(testKey), 529, farebox.Held},
		{"generic", generic, 503, farebox.Held},
		{"generic", generic, 422, farebox.Unbilled},
	}
	for _, tt := range tests {
		bubble(t, fmt.Sprint(tt.name, " ", tt.status), func(t *testing.T) {
			line := newTimeline(always(tt.status, `{"error":{"message":"no"}}`))
			budget := farebox.Budget{Name: "b", Cap: farebox.Dollars(1)}
			client := newClient(t, tt.endpoint, farebox.WithBaseTransport(line), farebox.WithBudget(budget), noRetry)
			_, err := client.CreateChatCompletion(t.Context(), chatRequest())
			receipts := farebox.ReceiptsOf(err)
			if len(receipts) != 1 {
				t.Fatalf("error %v with %d receipts, want 1", err, len(receipts))
			}
			wantTaken(t, &receipts[0], tt.want)
			spent := client.Meter().Guard().Snapshot()[0].Spent
			if want := receipts[0].Quote.Most; tt.want == farebox.Held && (spent.Less(want) || want.IsZero()) || tt.want == farebox.Unbilled && !spent.IsZero() {
				t.Errorf("the budget was charged %s of a hold of %s, source %s", spent, want, tt.want)
			}
		})
	}
}

// TestErrorsAfterText: a status that refuses a request before any model runs proves nothing once there was text.
func TestErrorsAfterText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		endpoint farebox.Endpoint
		code     int
		want     farebox.Source
	}{
		{"openai", farebox.OpenAI(testKey), 429, farebox.Held},
		{"openai", farebox.OpenAI(testKey), 400, farebox.Held},
		{"openai", farebox.OpenAI(testKey), 500, farebox.Held},
		{"openrouter", farebox.OpenRouter(testKey), 502, farebox.Unbilled},
		{"openrouter", farebox.OpenRouter(testKey), 429, farebox.Held},
	} {
		bubble(t, fmt.Sprint(tt.name, " ", tt.code), func(t *testing.T) {
			line := newTimeline(func(int) (*http.Response, error) {
				failure := fmt.Sprintf("data: {\"error\":{\"code\":%d,\"message\":\"gone\"}}\n\n", tt.code)
				return reply(200, helloChunk+failure, "Content-Type", "text/event-stream"), nil
			})
			client := newClient(t, tt.endpoint, farebox.WithBaseTransport(line), noRetry)
			stream, err := client.CreateChatCompletionStream(t.Context(), chatRequest())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := text(stream); !errors.Is(err, farebox.ErrProvider) {
				t.Fatalf("the stream ended with %v", err)
			}
			if r := stream.Receipt(); r.Source != tt.want {
				t.Errorf("source %s, want %s", r.Source, tt.want)
			}
		})
	}
}

// TestConnectionFailuresAreRetried: each attempt that reached the wire stays charged, each that did not is free.
func TestConnectionFailuresAreRetried(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		base   string
		source farebox.Source
	}{{"refused", closedPort(t), farebox.Unbilled}, {"cut", serve(t, hangUp).URL, farebox.Held}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, farebox.OpenAI(testKey).WithBaseURL(tt.base), farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1)}))
			_, err := client.CreateChatCompletion(context.Background(), chatRequest())
			receipts := farebox.ReceiptsOf(err)
			if len(receipts) != 3 {
				t.Fatalf("%v with %d receipts, want 3", err, len(receipts))
			}
			for i := range receipts {
				wantTaken(t, &receipts[i], tt.source)
			}
		})
	}
}
