package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/farebox-go/farebox"
)

func sortedDays(days map[dayKey]*dayTotal) []dayKey {
	return slices.SortedFunc(maps.Keys(days), func(a, b dayKey) int {
		return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.endpoint, b.endpoint), cmp.Compare(a.keyLabel, b.keyLabel), cmp.Compare(a.model, b.model))
	})
}

// Totals adds up what receipts and their adjustments came to, by group, dearest first. Groups are of "model", "endpoint",
// "key", "day" (in UTC, as 2026-11-24) and "tag:NAME"; several are told apart by " / "; none is one total of all. The error is
// the database's, or that a group is not known.
//
// Where neither tags nor parts of days are asked for, it reads sums that are kept for every day.
func (l *Ledger) Totals(ctx context.Context, filter farebox.Filter, by ...string) ([]farebox.GroupTotal, error) {
	q, err := newTotalsQuery(l.dialect, &filter, by)
	if err != nil {
		return nil, err
	}
	rows, err := l.db.QueryContext(ctx, l.dialect.bind(q.text()), q.args...)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	var totals []farebox.GroupTotal
	err = scanAll(rows, func() error {
		groups := make([]sql.NullString, len(by))
		var t farebox.GroupTotal
		var micros, rest int64
		into := make([]any, 0, len(by)+7)
		for i := range groups {
			into = append(into, &groups[i])
		}
		into = append(into, &t.Attempts, &t.Unpriced, &t.Unsettled, &t.InputTokens, &t.OutputTokens, &micros, &rest)
		if err := rows.Scan(into...); err != nil {
			return err
		}
		names := make([]string, len(by))
		for i := range groups {
			names[i] = groups[i].String
			if by[i] == "day" {
				names[i] = dayName(groups[i].String)
			}
		}
		t.Group = strings.Join(names, " / ")
		var err error
		t.Cost, err = join(micros, rest)
		totals = append(totals, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	slices.SortFunc(totals, func(a, b farebox.GroupTotal) int {
		return cmp.Or(b.Cost.Cmp(a.Cost), cmp.Compare(a.Group, b.Group))
	})
	return totals, nil
}

func dayName(number string) string {
	var day int64
	if _, err := fmt.Sscan(number, &day); err != nil {
		return number
	}
	return time.Unix(0, 0).UTC().AddDate(0, 0, int(day)).Format(time.DateOnly)
}

// totalsQuery is a query for sums: over the days, or over receipts.
type totalsQuery struct {
	columns, joins, where []string
	joinArgs, args        []any
	overDays              bool
}

func newTotalsQuery(dialect Dialect, f *farebox.Filter, by []string) (*totalsQuery, error) {
	q := &totalsQuery{overDays: len(f.Tags) == 0 && wholeDay(f.From) && wholeDay(f.To)}
	for _, group := range by {
		name, isTag := strings.CutPrefix(group, "tag:")
		column, known := map[string]string{"model": "r.model", "endpoint": "r.endpoint", "key": "r.key_label", "day": "r.day"}[group]
		switch {
		case isTag && name != "":
			q.overDays = false
			alias := fmt.Sprintf("t%d", len(q.joins))
			q.joins = append(q.joins, "LEFT JOIN farebox_tags "+alias+" ON "+alias+".receipt_id = r.receipt_id AND "+alias+".name = ?")
			q.joinArgs = append(q.joinArgs, cut(name, 100))
			q.columns = append(q.columns, alias+".value")
		case known:
			q.columns = append(q.columns, column)
		default:
			return nil, fmt.Errorf("sqlstore: %q is nothing to group by: want model, endpoint, key, day or tag:NAME", group)
		}
	}
	q.filter(f)
	q.args = append(q.joinArgs, q.args...)
	return q, nil
}

func wholeDay(t time.Time) bool { return t.UnixNano()%nanosPerDay == 0 || t.IsZero() }

// filter adds the conditions of a filter.
func (q *totalsQuery) filter(f *farebox.Filter) {
	add := func(condition string, values ...any) {
		q.where = append(q.where, condition)
		q.args = append(q.args, values...)
	}
	switch {
	case q.overDays:
		if !f.From.IsZero() {
			add("r.day >= ?", dayOf(f.From))
		}
		if !f.To.IsZero() {
			add("r.day < ?", dayOf(f.To))
		}
	default:
		if !f.From.IsZero() {
			add("r.started_at >= ?", f.From.UnixNano())
		}
		if !f.To.IsZero() {
			add("r.started_at < ?", f.To.UnixNano())
		}
	}
	for column, value := range map[string]string{"endpoint": f.Endpoint, "key_label": f.KeyLabel, "model": f.Model} {
		if value != "" {
			add("r."+column+" = ?", value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Tags)) {
		add("EXISTS (SELECT 1 FROM farebox_tags x WHERE x.receipt_id = r.receipt_id AND x.name = ? AND x.value = ?)", cut(name, 100), cut(f.Tags[name], 500))
	}
}

func (q *totalsQuery) text() string {
	sums := "COALESCE(SUM(r.attempts), 0), COALESCE(SUM(r.unpriced), 0), COALESCE(SUM(r.unsettled), 0), " +
		"COALESCE(SUM(r.input_tokens), 0), COALESCE(SUM(r.output_tokens), 0), COALESCE(SUM(r.cost_micros), 0), COALESCE(SUM(r.cost_rest), 0)"
	from := " FROM farebox_days r "
	if !q.overDays {
		sums = "COUNT(*), COALESCE(SUM(CASE WHEN r.source = 'unpriced' THEN 1 ELSE 0 END), 0), " +
			"COALESCE(SUM(CASE WHEN r.source IN ('estimated', 'held') THEN 1 ELSE 0 END), 0), " +
			"COALESCE(SUM(r.input_tokens), 0), COALESCE(SUM(r.output_tokens), 0), " +
			"COALESCE(SUM(r.cost_micros + COALESCE(a.micros, 0)), 0), COALESCE(SUM(r.cost_rest + COALESCE(a.rest, 0)), 0)"
		from = " FROM farebox_receipts r LEFT JOIN (SELECT receipt_id, SUM(cost_micros) AS micros, SUM(cost_rest) AS rest " +
			"FROM farebox_adjustments GROUP BY receipt_id) a ON a.receipt_id = r.receipt_id " + strings.Join(q.joins, " ")
	}
	text := "SELECT " + strings.Join(append(slices.Clone(q.columns), sums), ", ") + from
	if len(q.where) > 0 {
		text += " WHERE " + strings.Join(q.where, " AND ")
	}
	if len(q.columns) > 0 {
		text += " GROUP BY " + strings.Join(q.columns, ", ")
	}
	return text
}

// Receipts iterates over the receipts that a filter selects, oldest first, as they were made: adjustments are in
// [Ledger.Adjustments] and in Totals. It ends with an error where the database fails.
func (l *Ledger) Receipts(ctx context.Context, filter farebox.Filter) iter.Seq2[farebox.Receipt, error] {
	return func(yield func(farebox.Receipt, error) bool) {
		q := &totalsQuery{}
		q.filter(&filter)
		text := "SELECT r.receipt FROM farebox_receipts r"
		if len(q.where) > 0 {
			text += " WHERE " + strings.Join(q.where, " AND ")
		}
		each(ctx, l, text+" ORDER BY r.started_at, r.receipt_id", q.args, yield)
	}
}

// Adjustments iterates over what was learned later about receipts, in the order in which it was.
func (l *Ledger) Adjustments(ctx context.Context) iter.Seq2[farebox.Adjustment, error] {
	return func(yield func(farebox.Adjustment, error) bool) {
		each(ctx, l, "SELECT adjustment FROM farebox_adjustments ORDER BY learned_at", nil, yield)
	}
}

// Call is the receipts of one call's attempts, by its id or that of one of them; none where there is no such call.
func (l *Ledger) Call(ctx context.Context, id string) ([]farebox.Receipt, error) {
	text := "SELECT receipt FROM farebox_receipts WHERE call_id = ? OR call_id = (SELECT call_id FROM farebox_receipts WHERE receipt_id = ?) ORDER BY started_at, receipt_id"
	var receipts []farebox.Receipt
	var failed error
	each(ctx, l, text, []any{id, id}, func(r farebox.Receipt, err error) bool {
		if failed = err; err == nil {
			receipts = append(receipts, r)
		}
		return err == nil
	})
	return receipts, failed
}

// each decodes the one column of every row.
func each[T any](ctx context.Context, l *Ledger, text string, args []any, yield func(T, error) bool) {
	var none T
	rows, err := l.db.QueryContext(ctx, l.dialect.bind(text), args...)
	if err != nil {
		yield(none, fmt.Errorf("sqlstore: %w", err))
		return
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var text []byte
		var value T
		if err := rows.Scan(&text); err != nil {
			yield(none, fmt.Errorf("sqlstore: %w", err))
			return
		}
		if err := json.Unmarshal(text, &value); err != nil {
			yield(none, fmt.Errorf("sqlstore: a receipt that cannot be read: %w", err))
			return
		}
		if !yield(value, nil) {
			return
		}
	}
	if err := rows.Err(); err != nil {
		yield(none, fmt.Errorf("sqlstore: %w", err))
	}
}

// Prune deletes receipts, and what belongs to them, of attempts before a time, and says how many. The totals of whole days
// stay. It deletes some thousands at a time, so that writers are not kept waiting.
func (l *Ledger) Prune(ctx context.Context, before time.Time) (int64, error) {
	var deleted int64
	for {
		n, err := l.pruneSome(ctx, before.UnixNano())
		deleted += n
		if err != nil {
			return deleted, fmt.Errorf("sqlstore: %w", err)
		}
		if n == 0 {
			return deleted, nil
		}
	}
}

func (l *Ledger) pruneSome(ctx context.Context, before int64) (int64, error) {
	const some = 2000
	text := fmt.Sprintf("SELECT receipt_id FROM farebox_receipts WHERE started_at < ? ORDER BY started_at LIMIT %d", some)
	rows, err := l.db.QueryContext(ctx, l.dialect.bind(text), before)
	if err != nil {
		return 0, err
	}
	var ids []any
	err = scanAll(rows, func() error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	for _, table := range []string{"farebox_tags", "farebox_adjustments", "farebox_receipts"} {
		statement := "DELETE FROM " + table + " WHERE receipt_id IN (" + list(len(ids)) + ")"
		if _, err := tx.ExecContext(ctx, l.dialect.bind(statement), ids...); err != nil {
			return 0, err
		}
	}
	return int64(len(ids)), tx.Commit()
}
