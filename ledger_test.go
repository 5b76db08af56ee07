package farebox

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// anyReceipt draws receipts that differ in what the ledger looks at.
func anyReceipt() *rapid.Generator[Receipt] {
	return rapid.Custom(func(t *rapid.T) Receipt {
		name := rapid.SampledFrom([]string{"", "a", "b"})
		r := Receipt{
			ID: newID(noon), Start: noon.Add(time.Duration(rapid.Int64Range(-72, 72).Draw(t, "hours")) * time.Hour),
			Endpoint: name.Draw(t, "endpoint"), KeyLabel: name.Draw(t, "key"), Model: name.Draw(t, "model"), ModelAsked: name.Draw(t, "asked"),
			Usage:  Usage{Input: rapid.Int64Range(0, 9).Draw(t, "in"), Reasoning: rapid.Int64Range(0, 9).Draw(t, "out")},
			Cost:   moneyFromNanos(rapid.Int64Range(0, 1e12).Draw(t, "cost")).Add(MustMoney("0.000000000007")),
			Source: rapid.SampledFrom([]Source{Reported, Computed, Estimated, Held, Unbilled, Unpriced}).Draw(t, "source"),
		}
		if rapid.Bool().Draw(t, "tagged") {
			r.Tags = Tags{"team": name.Draw(t, "team"), "user": name.Draw(t, "user")}
		}
		return r
	})
}

func anyFilter() *rapid.Generator[Filter] {
	return rapid.Custom(func(t *rapid.T) Filter {
		name := rapid.SampledFrom([]string{"", "", "a", "b"})
		f := Filter{Endpoint: name.Draw(t, "endpoint"), KeyLabel: name.Draw(t, "key"), Model: name.Draw(t, "model")}
		if rapid.Bool().Draw(t, "from") {
			f.From = noon.Add(time.Duration(rapid.Int64Range(-72, 72).Draw(t, "from hours")) * time.Hour)
		}
		if rapid.Bool().Draw(t, "to") {
			f.To = noon.Add(time.Duration(rapid.Int64Range(-72, 72).Draw(t, "to hours")) * time.Hour)
		}
		if rapid.Bool().Draw(t, "tags") {
			f.Tags = Tags{"team": name.Draw(t, "team")}
		}
		return f
	})
}

// selects reads a filter field by field, as its documentation does.
func selects(f Filter, r Receipt) bool {
	model := r.Model
	if model == "" {
		model = r.ModelAsked
	}
	team, tagged := r.Tags["team"]
	wanted, byTeam := f.Tags["team"]
	return (f.From.IsZero() || !r.Start.Before(f.From)) && (f.To.IsZero() || r.Start.Before(f.To)) &&
		(f.Endpoint == "" || f.Endpoint == r.Endpoint) && (f.KeyLabel == "" || f.KeyLabel == r.KeyLabel) &&
		(f.Model == "" || f.Model == model) && (!byTeam || (tagged && team == wanted))
}

// addUp is a total made in the simplest way.
func addUp(receipts []Receipt, adjusted map[string]Money) (sum Total) {
	for _, r := range receipts {
		sum.Attempts++
		sum.Cost = sum.Cost.Add(r.Cost).Add(adjusted[r.ID])
		sum.InputTokens += r.Usage.Input
		sum.OutputTokens += r.Usage.Reasoning
		if r.Source == Unpriced {
			sum.Unpriced++
		}
		if r.Source == Estimated || r.Source == Held {
			sum.Unsettled++
		}
	}
	return sum
}

// TestLedgerAddsUp compares every sum that a ledger makes with one made over the receipts by hand.
func TestLedgerAddsUp(t *testing.T) {
	t.Parallel()
	groupings := map[string]Grouping{
		"model": ByModel, "endpoint": ByEndpoint, "key": ByKey, "team": ByTag("team"), "day": ByDay(nil),
		"day there": ByDay(time.FixedZone("", 9*3600)),
	}
	rapid.Check(t, func(t *rapid.T) {
		l := Ledger{size: rapid.IntRange(1, 30).Draw(t, "size")}
		all := rapid.SliceOfN(anyReceipt(), 0, 40).Draw(t, "receipts")
		adjusted, count := map[string]Money{}, 0
		for _, r := range all {
			l.Append(r)
			for rapid.Bool().Draw(t, "adjusted") {
				a := Adjustment{ReceiptID: r.ID, Amount: moneyFromNanos(rapid.Int64Range(-1e9, 1e9).Draw(t, "by"))}
				adjusted[r.ID] = adjusted[r.ID].Add(a.Amount)
				l.Adjust(a)
				count++
			}
		}
		if got, want := l.Total(), addUp(all, adjusted); got != want {
			t.Errorf("total %+v\nwant %+v", got, want)
		}
		if got := len(l.Adjustments()); got != count {
			t.Errorf("%d adjustments are kept of %d", got, count)
		}
		kept := all[max(0, len(all)-l.size):] // the newest
		for id := range l.adjusted {
			if !slices.ContainsFunc(kept, func(r Receipt) bool { return r.ID == id }) {
				t.Errorf("the sum of adjustments to %s is kept, which is not", id)
			}
		}
		filter := anyFilter().Draw(t, "filter")
		kept = slices.DeleteFunc(slices.Clone(kept), func(r Receipt) bool { return !selects(filter, r) })
		if got := slices.Collect(l.Receipts(filter)); !slices.EqualFunc(got, kept, func(a, b Receipt) bool { return a.ID == b.ID }) {
			t.Errorf("%d receipts are selected, want %d in the order in which they came", len(got), len(kept))
		}
		for name, by := range groupings {
			groups := map[string][]Receipt{}
			for _, r := range kept {
				groups[by(&r)] = append(groups[by(&r)], r)
			}
			totals := l.Totals(filter, by)
			for i, got := range totals {
				if want := addUp(groups[got.Group], adjusted); got.Total != want {
					t.Errorf("by %s, %q: %+v\nwant %+v", name, got.Group, got.Total, want)
				}
				if i > 0 && totals[i-1].Cost.Less(got.Cost) {
					t.Errorf("by %s: %s comes before %s", name, totals[i-1].Cost, got.Cost)
				}
			}
			if len(totals) != len(groups) {
				t.Errorf("by %s: %d groups, want %d", name, len(totals), len(groups))
			}
		}
	})
}

