// Command quickstart makes a few calls, prints what each cost, adds up who spent what, and shows a call being refused
// before it is sent.
//
// With no key it runs against a simulated provider in this process, offline. With OPENROUTER_API_KEY set it does the same
// against OpenRouter, under a cap of five cents.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	place := openPlace(os.Getenv("OPENROUTER_API_KEY"))
	defer place.close()
	fmt.Fprintf(out, "Calling %s, under a cap of %s a day.\n\n", place.name, place.limit)

	options := append(place.options, farebox.WithBudget(
		farebox.Budget{Name: "quickstart", Cap: place.limit, Window: farebox.Daily}))
	client, err := farebox.New(place.endpoint, options...)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close(ctx) }()

	if err := callEach(ctx, out, client, place.models); err != nil {
		return err
	}
	printSpend(out, client.Meter().Ledger())
	return overspend(ctx, out, client, place)
}

// callEach calls every model twice, for two teams: once plainly, once as a stream.
func callEach(ctx context.Context, out io.Writer, client *farebox.Client, models []string) error {
	for _, model := range models {
		search := farebox.ContextWithTags(ctx, farebox.Tags{"team": "search"})
		resp, err := client.CreateChatCompletion(search, question(model, "Why is the sky blue?"))
		if err != nil {
			return err
		}
		printReceipt(out, resp.Choices[0].Message.Content, resp.Receipt)

		support := farebox.ContextWithTags(ctx, farebox.Tags{"team": "support"})
		stream, err := client.CreateChatCompletionStream(support, question(model, "How do I reset my password?"))
		if err != nil {
			return err
		}
		var answer strings.Builder
		for chunk, err := range stream.Chunks() {
			if err != nil {
				return err
			}
			for _, choice := range chunk.Choices {
				answer.WriteString(choice.Delta.Content)
			}
		}
		printReceipt(out, answer.String(), stream.Receipt())
	}
	return nil
}

func question(model, text string) openai.ChatCompletionRequest {
	return openai.ChatCompletionRequest{
		Model:     model,
		MaxTokens: 80,
		Messages:  []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: text}},
	}
}

func printReceipt(out io.Writer, answer string, r farebox.Receipt) {
	kind := "plain"
	if r.Stream {
		kind = "stream"
	}
	words := strings.Fields(answer)
	fmt.Fprintf(out, "%-7s %q …\n", kind, strings.Join(words[:min(len(words), 6)], " "))
	fmt.Fprintf(out, "        %s: %d in, %d out, %s (%s)\n",
		r.ModelAsked, r.Usage.InputTokens(), r.Usage.OutputTokens(), r.Cost, r.Source)
}

// printSpend adds up who spent what.
func printSpend(out io.Writer, ledger *farebox.Ledger) {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	for _, by := range []struct {
		title string
		group farebox.Grouping
	}{{"MODEL", farebox.ByModel}, {"TEAM", farebox.ByTag("team")}} {
		fmt.Fprintf(w, "\n%s\tCALLS\tIN\tOUT\tCOST\n", by.title)
		for _, t := range ledger.Totals(farebox.Filter{}, by.group) {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\n", t.Group, t.Attempts, t.InputTokens, t.OutputTokens, t.Cost)
		}
	}
	fmt.Fprintf(w, "total\t%d\t\t\t%s\n\n", ledger.Total().Attempts, ledger.Total().Cost)
	_ = w.Flush()
}

// overspend asks for more than the budget has left, and shows that nothing was sent.
func overspend(ctx context.Context, out io.Writer, client *farebox.Client, place *place) error {
	before := place.requests()
	request := question(place.models[len(place.models)-1], "Write me a very long book.")
	request.MaxTokens = 5_000_000
	_, err := client.CreateChatCompletion(ctx, request)

	var refused *farebox.BudgetError
	if !errors.As(err, &refused) {
		return fmt.Errorf("the call should have been refused, but: %w", err)
	}
	fmt.Fprintln(out, "A call that asks for 5,000,000 tokens:")
	fmt.Fprintf(out, "  refused by budget %q (%s): %s spent of %s, and this may cost %s\n",
		refused.Budget, refused.Reason, refused.Spent, refused.Cap, refused.Asked)
	fmt.Fprintf(out, "  it would fit with at most %d tokens of output; the budget resets at %s\n",
		refused.OutputTokens, refused.ResetAt.Format(time.RFC3339))
	if place.requests() != before {
		return errors.New("the refused call reached the provider")
	}
	fmt.Fprintf(out, "  requests that reached the provider: %d before, %d after\n", before, place.requests())
	return nil
}
