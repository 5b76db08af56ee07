package sqlstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/farebox-go/farebox"
)

// Ledger is a [farebox.Sink] that keeps every receipt and adjustment in a SQL database, and answers who spent what. Make one
// with [NewLedger] and hand it to farebox.WithSink. Receipts are written in batches in the background: a call never waits for
// the database, unless it has been away for so long that MaxWaiting receipts are waiting. Safe for concurrent use.
type Ledger struct {
	db      *sql.DB
	dialect Dialect
	options LedgerOptions

	entries chan entry
	closing chan struct{} // closed when Close is called
	done    chan struct{} // closed when all is written
	stop    context.CancelFunc
	once    sync.Once

	mu   sync.Mutex
	lost error // why the last batch could not be written yet
}

// LedgerOptions are how a [Ledger] writes. The zero value is a good choice.
type LedgerOptions struct {
	// Batch is the most receipts that are written at a time; 0 is 500.
	Batch int
	// Every is how long a receipt waits for others to be written with it; 0 is 200 milliseconds.
	Every time.Duration
	// MaxWaiting is the most receipts that wait while the database is away; a call beyond them waits itself. 0 is 100,000.
	MaxWaiting int
	// Warn is told of what could not be written and is being tried again; nil: nobody.
	Warn func(error)
}

// entry is a receipt or an adjustment.
type entry struct {
	receipt    *farebox.Receipt
	adjustment *farebox.Adjustment
}

// NewLedger makes a Ledger over a database that the caller has, and closes after it. The tables are made by [Migrate].
func NewLedger(db *sql.DB, dialect Dialect, options LedgerOptions) (*Ledger, error) {
	if db == nil {
		return nil, errors.New("sqlstore: the database is nil")
	}
	if err := dialect.validate(); err != nil {
		return nil, err
	}
	if options.Batch < 0 || options.Every < 0 || options.MaxWaiting < 0 {
		return nil, fmt.Errorf("sqlstore: options %+v: want none below zero", options)
	}
	options.Batch = cmp.Or(options.Batch, 500)
	options.Every = cmp.Or(options.Every, 200*time.Millisecond)
	options.MaxWaiting = cmp.Or(options.MaxWaiting, 100_000)
	ctx, stop := context.WithCancel(context.Background())
	l := &Ledger{
		db: db, dialect: dialect, options: options, stop: stop,
		entries: make(chan entry, options.MaxWaiting), closing: make(chan struct{}), done: make(chan struct{}),
	}
	go l.write(ctx)
	return l, nil
}

var errLedgerClosed = errors.New("sqlstore: the ledger is closed")

// Receipt takes a receipt, to be written soon.
func (l *Ledger) Receipt(r farebox.Receipt) error { return l.take(entry{receipt: &r}) }

// Adjustment takes what was learned later about a receipt.
func (l *Ledger) Adjustment(a farebox.Adjustment) error { return l.take(entry{adjustment: &a}) }

func (l *Ledger) take(e entry) error {
	select {
	case <-l.closing:
		return errLedgerClosed
	default:
	}
	select {
	case l.entries <- e:
		return nil
	case <-l.closing:
		return errLedgerClosed
	}
}

// closeTime bounds how long Close tries to write what is left.
const closeTime = 30 * time.Second

