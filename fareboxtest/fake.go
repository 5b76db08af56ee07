package fareboxtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
)

// Fake is a farebox.API that calls nothing and nobody: for unit tests of code that takes a farebox.API. The zero value
// answers everything that a Client would send, for nothing, and refuses what it would not (no model, no messages) with
// farebox.ErrBadRequest; set fields before the first call. Safe for concurrent use, and there is nothing to close.
type Fake struct {
	// Text is the answer to every chat and completion; empty: a few sentences made from the request.
	Text string
	// Cost is what every call costs.
	Cost farebox.Money
	// Err, if not nil, is returned by every method in place of an answer.
	Err error

	// Each of these functions, where it is not nil, is called by the method of its name instead.
	CreateChatCompletionFunc       func(context.Context, openai.ChatCompletionRequest, ...farebox.CallOption) (farebox.ChatCompletionResponse, error)
	CreateChatCompletionStreamFunc func(context.Context, openai.ChatCompletionRequest, ...farebox.CallOption) (*farebox.ChatCompletionStream, error)
	CreateCompletionFunc           func(context.Context, openai.CompletionRequest, ...farebox.CallOption) (farebox.CompletionResponse, error)
	CreateCompletionStreamFunc     func(context.Context, openai.CompletionRequest, ...farebox.CallOption) (*farebox.CompletionStream, error)
	CreateEmbeddingsFunc           func(context.Context, openai.EmbeddingRequestConverter, ...farebox.CallOption) (farebox.EmbeddingResponse, error)
	ListModelsFunc                 func(context.Context) (openai.ModelsList, error)
	QuoteFunc                      func(context.Context, openai.ChatCompletionRequest, ...farebox.CallOption) (farebox.Quote, error)

	once   sync.Once
	client *farebox.Client
	err    error

	mu    sync.Mutex
	calls []FakeCall
}

var _ farebox.API = (*Fake)(nil)

// FakeCall is a call that a Fake has received.
type FakeCall struct {
	Method string // "CreateChatCompletion"
	// Request is what the method was given, of the type that it takes; nil for ListModels.
	Request any
	// Tags are those of the context; those of farebox.WithTags are not seen.
	Tags farebox.Tags
}

// Calls returns the calls so far, in the order in which they came.
func (f *Fake) Calls() []FakeCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *Fake) record(ctx context.Context, method string, request any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, FakeCall{Method: method, Request: request, Tags: farebox.TagsFromContext(ctx)})
}

// CreateChatCompletion answers with Text, at Cost.
func (f *Fake) CreateChatCompletion(ctx context.Context, request openai.ChatCompletionRequest, options ...farebox.CallOption) (farebox.ChatCompletionResponse, error) {
	f.record(ctx, "CreateChatCompletion", request)
	if f.CreateChatCompletionFunc != nil {
		return f.CreateChatCompletionFunc(ctx, request, options...)
	}
	client, err := f.real()
	if err != nil {
		return farebox.ChatCompletionResponse{}, err
	}
	return client.CreateChatCompletion(ctx, request, options...)
}

// CreateChatCompletionStream streams Text word by word, at Cost.
func (f *Fake) CreateChatCompletionStream(ctx context.Context, request openai.ChatCompletionRequest, options ...farebox.CallOption) (*farebox.ChatCompletionStream, error) {
	f.record(ctx, "CreateChatCompletionStream", request)
	if f.CreateChatCompletionStreamFunc != nil {
		return f.CreateChatCompletionStreamFunc(ctx, request, options...)
	}
	client, err := f.real()
	if err != nil {
		return nil, err
	}
	return client.CreateChatCompletionStream(ctx, request, options...)
}

// CreateCompletion answers with Text, at Cost.
func (f *Fake) CreateCompletion(ctx context.Context, request openai.CompletionRequest, options ...farebox.CallOption) (farebox.CompletionResponse, error) {
	f.record(ctx, "CreateCompletion", request)
	if f.CreateCompletionFunc != nil {
		return f.CreateCompletionFunc(ctx, request, options...)
	}
	client, err := f.real()
	if err != nil {
		return farebox.CompletionResponse{}, err
	}
	return client.CreateCompletion(ctx, request, options...)
}

