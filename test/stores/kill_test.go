package stores_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/store"
	redisstore "github.com/farebox-go/farebox/store/redis"
	sqlstore "github.com/farebox-go/farebox/store/sql"
	"github.com/redis/go-redis/v9"
)

// kills is how many processes each store's test kills: 50, or what FAREBOX_KILLS says.
func kills() int {
	if n, err := strconv.Atoi(os.Getenv("FAREBOX_KILLS")); err == nil {
		return n
	}
	return 50
}

// TestKill kills process after process while it spends, each under what is left of one cap, and each on the same folder, from
// which it gives back what the one before had borrowed. The provider's bill never passes the cap, and the store never counts
// less than the ledger, nor the ledger less than the bill. Once what is open is reconciled all three are equal.
func TestKill(t *testing.T) {
	for _, kind := range []string{"journal", "sqlite", "pgx", "mysql", "redis"} {
		t.Run(kind, func(t *testing.T) {
			address, name := setUp(t, kind)
			for killed := 0; killed < kills(); {
				killed += killUntilSpent(t, kind, name(t), address)
			}
		})
	}
}

// killUntilSpent kills processes until a cap is spent, and says how many.
func killUntilSpent(t *testing.T, kind, name, address string) (killed int) {
	t.Setenv("FAREBOX_TEST_ADDRESS", address)
	p := newProvider(t, 3*time.Millisecond)
	s := spender{Provider: p.URL, Kind: kind, Name: name, Cap: farebox.Dollars(40), Workers: 8, Timeout: 10 * time.Second, GivesUp: true}
	s.Folder = filepath.Join(t.TempDir(), "folder")
	if kind == "journal" {
		s.Folder = name
	}
	limit := int64(40_000_000_000)
	for idle := 0; idle < 2 && killed < 25; killed++ {
		before := p.calls.Load()
		process := start(t, s, address)
		_ = process.begin.Close()
		time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
		process.kill()
		if p.calls.Load() == before {
			idle++
		}
		if billed := p.billed.Load(); billed > limit {
			t.Fatalf("after %d kills the provider has billed %d of %d", killed+1, billed, limit)
		}
	}
	p.Close() // what the last process had sent is billed, or never will be
	books := settle(t, s, p)
	t.Logf("%d kills: %s", killed, books)
	return killed
}

// settle starts a process on a folder, which takes over what the killed ones left, and another that reconciles every receipt
// whose cost is open with the provider's account.
func settle(t *testing.T, s spender, p *provider) string {
	t.Helper()
	restart(t, s, nil)
	counted, booked, bill := s.usedSince(t, p.since), readReceipts(t, s.Folder), p.billed.Load()
	if counted < booked.cost || booked.cost < bill {
		t.Errorf("before reconciliation the store counts %d, the ledger has %d, the provider billed %d", counted, booked.cost, bill)
	}
	restart(t, s, func(m *farebox.Meter) {
		for id, request := range booked.open {
			billed, _ := p.bills.Load(request)
			nanos, _ := billed.(int64) // none: it never came there
			cost := farebox.MustMoney(fmt.Sprintf("%de-9", nanos))
			if _, err := m.Reconcile(id, cost, "the provider's account"); err != nil {
				t.Errorf("receipt %s of request %s: %v", id, request, err)
			}
		}
	})
	exact, settled := s.usedSince(t, p.since), readReceipts(t, s.Folder)
	if exact != bill || settled.cost != bill {
		t.Errorf("after reconciliation the store counts %d, the ledger has %d, the provider billed %d", exact, settled.cost, bill)
	}
	p.bills.Range(func(request, _ any) bool {
		if settled.receipts[request.(string)] != 1 {
			t.Errorf("request %s has %d receipts", request, settled.receipts[request.(string)])
		}
		return true
	})
	return fmt.Sprintf("%d calls, %d of them open, %d interrupted; the bill is %d, the store counted %d before reconciliation and %d after it",
		p.calls.Load(), len(booked.open), booked.interrupted, bill, counted, exact)
}

