package farebox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// The first eight probes: what go-openai makes of streams. See probes_test.go for the rest.

func TestProbe01_KeepAliveComments(t *testing.T) {
	t.Parallel()
	for _, comments := range []int{1, 151, 100_000} {
		t.Run(fmt.Sprint(comments), func(t *testing.T) {
			t.Parallel()
			p := serve(t, streams(strings.Repeat(": OPENROUTER PROCESSING\n\n", comments), wholeStream))
			stream, err := newClient(t, openRouterAt(p)).CreateChatCompletionStream(context.Background(), chatRequest())
			if err != nil {
				t.Fatal(err)
			}
			wantWhole(t, stream)
		})
	}
}

// wantWhole reads a stream to its end and checks that it is wholeStream's.
func wantWhole(t *testing.T, stream *farebox.ChatCompletionStream) {
	t.Helper()
	got, err := text(stream)
	if got != "Hello there" || !errors.Is(err, io.EOF) {
		t.Errorf("stream = %q, %v; want \"Hello there\" and io.EOF", got, err)
	}
	if r := stream.Receipt(); r.Cost != chatCost || r.Source != farebox.Computed || r.Partial {
		t.Errorf("receipt: %s %s, partial %v; want %s computed and whole", r.Cost, r.Source, r.Partial, chatCost)
	}
}

// endlessComments is a body of comments, made as it is read, with a stream behind them.
type endlessComments struct {
	left   int // comments to come
	within int // bytes of the comment under way that have been read
	tail   io.Reader
}

const comment = ": OPENROUTER PROCESSING\n\n"

func (c *endlessComments) Read(p []byte) (n int, err error) {
	for n < len(p) && c.left > 0 {
		m := copy(p[n:], comment[c.within:])
		n, c.within = n+m, c.within+m
		if c.within == len(comment) {
			c.left, c.within = c.left-1, 0
		}
	}
	if n > 0 {
		return n, nil
	}
	return c.tail.Read(p)
}

func (c *endlessComments) Close() error { return nil }

func TestProbe01_MillionsOfCommentsTakeNoMemory(t *testing.T) {
	comments := 10_000_000
	if testing.Short() {
		comments = 200_000
	}
	base := roundTripper(func(*http.Request) (*http.Response, error) {
		resp := reply(200, "", "Content-Type", "text/event-stream")
		resp.Body = &endlessComments{left: comments, tail: strings.NewReader(wholeStream)}
		return resp, nil
	})
	client := newClient(t, farebox.OpenRouter(testKey), farebox.WithBaseTransport(base))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	stream, err := client.CreateChatCompletionStream(context.Background(), chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	wantWhole(t, stream)
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d comments allocated %d bytes in all, want a bound that does not depend on them", comments, grown)
	}
}

// openRouterFailure is an error in mid-stream as OpenRouter sends it: the error is not the first member.
const openRouterFailure = `data: {"id":"gen-1","provider":"Azure","model":"test-model","object":"chat.completion.chunk","created":1764000000,` +
	`"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],` +
	`"error":{"code":502,"message":"Upstream went away","metadata":{"error_type":"provider_unavailable","provider_name":"Azure"}}}` + "\n\n"

