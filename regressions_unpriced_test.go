package farebox_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

func TestLiteLLM25874_OwnPricesCount(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, strings.ReplaceAll(chatAnswer, testModel, "mine")))
	meter := newMeter(t, farebox.WithPrice("mine", testRates), farebox.WithBudget(capOf("cap", farebox.MustMoney("0.0005"))))
	mine := strings.Replace(chatJSON, testModel, "mine", 1)
	if no := payFor(context.Background(), t, meter, p, mine); no != nil {
		t.Fatal(no)
	}
	if spent := bookedIn(t, meter); spent != chatCost {
		t.Errorf("%s spent", spent)
	}
	if no := payFor(context.Background(), t, meter, p, strings.Replace(mine, `"max_tokens":100`, `"max_tokens":1000`, 1)); no == nil {
		t.Error("no refusal of what may cost four times the cap")
	}
}

func TestLiteLLM36561_AnEmptyPriceIsNotFree(t *testing.T) {
	t.Parallel()
	for name, rates := range map[string]farebox.Rates{"nil": nil, "empty": {}} {
		meter, err := farebox.NewMeter(farebox.WithPrice("m", rates), dollar)
		if err != nil {
			continue // it was said at once
		}
		p := serve(t, answers(200, strings.ReplaceAll(chatAnswer, testModel, "m")))
		if no := payFor(context.Background(), t, meter, p, strings.Replace(chatJSON, testModel, "m", 1)); no == nil || !errors.Is(no, farebox.ErrUnpriced) {
			t.Errorf("%s: %v", name, no)
		}
		closeMeter(t, meter)
	}
}

// What OpenRouter says that a call cost is its cost, also where the catalog has never heard of the model.
func TestLiteLLM42200_TheStatedCostOfAnUnknownModel(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, strings.ReplaceAll(openRouterAnswer, testModel, "typesafe/jev-1.13")))
	client := newClient(t, openRouterAt(p))
	request := chatRequest()
	request.Model = "typesafe/jev-1.13"
	resp, err := client.CreateChatCompletion(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	if want := farebox.MustMoney("0.00123456789"); resp.Cost != want || resp.Receipt.Source != farebox.Reported {
		t.Errorf("%s, want %s reported", resp.Receipt, want)
	}
}

// Without a price the receipt says so: its cost is unknown, and it is counted as such.
func TestLiteLLM35691_UnknownIsNotZero(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, strings.ReplaceAll(chatAnswer, testModel, "deepinfra/unheard-of")))
	meter := newMeter(t)
	if no := payFor(context.Background(), t, meter, p, strings.Replace(chatJSON, testModel, "deepinfra/unheard-of", 1)); no != nil {
		t.Fatal(no)
	}
	receipt := onlyReceipt(t, meter)
	if receipt.Source != farebox.Unpriced || receipt.Settled() || !strings.Contains(receipt.String(), "cost unknown") {
		t.Errorf("%s", receipt)
	}
	if total := meter.Ledger().Total(); total.Unpriced != 1 {
		t.Errorf("%+v", total)
	}
}

// A stated rate for what has no price is held and charged; nothing rides free.
func TestLiteLLM27463_AStatedRateForTheUnknown(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, strings.ReplaceAll(chatAnswer, testModel, "unknown")))
	meter := newMeter(t, dollar, farebox.WithUnpricedRates(testRates))
	if no := payFor(context.Background(), t, meter, p, strings.Replace(chatJSON, testModel, "unknown", 1)); no != nil {
		t.Fatal(no)
	}
	if spent := bookedIn(t, meter); spent.Less(chatCost) {
		t.Errorf("%s spent", spent)
	}
}

// $15 per million is not $15 per token, and a rate says which it is.
func TestBifrost5243_PerTokenOrPerMillion(t *testing.T) {
	t.Parallel()
	if farebox.MustPerMillion("15") != farebox.MustRate("0.000015") {
		t.Error("a rate per million is not a millionth of it per token")
	}
	p := serve(t, answers(200, chatAnswer))
	meter := newMeter(t, farebox.WithPrice(testModel, farebox.Rates{
		farebox.DimensionInput: farebox.MustPerMillion("15"), farebox.DimensionOutput: farebox.MustPerMillion("60"),
	}))
	if no := payFor(context.Background(), t, meter, p, chatJSON); no != nil {
		t.Fatal(no)
	}
	if receipt := onlyReceipt(t, meter); receipt.Cost != farebox.MustMoney("0.0021") {
		t.Errorf("%s: 100 tokens at $15 and 10 at $60 per million", receipt)
	}
}

// A price that is not the catalog's own is not guessed from the beginning of a name.
func TestOpenAGI44_NoGuessingByPrefix(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	meter := newMeter(t, dollar)
	for _, model := range []string{"gpt-4o-mini-nano-of-mine", "gpt-4o-", "gpt", "test-model-2", "test"} {
		if no := payFor(context.Background(), t, meter, p, strings.Replace(chatJSON, testModel, model, 1)); no == nil || no.Reason != farebox.ReasonUnpriceable {
			t.Errorf("%s: %v", model, no)
		}
	}
	if len(p.requests()) != 0 {
		t.Error("a call was sent")
	}
}

// A zero in the usage of a paid model is seen: the receipt is marked.
func TestCatwalk453_AZeroIsMarked(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, strings.Replace(openRouterAnswer, "0.00123456789", "0", 1)))
	resp, err := newClient(t, openRouterAt(p)).CreateChatCompletion(context.Background(), chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	if !resp.Receipt.HasFlag(farebox.FlagReportedZero) || resp.Receipt.Computed.IsZero() {
		t.Errorf("%s, flags %v", resp.Receipt, resp.Receipt.Flags)
	}
}
