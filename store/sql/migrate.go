package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate makes the tables that stores and ledgers of this package use, or brings those of an older version up to date. It may be
// run again, and by many processes at once. The names of all tables begin with farebox_.
func Migrate(ctx context.Context, db *sql.DB, dialect Dialect) error {
	if err := dialect.validate(); err != nil {
		return err
	}
	conn, err := db.Conn(ctx) // locks belong to a connection
	if err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	defer func() { _ = conn.Close() }()
	unlock, err := dialect.lockSchema(ctx, conn)
	if err != nil {
		return fmt.Errorf("sqlstore: waiting for other migrations: %w", err)
	}
	defer unlock()
	if err := migrate(ctx, conn, dialect); err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	return nil
}

// schemaLock names the lock that one migration holds at a time.
const schemaLock = 4_207_266_290_114_317

// lockSchema keeps other migrations out until unlock is called. SQLite needs none: whatever a migration repeats changes
// nothing, and its writers come one after the other.
func (d Dialect) lockSchema(ctx context.Context, conn *sql.Conn) (unlock func(), err error) {
	name := strconv.Itoa(schemaLock)
	lock, release := "", ""
	switch d {
	case PostgreSQL:
		lock, release = "SELECT pg_advisory_lock("+name+")", "SELECT pg_advisory_unlock("+name+")"
	case MySQL:
		lock, release = "SELECT GET_LOCK('farebox', 60)", "SELECT RELEASE_LOCK('farebox')"
	default:
		return func() {}, nil
	}
	var taken any
	if err := conn.QueryRowContext(ctx, lock).Scan(&taken); err != nil {
		return nil, err
	}
	if number, ok := taken.(int64); ok && number != 1 {
		return nil, fmt.Errorf("another migration has held the lock for a minute")
	}
	return func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), release) }, nil
}

func migrate(ctx context.Context, conn *sql.Conn, dialect Dialect) error {
	const schema = "CREATE TABLE IF NOT EXISTS farebox_schema (version INTEGER NOT NULL PRIMARY KEY)"
	if _, err := conn.ExecContext(ctx, schema); err != nil {
		return err
	}
	var have int
	if err := conn.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM farebox_schema").Scan(&have); err != nil {
		return err
	}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	if have > len(names) {
		return fmt.Errorf("the tables are of version %d, and this program knows %d: use a newer one", have, len(names))
	}
	for i, name := range names[have:] {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return err
		}
		for statement := range strings.SplitSeq(withoutComments(string(text)), ";") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := conn.ExecContext(ctx, dialect.adapt(statement)); err != nil && !isDuplicateIndex(err) {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		done := dialect.bind(dialect.insertMissing("farebox_schema", "version", 1))
		if _, err := conn.ExecContext(ctx, done, have+i+1); err != nil {
			return err
		}
	}
	return nil
}

func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			b.WriteString(line)
		}
	}
	return b.String()
}

var mysqlText = regexp.MustCompile(`VARCHAR\(\d+\)|\bTEXT\b`)

var creatingIndex = regexp.MustCompile(`CREATE (UNIQUE )?INDEX `)

// adapt writes a statement of a migration in the dialect. SQLite keeps a table in the order of a key that is called INTEGER, or
// of a longer one where it is told to have no other. MySQL compares text without regard to case unless told otherwise,
// and its TEXT and BLOB are short; it alone has no indexes that are made where there are none.
func (d Dialect) adapt(statement string) string {
	if d == SQLite {
		statement = strings.Replace(statement, "BIGINT NOT NULL PRIMARY KEY", "INTEGER NOT NULL PRIMARY KEY", 1)
	} else {
		statement = strings.Replace(statement, ") WITHOUT ROWID", ")", 1)
	}
	if d == PostgreSQL {
		statement = strings.Replace(statement, " BLOB ", " BYTEA ", 1)
	}
	if d != MySQL {
		statement = strings.ReplaceAll(statement, "VARBINARY(", "VARCHAR(")
		return creatingIndex.ReplaceAllString(statement, "${0}IF NOT EXISTS ")
	}
	statement = strings.Replace(statement, " BLOB ", " MEDIUMBLOB ", 1)
	return mysqlText.ReplaceAllStringFunc(statement, func(kind string) string {
		return strings.Replace(kind, "TEXT", "MEDIUMTEXT", 1) + " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
	})
}

// isDuplicateIndex says that MySQL has an index already, of a migration that was broken off.
func isDuplicateIndex(err error) bool { return strings.Contains(err.Error(), "Error 1061") }
