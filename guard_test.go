package farebox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/farebox-go/farebox"
	"pgregory.net/rapid"
)

const coinKey = "sk-coin-0123456789"

// coinProvider answers chat requests from memory, with as many output tokens as a header of the request asks for, and
// keeps an account of its own. Its model "coin" costs a cent per output token and nothing else.
type coinProvider struct {
	mu       sync.Mutex
	requests int
	tokens   int64
}

// RoundTrip answers a request of [coinCall].
func (p *coinProvider) RoundTrip(req *http.Request) (*http.Response, error) {
	var tokens int64
	_, _ = fmt.Sscan(req.Header.Get("X-Tokens"), &tokens)
	outcome := req.Header.Get("X-Outcome")
	p.mu.Lock()
	p.requests++
	if outcome != "429" {
		p.tokens += tokens
	}
	p.mu.Unlock()
	resp := &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Request: req}
	usage := fmt.Sprintf(`{"prompt_tokens":0,"completion_tokens":%d,"total_tokens":%d%s}`, tokens, tokens, req.Header.Get("X-Cost"))
	body := `{"id":"gen-1","object":"chat.completion","created":1,"model":"` + req.Header.Get("X-Served") + `","choices":[` +
		`{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":` + usage + `}`
	switch outcome {
	case "lost":
		return nil, errors.New("connection reset by peer")
	case "429", "500":
		_, _ = fmt.Sscan(outcome, &resp.StatusCode)
		body = `{"error":{"message":"not now"}}`
	case "cut":
		body = body[:20]
	case "silent":
		body = strings.Replace(body, `"usage"`, `"nothing"`, 1)
	}
	resp.Body = io.NopCloser(strings.NewReader(body))
	return resp, nil
}

// billed is what the provider charges in cents.
func (p *coinProvider) billed() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tokens
}

func (p *coinProvider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

// coinRates are those of a model that costs so many dollars per output token.
func coinRates(perToken string) farebox.Rates {
	return farebox.Rates{farebox.DimensionInput: {}, farebox.DimensionOutput: farebox.MustRate(perToken)}
}

// coinMeter is a Meter in front of a coinProvider at the endpoints "acme" and "other".
func coinMeter(t testing.TB, provider http.RoundTripper, options ...farebox.MeterOption) *farebox.Meter {
	t.Helper()
	options = append([]farebox.MeterOption{
		farebox.WithCatalog(&farebox.Catalog{}), farebox.WithBaseTransport(provider), farebox.WithPrice("coin", coinRates("0.01")),
		farebox.WithEndpoint(
			farebox.Compatible("acme", "https://acme.test/v1", coinKey).WithKeyLabel("main"),
			farebox.Compatible("other", "https://other.test/v1", "sk-other")),
	}, options...)
	meter, err := farebox.NewMeter(options...)
	if err != nil {
		t.Fatal(err)
	}
	return meter
}

// coinCall is a call that may cost as many cents as its limit, and costs as many as its tokens.
type coinCall struct {
	host, key, model, served string
	tags                     farebox.Tags
	limit, tokens            int64
	outcome                  string // see coinProvider
	cost                     string // more members for the usage in the answer
	ctx                      context.Context
}

// start sends the call and leaves its answer open.
func (c coinCall) start(meter *farebox.Meter) (*http.Response, error) {
	pick := func(given, otherwise string) string {
		if given != "" {
			return given
		}
		return otherwise
	}
	body := fmt.Sprintf(`{"model":%q,"max_tokens":%d,"messages":[{"role":"user","content":"hi"}]}`, pick(c.model, "coin"), c.limit)
	ctx := c.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	ctx = farebox.ContextWithTags(ctx, c.tags)
	url := "https://" + pick(c.host, "acme.test") + "/v1/chat/completions"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+pick(c.key, coinKey))
	req.Header.Set("X-Tokens", fmt.Sprint(c.tokens))
	req.Header.Set("X-Outcome", c.outcome)
	req.Header.Set("X-Cost", c.cost)
	req.Header.Set("X-Served", pick(c.served, pick(c.model, "coin")))
	return meter.HTTPClient().Do(req)
}

// on makes the call and reads its answer.
func (c coinCall) on(meter *farebox.Meter) error {
	resp, err := c.start(meter)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}

func finish(t testing.TB, resp *http.Response) {
	t.Helper()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
}

func mustSpend(t testing.TB, meter *farebox.Meter, c coinCall) {
	t.Helper()
	if err := c.on(meter); err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
}

