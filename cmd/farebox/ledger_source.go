package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/farebox-go/farebox"
	sqlstore "github.com/farebox-go/farebox/store/sql"
)

// ledgerFlags say where receipts are kept, and which of them count.
type ledgerFlags struct {
	Ledger string   `arg:"" help:"A file of receipts, a journal's folder, - for standard input, or a database: postgres://…, mysql://user@tcp(host)/name, sqlite:FILE."`
	Since  string   `help:"Only attempts from then on: a date, a time, or how long ago (7d, 36h)." placeholder:"WHEN"`
	Until  string   `help:"Only attempts before then." placeholder:"WHEN"`
	Where  []string `help:"Only attempts with this tag, or of this model, endpoint or key." placeholder:"NAME=VALUE"`
}

func (f *ledgerFlags) filter(now time.Time) (filter farebox.Filter, err error) {
	if filter.From, err = parseWhen(f.Since, now); err != nil {
		return filter, fmt.Errorf("%w: --since: %w", errUsage, err)
	}
	if filter.To, err = parseWhen(f.Until, now); err != nil {
		return filter, fmt.Errorf("%w: --until: %w", errUsage, err)
	}
	for _, where := range f.Where {
		name, value, ok := strings.Cut(where, "=")
		if !ok {
			return filter, fmt.Errorf("%w: --where %q: want NAME=VALUE", errUsage, where)
		}
		switch name {
		case "model":
			filter.Model = value
		case "endpoint":
			filter.Endpoint = value
		case "key":
			filter.KeyLabel = value
		default:
			if filter.Tags == nil {
				filter.Tags = farebox.Tags{}
			}
			filter.Tags[strings.TrimPrefix(name, "tag:")] = value
		}
	}
	return filter, nil
}

// parseWhen reads a date, a time, or how long ago something was.
func parseWhen(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, fmt.Errorf("%q: want a date (2026-11-24), a time (2026-11-24T08:00:00Z), or how long ago (7d, 36h)", text)
}

// openDatabase opens the ledger of a database; nil where the name is not one's.
func (f *ledgerFlags) openDatabase(ctx context.Context) (*sqlstore.Ledger, func(), error) {
	driver, name, dialect := "", f.Ledger, sqlstore.SQLite
	switch scheme, rest, _ := strings.Cut(f.Ledger, ":"); scheme {
	case "postgres", "postgresql":
		driver, dialect = "pgx", sqlstore.PostgreSQL
	case "mysql":
		driver, name, dialect = "mysql", strings.TrimPrefix(rest, "//"), sqlstore.MySQL
	case "sqlite":
		driver, name = "sqlite", "file:"+strings.TrimPrefix(rest, "//")+"?mode=ro&_pragma=busy_timeout(10000)"
	default:
		return nil, nil, nil
	}
	db, err := sql.Open(driver, name)
	if err == nil {
		err = db.PingContext(ctx)
	}
	if err != nil {
		return nil, nil, errors.New("the database cannot be opened: " + withoutName(err, name)) // its name may hold a password
	}
	ledger, err := sqlstore.NewLedger(db, dialect, sqlstore.LedgerOptions{})
	return ledger, func() { _ = ledger.Close(); _ = db.Close() }, err
}

func withoutName(err error, name string) string { return strings.ReplaceAll(err.Error(), name, "…") }

// entries iterates over what a file holds, with progress. A journal's folder stands for its file of receipts.
func (f *ledgerFlags) entries(ctx context.Context, o *output) iter.Seq2[farebox.LedgerEntry, error] {
	return func(yield func(farebox.LedgerEntry, error) bool) {
		source, size, err := f.open(o)
		if err != nil {
			yield(farebox.LedgerEntry{}, err)
			return
		}
		defer func() { _ = source.Close() }()
		watched := &watchedReader{source: source, size: size, to: o.progress}
		defer watched.end()
		for entry, err := range farebox.ReadLedger(watched) {
			if ctx.Err() != nil {
				yield(farebox.LedgerEntry{}, ctx.Err())
				return
			}
			if !yield(entry, err) {
				return
			}
		}
	}
}

func (f *ledgerFlags) open(o *output) (io.ReadCloser, int64, error) {
	if f.Ledger == "-" {
		return io.NopCloser(o.stdin), 0, nil
	}
	path := f.Ledger
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path = filepath.Join(path, "receipts.jsonl")
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, 0, err
	}
	file, err := os.Open(path)
	return file, info.Size(), err
}

// watchedReader shows how far reading has come.
type watchedReader struct {
	source io.Reader
	size   int64
	read   int64
	to     io.Writer // nil: nowhere
	shown  time.Time
}

func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.source.Read(p)
	r.read += int64(n)
	if r.to != nil && r.size > 0 && time.Since(r.shown) > 200*time.Millisecond {
		if !r.shown.IsZero() {
			fmt.Fprintf(r.to, "\r%3d %% of %d MB", 100*r.read/r.size, r.size>>20)
		}
		r.shown = time.Now()
	}
	return n, err
}

func (r *watchedReader) end() {
	if r.to != nil && !r.shown.IsZero() {
		fmt.Fprint(r.to, "\r                          \r")
	}
}
