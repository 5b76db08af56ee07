package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Dialect is a kind of database.
type Dialect string

// The dialects, as tested: PostgreSQL 13 and later, MySQL 8 and MariaDB 10.5 and later, SQLite 3.35 and later.
const (
	PostgreSQL Dialect = "postgresql"
	MySQL      Dialect = "mysql" // MariaDB too
	SQLite     Dialect = "sqlite"
)

func (d Dialect) validate() error {
	switch d {
	case PostgreSQL, MySQL, SQLite:
		return nil
	}
	return fmt.Errorf("sqlstore: dialect %q is not known: want %s, %s or %s", d, PostgreSQL, MySQL, SQLite)
}

// bind writes a statement's placeholders, which stand as question marks, in the dialect's form.
func (d Dialect) bind(statement string) string {
	if d != PostgreSQL {
		return statement
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(statement, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		statement = after
	}
}

// list is placeholders for n values.
func list(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// rows is placeholders for n rows of so many values.
func rows(n, values int) string {
	return strings.TrimSuffix(strings.Repeat("("+list(values)+"), ", n), ", ")
}

// insertMissing inserts rows where none of the same key are.
func (d Dialect) insertMissing(table, key string, n int, others ...string) string {
	columns := append([]string{key}, others...)
	into := "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES " + rows(n, len(columns))
	if d == MySQL {
		// INSERT IGNORE would share the lock of a row that is there, which two could then not both make their own.
		return into + " ON DUPLICATE KEY UPDATE " + key + " = " + key
	}
	return into + " ON CONFLICT DO NOTHING"
}

// upsert inserts rows, or replaces columns of those that are there, told by their key.
func (d Dialect) upsert(into string, n, values int, key string, replace ...string) string {
	var sets []string
	for _, column := range replace {
		if d == MySQL {
			sets = append(sets, column+" = VALUES("+column+")")
		} else {
			sets = append(sets, column+" = excluded."+column)
		}
	}
	statement := "INSERT INTO " + into + " VALUES " + rows(n, values)
	if d == MySQL {
		return statement + " ON DUPLICATE KEY UPDATE " + strings.Join(sets, ", ")
	}
	return statement + " ON CONFLICT (" + key + ") DO UPDATE SET " + strings.Join(sets, ", ")
}

// clock is the server's time in microseconds since 1970: not that of the transaction's start, which may have waited since.
// SQLite has no server, and takes the process's own.
func (d Dialect) clock() string {
	switch d {
	case PostgreSQL:
		return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
	case MySQL:
		return "CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)"
	}
	return "0"
}

// querier is a database, or a transaction of one.
type querier interface {
	ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error)
}

// now reads the clock.
func (d Dialect) now(ctx context.Context, q querier) (time.Time, error) {
	if d == SQLite {
		return time.Now(), nil
	}
	rows, err := q.QueryContext(ctx, "SELECT "+d.clock())
	if err != nil {
		return time.Time{}, err
	}
	var microseconds int64
	err = scanAll(rows, func() error { return rows.Scan(&microseconds) })
	return time.UnixMicro(microseconds), err
}

// scanAll calls scan for every row, and ends the query.
func scanAll(rows *sql.Rows, scan func() error) error {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(); err != nil {
			return err
		}
	}
	return rows.Err()
}
