package fareboxtest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

// A program under test talks to a simulated provider, whose bill the test then compares to farebox's books.
func Example() {
	provider := fareboxtest.NewProvider()
	defer provider.Close()
	client, err := farebox.New(provider.Endpoint(),
		farebox.WithModels(provider.Prices()...),
		farebox.WithBudget(farebox.Budget{Name: "tests", Cap: farebox.MustMoney("0.0001")}))
	if err != nil {
		fmt.Println(err)
		return
	}
	ask := openai.ChatCompletionRequest{
		Model: fareboxtest.SmallModel, MaxTokens: 100,
		Messages: []openai.ChatCompletionMessage{{Role: "user", Content: "What is a farebox?"}},
	}
	answer, err := client.CreateChatCompletion(context.Background(), ask)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("booked", answer.Cost, "billed", provider.Billed())

	ask.MaxTokens = 1000
	_, err = client.CreateChatCompletion(context.Background(), ask)
	fmt.Println("refused:", errors.Is(err, farebox.ErrBudgetExceeded), "after", provider.RequestCount(), "request")
	// Output:
	// booked $0.00002235 billed $0.00002235
	// refused: true after 1 request
}

// A provider can be told to fail: here the first call meets a rate limit, and farebox tries again.
func ExampleProvider_Inject() {
	provider := fareboxtest.NewProvider()
	defer provider.Close()
	provider.Inject(fareboxtest.RateLimit(0))
	client, err := farebox.New(provider.Endpoint(), farebox.WithModels(provider.Prices()...),
		farebox.WithRetry(farebox.Retry{Initial: time.Millisecond}))
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := client.CreateChatCompletion(context.Background(), openai.ChatCompletionRequest{
		Model: fareboxtest.SmallModel, Messages: []openai.ChatCompletionMessage{{Role: "user", Content: "Hello?"}},
	})
	fmt.Println(len(answer.Receipts), "attempts,", err)
	for _, request := range provider.Requests() {
		fmt.Println(request.Status, request.Billed)
	}
	// Output:
	// 2 attempts, <nil>
	// 429 $0
	// 200 $0.0000201
}

// Code that takes a farebox.API can be tested without a provider.
func ExampleFake() {
	greet := func(api farebox.API) string {
		answer, err := api.CreateChatCompletion(context.Background(), openai.ChatCompletionRequest{
			Model: "openai/gpt-4o-mini", Messages: []openai.ChatCompletionMessage{{Role: "user", Content: "Greet me."}},
		})
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%s (%v)", answer.Choices[0].Message.Content, answer.Cost)
	}
	fmt.Println(greet(&fareboxtest.Fake{Text: "Good day!", Cost: farebox.Cents(1)}))
	fmt.Println(greet(&fareboxtest.Fake{Err: farebox.ErrRateLimit}))
	// Output:
	// Good day! ($0.01)
	// rate limited
}
