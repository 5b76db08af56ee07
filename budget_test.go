package farebox_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox"
	"pgregory.net/rapid"
)

func TestBadBudgets(t *testing.T) {
	t.Parallel()
	good := farebox.Budget{Name: "good", Cap: farebox.Dollars(1)}
	window := func(w farebox.Window) farebox.Budget { return farebox.Budget{Name: "b", Window: w} }
	tests := []struct {
		name    string
		budgets []farebox.Budget
		want    string
	}{
		{"no name", []farebox.Budget{{Cap: farebox.Dollars(1)}}, "a budget needs a name"},
		{"negative cap", []farebox.Budget{{Name: "b", Cap: farebox.Cents(-1)}}, `budget "b": cap -$0.01 is negative`},
		{"the same name twice", []farebox.Budget{good, {Name: "other"}, good}, `two budgets named "good"`},
		{"negative MaxValues", []farebox.Budget{{Name: "b", Per: "user", MaxValues: -1}}, `budget "b": MaxValues -1`},
		{"no length", []farebox.Budget{window(farebox.Rolling(0))}, `budget "b": a rolling window of 0s`},
		{"negative length", []farebox.Budget{window(farebox.Rolling(-time.Hour))}, "rolling window of -1h0m0s"},
		{"too long", []farebox.Budget{window(farebox.Rolling(200_000 * time.Hour))}, "rolling 200000h0m0s"},
		{"unknown zone", []farebox.Budget{window(farebox.Daily.In("Europe/Atlantis"))}, `time zone "Europe/Atlantis" is not known`},
		{"zone on a rolling window", []farebox.Budget{window(farebox.Rolling(time.Hour).In("UTC"))}, "rolling 1h0m0s window has no time zone"},
		{"zone on a call", []farebox.Budget{window(farebox.PerCall.In("UTC"))}, "per call window has no time zone"},
		{"tokens and money", []farebox.Budget{{Name: "b", Cap: farebox.Cents(1), Tokens: 1}}, "more than one of Cap, Tokens and Requests"},
		{"negative tokens", []farebox.Budget{{Name: "b", Tokens: -1}}, "-1 tokens"},
		{"requests per call", []farebox.Budget{{Name: "b", Requests: 1, Window: farebox.PerCall}}, "every call is one"},
		{"unknown WhenFull", []farebox.Budget{{Name: "b", WhenFull: "panic"}}, `WhenFull "panic" is not known`},
		{"unknown Hold", []farebox.Budget{{Name: "b", Hold: "loose"}}, `Hold "loose" is not known`},
		{"negative floor", []farebox.Budget{{Name: "b", MinOutputTokens: -1}}, "MinOutputTokens -1"},
		{"tolerance", []farebox.Budget{{Name: "b", TolerancePercent: 101}}, "TolerancePercent 101"},
		{"falling thresholds", []farebox.Budget{{Name: "b", Thresholds: []int{80, 50}}}, "Thresholds [80 50]"},
		{"threshold of nothing", []farebox.Budget{{Name: "b", Thresholds: []int{0}}}, "Thresholds [0]"},
		{"first day of a day", []farebox.Budget{window(farebox.Daily.StartingOn(time.Sunday))}, "daily window with a first day"},
		{"no such weekday", []farebox.Budget{window(farebox.Weekly.StartingOn(7))}, "from Sunday to Saturday"},
		{"anchor of a week", []farebox.Budget{window(farebox.Weekly.AnchoredOn(3))}, "weekly window anchored on day 3"},
		{"no such day", []farebox.Budget{window(farebox.Monthly.AnchoredOn(32))}, "from 1 to 31"},
		{"day 0", []farebox.Budget{window(farebox.Monthly.AnchoredOn(0))}, "from 1 to 31"},
		{"zone on a total", []farebox.Budget{window(farebox.Window{}.In("UTC"))}, "total window has no time zone"},
	}
	for _, test := range tests {
		if _, err := farebox.NewMeter(farebox.WithBudget(test.budgets...)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: NewMeter: %v, want an error with %q", test.name, err, test.want)
		}
		if _, err := farebox.New(farebox.OpenAI("k"), farebox.WithBudget(test.budgets...)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: New: %v, want an error with %q", test.name, err, test.want)
		}
	}
}

