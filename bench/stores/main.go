// Command stores measures what a reservation costs over each kind of store, on real servers and in one run: asked for one by
// one, and out of an allowance that is borrowed ahead. It is the one program outside the root module that imports its
// internal packages: what it measures is one.
//
//	FAREBOX_REDIS_URL=… FAREBOX_POSTGRES_URL=… go run . [-seconds 2] [-json]
//
// With -ledger it measures the ledger of store/sql instead: how many receipts a second SQLite and PostgreSQL take, beside bare
// rows that are inserted directly, and how long questions about them take. The database is made in -folder and deleted.
//
//	FAREBOX_POSTGRES_URL=… go run . -ledger [-receipts 10000000] [-folder DIR]
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/farebox-go/farebox/internal/allowance"
	"github.com/farebox-go/farebox/store"
	redisstore "github.com/farebox-go/farebox/store/redis"
	sqlstore "github.com/farebox-go/farebox/store/sql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite"
)

var ctx = context.Background()

// result is one line of the table.
type result struct {
	Store      string        `json:"store"`
	How        string        `json:"how"`
	Goroutines int           `json:"goroutines"`
	PerSecond  float64       `json:"per_second"`
	P50        time.Duration `json:"p50_ns"`
	P99        time.Duration `json:"p99_ns"`
	P999       time.Duration `json:"p999_ns"`
}

func main() {
	seconds := flag.Float64("seconds", 2, "how long each measurement takes")
	asJSON := flag.Bool("json", false, "print JSON")
	ledger := flag.Bool("ledger", false, "measure the ledger of store/sql")
	receipts := flag.Int("receipts", 10_000_000, "with -ledger, how many are written; PostgreSQL gets a million at most")
	parent := flag.String("folder", os.TempDir(), "where files are made, and deleted")
	flag.Parse()
	folder, err := os.MkdirTemp(*parent, "farebox-bench")
	check(err)
	defer func() { _ = os.RemoveAll(folder) }()
	if *ledger {
		benchLedger(*receipts, folder)
		return
	}

	var results []result
	duration := time.Duration(*seconds * float64(time.Second))
	for _, goroutines := range []int{1, 64} {
		results = append(results, measure("none", "nothing at all", goroutines, duration, func(int) error { return nil }))
	}
	for _, goroutines := range []int{1, 64} {
		results = append(results, measure("memory", "borrowed ahead", goroutines, duration, borrowed(new(store.Memory), "memory")))
	}
	results = append(results, measure("memory", "borrowed ahead, each its own", 64, duration, alone(64)))
	for _, kind := range []string{"journal", "sqlite", "redis", "postgresql"} {
		s, plain, ok := open(kind, folder)
		if !ok {
			log.Printf("%s: no server is named in the environment: not measured", kind)
			continue
		}
		for _, p := range plain {
			results = append(results, measure(kind, p.name, 1, duration, func(int) error { return p.do() }))
		}
		for _, goroutines := range []int{1, 32} {
			results = append(results, measure(kind, "one by one", goroutines, duration, oneByOne(s, kind, goroutines)))
		}
		for _, goroutines := range []int{1, 64} {
			results = append(results, measure(kind, "borrowed ahead", goroutines, duration, borrowed(s, kind)))
		}
		check(s.Close())
	}
	if *asJSON {
		check(json.NewEncoder(os.Stdout).Encode(results))
		return
	}
	print(results)
}

// accounts are those of three limits, as a call under three budgets has them.
func accounts(kind string) []store.Account {
	unique := fmt.Sprintf("%s/%d/", kind, time.Now().UnixNano())
	return []store.Account{{Key: unique + "all"}, {Key: unique + "team"}, {Key: unique + "user"}}
}

const limit = 1 << 50

// oneByOne asks the store for every reservation, each goroutine as a client of its own.
func oneByOne(s store.Store, kind string, goroutines int) func(int) error {
	of := accounts(kind)
	lines := make([][]store.Line, goroutines)
	for i := range lines {
		for _, a := range of {
			lines[i] = append(lines[i], store.Line{Account: a, Cap: limit, Need: 100})
		}
	}
	return func(goroutine int) error {
		mine := lines[goroutine]
		reply, err := s.Sync(ctx, fmt.Sprint("client ", goroutine), mine)
		if err != nil {
			return err
		}
		for i := range mine {
			mine[i].Granted = reply.Lines[i].Granted
		}
		return nil
	}
}

// borrowed reserves and settles out of what a process has borrowed.
func borrowed(s store.Store, kind string) func(int) error {
	pool := allowance.New(s, fmt.Sprint("pool ", time.Now().UnixNano()))
	var postings []allowance.Posting
	for _, a := range accounts(kind) {
		postings = append(postings, allowance.Posting{Account: a, Cap: limit, Amount: 100})
	}
	return func(int) error {
		var h allowance.Hold
		if err := pool.Take(ctx, &h, postings); err != nil {
			return err
		}
		h.End(100)
		return nil
	}
}