// mustRefuse makes a call that must not be sent.
func mustRefuse(t testing.TB, meter *farebox.Meter, c coinCall) *farebox.BudgetError {
	t.Helper()
	before := meter.Ledger().Total()
	err := c.on(meter)
	var refused *farebox.BudgetError
	if !errors.As(err, &refused) || !errors.Is(err, farebox.ErrRefused) {
		t.Fatalf("%+v: %v, want it refused", c, err)
	}
	if after := meter.Ledger().Total(); after != before {
		t.Errorf("%+v was refused, and has a receipt", c)
	}
	return refused
}

// standing returns what budgets have spent in cents, by name and value.
func standing(meter *farebox.Meter) map[string]int64 {
	all := map[string]int64{}
	for _, s := range meter.Guard().Snapshot() {
		name := s.Budget
		if s.Value != "" {
			name += "/" + s.Value
		}
		cents := int64(0)
		for farebox.Cents(cents).Less(s.Spent) {
			cents++
		}
		all[name] = cents
	}
	return all
}

// TestBudgetsAgainstModel makes random calls under random budgets and keeps the same books in the simplest way: a call is
// sent if it fits every enforcing budget in its scope; otherwise nothing is sent and no budget changes.
func TestBudgetsAgainstModel(t *testing.T) {
	t.Parallel()
	teams := rapid.SampledFrom([]string{"a", "b", "c"})
	rapid.Check(t, func(r *rapid.T) {
		var budgets []farebox.Budget
		caps := rapid.SliceOfN(rapid.Int64Range(0, 150), 1, 8).Draw(r, "caps")
		for i, cents := range caps {
			b := farebox.Budget{Name: fmt.Sprint(i), Cap: farebox.Cents(cents), Observe: rapid.Bool().Draw(r, "observe") && i%3 == 2}
			if rapid.Bool().Draw(r, "scoped") {
				b.Scope.Tags = farebox.Tags{"team": teams.Draw(r, "of team")}
			}
			budgets = append(budgets, b)
		}
		provider := &coinProvider{}
		meter := coinMeter(t, provider, farebox.WithBudget(budgets...))
		books, sent := make([]int64, len(budgets)), 0
		for range rapid.IntRange(1, 20).Draw(r, "calls") {
			team := teams.Draw(r, "team")
			call := coinCall{tags: farebox.Tags{"team": team}, limit: rapid.Int64Range(1, 60).Draw(r, "limit")}
			call.tokens = rapid.Int64Range(0, call.limit+10).Draw(r, "tokens") // sometimes more than it was allowed
			fits := true
			for i, b := range budgets {
				applies := b.Scope.Tags == nil || b.Scope.Tags["team"] == team
				fits = fits && (!applies || b.Observe || books[i]+call.limit <= caps[i])
			}
			err := call.on(meter)
			if (err == nil) != fits {
				r.Fatalf("%+v: %v, and it fits: %t; books %v, caps %v", call, err, fits, books, caps)
			}
			for i, b := range budgets {
				if fits && (b.Scope.Tags == nil || b.Scope.Tags["team"] == team) {
					books[i] += call.tokens
				}
			}
			if fits {
				sent++
			}
			for i, s := range meter.Guard().Snapshot() {
				if s.Spent != farebox.Cents(books[i]) || !s.Held.IsZero() || s.InFlight != 0 {
					r.Fatalf("budget %d stands at %+v, want %d cents", i, s, books[i])
				}
			}
		}
		if provider.count() != sent || meter.Ledger().Total().Cost != farebox.Cents(provider.billed()) {
			r.Errorf("%d calls of %d fit; the ledger has %+v, the bill is %d", provider.count(), sent, meter.Ledger().Total(), provider.billed())
		}
	})
}