func TestWindowNames(t *testing.T) {
	t.Parallel()
	for want, window := range map[string]farebox.Window{
		"total": {}, "per call": farebox.PerCall, "hourly": farebox.Hourly, "daily": farebox.Daily, "weekly": farebox.Weekly,
		"monthly": farebox.Monthly, "rolling 24h0m0s": farebox.Rolling(24 * time.Hour), "daily in Europe/Zurich": farebox.Daily.In("Europe/Zurich"),
		"weekly from Sunday in Asia/Tokyo": farebox.Weekly.StartingOn(time.Sunday).In("Asia/Tokyo"), "monthly from day 15": farebox.Monthly.AnchoredOn(15),
	} {
		if got := window.String(); got != want {
			t.Errorf("window %q, want %q", got, want)
		}
	}
}

// outlay is a call of a plan: it waits, then asks for so many cents and costs some of them.
type outlay struct {
	wait         time.Duration
	limit, costs int64
}

func anyPlan() *rapid.Generator[[]outlay] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) outlay {
		o := outlay{limit: rapid.Int64Range(1, 100).Draw(t, "limit")}
		o.costs = rapid.Int64Range(0, o.limit).Draw(t, "costs")
		longest := rapid.SampledFrom([]time.Duration{0, time.Minute, 3 * time.Hour, 40 * 24 * time.Hour}).Draw(t, "longest")
		o.wait = time.Duration(rapid.Int64Range(0, int64(longest)).Draw(t, "wait"))
		return o
	}), 1, 25)
}

// spent is what a plan's calls that were admitted cost, and when.
type spent struct {
	at    time.Time
	cents int64
}

// carryOut makes a plan's calls under one budget of a dollar. Each that is refused must say when there will be room
// for it, and be admitted then.
func carryOut(t *rapid.T, meter *farebox.Meter, provider *coinProvider, plan []outlay) []spent {
	var all []spent
	for _, o := range plan {
		time.Sleep(o.wait)
		call := coinCall{limit: o.limit, tokens: o.costs}
		err := call.on(meter)
		if refused := new(farebox.BudgetError); errors.As(err, &refused) {
			if !refused.ResetAt.After(time.Now()) || refused.Asked != farebox.Cents(o.limit) {
				t.Errorf("at %s: %+v", time.Now(), refused)
				return all
			}
			time.Sleep(time.Until(refused.ResetAt))
			err = call.on(meter)
		}
		if err != nil {
			t.Errorf("at %s a call for %d cents is refused, which should fit now: %v", time.Now(), o.limit, err)
			return all
		}
		all = append(all, spent{time.Now(), o.costs})
	}
	var cents int64
	for _, s := range all {
		cents += s.cents
	}
	if cents != provider.billed() {
		t.Errorf("%d cents were spent, and %d billed", cents, provider.billed())
	}
	return all
}

// TestCalendarWindows spends at random times, for months, and adds up what was spent between any two turns of the
// calendar: never more than the cap.
func TestCalendarWindows(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Skip("no time zone database")
	}
	week := func(at time.Time) string {
		year, week := at.ISOWeek() // of Monday to Sunday
		return fmt.Sprint(year, week)
	}
	windows := []struct {
		window farebox.Window
		zone   *time.Location
		period func(time.Time) string
	}{
		{farebox.Hourly, time.UTC, func(at time.Time) string { return at.Format("2006-01-02 15") }},
		{farebox.Daily, time.UTC, func(at time.Time) string { return at.Format("2006-01-02") }},
		{farebox.Daily.In("Europe/Zurich"), zone, func(at time.Time) string { return at.Format("2006-01-02") }},
		{farebox.Weekly, time.UTC, week},
		{farebox.Weekly.In("Europe/Zurich"), zone, week},
		{farebox.Monthly, time.UTC, func(at time.Time) string { return at.Format("2006-01") }},
		{farebox.Monthly.In("Europe/Zurich"), zone, func(at time.Time) string { return at.Format("2006-01") }},
	}
	for _, w := range windows {
		t.Run(w.window.String(), func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				plan := anyPlan().Draw(r, "plan")
				synctest.Test(t, func(t *testing.T) {
					provider := &coinProvider{}
					meter := coinMeter(t, provider, farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1), Window: w.window}))
					sums := map[string]int64{}
					for _, s := range carryOut(r, meter, provider, plan) {
						period := w.period(s.at.In(w.zone))
						if sums[period] += s.cents; sums[period] > 100 {
							r.Errorf("%d cents spent in %s", sums[period], period)
						}
					}
				})
			})
		})
	}
}