// TestLedgerRing lets ledgers of many sizes fill and turn, and looks at what they keep after each receipt.
func TestLedgerRing(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 63, 64, 65, 127, 128, 129, 200} {
		l := Ledger{size: size}
		for n := 1; n <= 3*size+1; n++ {
			l.Append(Receipt{Attempt: n, Cost: Cents(1)})
			next := max(1, n-size+1)
			for r := range l.Receipts(Filter{}) {
				if r.Attempt != next {
					t.Fatalf("size %d: after %d receipts comes %d, want %d", size, n, r.Attempt, next)
				}
				next++
			}
			if next != n+1 || l.Total().Cost != Cents(int64(n)) {
				t.Fatalf("size %d: after %d receipts the newest is %d, total %+v", size, n, next-1, l.Total())
			}
		}
	}
}

func TestGroupings(t *testing.T) {
	t.Parallel()
	r := Receipt{
		Endpoint: "acme", KeyLabel: "main", ModelAsked: "asked", Tags: Tags{"team": "search"},
		Start: time.Date(2026, 11, 24, 23, 30, 0, 0, time.UTC),
	}
	served := r
	served.Model = "served"
	for _, test := range []struct {
		name string
		by   Grouping
		r    Receipt
		want string
	}{
		{"the model asked for", ByModel, r, "asked"}, {"the model that served", ByModel, served, "served"},
		{"endpoint", ByEndpoint, r, "acme"}, {"key", ByKey, r, "main"}, {"tag", ByTag("team"), r, "search"}, {"no tag", ByTag("user"), r, ""},
		{"day in UTC", ByDay(nil), r, "2026-11-24"}, {"day elsewhere", ByDay(time.FixedZone("", 3600)), r, "2026-11-25"},
	} {
		if got := test.by(&test.r); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestTotalsOfEqualCostAreInOrder(t *testing.T) {
	t.Parallel()
	var l Ledger
	for _, endpoint := range []string{"c", "a", "b"} {
		l.Append(Receipt{Endpoint: endpoint, Cost: Dollars(1)})
	}
	var names []string
	for _, group := range l.Totals(Filter{}, ByEndpoint) {
		names = append(names, group.Group)
	}
	if !slices.Equal(names, []string{"a", "b", "c"}) {
		t.Errorf("groups %q", names)
	}
}

func TestZeroLedger(t *testing.T) {
	t.Parallel()
	var l Ledger
	if l.Total() != (Total{}) || len(l.Totals(Filter{}, ByModel)) != 0 || len(l.Adjustments()) != 0 {
		t.Error("the zero ledger has something in it")
	}
	for r := range l.Receipts(Filter{}) {
		t.Errorf("the zero ledger has a receipt: %v", r)
	}
	l.Append(Receipt{})
	if l.size != DefaultLedgerSize {
		t.Errorf("the zero ledger keeps %d receipts", l.size)
	}
}

// TestReceiptsAreIteratedAsTheyStood appends while an iteration is under way, and leaves one early.
func TestReceiptsAreIteratedAsTheyStood(t *testing.T) {
	t.Parallel()
	l := Ledger{size: 3}
	for i := range 5 {
		l.Append(Receipt{ID: fmt.Sprint(i)})
	}
	var seen []string
	for r := range l.Receipts(Filter{}) {
		l.Append(Receipt{ID: "later"}) // must neither block nor be seen
		seen = append(seen, r.ID)
	}
	if !slices.Equal(seen, []string{"2", "3", "4"}) {
		t.Errorf("seen %q", seen)
	}
	for range l.Receipts(Filter{}) {
		break
	}
	adjustments := l.Adjustments()
	l.Adjust(Adjustment{Amount: Dollars(1)})
	if len(adjustments) != 0 {
		t.Error("what was returned before changes")
	}
}

func TestLedgerConcurrently(t *testing.T) {
	t.Parallel()
	l := Ledger{size: 64}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 200 {
				id := fmt.Sprint(worker, "-", i)
				l.Append(Receipt{ID: id, Cost: Cents(1), Endpoint: "e"})
				l.Adjust(Adjustment{ReceiptID: id, Amount: Cents(1)})
				kept := 0
				for range l.Receipts(Filter{Endpoint: "e"}) {
					kept++
				}
				if totals := l.Totals(Filter{}, ByEndpoint); kept > 64 || len(totals) != 1 || totals[0].Attempts > 64 {
					t.Errorf("%d receipts are kept, totals %+v", kept, totals)
				}
			}
		})
	}
	wg.Wait()
	if got := l.Total(); got.Attempts != 1600 || got.Cost != Dollars(32) || len(l.Adjustments()) != 1600 {
		t.Errorf("total %+v", got)
	}
}

func BenchmarkLedgerAppend(b *testing.B) {
	l := Ledger{size: 1000}
	r := Receipt{ID: newID(noon), Cost: Cents(1), Source: Computed, Usage: Usage{Input: 1000, Output: 10}}
	b.ReportAllocs()
	for b.Loop() {
		l.Append(r)
	}
}
