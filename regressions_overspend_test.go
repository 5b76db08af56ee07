package farebox_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

func TestLiteLLM34732_SessionBudgetUnderConcurrency(t *testing.T) {
	t.Parallel()
	meter := newMeter(t, dimePrice, farebox.WithBudget(farebox.Budget{Name: "session", Cap: farebox.Cents(50), Per: "session"}))
	sent, refused := rush(t, meter, answers(200, dimeAnswer), repeat(dimeJSON, 60), func(int) farebox.Tags {
		return farebox.Tags{"session": "s1"}
	})
	if sent != 5 || len(refused) != 55 || status(t, meter, "session", "s1").Spent != farebox.Cents(50) {
		t.Errorf("%d sent, %d refused, %+v", sent, len(refused), status(t, meter, "session", "s1"))
	}
}

func TestLiteLLM40095_FirstCallsOfAnUnknownUser(t *testing.T) {
	t.Parallel()
	meter := newMeter(t, dimePrice, farebox.WithBudget(farebox.Budget{Name: "user", Cap: farebox.Cents(20), Per: "user"}))
	sent, refused := rush(t, meter, answers(200, dimeAnswer), repeat(dimeJSON, 60), func(i int) farebox.Tags {
		return farebox.Tags{"user": fmt.Sprint("new-", i%3)}
	})
	if sent != 6 || len(refused) != 54 {
		t.Errorf("%d sent, %d refused: three users have two dimes each", sent, len(refused))
	}
}

func TestLiteLLM15967_UsersThatNobodySetUpHaveTheBudgetToo(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	meter := newMeter(t, dimePrice, farebox.WithBudget(farebox.Budget{Name: "user", Cap: farebox.Cents(20), Per: "user"}))
	for _, user := range []string{"ann", "bob"} {
		ctx := farebox.ContextWithTags(context.Background(), farebox.Tags{"user": user})
		for range 2 {
			if no := pay(ctx, t, meter, p); no != nil {
				t.Fatal(no)
			}
		}
		if no := pay(ctx, t, meter, p); no == nil || no.Value != user || no.Reason != farebox.ReasonExhausted {
			t.Errorf("%s's third call: %v", user, no)
		}
	}
}

func TestLiteLLM26672_TheCallThatCrossesIsNotSent(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	meter := newMeter(t, dimePrice, farebox.WithBudget(capOf("cap", farebox.MustMoney("0.35"))))
	for range 10 {
		_ = pay(context.Background(), t, meter, p)
	}
	if s := status(t, meter, "cap", ""); s.Spent != farebox.Cents(30) || s.Refusals != 7 || len(p.requests()) != 3 {
		t.Errorf("%d requests, %+v: a fourth dime does not fit under 35 cents", len(p.requests()), s)
	}
}

func TestLiteLLM23714_BudgetOfAKey(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	limited := farebox.OpenAI(testKey).WithBaseURL(p.URL + "/v1").WithName("limited").WithKeyLabel("prod")
	meter := newMeter(t, dimePrice, farebox.WithEndpoint(limited),
		farebox.WithBudget(farebox.Budget{Name: "key", Cap: farebox.Cents(20), Scope: farebox.Scope{Key: "prod"}}))
	for range 5 {
		_ = pay(context.Background(), t, meter, p)
	}
	if len(p.requests()) != 2 {
		t.Errorf("%d requests with a key that has two dimes", len(p.requests()))
	}
}

