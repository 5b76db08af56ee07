package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/farebox-go/farebox"
)

var _ farebox.LedgerReader = (*Ledger)(nil)

// Spend implements [farebox.LedgerReader]. Whole hours (whole days, where tags are asked for) are read from sums that are kept;
// only what a span has besides them, and hours by tag, is added up from receipts.
func (l *Ledger) Spend(ctx context.Context, query farebox.SpendQuery) ([]farebox.Spend, error) {
	timeless := query
	timeless.From, timeless.To = time.Time{}, time.Time{} // the database looks at these
	summary, err := farebox.NewSummary(timeless)
	if err != nil {
		return nil, err
	}
	for _, p := range partsOf(query) {
		text, args := p.query(&query)
		if err := l.addUp(ctx, summary, text, args); err != nil {
			return nil, fmt.Errorf("sqlstore: %w", err)
		}
	}
	return summary.Spend(), nil
}

// part is a part of a span of time, and where it is added up from.
type part struct {
	from, to int64  // in nanoseconds
	table    string // of sums; empty: receipts
	unit     int64  // of the table's buckets
	bucket   int64  // that the query tells apart; 0: none
}

// partsOf cuts a span at the buckets of the sums that can be used.
func partsOf(q farebox.SpendQuery) []part {
	byTag, byDay, byHour := len(q.Tags) > 0, false, false
	for _, by := range q.By {
		byTag = byTag || strings.HasPrefix(by, "tag:")
		byDay = byDay || by == "day"
		byHour = byHour || by == "hour"
	}
	all := part{from: firstNano, to: lastNano, table: "farebox_hours", unit: nanosPerHour}
	if byTag {
		all.table, all.unit = "farebox_days", nanosPerDay
	}
	switch {
	case byHour:
		all.bucket = nanosPerHour
	case byDay:
		all.bucket = nanosPerDay
	}
	if !q.From.IsZero() {
		all.from = nanosOf(q.From)
	}
	if !q.To.IsZero() {
		all.to = nanosOf(q.To)
	}
	receipts := all
	receipts.table = ""
	if byHour && byTag {
		return []part{receipts}
	}
	first, last := -floor(-all.from, all.unit), floor(all.to, all.unit) // whole buckets
	if all.from == firstNano {
		first = floor(firstNano, all.unit)
	}
	if all.to == lastNano {
		last++
	}
	if first >= last {
		return []part{receipts}
	}
	parts := []part{all}
	if start := first * all.unit; all.from != firstNano {
		parts[0].from = start
		parts = append(parts, part{from: all.from, to: start, unit: all.unit, bucket: all.bucket})
	}
	if end := last * all.unit; all.to != lastNano {
		parts[0].to = end
		parts = append(parts, part{from: end, to: all.to, unit: all.unit, bucket: all.bucket})
	}
	return parts
}

// The bounds of instants.
const (
	firstNano = -1 << 63
	lastNano  = 1<<63 - 1
)

// query gives the sums of a part: of the receipts or the buckets in it, and of adjustments that no bucket has yet.
func (p *part) query(q *farebox.SpendQuery) (text string, args []any) {
	const adjusted = "0 AS n, 0 AS unpriced, 0 AS unsettled, 0 AS input, 0 AS output, SUM(a.cost_micros) AS micros, SUM(a.cost_rest) AS rest"
	join := func(table string) string {
		return " FROM " + table + " a JOIN farebox_receipts r ON r.receipt_id = a.receipt_id"
	}
	var selects []string
	add := func(sums, from, at string, unit int64) {
		text, more := p.grouped(sums, from, at, unit)
		selects = append(selects, text)
		args = append(args, more...)
	}
	if p.table == "" {
		add("COUNT(*) AS n, SUM(CASE WHEN r.certainty = 2 THEN 1 ELSE 0 END) AS unpriced, SUM(CASE WHEN r.certainty = 1 THEN 1 ELSE 0 END) AS unsettled, "+
			"SUM(r.input_tokens) AS input, SUM(r.output_tokens) AS output, SUM(r.cost_micros) AS micros, SUM(r.cost_rest) AS rest",
			" FROM farebox_receipts r", "r.started_at", 1)
		add(adjusted, join("farebox_adjustments"), "r.started_at", 1)
	} else {
		add("SUM(r.attempts) AS n, SUM(r.unpriced) AS unpriced, SUM(r.unsettled) AS unsettled, SUM(r.input_tokens) AS input, "+
			"SUM(r.output_tokens) AS output, SUM(r.cost_micros) AS micros, SUM(r.cost_rest) AS rest", " FROM "+p.table+" r", "r.bucket", p.unit)
		add(adjusted, join("farebox_unbooked"), "r.started_at", 1)
	}
	text = "SELECT s.endpoint, s.key_label, s.model, s.tags, t.at, t.n, t.unpriced, t.unsettled, t.input, t.output, t.micros, t.rest FROM (" +
		strings.Join(selects, " UNION ALL ") + ") t JOIN farebox_series s ON s.series_id = t.series_id"
	where, more := ofSeries(&q.Filter)
	return text + where, append(args, more...)
}

