package farebox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
)

func openStream(t *testing.T, client *farebox.Client) *farebox.ChatCompletionStream {
	t.Helper()
	stream, err := client.CreateChatCompletionStream(context.Background(), chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func TestStreamByRange(t *testing.T) {
	t.Parallel()
	p := serve(t, streams(wholeStream))
	client := newClient(t, openAIAt(p))
	stream := openStream(t, client)
	var said strings.Builder
	chunks := 0
	for chunk, err := range stream.Chunks() {
		if err != nil {
			t.Fatal(err)
		}
		chunks++
		if len(chunk.Choices) == 0 {
			t.Error("the usage chunk that nobody asked for reached the caller")
			continue
		}
		said.WriteString(chunk.Choices[0].Delta.Content)
	}
	if said.String() != "Hello there" || chunks != 3 {
		t.Errorf("%q in %d chunks", said.String(), chunks)
	}
	if r := stream.Receipt(); r.Cost != chatCost || r.Source != farebox.Computed || !r.Stream || r.TimeToFirstChunk <= 0 || r.FinishReason != "stop" {
		t.Errorf("receipt %+v", r)
	}
	if stream.Header().Get("Content-Type") != "text/event-stream" {
		t.Errorf("header %v", stream.Header())
	}
	sent := object(t, p.only(t).body)
	if string(sent["stream"]) != "true" || string(sent["stream_options"]) != `{"include_usage":true}` {
		t.Errorf("sent %s", p.only(t).body)
	}
}

func TestStreamUsageThatTheCallerAskedFor(t *testing.T) {
	t.Parallel()
	p := serve(t, streams(wholeStream))
	request := chatRequest()
	request.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
	stream, err := newClient(t, openAIAt(p)).CreateChatCompletionStream(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	var usage *openai.Usage
	for chunk, err := range stream.Chunks() {
		if err != nil {
			t.Fatal(err)
		}
		if chunk.Usage != nil {
			usage = chunk.Usage
		}
	}
	if usage == nil || usage.PromptTokens != 100 {
		t.Errorf("usage %+v, want the chunk that was asked for", usage)
	}
	if r := stream.Receipt(); len(r.Edits) != 0 || r.Cost != chatCost {
		t.Errorf("edits %q, cost %s", r.Edits, r.Cost)
	}
}

// stalled streams some parts, then waits until the client goes away.
func stalled(parts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		streams(parts...)(w, r)
		<-r.Context().Done()
	}
}

func TestStreamLeftEarly(t *testing.T) {
	t.Parallel()
	leave := map[string]func(*farebox.ChatCompletionStream){
		"break": func(s *farebox.ChatCompletionStream) {
			for range s.Chunks() {
				break
			}
		},
		"close": func(s *farebox.ChatCompletionStream) {
			_, _ = s.Recv()
			_ = s.Close()
		},
		"close unread": func(s *farebox.ChatCompletionStream) { _ = s.Close() },
		"panic": func(s *farebox.ChatCompletionStream) {
			defer func() { _ = recover() }()
			for range s.Chunks() {
				panic("the consumer's")
			}
		},
	}
	for name, leave := range leave {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, stalled(helloChunk))
			client := newClient(t, openAIAt(p), farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1)}))
			stream := openStream(t, client)
			leave(stream)
			r := onlyReceipt(t, client.Meter())
			wantTaken(t, &r, farebox.Held)
			if !r.Partial || stream.Receipt().ID != r.ID || stream.Cost() != r.Cost || len(stream.Receipts()) != 1 {
				t.Errorf("receipt %+v of the ledger, %+v of the stream", r, stream.Receipt())
			}
			if _, err := stream.Recv(); !errors.Is(err, farebox.ErrStreamClosed) {
				t.Errorf("Recv after leaving: %v", err)
			}
		})
	}
}

