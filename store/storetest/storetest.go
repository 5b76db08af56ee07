// Package storetest holds a [store.Store] against the protocol: what every store that a spending cap rests on must do,
// however many clients ask at once, and whatever messages are lost, repeated or late.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/farebox-go/farebox/store"
)

// Run tests a store. open returns one that no test has used yet; several calls give several stores that share nothing.
// Stores are closed by the test that opened them.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for name, test := range map[string]func(*testing.T, store.Store){
		"AllOrNothing":     allOrNothing,
		"CapIsExact":       capIsExact,
		"Repeated":         repeated,
		"LostAnswer":       lostAnswer,
		"Returned":         returned,
		"Overspent":        overspent,
		"LargeAmounts":     largeAmounts,
		"EverySize":        everySize,
		"WindowsTurn":      windowsTurn,
		"RollingWindow":    rollingWindow,
		"WrongWindow":      wrongWindow,
		"LostWrites":       lostWrites,
		"Correct":          correct,
		"Recall":           recall,
		"BadRequests":      badRequests,
		"Context":          contexts,
		"Closed":           closed,
		"ManyClients":      manyClients,
		"WantedInAdvance":  wantedInAdvance,
		"ExactNames":       exactNames,
		"NoLines":          noLines,
		"ManyAccounts":     manyAccounts,
		"CorrectedAtOnce":  correctedAtOnce,
		"BalancesOfNobody": balancesOfNobody,
		"Faults":           faults,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() { _ = s.Close() })
			test(t, s)
		})
	}
	t.Run("Model", func(t *testing.T) { model(t, open) })
}

var ctx = context.Background()

// total is an account that is never reset.
func total(key string) store.Account { return store.Account{Key: key} }

// ask is a line that needs an amount and wants no more.
func ask(a store.Account, limit, need int64) store.Line {
	return store.Line{Account: a, Cap: limit, Need: need}
}

func amend(a store.Account, amount int64) store.Correction {
	return store.Correction{Account: a, Amount: amount}
}

func mustSync(t failer, s store.Store, client string, lines ...store.Line) store.Reply {
	t.Helper()
	reply, err := s.Sync(ctx, client, lines)
	if err != nil {
		t.Fatalf("Sync of %s, %+v: %v", client, lines, err)
	}
	if len(reply.Lines) != len(lines) {
		t.Fatalf("Sync of %d lines: a reply of %d", len(lines), len(reply.Lines))
	}
	return reply
}

func mustGrant(t testing.TB, s store.Store, client string, lines ...store.Line) store.Reply {
	t.Helper()
	reply := mustSync(t, s, client, lines...)
	if reply.Refused >= 0 {
		t.Fatalf("Sync of %s, %+v: refused line %d: %+v", client, lines, reply.Refused, reply.Lines)
	}
	return reply
}

func mustRefuse(t testing.TB, s store.Store, line int, client string, lines ...store.Line) store.Reply {
	t.Helper()
	reply := mustSync(t, s, client, lines...)
	if reply.Refused != line {
		t.Fatalf("Sync of %s, %+v: refused line %d, want %d", client, lines, reply.Refused, line)
	}
	return reply
}

// failer is a test or a case of a property.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func used(t failer, s store.Store, a store.Account) int64 {
	t.Helper()
	balances, err := s.Balances(ctx, []store.Account{a})
	if err != nil || len(balances) != 1 {
		t.Fatalf("Balances: %+v, %v", balances, err)
	}
	return balances[0].Used
}

func wantUsed(t testing.TB, s store.Store, a store.Account, want int64) {
	t.Helper()
	if got := used(t, s, a); got != want {
		t.Fatalf("account %s: used %d, want %d", a.Key, got, want)
	}
}