// TestRollingWindow is the same for windows that roll: no interval of the window's length has more than the cap in it.
func TestRollingWindow(t *testing.T) {
	t.Parallel()
	for _, length := range []time.Duration{time.Second, time.Hour, 24 * time.Hour, 30 * 24 * time.Hour} {
		t.Run(length.String(), func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				plan := anyPlan().Draw(r, "plan")
				synctest.Test(t, func(t *testing.T) {
					provider := &coinProvider{}
					meter := coinMeter(t, provider, farebox.WithBudget(
						farebox.Budget{Name: "b", Cap: farebox.Dollars(1), Window: farebox.Rolling(length)}))
					all := carryOut(r, meter, provider, plan)
					for i, first := range all {
						var sum int64
						for _, s := range all[i:] {
							if s.at.Sub(first.at) < length {
								sum += s.cents
							}
						}
						if sum > 100 {
							r.Errorf("%d cents spent in %s from %s on", sum, length, first.at)
						}
					}
				})
			})
		})
	}
}

// TestDailyWindowInAZone pins down the turn of the day, and what is said about it.
func TestDailyWindowInAZone(t *testing.T) {
	t.Parallel()
	if _, err := time.LoadLocation("America/New_York"); err != nil {
		t.Skip("no time zone database")
	}
	synctest.Test(t, func(t *testing.T) { // starts at midnight UTC, 7 in the evening in New York
		meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(
			farebox.Budget{Name: "b", Cap: farebox.Dollars(1), Window: farebox.Daily.In("America/New_York")}))
		turn := time.Now().Add(5 * time.Hour)
		mustSpend(t, meter, coinCall{limit: 100, tokens: 60})
		refused := mustRefuse(t, meter, coinCall{limit: 41})
		if refused.Reason != farebox.ReasonExhausted || !refused.ResetAt.Equal(turn) || refused.Spent != farebox.Cents(60) ||
			refused.Fits != farebox.Cents(40) || refused.OutputTokens != 40 {
			t.Errorf("refused: %+v", refused)
		}
		status := meter.Guard().Snapshot()[0]
		if !status.ResetAt.Equal(turn) || !status.Start.Equal(turn.Add(-24*time.Hour)) || status.Window != "daily in America/New_York" {
			t.Errorf("status: %+v", status)
		}
		time.Sleep(5*time.Hour - time.Nanosecond)
		mustRefuse(t, meter, coinCall{limit: 41})
		time.Sleep(time.Nanosecond)
		mustSpend(t, meter, coinCall{limit: 100, tokens: 100})
		if status := meter.Guard().Snapshot()[0]; status.Spent != farebox.Dollars(1) || status.Refusals != 2 {
			t.Errorf("status after the turn: %+v", status)
		}
	})
}

// TestHoldOfAWindowThatTurned checks that a call which ends after its window has turned is not booked in the next.
func TestHoldOfAWindowThatTurned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(
			farebox.Budget{Name: "b", Cap: farebox.Dollars(1), Window: farebox.Hourly}))
		resp, err := coinCall{limit: 100, tokens: 80}.start(meter)
		if err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, meter, coinCall{limit: 1})
		time.Sleep(time.Hour)
		mustSpend(t, meter, coinCall{limit: 100, tokens: 10})
		finish(t, resp)
		if status := meter.Guard().Snapshot()[0]; status.Spent != farebox.Cents(10) || !status.Held.IsZero() || status.InFlight != 0 {
			t.Errorf("status: %+v", status)
		}
		if total := meter.Ledger().Total(); total.Cost != farebox.Cents(90) {
			t.Errorf("the ledger has %s, want both calls: $0.9", total.Cost)
		}
	})
}

