package sqlstore_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
	sqlstore "github.com/farebox-go/farebox/store/sql"
	openai "github.com/sashabaranov/go-openai"
)

func (db database) ledger(t testing.TB, options sqlstore.LedgerOptions) *sqlstore.Ledger {
	t.Helper()
	if err := sqlstore.Migrate(ctx, db.DB, db.dialect); err != nil {
		t.Fatal(err)
	}
	l, err := sqlstore.NewLedger(db.DB, db.dialect, options)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var firstDay = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// someReceipt is a receipt as calls leave it, of one of a few days, models and tags.
func someReceipt(i int, random *rand.Rand) farebox.Receipt {
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	cost, err := farebox.ParseMoney(fmt.Sprintf("%d.%012d", random.IntN(3), random.Int64N(1e12)))
	if err != nil {
		panic(err)
	}
	r := farebox.Receipt{
		Schema: farebox.ReceiptSchema, ID: fmt.Sprintf("receipt-%06d", i), CallID: fmt.Sprintf("call-%06d", i/2), Attempt: 1 + i%2,
		Start:    firstDay.Add(time.Duration(random.Int64N(int64(4 * 24 * time.Hour)))),
		Endpoint: pick("openrouter", "openai"), KeyLabel: pick("key-1", "key-2", ""), ModelAsked: "asked", Model: pick("gpt", "claude", ""),
		Usage: farebox.Usage{Input: random.Int64N(1000), Output: random.Int64N(1000)},
		Cost:  cost, Source: farebox.Source(pick("reported", "computed", "held", "unpriced")),
		Tags: farebox.Tags{"team": pick("search", "Search", "ads")},
	}
	if random.IntN(2) == 0 {
		r.Tags["user"] = pick("ü1", "u2")
	}
	return r
}

// TestLedgerAgreesWithMemory keeps the same receipts and adjustments in a database and in memory, and asks both the same
// questions.
func TestLedgerAgreesWithMemory(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) database) {
		db := open(t)
		l := db.ledger(t, sqlstore.LedgerOptions{Batch: 70, Every: 5 * time.Millisecond})
		var memory farebox.Ledger
		random := rand.New(rand.NewPCG(1, 2))
		for i := range 700 {
			r := someReceipt(i, random)
			memory.Append(r)
			if err := l.Receipt(r); err != nil {
				t.Fatal(err)
			}
			if i%10 == 0 {
				a := farebox.Adjustment{Schema: 1, ReceiptID: r.ID, At: r.Start.Add(time.Hour), Amount: farebox.MustMoney("-0.000000000007"), Reason: "generation"}
				memory.Adjust(a)
				if err := l.Adjustment(a); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := l.Receipt(farebox.Receipt{}); err == nil {
			t.Error("a receipt after Close was taken")
		}
		compare(t, l, &memory)
		pruned(t, l)
	})
}

func compare(t *testing.T, l *sqlstore.Ledger, memory *farebox.Ledger) {
	t.Helper()
	groupings := map[string]farebox.Grouping{
		"model": farebox.ByModel, "endpoint": farebox.ByEndpoint, "key": farebox.ByKey, "day": farebox.ByDay(nil),
		"tag:team": farebox.ByTag("team"), "tag:user": farebox.ByTag("user"), "tag:none": farebox.ByTag("none"),
	}
	filters := []farebox.Filter{
		{}, {From: firstDay.AddDate(0, 0, 1)}, {From: firstDay.AddDate(0, 0, 1), To: firstDay.AddDate(0, 0, 3)},
		{From: firstDay.Add(5 * time.Hour), To: firstDay.Add(50 * time.Hour)}, {Endpoint: "openai", Model: "gpt"},
		{KeyLabel: "key-1"}, {Tags: farebox.Tags{"team": "search"}}, {Tags: farebox.Tags{"team": "ads", "user": "ü1"}}, {Model: "nobody's"},
	}
	for i, filter := range filters {
		for name, grouping := range groupings {
			got, err := l.Totals(ctx, filter, name)
			if err != nil {
				t.Fatalf("filter %d by %s: %v", i, name, err)
			}
			if want := memory.Totals(filter, grouping); !slices.Equal(got, want) {
				t.Errorf("filter %d by %s:\n got %+v\nwant %+v", i, name, got, want)
			}
		}
		both := func(r *farebox.Receipt) string { return farebox.ByModel(r) + " / " + r.Tags["team"] }
		got, err := l.Totals(ctx, filter, "model", "tag:team")
		if want := memory.Totals(filter, both); err != nil || !slices.Equal(got, want) {
			t.Errorf("filter %d by two: %v\n got %+v\nwant %+v", i, err, got, want)
		}
		var receipts []string
		for r, err := range l.Receipts(ctx, filter) {
			if err != nil {
				t.Fatal(err)
			}
			receipts = append(receipts, r.ID)
		}
		var want []string
		for r := range memory.Receipts(filter) {
			want = append(want, r.ID)
		}
		slices.Sort(receipts)
		if !slices.Equal(receipts, want) {
			t.Errorf("filter %d: %d receipts, want %d", i, len(receipts), len(want))
		}
	}
	total, err := l.Totals(ctx, farebox.Filter{})
	if err != nil || len(total) != 1 || total[0].Total != memory.Total() {
		t.Errorf("in all %+v, %v; want %+v", total, err, memory.Total())
	}
	call, err := l.Call(ctx, "receipt-000101")
	if err != nil || len(call) != 2 || call[0].CallID != "call-000050" || call[1].CallID != "call-000050" {
		t.Errorf("a call by one of its receipts: %+v, %v", call, err)
	}
	for r := range memory.Receipts(farebox.Filter{}) {
		if r.ID == call[0].ID && !reflect.DeepEqual(r, call[0]) {
			t.Errorf("a receipt came back as %+v, and was %+v", call[0], r)
		}
	}
	if _, err := l.Totals(ctx, farebox.Filter{}, "colour"); err == nil {
		t.Error("grouped by what is not known")
	}
}