// allOrNothing: a request that one account refuses takes nothing on any other, wherever that one stands.
func allOrNothing(t *testing.T, s store.Store) {
	a, b, c := total("a"), total("b"), total("c")
	mustGrant(t, s, "one", ask(b, 10, 8))
	mustRefuse(t, s, 1, "one", ask(a, 10, 5), store.Line{Account: b, Cap: 10, Granted: 8, Need: 3}, ask(c, 10, 5))
	wantUsed(t, s, a, 0)
	wantUsed(t, s, b, 8)
	wantUsed(t, s, c, 0)
	mustGrant(t, s, "one", ask(a, 10, 10), store.Line{Account: b, Cap: 10, Granted: 8, Need: 2}, ask(c, 10, 1))
	wantUsed(t, s, b, 10)
}

func capIsExact(t *testing.T, s store.Store) {
	a := total("a")
	for i := range 10 {
		mustGrant(t, s, fmt.Sprint("client ", i), ask(a, 10, 1))
	}
	reply := mustRefuse(t, s, 0, "client 10", ask(a, 10, 1))
	if got := reply.Lines[0]; got.Used != 10 || got.Granted != 0 {
		t.Errorf("refused with %+v", got)
	}
	mustRefuse(t, s, 0, "client 3", store.Line{Account: a, Cap: 10, Granted: 1, Need: 1})
	mustGrant(t, s, "client 3", store.Line{Account: a, Cap: 11, Granted: 1, Need: 1}) // the cap was raised
	mustRefuse(t, s, 0, "client 4", store.Line{Account: a, Cap: 5, Granted: 1, Need: 1})
	mustGrant(t, s, "client 5", store.Line{Account: a, Cap: 5, Granted: 1}) // who needs nothing is refused nothing
}

// wantedInAdvance: what is wanted beyond the need is granted at most as far as the cap leaves it.
func wantedInAdvance(t *testing.T, s store.Store) {
	a := total("a")
	sum := int64(0)
	for i := range 5 {
		client := fmt.Sprint("client ", i)
		sum += mustGrant(t, s, client, store.Line{Account: a, Cap: 100, Need: 1, Want: 1000}).Lines[0].Granted
		wantUsed(t, s, a, sum)
		if sum > 100 {
			t.Fatalf("granted %d of 100", sum)
		}
	}
	reply := mustGrant(t, s, "client 5", store.Line{Account: a, Cap: sum, Want: 1000})
	if reply.Lines[0].Granted != 0 {
		t.Errorf("granted %d where nothing was left, and nothing needed", reply.Lines[0].Granted)
	}
}

// exactNames: keys and clients whose names differ in anything are different ones.
func exactNames(t *testing.T, s store.Store) {
	names := []string{"a", "A", "a ", " a", "a/", "ä", "a\u0308", "Ä", "a%", "a_", "a'b", `a"b`, "ß", "ss", "日", "a:b", "a b"}
	for i, name := range names {
		mustGrant(t, s, "one", ask(total(name), 100, int64(i+1)))
	}
	for i, name := range names {
		wantUsed(t, s, total(name), int64(i+1))
	}
	for i, name := range names {
		if reply := mustGrant(t, s, name, ask(total("shared"), 1000, int64(i+1))); reply.Lines[0].Granted != int64(i+1) {
			t.Errorf("client %q has %d, and was granted %d", name, reply.Lines[0].Granted, i+1)
		}
	}
}

// noLines: a message about nothing says what time it is.
func noLines(t *testing.T, s store.Store) {
	if reply := mustSync(t, s, "one"); reply.Refused >= 0 || reply.Now.IsZero() {
		t.Errorf("a message without lines: %+v", reply)
	}
}

// repeated: the same message again, late or at once, grants nothing more.
func repeated(t *testing.T, s store.Store) {
	a := total("a")
	first := ask(a, 100, 10)
	mustGrant(t, s, "one", first)
	second := store.Line{Account: a, Cap: 100, Granted: 10, Need: 5}
	mustGrant(t, s, "one", second)
	for _, line := range []store.Line{second, first, first, second} {
		if reply := mustGrant(t, s, "one", line); reply.Lines[0].Granted != 15 {
			t.Errorf("%+v again: granted %d, want 15", line, reply.Lines[0].Granted)
		}
	}
	wantUsed(t, s, a, 15)
	mustGrant(t, s, "one", store.Line{Account: a, Cap: 100, Granted: 15, Returned: 6})
	mustGrant(t, s, "one", store.Line{Account: a, Cap: 100, Granted: 15, Returned: 2}) // an older one
	wantUsed(t, s, a, 9)
}

