package farebox_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
)

// Whatever ends a call, its hold ends too: nothing is left that would refuse calls for money that nobody spent.
func TestLiteLLM27639_HoldsDoNotLeak(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for name, c := range map[string]struct {
		ctx     context.Context
		handler http.HandlerFunc
		body    string
		costs   bool // or may have: the outcome is not known
	}{
		"a bad request":             {handler: answers(400, `{"error":{"message":"m"}}`)},
		"a rate limit":              {handler: answers(429, `{"error":{"message":"m"}}`)},
		"a key that is wrong":       {handler: answers(401, `{"error":{"message":"m"}}`)},
		"gone before it was sent":   {ctx: gone, handler: answers(200, chatAnswer)},
		"a server error":            {handler: answers(500, `{"error":{"message":"m"}}`), costs: true},
		"no answer":                 {handler: hangUp, costs: true},
		"half an answer":            {handler: answers(200, chatAnswer[:60]), costs: true},
		"an answer that is no JSON": {handler: answersAs("text/html", 200, "<html>"), costs: true},
		"a stream without an end":   {handler: streams(helloChunk), body: streamJSON, costs: true},
		"an answer":                 {handler: answers(200, chatAnswer), costs: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, c.handler)
			meter := newMeter(t, dollar)
			ctx, body := c.ctx, c.body
			if ctx == nil {
				ctx = context.Background()
			}
			if body == "" {
				body = chatJSON
			}
			resp, err := postWith(ctx, t, meter.HTTPClient(), p.URL, strings.NewReader(body))
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			if got := bookedIn(t, meter); got.IsZero() == c.costs { // bookedIn fails where something is held
				t.Errorf("%s booked", got)
			}
		})
	}
}

func TestLiteLLM30522_CancelledCallsHoldNothing(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 100)
	p := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	meter := newMeter(t, dollar)
	for range 20 {
		ctx, cancel := context.WithCancel(context.Background())
		go func() { <-arrived; cancel() }()
		if resp, err := postWith(ctx, t, meter.HTTPClient(), p.URL, strings.NewReader(chatJSON)); err == nil {
			readAll(t, resp)
		}
	}
	booked := bookedIn(t, meter) // each at its hold, since the provider may bill it
	for _, receipt := range ledger(meter) {
		if receipt.Source != farebox.Held {
			t.Fatalf("%s", receipt)
		}
		if _, err := meter.Reconcile(receipt.ID, farebox.Money{}, "not on the bill"); err != nil {
			t.Fatal(err)
		}
	}
	if after := bookedIn(t, meter); booked.IsZero() || !after.IsZero() {
		t.Errorf("%s booked, %s once the bill was read", booked, after)
	}
}

func TestLiteLLM40050_EnforcedIsWhatWasSpent(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	meter := newMeter(t, dollar)
	for range 100 {
		if no := payFor(context.Background(), t, meter, p, chatJSON); no != nil {
			t.Fatal(no)
		}
	}
	if spent := bookedIn(t, meter); spent != chatCost.Mul(100) || spent != meter.Ledger().Total().Cost {
		t.Errorf("the budget has %s, the ledger %s, and %s was billed", spent, meter.Ledger().Total().Cost, chatCost.Mul(100))
	}
}

func TestLiteLLM27735_SpendIsFresh(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	meter := newMeter(t, dimePrice, farebox.WithBudget(farebox.Budget{Name: "hour", Cap: farebox.Dollars(1), Window: farebox.Rolling(time.Hour)}))
	for i := range int64(10) {
		if s := status(t, meter, "hour", ""); s.Spent != farebox.Cents(10*i) {
			t.Fatalf("after %d calls: %+v", i, s)
		}
		if no := pay(context.Background(), t, meter, p); no != nil {
			t.Fatal(no)
		}
	}
}

func TestLiteLLM36592_NoRefusalAtAFractionOfTheCap(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	meter := newMeter(t, farebox.WithBudget(capOf("cap", farebox.Dollars(25))))
	agent := strings.Replace(chatJSON, `"max_tokens":100`, `"max_tokens":64000`, 1) // may cost $0.128, and costs $0.00012
	for range 190 {
		if no := payFor(context.Background(), t, meter, p, agent); no != nil {
			t.Fatal(no)
		}
	}
	if spent := bookedIn(t, meter); spent != chatCost.Mul(190) {
		t.Errorf("%s spent", spent)
	}
}