func TestTotalIsNeverReset(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(farebox.Budget{Name: "prepaid", Cap: farebox.Cents(50)}))
		mustSpend(t, meter, coinCall{limit: 50, tokens: 50})
		time.Sleep(10_000 * time.Hour)
		if refused := mustRefuse(t, meter, coinCall{limit: 1}); !refused.ResetAt.IsZero() || refused.Spent != farebox.Cents(50) {
			t.Errorf("refused: %+v", refused)
		}
	})
}

func TestPerCallBudget(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(
		farebox.Budget{Name: "each", Cap: farebox.Cents(10), Window: farebox.PerCall},
		farebox.Budget{Name: "each user's", Cap: farebox.Cents(10), Window: farebox.PerCall, Per: "user"}))
	for range 20 {
		mustSpend(t, meter, coinCall{limit: 10, tokens: 10, tags: farebox.Tags{"user": "u"}})
	}
	refused := mustRefuse(t, meter, coinCall{limit: 11})
	if refused.Reason != farebox.ReasonPerCall || refused.OutputTokens != 10 || !refused.ResetAt.IsZero() || refused.Cap != farebox.Cents(10) {
		t.Errorf("refused: %+v", refused)
	}
	all := meter.Guard().Snapshot()
	if len(all) != 2 || all[0].Window != "per call" || all[0].Refusals != 1 || all[1].Budget != "each user's" || all[1].Refusals != 1 {
		t.Errorf("snapshot: %+v", all)
	}
}

// TestCapIsRoundedDown checks that a cap finer than a budget counts is not exceeded by the rest.
func TestCapIsRoundedDown(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.MustMoney("0.019999999999")}))
	mustSpend(t, meter, coinCall{limit: 1, tokens: 1})
	refused := mustRefuse(t, meter, coinCall{limit: 1})
	if refused.Fits != farebox.MustMoney("0.009999999") || refused.OutputTokens != 0 {
		t.Errorf("refused: %+v", refused)
	}
}

func TestZeroCap(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(farebox.Budget{Name: "none"}), farebox.WithPrice("free", coinRates("0")))
	mustSpend(t, meter, coinCall{model: "free", limit: 100, tokens: 100})
	mustRefuse(t, meter, coinCall{limit: 1})
}

func TestScopes(t *testing.T) {
	t.Parallel()
	hash := hashOf(t, coinKey)
	scopes := map[string]farebox.Scope{
		"all": {}, "team a": {Tags: farebox.Tags{"team": "a"}}, "team a in prod": {Tags: farebox.Tags{"team": "a", "env": "prod"}},
		"without a name": {Tags: farebox.Tags{"team": ""}},
		"label":          {Key: "main"}, "hash": {Key: hash}, "no such key": {Key: "sk"},
		"endpoint": {Endpoint: "other"}, "model": {Model: "coin"}, "model at endpoint": {Model: "dime", Endpoint: "other"},
	}
	var budgets []farebox.Budget
	for name, scope := range scopes {
		budgets = append(budgets, farebox.Budget{Name: name, Cap: farebox.Dollars(100), Scope: scope})
	}
	for _, test := range []struct {
		name string
		call coinCall
		want []string
	}{
		{"plain", coinCall{}, []string{"label", "hash", "model"}},
		{"one tag", coinCall{tags: farebox.Tags{"team": "a", "user": "u"}}, []string{"team a", "label", "hash", "model"}},
		{"two tags", coinCall{tags: farebox.Tags{"team": "a", "env": "prod"}}, []string{"team a", "team a in prod", "label", "hash", "model"}},
		{"other tag", coinCall{tags: farebox.Tags{"team": "b"}}, []string{"label", "hash", "model"}},
		{"a tag that is empty", coinCall{tags: farebox.Tags{"team": ""}}, []string{"without a name", "label", "hash", "model"}},
		{"other endpoint", coinCall{host: "other.test", key: "sk-other"}, []string{"endpoint", "model"}},
		{"other model there", coinCall{host: "other.test", key: "sk-other", model: "dime"}, []string{"endpoint", "model at endpoint"}},
		{"other key here", coinCall{key: "sk-stranger"}, []string{"model"}},
		{"a place that is not registered", coinCall{host: "third.test", key: coinKey}, []string{"hash", "model"}},
	} {
		meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(budgets...), farebox.WithPrice("dime", coinRates("0.1")))
		test.call.limit, test.call.tokens = 7, 7
		mustSpend(t, meter, test.call)
		cents := int64(7)
		if test.call.model == "dime" {
			cents = 70
		}
		want := map[string]int64{"all": cents}
		for name := range scopes {
			want[name] += 0
		}
		for _, name := range test.want {
			want[name] = cents
		}
		if got := standing(meter); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\nwant %v", test.name, got, want)
		}
	}
}