// Close writes what is left and ends the Ledger; it gives up after 30 seconds, and says what was not written.
func (l *Ledger) Close() error {
	l.once.Do(func() { close(l.closing) })
	select {
	case <-l.done:
	case <-time.After(closeTime):
		l.stop()
		<-l.done
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// write gathers entries and writes them, again and again until the database takes them.
func (l *Ledger) write(ctx context.Context) {
	defer close(l.done)
	batch := make([]entry, 0, l.options.Batch)
	for {
		first, ok := l.next()
		if !ok {
			return
		}
		batch = l.gather(append(batch[:0], first))
		id := rand.Text()
		for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
			err := l.writeBatch(ctx, id, batch)
			l.note(err, len(batch))
			if err == nil {
				break
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		}
	}
}

// next waits for an entry; there is none once the Ledger is closed and all have been taken.
func (l *Ledger) next() (e entry, ok bool) {
	select {
	case e = <-l.entries:
		return e, true
	case <-l.closing:
	}
	select {
	case e = <-l.entries:
		return e, true
	default:
		return e, false
	}
}

// gather waits a while for more.
func (l *Ledger) gather(batch []entry) []entry {
	patience := time.NewTimer(l.options.Every)
	defer patience.Stop()
	for len(batch) < l.options.Batch {
		select {
		case e := <-l.entries:
			batch = append(batch, e)
			continue
		default:
		}
		select {
		case e := <-l.entries:
			batch = append(batch, e)
		case <-patience.C:
			return batch
		case <-l.closing:
			return batch
		}
	}
	return batch
}

func (l *Ledger) note(err error, entries int) {
	if err != nil {
		err = fmt.Errorf("sqlstore: %d receipts and adjustments could not be written: %w", entries, err)
		if l.options.Warn != nil {
			l.options.Warn(err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = err
}

// writeBatch writes entries in one transaction. Its id tells a repetition of one that the database had taken after all.
func (l *Ledger) writeBatch(ctx context.Context, id string, batch []entry) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	insert := l.dialect.insertMissing("farebox_batches", "batch_id", 1, "written_at")
	result, err := tx.ExecContext(ctx, l.dialect.bind(insert), id, time.Now().UnixNano())
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return err // written already
	}
	if err := l.writeReceipts(ctx, tx, batch); err != nil {
		return err
	}
	for i := range batch {
		if batch[i].adjustment != nil {
			if err := l.writeAdjustment(ctx, tx, batch[i].adjustment); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}

// rowsAtATime keeps a statement under the databases' limits of placeholders.
const rowsAtATime = 50

func (l *Ledger) writeReceipts(ctx context.Context, tx *sql.Tx, batch []entry) error {
	receipts := newRows("farebox_receipts (receipt_id, call_id, started_at, day, endpoint, key_label, model, source, input_tokens, output_tokens, cost_micros, cost_rest, receipt)", 13)
	tags := newRows("farebox_tags (name, value, started_at, receipt_id)", 4)
	days := make(map[dayKey]*dayTotal)
	for i := range batch {
		r := batch[i].receipt
		if r == nil {
			continue
		}
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		key := dayKey{dayOf(r.Start), cut(r.Endpoint, 100), cut(r.KeyLabel, 100), cut(modelOf(r), 200)}
		micros, rest := split(r.Cost)
		receipts.add(r.ID, r.CallID, r.Start.UnixNano(), key.day, key.endpoint, key.keyLabel, key.model, string(r.Source),
			r.Usage.InputTokens(), r.Usage.OutputTokens(), micros, rest, string(text))
		for name, value := range r.Tags {
			tags.add(cut(name, 100), cut(value, 500), r.Start.UnixNano(), r.ID)
		}
		if days[key] == nil {
			days[key] = &dayTotal{}
		}
		days[key].add(r, micros, rest)
	}
	for _, rows := range []*pendingRows{receipts, tags} {
		if err := rows.insert(ctx, tx, l.dialect); err != nil {
			return err
		}
	}
	return l.addToDays(ctx, tx, days)
}

func (l *Ledger) writeAdjustment(ctx context.Context, tx *sql.Tx, a *farebox.Adjustment) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	micros, rest := split(a.Amount)
	insert := "INSERT INTO farebox_adjustments (receipt_id, learned_at, cost_micros, cost_rest, adjustment) VALUES (?, ?, ?, ?, ?)"
	if _, err := tx.ExecContext(ctx, l.dialect.bind(insert), a.ReceiptID, a.At.UnixNano(), micros, rest, string(text)); err != nil {
		return err
	}
	update := `UPDATE farebox_days SET cost_micros = cost_micros + ?, cost_rest = cost_rest + ?
WHERE (day, endpoint, key_label, model) = (SELECT day, endpoint, key_label, model FROM farebox_receipts WHERE receipt_id = ?)`
	_, err = tx.ExecContext(ctx, l.dialect.bind(update), micros, rest, a.ReceiptID)
	return err
}

// dayKey is a row of farebox_days.
type dayKey struct {
	day                       int64
	endpoint, keyLabel, model string
}

type dayTotal struct{ attempts, unpriced, unsettled, input, output, micros, rest int64 }

func (t *dayTotal) add(r *farebox.Receipt, micros, rest int64) {
	t.attempts++
	switch r.Source {
	case farebox.Unpriced:
		t.unpriced++
	case farebox.Estimated, farebox.Held:
		t.unsettled++
	}
	t.input += r.Usage.InputTokens()
	t.output += r.Usage.OutputTokens()
	t.micros += micros
	t.rest += rest
}

var dayColumns = []string{"attempts", "unpriced", "unsettled", "input_tokens", "output_tokens", "cost_micros", "cost_rest"}

func (l *Ledger) addToDays(ctx context.Context, tx *sql.Tx, days map[dayKey]*dayTotal) error {
	var sets []string
	for _, column := range dayColumns {
		if l.dialect == MySQL {
			sets = append(sets, column+" = "+column+" + VALUES("+column+")")
		} else {
			sets = append(sets, column+" = farebox_days."+column+" + excluded."+column)
		}
	}
	clause := " ON CONFLICT (day, endpoint, key_label, model) DO UPDATE SET "
	if l.dialect == MySQL {
		clause = " ON DUPLICATE KEY UPDATE "
	}
	into := "farebox_days (day, endpoint, key_label, model, " + strings.Join(dayColumns, ", ") + ")"
	statement := "INSERT INTO " + into + " VALUES " + rows(1, 11) + clause + strings.Join(sets, ", ")
	for _, key := range sortedDays(days) {
		t := days[key]
		_, err := tx.ExecContext(ctx, l.dialect.bind(statement), key.day, key.endpoint, key.keyLabel, key.model,
			t.attempts, t.unpriced, t.unsettled, t.input, t.output, t.micros, t.rest)
		if err != nil {
			return err
		}
	}
	return nil
}

// pendingRows are rows to be inserted, many at a time.
type pendingRows struct {
	into    string
	columns int
	values  []any
}

func newRows(into string, columns int) *pendingRows {
	return &pendingRows{into: into, columns: columns}
}

func (r *pendingRows) add(values ...any) { r.values = append(r.values, values...) }

func (r *pendingRows) insert(ctx context.Context, tx *sql.Tx, dialect Dialect) error {
	var whole *sql.Stmt // for as many rows as go at a time: databases take long to read one
	for values := r.values; len(values) > 0; {
		n := min(len(values)/r.columns, rowsAtATime)
		statement := dialect.bind("INSERT INTO " + r.into + " VALUES " + rows(n, r.columns))
		var err error
		switch {
		case n < rowsAtATime:
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

func modelOf(r *farebox.Receipt) string { return cmp.Or(r.Model, r.ModelAsked) }

// cut shortens a text to what a column holds, in bytes, at the boundary of a character. The receipt itself has it whole.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

const nanosPerDay = int64(24 * time.Hour)

// dayOf is the number of a day in UTC since 1970.
func dayOf(t time.Time) int64 {
	n := t.UnixNano()
	if n < 0 {
		return -((-n + nanosPerDay - 1) / nanosPerDay)
	}
	return n / nanosPerDay
}

// split is an amount in millionths of a dollar and the rest in millionths of those, both of its sign.
func split(m farebox.Money) (micros, rest int64) {
	text, _ := m.AppendText(nil)
	whole, fraction, _ := strings.Cut(string(text), ".")
	sign := int64(1)
	if strings.HasPrefix(whole, "-") {
		whole, sign = whole[1:], -1
	}
	fraction += strings.Repeat("0", max(0, 12-len(fraction)))
	micros, _ = strconv.ParseInt(whole+fraction[:6], 10, 64)
	rest, _ = strconv.ParseInt(fraction[6:12], 10, 64)
	return sign * micros, sign * rest
}

// join is the amount that split has taken apart, or a sum of such.
func join(micros, rest int64) (farebox.Money, error) {
	micros, rest = micros+rest/1_000_000, rest%1_000_000
	high, err := farebox.ParseMoney(strconv.FormatInt(micros, 10) + "e-6")
	if err != nil {
		return farebox.Money{}, err
	}
	low, err := farebox.ParseMoney(strconv.FormatInt(rest, 10) + "e-12")
	return high.Add(low), err
}