func TestProbe02And03_ErrorInMidStream(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, stream string
		code         string
		message      string
	}{
		{"after a comment", ": OPENROUTER PROCESSING\n\n" + helloChunk + openRouterFailure, "502", "Upstream went away"},
		{"and a terminator", helloChunk + openRouterFailure + doneChunk, "502", "Upstream went away"},
		{"alone in its event", helloChunk + ": keep-alive\n\n" + `data: {"error":{"message":"The server had an error","type":"server_error","code":"boom"}}` + "\n\n", "boom", "The server had an error"},
		{"in a named event", helloChunk + "event: error\n" + `data: {"message":"Overloaded","code":"overloaded_error"}` + "\n\n", "overloaded_error", "Overloaded"},
		{"without a last blank line", helloChunk + `data: {"error":{"message":"cut off","code":"x1"}}`, "x1", "cut off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, streams(tt.stream))
			stream, err := newClient(t, openRouterAt(p)).CreateChatCompletionStream(context.Background(), chatRequest())
			if err != nil {
				t.Fatal(err)
			}
			got, err := text(stream)
			if got != "Hello" {
				t.Errorf("received %q before the error, want \"Hello\"", got)
			}
			var failure *farebox.APIError
			if !errors.As(err, &failure) || !failure.MidStream || !errors.Is(err, farebox.ErrProvider) {
				t.Fatalf("error %#v, want an APIError in mid-stream", err)
			}
			if failure.Retryable() {
				t.Error("it says that it can be retried, although text has reached the caller")
			}
			if failure.Code != tt.code || !strings.Contains(failure.Message, tt.message) {
				t.Errorf("code %q, message %q; want %q, %q", failure.Code, failure.Message, tt.code, tt.message)
			}
			if receipts := farebox.ReceiptsOf(err); len(receipts) != 1 || receipts[0].ErrorType == "" || receipts[0].ID != stream.Receipt().ID {
				t.Errorf("receipts of the error: %v; want the stream's one, with an error type", receipts)
			}
			if _, again := stream.Recv(); !errors.Is(again, err) {
				t.Errorf("Recv after the error: %v, want the same error", again)
			}
			p.only(t) // text had reached the caller: no retry
		})
	}
}

func TestProbe02_ErrorAsFirstEventIsRetried(t *testing.T) {
	t.Parallel()
	p := serve(t, inTurn(streams(": OPENROUTER PROCESSING\n\n"+openRouterFailure), streams(wholeStream)))
	stream, err := newClient(t, openRouterAt(p)).CreateChatCompletionStream(context.Background(), chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	wantWhole(t, stream)
	if receipts := stream.Receipts(); len(receipts) != 2 || receipts[0].Source != farebox.Unbilled {
		t.Errorf("receipts %v; want two, the first unbilled", receipts)
	}
}

func TestProbe04_MissingTerminator(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, stream, text string }{
		{"after text", helloChunk + thereChunk, "Hello there"},
		{"after the finish reason, without the usage", helloChunk + thereChunk + stopChunk, "Hello there"},
		{"in the middle of an event", helloChunk + `data: {"id":"chatcmpl-1","choi`, "Hello"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, streams(tt.stream))
			stream, err := newClient(t, openAIAt(p)).CreateChatCompletionStream(context.Background(), chatRequest())
			if err != nil {
				t.Fatal(err)
			}
			got, err := text(stream)
			if got != tt.text {
				t.Errorf("received %q, want %q", got, tt.text)
			}
			if errors.Is(err, io.EOF) || err == nil {
				t.Fatalf("the stream ended with %v, want an error", err)
			}
			if !errors.Is(err, farebox.ErrStreamTruncated) || !errors.Is(err, farebox.ErrNetwork) {
				t.Errorf("error %v, want ErrStreamTruncated and ErrNetwork", err)
			}
			receipts := farebox.ReceiptsOf(err)
			if len(receipts) != 1 || !receipts[0].Partial || receipts[0].Source != farebox.Held || receipts[0].Cost != receipts[0].Quote.Most {
				t.Errorf("receipts %v; want one that is partial and charged in full", receipts)
			}
		})
	}
}

