package fareboxtest_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

var question = openai.ChatCompletionRequest{
	Model: fareboxtest.SmallModel, MaxTokens: 50,
	Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "Hello there!"}},
}

// clientOf is a client of farebox's that calls a provider in memory.
func clientOf(tb testing.TB, p *fareboxtest.Provider, options ...farebox.Option) *farebox.Client {
	tb.Helper()
	options = append([]farebox.Option{
		farebox.WithBaseTransport(p.Transport()), farebox.WithModels(p.Prices()...), farebox.WithRetry(farebox.Retry{MaxAttempts: 1}),
	}, options...)
	client, err := farebox.New(p.Endpoint(), options...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close(context.Background()) })
	return client
}

func budget(dollars string) farebox.Option {
	return farebox.WithBudget(farebox.Budget{Name: "test", Cap: farebox.MustMoney(dollars)})
}

func TestOverSocket(t *testing.T) {
	t.Parallel()
	p := fareboxtest.NewProvider(fareboxtest.WithName("sim"), fareboxtest.WithKey("k"), saying("Good day to you"))
	t.Cleanup(p.Close)
	client, err := farebox.New(p.Endpoint(), farebox.WithModels(p.Prices()...))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.CreateChatCompletion(t.Context(), question)
	if err != nil {
		t.Fatal(err)
	}
	fareboxtest.RequireCost(t, "0.00000285", resp.Cost)
	if resp.Receipt.Endpoint != "sim" || resp.Receipt.Source != farebox.Computed {
		t.Errorf("the receipt is %v of %s", resp.Receipt, resp.Receipt.Endpoint)
	}
}

func TestRefusedNeverArrives(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	client := clientOf(t, p, budget("0.00001"))
	_, err := client.CreateChatCompletion(t.Context(), question)
	if refused := fareboxtest.RequireRefused(t, err); refused.OutputTokens >= int64(question.MaxTokens) {
		t.Errorf("the refusal says that %d tokens of output would fit", refused.OutputTokens)
	}
	fareboxtest.RequireRequests(t, p, 0)
	fareboxtest.RequireSettled(t, client.Meter())
}

// TestBooksEqualBill makes calls of every kind, in both styles, and compares the two sides' accounts.
func TestBooksEqualBill(t *testing.T) {
	t.Parallel()
	for _, style := range []fareboxtest.Style{fareboxtest.OpenAI, fareboxtest.OpenRouter} {
		p := newProvider(t, fareboxtest.WithStyle(style))
		client := clientOf(t, p, budget("1"))
		if _, err := client.CreateChatCompletion(t.Context(), question); err != nil {
			t.Fatal(err)
		}
		search := question
		search.Model, search.N = fareboxtest.SearchModel, 3
		stream, err := client.CreateChatCompletionStream(t.Context(), search)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range stream.Chunks() {
			if err != nil {
				t.Fatal(err)
			}
		}
		text := openai.CompletionRequest{Model: fareboxtest.LargeModel, Prompt: "Once upon", MaxTokens: 9}
		if _, err := client.CreateCompletion(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		if _, err := client.CreateEmbeddings(t.Context(), openai.EmbeddingRequest{Model: fareboxtest.EmbeddingModel, Input: []string{"a", "b"}}); err != nil {
			t.Fatal(err)
		}
		if models, err := client.ListModels(t.Context()); err != nil || len(models.Models) != 4 {
			t.Errorf("%v: %d models, %v", style, len(models.Models), err)
		}
		fareboxtest.RequireRequests(t, p, 4)
		fareboxtest.RequireCost(t, p.Billed(), client.Meter().Ledger().Total().Cost)
		fareboxtest.RequireSettled(t, client.Meter())
	}
}

// TestBooksCoverBill checks, for every way of failing, that farebox never books less than the provider bills.
func TestBooksCoverBill(t *testing.T) {
	t.Parallel()
	faults := map[string]fareboxtest.Fault{
		"rate limit": fareboxtest.RateLimit(time.Second), "out of credits": fareboxtest.OutOfCredits(),
		"overloaded": fareboxtest.Overloaded(), "server error": fareboxtest.ServerError(), "page": fareboxtest.HTMLPage(),
		"billed error":       {Status: 500, Bill: true},
		"error inside":       {Status: 500, InsideOK: true},
		"error later":        {Status: 502, ErrorAfter: 2},
		"billed error later": {Status: 502, ErrorAfter: 2, Bill: true, Match: func(r fareboxtest.Request) bool { return r.Stream }},
		"no head":            {Cut: fareboxtest.BeforeHead()},
		"no body":            {Cut: fareboxtest.AfterHead()},
		"cut":                {Cut: fareboxtest.AfterChunks(3)},
		"cut in chunk":       {Cut: fareboxtest.InChunk(3)},
		"cut at end":         {Cut: fareboxtest.AfterChunks(99)},
		"no terminator":      {NoDone: true},
		"ragged end":         {NoFinalNewline: true},
		"malformed":          {Malformed: true},
		"no usage":           {NoUsage: true},
		"CRLF":               {CRLF: true, KeepAlives: 200},
		"split":              {SplitData: true},
		"slow":               {OneByte: true},
	}
	for _, style := range []fareboxtest.Style{fareboxtest.OpenAI, fareboxtest.OpenRouter} {
		for name, fault := range faults {
			if style == fareboxtest.OpenRouter && fault.Bill && fault.ErrorAfter == 0 {
				continue // OpenRouter says that it does not bill errors, and farebox takes its word
			}
			t.Run(style.String()+"/"+name, func(t *testing.T) {
				t.Parallel()
				p := newProvider(t, fareboxtest.WithStyle(style))
				client := clientOf(t, p, budget("1"))
				fault.Times = 2
				p.Inject(fault)
				_, _ = client.CreateChatCompletion(t.Context(), question)
				if stream, err := client.CreateChatCompletionStream(t.Context(), question); err == nil {
					for range stream.Chunks() {
					}
				}
				fareboxtest.RequireRequests(t, p, 2)
				fareboxtest.RequireSettled(t, client.Meter())
				fareboxtest.RequireCovered(t, p, client.Meter())
			})
		}
	}
}

// TestGate has 200 callers ask at once under a budget with room for 10 of them, and lets none of them be answered before
// all have asked.
func TestGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(t)
		client := clientOf(t, p)
		quote, err := client.Quote(t.Context(), question)
		if err != nil {
			t.Fatal(err)
		}
		client = clientOf(t, p, farebox.WithBudget(farebox.Budget{Name: "test", Cap: quote.Most.Mul(10)}))
		release := p.Hold()
		var refusals sync.Map
		var callers sync.WaitGroup
		for i := range 200 {
			callers.Go(func() {
				if _, err := client.CreateChatCompletion(context.Background(), question); err != nil {
					refusals.Store(i, err)
				}
			})
		}
		synctest.Wait()
		fareboxtest.RequireRequests(t, p, 10)
		release()
		callers.Wait()
		refused := 0
		for _, err := range refusals.Range {
			if e := fareboxtest.RequireRefused(t, err.(error)); e.Reason != farebox.ReasonContended {
				t.Errorf("refused because %s", e.Reason)
			}
			refused++
		}
		if refused != 190 {
			t.Errorf("%d calls were refused, want 190", refused)
		}
		fareboxtest.RequireSettled(t, client.Meter())
		fareboxtest.RequireCost(t, p.Billed(), client.Meter().Ledger().Total().Cost)
	})
}