// grouped sums rows of the part by series and by the bucket that is told apart. at is when a row is, in units.
func (p *part) grouped(sums, from, at string, unit int64) (text string, args []any) {
	bucket := "0"
	if p.bucket > 0 {
		bucket = fmt.Sprintf("(%s - %s %% %d)", at, at, p.bucket/unit)
	}
	text = "SELECT r.series_id AS series_id, MIN(" + bucket + ") AS at, " + sums + from
	where := " WHERE "
	if p.from != firstNano {
		text, where, args = text+where+at+" >= ?", " AND ", append(args, p.from/unit)
	}
	if p.to != lastNano {
		text, args = text+where+at+" < ?", append(args, p.to/unit)
	}
	text += " GROUP BY r.series_id"
	if p.bucket > 0 {
		text += ", " + bucket
	}
	if unit > 1 { // in nanoseconds
		text = strings.Replace(text, "MIN("+bucket+")", fmt.Sprintf("MIN(%s) * %d", bucket, unit), 1)
	}
	return text, args
}

// ofSeries is the part of a filter that a series decides, but for tags.
func ofSeries(f *farebox.Filter) (where string, args []any) {
	for _, c := range []struct{ column, value string }{{"endpoint", f.Endpoint}, {"key_label", f.KeyLabel}, {"model", f.Model}} {
		if c.value == "" {
			continue
		}
		if where == "" {
			where = " WHERE "
		} else {
			where += " AND "
		}
		where += "s." + c.column + " = ?"
		args = append(args, text(c.value))
	}
	return where, args
}

// addUp adds what a query has found to a summary.
func (l *Ledger) addUp(ctx context.Context, summary *farebox.Summary, text string, args []any) error {
	rows, err := l.db.QueryContext(ctx, l.dialect.bind(text), args...)
	if err != nil {
		return err
	}
	tags := make(map[string]farebox.Tags)
	return scanAll(rows, func() error {
		var like farebox.Receipt
		var total farebox.Total
		var encoded string
		var at, micros, rest int64
		err := rows.Scan(&like.Endpoint, &like.KeyLabel, &like.Model, &encoded, &at,
			&total.Attempts, &total.Unpriced, &total.Unsettled, &total.InputTokens, &total.OutputTokens, &micros, &rest)
		if err != nil {
			return err
		}
		known, ok := tags[encoded]
		if !ok {
			if err := json.Unmarshal([]byte(encoded), &known); err != nil {
				return fmt.Errorf("tags of a series: %w", err)
			}
			tags[encoded] = known
		}
		like.Tags, like.Start = known, time.Unix(0, at)
		if total.Cost, err = join(micros, rest); err != nil {
			return err
		}
		summary.AddTotal(&like, total)
		return nil
	})
}

// Prune deletes receipts, and what belongs to them, of attempts before a time, and says how many. The sums of whole hours, and by
// tag of whole days, stay. It deletes some thousands at a time, so that writers are not kept waiting.
func (l *Ledger) Prune(ctx context.Context, before time.Time) (int64, error) {
	var deleted int64
	for {
		n, err := l.pruneSome(ctx, nanosOf(before))
		deleted += n
		if err != nil {
			return deleted, fmt.Errorf("sqlstore: %w", err)
		}
		if n == 0 {
			break
		}
	}
	for {
		n, err := l.pruneChunks(ctx, nanosOf(before))
		if err != nil {
			return deleted, fmt.Errorf("sqlstore: %w", err)
		}
		if n == 0 {
			return deleted, nil
		}
	}
}

const prunedAtATime = 2000

func (l *Ledger) pruneSome(ctx context.Context, before int64) (int64, error) {
	text := fmt.Sprintf("SELECT receipt_id FROM farebox_receipts WHERE started_at < ? ORDER BY started_at LIMIT %d", prunedAtATime)
	ids, err := selectAll[any](ctx, l.db, l.dialect, text, before)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	remove := func(table string) error {
		statement := "DELETE FROM " + table + " WHERE receipt_id IN (" + list(len(ids)) + ")"
		_, err := tx.ExecContext(ctx, l.dialect.bind(statement), ids...)
		return err
	}
	if err := remove("farebox_adjustments"); err != nil { // first, since SQLite lets a writer in only at its first statement
		return 0, err
	}
	w, hours, days := writer{db: l.db, dialect: l.dialect}, make(map[place]sum), make(map[place]sum)
	if err := w.book(ctx, tx, hours, days); err != nil {
		return 0, err
	}
	if err := remove("farebox_receipts"); err != nil {
		return 0, err
	}
	if err := w.addSums(ctx, tx, hours, days); err != nil {
		return 0, err
	}
	return int64(len(ids)), tx.Commit()
}

// pruneChunks deletes chunks whose receipts are all gone.
func (l *Ledger) pruneChunks(ctx context.Context, before int64) (int, error) {
	ids, err := selectAll[any](ctx, l.db, l.dialect, "SELECT chunk_id FROM farebox_chunks WHERE last_start < ? ORDER BY last_start LIMIT 100", before)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	_, err = l.db.ExecContext(ctx, l.dialect.bind("DELETE FROM farebox_chunks WHERE chunk_id IN ("+list(len(ids))+")"), ids...)
	return len(ids), err
}