// alone borrows in every goroutine out of a pool and a store of its own: what it takes is the work and the goroutine's turn
// on a processor, not what goroutines do to each other.
func alone(goroutines int) func(int) error {
	each := make([]func(int) error, goroutines)
	for i := range each {
		each[i] = borrowed(new(store.Memory), "memory")
	}
	return func(goroutine int) error { return each[goroutine](goroutine) }
}

// measure runs an operation in goroutines for a while, and takes the time of each.
func measure(kind, how string, goroutines int, duration time.Duration, op func(goroutine int) error) result {
	times := make([][]time.Duration, goroutines)
	var all sync.WaitGroup
	start := time.Now()
	for g := range goroutines {
		all.Go(func() {
			for last := time.Now(); len(times[g]) == 0 || last.Sub(start) < duration; { // once, however busy the machine is
				if err := op(g); err != nil {
					log.Fatalf("%s, %s: %v", kind, how, err)
				}
				now := time.Now()
				times[g] = append(times[g], now.Sub(last))
				last = now
			}
		})
	}
	all.Wait()
	gone := time.Since(start)
	sorted := slices.Concat(times...)
	slices.Sort(sorted)
	at := func(share float64) time.Duration { return sorted[int(float64(len(sorted)-1)*share)] }
	return result{kind, how, goroutines, float64(len(sorted)) / gone.Seconds(), at(0.5), at(0.99), at(0.999)}
}

// plain is something simple that a server does, to compare with.
type plain struct {
	name string
	do   func() error
}

// simplest names the one that others are measured by.
const simplest = "the server's simplest write"

// open opens a store of its own on a server, and says what else to measure there.
func open(kind, folder string) (s store.Store, others []plain, ok bool) {
	switch kind {
	case "journal":
		s, err := store.OpenFile(filepath.Join(folder, "budgets"))
		check(err)
		file, err := os.Create(filepath.Join(folder, "plain"))
		check(err)
		return s, []plain{{simplest, func() error {
			if _, err := file.WriteString("a line of about as many bytes as a record has, written and put on disk\n"); err != nil {
				return err
			}
			return file.Sync()
		}}}, true
	case "redis":
		return openRedis(os.Getenv("FAREBOX_REDIS_URL"))
	case "sqlite":
		return openSQL("sqlite", "file:"+filepath.Join(folder, "db")+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)", sqlstore.SQLite)
	}
	url := os.Getenv("FAREBOX_POSTGRES_URL")
	if url == "" {
		return nil, nil, false
	}
	return openSQL("pgx", url, sqlstore.PostgreSQL)
}

func openRedis(url string) (store.Store, []plain, bool) {
	if url == "" {
		return nil, nil, false
	}
	options, err := redis.ParseURL(url)
	check(err)
	client := redis.NewClient(options)
	root := fmt.Sprintf("farebox-bench-%d", time.Now().UnixNano())
	s, err := redisstore.New(client, root)
	check(err)
	check(s.Setup(ctx))
	const nothing = "#!lua name=farebox_bench\nredis.register_function('farebox_bench', function() return 1 end)"
	check(client.FunctionLoadReplace(ctx, nothing).Err())
	key := "{" + root + "}:plain"
	return s, []plain{
		{"PING", func() error { return client.Ping(ctx).Err() }},
		{"a function that does nothing", func() error { return client.FCall(ctx, "farebox_bench", []string{key}).Err() }},
		{simplest, func() error { return client.IncrBy(ctx, key, 1).Err() }},
	}, true
}

func openSQL(driver, dsn string, dialect sqlstore.Dialect) (store.Store, []plain, bool) {
	db, err := sql.Open(driver, dsn)
	check(err)
	db.SetMaxOpenConns(32)
	check(sqlstore.Migrate(ctx, db, dialect))
	s, err := sqlstore.New(db, dialect)
	check(err)
	_, err = db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS farebox_bench (id INTEGER PRIMARY KEY, used BIGINT)")
	check(err)
	_, err = db.ExecContext(ctx, "INSERT INTO farebox_bench VALUES (1, 0) ON CONFLICT DO NOTHING")
	check(err)
	return s, []plain{{simplest, func() error {
		_, err := db.ExecContext(ctx, "UPDATE farebox_bench SET used = used + 1 WHERE id = 1")
		return err
	}}}, true
}

func print(results []result) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "store\thow\tgoroutines\tper second\tp50\tp99\tp99.9\tratio\t")
	base := make(map[string]float64)
	for _, r := range results {
		if r.How == simplest {
			base[r.Store] = r.PerSecond
		}
	}
	for _, r := range results {
		ratio := "" // to nothing, where there is no server
		if base[r.Store] > 0 {
			ratio = fmt.Sprintf("%.2f", r.PerSecond/base[r.Store])
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%.0f\t%s\t%s\t%s\t%s\t\n", r.Store, r.How, r.Goroutines, r.PerSecond, r.P50, r.P99, r.P999, ratio)
	}
	check(table.Flush())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