// lostAnswer: what a client was granted without hearing of it serves its next request, even at the cap.
func lostAnswer(t *testing.T, s store.Store) {
	a := total("a")
	mustGrant(t, s, "one", ask(a, 10, 10))
	reply := mustGrant(t, s, "one", ask(a, 10, 7))
	if reply.Lines[0].Granted != 10 {
		t.Errorf("granted %d, want 10", reply.Lines[0].Granted)
	}
	mustRefuse(t, s, 0, "one", ask(a, 10, 11))
	wantUsed(t, s, a, 10)
}

func returned(t *testing.T, s store.Store) {
	a := total("a")
	mustGrant(t, s, "one", ask(a, 10, 10))
	mustRefuse(t, s, 0, "two", ask(a, 10, 4))
	// Returning counts even where the request for more is refused.
	mustRefuse(t, s, 0, "one", store.Line{Account: a, Cap: 10, Granted: 10, Returned: 4, Need: 5})
	wantUsed(t, s, a, 6)
	mustGrant(t, s, "two", ask(a, 10, 4))
	wantUsed(t, s, a, 10)
}

// overspent: what cost more than was held for it is booked beyond the cap, and closes the account.
func overspent(t *testing.T, s store.Store) {
	a := total("a")
	mustGrant(t, s, "one", ask(a, 10, 8))
	mustGrant(t, s, "one", store.Line{Account: a, Cap: 10, Granted: 8, Over: 5})
	wantUsed(t, s, a, 13)
	mustRefuse(t, s, 0, "two", ask(a, 10, 1))
	mustGrant(t, s, "one", store.Line{Account: a, Cap: 10, Granted: 8, Returned: 4, Over: 5})
	wantUsed(t, s, a, 9)
	mustGrant(t, s, "two", ask(a, 10, 1))
	mustGrant(t, s, "one", store.Line{Account: a, Cap: 10, Granted: 8, Returned: 13, Over: 5})
	wantUsed(t, s, a, 1)
}

// largeAmounts: no amount is rounded, not those that a double cannot hold either.
func largeAmounts(t *testing.T, s store.Store) {
	a := total("a")
	const limit = 1<<53 + 3
	mustGrant(t, s, "one", ask(a, limit, 1<<53))
	mustGrant(t, s, "two", ask(a, limit, 1))
	wantUsed(t, s, a, 1<<53+1)
	mustRefuse(t, s, 0, "two", store.Line{Account: a, Cap: limit, Granted: 1, Need: 3})
	mustGrant(t, s, "two", store.Line{Account: a, Cap: limit, Granted: 1, Need: 2})
	mustRefuse(t, s, 0, "three", ask(a, limit, 1))
	wantUsed(t, s, a, limit)

	b := total("b")
	mustGrant(t, s, "one", ask(b, math.MaxInt64, math.MaxInt64-1))
	mustRefuse(t, s, 0, "two", ask(b, math.MaxInt64, 2))
	mustGrant(t, s, "two", ask(b, math.MaxInt64, 1))
}

// everySize: sums are exact on both sides of every power of two, and where they pass it.
func everySize(t *testing.T, s store.Store) {
	for power := 44; power < 61; power++ {
		a, base := total(fmt.Sprint("a", power)), int64(1)<<power
		limit := 3*base + 5
		mustGrant(t, s, "one", ask(a, limit, base-1))
		mustGrant(t, s, "two", ask(a, limit, base+1))
		wantUsed(t, s, a, 2*base)
		back := store.Line{Account: a, Cap: limit, Granted: base - 1, Returned: 3, Over: 5, Need: base - 2, Want: base}
		reply := mustGrant(t, s, "one", back)
		if got := reply.Lines[0].Granted; got != 2*base-3 {
			t.Errorf("of 2^%d: granted %d, want %d", power, got, 2*base-3)
		}
		wantUsed(t, s, a, 3*base)
		mustRefuse(t, s, 0, "three", ask(a, limit, 6))
	}
}

