package farebox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

// The shortest program: one call, its answer, and what it cost.
func Example() {
	ask := func(ctx context.Context) error {
		client, err := farebox.New(farebox.OpenRouter(os.Getenv("OPENROUTER_API_KEY")),
			farebox.WithBudget(farebox.Budget{Name: "prod", Cap: farebox.Dollars(50), Window: farebox.Daily}))
		if err != nil {
			return err
		}
		resp, err := client.CreateChatCompletion(ctx, openai.ChatCompletionRequest{
			Model:    "openai/gpt-4o-mini",
			Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "Why is the sky blue?"}},
		})
		if err != nil {
			return err
		}
		fmt.Println(resp.Choices[0].Message.Content, resp.Cost, resp.Receipt.Source)
		return nil
	}
	_ = ask
}

// Any SDK that takes an *http.Client is metered by handing it the meter's.
func ExampleMeter_HTTPClient() {
	service := func(ctx context.Context) error {
		meter, err := farebox.NewMeter(
			farebox.WithBudget(farebox.Budget{Name: "search", Cap: farebox.Dollars(20), Window: farebox.Monthly, Scope: farebox.Scope{Tags: farebox.Tags{"team": "search"}}}),
		)
		if err != nil {
			return err
		}
		config := openai.DefaultConfig(os.Getenv("OPENAI_API_KEY"))
		config.HTTPClient = meter.HTTPClient()
		service := openai.NewClientWithConfig(config)

		ctx = farebox.ContextWithTags(ctx, farebox.Tags{"team": "search", "user": "u42"})
		ctx, receipts := farebox.ContextWithReceipts(ctx)
		_, err = service.ListModels(ctx)
		fmt.Println(receipts.Cost())
		return err
	}
	_ = service
}

// Budgets of several windows and scopes; all that apply to a call must agree.
func ExampleWithBudget() {
	budgets := farebox.WithBudget(
		farebox.Budget{Name: "all", Cap: farebox.Dollars(500), Window: farebox.Monthly.In("Europe/Zurich")},
		farebox.Budget{Name: "each user", Cap: farebox.Cents(50), Window: farebox.Rolling(24 * time.Hour), Per: "user"},
		farebox.Budget{Name: "one call", Cap: farebox.MustMoney("0.05"), Window: farebox.PerCall},
		farebox.Budget{Name: "trial", Cap: farebox.Dollars(10), Scope: farebox.Scope{Endpoint: "openai"}, Observe: true},
	)
	meter, err := farebox.NewMeter(budgets)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, b := range meter.Guard().Snapshot() {
		fmt.Println(b.Budget, b.Window, b.Cap)
	}
	// Output:
	// all monthly in Europe/Zurich $500
	// one call per call $0.05
	// trial total $10
}

// A call that does not fit is refused before it is sent.
func ExampleBudgetError() {
	provider := fareboxtest.NewProvider()
	defer provider.Close()
	client, err := farebox.New(provider.Endpoint(), farebox.WithModels(provider.Prices()...),
		farebox.WithBudget(farebox.Budget{Name: "demo", Cap: farebox.Cents(1)}))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.CreateChatCompletion(context.Background(), openai.ChatCompletionRequest{
		Model:     fareboxtest.LargeModel,
		MaxTokens: 100_000,
		Messages:  []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "Write a book."}},
	})
	var refused *farebox.BudgetError
	if errors.As(err, &refused) {
		fmt.Println(refused.Budget, refused.Reason, refused.OutputTokens, refused.ResetAt)
	}
	fmt.Println(errors.Is(err, farebox.ErrBudgetExceeded), provider.RequestCount())
	// Output:
	// demo exhausted 962 0001-01-01 00:00:00 +0000 UTC
	// true 0
}