func TestLiteLLM11083_TheUserOfARequestCounts(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	client := newClient(t, openAIAt(p), dimePrice, farebox.WithBudget(farebox.Budget{Name: "user", Cap: farebox.Cents(10), Per: "user"}))
	request := chatRequest()
	request.Model = "dime"
	for i := range 3 {
		_, err := client.CreateChatCompletion(context.Background(), request, farebox.WithTags(farebox.Tags{"user": "u1"}))
		if refused := errors.Is(err, farebox.ErrBudgetExceeded); refused != (i > 0) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	p.only(t)
}

func TestLiteLLM11962_TheUsersBudgetBesideTheTeams(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	meter := newMeter(t, dimePrice, farebox.WithBudget(
		farebox.Budget{Name: "team", Cap: farebox.Dollars(100), Per: "team"},
		farebox.Budget{Name: "user", Cap: farebox.Cents(10), Per: "user"}))
	ctx := farebox.ContextWithTags(context.Background(), farebox.Tags{"team": "search", "user": "ann"})
	if no := pay(ctx, t, meter, p); no != nil {
		t.Fatal(no)
	}
	if no := pay(ctx, t, meter, p); no == nil || no.Budget != "user" {
		t.Errorf("with room in the team's budget and none in the user's: %v", no)
	}
	if s := status(t, meter, "team", "search"); s.Spent != farebox.Cents(10) || !s.Held.IsZero() {
		t.Errorf("the refused call left something in the team's budget: %+v", s)
	}
}

// Prompts of 300,000 tokens cost twice as much for each of them, $0.15: that is what has to be held, by all at once.
func TestLiteLLM40002_LongPromptsAreHeldAtTheirTier(t *testing.T) {
	t.Parallel()
	const model = "gpt-4o-mini" // whose tokens can be counted
	tiered := farebox.WithModels(farebox.Model{Name: model, MaxOutputTokens: 100, Prices: []farebox.Price{{
		Rates: farebox.Rates{farebox.DimensionInput: farebox.MustPerMillion("0.25"), farebox.DimensionOutput: farebox.MustPerMillion("0.25")},
		Tiers: []farebox.Tier{{Over: 272_000, Rates: farebox.Rates{farebox.DimensionInput: farebox.MustPerMillion("0.50"), farebox.DimensionOutput: farebox.MustPerMillion("0.50")}}},
	}}})
	meter := newMeter(t, tiered, farebox.WithBudget(capOf("cap", farebox.Cents(45))))
	long := `{"model":"gpt-4o-mini","max_tokens":1,"messages":[{"role":"user","content":"` + strings.Repeat("a ", 300_000) + `"}]}`
	answer := strings.NewReplacer(testModel, model, usageJSON, `{"prompt_tokens":300000,"completion_tokens":0,"total_tokens":300000}`).Replace(chatAnswer)
	sent, _ := rush(t, meter, answers(200, answer), repeat(long, 5), nil)
	billed := farebox.Cents(15).Mul(int64(sent))
	if s := status(t, meter, "cap", ""); sent < 2 || farebox.Cents(45).Less(billed) || s.Spent != billed {
		t.Errorf("%d sent for %s, books %s, under $0.45", sent, billed, s.Spent)
	}
}

func TestLiteLLM35524_NoPriceNoCall(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	meter := newMeter(t, farebox.WithBudget(capOf("cap", farebox.Dollars(1000))))
	no := payFor(context.Background(), t, meter, p, strings.Replace(chatJSON, testModel, "nobody-knows-it", 1))
	if no == nil || no.Reason != farebox.ReasonUnpriceable || !errors.Is(no, farebox.ErrUnpriced) || len(p.requests()) != 0 {
		t.Errorf("%v, %d requests", no, len(p.requests()))
	}
}

func TestLiteLLM33923_ARefusalHoldsNothingAnywhere(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	meter := newMeter(t, dimePrice, farebox.WithBudget(
		capOf("first", farebox.Dollars(1)), capOf("none", farebox.Cents(9)), capOf("last", farebox.Dollars(1))))
	for range 20 {
		if no := pay(context.Background(), t, meter, p); no == nil || no.Budget != "none" {
			t.Fatal(no)
		}
	}
	for _, s := range meter.Guard().Snapshot() {
		if !s.Spent.IsZero() || !s.Held.IsZero() || s.InFlight != 0 {
			t.Errorf("%+v", s)
		}
	}
	if len(p.requests()) != 0 {
		t.Error("a refused call was sent")
	}
}

func TestBifrost2873_NoWayAroundTheBudget(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	meter := newMeter(t, dimePrice, farebox.WithRefuseUnmetered(), farebox.WithBudget(capOf("cap", farebox.Cents(10))))
	resp, err := meter.HTTPClient().Post(p.URL+"/anthropic_passthrough/whatever", "application/json", strings.NewReader(dimeJSON))
	var refused *farebox.UnmeteredError
	if err == nil {
		readAll(t, resp)
	}
	if !errors.As(err, &refused) || !errors.Is(err, farebox.ErrRefused) || len(p.requests()) != 0 {
		t.Errorf("a route that nobody meters: %v, %d requests", err, len(p.requests()))
	}
}

func TestBifrost5673_EnforcedFromTheFirstCall(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	client := newClient(t, openAIAt(p), dimePrice, farebox.WithBudget(capOf("cap", farebox.Cents(9))))
	request := chatRequest()
	request.Model = "dime"
	_, err := client.CreateChatCompletion(context.Background(), request)
	if !errors.Is(err, farebox.ErrBudgetExceeded) || len(p.requests()) != 0 {
		t.Errorf("%v, %d requests", err, len(p.requests()))
	}
}

func TestBifrost5770_WhatIsUsedIsWhatWasSpent(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	meter := newMeter(t, dimePrice, farebox.WithBudget(capOf("cap", farebox.Dollars(15))))
	for range 4 {
		if no := pay(context.Background(), t, meter, p); no != nil {
			t.Fatal(no)
		}
	}
	if s := status(t, meter, "cap", ""); s.Spent != farebox.Cents(40) || s.Free != farebox.MustMoney("14.60") || s.Refusals != 0 {
		t.Errorf("%+v", s)
	}
}

func TestBifrost2683_PrepaidIsNeverReset(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	meter := newMeter(t, dimePrice, farebox.WithBudget(capOf("prepaid", farebox.Cents(10))))
	if no := pay(context.Background(), t, meter, p); no != nil {
		t.Fatal(no)
	}
	no := pay(context.Background(), t, meter, p)
	if no == nil || !no.ResetAt.IsZero() || no.Reason != farebox.ReasonExhausted {
		t.Errorf("%+v", no)
	}
	if err := meter.Guard().TopUp("prepaid", "", farebox.Cents(10)); err != nil {
		t.Fatal(err)
	}
	if no := pay(context.Background(), t, meter, p); no != nil {
		t.Errorf("after a top-up: %v", no)
	}
	if no := pay(context.Background(), t, meter, p); no == nil {
		t.Error("the top-up paid twice")
	}
}

func TestCandela634_TheHoldIsThatOfTheRequest(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	meter := newMeter(t, farebox.WithBudget(capOf("cap", farebox.Cents(10))))
	// 60,000 output tokens at $2 per million may cost $0.12, whatever most calls cost.
	no := payFor(context.Background(), t, meter, p, strings.Replace(chatJSON, `"max_tokens":100`, `"max_tokens":60000`, 1))
	if no == nil || no.Asked.Less(farebox.Cents(12)) || len(p.requests()) != 0 {
		t.Errorf("%+v, %d requests", no, len(p.requests()))
	}
}

func TestIronCage9_ManyAtOnce(t *testing.T) {
	t.Parallel()
	meter := newMeter(t, dimePrice, farebox.WithBudget(capOf("cap", farebox.Dollars(1))))
	sent, _ := rush(t, meter, answers(200, dimeAnswer), repeat(dimeJSON, 256), nil)
	if sent != 10 || status(t, meter, "cap", "").Spent != farebox.Dollars(1) {
		t.Errorf("%d of 256 sent", sent)
	}
}

// A provider that reports nonsense earns nobody credit.
func TestLiteLLMRs711_NothingIsNegative(t *testing.T) {
	t.Parallel()
	for name, usage := range map[string]string{
		"tokens":   `{"prompt_tokens":-5000000,"completion_tokens":-10,"total_tokens":-5000010}`,
		"details":  `{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110,"prompt_tokens_details":{"cached_tokens":900}}`,
		"cost":     `{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110,"cost":-7}`,
		"overflow": `{"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807,"total_tokens":9223372036854775807}`,
		"not one":  `{"prompt_tokens":"many","completion_tokens":null}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, answers(200, strings.Replace(chatAnswer, usageJSON, usage, 1)))
			meter := newMeter(t, dollar)
			if no := payFor(context.Background(), t, meter, p, chatJSON); no != nil {
				t.Fatal(no)
			}
			receipt := onlyReceipt(t, meter)
			if receipt.Cost.Sign() < 0 || bookedIn(t, meter).Sign() <= 0 {
				t.Errorf("cost %s, %s booked", receipt.Cost, bookedIn(t, meter))
			}
		})
	}
}

func TestAgentBudget_AnOverrunIsBooked(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, strings.Replace(chatAnswer, usageJSON, `{"prompt_tokens":100,"completion_tokens":900000,"total_tokens":900100}`, 1)))
	meter := newMeter(t, dollar)
	if no := payFor(context.Background(), t, meter, p, chatJSON); no != nil {
		t.Fatal(no)
	}
	want := farebox.MustMoney("1.8001") // over the cap, and spent all the same
	if got := bookedIn(t, meter); got != want || !onlyReceipt(t, meter).HasFlag(farebox.FlagOverrun) {
		t.Errorf("%s booked, want %s", got, want)
	}
	if no := payFor(context.Background(), t, meter, p, chatJSON); no == nil {
		t.Error("a call after the overrun was admitted")
	}
}

func TestFerro_ManyValuesDoNotResetACap(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	meter := newMeter(t, dimePrice, farebox.WithBudget(farebox.Budget{Name: "user", Cap: farebox.Cents(10), Per: "user", MaxValues: 5}))
	for i := range 50 {
		_ = pay(farebox.ContextWithTags(context.Background(), farebox.Tags{"user": fmt.Sprint(i)}), t, meter, p)
	}
	for i := range 5 {
		if no := pay(farebox.ContextWithTags(context.Background(), farebox.Tags{"user": fmt.Sprint(i)}), t, meter, p); no == nil {
			t.Errorf("user %d was forgotten", i)
		}
	}
	if len(p.requests()) != 5 {
		t.Errorf("%d requests by 5 users with a dime each", len(p.requests()))
	}
}

func TestVigil593_ABudgetForEachRun(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	meter := newMeter(t, dimePrice, farebox.WithBudget(farebox.Budget{Name: "run", Cap: farebox.Cents(20), Per: "run"}))
	for _, run := range []string{"r1", "r2"} {
		ctx := farebox.ContextWithTags(context.Background(), farebox.Tags{"run": run})
		for i := range 3 {
			if no := pay(ctx, t, meter, p); (no != nil) != (i == 2) {
				t.Errorf("call %d of %s: %v", i, run, no)
			}
		}
	}
}

// A burst crosses nothing, though it starts just under the cap: the request that crosses is refused, not only the next.
func TestVercel_TheCapIsNotSoft(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, dimeAnswer))
	meter := newMeter(t, dimePrice, farebox.WithBudget(capOf("cap", farebox.Cents(95))))
	for range 9 {
		if no := pay(context.Background(), t, meter, p); no != nil {
			t.Fatal(no)
		}
	}
	if no := pay(context.Background(), t, meter, p); no == nil || no.Fits != farebox.Cents(5) {
		t.Errorf("with 5 cents left: %+v", no)
	}
}

// A limit of tokens is held before a call, not charged after it: 1,200 do not pass under 1,000.
func TestEnvoyAIGateway_TokensAreHeldBeforehand(t *testing.T) {
	t.Parallel()
	p := serve(t, streams(wholeStream))
	meter := newMeter(t, farebox.WithBudget(farebox.Budget{Name: "tokens", Tokens: 1000, Window: farebox.Daily}))
	no := payFor(context.Background(), t, meter, p, strings.Replace(streamJSON, `"max_tokens":100`, `"max_tokens":1200`, 1))
	if no == nil || len(p.requests()) != 0 {
		t.Errorf("%v, %d requests", no, len(p.requests()))
	}
	if no := payFor(context.Background(), t, meter, p, streamJSON); no != nil {
		t.Fatal(no)
	}
	if s := status(t, meter, "tokens", ""); s.Counts.Spent != 110 {
		t.Errorf("%+v", s.Counts)
	}
}

// Two budgets that refuse to add up: what one call holds on several limits is taken on all in one step.
func TestSpendGuard_OneStepForAllBudgets(t *testing.T) {
	t.Parallel()
	meter := newMeter(t, dimePrice, farebox.WithBudget(
		capOf("global", farebox.Cents(50)), farebox.Budget{Name: "tenant", Cap: farebox.Cents(30), Per: "tenant"}))
	sent, _ := rush(t, meter, answers(200, dimeAnswer), repeat(dimeJSON, 90), func(i int) farebox.Tags {
		return farebox.Tags{"tenant": fmt.Sprint(i % 3)}
	})
	global := status(t, meter, "global", "").Spent
	var tenants farebox.Money
	for i := range 3 {
		tenants = tenants.Add(status(t, meter, "tenant", fmt.Sprint(i)).Spent)
	}
	if sent != 5 || global != farebox.Cents(50) || tenants != global {
		t.Errorf("%d sent; %s in all, %s by tenant", sent, global, tenants)
	}
}

// A negative counter, a float's dust: a thousand tenths are a hundred, to the last digit.
func TestLiteLLM38647_TenthsAddUp(t *testing.T) {
	t.Parallel()
	meter := newMeter(t, dimePrice, farebox.WithBaseTransport(roundTripper(func(*http.Request) (*http.Response, error) {
		return reply(200, dimeAnswer), nil
	})), farebox.WithBudget(capOf("cap", farebox.Dollars(25))))
	sent := 0
	for range 300 {
		if resp, err := post(t, meter.HTTPClient(), "https://api.openai.com", dimeJSON); err == nil {
			readAll(t, resp)
			sent++
		}
	}
	if s := status(t, meter, "cap", ""); sent != 250 || s.Spent != farebox.Dollars(25) || !s.Free.IsZero() {
		t.Errorf("%d sent, %+v", sent, s)
	}
}
