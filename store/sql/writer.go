package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// writer writes batches, one after the other.
type writer struct {
	db      *sql.DB
	dialect Dialect
}

// write writes a batch in one transaction. After an error it may be called again, whatever became of the transaction: what the
// database has taken counts once.
func (w *writer) write(ctx context.Context, b *batch) error {
	b.tries++
	if b.tries > 1 {
		done, err := w.recover(ctx, b)
		if done || err != nil {
			return err
		}
	}
	if err := w.writeSeries(ctx, b); err != nil {
		return err
	}
	err := w.writeRows(ctx, b)
	if b.tries == 1 && isRepeat(err) {
		return w.write(ctx, b)
	}
	return err
}

// isRepeat says that a row of the same key is there. Nothing but the time until the next try depends on it.
func isRepeat(err error) bool {
	if err == nil {
		return false
	}
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "unique constraint") || strings.Contains(text, "duplicate entry")
}

// recover finds out why a batch failed: it was written after all, another process has drawn its key, or some of its receipts
// are in the database already and are left out.
func (w *writer) recover(ctx context.Context, b *batch) (done bool, err error) {
	nonces, err := selectAll[int64](ctx, w.db, w.dialect, "SELECT nonce FROM farebox_chunks WHERE chunk_id = ?", b.chunks[0].id)
	switch {
	case err != nil:
		return false, err
	case len(nonces) == 1 && nonces[0] == b.nonce:
		return true, nil
	case len(nonces) == 1:
		b.rekey()
	}
	known := make(map[string]bool)
	for part := range slices.Chunk(b.receipts, 500) {
		ids := make([]any, len(part))
		for i := range part {
			ids[i] = part[i].id
		}
		there, err := selectAll[string](ctx, w.db, w.dialect, "SELECT receipt_id FROM farebox_receipts WHERE receipt_id IN ("+list(len(ids))+")", ids...)
		if err != nil {
			return false, err
		}
		for _, id := range there {
			known[id] = true
		}
	}
	before := len(b.receipts)
	b.receipts = slices.DeleteFunc(b.receipts, func(r receiptRow) bool {
		repeated := known[r.id]
		known[r.id] = true
		return repeated
	})
	if len(b.receipts) < before {
		b.addUp()
	}
	return false, nil
}

// writeSeries makes the series of a batch known, routes first, since the others name theirs.
func (w *writer) writeSeries(ctx context.Context, b *batch) error {
	routes, others := make(map[*series]bool), make(map[*series]bool)
	for i := range b.receipts {
		s := b.receipts[i].series
		if !s.route.written {
			routes[s.route] = true
		}
		if s.route != s && !s.written {
			others[s] = true
		}
	}
	if err := w.writeMissing(ctx, routes); err != nil {
		return err
	}
	return w.writeMissing(ctx, others)
}

// writeMissing writes series, and sees to it that each has an id of its own.
func (w *writer) writeMissing(ctx context.Context, missing map[*series]bool) error {
	for len(missing) > 0 {
		all := slices.SortedFunc(maps.Keys(missing), func(a, b *series) int { return cmp.Compare(a.id, b.id) })
		for part := range slices.Chunk(all, 200) {
			if err := w.writeSomeSeries(ctx, part); err != nil {
				return err
			}
		}
		for s := range missing {
			if s.written {
				delete(missing, s)
			} else {
				s.id++ // it is another's
			}
		}
	}
	return nil
}

func (w *writer) writeSomeSeries(ctx context.Context, part []*series) error {
	var values, ids []any
	for _, s := range part {
		values = append(values, s.id, s.route.id, s.endpoint, s.keyLabel, s.model, s.tags)
		ids = append(ids, s.id)
	}
	insert := w.dialect.insertMissing("farebox_series", "series_id", len(part), "route_id", "endpoint", "key_label", "model", "tags")
	if _, err := w.db.ExecContext(ctx, w.dialect.bind(insert), values...); err != nil {
		return err
	}
	query := "SELECT series_id, endpoint, key_label, model, tags FROM farebox_series WHERE series_id IN (" + list(len(ids)) + ")"
	rows, err := w.db.QueryContext(ctx, w.dialect.bind(query), ids...)
	if err != nil {
		return err
	}
	there := make(map[series]bool)
	err = scanAll(rows, func() error {
		var s series
		err := rows.Scan(&s.id, &s.endpoint, &s.keyLabel, &s.model, &s.tags)
		there[s] = true
		return err
	})
	for _, s := range part {
		s.written = there[series{id: s.id, endpoint: s.endpoint, keyLabel: s.keyLabel, model: s.model, tags: s.tags}]
	}
	return err
}

