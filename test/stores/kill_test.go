package stores_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
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

// TestKill kills process after process while it spends, each under what is left of one cap. The provider's bill never
// passes the cap, and the store never counts less than the bill.
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
	p := newProvider(t, 3*time.Millisecond)
	s := spender{Provider: p.URL, Kind: kind, Name: name, Cap: farebox.Dollars(40), Workers: 8, Timeout: 10 * time.Second, GivesUp: true}
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
	kept, closeAll, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	counted, billed := used(t, kept, "cap/total/usd/"), p.billed.Load()
	t.Logf("%d kills: billed %.1f %% of the cap, counted %.1f %%", killed, float64(billed)*100/float64(limit), float64(counted)*100/float64(limit))
	if counted < billed || counted > limit {
		t.Errorf("the store counts %d, the provider billed %d, the cap is %d", counted, billed, limit)
	}
	return killed
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