// A stream is read with Recv, as go-openai's, or by ranging over it.
func ExampleClient_CreateChatCompletionStream() {
	provider := fareboxtest.NewProvider(fareboxtest.WithReply(func(fareboxtest.Prompt) fareboxtest.Reply {
		return fareboxtest.Reply{Text: "The sea is salt. "}
	}))
	defer provider.Close()
	client, err := farebox.New(provider.Endpoint(), farebox.WithModels(provider.Prices()...))
	if err != nil {
		fmt.Println(err)
		return
	}
	request := openai.ChatCompletionRequest{
		Model:    fareboxtest.SmallModel,
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "What is the sea?"}},
	}
	show := func(ctx context.Context) error {
		stream, err := client.CreateChatCompletionStream(ctx, request)
		if err != nil {
			return err
		}
		for chunk, err := range stream.Chunks() {
			if err != nil {
				return err
			}
			if len(chunk.Choices) > 0 {
				fmt.Print(chunk.Choices[0].Delta.Content)
			}
		}
		fmt.Println(stream.Receipt())
		return nil
	}
	if err := show(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// The sea is salt. openai test-small: 4 in, 5 out, $0.0000036 computed
}

// Names of the service's own stand for models at several endpoints.
func ExampleWithModelChoice() {
	var openRouterKey, openAIKey, togetherKey string
	client, err := farebox.New(farebox.OpenRouter(openRouterKey),
		farebox.WithEndpoint(farebox.OpenAI(openAIKey), farebox.TogetherAI(togetherKey)),
		farebox.WithModelChoice("smart", farebox.Fallback(
			farebox.On("openai", "gpt-4o"),
			farebox.On("openrouter", "anthropic/claude-sonnet-4.5"))),
		farebox.WithModelChoice("cheap", farebox.Cheapest(
			farebox.On("openai", "gpt-4o-mini"),
			farebox.On("openrouter", "google/gemini-2.5-flash-lite"))),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	quote, err := client.Quote(context.Background(), openai.ChatCompletionRequest{
		Model:     "cheap",
		MaxTokens: 100,
		Messages:  []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "Name a river."}},
	})
	fmt.Println(quote.Model, quote.Priced, err)
	// Output:
	// google/gemini-2.5-flash-lite true <nil>
}

// Options of one call, and fields that go-openai's request type lacks.
func ExampleCallOption() {
	call := func(ctx context.Context, client *farebox.Client, request openai.ChatCompletionRequest) error {
		quote, err := client.Quote(ctx, request) // what it will cost, without sending it
		if err != nil {
			return err
		}
		resp, err := client.CreateChatCompletion(ctx, request,
			farebox.WithTemperature(0),
			farebox.WithProvider(farebox.ProviderPreferences{Sort: "price", DataCollection: "deny"}),
			farebox.WithReasoning(farebox.ReasoningOptions{Effort: "low"}),
			farebox.WithField("top_k", 40),
			farebox.WithTags(farebox.Tags{"feature": "summary"}),
		)
		if err != nil {
			return err
		}
		fmt.Println(quote.Most, resp.Cost)
		return nil
	}
	_ = call
}

// The ledger adds up who spent what.
func ExampleLedger_Totals() {
	provider := fareboxtest.NewProvider(fareboxtest.WithStyle(fareboxtest.OpenRouter))
	defer provider.Close()
	client, err := farebox.New(provider.Endpoint(), farebox.WithModels(provider.Prices()...))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, team := range []string{"search", "support", "search"} {
		_, err := client.CreateChatCompletion(context.Background(), openai.ChatCompletionRequest{
			Model:    fareboxtest.SearchModel,
			Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "Hello!"}},
		}, farebox.WithTags(farebox.Tags{"team": team}))
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	for _, total := range client.Meter().Ledger().Totals(farebox.Filter{}, farebox.ByTag("team")) {
		fmt.Println(total.Group, total.Attempts, total.Cost)
	}
	// Output:
	// search 2 $0.01007
	// support 1 $0.005035
}

// What a workload costs at stated rates: 10,000 calls of 100 tokens in and 150 out.
func ExampleCatalog_Cost() {
	catalog, err := farebox.NewCatalog()
	if err != nil {
		fmt.Println(err)
		return
	}
	err = catalog.Add(farebox.Model{Provider: "example", Name: "small", Prices: []farebox.Price{{Rates: farebox.Rates{
		farebox.DimensionInput:  farebox.MustPerMillion("0.20"),
		farebox.DimensionOutput: farebox.MustPerMillion("0.60"),
	}}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	cost, err := catalog.Cost("example", "small", farebox.Usage{Input: 100, Output: 150}, time.Now())
	fmt.Println(cost.Total, cost.Total.Mul(10_000), err)
	// Output:
	// $0.00011 $1.1 <nil>
}
