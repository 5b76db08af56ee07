package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farebox-go/farebox"
)

// Ledger is a [farebox.Sink] that keeps every receipt and adjustment in a SQL database, and a [farebox.LedgerReader] that answers
// who spent what. Make one with [NewLedger] and hand it to farebox.WithSink. Receipts are written in batches in the background: a
// call never waits for the database, unless it has been away for so long that MaxWaiting receipts are waiting; none is ever
// dropped to make room. What comes twice counts once. Safe for concurrent use, and so are several over one database.
type Ledger struct {
	db      *sql.DB
	dialect Dialect
	options LedgerOptions

	sending sync.RWMutex // held by those who send entries; Close waits for them
	entries chan entry
	closing chan struct{} // closed when Close is called
	done    chan struct{} // closed when all is written, or given up
	stop    context.CancelFunc
	once    sync.Once
	waiting atomic.Int64 // entries that were taken and are not written

	mu       sync.Mutex
	away     error // why the last batch could not be written yet
	unworthy error // the first receipt that could not be encoded
}

// LedgerOptions are how a [Ledger] writes. The zero value is a good choice.
type LedgerOptions struct {
	// Batch is the most receipts that are written in one transaction; 0 is 10,000. Few are, unless many come at once.
	Batch int
	// Every is how long a receipt waits for others to be written with it; 0 is 200 milliseconds.
	Every time.Duration
	// MaxWaiting is the most receipts that wait while the database is away; a call beyond them waits itself. 0 is 100,000, which
	// take some 200 MB.
	MaxWaiting int
	// Warn is told of what could not be written and is being tried again; nil logs it with slog.Default.
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
		return nil, fmt.Errorf("sqlstore: options of a ledger: batch %d, every %s, max waiting %d: want none below zero",
			options.Batch, options.Every, options.MaxWaiting)
	}
	options.Batch = cmp.Or(options.Batch, 10_000)
	options.Every = cmp.Or(options.Every, 200*time.Millisecond)
	options.MaxWaiting = cmp.Or(options.MaxWaiting, 100_000)
	if options.Warn == nil {
		options.Warn = func(err error) { slog.Default().Warn("farebox: ledger", slog.Any("error", err)) }
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &Ledger{
		db: db, dialect: dialect, options: options, stop: stop,
		entries: make(chan entry, options.MaxWaiting), closing: make(chan struct{}), done: make(chan struct{}),
	}
	batches := make(chan *batch)
	go l.prepareAll(ctx, batches)
	go l.writeAll(ctx, batches)
	return l, nil
}

var errLedgerClosed = errors.New("sqlstore: the ledger is closed")

// Receipt takes a receipt, to be written soon. It waits while MaxWaiting others do. Its error is that the Ledger is closed.
func (l *Ledger) Receipt(r farebox.Receipt) error { return l.take(entry{receipt: &r}) }

// Adjustment takes what was learned later about a receipt, as Receipt does.
func (l *Ledger) Adjustment(a farebox.Adjustment) error { return l.take(entry{adjustment: &a}) }

func (l *Ledger) take(e entry) error {
	l.sending.RLock()
	defer l.sending.RUnlock()
	select {
	case <-l.closing:
		return errLedgerClosed
	default:
	}
	l.waiting.Add(1)
	select {
	case l.entries <- e:
		return nil
	case <-l.closing:
		l.waiting.Add(-1)
		return errLedgerClosed
	}
}

// closeTime bounds how long Close tries to write what is left.
const closeTime = 30 * time.Second

// Close writes what is left and ends the Ledger; it gives up after 30 seconds, and says how much was not written. A second Close
// says what the first did. Questions are answered after it too.
func (l *Ledger) Close() error { return l.closeWithin(closeTime) }

func (l *Ledger) closeWithin(patience time.Duration) error {
	l.once.Do(func() {
		close(l.closing)
		l.sending.Lock() // nobody sends any more
		close(l.entries)
		l.sending.Unlock()
	})
	select {
	case <-l.done:
	case <-time.After(patience):
		l.stop()
		<-l.done
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if left := l.waiting.Load(); left > 0 {
		return errors.Join(fmt.Errorf("sqlstore: %d receipts and adjustments were not written: %w", left, l.away), l.unworthy)
	}
	return l.unworthy
}

// prepareAll gathers entries and makes batches of them, each while the one before is being written.
func (l *Ledger) prepareAll(ctx context.Context, batches chan<- *batch) {
	defer close(batches)
	encoder := newEncoder()
	for first := range l.entries {
		entries := l.gather(append(make([]entry, 0, 64), first))
		select {
		case batches <- encoder.encode(entries, l.cannotEncode):
		case <-ctx.Done():
			return
		}
	}
}

// gather takes what has come, and waits a while for more.
func (l *Ledger) gather(entries []entry) []entry {
	patience := time.NewTimer(l.options.Every)
	defer patience.Stop()
	for len(entries) < l.options.Batch {
		select {
		case e, open := <-l.entries:
			if !open {
				return entries
			}
			entries = append(entries, e)
		case <-patience.C:
			return entries
		}
	}
	return entries
}

// cannotEncode is told of a receipt that has no JSON form, which no call leaves.
func (l *Ledger) cannotEncode(id string, err error) {
	err = fmt.Errorf("sqlstore: receipt %s cannot be written: %w", id, err)
	l.options.Warn(err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unworthy = cmp.Or(l.unworthy, err)
}

// writeAll writes batches, each again and again until the database takes it.
func (l *Ledger) writeAll(ctx context.Context, batches <-chan *batch) {
	defer close(l.done)
	w := writer{db: l.db, dialect: l.dialect}
	for b := range batches {
		for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
			err := w.write(ctx, b)
			l.note(err, b)
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

func (l *Ledger) note(err error, b *batch) {
	if err == nil {
		l.waiting.Add(-int64(b.taken))
	} else {
		l.options.Warn(fmt.Errorf("sqlstore: %d receipts and adjustments could not be written, of %d that wait: %w", b.taken, l.waiting.Load(), err))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = err
}
