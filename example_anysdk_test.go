package farebox_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

// go-openai, as any SDK that takes a Do method, is handed a Doer. The receipts of the calls are in the context.
func ExampleMeter_Doer() {
	provider := fareboxtest.NewProvider()
	defer provider.Close()
	meter, err := farebox.NewMeter(farebox.WithEndpoint(provider.Endpoint()), farebox.WithModels(provider.Prices()...),
		farebox.WithBudget(farebox.Budget{Name: "demo", Cap: farebox.MustMoney("0.001")}))
	if err != nil {
		fmt.Println(err)
		return
	}
	config := openai.DefaultConfig("sk-key-of-the-service")
	config.BaseURL, config.HTTPClient = provider.URL(), meter.Doer()
	client := openai.NewClientWithConfig(config)

	ask := func(model string) {
		ctx, receipts := farebox.ContextWithReceipts(context.Background())
		_, err := client.CreateChatCompletion(ctx, openai.ChatCompletionRequest{
			Model: model, MaxTokens: 1000,
			Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "What is a farebox?"}},
		})
		var refused *farebox.BudgetError
		if errors.As(err, &refused) {
			fmt.Println("refused:", refused.Budget, refused.Reason)
			return
		}
		fmt.Println(receipts.All()[0])
	}
	ask(fareboxtest.SmallModel)
	ask(fareboxtest.LargeModel) // may cost $0.01
	// Output:
	// openai test-small: 5 in, 36 out, $0.00002235 computed
	// refused: demo exhausted
}

// A service's callers are told apart in one line, and each has a budget of its own.
func ExampleRequestTags_Handler() {
	provider := fareboxtest.NewProvider()
	defer provider.Close()
	meter, err := farebox.NewMeter(farebox.WithEndpoint(provider.Endpoint()), farebox.WithModels(provider.Prices()...),
		farebox.WithBudget(farebox.Budget{Name: "each team", Cap: farebox.Dollars(5), Window: farebox.Daily, Per: "team"}))
	if err != nil {
		fmt.Println(err)
		return
	}
	client := meter.HTTPClient()
	service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, provider.URL()+"/chat/completions",
			strings.NewReader(`{"model":"test-small","max_tokens":50,"messages":[{"role":"user","content":"Hello"}]}`))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		resp, err := client.Do(req)
		if err != nil {
			http.Error(w, err.Error(), http.StatusTooManyRequests)
			return
		}
		_ = resp.Body.Close()
	})
	handler := farebox.RequestTags{Headers: map[string]string{"X-Team": "team"}}.Handler(service)

	incoming := httptest.NewRequest(http.MethodPost, "/ask", nil)
	incoming.Header.Set("X-Team", "search")
	handler.ServeHTTP(httptest.NewRecorder(), incoming)
	for _, budget := range meter.Guard().Snapshot() {
		fmt.Println(budget.Budget, budget.Value, budget.Spent.Sign() > 0)
	}
	// Output: each team search true
}