// restart opens a Meter where a spender had one, lets it do something, and closes it.
func restart(t *testing.T, s spender, do func(*farebox.Meter)) {
	t.Helper()
	kept, closeAll, err := s.keep()
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	client, err := farebox.New(farebox.Compatible("provider", s.Provider, "key"), s.options(kept)...)
	if err != nil {
		t.Fatal(err)
	}
	if do != nil {
		do(client.Meter())
	}
	if err := client.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

// receipts is what a folder's receipts say.
type receipts struct {
	cost        int64             // with adjustments, in nano-dollars
	open        map[string]string // requests of receipts whose cost is open, by the receipt
	receipts    map[string]int    // of each request
	interrupted int
}

func readReceipts(t *testing.T, folder string) receipts {
	t.Helper()
	file, err := os.Open(filepath.Join(folder, "receipts.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	read, sum := receipts{open: make(map[string]string), receipts: make(map[string]int)}, farebox.Money{}
	for entry, err := range farebox.ReadLedger(file) {
		var cut *farebox.LineError
		switch r := entry.Receipt; {
		case errors.As(err, &cut): // by a kill
		case err != nil:
			t.Fatal(err)
		case r == nil:
			sum = sum.Add(entry.Adjustment.Amount)
		default:
			sum = sum.Add(r.Cost)
			read.receipts[r.Tags["request"]]++
			if !r.Settled() {
				read.open[r.ID] = r.Tags["request"]
			}
			if r.HasFlag(farebox.FlagInterrupted) {
				read.interrupted++
			}
		}
	}
	read.cost = int64(math.Round(sum.Float64() * 1e9)) // exact below 2^53
	return read
}

// used is what the store of a spender counts as spent.
func (s *spender) used(t *testing.T) int64 {
	t.Helper()
	kept, closeAll, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	return used(t, kept, "cap/total/usd/")
}

// usedSince is what the store of a spender counts as spent, in all and on the days since then.
func (s *spender) usedSince(t *testing.T, since time.Time) int64 {
	t.Helper()
	kept, closeAll, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	var days []store.Account
	for day := since.UTC().Truncate(24 * time.Hour); day.Before(time.Now()); day = day.Add(24 * time.Hour) {
		days = append(days, store.Account{Key: "day/daily/usd/", Window: store.Window{
			Start: day.UnixNano(), End: day.Add(24 * time.Hour).UnixNano(), View: day.UnixNano(),
		}})
	}
	balances, err := kept.Balances(ctx, days)
	if err != nil {
		t.Fatal(err)
	}
	var daily int64
	for i := range balances {
		daily += balances[i].Used
	}
	total := used(t, kept, "cap/total/usd/")
	if daily != total && len(days) == 1 { // in the night the day before may be gone
		t.Errorf("the store counts %d on days, %d in all", daily, total)
	}
	return total
}

// setUp prepares the server of a kind of store, and gives names of new stores on it.
func setUp(t *testing.T, kind string) (address string, name func(*testing.T) string) {
	unique := fmt.Sprintf("farebox_test_%d_", os.Getpid())
	n := 0
	switch kind {
	case "journal":
		return "", func(t *testing.T) string { n++; return filepath.Join(t.TempDir(), strconv.Itoa(n)) }
	case "sqlite":
		return "", func(t *testing.T) string {
			n++
			dsn := "file:" + filepath.Join(t.TempDir(), strconv.Itoa(n)) + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)"
			migrate(t, "sqlite", dsn, sqlstore.SQLite)
			return dsn
		}
	case "redis":
		client := redisClient(t)
		return client.Options().Addr, func(t *testing.T) string {
			n++
			root := unique + strconv.Itoa(n)
			setUpRedis(t, client, root)
			return root
		}
	case "pgx":
		url := env(t, "FAREBOX_POSTGRES_URL", "PostgreSQL")
		separator := "?"
		if strings.Contains(url, "?") {
			separator = "&"
		}
		return "", func(t *testing.T) string {
			n++
			schema := unique + strconv.Itoa(n)
			execute(t, "pgx", url, "CREATE SCHEMA "+schema)
			t.Cleanup(func() { execute(t, "pgx", url, "DROP SCHEMA "+schema+" CASCADE") })
			dsn := url + separator + "search_path=" + schema
			migrate(t, "pgx", dsn, sqlstore.PostgreSQL)
			return dsn
		}
	}
	dsn := env(t, "FAREBOX_MYSQL_DSN", "MySQL or MariaDB")
	return "", func(t *testing.T) string {
		n++
		database := unique + strconv.Itoa(n)
		execute(t, "mysql", dsn, "CREATE DATABASE "+database)
		t.Cleanup(func() { execute(t, "mysql", dsn, "DROP DATABASE "+database) })
		server, _, _ := strings.Cut(dsn, "/")
		migrate(t, "mysql", server+"/"+database, sqlstore.MySQL)
		return server + "/" + database
	}
}

func env(t *testing.T, name, what string) string {
	value := os.Getenv(name)
	if value == "" {
		t.Skipf("%s is not set: no %s to test against", name, what)
	}
	return value
}

func redisClient(t *testing.T) *redis.Client {
	options, err := redis.ParseURL(env(t, "FAREBOX_REDIS_URL", "Redis"))
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func setUpRedis(t *testing.T, client *redis.Client, root string) {
	t.Helper()
	s, err := redisstore.New(client, root)
	if err == nil {
		err = s.Setup(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for keys := client.Scan(ctx, 0, "{"+root+"}*", 1000).Iterator(); keys.Next(ctx); {
			client.Del(ctx, keys.Val())
		}
	})
}

func execute(t *testing.T, driver, dsn, statement string) {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err == nil {
		defer func() { _ = db.Close() }()
		_, err = db.ExecContext(context.WithoutCancel(ctx), statement)
	}
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func migrate(t *testing.T, driver, dsn string, dialect sqlstore.Dialect) {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err == nil {
		defer func() { _ = db.Close() }()
		err = sqlstore.Migrate(ctx, db, dialect)
	}
	if err != nil {
		t.Fatal(err)
	}
}
