package fareboxtest

import (
	"errors"
	"testing"

	"github.com/farebox-go/farebox"
)

// RequireCost fails the test unless got is exactly want, an amount or its text ("0.00123"). got is a response's Cost, a
// receipt's, or what a stream's Cost returns.
func RequireCost[Amount string | farebox.Money](tb testing.TB, want Amount, got farebox.Money) {
	tb.Helper()
	var exact farebox.Money
	switch want := any(want).(type) {
	case farebox.Money:
		exact = want
	case string:
		var err error
		if exact, err = farebox.ParseMoney(want); err != nil {
			tb.Fatalf("fareboxtest: the wanted cost is no amount: %v", err)
		}
	}
	if got != exact {
		tb.Fatalf("the cost is %v, want %v", got, exact)
	}
}

// RequireRefused fails the test unless err says that farebox refused a call because of a budget, and returns what it says.
func RequireRefused(tb testing.TB, err error) *farebox.BudgetError {
	tb.Helper()
	var refused *farebox.BudgetError
	if !errors.As(err, &refused) {
		tb.Fatalf("the error is %v, want a refusal of a budget", err)
	}
	return refused
}

// RequireSettled fails the test while money is held by calls of a Meter: every hold ends when its answer has been read to
// the end or closed.
func RequireSettled(tb testing.TB, meter *farebox.Meter) {
	tb.Helper()
	for _, b := range meter.Guard().Snapshot() {
		if b.InFlight != 0 || !b.Held.IsZero() {
			tb.Fatalf("budget %q %s holds %v for %d calls, want none", b.Budget, b.Value, b.Held, b.InFlight)
		}
	}
}

// RequireRequests fails the test unless so many calls have arrived at a Provider: none, where they were all refused.
func RequireRequests(tb testing.TB, p *Provider, want int) {
	tb.Helper()
	if got := p.RequestCount(); got != want {
		tb.Fatalf("%d requests have arrived at the provider, want %d", got, want)
	}
}

// RequireCovered fails the test if a Provider has billed more than a Meter has booked: the books may be too high where an
// outcome is not known, and never too low.
func RequireCovered(tb testing.TB, p *Provider, meter *farebox.Meter) {
	tb.Helper()
	if booked, billed := meter.Ledger().Total().Cost, p.Billed(); booked.Less(billed) {
		tb.Fatalf("the ledger holds %v, less than the %v that the provider has billed", booked, billed)
	}
}
