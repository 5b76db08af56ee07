// Package sqlstore keeps spending caps that a fleet of processes shares in a SQL database that the caller already has:
// PostgreSQL, MySQL, MariaDB or SQLite, through database/sql and whatever driver is registered.
//
// It is a grantor of allowances (see [store.Store]): a grant is one transaction that locks the accounts in one order, so that
// it takes effect on all of them or on none, and every decision is by the server's clock.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/farebox-go/farebox/store"
)

// Store is a [store.Store] in a SQL database. Make one with [New]. Safe for concurrent use.
type Store struct {
	db      *sql.DB
	dialect Dialect
	closed  atomic.Bool
}

// New makes a Store over a database that the caller has, and keeps and closes. Nothing is sent. The tables are made by
// [Migrate].
//
// Several processes may share a SQLite file, which makes them wait for each other: set busy_timeout.
func New(db *sql.DB, dialect Dialect) (*Store, error) {
	if db == nil {
		return nil, errors.New("sqlstore: the database is nil")
	}
	if err := dialect.validate(); err != nil {
		return nil, err
	}
	return &Store{db: db, dialect: dialect}, nil
}

// Limits of what is stored, in bytes.
const (
	maxKey    = 500
	maxClient = 100
)

// Sync implements [store.Store].
func (s *Store) Sync(ctx context.Context, client string, lines []store.Line) (store.Reply, error) {
	if err := store.Validate(client, lines); err != nil {
		return store.Reply{}, err
	}
	if len(client) > maxClient {
		return store.Reply{}, fmt.Errorf("sqlstore: a client's name of %d bytes: the longest is %d", len(client), maxClient)
	}
	accounts := make([]store.Account, len(lines))
	for i := range lines {
		accounts[i] = lines[i].Account
	}
	keys, err := keysOf(accounts)
	if err != nil {
		return store.Reply{}, err
	}
	var reply store.Reply
	err = s.transact(ctx, func(tx *sql.Tx) error {
		if err := s.lock(ctx, tx, keys); err != nil {
			return err
		}
		positions, now, err := s.load(ctx, tx, client, accounts, keys)
		if err != nil {
			return err
		}
		before := slices.Clone(positions)
		if reply, err = store.Decide(lines, positions, now); err != nil {
			return err
		}
		return s.save(ctx, tx, client, lines, before, positions)
	})
	if err != nil {
		return store.Reply{}, err
	}
	return reply, nil
}

// transact runs a step in a transaction, again where the database chose it as the victim of a conflict.
func (s *Store) transact(ctx context.Context, step func(*sql.Tx) error) error {
	const tries = 8
	for try := 1; ; try++ {
		if s.closed.Load() {
			return errClosed
		}
		err := s.transactOnce(ctx, step)
		if err == nil || try == tries || !isConflict(err) {
			return typed(err)
		}
		select {
		case <-ctx.Done():
			return typed(ctx.Err())
		case <-time.After(rand.N(time.Duration(try) * 4 * time.Millisecond)):
		}
	}
}

var errClosed = fmt.Errorf("sqlstore: the store is closed: %w", store.ErrUnavailable)

