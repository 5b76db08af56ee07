package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/farebox-go/farebox"
	sqlstore "github.com/farebox-go/farebox/store/sql"
)

// benchLedger writes receipts into a database, and bare rows as they would be written by hand; then it asks the ledger who spent
// what. Receipts are those of 30 days, 8 routes, 20 teams and 1,000 users, of about a kilobyte as JSON.
func benchLedger(receipts int, folder string) {
	log.Printf("%d receipts a database", receipts)
	path := filepath.Join(folder, "ledger.db")
	dsn := "file:" + path + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)"
	rows := min(receipts, 1_000_000)
	direct := writeBare("sqlite", strings.Replace(dsn, "ledger.db", "bare.db", 1), sqlstore.SQLite, rows)
	measureLedger("SQLite", "sqlite", dsn, sqlstore.SQLite, receipts, direct)
	if info, err := os.Stat(path); err == nil {
		fmt.Printf("  %.0f bytes a receipt on disk\n", float64(info.Size())/float64(receipts))
	}
	url := os.Getenv("FAREBOX_POSTGRES_URL")
	if url == "" {
		log.Print("postgresql: no server is named in the environment: not measured")
		return
	}
	admin, err := sql.Open("pgx", url)
	check(err)
	defer func() { _ = admin.Close() }()
	schema := fmt.Sprintf("farebox_bench_%d", time.Now().UnixNano())
	_, err = admin.ExecContext(ctx, "CREATE SCHEMA "+schema)
	check(err)
	defer func() { _, _ = admin.ExecContext(ctx, "DROP SCHEMA "+schema+" CASCADE") }()
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	url += separator + "search_path=" + schema
	receipts = min(receipts, 1_000_000)
	direct = writeBare("pgx", url, sqlstore.PostgreSQL, min(receipts, 200_000))
	measureLedger("PostgreSQL", "pgx", url, sqlstore.PostgreSQL, receipts, direct)
}

// measureLedger writes receipts and asks; direct is how many bare rows a second the database takes.
func measureLedger(name, driver, dsn string, dialect sqlstore.Dialect, receipts int, direct bare) {
	db, err := sql.Open(driver, dsn)
	check(err)
	defer func() { _ = db.Close() }()
	check(sqlstore.Migrate(ctx, db, dialect))
	ledger, err := sqlstore.NewLedger(db, dialect, sqlstore.LedgerOptions{})
	check(err)
	pool := newReceiptPool()
	start, busy, shown, before := time.Now(), processorTime(), time.Now(), 0
	for i := range receipts {
		check(ledger.Receipt(pool.receipt(i, receipts)))
		if now := time.Now(); now.Sub(shown) > 10*time.Second {
			log.Printf("%s: %d receipts, %.0f/s of late", name, i+1, float64(i+1-before)/now.Sub(shown).Seconds())
			shown, before = now, i+1
		}
	}
	check(ledger.Close())
	perSecond := float64(receipts) / time.Since(start).Seconds()
	busyEach := (processorTime() - busy) / time.Duration(receipts)
	fmt.Printf("%s: %.0f receipts/s, %.2f of bare rows (%.0f/s); this process worked %s for one, %.2f of a bare row's %s\n",
		name, perSecond, perSecond/direct.perSecond, direct.perSecond, busyEach, float64(busyEach)/float64(direct.busyEach), direct.busyEach)
	askLedger(ledger, receipts)
}