// TestCapsHoldForManyAtOnce asks for ten times what a cap allows from many goroutines. What the provider bills stays under
// it, and what the budget says is what it bills.
func TestCapsHoldForManyAtOnce(t *testing.T) {
	t.Parallel()
	provider := &coinProvider{}
	meter := coinMeter(t, provider, farebox.WithBudget(
		farebox.Budget{Name: "all", Cap: farebox.Dollars(3)},
		farebox.Budget{Name: "each", Cap: farebox.Cents(90), Per: "user"}))
	var wg sync.WaitGroup
	var mu sync.Mutex
	admitted := 0
	for i := range 50 {
		wg.Go(func() {
			for range 12 {
				err := coinCall{limit: 5, tokens: int64(1 + i%5), tags: farebox.Tags{"user": fmt.Sprint(i % 4)}}.on(meter)
				if err != nil && !errors.Is(err, farebox.ErrBudgetExceeded) {
					t.Error(err)
				}
				mu.Lock()
				if err == nil {
					admitted++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if provider.count() != admitted || provider.billed() > 300 || provider.billed() < 290 {
		t.Errorf("%d calls were admitted, %d arrived, for %d cents of 300", admitted, provider.count(), provider.billed())
	}
	sum := int64(0)
	for name, cents := range standing(meter) {
		if name == "all" && cents != provider.billed() || name != "all" && cents > 90 {
			t.Errorf("budget %s stands at %d; billed are %d", name, cents, provider.billed())
		}
		if name != "all" {
			sum += cents
		}
	}
	if total := meter.Ledger().Total(); sum != provider.billed() || total.Cost != farebox.Cents(sum) || total.Attempts != int64(admitted) {
		t.Errorf("the values add up to %d, the ledger has %+v, billed are %d", sum, total, provider.billed())
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(farebox.Budget{Name: "watch", Cap: farebox.Cents(10), Observe: true}))
	mustSpend(t, meter, coinCall{limit: 10, tokens: 10})
	mustSpend(t, meter, coinCall{limit: 5, tokens: 5})
	mustSpend(t, meter, coinCall{model: "unheard-of", limit: 1, tokens: 1})
	flagged := []bool{}
	for r := range meter.Ledger().Receipts(farebox.Filter{}) {
		flagged = append(flagged, r.HasFlag(farebox.FlagWouldRefuse))
	}
	if !flagged[1] || flagged[0] {
		t.Errorf("flagged as calls that would be refused: %v", flagged)
	}
	if s := meter.Guard().Snapshot()[0]; s.Spent != farebox.Cents(15) || s.Refusals == 0 || s.Free.Sign() != 0 {
		t.Errorf("status: %+v", s)
	}
}

// TestChargeOnly tells apart budgets that count the gateway's charge and those that count all that a call costs, where
// the call is made with a key of the user's own.
func TestChargeOnly(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(
		farebox.Budget{Name: "all of it", Cap: farebox.Dollars(9)},
		farebox.Budget{Name: "the charge", Cap: farebox.Dollars(9), ChargeOnly: true}))
	mustSpend(t, meter, coinCall{limit: 100, tokens: 50, cost: `,"cost":0.02,"is_byok":true,"cost_details":{"upstream_inference_cost":0.4}`})
	if got, want := standing(meter), (map[string]int64{"all of it": 42, "the charge": 2}); !reflect.DeepEqual(got, want) {
		t.Errorf("budgets stand at %v, want %v", got, want)
	}
	for r := range meter.Ledger().Receipts(farebox.Filter{}) {
		if r.Source != farebox.Reported || r.Cost != farebox.Cents(42) || !r.Reported.BYOK || r.Computed != farebox.Cents(50) {
			t.Errorf("receipt: %+v", r)
		}
		if r.Budgets[0].Charged != farebox.Cents(42) || r.Budgets[1].Charged != farebox.Cents(2) {
			t.Errorf("charged: %+v", r.Budgets)
		}
	}
	mustSpend(t, meter, coinCall{limit: 100, tokens: 50, cost: `,"cost":0.3,"cost_details":{"upstream_inference_cost":0.3}`})
	if got, want := standing(meter), (map[string]int64{"all of it": 72, "the charge": 32}); !reflect.DeepEqual(got, want) {
		t.Errorf("without a key of the user's own: %v, want %v", got, want)
	}
}

func TestMoreBudgetsThanApplyToOneCall(t *testing.T) {
	t.Parallel()
	var budgets []farebox.Budget
	for i := range 17 {
		budgets = append(budgets, farebox.Budget{Name: fmt.Sprint(i), Cap: farebox.Dollars(1)})
	}
	budgets[16].Scope.Tags = farebox.Tags{"seventeenth": "yes"}
	provider := &coinProvider{}
	meter := coinMeter(t, provider, farebox.WithBudget(budgets...))
	mustSpend(t, meter, coinCall{limit: 1, tokens: 1})
	err := coinCall{limit: 1, tags: budgets[16].Scope.Tags}.on(meter)
	if !errors.Is(err, farebox.ErrRefused) || !strings.Contains(err.Error(), "more than 16 budgets") || provider.count() != 1 {
		t.Errorf("17 budgets: %v, %d requests", err, provider.count())
	}
	for name, cents := range standing(meter) {
		if want := map[bool]int64{true: 0, false: 1}[name == "16"]; cents != want {
			t.Errorf("budget %s stands at %d", name, cents)
		}
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	hash := hashOf(t, coinKey)
	for _, target := range []farebox.Target{{Budget: "team"}, {Key: "main"}, {Key: hash}, {Endpoint: "acme"}} {
		provider := &coinProvider{}
		meter := coinMeter(t, provider, farebox.WithBudget(
			farebox.Budget{Name: "team", Cap: farebox.Dollars(1), Scope: farebox.Scope{Tags: farebox.Tags{"team": "a"}}}))
		call := coinCall{limit: 1, tokens: 1, tags: farebox.Tags{"team": "a"}}
		open, err := call.start(meter)
		if err != nil {
			t.Fatal(err)
		}
		meter.Guard().Pause(target)
		meter.Guard().Pause(target)
		refused := mustRefuse(t, meter, call)
		if refused.Reason != farebox.ReasonPaused || refused.Budget != target.Budget || !errors.Is(refused, farebox.ErrPaused) {
			t.Errorf("%+v: refused %+v", target, refused)
		}
		finish(t, open) // calls in flight go on
		mustSpend(t, meter, coinCall{host: "other.test", key: "sk-other", limit: 1, tokens: 1})
		meter.Guard().Resume(target)
		mustSpend(t, meter, call)
		if provider.count() != 3 || standing(meter)["team"] != 2 {
			t.Errorf("%+v: %d requests, %v", target, provider.count(), standing(meter))
		}
	}
}

func TestPauseOfNothing(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{})
	meter.Guard().Resume(farebox.Target{Budget: "never paused"})
	for _, target := range []farebox.Target{{}, {Budget: "no such"}, {Key: "no such"}, {Endpoint: "no such"}} {
		meter.Guard().Pause(target)
		mustSpend(t, meter, coinCall{limit: 1, key: " "}) // with no key to speak of
	}
}

func TestUnpricedModels(t *testing.T) {
	t.Parallel()
	unpriced := coinCall{model: "unheard-of", limit: 1, tokens: 1, tags: farebox.Tags{"team": "a"}}
	scoped := farebox.Budget{Name: "team", Cap: farebox.Dollars(1), Scope: farebox.Scope{Tags: farebox.Tags{"team": "a"}}}
	meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(scoped))
	refused := mustRefuse(t, meter, unpriced)
	if refused.Reason != farebox.ReasonUnpriceable || refused.Budget != "team" || refused.Model != "unheard-of" || !errors.Is(refused, farebox.ErrUnpriced) {
		t.Errorf("refused: %+v", refused)
	}
	unpriced.tags = nil // where no budget applies it is sent, and counted as what it is
	mustSpend(t, meter, unpriced)
	if total := meter.Ledger().Total(); total.Unpriced != 1 || !total.Cost.IsZero() {
		t.Errorf("total: %+v", total)
	}
	meter = coinMeter(t, &coinProvider{}, farebox.WithBudget(scoped), farebox.WithUnpricedRates(coinRates("0.05")))
	unpriced.tags = scoped.Scope.Tags
	mustSpend(t, meter, unpriced)
	if got := standing(meter)["team"]; got != 5 {
		t.Errorf("at a stated rate the budget stands at %d, want 5", got)
	}
	unpriced.limit = 96
	mustRefuse(t, meter, unpriced)
}

// TestOutcomes says what a budget is charged for every way in which an attempt can end.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		call    coinCall
		source  farebox.Source
		charged int64
	}{
		{"answered", coinCall{}, farebox.Computed, 30},
		{"answered with its cost", coinCall{cost: `,"cost":0.25`}, farebox.Reported, 25},
		{"dearer than was held", coinCall{cost: `,"cost":0.75`}, farebox.Reported, 75},
		{"refused by the provider", coinCall{outcome: "429"}, farebox.Unbilled, 0},
		{"failed at the provider", coinCall{outcome: "500"}, farebox.Held, 50},
		{"cut", coinCall{outcome: "cut"}, farebox.Held, 50},
		{"lost", coinCall{outcome: "lost"}, farebox.Held, 50},
		{"without usage", coinCall{outcome: "silent"}, farebox.Estimated, 50},
		{"a negative cost is none", coinCall{cost: `,"cost":-0.25`}, farebox.Computed, 30},
	}
	for _, test := range tests {
		meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1)}))
		test.call.limit, test.call.tokens = 50, 30
		if err := test.call.on(meter); err != nil && test.call.outcome != "lost" {
			t.Errorf("%s: %v", test.name, err)
		}
		s := meter.Guard().Snapshot()[0]
		if s.Spent != farebox.Cents(test.charged) || !s.Held.IsZero() || s.InFlight != 0 || (s.Overruns > 0) != (test.charged > 50) {
			t.Errorf("%s: the budget stands at %+v, want %d cents", test.name, s, test.charged)
		}
		count := 0
		for r := range meter.Ledger().Receipts(farebox.Filter{}) {
			count++
			if r.Source != test.source || r.Budgets[0].Charged != s.Spent || r.Budgets[0].Held != farebox.Cents(50) ||
				r.HasFlag(farebox.FlagOverrun) != (test.charged > 50) {
				t.Errorf("%s: receipt %s %+v %v", test.name, r.Source, r.Budgets, r.Flags)
			}
		}
		if count != 1 {
			t.Errorf("%s: %d receipts", test.name, count)
		}
	}
}