// Worst-case holds of coding agents fill a cap of which nothing is spent. The refusal says so, and what would fit; once
// they have settled there is room.
func TestLiteLLM38647_FullOfHoldsIsNotSpent(t *testing.T) {
	t.Parallel()
	meter := newMeter(t, farebox.WithBudget(capOf("cap", farebox.Dollars(1))))
	agent := strings.Replace(chatJSON, `"max_tokens":100`, `"max_tokens":100000`, 1) // $0.20 at most
	sent, refused := rush(t, meter, answers(200, chatAnswer), repeat(agent, 8), nil)
	if sent != 4 || len(refused) != 4 {
		t.Fatalf("%d sent, %d refused", sent, len(refused))
	}
	for _, no := range refused {
		if no.Reason != farebox.ReasonContended || !no.Spent.IsZero() || no.Held.Less(farebox.Cents(80)) || no.OutputTokens < 90_000 ||
			!strings.Contains(no.Error(), "full of calls in flight") {
			t.Errorf("%+v", no)
		}
	}
	p := serve(t, answers(200, chatAnswer))
	if no := payFor(context.Background(), t, meter, p, agent); no != nil {
		t.Errorf("once they have settled: %v", no)
	}
}

// Where calls may wait for those in flight, the same eight are all served, one hold after the other.
func TestLiteLLM38647_WaitingForHolds(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	meter := newMeter(t, farebox.WithBudget(farebox.Budget{Name: "cap", Cap: farebox.Dollars(1), WhenFull: farebox.Wait}))
	agent := strings.Replace(chatJSON, `"max_tokens":100`, `"max_tokens":100000`, 1) // $0.20 at most
	var done sync.WaitGroup
	for range 40 {
		done.Go(func() {
			if no := payFor(context.Background(), t, meter, p, agent); no != nil {
				t.Error(no)
			}
		})
	}
	done.Wait()
	if spent := bookedIn(t, meter); spent != chatCost.Mul(40) {
		t.Errorf("%s spent", spent)
	}
}

// And where their output may be shorter, they fly together.
func TestCostPlan_TheOutputIsFittedToWhatIsLeft(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	meter := newMeter(t, farebox.WithBudget(farebox.Budget{Name: "cap", Cap: farebox.Cents(10), WhenFull: farebox.Fit}))
	if no := payFor(context.Background(), t, meter, p, strings.Replace(chatJSON, `"max_tokens":100`, `"max_tokens":100000`, 1)); no != nil {
		t.Fatal(no)
	}
	var sent struct {
		MaxTokens int64 `json:"max_tokens"`
	}
	if err := json.Unmarshal([]byte(p.only(t).body), &sent); err != nil {
		t.Fatal(err)
	}
	receipt := onlyReceipt(t, meter)
	if sent.MaxTokens < 45_000 || sent.MaxTokens > 50_000 || len(receipt.Edits) == 0 || farebox.Cents(10).Less(receipt.Quote.Most) {
		t.Errorf("sent with %d tokens, which may cost %s; edits %v", sent.MaxTokens, receipt.Quote.Most, receipt.Edits)
	}
}

func TestLiteLLM27509_LargeCapLittleSpent(t *testing.T) {
	t.Parallel()
	meter := newMeter(t, farebox.WithBudget(capOf("cap", farebox.Dollars(2000))))
	agent := strings.Replace(chatJSON, `"max_tokens":100`, `"max_tokens":1000000`, 1) // $2 at most
	sent, refused := rush(t, meter, answers(200, chatAnswer), repeat(agent, 300), nil)
	if sent != 300 || len(refused) != 0 {
		t.Errorf("%d of 300 sent, with room for 999", sent)
	}
	if spent := bookedIn(t, meter); spent != chatCost.Mul(300) {
		t.Errorf("%s spent", spent)
	}
}

func TestLiteLLM22726_NoBudgetNoRefusal(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	meter := newMeter(t)
	for range 3 {
		if no := payFor(context.Background(), t, meter, p, chatJSON); no != nil {
			t.Fatal(no)
		}
	}
}

