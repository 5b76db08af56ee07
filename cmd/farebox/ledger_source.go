package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
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

// openLedger is a ledger that the command line has opened.
type openLedger struct {
	farebox.LedgerReader
	keepsSums bool                     // beside the receipts, which may differ
	damaged   func(*farebox.LineError) // told of lines that cannot be read; nil: they are counted
	unread    int
	close     func()
}

// open opens what is named: a database, a file, or standard input.
func (f *ledgerFlags) open(ctx context.Context, o *output) (*openLedger, error) {
	watch := &watch{to: o.progress}
	database, closeDatabase, err := f.openDatabase(ctx)
	if err != nil {
		return nil, err
	}
	if database != nil {
		counted := &countedLedger{LedgerReader: database, watch: watch}
		return &openLedger{LedgerReader: counted, keepsSums: true, close: closeDatabase}, nil
	}
	path, closeFile := f.Ledger, func() {}
	if path == "-" {
		if path, closeFile, err = spooled(o.stdin); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	ledger := &openLedger{close: func() { watch.end(); closeFile() }}
	ledger.LedgerReader = &farebox.LedgerFile{
		Path: path,
		Progress: func(read, size int64) {
			watch.show(func() string { return fmt.Sprintf("%3d %% of %d MB", 100*read/max(size, 1), size>>20) })
		},
		Damaged: func(bad *farebox.LineError) {
			if ledger.damaged != nil {
				ledger.damaged(bad)
			} else {
				ledger.unread++
			}
		},
	}
	return ledger, nil
}

// tellDamaged says that lines were passed over.
func (l *openLedger) tellDamaged(o *output) {
	if l.unread > 0 && o.progress != nil {
		fmt.Fprintf(o.progress, "%d lines cannot be read and do not count: farebox ledger verify says which\n", l.unread)
	}
}

// spooled puts what comes into a file, which can be read more than once.
func spooled(from io.Reader) (path string, remove func(), err error) {
	file, err := os.CreateTemp("", "farebox-*.jsonl")
	if err != nil {
		return "", nil, err
	}
	_, err = io.Copy(file, from)
	if err = errors.Join(err, file.Close()); err != nil {
		return "", nil, errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), func() { _ = os.Remove(file.Name()) }, nil
}

// countedLedger shows how many records have been read.
type countedLedger struct {
	farebox.LedgerReader
	watch *watch
}

func (l *countedLedger) Records(ctx context.Context, filter farebox.Filter) iter.Seq2[farebox.Record, error] {
	return func(yield func(farebox.Record, error) bool) {
		defer l.watch.end()
		n := int64(0)
		for record, err := range l.LedgerReader.Records(ctx, filter) {
			n++
			l.watch.show(func() string { return grouped(n) + " receipts" })
			if !yield(record, err) {
				return
			}
		}
	}
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

// watch shows how far something has come, five times a second.
type watch struct {
	to    io.Writer // nil: nowhere
	shown time.Time
	wide  bool // something is on the line
}

func (w *watch) show(text func() string) {
	if w.to == nil || time.Since(w.shown) < 200*time.Millisecond {
		return
	}
	if !w.shown.IsZero() {
		fmt.Fprintf(w.to, "\r%s", text())
		w.wide = true
	}
	w.shown = time.Now()
}

func (w *watch) end() {
	if w.wide {
		fmt.Fprint(w.to, "\r                          \r")
	}
}