// hours are windows around the store's time: the one that holds it, and the one that would after it.
func hours(t failer, s store.Store) (now time.Time, window func(start, end time.Duration) store.Window) {
	now = mustSync(t, s, "clock", store.Line{Account: total("clock"), Cap: 1}).Now
	return now, func(start, end time.Duration) store.Window {
		w := store.Window{Start: now.Add(start).UnixNano(), End: now.Add(end).UnixNano()}
		w.View = w.Start
		return w
	}
}

// windowsTurn: a new window begins at zero, and an older one takes no more grants.
func windowsTurn(t *testing.T, s store.Store) {
	_, window := hours(t, s)
	first := store.Account{Key: "a", Window: window(-2*time.Hour, time.Hour)}
	second := store.Account{Key: "a", Window: window(-time.Hour, 2*time.Hour)}
	mustGrant(t, s, "one", ask(first, 10, 10))
	mustGrant(t, s, "one", ask(second, 10, 10))
	wantUsed(t, s, second, 10)
	var wrong *store.WindowError
	if _, err := s.Sync(ctx, "two", []store.Line{ask(first, 10, 0), ask(first, 10, 1)}[1:]); !errors.As(err, &wrong) || wrong.Key != "a" {
		t.Errorf("a grant in a window that is over: %v, want a WindowError", err)
	}
	// What is given back to the closed window makes no room in the new one.
	if _, err := s.Sync(ctx, "one", []store.Line{{Account: first, Cap: 10, Granted: 10, Returned: 10}}); err != nil && !errors.As(err, &wrong) {
		t.Errorf("returned to a window that is over: %v", err)
	}
	wantUsed(t, s, second, 10)
	mustRefuse(t, s, 0, "two", ask(second, 10, 1))
}

// rollingWindow: several buckets count together, and leave the view one by one.
func rollingWindow(t *testing.T, s store.Store) {
	_, window := hours(t, s)
	bucket := func(start, view time.Duration) store.Account {
		w := window(start, 6*time.Hour)
		w.View = window(view, 6*time.Hour).Start
		return store.Account{Key: "a", Window: w}
	}
	mustGrant(t, s, "one", ask(bucket(-5*time.Hour, -7*time.Hour), 10, 4))
	mustGrant(t, s, "one", ask(bucket(-4*time.Hour, -6*time.Hour), 10, 4))
	mustRefuse(t, s, 0, "one", ask(bucket(-3*time.Hour, -5*time.Hour), 10, 3))
	mustGrant(t, s, "one", ask(bucket(-2*time.Hour, -4*time.Hour), 10, 6))
	wantUsed(t, s, bucket(-2*time.Hour, -4*time.Hour), 10)
	wantUsed(t, s, bucket(-time.Hour, -3*time.Hour), 6)
	mustGrant(t, s, "one", ask(bucket(-time.Hour, -3*time.Hour), 10, 4))
}

// wrongWindow: a window that does not hold the store's time grants nothing, however far off the client's clock is.
func wrongWindow(t *testing.T, s store.Store) {
	now, window := hours(t, s)
	for _, w := range []store.Window{window(time.Hour, 2*time.Hour), window(-2*time.Hour, -time.Hour)} {
		var wrong *store.WindowError
		_, err := s.Sync(ctx, "one", []store.Line{ask(store.Account{Key: "a", Window: w}, 10, 1)})
		if !errors.As(err, &wrong) {
			t.Fatalf("window %+v: %v, want a WindowError", w, err)
		}
		if wrong.Now.Before(now) || wrong.Now.After(now.Add(time.Hour)) {
			t.Errorf("the store's time is %s, and was %s before", wrong.Now, now)
		}
	}
	mustGrant(t, s, "one", ask(store.Account{Key: "a", Window: window(-time.Hour, time.Hour)}, 10, 10))
}

