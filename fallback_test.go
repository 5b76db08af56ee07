package farebox_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// twoPlaces is a Client with an OpenAI and an OpenRouter endpoint, and the choice "smart" between them.
func twoPlaces(t *testing.T, first, second http.HandlerFunc, options ...farebox.Option) (client *farebox.Client, one, two *provider) {
	t.Helper()
	one, two = serve(t, first), serve(t, second)
	options = append(options,
		farebox.WithEndpoint(openRouterAt(two)),
		farebox.WithPrice("second-model", testRates),
		farebox.WithModelChoice("smart", farebox.Fallback(farebox.On("", testModel), farebox.On("openrouter", "second-model"))))
	return newClient(t, openAIAt(one), options...), one, two
}

func TestFallback(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		body   string
		falls  bool
		tries  int // at the first place
	}{
		{"rate limit", 429, `{"error":{"message":"slow"}}`, true, 3},
		{"server error", 500, `{"error":{"message":"oops"}}`, true, 3},
		{"model not found", 404, `{"error":{"message":"no such model"}}`, true, 1},
		{"out of credits", 402, `{"error":{"message":"Insufficient credits"}}`, true, 1},
		{"out of quota", 429, `{"error":{"message":"m","code":"insufficient_quota"}}`, true, 1},
		{"context too short", 400, `{"error":{"message":"m","code":"context_length_exceeded"}}`, true, 1},
		{"bad request", 400, `{"error":{"message":"bad parameter"}}`, false, 1},
		{"wrong key", 401, `{"error":{"message":"bad key"}}`, false, 1},
		{"content filter", 400, `{"error":{"message":"m","code":"content_filter"}}`, false, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client, one, two := twoPlaces(t, answers(tt.status, tt.body), answers(200, chatAnswer))
			request := chatRequest()
			request.Model = "smart"
			resp, err := client.CreateChatCompletion(context.Background(), request)
			if n := len(one.requests()); n != tt.tries {
				t.Errorf("the first place was asked %d times, want %d", n, tt.tries)
			}
			if !tt.falls {
				if err == nil || len(two.requests()) != 0 || len(farebox.ReceiptsOf(err)) != tt.tries {
					t.Errorf("error %v, %d requests at the second place; want none", err, len(two.requests()))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sent := two.only(t)
			if sent.path != "/api/v1/chat/completions" || !strings.Contains(sent.body, `"model":"second-model"`) {
				t.Errorf("sent %s to %s", sent.body, sent.path)
			}
			if len(resp.Receipts) != tt.tries+1 || resp.Receipt.Endpoint != "openrouter" || resp.Receipt.ModelAsked != "second-model" || resp.Receipt.Attempt != tt.tries+1 {
				t.Errorf("receipts %v", resp.Receipts)
			}
			if resp.Cost != farebox.CostOf(resp.Receipts) {
				t.Errorf("cost %s, want the sum of all attempts", resp.Cost)
			}
		})
	}
}