func TestProbe04_UsageAfterFinishIsATerminator(t *testing.T) {
	t.Parallel()
	p := serve(t, streams(helloChunk, thereChunk, stopChunk, usageChunk))
	stream, err := newClient(t, openAIAt(p)).CreateChatCompletionStream(context.Background(), chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	wantWhole(t, stream)
}

func TestProbe05To07_FramesOfEvents(t *testing.T) {
	t.Parallel()
	split := `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"test-model",` + "\n" +
		`data: "choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}` + "\n\n"
	tests := []struct{ name, stream string }{
		{"05 last line without a newline", strings.TrimSuffix(wholeStream, "\n\n")},
		{"05 last chunk without a newline", strings.TrimSuffix(helloChunk+thereChunk+stopChunk+usageChunk, "\n\n")},
		{"06 data over two lines", split + thereChunk + stopChunk + usageChunk + doneChunk},
		{"07 event and id lines", "id: 1\nevent: message\nretry: 3\n" + strings.ReplaceAll(wholeStream, "\n\n", "\n\nid: 7\nevent: chunk\n")},
		{"carriage returns", strings.ReplaceAll(wholeStream, "\n", "\r\n")},
		{"no blank after the colon", strings.ReplaceAll(wholeStream, "data: ", "data:")},
		{"byte order mark", "\ufeff" + wholeStream},
		{"blank lines in front", "\n\n\n" + wholeStream},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, streams(tt.stream))
			stream, err := newClient(t, openAIAt(p)).CreateChatCompletionStream(context.Background(), chatRequest())
			if err != nil {
				t.Fatal(err)
			}
			wantWhole(t, stream)
		})
	}
}

func TestProbe08_SizesAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 64<<10)
	t.Run("event", func(t *testing.T) {
		t.Parallel()
		p := serve(t, streams(helloChunk, "data: "+long+long+"\n\n", doneChunk))
		stream, err := newClient(t, openAIAt(p), farebox.WithMaxEventBytes(64<<10)).CreateChatCompletionStream(context.Background(), chatRequest())
		if err != nil {
			t.Fatal(err)
		}
		got, err := text(stream)
		wantTooLarge(t, err, "WithMaxEventBytes")
		if got != "Hello" {
			t.Errorf("received %q, want what came before", got)
		}
		p.only(t)
	})
	t.Run("first event", func(t *testing.T) {
		t.Parallel()
		p := serve(t, streams("data: "+long+long+"\n\n", doneChunk))
		_, err := newClient(t, openAIAt(p), farebox.WithMaxEventBytes(64<<10)).CreateChatCompletionStream(context.Background(), chatRequest())
		wantTooLarge(t, err, "WithMaxEventBytes")
		p.only(t) // trying again would be as large
	})
	t.Run("answer", func(t *testing.T) {
		t.Parallel()
		p := serve(t, answers(200, strings.Replace(chatAnswer, "Hello there", long, 1)))
		_, err := newClient(t, openAIAt(p), farebox.WithMaxResponseBytes(64<<10)).CreateChatCompletion(context.Background(), chatRequest())
		wantTooLarge(t, err, "WithMaxResponseBytes")
		p.only(t)
	})
	t.Run("exactly at the limit", func(t *testing.T) {
		t.Parallel()
		p := serve(t, answers(200, chatAnswer))
		_, err := newClient(t, openAIAt(p), farebox.WithMaxResponseBytes(int64(len(chatAnswer)))).CreateChatCompletion(context.Background(), chatRequest())
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("within the default", func(t *testing.T) {
		t.Parallel()
		p := serve(t, streams(strings.Replace(helloChunk, "Hello", strings.Repeat("y", 8<<20), 1)+stopChunk+usageChunk+doneChunk))
		stream, err := newClient(t, openAIAt(p)).CreateChatCompletionStream(context.Background(), chatRequest())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := text(stream); len(got) != 8<<20 || !errors.Is(err, io.EOF) {
			t.Errorf("received %d bytes and %v, want 8 MiB and io.EOF", len(got), err)
		}
	})
}

func wantTooLarge(t *testing.T, err error, option string) {
	t.Helper()
	var failure *farebox.NetworkError
	if !errors.Is(err, farebox.ErrTooLarge) || !errors.As(err, &failure) || !strings.Contains(err.Error(), option) {
		t.Fatalf("error %v, want a NetworkError that matches ErrTooLarge and names %s", err, option)
	}
	if len(err.Error()) > 1000 {
		t.Errorf("the error is %d bytes long", len(err.Error()))
	}
	if receipts := farebox.ReceiptsOf(err); len(receipts) != 1 {
		t.Errorf("%d receipts, want 1", len(receipts))
	}
}