// A price per million where one per token was wanted: wrong by a million, and refused by nobody, where there is no budget.
func TestLiteLLM20615_AbsurdPriceWithoutABudget(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	meter := newMeter(t, farebox.WithPrice(testModel, farebox.Rates{
		farebox.DimensionInput: farebox.MustRate("1"), farebox.DimensionOutput: farebox.MustRate("2"),
	}))
	for range 3 {
		if no := payFor(context.Background(), t, meter, p, chatJSON); no != nil {
			t.Fatal(no)
		}
	}
	if cost := meter.Ledger().Total().Cost; cost != farebox.Dollars(360) {
		t.Errorf("%s", cost)
	}
}

func TestLiteLLM14004_FreeModelsStayUsable(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	meter := newMeter(t, dimePrice, farebox.WithPrice("free", farebox.Rates{farebox.DimensionInput: {}, farebox.DimensionOutput: {}}),
		farebox.WithBudget(capOf("cap", farebox.Cents(10))))
	if no := pay(context.Background(), t, meter, p); no != nil {
		t.Fatal(no)
	}
	if no := pay(context.Background(), t, meter, p); no == nil {
		t.Fatal("the budget is not exhausted")
	}
	free := serve(t, answers(200, strings.ReplaceAll(chatAnswer, testModel, "free")))
	if no := payFor(context.Background(), t, meter, free, strings.Replace(chatJSON, testModel, "free", 1)); no != nil {
		t.Errorf("a free model: %v", no)
	}
}

func TestLiteLLM14144_TheErrorSaysWhichBudget(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	meter := newMeter(t, dimePrice, farebox.WithBudget(
		farebox.Budget{Name: "team", Cap: farebox.Cents(15), Per: "team", Window: farebox.Monthly}, capOf("all", farebox.Dollars(5))))
	ctx := farebox.ContextWithTags(context.Background(), farebox.Tags{"team": "search"})
	if no := pay(ctx, t, meter, p); no != nil {
		t.Fatal(no)
	}
	no := pay(ctx, t, meter, p)
	if no == nil || no.Budget != "team" || no.Value != "search" || no.Spent != farebox.Cents(10) || no.Cap != farebox.Cents(15) ||
		no.Asked != farebox.Cents(10) || no.Fits != farebox.Cents(5) || !no.ResetAt.After(time.Now()) {
		t.Fatalf("%+v", no)
	}
	for _, want := range []string{`"team"`, `"search"`, "$0.15", "$0.1 spent", "resets at", "nothing was sent"} {
		if !strings.Contains(no.Error(), want) {
			t.Errorf("%q does not say %s", no.Error(), want)
		}
	}
}

// A brown-out of a provider that bills no failed call must not eat the cap.
func TestLiteLLM29493_AnOutageDoesNotEatTheCap(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(502, `{"error":{"code":502,"message":"down"}}`))
	client := newClient(t, openRouterAt(p), noRetry, farebox.WithBudget(capOf("cap", farebox.MustMoney("0.001"))))
	for range 50 {
		_, err := client.CreateChatCompletion(context.Background(), chatRequest())
		if errors.Is(err, farebox.ErrBudgetExceeded) {
			t.Fatal(err)
		}
	}
	if spent := bookedIn(t, client.Meter()); !spent.IsZero() {
		t.Errorf("%s spent", spent)
	}
}

// TestLiteLLM32597_ThresholdsAreToldOfPerUser: who pays hears of 50, 80 and 100 percent, once each, of whose budget it is.
func TestLiteLLM32597_ThresholdsAreToldOfPerUser(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	var mu sync.Mutex
	told := map[string][]int{}
	meter := newMeter(t, dimePrice, farebox.WithBudget(farebox.Budget{Name: "user", Cap: farebox.Dollars(1), Per: "user"}),
		farebox.WithEvents(func(e farebox.Event) {
			mu.Lock()
			defer mu.Unlock()
			if e.Kind == farebox.EventThreshold {
				told[e.Value] = append(told[e.Value], e.Percent)
			}
		}))
	for i := range 14 {
		user := []string{"ann", "bob"}[i%14/10] // ann makes ten calls, bob four
		if no := pay(farebox.ContextWithTags(context.Background(), farebox.Tags{"user": user}), t, meter, p); no != nil {
			t.Fatal(no)
		}
	}
	if err := meter.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(told["ann"], []int{50, 80, 100}) || told["bob"] != nil {
		t.Errorf("told of %v", told)
	}
}