// hashOf learns how farebox shows a key.
func hashOf(t testing.TB, key string) string {
	t.Helper()
	meter := coinMeter(t, &coinProvider{})
	mustSpend(t, meter, coinCall{key: key, limit: 1})
	for r := range meter.Ledger().Receipts(farebox.Filter{}) {
		return r.KeyHash
	}
	t.Fatal("no receipt")
	return ""
}

func TestPerTag(t *testing.T) {
	t.Parallel()
	provider := &coinProvider{}
	meter := coinMeter(t, provider, farebox.WithBudget(farebox.Budget{Name: "each", Cap: farebox.Cents(10), Per: "user"}))
	user := func(name string, limit, tokens int64) coinCall {
		return coinCall{tags: farebox.Tags{"user": name}, limit: limit, tokens: tokens}
	}
	mustSpend(t, meter, user("b", 10, 10))
	mustSpend(t, meter, user("a", 10, 4))
	mustSpend(t, meter, coinCall{limit: 10, tokens: 3}) // calls without the tag share a cap
	mustSpend(t, meter, coinCall{limit: 7, tokens: 1, tags: farebox.Tags{"team": "x"}})
	if refused := mustRefuse(t, meter, user("b", 1, 1)); refused.Value != "b" || refused.Budget != "each" || refused.Spent != farebox.Cents(10) {
		t.Errorf("refused: %+v", refused)
	}
	if refused := mustRefuse(t, meter, coinCall{limit: 7}); refused.Value != "" || refused.Spent != farebox.Cents(4) {
		t.Errorf("refused: %+v", refused)
	}
	mustSpend(t, meter, user("a", 6, 6))
	if got, want := standing(meter), (map[string]int64{"each": 4, "each/a": 10, "each/b": 10}); !reflect.DeepEqual(got, want) {
		t.Errorf("budgets stand at %v, want %v", got, want)
	}
	for r := range meter.Ledger().Receipts(farebox.Filter{Tags: farebox.Tags{"user": "b"}}) {
		want := farebox.BudgetCharge{Budget: "each", Value: "b", Held: farebox.Cents(10), Charged: farebox.Cents(10)}
		if len(r.Budgets) != 1 || r.Budgets[0] != want {
			t.Errorf("the receipt says %+v", r.Budgets)
		}
	}
	if provider.count() != 5 {
		t.Errorf("%d requests were sent, want 5", provider.count())
	}
}

func TestTooManyValues(t *testing.T) {
	t.Parallel()
	user := func(name string) coinCall { return coinCall{tags: farebox.Tags{"user": name}, limit: 1, tokens: 1} }
	budget := farebox.Budget{Name: "each", Cap: farebox.Cents(10), Per: "user", MaxValues: 2}
	meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(budget))
	mustSpend(t, meter, user("a"))
	mustSpend(t, meter, user("b"))
	if refused := mustRefuse(t, meter, user("c")); refused.Reason != farebox.ReasonTooManyValues || refused.Value != "c" {
		t.Errorf("refused: %+v", refused)
	}
	mustSpend(t, meter, user("a"))

	budget.Observe = true // refuses nothing, this neither
	meter = coinMeter(t, &coinProvider{}, farebox.WithBudget(budget, farebox.Budget{Name: "all", Cap: farebox.Dollars(1)}))
	for _, name := range []string{"a", "b", "c"} {
		mustSpend(t, meter, user(name))
	}
	for r := range meter.Ledger().Receipts(farebox.Filter{}) {
		if r.HasFlag(farebox.FlagWouldRefuse) != (r.Tags["user"] == "c") {
			t.Errorf("%v: flags %v", r.Tags, r.Flags)
		}
	}
	if got, want := standing(meter), (map[string]int64{"all": 3, "each/a": 1, "each/b": 1}); !reflect.DeepEqual(got, want) {
		t.Errorf("budgets stand at %v, want %v", got, want)
	}
}