func TestFallbackOfStreams(t *testing.T) {
	t.Parallel()
	t.Run("before the first event", func(t *testing.T) {
		t.Parallel()
		client, _, _ := twoPlaces(t, answers(503, ""), streams(wholeStream))
		request := chatRequest()
		request.Model = "smart"
		stream, err := client.CreateChatCompletionStream(context.Background(), request)
		if err != nil {
			t.Fatal(err)
		}
		wantWhole(t, stream)
		if receipts := stream.Receipts(); len(receipts) != 4 || stream.Cost() != farebox.CostOf(receipts) {
			t.Errorf("receipts %v, cost %s", receipts, stream.Cost())
		}
	})
	t.Run("not in mid-stream", func(t *testing.T) {
		t.Parallel()
		client, _, two := twoPlaces(t, streams(helloChunk, openRouterFailure), streams(wholeStream))
		request := chatRequest()
		request.Model = "smart"
		stream, err := client.CreateChatCompletionStream(context.Background(), request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := text(stream); !errors.Is(err, farebox.ErrProvider) || len(two.requests()) != 0 {
			t.Errorf("%v, and %d requests at the second place", err, len(two.requests()))
		}
	})
}

// TestFallbackStopsAtARefusal: a budget that refuses the first candidate is not evaded by the second.
func TestFallbackStopsAtARefusal(t *testing.T) {
	t.Parallel()
	client, one, two := twoPlaces(t, answers(200, chatAnswer), answers(200, chatAnswer),
		farebox.WithBudget(farebox.Budget{Name: "first", Cap: farebox.MustMoney("0.000000001"), Scope: farebox.Scope{Endpoint: "openai"}}))
	request := chatRequest()
	request.Model = "smart"
	_, err := client.CreateChatCompletion(context.Background(), request)
	if !errors.Is(err, farebox.ErrBudgetExceeded) || len(one.requests())+len(two.requests()) != 0 {
		t.Errorf("error %v, %d and %d requests", err, len(one.requests()), len(two.requests()))
	}
}

// TestFallbackIsHeldByItself: the attempt at the second place is held and receipted at its own price and budgets.
func TestFallbackIsHeldByItself(t *testing.T) {
	t.Parallel()
	client, _, two := twoPlaces(t, answers(404, ""), answers(200, chatAnswer),
		farebox.WithBudget(farebox.Budget{Name: "second", Cap: farebox.MustMoney("0.000000001"), Scope: farebox.Scope{Endpoint: "openrouter"}}))
	request := chatRequest()
	request.Model = "smart"
	_, err := client.CreateChatCompletion(context.Background(), request)
	var refused *farebox.BudgetError
	if !errors.As(err, &refused) || refused.Budget != "second" || refused.Model != "second-model" || len(two.requests()) != 0 {
		t.Errorf("error %v, %d requests at the second place; want its budget's refusal", err, len(two.requests()))
	}
	if receipts := farebox.ReceiptsOf(err); len(receipts) != 1 || receipts[0].Endpoint != "openai" {
		t.Errorf("receipts %v, want that of the first place", receipts)
	}
}

func TestFallbackReturnsTheLastError(t *testing.T) {
	t.Parallel()
	client, _, _ := twoPlaces(t, answers(404, `{"error":{"message":"first"}}`), answers(503, `{"error":{"message":"second"}}`))
	request := chatRequest()
	request.Model = "smart"
	_, err := client.CreateChatCompletion(context.Background(), request)
	var failure *farebox.APIError
	if !errors.As(err, &failure) || failure.Endpoint != "openrouter" || failure.Message != "second" || failure.Attempts != 4 {
		t.Errorf("error %+v", err)
	}
	receipts := farebox.ReceiptsOf(err)
	if len(receipts) != 4 || receipts[0].Endpoint != "openai" || receipts[3].Endpoint != "openrouter" || receipts[3].CallID != receipts[0].CallID {
		t.Errorf("receipts %v", receipts)
	}
}

func TestCheapest(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	price := func(perMillion string) []farebox.Price {
		rate := farebox.MustPerMillion(perMillion)
		return []farebox.Price{{Rates: farebox.Rates{farebox.DimensionInput: rate, farebox.DimensionOutput: rate}}}
	}
	client := newClient(t, openAIAt(p),
		farebox.WithModels(
			farebox.Model{Name: "dear", Prices: price("9")}, farebox.Model{Name: "cheap", Prices: price("1")}, farebox.Model{Name: "middling", Prices: price("3")},
			farebox.Model{Name: "tiny", Prices: price("0.1"), ContextTokens: 50}),
		farebox.WithModelChoice("pick", farebox.Cheapest(farebox.On("", "dear"), farebox.On("", "unheard-of"), farebox.On("", "tiny"), farebox.On("", "cheap"), farebox.On("", "middling"))),
		farebox.WithModelChoice("none", farebox.Cheapest(farebox.On("", "unheard-of"), farebox.On("", "tiny"))),
		farebox.WithModelChoice("astray", farebox.Cheapest(farebox.On("nowhere", "cheap"))),
		farebox.WithModelChoice("empty", farebox.Fallback()),
		farebox.WithModelChoice("broken", choiceFunc(func() ([]farebox.Candidate, error) { return nil, errors.New("out of ideas") })))
	ask := func(model string) (farebox.ChatCompletionResponse, error) {
		request := chatRequest()
		request.Model = model
		return client.CreateChatCompletion(context.Background(), request)
	}
	resp, err := ask("pick")
	if err != nil || resp.Receipt.ModelAsked != "cheap" {
		t.Errorf("asked %q: %v; want the cheapest that can do it", resp.Receipt.ModelAsked, err)
	}
	for model, want := range map[string]string{"none": "unheard-of: has no price", "empty": "no candidate"} {
		if _, err := ask(model); !errors.Is(err, farebox.ErrNoCandidate) || !errors.Is(err, farebox.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want ErrNoCandidate that says %q", model, err, want)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: the error has several lines: %q", model, err)
		}
	}
	if _, err := ask("astray"); !errors.Is(err, farebox.ErrBadRequest) {
		t.Errorf("astray: %v", err)
	}
	if _, err := ask("broken"); err == nil || err.Error() != "out of ideas" {
		t.Errorf("broken: %v, want the choice's own error", err)
	}
	if n := len(p.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

type choiceFunc func() ([]farebox.Candidate, error)

func (f choiceFunc) Candidates(context.Context, *farebox.Needs) ([]farebox.Candidate, error) {
	return f()
}

func TestFallbackStopsWhenTheCallerHasGone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	client, one, two := twoPlaces(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}, answers(200, chatAnswer))
	request := chatRequest()
	request.Model = "smart"
	_, err := client.CreateChatCompletion(ctx, request)
	if !errors.Is(err, context.Canceled) || len(one.requests()) != 1 || len(two.requests()) != 0 {
		t.Errorf("%v, %d and %d requests", err, len(one.requests()), len(two.requests()))
	}
}

func TestChoiceOptions(t *testing.T) {
	t.Parallel()
	choice := farebox.Fallback(farebox.On("", testModel))
	for name, options := range map[string][]farebox.Option{
		"no name": {farebox.WithModelChoice("", choice)}, "nil": {farebox.WithModelChoice("x", nil)},
		"twice": {farebox.WithModelChoice("x", choice), farebox.WithModelChoice("x", choice)},
	} {
		if _, err := farebox.New(farebox.OpenAI(testKey), options...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