// TestOverrunClosesTheScope checks that a call which cost more than was held is booked in full, and that nothing more
// is admitted, free calls included.
func TestOverrunClosesTheScope(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1)}), farebox.WithPrice("free", coinRates("0")))
	mustSpend(t, meter, coinCall{limit: 100, tokens: 130})
	if s := meter.Guard().Snapshot()[0]; s.Spent != farebox.Cents(130) || s.Free.Sign() != 0 || s.Overruns != 1 {
		t.Errorf("status: %+v", s)
	}
	mustRefuse(t, meter, coinCall{model: "free", limit: 1})
}

func TestSnapshotInFlight(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(
		farebox.Budget{Name: "b", Cap: farebox.Dollars(1)}, farebox.Budget{Name: "unused", Cap: farebox.Dollars(2), Scope: farebox.Scope{Model: "none"}}))
	mustSpend(t, meter, coinCall{limit: 10, tokens: 10})
	open, err := coinCall{limit: 60, tokens: 20}.start(meter)
	if err != nil {
		t.Fatal(err)
	}
	refused := mustRefuse(t, meter, coinCall{limit: 31})
	if refused.Reason != farebox.ReasonContended || refused.Held != farebox.Cents(60) || refused.OutputTokens != 30 || !refused.ResetAt.IsZero() {
		t.Errorf("refused: %+v", refused)
	}
	want := farebox.BudgetStatus{
		Budget: "b", Window: "total", Cap: farebox.Dollars(1), Spent: farebox.Cents(10), Held: farebox.Cents(60),
		Free: farebox.Cents(30), InFlight: 1, Refusals: 1,
	}
	all := meter.Guard().Snapshot()
	if len(all) != 2 || all[0] != want || all[1] != (farebox.BudgetStatus{Budget: "unused", Window: "total", Cap: farebox.Dollars(2), Free: farebox.Dollars(2)}) {
		t.Errorf("snapshot %+v\nwant %+v", all, want)
	}
	finish(t, open)
	want.Spent, want.Held, want.Free, want.InFlight = farebox.Cents(30), farebox.Money{}, farebox.Cents(70), 0
	if got := meter.Guard().Snapshot()[0]; got != want {
		t.Errorf("at the end %+v\nwant %+v", got, want)
	}
}