// lostWrites: a client that knows of more than the store does has found out that the store forgot.
func lostWrites(t *testing.T, s store.Store) {
	a := total("a")
	mustGrant(t, s, "one", ask(a, 100, 10))
	_, err := s.Sync(ctx, "one", []store.Line{{Account: a, Cap: 100, Granted: 40, Need: 1}})
	var lost *store.LostError
	if !errors.As(err, &lost) || !errors.Is(err, store.ErrUnavailable) || lost.Granted != 40 || lost.Stored != 10 {
		t.Errorf("a client that was granted more than is stored: %v", err)
	}
	_, err = s.Sync(ctx, "stranger", []store.Line{{Account: total("unheard of"), Cap: 100, Granted: 1}})
	if !errors.As(err, &lost) {
		t.Errorf("a client of an account that is not stored: %v", err)
	}
}

func correct(t *testing.T, s store.Store) {
	a, b := total("a"), total("b")
	mustGrant(t, s, "gone", ask(a, 10, 10), ask(b, 10, 10))
	mustRefuse(t, s, 0, "one", ask(a, 10, 1))
	for range 3 {
		if err := s.Correct(ctx, "attempt 1", []store.Correction{amend(a, -4), amend(b, -10)}); err != nil {
			t.Fatal(err)
		}
	}
	wantUsed(t, s, a, 6)
	wantUsed(t, s, b, 0)
	mustGrant(t, s, "one", ask(a, 10, 4))
	if err := s.Correct(ctx, "attempt 2", []store.Correction{amend(a, 3)}); err != nil {
		t.Fatal(err)
	}
	wantUsed(t, s, a, 13)
	mustRefuse(t, s, 0, "two", ask(a, 13, 1))

	_, window := hours(t, s)
	first := store.Account{Key: "c", Window: window(-2*time.Hour, time.Hour)}
	second := store.Account{Key: "c", Window: window(-time.Hour, 2*time.Hour)}
	mustGrant(t, s, "one", ask(first, 10, 10))
	mustGrant(t, s, "one", ask(second, 10, 10))
	if err := s.Correct(ctx, "attempt 3", []store.Correction{amend(first, -10), amend(total("unheard of"), -1)}); err != nil {
		t.Fatal(err)
	}
	wantUsed(t, s, second, 10)
	if err := s.Correct(ctx, "", []store.Correction{amend(a, 1)}); err == nil {
		t.Error("a correction without an id was taken")
	}
}

// recall: whoever was refused makes the others give back what they do not need.
func recall(t *testing.T, s store.Store) {
	a := total("a")
	if reply := mustGrant(t, s, "one", store.Line{Account: a, Cap: 100, Need: 50, Want: 100}); reply.Lines[0].Recall {
		t.Error("recalled before anybody was refused")
	}
	mustRefuse(t, s, 0, "two", ask(a, 100, 60))
	reply := mustGrant(t, s, "one", store.Line{Account: a, Cap: 100, Granted: 50})
	if !reply.Lines[0].Recall {
		t.Error("not recalled after another was refused")
	}
}