// TestStreamLeftAtItsEnd: the reason to finish has come, the usage is near: Close reads it.
func TestStreamLeftAtItsEnd(t *testing.T) {
	t.Parallel()
	p := serve(t, streams(helloChunk, stopChunk, usageChunk, doneChunk))
	client := newClient(t, openAIAt(p))
	stream := openStream(t, client)
	for range 2 {
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	_ = stream.Close()
	if r := stream.Receipt(); r.Source != farebox.Computed || r.Cost != chatCost {
		t.Errorf("receipt %s, want the usage that followed", r)
	}
}

func TestStreamReceiptWhileItIsOpen(t *testing.T) {
	t.Parallel()
	stream := openStream(t, newClient(t, openAIAt(serve(t, stalled(helloChunk)))))
	if stream.Receipt().ID != "" || stream.Receipts() != nil || !stream.Cost().IsZero() {
		t.Errorf("receipt %v of an open stream", stream.Receipt())
	}
	_ = stream.Close()
}

func TestStreamCloseWhileReceiving(t *testing.T) {
	t.Parallel()
	p := serve(t, stalled(helloChunk))
	client := newClient(t, openAIAt(p))
	stream := openStream(t, client)
	received := make(chan error)
	go func() {
		_, err := text(stream)
		received <- err
	}()
	var closers sync.WaitGroup
	for range 4 {
		closers.Go(func() {
			time.Sleep(20 * time.Millisecond)
			_ = stream.Close()
			_ = stream.Receipt()
		})
	}
	closers.Wait()
	select {
	case err := <-received:
		if !errors.Is(err, farebox.ErrStreamClosed) {
			t.Errorf("Recv: %v, want ErrStreamClosed", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Recv hangs after Close")
	}
	onlyReceipt(t, client.Meter())
}

func TestStreamOfAServerThatDoesNotStream(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	stream, err := newClient(t, openAIAt(p)).CreateChatCompletionStream(context.Background(), chatRequest())
	var failure *farebox.APIError
	if stream != nil || !errors.As(err, &failure) || failure.Type != "invalid_response" {
		t.Fatalf("%v, want an APIError", err)
	}
	if receipts := farebox.ReceiptsOf(err); len(receipts) != 1 || receipts[0].Cost != chatCost {
		t.Errorf("receipts %v, want the cost of the answer all the same", receipts)
	}
	p.only(t)
}

func TestStreamOfUnreadableChunks(t *testing.T) {
	t.Parallel()
	for _, chunk := range []string{`{"choices":"none"}`, `[1,2]`, `not JSON`} {
		p := serve(t, streams(helloChunk, "data: "+chunk+"\n\n", usageChunk, doneChunk))
		stream := openStream(t, newClient(t, openAIAt(p)))
		got, err := text(stream)
		var failure *farebox.APIError
		if got != "Hello" || !errors.As(err, &failure) || !failure.MidStream || failure.Type != "invalid_response" {
			t.Errorf("chunk %s: %q, %v; want what came before and an APIError", chunk, got, err)
		}
		if strings.Contains(err.Error(), chunk) {
			t.Errorf("the error repeats the chunk: %v", err)
		}
		wantOnly(t, err, farebox.ErrProvider)
	}
}

func TestStreamOfNothing(t *testing.T) {
	t.Parallel()
	p := serve(t, streams(doneChunk))
	stream := openStream(t, newClient(t, openAIAt(p)))
	if got, err := text(stream); got != "" || !errors.Is(err, io.EOF) {
		t.Errorf("%q, %v; want the end", got, err)
	}
	p.only(t)
}

func TestCompletionStream(t *testing.T) {
	t.Parallel()
	chunk := `data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"test-model","choices":[{"index":0,"text":"Hello","finish_reason":null}]}` + "\n\n"
	last := `data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"test-model","choices":[{"index":0,"text":"","finish_reason":"stop"}],"usage":` + usageJSON + `}` + "\n\n"
	p := serve(t, streams(chunk, last, doneChunk))
	client := newClient(t, openAIAt(p))
	stream, err := client.CreateCompletionStream(context.Background(), openai.CompletionRequest{Model: testModel, Prompt: "Say hello.", MaxTokens: 10})
	if err != nil {
		t.Fatal(err)
	}
	var said string
	for chunk, err := range stream.Chunks() {
		if err != nil {
			t.Fatal(err)
		}
		said += chunk.Choices[0].Text
	}
	if r := stream.Receipt(); said != "Hello" || r.Cost != chatCost || r.Operation != "text_completion" || p.only(t).path != "/v1/completions" {
		t.Errorf("%q, receipt %s", said, r)
	}
}

// TestStreamsThatDoNotEnd: the server leaves the connection open after the last that counts.
func TestStreamsThatDoNotEnd(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body string
		want error
	}{"after the terminator": {wholeStream, io.EOF}, "after an error": {helloChunk + openRouterFailure, farebox.ErrProvider}} {
		bubble(t, name, func(t *testing.T) {
			client := newClient(t, farebox.OpenAI(testKey), farebox.WithBaseTransport(bodyOf("text/event-stream", newCloseProbe(tt.body))))
			stream := openStream(t, client)
			start := time.Now()
			if _, err := text(stream); !errors.Is(err, tt.want) || time.Since(start) > time.Second {
				t.Errorf("%v after %s, want %v after a moment", err, time.Since(start), tt.want)
			}
			if r := stream.Receipt(); errors.Is(tt.want, io.EOF) && (r.Cost != chatCost || r.Partial) {
				t.Errorf("receipt %s, partial %v", r, r.Partial)
			}
		})
	}
}

// TestStreamKeepsItsConnection: a connection whose stream was read to the end serves the next call.
func TestStreamKeepsItsConnection(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	from := map[string]bool{}
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		from[r.RemoteAddr] = true
		mu.Unlock()
		streams(helloChunk, stopChunk, usageChunk, doneChunk)(w, r)
	})
	client := newClient(t, openAIAt(p))
	for range 5 {
		if _, err := text(openStream(t, client)); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(from) != 1 {
		t.Errorf("5 streams took %d connections, want 1", len(from))
	}
}
