package sqlstore

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"github.com/farebox-go/farebox"
)

// recordsAtATime is how many receipts are read at a time, so that a long iteration keeps no connection to itself.
const recordsAtATime = 500

// Records implements [farebox.LedgerReader].
func (l *Ledger) Records(ctx context.Context, filter farebox.Filter) iter.Seq2[farebox.Record, error] {
	return func(yield func(farebox.Record, error) bool) {
		r := reader{Ledger: l}
		keys, err := r.keysOf(ctx, &filter)
		for err == nil {
			var page []int64
			if page, err = keys(); err != nil || len(page) == 0 {
				break
			}
			var records []farebox.Record
			if records, err = r.records(ctx, page); err != nil {
				break
			}
			for _, record := range records {
				if filter.Match(&record.Receipt) && !yield(record, nil) {
					return
				}
			}
		}
		if err != nil {
			yield(farebox.Record{}, fmt.Errorf("sqlstore: %w", err))
		}
	}
}

// Call implements [farebox.LedgerReader].
func (l *Ledger) Call(ctx context.Context, id string) ([]farebox.Record, error) {
	if id == "" {
		return nil, nil
	}
	query := "SELECT receipt_key FROM farebox_receipts WHERE call_id = ? OR call_id = (SELECT call_id FROM farebox_receipts WHERE receipt_id = ?) ORDER BY receipt_key"
	keys, err := selectAll[int64](ctx, l.db, l.dialect, query, column(id), column(id))
	var records []farebox.Record
	if err == nil {
		r := reader{Ledger: l}
		records, err = r.records(ctx, keys)
	}
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	return records, nil
}

// reader reads receipts by their keys.
type reader struct {
	*Ledger
	chunks map[int64][][]byte // of the last page, by id: the lines
}

// keysOf pages through the keys of receipts in the order in which they were recorded. Tags are left to the caller.
func (r *reader) keysOf(ctx context.Context, f *farebox.Filter) (next func() ([]int64, error), err error) {
	where, args := ofSeries(f)
	from := " FROM farebox_receipts r"
	if where != "" {
		from += " JOIN farebox_series s ON s.series_id = r.series_id" + where + " AND "
	} else {
		from += " WHERE "
	}
	bounds, times, err := r.bounds(ctx, f)
	if err != nil {
		return nil, err
	}
	args = append(args, times...)
	// Plus 0, so that no database takes the index of times and sorts: the bounds are that span in the order that is wanted.
	if !f.From.IsZero() {
		from += "r.started_at + 0 >= ? AND "
	}
	if !f.To.IsZero() {
		from += "r.started_at + 0 < ? AND "
	}
	query := fmt.Sprintf("SELECT r.receipt_key%sr.receipt_key > ? AND r.receipt_key <= ? ORDER BY r.receipt_key LIMIT %d", from, recordsAtATime)
	after, last := bounds[0]-1, bounds[1]
	return func() ([]int64, error) {
		keys, err := selectAll[int64](ctx, r.db, r.dialect, query, append(args[:len(args):len(args)], after, last)...)
		if len(keys) > 0 {
			after = keys[len(keys)-1]
		}
		return keys, err
	}, nil
}

// bounds are the first and the last key of receipts in a filter's span of time; the other way round where there are none.
func (r *reader) bounds(ctx context.Context, f *farebox.Filter) (bounds [2]int64, times []any, err error) {
	query, where := "SELECT COALESCE(MIN(receipt_key), 1), COALESCE(MAX(receipt_key), 0) FROM farebox_receipts", " WHERE "
	if !f.From.IsZero() {
		query, where, times = query+where+"started_at >= ?", " AND ", append(times, nanosOf(f.From))
	}
	if !f.To.IsZero() {
		query, times = query+where+"started_at < ?", append(times, nanosOf(f.To))
	}
	rows, err := r.db.QueryContext(ctx, r.dialect.bind(query), times...)
	if err != nil {
		return bounds, nil, err
	}
	return bounds, times, scanAll(rows, func() error { return rows.Scan(&bounds[0], &bounds[1]) })
}

// records decodes the receipts of keys, which are in order, and adds their adjustments.
func (r *reader) records(ctx context.Context, keys []int64) ([]farebox.Record, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	if err := r.readChunks(ctx, keys); err != nil {
		return nil, err
	}
	records := make([]farebox.Record, len(keys))
	places := make(map[string]int, len(keys))
	ids := make([]any, len(keys))
	for i, key := range keys {
		lines, line := r.chunks[key-key%keysPerChunk], int(key%keysPerChunk)
		if line >= len(lines) {
			return nil, fmt.Errorf("receipt %d is not in its chunk", key)
		}
		if err := json.Unmarshal(lines[line], &records[i].Receipt); err != nil {
			return nil, fmt.Errorf("a receipt that cannot be read: %w", err)
		}
		id := column(records[i].Receipt.ID)
		places[id], ids[i] = i, id
	}
	query := "SELECT adjustment FROM farebox_adjustments WHERE receipt_id IN (" + list(len(ids)) + ") ORDER BY adjustment_key"
	texts, err := selectAll[[]byte](ctx, r.db, r.dialect, query, ids...)
	if err != nil {
		return nil, err
	}
	for _, text := range texts {
		var a farebox.Adjustment
		if err := json.Unmarshal(text, &a); err != nil {
			return nil, fmt.Errorf("an adjustment that cannot be read: %w", err)
		}
		record := &records[places[column(a.ReceiptID)]]
		record.Adjustments = append(record.Adjustments, a)
	}
	return records, nil
}

// readChunks reads the chunks that keys are in, but for those that were read for the page before.
func (r *reader) readChunks(ctx context.Context, keys []int64) error {
	wanted := make(map[int64][][]byte)
	var missing []any
	for _, key := range keys {
		id := key - key%keysPerChunk
		if _, ok := wanted[id]; ok {
			continue
		}
		lines, ok := r.chunks[id]
		if wanted[id] = lines; !ok {
			missing = append(missing, id)
		}
	}
	r.chunks = wanted
	if len(missing) == 0 {
		return nil
	}
	query := "SELECT chunk_id, receipts FROM farebox_chunks WHERE chunk_id IN (" + list(len(missing)) + ")"
	rows, err := r.db.QueryContext(ctx, r.dialect.bind(query), missing...)
	if err != nil {
		return err
	}
	return scanAll(rows, func() error {
		var id int64
		var compressed []byte
		if err := rows.Scan(&id, &compressed); err != nil {
			return err
		}
		lines, err := io.ReadAll(flate.NewReader(bytes.NewReader(compressed)))
		if err != nil {
			return fmt.Errorf("chunk %d: %w", id, err)
		}
		wanted[id] = bytes.Split(bytes.TrimSuffix(lines, []byte("\n")), []byte("\n"))
		return nil
	})
}