// askLedger times questions, each the best of three.
func askLedger(ledger *sqlstore.Ledger, receipts int) {
	var some farebox.Record
	for record, err := range ledger.Records(ctx, farebox.Filter{From: firstDay.AddDate(0, 0, 15)}) {
		check(err)
		some = record
		break
	}
	week := farebox.Filter{From: firstDay.AddDate(0, 0, 7).Add(90 * time.Minute), To: firstDay.AddDate(0, 0, 14).Add(90 * time.Minute)}
	for _, question := range []struct {
		name string
		ask  func() error
	}{
		{"spend by day", func() error { return spent(ledger, receipts, farebox.SpendQuery{By: []string{"day"}}) }},
		{"spend by model", func() error { return spent(ledger, receipts, farebox.SpendQuery{By: []string{"model"}}) }},
		{"spend by hour and key", func() error { return spent(ledger, receipts, farebox.SpendQuery{By: []string{"hour", "key"}}) }},
		{"spend by team (a tag)", func() error { return spent(ledger, receipts, farebox.SpendQuery{By: []string{"tag:team"}}) }},
		{"the 10 dearest users (a tag)", func() error {
			return spent(ledger, 0, farebox.SpendQuery{By: []string{"tag:user"}, Limit: 10})
		}},
		{"spend by model of 7 days to the minute", func() error {
			return spent(ledger, 0, farebox.SpendQuery{Filter: week, By: []string{"model"}})
		}},
		{"one call by its id", func() error { _, err := ledger.Call(ctx, some.Receipt.CallID); return err }},
	} {
		best := time.Hour
		for range 3 {
			start := time.Now()
			check(question.ask())
			best = min(best, time.Since(start))
		}
		fmt.Printf("  %-40s %s\n", question.name, best.Round(10*time.Microsecond))
	}
}

// spent asks, and checks that every receipt is counted; 0 checks nothing.
func spent(ledger *sqlstore.Ledger, receipts int, query farebox.SpendQuery) error {
	spend, err := ledger.Spend(ctx, query)
	attempts := int64(0)
	for i := range spend {
		attempts += spend[i].Attempts
	}
	if err == nil && receipts > 0 && attempts != int64(receipts) {
		return fmt.Errorf("%v: %d attempts, want %d", query.By, attempts, receipts)
	}
	return err
}

// writeBare is how many rows a second the database takes of what a receipt is at the least: its id, its time, its cost, and its
// JSON, in transactions of 100 rows that are prepared and inserted one by one.
func writeBare(driver, dsn string, dialect sqlstore.Dialect, rows int) bare {
	db, err := sql.Open(driver, dsn)
	check(err)
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(ctx, "CREATE TABLE farebox_bare (id VARCHAR(26) NOT NULL PRIMARY KEY, started_at BIGINT NOT NULL, cost BIGINT NOT NULL, receipt TEXT NOT NULL)")
	check(err)
	statement := "INSERT INTO farebox_bare VALUES (?, ?, ?, ?)"
	if dialect == sqlstore.PostgreSQL {
		statement = "INSERT INTO farebox_bare VALUES ($1, $2, $3, $4)"
	}
	pool := newReceiptPool()
	start, busy := time.Now(), processorTime()
	for i := 0; i < rows; i += 100 {
		check(writeSomeBare(db, statement, i, rows, pool))
	}
	return bare{float64(rows) / time.Since(start).Seconds(), (processorTime() - busy) / time.Duration(rows)}
}

// bare is how quickly rows were written by hand.
type bare struct {
	perSecond float64
	busyEach  time.Duration
}

