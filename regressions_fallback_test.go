package farebox_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// A free model with a paid fallback: the fallback is held for by itself, and refused where the budget is gone.
func TestLiteLLM41344_PaidFallbackOfAFreeModel(t *testing.T) {
	t.Parallel()
	free := serve(t, answers(500, `{"error":{"message":"down"}}`))
	paid := serve(t, answers(200, dimeAnswer))
	client := newClient(t, openAIAt(free), noRetry, dimePrice,
		farebox.WithPrice("free", farebox.Rates{farebox.DimensionInput: {}, farebox.DimensionOutput: {}}),
		farebox.WithEndpoint(openRouterAt(paid)),
		farebox.WithModelChoice("smart", farebox.Fallback(farebox.On("", "free"), farebox.On("openrouter", "dime"))),
		farebox.WithBudget(capOf("cap", farebox.Cents(15))))
	request := chatRequest()
	request.Model = "smart"
	if _, err := client.CreateChatCompletion(context.Background(), request); err != nil {
		t.Fatal(err)
	}
	_, err := client.CreateChatCompletion(context.Background(), request)
	if !errors.Is(err, farebox.ErrBudgetExceeded) || len(paid.requests()) != 1 {
		t.Errorf("%v, %d requests to the paid model", err, len(paid.requests()))
	}
	if spent := status(t, client.Meter(), "cap", "").Spent; spent != farebox.Cents(10) {
		t.Errorf("%s spent", spent)
	}
}

// A provider whose money is gone is not asked again and again: the call goes on to the next.
func TestLiteLLM37592_OutOfMoneyFallsBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"OpenRouter's credits": {402, `{"error":{"code":402,"message":"Insufficient credits"}}`},
		"OpenAI's quota":       {429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}`},
		"Anthropic's limit":    {400, `{"error":{"message":"You have reached your specified API usage limits. You will regain access on 2099-01-01 at 00:00 UTC.","type":"invalid_request_error"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, two := serve(t, answers(c.status, c.body)), serve(t, answers(200, chatAnswer))
			client := newClient(t, openRouterAt(one), farebox.WithEndpoint(openAIAt(two)),
				farebox.WithModelChoice("smart", farebox.Fallback(farebox.On("", testModel), farebox.On("openai", testModel))))
			request := chatRequest()
			request.Model = "smart"
			resp, err := client.CreateChatCompletion(context.Background(), request)
			if err != nil {
				t.Fatal(err)
			}
			one.only(t)
			two.only(t)
			if resp.Receipts[0].Source != farebox.Unbilled {
				t.Errorf("%s", resp.Receipts[0])
			}
			if _, err := client.CreateChatCompletion(context.Background(), request); err != nil {
				t.Fatal(err)
			}
			one.only(t) // it is passed over until it may have money again
		})
	}
}

// Every attempt is priced at the model that it went to, not at the one first asked for.
func TestLiteLLM39294_FallbacksArePricedAsServed(t *testing.T) {
	t.Parallel()
	client, _, _ := twoPlaces(t, answers(500, `{"error":{"message":"down"}}`),
		answers(200, strings.ReplaceAll(chatAnswer, testModel, "dear")),
		noRetry, farebox.WithPrice("dear", farebox.Rates{farebox.DimensionInput: farebox.MustPerMillion("100"), farebox.DimensionOutput: farebox.MustPerMillion("200")}),
		farebox.WithModelChoice("dear-next", farebox.Fallback(farebox.On("", testModel), farebox.On("openrouter", "dear"))))
	request := chatRequest()
	request.Model = "dear-next"
	resp, err := client.CreateChatCompletion(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	served := resp.Receipt
	if served.Cost != chatCost.Mul(100) || served.Price.Model != "dear" || served.ModelAsked != "dear" {
		t.Errorf("%s priced as %+v, want %s", served, served.Price, chatCost.Mul(100))
	}
	if resp.Receipts[0].Quote.Most.IsZero() || !resp.Receipts[0].Quote.Most.Less(served.Quote.Most) {
		t.Errorf("the first attempt was quoted %s, the second %s", resp.Receipts[0].Quote.Most, served.Quote.Most)
	}
}

// A router that serves another model than was asked for is paid for what it served, in a stream as well.
func TestLiteLLM38656_TheModelThatServedIsPriced(t *testing.T) {
	t.Parallel()
	served := strings.NewReplacer(testModel, "kimi")
	price := farebox.WithPrice("kimi", farebox.Rates{farebox.DimensionInput: farebox.MustPerMillion("3"), farebox.DimensionOutput: farebox.MustPerMillion("6")})
	for name, c := range map[string]struct{ request, answer string }{
		"plain":  {chatJSON, chatAnswer},
		"stream": {streamJSON, wholeStream},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler := answers(200, served.Replace(c.answer))
			if name == "stream" {
				handler = streams(served.Replace(c.answer))
			}
			p := serve(t, handler)
			meter := newMeter(t, price, dollar)
			if no := payFor(context.Background(), t, meter, p, c.request); no != nil {
				t.Fatal(no)
			}
			if receipt := onlyReceipt(t, meter); receipt.Cost != chatCost.Mul(3) || receipt.Model != "kimi" || receipt.ModelAsked != testModel {
				t.Errorf("%s", receipt)
			}
		})
	}
}

// Each retry is an attempt of its own: those that may have been billed are booked, and the next has to fit beside them.
func TestComfyUI16204_RetriesAreHeldEach(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(500, `{"error":{"message":"down"}}`))
	client := newClient(t, openAIAt(p), dimePrice, farebox.WithBudget(capOf("cap", farebox.Cents(20))))
	request := chatRequest()
	request.Model = "dime"
	_, err := client.CreateChatCompletion(context.Background(), request)
	if !errors.Is(err, farebox.ErrBudgetExceeded) || len(p.requests()) != 2 || len(farebox.ReceiptsOf(err)) != 2 {
		t.Errorf("%d requests under a cap of two, %v", len(p.requests()), err)
	}
}