// goOpenAI is go-openai's own client, which knows nothing of farebox.
func goOpenAI(p *fareboxtest.Provider) *openai.Client {
	config := openai.DefaultConfig("key")
	config.BaseURL, config.HTTPClient = p.URL(), p.HTTPClient()
	return openai.NewClientWithConfig(config)
}

func TestGoOpenAI(t *testing.T) {
	t.Parallel()
	p := newProvider(t, saying("Good day to you"))
	client := goOpenAI(p)
	resp, err := client.CreateChatCompletion(t.Context(), question)
	if err != nil || resp.Choices[0].Message.Content != "Good day to you" || resp.Usage.TotalTokens != 7 {
		t.Errorf("chat: %+v, %v", resp, err)
	}
	text, err := client.CreateCompletion(t.Context(), openai.CompletionRequest{Model: fareboxtest.SmallModel, Prompt: "x"})
	if err != nil || text.Choices[0].Text != "Good day to you" {
		t.Errorf("completion: %+v, %v", text, err)
	}
	vectors, err := client.CreateEmbeddings(t.Context(), openai.EmbeddingRequest{Model: fareboxtest.EmbeddingModel, Input: "x", Dimensions: 5})
	if err != nil || len(vectors.Data) != 1 || len(vectors.Data[0].Embedding) != 5 {
		t.Errorf("embeddings: %+v, %v", vectors, err)
	}
	models, err := client.ListModels(t.Context())
	if err != nil || len(models.Models) != len(fareboxtest.DefaultModels()) {
		t.Errorf("models: %+v, %v", models, err)
	}
	p.Inject(fareboxtest.RateLimit(time.Second))
	var api *openai.APIError
	if _, err := client.CreateChatCompletion(t.Context(), question); !errors.As(err, &api) || api.HTTPStatusCode != 429 {
		t.Errorf("got %v", err)
	}
}

func TestGoOpenAIStream(t *testing.T) {
	t.Parallel()
	p := newProvider(t, saying("Good day to you"))
	request := question
	request.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
	stream, err := goOpenAI(p).CreateChatCompletionStream(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	var text strings.Builder
	var usage *openai.Usage
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		usage = chunk.Usage
		for _, choice := range chunk.Choices {
			text.WriteString(choice.Delta.Content)
		}
	}
	if text.String() != "Good day to you" || usage == nil || usage.CompletionTokens != 4 {
		t.Errorf("got %q, %+v", text.String(), usage)
	}
}
