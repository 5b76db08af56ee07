package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/farebox-go/farebox/store"
	sqlstore "github.com/farebox-go/farebox/store/sql"
	"github.com/farebox-go/farebox/store/storetest"
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

var ctx = context.Background()

// database is a real database, empty.
type database struct {
	*sql.DB
	dialect sqlstore.Dialect
	name    string // for its driver
}

var databases atomic.Int64

// each runs a test on every kind of database that is there.
func each(t *testing.T, test func(t *testing.T, open func(testing.TB) database)) {
	for _, dialect := range []sqlstore.Dialect{sqlstore.SQLite, sqlstore.PostgreSQL, sqlstore.MySQL} {
		t.Run(string(dialect), func(t *testing.T) {
			open := map[sqlstore.Dialect]func(testing.TB) database{
				sqlstore.SQLite: openSQLite, sqlstore.PostgreSQL: openPostgreSQL, sqlstore.MySQL: openMySQL,
			}[dialect]
			test(t, open)
		})
	}
}

func openSQLite(t testing.TB) database {
	t.Helper()
	path := filepath.Join(t.TempDir(), "farebox.db")
	return connect(t, "sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)", sqlstore.SQLite)
}

func openPostgreSQL(t testing.TB) database {
	t.Helper()
	url := os.Getenv("FAREBOX_POSTGRES_URL")
	if url == "" {
		t.Skip("FAREBOX_POSTGRES_URL is not set: no PostgreSQL to test against")
	}
	schema := fmt.Sprintf("farebox_test_%d_%d", os.Getpid(), databases.Add(1))
	admin := connect(t, "pgx", url, sqlstore.PostgreSQL)
	mustExec(t, admin, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { mustExec(t, admin, "DROP SCHEMA "+schema+" CASCADE") })
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	return connect(t, "pgx", url+separator+"search_path="+schema, sqlstore.PostgreSQL)
}

func openMySQL(t testing.TB) database {
	t.Helper()
	dsn := os.Getenv("FAREBOX_MYSQL_DSN")
	if dsn == "" {
		t.Skip("FAREBOX_MYSQL_DSN is not set: no MySQL or MariaDB to test against")
	}
	name := fmt.Sprintf("farebox_test_%d_%d", os.Getpid(), databases.Add(1))
	admin := connect(t, "mysql", dsn, sqlstore.MySQL)
	mustExec(t, admin, "CREATE DATABASE "+name)
	t.Cleanup(func() { mustExec(t, admin, "DROP DATABASE "+name) })
	server, _, _ := strings.Cut(dsn, "/")
	return connect(t, "mysql", server+"/"+name, sqlstore.MySQL)
}

func connect(t testing.TB, driver, dsn string, dialect sqlstore.Dialect) database {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(16)
	t.Cleanup(func() { _ = db.Close() })
	if err := db.PingContext(ctx); err != nil {
		t.Fatal(err)
	}
	return database{db, dialect, dsn}
}

func mustExec(t testing.TB, db database, statement string) {
	t.Helper()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func (db database) store(t testing.TB) *sqlstore.Store {
	t.Helper()
	if err := sqlstore.Migrate(ctx, db.DB, db.dialect); err != nil {
		t.Fatal(err)
	}
	s, err := sqlstore.New(db.DB, db.dialect)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (db database) empty(t testing.TB) {
	t.Helper()
	for _, table := range []string{"accounts", "windows", "holders", "corrections"} {
		mustExec(t, db, "DELETE FROM farebox_"+table)
	}
}

func TestStore(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) database) {
		db := open(t)
		db.store(t)
		storetest.Run(t, func(t *testing.T) store.Store {
			db.empty(t) // one database for all: tests of the suite run one after the other
			return db.store(t)
		})
	})
}

// TestMigrateAtOnce: many processes may start at once, and start again.
func TestMigrateAtOnce(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) database) {
		db := open(t)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 2 {
					if err := sqlstore.Migrate(ctx, db.DB, db.dialect); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		s := db.store(t)
		if _, err := s.Sync(ctx, "one", ask("a", 10, 1)); err != nil {
			t.Error(err)
		}
		if err := sqlstore.Migrate(ctx, db.DB, db.dialect); err != nil {
			t.Error(err)
		}
		if reply, err := s.Sync(ctx, "two", ask("a", 10, 10)); err != nil || reply.Refused != 0 {
			t.Errorf("a migration that was run again has reopened the cap: %+v, %v", reply, err)
		}
		mustExec(t, db, "INSERT INTO farebox_schema (version) VALUES (1000)")
		if err := sqlstore.Migrate(ctx, db.DB, db.dialect); err == nil || !strings.Contains(err.Error(), "newer") {
			t.Errorf("tables of a newer version: %v", err)
		}
	})
}

