package fareboxtest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

func TestFake(t *testing.T) {
	t.Parallel()
	fake := &fareboxtest.Fake{Text: "As you say", Cost: farebox.Cents(3)}
	var api farebox.API = fake
	request := openai.ChatCompletionRequest{Model: "anything/at-all", Messages: question.Messages}
	ctx := farebox.ContextWithTags(t.Context(), farebox.Tags{"team": "search"})

	chat, err := api.CreateChatCompletion(ctx, request)
	if err != nil || chat.Choices[0].Message.Content != "As you say" || chat.Receipt.Model != "anything/at-all" {
		t.Fatalf("chat: %+v, %v", chat, err)
	}
	fareboxtest.RequireCost(t, "0.03", chat.Cost)

	stream, err := api.CreateChatCompletionStream(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for chunk, err := range stream.Chunks() {
		if err != nil {
			t.Fatal(err)
		}
		for _, choice := range chunk.Choices {
			text.WriteString(choice.Delta.Content)
		}
	}
	if text.String() != "As you say" {
		t.Errorf("streamed %q", text.String())
	}
	fareboxtest.RequireCost(t, "0.03", stream.Cost())

	vectors, err := api.CreateEmbeddings(ctx, openai.EmbeddingRequest{Model: "vectors", Input: []string{"a", "b"}})
	if err != nil || len(vectors.Data) != 2 {
		t.Errorf("embeddings: %+v, %v", vectors, err)
	}
	fareboxtest.RequireCost(t, "0.03", vectors.Cost)

	quote, err := api.Quote(ctx, request)
	if err != nil || quote.Most != farebox.Cents(3) || !quote.Priced {
		t.Errorf("quote: %+v, %v", quote, err)
	}

	calls := fake.Calls()
	if len(calls) != 4 || calls[1].Method != "CreateChatCompletionStream" || calls[3].Method != "Quote" {
		t.Fatalf("calls: %+v", calls)
	}
	if asked, ok := calls[0].Request.(openai.ChatCompletionRequest); !ok || asked.Model != request.Model || calls[0].Tags["team"] != "search" {
		t.Errorf("the first call: %+v", calls[0])
	}
}

func TestFakeZeroValue(t *testing.T) {
	t.Parallel()
	var fake fareboxtest.Fake
	text, err := fake.CreateCompletion(t.Context(), openai.CompletionRequest{Model: "m", Prompt: "rain"})
	if err != nil || !strings.Contains(text.Choices[0].Text, "You asked: rain.") {
		t.Errorf("completion: %+v, %v", text, err)
	}
	fareboxtest.RequireCost(t, farebox.Money{}, text.Cost)
	stream, err := fake.CreateCompletionStream(t.Context(), openai.CompletionRequest{Model: "m", Prompt: "rain"})
	if err != nil {
		t.Fatal(err)
	}
	if chunk, err := stream.Recv(); err != nil || chunk.Choices[0].Text != "You " {
		t.Errorf("chunk: %+v, %v", chunk, err)
	}
	_ = stream.Close()
	if models, err := fake.ListModels(t.Context()); err != nil || len(models.Models) == 0 {
		t.Errorf("models: %+v, %v", models, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := fake.CreateChatCompletion(ctx, question); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

var errScripted = errors.New("scripted")

// callAll calls every method and returns their errors.
func callAll(ctx context.Context, api farebox.API) (errs []error) {
	note := func(err error) { errs = append(errs, err) }
	_, err := api.CreateChatCompletion(ctx, question)
	note(err)
	_, err = api.CreateChatCompletionStream(ctx, question)
	note(err)
	_, err = api.CreateCompletion(ctx, openai.CompletionRequest{Model: "m", Prompt: "x"})
	note(err)
	_, err = api.CreateCompletionStream(ctx, openai.CompletionRequest{Model: "m", Prompt: "x"})
	note(err)
	_, err = api.CreateEmbeddings(ctx, openai.EmbeddingRequest{Model: "m", Input: "x"})
	note(err)
	_, err = api.ListModels(ctx)
	note(err)
	_, err = api.Quote(ctx, question)
	note(err)
	return errs
}

func TestFakeScripted(t *testing.T) {
	t.Parallel()
	scripted := &fareboxtest.Fake{
		CreateChatCompletionFunc: func(context.Context, openai.ChatCompletionRequest, ...farebox.CallOption) (r farebox.ChatCompletionResponse, err error) {
			return r, errScripted
		},
		CreateChatCompletionStreamFunc: func(context.Context, openai.ChatCompletionRequest, ...farebox.CallOption) (*farebox.ChatCompletionStream, error) {
			return nil, errScripted
		},
		CreateCompletionFunc: func(context.Context, openai.CompletionRequest, ...farebox.CallOption) (r farebox.CompletionResponse, err error) {
			return r, errScripted
		},
		CreateCompletionStreamFunc: func(context.Context, openai.CompletionRequest, ...farebox.CallOption) (*farebox.CompletionStream, error) {
			return nil, errScripted
		},
		CreateEmbeddingsFunc: func(context.Context, openai.EmbeddingRequestConverter, ...farebox.CallOption) (r farebox.EmbeddingResponse, err error) {
			return r, errScripted
		},
		ListModelsFunc: func(context.Context) (l openai.ModelsList, err error) { return l, errScripted },
		QuoteFunc: func(context.Context, openai.ChatCompletionRequest, ...farebox.CallOption) (q farebox.Quote, err error) {
			return q, errScripted
		},
	}
	for name, fake := range map[string]*fareboxtest.Fake{"functions": scripted, "Err": {Err: errScripted}} {
		errs := callAll(t.Context(), fake)
		for i, err := range errs {
			if !errors.Is(err, errScripted) {
				t.Errorf("%s: %s returned %v", name, fake.Calls()[i].Method, err)
			}
		}
		if len(fake.Calls()) != len(errs) {
			t.Errorf("%s: %d calls are recorded, want %d", name, len(fake.Calls()), len(errs))
		}
	}
}
