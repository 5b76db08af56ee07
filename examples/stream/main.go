// Command stream prints an answer as it comes and what it cost, then leaves a second one in the middle: that is settled
// too. It runs offline, against a simulated provider.
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
	provider := fareboxtest.NewProvider()
	defer provider.Close()
	client, err := farebox.New(provider.Endpoint(), farebox.WithModels(provider.Prices()...),
		farebox.WithBudget(farebox.Budget{Name: "demo", Cap: farebox.Dollars(1)}))
	if err != nil {
		return err
	}
	defer func() { _ = client.Close(ctx) }()

	fmt.Fprintln(out, "An answer to its end:")
	receipt, err := answer(ctx, out, client, 1<<30)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n  %s\n\nAn answer that is left after three chunks:\n", receipt)
	provider.Inject(fareboxtest.Fault{DelayChunk: 20 * time.Millisecond})
	if receipt, err = answer(ctx, out, client, 3); err != nil {
		return err
	}
	fmt.Fprintf(out, " …\n  %s: nobody said what it cost, so the most that it can be is taken\n", receipt)

	budget := client.Meter().Guard().Snapshot()[0]
	fmt.Fprintf(out, "\nBudget %q: %s spent of %s, %s held\n", budget.Budget, budget.Spent, budget.Cap, budget.Held)
	return nil
}

// answer prints up to so many chunks of an answer, and returns its receipt.
func answer(ctx context.Context, out io.Writer, client *farebox.Client, chunks int) (farebox.Receipt, error) {
	stream, err := client.CreateChatCompletionStream(ctx, openai.ChatCompletionRequest{
		Model:     fareboxtest.SmallModel,
		MaxTokens: 200,
		Messages:  []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "What is in the sea?"}},
	})
	if err != nil {
		return farebox.Receipt{}, err
	}
	fmt.Fprint(out, "  ")
	for chunk, err := range stream.Chunks() {
		if err != nil {
			return farebox.Receipt{}, err
		}
		for _, choice := range chunk.Choices {
			fmt.Fprint(out, choice.Delta.Content)
		}
		if chunks--; chunks == 0 {
			break // the loop closes the stream, which settles it
		}
	}
	return stream.Receipt(), nil
}