func ask(key string, limit, need int64) []store.Line {
	return []store.Line{{Account: store.Account{Key: key}, Cap: limit, Need: need}}
}

// TestNoTables: a database without the tables grants nothing.
func TestNoTables(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) database) {
		db := open(t)
		s, err := sqlstore.New(db.DB, db.dialect)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Sync(ctx, "one", ask("a", 10, 1)); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Sync: %v", err)
		}
	})
}

// TestLongNames: what the tables cannot hold is refused, not cut.
func TestLongNames(t *testing.T) {
	db := openSQLite(t)
	s := db.store(t)
	if _, err := s.Sync(ctx, "one", ask(strings.Repeat("k", 501), 10, 1)); err == nil || !strings.Contains(err.Error(), "501 bytes") {
		t.Errorf("a long key: %v", err)
	}
	if _, err := s.Sync(ctx, strings.Repeat("c", 101), ask("a", 10, 1)); err == nil || !strings.Contains(err.Error(), "101 bytes") {
		t.Errorf("a long client: %v", err)
	}
}

// TestKeysAreExact: keys that differ only in case or accents are different accounts.
func TestKeysAreExact(t *testing.T) {
	each(t, func(t *testing.T, open func(testing.TB) database) {
		s := open(t).store(t)
		for _, key := range []string{"user/anna", "user/Anna", "user/änna", "user/anna ", "użytkownik/😀"} {
			if reply, err := s.Sync(ctx, "one", ask(key, 10, 10)); err != nil || reply.Refused >= 0 {
				t.Errorf("%q: %+v, %v", key, reply, err)
			}
		}
	})
}

func TestBadOptions(t *testing.T) {
	if _, err := sqlstore.New(nil, sqlstore.SQLite); err == nil {
		t.Error("no database: taken")
	}
	db := openSQLite(t)
	if _, err := sqlstore.New(db.DB, "oracle"); err == nil || !strings.Contains(err.Error(), "postgresql") {
		t.Errorf("an unknown dialect: %v", err)
	}
	if err := sqlstore.Migrate(ctx, db.DB, "oracle"); err == nil {
		t.Error("Migrate of an unknown dialect")
	}
}

func BenchmarkSync(b *testing.B) {
	for name, open := range map[string]func(testing.TB) database{"sqlite": openSQLite, "postgresql": openPostgreSQL, "mysql": openMySQL} {
		b.Run(name, func(b *testing.B) {
			s := open(b).store(b)
			granted := int64(0)
			for b.Loop() {
				line := store.Line{Account: store.Account{Key: "a"}, Cap: 1 << 60, Granted: granted, Need: 1}
				reply, err := s.Sync(ctx, "one", []store.Line{line})
				if err != nil {
					b.Fatal(err)
				}
				granted = reply.Lines[0].Granted
			}
		})
	}
}

// TestWaitsForTheDiskAgain: what is written without waiting for the disk, since nobody may spend it, leaves the connection as it was.
func TestWaitsForTheDiskAgain(t *testing.T) {
	db := openPostgreSQL(t)
	db.SetMaxOpenConns(1)
	if err := sqlstore.Migrate(ctx, db.DB, db.dialect); err != nil {
		t.Fatal(err)
	}
	s, err := sqlstore.New(db.DB, db.dialect)
	if err != nil {
		t.Fatal(err)
	}
	line := store.Line{Account: store.Account{Key: "a"}, Cap: 100}
	for _, step := range []store.Line{{Need: 10}, {Granted: 10, Returned: 4}, {Granted: 10, Returned: 4}, {Granted: 10, Returned: 4, Need: 95}} {
		line.Granted, line.Returned, line.Need = step.Granted, step.Returned, step.Need
		if _, err := s.Sync(ctx, "one", []store.Line{line}); err != nil {
			t.Fatal(err)
		}
		var waits string
		if err := db.QueryRowContext(ctx, "SHOW synchronous_commit").Scan(&waits); err != nil || waits != "on" {
			t.Errorf("after %+v synchronous_commit is %q, %v", step, waits, err)
		}
	}
	balances, err := s.Balances(ctx, []store.Account{line.Account})
	if err != nil || balances[0].Used != 6 {
		t.Errorf("%+v, %v", balances, err)
	}
}