// pruned: what is deleted is gone from the receipts, and stays in the totals of days.
func pruned(t *testing.T, l *sqlstore.Ledger) {
	t.Helper()
	before, err := l.Totals(ctx, farebox.Filter{}, "day")
	if err != nil {
		t.Fatal(err)
	}
	cut := firstDay.AddDate(0, 0, 2)
	n, err := l.Prune(ctx, cut)
	if err != nil || n == 0 {
		t.Fatalf("Prune: %d, %v", n, err)
	}
	left := 0
	for r, err := range l.Receipts(ctx, farebox.Filter{}) {
		if err != nil || r.Start.Before(cut) {
			t.Fatalf("after Prune: %v, %v", r.Start, err)
		}
		left++
	}
	if left+int(n) != 700 {
		t.Errorf("pruned %d and left %d of 700", n, left)
	}
	if after, err := l.Totals(ctx, farebox.Filter{}, "day"); err != nil || !slices.Equal(before, after) {
		t.Errorf("days after Prune: %+v, %v; before: %+v", after, err, before)
	}
}

// TestLedgerWhileTheDatabaseIsAway: receipts wait, and are written once it is back.
func TestLedgerWhileTheDatabaseIsAway(t *testing.T) {
	db := openSQLite(t)
	l := db.ledger(t, sqlstore.LedgerOptions{Every: time.Millisecond})
	mustExec(t, db, "ALTER TABLE farebox_receipts RENAME TO hidden")
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 10 {
		if err := l.Receipt(someReceipt(i, random)); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(30 * time.Millisecond)
	mustExec(t, db, "ALTER TABLE hidden RENAME TO farebox_receipts")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	totals, err := l.Totals(ctx, farebox.Filter{})
	if err != nil || totals[0].Attempts != 10 {
		t.Errorf("%+v, %v; want 10 attempts", totals, err)
	}
}

// TestMeterWritesToALedger: every call's receipt arrives, as the Meter's own ledger has it.
func TestMeterWritesToALedger(t *testing.T) {
	db := openSQLite(t)
	l := db.ledger(t, sqlstore.LedgerOptions{})
	provider := fareboxtest.NewProvider()
	defer provider.Close()
	client, err := farebox.New(provider.Endpoint(), farebox.WithSink(l))
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		_, err := client.CreateChatCompletion(farebox.ContextWithTags(ctx, farebox.Tags{"team": "search"}), openai.ChatCompletionRequest{
			Model: fareboxtest.SmallModel, Messages: []openai.ChatCompletionMessage{{Role: "user", Content: "hello"}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Close(ctx); err != nil {
		t.Fatal(err)
	}
	got, err := l.Totals(ctx, farebox.Filter{}, "tag:team")
	want := client.Meter().Ledger().Totals(farebox.Filter{}, farebox.ByTag("team"))
	if err != nil || !slices.Equal(got, want) || want[0].Attempts != 5 {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

func TestBadLedgerOptions(t *testing.T) {
	db := openSQLite(t)
	if _, err := sqlstore.NewLedger(nil, sqlstore.SQLite, sqlstore.LedgerOptions{}); err == nil {
		t.Error("no database: taken")
	}
	if _, err := sqlstore.NewLedger(db.DB, "oracle", sqlstore.LedgerOptions{}); err == nil {
		t.Error("an unknown dialect: taken")
	}
	if _, err := sqlstore.NewLedger(db.DB, db.dialect, sqlstore.LedgerOptions{Batch: -1}); err == nil {
		t.Error("a batch of -1: taken")
	}
}

func BenchmarkLedger(b *testing.B) {
	for name, open := range map[string]func(testing.TB) database{"sqlite": openSQLite, "postgresql": openPostgreSQL} {
		b.Run(name, func(b *testing.B) {
			l := open(b).ledger(b, sqlstore.LedgerOptions{Batch: 2000, MaxWaiting: 1})
			random := rand.New(rand.NewPCG(5, 6))
			i := 0
			for b.Loop() {
				i++
				if err := l.Receipt(someReceipt(i, random)); err != nil {
					b.Fatal(err)
				}
			}
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
