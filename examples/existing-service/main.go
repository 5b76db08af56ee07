// Command existing-service is a small HTTP service on go-openai, as it might stand in any company, that was metered by
// giving its client another http.Client: see newMeteredClient. Each of its callers has a budget of its own. The command
// starts the service, calls it until one caller's budget is spent, and stops. It runs offline, against a simulated provider.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// newMeteredClient is all that changed: the client's HTTPClient.
func newMeteredClient(baseURL string, meter *farebox.Meter) *openai.Client {
	config := openai.DefaultConfig("sk-key-of-the-service")
	config.BaseURL = baseURL
	config.HTTPClient = meter.HTTPClient()
	return openai.NewClientWithConfig(config)
}

// service answers GET /ask?user=…&q=… .
type service struct{ client *openai.Client }

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Who is spending, for the budget per user; and what this request costs.
	ctx := farebox.ContextWithTags(r.Context(), farebox.Tags{"user": r.FormValue("user")})
	ctx, receipts := farebox.ContextWithReceipts(ctx)

	resp, err := s.client.CreateChatCompletion(ctx, openai.ChatCompletionRequest{
		Model:     fareboxtest.LargeModel,
		MaxTokens: 60,
		Messages:  []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: r.FormValue("q")}},
	})
	var refused *farebox.BudgetError
	switch {
	case errors.As(err, &refused):
		http.Error(w, refused.Error(), http.StatusTooManyRequests)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadGateway)
	default:
		fmt.Fprintf(w, "%d words for %s", len(resp.Choices[0].Message.Content), receipts.Cost())
	}
}

func run(out io.Writer) error {
	provider := fareboxtest.NewProvider()
	defer provider.Close()
	meter, err := farebox.NewMeter(
		farebox.WithEndpoint(provider.Endpoint()),
		farebox.WithModels(provider.Prices()...),
		farebox.WithBudget(farebox.Budget{Name: "each user", Cap: farebox.MustMoney("0.0015"), Window: farebox.Daily, Per: "user"}))
	if err != nil {
		return err
	}
	defer func() { _ = meter.Close(context.Background()) }()

	server := httptest.NewServer(&service{client: newMeteredClient(provider.URL(), meter)})
	defer server.Close()
	for _, user := range []string{"ada", "ada", "ada", "bob"} {
		if err := ask(out, server.URL, user, "What is a farebox?"); err != nil {
			return err
		}
	}
	fmt.Fprintln(out)
	for _, t := range meter.Ledger().Totals(farebox.Filter{}, farebox.ByTag("user")) {
		fmt.Fprintf(out, "%s: %d calls, %s\n", t.Group, t.Attempts, t.Cost)
	}
	return nil
}

func ask(out io.Writer, base, user, question string) error {
	query := url.Values{"user": {user}, "q": {question}}
	resp, err := http.Get(base + "/ask?" + query.Encode())
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %d %s\n", user, resp.StatusCode, answer)
	return nil
}