// TestProposedLimitIsAdmitted follows the advice of refusals.
func TestProposedLimitIsAdmitted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(
			farebox.Budget{Name: "b", Cap: farebox.Cents(rapid.Int64Range(0, 300).Draw(r, "cap"))}))
		call := coinCall{limit: rapid.Int64Range(1, 500).Draw(r, "limit")}
		var refused *farebox.BudgetError
		if err := call.on(meter); !errors.As(err, &refused) {
			return
		}
		if refused.OutputTokens == 0 {
			if !refused.Fits.IsZero() {
				r.Errorf("no limit is proposed: %+v", refused)
			}
			return
		}
		call.limit = refused.OutputTokens + 1
		if err := call.on(meter); err == nil {
			r.Errorf("more than the proposed limit is admitted: %+v", refused)
		}
		call.limit = refused.OutputTokens
		if err := call.on(meter); err != nil {
			r.Errorf("the proposed limit is refused: %v", err)
		}
	})
}

// postTokens makes a call of a run that uses so many tokens, and leaves its answer open.
func postTokens(t *testing.T, meter *farebox.Meter, run *farebox.Run, body, tokens string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(run.Context(), http.MethodPost, "https://acme.test/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Tokens", tokens)
	req.Header.Set("X-Served", "coin")
	return meter.HTTPClient().Do(req)
}
