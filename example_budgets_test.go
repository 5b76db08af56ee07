package farebox_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

// The budgets of a service, in one step for every call.
func ExampleBudget() {
	key := os.Getenv("OPENROUTER_API_KEY")
	client, err := farebox.New(farebox.OpenRouter(key), farebox.WithBudget(
		farebox.Budget{Name: "prod", Cap: farebox.Dollars(50), Window: farebox.Daily.In("Europe/Zurich"), WhenFull: farebox.Fit},
		farebox.Budget{Name: "each user", Cap: farebox.Dollars(1), Window: farebox.Rolling(24 * time.Hour), Per: "user"},
		farebox.Budget{Name: "tokens", Tokens: 2_000_000, Window: farebox.Hourly, WhenFull: farebox.Wait},
		farebox.Budget{Name: "one call", Cap: farebox.Cents(50), Window: farebox.PerCall},
	))
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range client.Meter().Guard().Snapshot() {
		fmt.Println(s.Budget, s.Window, s.Free)
	}
	// Output:
	// prod daily in Europe/Zurich $50
	// tokens hourly $0
	// one call per call $0.5
}

// A budget that has room for a part of an answer pays for that part.
func ExampleWithStreamedAnswers() {
	story := strings.Repeat("Once upon a time. ", 1000)
	provider := fareboxtest.NewProvider(
		fareboxtest.StopOnCancel(), fareboxtest.WithReply(func(fareboxtest.Prompt) fareboxtest.Reply { return fareboxtest.Reply{Text: story} }))
	defer provider.Close()
	rates := farebox.Rates{farebox.DimensionInput: farebox.MustPerMillion("0.15"), farebox.DimensionOutput: farebox.MustPerMillion("0.60")}
	client, err := farebox.New(provider.Endpoint(), farebox.WithPrice(fareboxtest.SmallModel, rates),
		farebox.WithBudget(farebox.Budget{Name: "stories", Cap: farebox.MustMoney("0.001"), Hold: farebox.Progressive}))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	request := openai.ChatCompletionRequest{
		Model: fareboxtest.SmallModel, MaxTokens: 4000,
		Messages: []openai.ChatCompletionMessage{{Role: "user", Content: "Tell me a long story."}},
	}
	resp, err := client.CreateChatCompletion(ctx, request, farebox.WithStreamedAnswers(true))
	if errors.Is(err, farebox.ErrBudgetCut) {
		fmt.Println(resp.Choices[0].Message.Content[:17], resp.Receipt.Partial)
	}
	// Output: Once upon a time. true
}

// Budgets change while calls go on.
func ExampleGuard_Set() {
	client, err := farebox.New(farebox.OpenRouter("key"))
	if err != nil {
		log.Fatal(err)
	}
	guard := client.Meter().Guard()
	err = guard.Add(farebox.Budget{Name: "launch", Cap: farebox.Dollars(20)}) // what was spent before counts
	if err != nil {
		log.Fatal(err)
	}
	err = guard.Set(farebox.Budget{Name: "launch", Cap: farebox.Dollars(40)}) // what is spent and held stays
	if err != nil {
		log.Fatal(err)
	}
	err = guard.TopUp("launch", "", farebox.Dollars(5))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(guard.Snapshot()[0].Cap)
	guard.Remove("launch")
	fmt.Println(len(guard.Snapshot()))
	// Output:
	// $45
	// 0
}

// Budgets in a file, which may be read again while calls go on.
func ExampleReadBudgets() {
	file := strings.NewReader(`{"budgets": [
		{"name": "prod", "cap": "50", "window": "weekly from Sunday", "when_full": "fit"},
		{"name": "each", "tokens": 200000, "window": "rolling 1h", "per": "user"}]}`)
	budgets, err := farebox.ReadBudgets(file)
	if err != nil {
		log.Fatal(err)
	}
	meter, err := farebox.NewMeter()
	if err != nil {
		log.Fatal(err)
	}
	if err := meter.Guard().Apply(budgets); err != nil {
		log.Fatal(err)
	}
	for _, b := range meter.Guard().Budgets() {
		fmt.Println(b.Name, b.Window)
	}
	// Output:
	// prod weekly from Sunday
	// each rolling 1h0m0s
}

// A budget for one agent run.
func ExampleClient_Run() {
	client, err := farebox.New(farebox.OpenRouter("key"))
	if err != nil {
		log.Fatal(err)
	}
	ctx, request := context.Background(), openai.ChatCompletionRequest{Model: "openai/gpt-4o", Messages: []openai.ChatCompletionMessage{{Role: "user", Content: "Hello"}}}
	run := client.Run(ctx, farebox.MustMoney("0.000001"))
	defer func() { _ = run.End(ctx) }()
	_, err = client.CreateChatCompletion(run.Context(), request)
	fmt.Println(strings.Contains(err.Error(), "nothing was sent"), run.Cost())
	// Output: true $0
}
