// Command fallback asks for a model by a name of the service's own. The first one behind it is overloaded, so the next
// one answers; then the cheapest that can do the work is picked. It runs offline, against two simulated providers.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	first := fareboxtest.NewProvider(fareboxtest.WithName("first"))
	defer first.Close()
	second := fareboxtest.NewProvider(fareboxtest.WithName("second"), fareboxtest.WithStyle(fareboxtest.OpenRouter))
	defer second.Close()

	client, err := farebox.New(first.Endpoint(),
		farebox.WithEndpoint(second.Endpoint()),
		farebox.WithModels(append(first.Prices(), second.Prices()...)...),
		farebox.WithRetry(farebox.Retry{MaxAttempts: 2, Initial: 10 * time.Millisecond}),
		farebox.WithModelChoice("smart", farebox.Fallback(
			farebox.On("first", fareboxtest.LargeModel), farebox.On("second", fareboxtest.LargeModel))),
		farebox.WithModelChoice("cheap", farebox.Cheapest(
			farebox.On("first", fareboxtest.LargeModel), farebox.On("second", fareboxtest.SmallModel))),
	)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close(ctx) }()

	first.Inject(fareboxtest.Overloaded(), fareboxtest.Overloaded())
	for _, model := range []string{"smart", "cheap"} {
		resp, err := client.CreateChatCompletion(ctx, openai.ChatCompletionRequest{
			Model:     model,
			MaxTokens: 100,
			Messages:  []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "Name three rivers."}},
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%q was answered by %s at %s and cost %s:\n", model, resp.Receipt.Model, resp.Receipt.Endpoint, resp.Cost)
		for _, r := range resp.Receipts {
			fmt.Fprintf(out, "  attempt %d: status %d, %s\n", r.Attempt, r.Status, r)
		}
	}
	return nil
}