// writeRows is the transaction. Its first statement writes, so that SQLite lets one writer in at a time; sums, which processes
// have in common, come last and in order.
func (w *writer) writeRows(ctx context.Context, b *batch) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	chunks := newRows("farebox_chunks (chunk_id, nonce, last_start, receipts)", 4)
	for _, c := range b.chunks {
		chunks.add(c.id, b.nonce, c.lastStart, c.lines)
	}
	receipts := newRows("farebox_receipts (receipt_id, call_id, receipt_key, started_at, series_id, certainty, input_tokens, output_tokens, cost_micros, cost_rest)", 10)
	receipts.values = make([]any, 0, 10*len(b.receipts))
	for i := range b.receipts {
		r := &b.receipts[i]
		receipts.add(r.id, r.call, b.chunks[r.chunk].id+int64(r.line), r.startedAt, r.series.id, r.certainty, r.input, r.output, r.costMicros, r.costRest)
	}
	for _, rows := range []*pendingRows{chunks, receipts} {
		if err := rows.insert(ctx, tx, w.dialect); err != nil {
			return err
		}
	}
	hours, days := keyed(b.hours), keyed(b.days)
	if len(b.adjustments) > 0 {
		if err := w.writeAdjustments(ctx, tx, b, hours, days); err != nil {
			return err
		}
	}
	if err := w.book(ctx, tx, hours, days); err != nil {
		return err
	}
	if err := w.addSums(ctx, tx, hours, days); err != nil {
		return err
	}
	return tx.Commit()
}

// place is a row of sums.
type place struct{ bucket, series int64 }

func keyed(sums map[sumKey]*sum) map[place]sum {
	byPlace := make(map[place]sum, len(sums))
	for key, s := range sums {
		byPlace[place{key.bucket, key.series.id}] = *s
	}
	return byPlace
}

// writeAdjustments writes them, and adds them to the sums that their receipts are in.
func (w *writer) writeAdjustments(ctx context.Context, tx *sql.Tx, b *batch, hours, days map[place]sum) error {
	adjustments := newRows("farebox_adjustments (adjustment_key, receipt_id, cost_micros, cost_rest, adjustment)", 5)
	unbooked := newRows("farebox_unbooked (adjustment_key, receipt_id, cost_micros, cost_rest)", 4)
	homes := make(map[string]home)
	for part := range slices.Chunk(b.adjustments, 500) {
		if err := w.findHomes(ctx, tx, part, homes); err != nil {
			return err
		}
	}
	for i := range b.adjustments {
		a := &b.adjustments[i]
		adjustments.add(a.key, a.receiptID, a.costMicros, a.costRest, a.text)
		to, ok := homes[a.receiptID]
		if !ok {
			unbooked.add(a.key, a.receiptID, a.costMicros, a.costRest)
			continue
		}
		to.add(hours, days, &sum{costMicros: a.costMicros, costRest: a.costRest})
	}
	if err := adjustments.insert(ctx, tx, w.dialect); err != nil {
		return err
	}
	return unbooked.insert(ctx, tx, w.dialect)
}

// book adds adjustments that came before their receipt to its sums, once it is there.
func (w *writer) book(ctx context.Context, tx *sql.Tx, hours, days map[place]sum) error {
	query := "SELECT u.adjustment_key, u.cost_micros, u.cost_rest, r.started_at, r.series_id, s.route_id FROM farebox_unbooked u " +
		"JOIN farebox_receipts r ON r.receipt_id = u.receipt_id JOIN farebox_series s ON s.series_id = r.series_id ORDER BY u.adjustment_key"
	rows, err := tx.QueryContext(ctx, w.dialect.bind(query))
	if err != nil {
		return err
	}
	var keys []int64
	var homes []home
	var amounts []sum
	err = scanAll(rows, func() error {
		var key int64
		var to home
		var more sum
		err := rows.Scan(&key, &more.costMicros, &more.costRest, &to.startedAt, &to.series, &to.route)
		keys, homes, amounts = append(keys, key), append(homes, to), append(amounts, more)
		return err
	})
	if err != nil {
		return err
	}
	for i, key := range keys {
		result, err := tx.ExecContext(ctx, w.dialect.bind("DELETE FROM farebox_unbooked WHERE adjustment_key = ?"), key)
		if err != nil {
			return err
		}
		deleted, err := result.RowsAffected()
		if err != nil {
			return err
		}
		if deleted > 0 { // else another process has booked it
			homes[i].add(hours, days, &amounts[i])
		}
	}
	return nil
}

// home is where a receipt counts.
type home struct{ startedAt, series, route int64 }

// add adds an adjustment to the sums that its receipt is in.
func (h home) add(hours, days map[place]sum, more *sum) {
	addAt(hours, place{floor(h.startedAt, nanosPerHour), h.route}, more)
	addAt(days, place{floor(h.startedAt, nanosPerDay), h.series}, more)
}

