package sqlstore_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
	"github.com/farebox-go/farebox/fareboxtest/ledgertest"
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

// TestLedger holds it against the suite that all ledgers pass. Batches are small, so that there are several.
func TestLedger(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) database) {
		db := open(t)
		ledgertest.Run(t, func(t *testing.T, entries []farebox.LedgerEntry) farebox.LedgerReader {
			l := db.ledger(t, sqlstore.LedgerOptions{Batch: 20 + len(entries)/10, Every: time.Millisecond})
			db.clear(t)
			for _, e := range entries {
				record(t, l, e)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return l
		})
	})
}

func (db database) clear(t testing.TB) {
	t.Helper()
	for _, table := range ledgerTables {
		mustExec(t, db, "DELETE FROM "+table)
	}
}

var ledgerTables = []string{
	"farebox_series", "farebox_chunks", "farebox_receipts", "farebox_adjustments", "farebox_unbooked", "farebox_hours", "farebox_days",
}

func record(t testing.TB, l *sqlstore.Ledger, e farebox.LedgerEntry) {
	t.Helper()
	var err error
	if e.Receipt != nil {
		err = l.Receipt(*e.Receipt)
	} else {
		err = l.Adjustment(*e.Adjustment)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestLedgerCountsOnce: several ledgers write the same receipts into one database at once, some of them twice, and each counts
// once, in the receipts as in the sums.
func TestLedgerCountsOnce(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) database) {
		db := open(t)
		var want farebox.Ledger
		random := rand.New(rand.NewPCG(7, 8))
		receipts := make([]farebox.Receipt, 300)
		for i := range receipts {
			receipts[i] = someReceipt(i, random)
			want.Append(receipts[i])
		}
		var all sync.WaitGroup
		for n := range 4 {
			l := db.ledger(t, sqlstore.LedgerOptions{Batch: 50, Every: time.Millisecond, Warn: func(error) {}})
			all.Go(func() {
				for i := range receipts {
					record(t, l, farebox.LedgerEntry{Receipt: &receipts[(i*(n+1)*7)%len(receipts)]})
					if i%3 == n%3 {
						record(t, l, farebox.LedgerEntry{Receipt: &receipts[i]})
					}
				}
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		agrees(t, db.ledger(t, sqlstore.LedgerOptions{}), &want)
	})
}

// agrees compares the sums by hour and by tag, and the receipts themselves.
func agrees(t *testing.T, got, want farebox.LedgerReader) {
	t.Helper()
	for _, query := range []farebox.SpendQuery{
		{}, {By: []string{"hour", "model"}}, {By: []string{"tag:team", "day"}}, {By: []string{"hour", "tag:user"}},
		{Filter: farebox.Filter{From: firstDay.Add(90 * time.Minute), To: firstDay.Add(50 * time.Hour)}, By: []string{"tag:team"}},
	} {
		g, err := got.Spend(ctx, query)
		if err != nil {
			t.Fatal(err)
		}
		if w, _ := want.Spend(ctx, query); !reflect.DeepEqual(g, w) {
			t.Errorf("%+v:\n got %+v\nwant %+v", query, g, w)
		}
	}
	byID := map[string]string{} // as JSON, which has no clock readings
	for record, err := range got.Records(ctx, farebox.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := byID[record.Receipt.ID]; twice {
			t.Errorf("receipt %s is there twice", record.Receipt.ID)
		}
		byID[record.Receipt.ID] = asJSON(t, record)
	}
	n := 0
	for record := range want.Records(ctx, farebox.Filter{}) {
		if n++; byID[record.Receipt.ID] != asJSON(t, record) {
			t.Errorf("got %s\nwant %s", byID[record.Receipt.ID], asJSON(t, record))
		}
	}
	if len(byID) != n {
		t.Errorf("%d receipts, want %d", len(byID), n)
	}
}

func asJSON(t *testing.T, record farebox.Record) string {
	t.Helper()
	record.Receipt.Start = record.Receipt.Start.UTC()
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPrune: what is deleted is gone from the receipts, and stays in the sums of whole days.
func TestPrune(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) database) {
		db := open(t)
		l := db.ledger(t, sqlstore.LedgerOptions{Batch: 40})
		random := rand.New(rand.NewPCG(1, 2))
		for i := range 700 {
			r := someReceipt(i, random)
			r.Start = firstDay.Add(time.Duration(i) * 5 * time.Minute)
			record(t, l, farebox.LedgerEntry{Receipt: &r})
			if i%10 == 0 {
				record(t, l, farebox.LedgerEntry{Adjustment: &farebox.Adjustment{Schema: 1, ReceiptID: r.ID, At: r.Start, Amount: farebox.Cents(1)}})
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		pruned(t, db, l)
	})
}

func pruned(t *testing.T, db database, l *sqlstore.Ledger) {
	t.Helper()
	query := farebox.SpendQuery{By: []string{"day", "tag:team"}}
	before, err := l.Spend(ctx, query)
	if err != nil {
		t.Fatal(err)
	}
	cut := firstDay.Add(30 * time.Hour)
	n, err := l.Prune(ctx, cut)
	if err != nil || n != 360 {
		t.Fatalf("Prune: %d, %v; want 360", n, err)
	}
	left := 0
	for record, err := range l.Records(ctx, farebox.Filter{}) {
		if err != nil || record.Receipt.Start.Before(cut) {
			t.Fatalf("after Prune: %v, %v", record.Receipt.Start, err)
		}
		left++
	}
	if left != 340 {
		t.Errorf("%d receipts are left of 700, want 340", left)
	}
	if after, err := l.Spend(ctx, query); err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("days after Prune: %+v, %v; before: %+v", after, err, before)
	}
	if _, err := l.Prune(ctx, firstDay.AddDate(1, 0, 0)); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"farebox_receipts", "farebox_chunks", "farebox_adjustments"} {
		var rows int
		if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+table).Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%s has %d rows after all was pruned, %v", table, rows, err)
		}
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
	spend, err := l.Spend(ctx, farebox.SpendQuery{})
	if err != nil || spend[0].Attempts != 10 {
		t.Errorf("%+v, %v; want 10 attempts", spend, err)
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
	agrees(t, l, client.Meter().Ledger())
	if total := client.Meter().Ledger().Total(); total.Attempts != 5 {
		t.Errorf("%d attempts, want 5", total.Attempts)
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
			l := open(b).ledger(b, sqlstore.LedgerOptions{})
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

// TestAdjustmentBeforeItsReceipt: it counts once, whether its receipt is there, comes later, or is pruned by then.
func TestAdjustmentBeforeItsReceipt(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) database) {
		db := open(t)
		r := someReceipt(1, rand.New(rand.NewPCG(1, 2)))
		early := farebox.Adjustment{Schema: 1, ReceiptID: r.ID, At: r.Start, Amount: farebox.MustMoney("0.000000000001")}
		write := func(entries ...farebox.LedgerEntry) *sqlstore.Ledger {
			l := db.ledger(t, sqlstore.LedgerOptions{Every: time.Millisecond})
			for _, e := range entries {
				record(t, l, e)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return l
		}
		counts := func(what string, l *sqlstore.Ledger, want farebox.Money, waiting int) {
			t.Helper()
			spend, err := l.Spend(ctx, farebox.SpendQuery{By: []string{"day", "tag:team"}})
			if err != nil {
				t.Fatal(err)
			}
			var sum farebox.Money
			for i := range spend {
				sum = sum.Add(spend[i].Cost)
			}
			var unbooked int
			if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM farebox_unbooked").Scan(&unbooked); err != nil {
				t.Fatal(err)
			}
			if sum != want || unbooked != waiting {
				t.Errorf("%s: %s and %d adjustments without a receipt, want %s and %d", what, sum, unbooked, want, waiting)
			}
		}
		counts("alone", write(farebox.LedgerEntry{Adjustment: &early}), farebox.Money{}, 1)
		with := r.Cost.Add(early.Amount)
		counts("then its receipt", write(farebox.LedgerEntry{Receipt: &r}), with, 0)
		l := write(farebox.LedgerEntry{Adjustment: &early})
		counts("then another", l, with.Add(early.Amount), 0)
		// As another process may leave it that has not seen the receipt yet.
		mustExec(t, db, "INSERT INTO farebox_unbooked VALUES (5, '"+r.ID+"', 0, 1)")
		counts("seen by questions", l, with.Add(early.Amount.Mul(2)), 1)
		if n, err := l.Prune(ctx, r.Start.Add(time.Hour)); n != 1 || err != nil {
			t.Fatalf("pruned %d, %v", n, err)
		}
		counts("pruned", l, with.Add(early.Amount.Mul(2)), 0)
	})
}