// processorTime is how long processors have worked for this process, which says more than the clock where others use them too.
func processorTime() time.Duration {
	var used syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func writeSomeBare(db *sql.DB, statement string, first, rows int, pool *receiptPool) error {
	tx, err := db.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	insert, err := tx.PrepareContext(ctx, statement)
	if err != nil {
		return err
	}
	for i := first; i < min(first+100, rows); i++ {
		r := pool.receipt(i, rows)
		text, err := r.AppendJSON(nil)
		if err != nil {
			return err
		}
		if _, err := insert.ExecContext(ctx, r.ID, r.Start.UnixNano(), int64(i), string(text)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

var firstDay = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// ulid makes an id as receipts have them.
func ulid(at time.Time, random *rand.Rand) string {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	var id [26]byte
	for i, ms := 9, at.UnixMilli(); i >= 0; i, ms = i-1, ms>>5 {
		id[i] = alphabet[ms&31]
	}
	for i, bits := 10, uint64(0); i < len(id); i, bits = i+1, bits>>5 {
		if (i-10)%8 == 0 {
			bits = random.Uint64()
		}
		id[i] = alphabet[bits&31]
	}
	return string(id[:])
}

// routes are what receipts differ by besides their tags.
var routes = []struct{ endpoint, key, model string }{
	{"openai", "key-1", "gpt-4o-mini-2024-07-18"}, {"openai", "key-1", "gpt-4o-2024-08-06"}, {"openai", "key-2", "gpt-4o-mini-2024-07-18"},
	{"anthropic", "key-3", "claude-sonnet-4-20250514"}, {"anthropic", "key-3", "claude-haiku-4"}, {"openrouter", "key-4", "openai/gpt-4o-mini"},
	{"openrouter", "key-4", "deepseek/deepseek-chat"}, {"gemini", "key-5", "gemini-2.0-flash"},
}

// receiptPool has receipts made ready, so that making them is not what is measured.
type receiptPool struct {
	random *rand.Rand
	ready  []farebox.Receipt
}

func newReceiptPool() *receiptPool {
	p := &receiptPool{random: rand.New(rand.NewPCG(1, 2)), ready: make([]farebox.Receipt, 50_000)}
	for i := range p.ready {
		p.ready[i] = benchReceipt(p.random)
	}
	return p
}

// receipt is the i-th of n, in the order of their times over 30 days.
func (p *receiptPool) receipt(i, n int) farebox.Receipt {
	r := p.ready[p.random.IntN(len(p.ready))]
	r.Start = firstDay.Add(time.Duration(float64(30*24*time.Hour) * float64(i) / float64(n)))
	r.ID, r.CallID = ulid(r.Start, p.random), ulid(r.Start, p.random)
	return r
}

// benchReceipt is a receipt as a call leaves it. A user is of one team and uses one or two routes.
func benchReceipt(random *rand.Rand) farebox.Receipt {
	at := firstDay
	user := random.IntN(1000)
	route := routes[(user+random.IntN(2))%len(routes)]
	input, output := random.Int64N(4000), random.Int64N(1000)
	lines := []farebox.Line{
		{Dimension: farebox.DimensionInput, Quantity: input, Rate: farebox.MustRate("0.00000015")},
		{Dimension: farebox.DimensionOutput, Quantity: output, Rate: farebox.MustRate("0.0000006")},
	}
	var cost farebox.Money
	for j := range lines {
		lines[j].Amount = lines[j].Rate.Times(lines[j].Quantity)
		cost = cost.Add(lines[j].Amount)
	}
	return farebox.Receipt{
		Schema: farebox.ReceiptSchema, Attempt: 1,
		Duration: time.Duration(random.Int64N(5e9)), Endpoint: route.endpoint, KeyLabel: route.key, KeyHash: "fe877e4e", Operation: "chat",
		ModelAsked: "gpt-4o-mini", Model: route.model, Tags: farebox.Tags{"team": fmt.Sprint("team-", user%20), "user": fmt.Sprint("user-", user)},
		Status: 200, GenerationID: "chatcmpl-" + ulid(at, random), FinishReason: "stop", Usage: farebox.Usage{Input: input, Output: output, Requests: 1},
		Cost: cost, Source: farebox.Computed, Lines: lines, Computed: cost,
		Price: farebox.PriceRef{Provider: route.endpoint, Model: route.model, Source: "https://openai.com/api/pricing", AsOf: firstDay},
		Quote: farebox.QuotedCost{Expected: cost, Most: cost.Mul(2)},
		Budgets: []farebox.BudgetCharge{
			{Budget: "all", Held: cost.Mul(2), Charged: cost}, {Budget: "by team", Value: fmt.Sprint("team-", user%20), Held: cost.Mul(2), Charged: cost},
		},
	}
}