func TestBudgetErrorText(t *testing.T) {
	t.Parallel()
	full := farebox.BudgetError{
		Reason: farebox.ReasonExhausted, Budget: "team", Endpoint: "acme", Model: "coin", Cap: farebox.Dollars(5),
		Spent: farebox.MustMoney("4.5"), Held: farebox.Cents(20), Asked: farebox.Dollars(1), OutputTokens: 30,
		ResetAt: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC),
	}
	with := func(change func(*farebox.BudgetError)) *farebox.BudgetError {
		e := full
		change(&e)
		return &e
	}
	tests := []struct {
		err  *farebox.BudgetError
		want string
	}{
		{&full, `farebox: budget "team" of $5 is exhausted: $4.5 spent, $0.2 held, the call may cost $1; it would fit with an ` +
			`output limit of 30 tokens; resets at 2026-11-25T00:00:00Z (nothing was sent)`},
		{with(func(e *farebox.BudgetError) {
			e.Reason, e.Value, e.OutputTokens, e.ResetAt = farebox.ReasonContended, "u42", 0, time.Time{}
		}),
			`farebox: budget "team" for "u42" of $5 is full of calls in flight: $4.5 spent, $0.2 held, the call may cost $1 (nothing was sent)`},
		{with(func(e *farebox.BudgetError) { e.Reason = farebox.ReasonPerCall }), `budget "team" of $5 is per call`},
		{with(func(e *farebox.BudgetError) { e.Reason = farebox.ReasonPaused }), `farebox: budget "team" is paused (nothing was sent)`},
		{with(func(e *farebox.BudgetError) { e.Reason, e.Budget = farebox.ReasonPaused, "" }), `farebox: endpoint acme or its key is paused`},
		{with(func(e *farebox.BudgetError) { e.Reason = farebox.ReasonUnpriceable }),
			`farebox: model "coin" at acme has no price and budget "team" applies: set one with WithPrice`},
		{with(func(e *farebox.BudgetError) { e.Reason = farebox.ReasonTooManyValues }), `farebox: budget "team" keeps as many values`},
	}
	for _, test := range tests {
		if got := test.err.Error(); !strings.Contains(got, test.want) || !strings.HasSuffix(got, "(nothing was sent)") {
			t.Errorf("%s:\n got %s\nwant %s", test.err.Reason, got, test.want)
		}
	}
}

func TestBudgetErrorIs(t *testing.T) {
	t.Parallel()
	sentinels := []error{farebox.ErrRefused, farebox.ErrBudgetExceeded, farebox.ErrUnpriced, farebox.ErrPaused,
		farebox.ErrNoCandidate, farebox.ErrProvider, farebox.ErrNetwork, farebox.ErrTimeout, farebox.ErrRateLimit}
	exceeded := []error{farebox.ErrRefused, farebox.ErrBudgetExceeded}
	for reason, want := range map[farebox.RefusalReason][]error{
		farebox.ReasonExhausted: exceeded, farebox.ReasonContended: exceeded, farebox.ReasonPerCall: exceeded,
		farebox.ReasonTooManyValues: exceeded,
		farebox.ReasonUnpriceable:   {farebox.ErrRefused, farebox.ErrUnpriced},
		farebox.ReasonPaused:        {farebox.ErrRefused, farebox.ErrPaused},
	} {
		err := fmt.Errorf("wrapped: %w", &farebox.BudgetError{Reason: reason})
		for _, sentinel := range sentinels {
			if got := errors.Is(err, sentinel); got != slices.Contains(want, sentinel) {
				t.Errorf("%s matches %q: %t", reason, sentinel, got)
			}
		}
	}
}
