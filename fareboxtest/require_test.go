package fareboxtest_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

// judged is a testing.TB that notes how a test of an assertion ended.
type judged struct {
	testing.TB
	failure string
}

func (j *judged) Helper() {}

// failed stops a test of an assertion, as Fatalf does.
type failed struct{}

func (j *judged) Fatalf(format string, arguments ...any) {
	j.failure = fmt.Sprintf(format, arguments...)
	panic(failed{})
}

// failureOf runs an assertion and returns what it failed with; empty: it passed.
func failureOf(tb testing.TB, assert func(testing.TB)) string {
	j := &judged{TB: tb}
	func() {
		defer func() {
			if r := recover(); r != nil && r != (failed{}) {
				panic(r)
			}
		}()
		assert(j)
	}()
	return j.failure
}

func TestRequire(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	client := clientOf(t, p, budget("0.01"))
	release := p.Hold()
	defer release()
	done := make(chan error)
	go func() {
		_, err := client.CreateChatCompletion(t.Context(), question)
		done <- err
	}()
	if err := p.WaitForRequests(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	held := client.Meter().Guard().Snapshot()[0].Held
	refused := fmt.Errorf("wrapped: %w", &farebox.BudgetError{Budget: "b", Reason: farebox.ReasonExhausted})
	for _, c := range []struct {
		name   string
		assert func(testing.TB)
		want   string
	}{
		{"cost", func(tb testing.TB) { fareboxtest.RequireCost(tb, "$1.50", farebox.Cents(150)) }, ""},
		{"cost as money", func(tb testing.TB) { fareboxtest.RequireCost(tb, farebox.Cents(150), farebox.Cents(150)) }, ""},
		{"wrong cost", func(tb testing.TB) { fareboxtest.RequireCost(tb, "1.5", farebox.Cents(151)) }, "the cost is $1.51, want $1.5"},
		{"no cost", func(tb testing.TB) { fareboxtest.RequireCost(tb, "dear", farebox.Money{}) }, "fareboxtest: the wanted cost is no amount: " + parseError("dear")},
		{"refused", func(tb testing.TB) {
			if got := fareboxtest.RequireRefused(tb, refused); got.Budget != "b" {
				tb.Fatalf("the budget is %q", got.Budget)
			}
		}, ""},
		{"not refused", func(tb testing.TB) { fareboxtest.RequireRefused(tb, errors.New("odd")) }, "the error is odd, want a refusal of a budget"},
		{"admitted", func(tb testing.TB) { fareboxtest.RequireRefused(tb, nil) }, "the error is <nil>, want a refusal of a budget"},
		{"in flight", func(tb testing.TB) { fareboxtest.RequireSettled(tb, client.Meter()) }, fmt.Sprintf(`budget "test"  holds %v for 1 calls, want none`, held)},
		{"requests", func(tb testing.TB) { fareboxtest.RequireRequests(tb, p, 1) }, ""},
		{"too many requests", func(tb testing.TB) { fareboxtest.RequireRequests(tb, p, 0) }, "1 requests have arrived at the provider, want 0"},
	} {
		if got := failureOf(t, c.assert); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := failureOf(t, func(tb testing.TB) { fareboxtest.RequireSettled(tb, client.Meter()) }); got != "" {
		t.Error(got)
	}
	if got := failureOf(t, func(tb testing.TB) { fareboxtest.RequireCovered(tb, p, client.Meter()) }); got != "" {
		t.Error(got)
	}
	other := clientOf(t, p)
	if got := failureOf(t, func(tb testing.TB) { fareboxtest.RequireCovered(tb, p, other.Meter()) }); got == "" {
		t.Error("empty books cover a bill")
	}
}

func parseError(text string) string {
	_, err := farebox.ParseMoney(text)
	return err.Error()
}