func (w *writer) findHomes(ctx context.Context, tx *sql.Tx, part []adjustmentRow, homes map[string]home) error {
	ids := make([]any, len(part))
	for i := range part {
		ids[i] = part[i].receiptID
	}
	query := "SELECT r.receipt_id, r.started_at, r.series_id, s.route_id FROM farebox_receipts r JOIN farebox_series s ON s.series_id = r.series_id " +
		"WHERE r.receipt_id IN (" + list(len(ids)) + ")"
	rows, err := tx.QueryContext(ctx, w.dialect.bind(query), ids...)
	if err != nil {
		return err
	}
	return scanAll(rows, func() error {
		var id string
		var h home
		err := rows.Scan(&id, &h.startedAt, &h.series, &h.route)
		homes[id] = h
		return err
	})
}

func addAt(sums map[place]sum, at place, more *sum) {
	s := sums[at]
	s.costMicros += more.costMicros
	s.costRest += more.costRest
	sums[at] = s
}

var sumColumns = []string{"attempts", "unpriced", "unsettled", "input_tokens", "output_tokens", "cost_micros", "cost_rest"}

func (w *writer) addSums(ctx context.Context, tx *sql.Tx, hours, days map[place]sum) error {
	if err := w.addToTable(ctx, tx, "farebox_hours", hours); err != nil {
		return err
	}
	return w.addToTable(ctx, tx, "farebox_days", days)
}

func (w *writer) addToTable(ctx context.Context, tx *sql.Tx, table string, sums map[place]sum) error {
	var sets []string
	for _, column := range sumColumns {
		if w.dialect == MySQL {
			sets = append(sets, column+" = "+column+" + VALUES("+column+")")
		} else {
			sets = append(sets, column+" = "+table+"."+column+" + excluded."+column)
		}
	}
	rows := newRows(table+" (bucket, series_id, "+strings.Join(sumColumns, ", ")+")", 2+len(sumColumns))
	rows.conflict = " ON CONFLICT (bucket, series_id) DO UPDATE SET " + strings.Join(sets, ", ")
	if w.dialect == MySQL {
		rows.conflict = " ON DUPLICATE KEY UPDATE " + strings.Join(sets, ", ")
	}
	places := make([]place, 0, len(sums))
	for at := range sums {
		places = append(places, at)
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.bucket, b.bucket), cmp.Compare(a.series, b.series)) })
	for _, at := range places {
		s := sums[at]
		rows.add(at.bucket, at.series, s.attempts, s.unpriced, s.unsettled, s.input, s.output, s.costMicros, s.costRest)
	}
	return rows.insert(ctx, tx, w.dialect)
}

// rowsAtATime is how many rows of so many columns one statement inserts: few in SQLite, whose driver looks for every value among
// all, many where each statement is a message to a server.
func (d Dialect) rowsAtATime(columns int) int {
	if d == SQLite {
		return max(1, 100/columns)
	}
	return 5000 / columns
}

// pendingRows are rows to be inserted, many at a time.
type pendingRows struct {
	into     string
	columns  int
	conflict string // what to do where a row is there; empty: fail
	values   []any
}

func newRows(into string, columns int) *pendingRows {
	return &pendingRows{into: into, columns: columns}
}

func (r *pendingRows) add(values ...any) { r.values = append(r.values, values...) }

func (r *pendingRows) insert(ctx context.Context, tx *sql.Tx, dialect Dialect) error {
	verb := "INSERT INTO "
	if dialect == SQLite && r.conflict == "" {
		verb = "INSERT OR ROLLBACK INTO " // which needs no journal of the statement besides that of the transaction
	}
	var whole *sql.Stmt // for as many rows as go at a time: databases take long to read one
	most := dialect.rowsAtATime(r.columns)
	for values := r.values; len(values) > 0; {
		n := min(len(values)/r.columns, most)
		statement := dialect.bind(verb + r.into + " VALUES " + rows(n, r.columns) + r.conflict)
		var err error
		switch {
		case n < most:
			_, err = tx.ExecContext(ctx, statement, values...)
		case whole == nil:
			if whole, err = tx.PrepareContext(ctx, statement); err != nil {
				return err
			}
			defer func() { _ = whole.Close() }()
			fallthrough
		default:
			_, err = whole.ExecContext(ctx, values[:n*r.columns]...)
		}
		if err != nil {
			return err
		}
		values = values[n*r.columns:]
	}
	return nil
}

// selectAll reads the one column of every row.
func selectAll[T any](ctx context.Context, q querier, dialect Dialect, query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, dialect.bind(query), args...)
	if err != nil {
		return nil, err
	}
	var all []T
	err = scanAll(rows, func() error {
		var value T
		err := rows.Scan(&value)
		all = append(all, value)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Fields(query)[0], err)
	}
	return all, nil
}