// CreateCompletionStream streams Text word by word, at Cost.
func (f *Fake) CreateCompletionStream(ctx context.Context, request openai.CompletionRequest, options ...farebox.CallOption) (*farebox.CompletionStream, error) {
	f.record(ctx, "CreateCompletionStream", request)
	if f.CreateCompletionStreamFunc != nil {
		return f.CreateCompletionStreamFunc(ctx, request, options...)
	}
	client, err := f.real()
	if err != nil {
		return nil, err
	}
	return client.CreateCompletionStream(ctx, request, options...)
}

// CreateEmbeddings answers with vectors that depend on nothing but their texts, at Cost.
func (f *Fake) CreateEmbeddings(ctx context.Context, request openai.EmbeddingRequestConverter, options ...farebox.CallOption) (farebox.EmbeddingResponse, error) {
	f.record(ctx, "CreateEmbeddings", request)
	if f.CreateEmbeddingsFunc != nil {
		return f.CreateEmbeddingsFunc(ctx, request, options...)
	}
	client, err := f.real()
	if err != nil {
		return farebox.EmbeddingResponse{}, err
	}
	return client.CreateEmbeddings(ctx, request, options...)
}

// ListModels lists DefaultModels.
func (f *Fake) ListModels(ctx context.Context) (openai.ModelsList, error) {
	f.record(ctx, "ListModels", nil)
	if f.ListModelsFunc != nil {
		return f.ListModelsFunc(ctx)
	}
	client, err := f.real()
	if err != nil {
		return openai.ModelsList{}, err
	}
	return client.ListModels(ctx)
}

// Quote says that the request costs Cost, neither more nor less.
func (f *Fake) Quote(ctx context.Context, request openai.ChatCompletionRequest, options ...farebox.CallOption) (farebox.Quote, error) {
	f.record(ctx, "Quote", request)
	if f.QuoteFunc != nil {
		return f.QuoteFunc(ctx, request, options...)
	}
	client, err := f.real()
	if err != nil {
		return farebox.Quote{}, err
	}
	quote, err := client.Quote(ctx, request, options...)
	quote.Expected, quote.Most, quote.Priced = f.Cost, f.Cost, err == nil
	return quote, err
}

// real is the Client behind the answers: a real one, so that receipts and streams are what they are elsewhere, whose
// requests are answered before they leave the goroutine.
func (f *Fake) real() (*farebox.Client, error) {
	if f.Err != nil {
		return nil, f.Err
	}
	f.once.Do(func() {
		p := newProvider(WithStyle(OpenRouter), WithName("fake"), WithReply(f.reply))
		p.anyModel, p.origin, p.flat = true, memoryOrigin, &f.Cost
		f.client, f.err = farebox.New(p.Endpoint(), farebox.WithBaseTransport(direct{p}))
	})
	return f.client, f.err
}

func (f *Fake) reply(p Prompt) Reply {
	if f.Text == "" {
		return defaultReply(p)
	}
	return Reply{Text: f.Text}
}

// direct is a transport that hands requests to a handler, and answers when it has returned.
type direct struct{ handler http.Handler }

// RoundTrip calls the handler.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer func() { _ = in.Body.Close() }()
	w := &recorded{header: http.Header{}, status: http.StatusOK}
	d.handler.ServeHTTP(w, in)
	if err := r.Context().Err(); err != nil {
		return nil, context.Cause(r.Context())
	}
	return &http.Response{
		Status: fmt.Sprint(w.status, " ", http.StatusText(w.status)), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// recorded is a response that is kept.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorded) Header() http.Header                { return w.header }
func (w *recorded) WriteHeader(status int)             { w.status = status }
func (w *recorded) Write(data []byte) (n int, _ error) { return w.body.Write(data) }