func (s *Store) transactOnce(ctx context.Context, step func(*sql.Tx) error) error {
	// Each statement must see what was committed before it, not before the transaction: the locks come first.
	options := &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	if s.dialect == SQLite {
		options = nil
	}
	tx, err := s.db.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	if err := step(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

// isConflict says whether a database gave up a transaction for another's sake, so that it may be tried again.
func isConflict(err error) bool {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		return slices.Contains([]string{"40001", "40P01"}, coded.SQLState())
	}
	text := err.Error()
	return strings.Contains(text, "Error 1213") || strings.Contains(text, "Error 1205") || // MySQL: deadlock, lock timeout
		strings.Contains(text, "SQLITE_BUSY") || strings.Contains(text, "database is locked")
}

// typed marks an error of the database as one by which the store cannot answer. Those of the protocol, and of a context,
// stay what they are.
func typed(err error) error {
	var window *store.WindowError
	switch {
	case err == nil, errors.Is(err, store.ErrUnavailable), errors.As(err, &window),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fmt.Errorf("sqlstore: %w: %w", err, store.ErrUnavailable)
}

// lock locks accounts in the order of their keys, the same for everybody, and makes rows for those that have none.
func (s *Store) lock(ctx context.Context, tx *sql.Tx, keys []any) error {
	if len(keys) == 0 {
		return nil
	}
	// In SQLite a transaction that begins with reading could not write over what was written since: writing takes its lock.
	if s.dialect != SQLite {
		if locked, err := s.lockRows(ctx, tx, keys); err != nil || locked == len(keys) {
			return err
		}
	}
	fresh := make([]any, 0, 3*len(keys))
	for _, key := range keys {
		fresh = append(fresh, key, 0, 0)
	}
	insert := s.dialect.insertMissing("farebox_accounts", "account_key", len(keys), "last_start", "refused_at")
	if _, err := tx.ExecContext(ctx, s.dialect.bind(insert), fresh...); err != nil || s.dialect == SQLite {
		return err
	}
	_, err := s.lockRows(ctx, tx, keys)
	return err
}

func (s *Store) lockRows(ctx context.Context, tx *sql.Tx, keys []any) (locked int, err error) {
	lock := "SELECT 1 FROM farebox_accounts WHERE account_key IN (" + list(len(keys)) + ") ORDER BY account_key FOR UPDATE"
	rows, err := tx.QueryContext(ctx, s.dialect.bind(lock), keys...)
	if err != nil {
		return 0, err
	}
	err = scanAll(rows, func() error { locked++; return nil })
	return locked, err
}

func keysOf(accounts []store.Account) ([]any, error) {
	var keys []string
	for i := range accounts {
		if len(accounts[i].Key) > maxKey {
			return nil, fmt.Errorf("sqlstore: a key of %d bytes, for a budget and a tag's value: the longest is %d", len(accounts[i].Key), maxKey)
		}
		keys = append(keys, accounts[i].Key)
	}
	slices.Sort(keys)
	values := make([]any, 0, len(keys))
	for _, key := range slices.Compact(keys) {
		values = append(values, key)
	}
	return values, nil
}

// load reads where accounts and a client stand, and the time, in one statement that begins once the locks are held.
func (s *Store) load(ctx context.Context, q querier, client string, accounts []store.Account, keys []any) ([]store.Position, time.Time, error) {
	positions := make([]store.Position, len(accounts))
	var microseconds int64
	query := "SELECT " + s.dialect.clock() + `, a.account_key, a.last_start, a.refused_at, w.start_at, w.used, w.clients,
h.granted, h.returned, h.overspent
FROM farebox_accounts a
LEFT JOIN farebox_windows w ON w.account_key = a.account_key
LEFT JOIN farebox_holders h ON h.account_key = w.account_key AND h.start_at = w.start_at AND h.client = ?
WHERE a.account_key IN (` + list(len(keys)) + `)`
	if len(keys) == 0 {
		now, err := s.dialect.now(ctx, q)
		return positions, now, err
	}
	rows, err := q.QueryContext(ctx, s.dialect.bind(query), append([]any{client}, keys...)...)
	if err != nil {
		return nil, time.Time{}, err
	}
	err = scanAll(rows, func() error {
		var key string
		var last, refused int64
		var start, used, clients, granted, returned, over sql.NullInt64
		if err := rows.Scan(&microseconds, &key, &last, &refused, &start, &used, &clients, &granted, &returned, &over); err != nil {
			return err
		}
		for i := range accounts {
			a, p := &accounts[i], &positions[i]
			if a.Key != key {
				continue
			}
			p.Last = last
			if refused != 0 {
				p.RefusedAt = time.Unix(0, refused)
			}
			if start.Valid && start.Int64 >= a.Window.View {
				p.Used = store.Add(p.Used, used.Int64)
			}
			if start.Valid && start.Int64 == a.Window.Start {
				p.Known, p.Clients = true, int(clients.Int64)
				p.Granted, p.Returned, p.Over = granted.Int64, returned.Int64, over.Int64
			}
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	if microseconds == 0 { // SQLite's clock is this process's; or none of the accounts is known
		now, err := s.dialect.now(ctx, q)
		return positions, now, err
	}
	return positions, time.UnixMicro(microseconds), nil
}

// save writes what has changed.
func (s *Store) save(ctx context.Context, tx *sql.Tx, client string, lines []store.Line, before, after []store.Position) error {
	var windows, holders, accounts []any
	for i := range lines {
		l, old, p := &lines[i], &before[i], &after[i]
		if !old.Known {
			if err := s.dropBefore(ctx, tx, &l.Account); err != nil {
				return err
			}
		}
		if difference := p.Used - old.Used; difference != 0 || p.Clients != old.Clients || !old.Known {
			windows = append(windows, l.Key, l.Window.Start, l.Window.End, difference, p.Clients)
		}
		if p.Granted != old.Granted || p.Returned != old.Returned || p.Over != old.Over {
			holders = append(holders, l.Key, l.Window.Start, client, p.Granted, p.Returned, p.Over)
		}
		if p.RefusedAt != old.RefusedAt || !old.Known {
			refused := int64(0)
			if !p.RefusedAt.IsZero() {
				refused = p.RefusedAt.UnixNano()
			}
			accounts = append(accounts, l.Key, max(old.Last, l.Window.Start), refused)
		}
	}
	d := s.dialect
	return s.write(ctx, tx, !spends(before, after),
		write{d.upsertWindows(len(windows) / 5), windows},
		write{d.upsert("farebox_holders (account_key, start_at, client, granted, returned, overspent)",
			len(holders)/6, 6, "account_key, start_at, client", "granted", "returned", "overspent"), holders},
		write{d.upsert("farebox_accounts (account_key, last_start, refused_at)",
			len(accounts)/3, 3, "account_key", "last_start", "refused_at"), accounts},
	)
}

// spends says whether more counts as spent afterwards: a database that lost that would grant it again. One that loses what
// was returned, or that a client was refused, only holds money which it need not.
func spends(before, after []store.Position) bool {
	for i := range after {
		if after[i].Granted > before[i].Granted || after[i].Over > before[i].Over {
			return true
		}
	}
	return false
}

// write is a statement with its values; one without values is not needed.
type write struct {
	statement string
	values    []any
}

// write writes all, in PostgreSQL as one statement. lazily says that nobody need wait until it is on disk: what is committed
// later, and waited for, puts it there too.
func (s *Store) write(ctx context.Context, tx *sql.Tx, lazily bool, writes ...write) error {
	writes = slices.DeleteFunc(writes, func(w write) bool { return len(w.values) == 0 })
	if s.dialect == PostgreSQL {
		return s.writeAtOnce(ctx, tx, lazily, writes)
	}
	for _, w := range writes {
		if _, err := tx.ExecContext(ctx, s.dialect.bind(w.statement), w.values...); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) writeAtOnce(ctx context.Context, tx *sql.Tx, lazily bool, writes []write) error {
	var values []any
	parts := make([]string, len(writes))
	for i, w := range writes {
		parts[i] = fmt.Sprintf("w%d AS (%s)", i, w.statement)
		values = append(values, w.values...)
	}
	statement := "SELECT 1"
	if lazily {
		statement = "SELECT set_config('synchronous_commit', 'off', true)"
	}
	if len(parts) > 0 {
		statement = "WITH " + strings.Join(parts, ", ") + " " + statement
	} else if !lazily {
		return nil
	}
	_, err := tx.ExecContext(ctx, s.dialect.bind(statement), values...)
	return err
}

// upsertWindows adds to what windows count: several lines may count in one.
func (d Dialect) upsertWindows(n int) string {
	into := "farebox_windows (account_key, start_at, end_at, used, clients)"
	if d == MySQL {
		return "INSERT INTO " + into + " VALUES " + rows(n, 5) +
			" ON DUPLICATE KEY UPDATE used = used + VALUES(used), clients = VALUES(clients)"
	}
	return "INSERT INTO " + into + " VALUES " + rows(n, 5) +
		" ON CONFLICT (account_key, start_at) DO UPDATE SET used = farebox_windows.used + excluded.used, clients = excluded.clients"
}

// dropBefore drops windows of an account that leave its view as a new one begins.
func (s *Store) dropBefore(ctx context.Context, tx *sql.Tx, a *store.Account) error {
	for _, table := range []string{"farebox_holders", "farebox_windows"} {
		statement := "DELETE FROM " + table + " WHERE account_key = ? AND start_at < ?"
		if _, err := tx.ExecContext(ctx, s.dialect.bind(statement), a.Key, a.Window.View); err != nil {
			return err
		}
	}
	return nil
}

// Correct implements [store.Store].
func (s *Store) Correct(ctx context.Context, id string, corrections []store.Correction) error {
	if id == "" {
		return errors.New("sqlstore: a correction without an id")
	}
	accounts := make([]store.Account, len(corrections))
	for i := range corrections {
		accounts[i] = corrections[i].Account
	}
	keys, err := keysOf(accounts)
	if err != nil {
		return err
	}
	return s.transact(ctx, func(tx *sql.Tx) error {
		insert := s.dialect.insertMissing("farebox_corrections", "correction_id", 1, "applied_at")
		result, err := tx.ExecContext(ctx, s.dialect.bind(insert), id, time.Now().UnixNano())
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err // applied before
		}
		if err := s.lock(ctx, tx, keys); err != nil {
			return err
		}
		for i := range corrections {
			if err := s.correct(ctx, tx, &corrections[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) correct(ctx context.Context, tx *sql.Tx, c *store.Correction) error {
	read := "SELECT used FROM farebox_windows WHERE account_key = ? AND start_at = ?"
	var used int64
	err := tx.QueryRowContext(ctx, s.dialect.bind(read), c.Key, c.Window.Start).Scan(&used)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // the window has closed
	}
	if err != nil {
		return err
	}
	write := "UPDATE farebox_windows SET used = ? WHERE account_key = ? AND start_at = ?"
	_, err = tx.ExecContext(ctx, s.dialect.bind(write), max(0, store.Add(used, c.Amount)), c.Key, c.Window.Start)
	return err
}

// Balances implements [store.Store].
func (s *Store) Balances(ctx context.Context, accounts []store.Account) ([]store.Balance, error) {
	if s.closed.Load() {
		return nil, errClosed
	}
	keys, err := keysOf(accounts)
	if err != nil {
		return nil, err
	}
	positions, now, err := s.load(ctx, s.db, "", accounts, keys)
	if err != nil {
		return nil, typed(err)
	}
	balances := make([]store.Balance, len(accounts))
	for i := range positions {
		balances[i] = positions[i].Balance(now)
	}
	return balances, nil
}

// Close ends the use of the Store. The database stays the caller's.
func (s *Store) Close() error {
	s.closed.Store(true)
	return nil
}