func badRequests(t *testing.T, s store.Store) {
	a := total("a")
	for name, lines := range map[string][]store.Line{
		"no key":             {{Cap: 10, Need: 1}},
		"a negative cap":     {{Account: a, Cap: -1, Need: 1}},
		"a negative need":    {{Account: a, Cap: 1, Need: -1}},
		"a negative return":  {{Account: a, Cap: 1, Returned: -1}},
		"negative overspend": {{Account: a, Cap: 1, Over: -1}},
		"more than granted":  {{Account: a, Cap: 1, Returned: 1}},
		"the same twice":     {ask(a, 10, 1), ask(a, 10, 1)},
		"a window backwards": {{Account: store.Account{Key: "a", Window: store.Window{Start: 5, End: 4, View: 1}}, Cap: 1}},
	} {
		if _, err := s.Sync(ctx, "one", lines); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	many := []store.Line{ask(a, 10, 1)}
	for i := range 30 {
		many = append(many, ask(total(fmt.Sprint("a", i)), 10, 1))
	}
	if _, err := s.Sync(ctx, "one", append(many, ask(total("a7"), 10, 1))); err == nil {
		t.Error("the same twice among many: taken")
	}
	if _, err := s.Sync(ctx, "", []store.Line{ask(a, 10, 1)}); err == nil {
		t.Error("a client without a name: taken")
	}
	wantUsed(t, s, a, 0)
}

func contexts(t *testing.T, s store.Store) {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Sync(ended, "one", []store.Line{ask(total("a"), 10, 1)}); err == nil {
		t.Error("Sync with a context that has ended")
	}
	if err := s.Correct(ended, "id", []store.Correction{amend(total("a"), 1)}); err == nil {
		t.Error("Correct with a context that has ended")
	}
	if _, err := s.Balances(ended, []store.Account{total("a")}); err == nil {
		t.Error("Balances with a context that has ended")
	}
}

func closed(t *testing.T, s store.Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sync(ctx, "one", []store.Line{ask(total("a"), 10, 1)}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Sync after Close: %v, want ErrUnavailable", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

// manyClients: however many ask at once, no more is granted than the cap, and all of it can be had.
func manyClients(t *testing.T, s store.Store) {
	a, b := total("a"), total("b")
	const limit, clients, rounds = 60, 16, 8
	var granted sync.Map
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			client, sum := fmt.Sprint("client ", i), int64(0)
			for range rounds {
				line := store.Line{Account: a, Cap: limit, Granted: sum, Need: 1}
				other := store.Line{Account: b, Cap: 10 * limit, Granted: sum, Need: 1}
				reply, err := s.Sync(ctx, client, []store.Line{line, other})
				if err != nil {
					t.Errorf("%s: %v", client, err)
					return
				}
				sum = reply.Lines[0].Granted
				if reply.Lines[1].Granted != sum {
					t.Errorf("%s: granted %d on one account and %d on the other", client, sum, reply.Lines[1].Granted)
				}
			}
			granted.Store(client, sum)
		})
	}
	all.Wait()
	var sum int64
	granted.Range(func(_, value any) bool { sum += value.(int64); return true })
	if sum != limit {
		t.Errorf("granted %d in all, want %d", sum, limit)
	}
	wantUsed(t, s, a, limit)
	wantUsed(t, s, b, limit)
}

// manyAccounts: requests that name the same accounts in different orders do not wait for each other for ever.
func manyAccounts(t *testing.T, s store.Store) {
	accounts := []store.Account{total("a"), total("b"), total("c"), total("d")}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			granted := make([]int64, len(accounts))
			for round := range 6 {
				lines := make([]store.Line, len(accounts))
				for j := range accounts {
					k := (i + round + j) % len(accounts)
					if i%2 == 1 {
						k = len(accounts) - 1 - k
					}
					lines[j] = store.Line{Account: accounts[k], Cap: 1000, Granted: granted[k], Need: 1}
				}
				reply, err := s.Sync(ctx, fmt.Sprint("client ", i), lines)
				if err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
				for j := range lines {
					for k := range accounts {
						if accounts[k] == lines[j].Account {
							granted[k] = reply.Lines[j].Granted
						}
					}
				}
			}
		})
	}
	all.Wait()
	for _, a := range accounts {
		wantUsed(t, s, a, 48)
	}
}

func correctedAtOnce(t *testing.T, s store.Store) {
	a := total("a")
	mustGrant(t, s, "gone", ask(a, 100, 100))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := s.Correct(ctx, "attempt", []store.Correction{amend(a, -30)}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	wantUsed(t, s, a, 70)
}

func balancesOfNobody(t *testing.T, s store.Store) {
	balances, err := s.Balances(ctx, []store.Account{total("a"), total("b")})
	if err != nil || len(balances) != 2 || balances[0] != (store.Balance{}) || balances[1] != (store.Balance{}) {
		t.Errorf("Balances: %+v, %v", balances, err)
	}
}
