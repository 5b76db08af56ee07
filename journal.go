package farebox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/farebox-go/farebox/internal/attempts"
	"github.com/farebox-go/farebox/store"
)

// WithJournal keeps budgets and receipts in a folder, made if it does not exist, so that a cap and the ledger survive restarts,
// crashes and a loss of power. It is for one process at a time: a second one on the same folder is an error of [NewMeter].
//
// What may be spent is on disk before it is. Receipts are written as they are made and follow to disk at once; the newest
// ones are read back into the ledger.
//
// After a crash of the process, the next one on the folder gives back what was borrowed and not spent. Calls that were in
// flight become receipts, flagged [FlagInterrupted] and held at the most that they can have cost, until [Meter.Reconcile] is
// told better, as it can be for every newer receipt whose cost is open; they go to the sinks while the Meter is made. After a
// loss of power, and where the system does not tell one from a crash (all but Linux), what was borrowed stays spent: at most
// 1/256 of a cap and the calls in flight.
//
// Together with [WithStore] budgets are kept in that store, and receipts and calls in flight in the folder, which is this
// process's own: give it the same one after a restart, and the same store.
func WithJournal(folder string) MeterOption {
	return meterOption(func(c *meterConfig) error {
		switch {
		case folder == "":
			return errors.New("WithJournal: the folder has no name")
		case c.journal != "":
			return errors.New("WithJournal: the Meter has a journal already")
		}
		c.journal = folder
		return nil
	})
}

// Names in a journal's folder.
const (
	budgetsFile  = "budgets"
	receiptsFile = "receipts.jsonl"
	attemptsFile = "attempts"
)

// Kinds of stores, as the log of attempts names them: what was borrowed at one cannot be given back to the other.
const (
	journalKind = "journal"
	sharedKind  = "store"
)

// openStores opens what the Meter's budgets are kept in.
func (m *Meter) openStores(config *meterConfig) error {
	s, client := config.store, newID(time.Now())
	if config.journal != "" {
		var err error
		if s, err = m.openJournal(config.journal, s, client); err != nil {
			return fmt.Errorf("WithJournal: %w", errors.Join(err, m.closeJournal()))
		}
	}
	if s != nil {
		m.guard.lender = newLender(s, client, config.admitWithoutStore, &m.guard, m.logger)
		m.guard.lender.shared = config.store != nil
	}
	return nil
}

// openJournal opens a folder, settles what processes before this one have left in it, and returns the store to borrow from:
// the one that is shared or, without one, the folder's own.
func (m *Meter) openJournal(folder string, shared store.Store, client string) (s store.Store, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	log, lost, err := attempts.Open(filepath.Join(folder, attemptsFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, store.ErrUnavailable)
	}
	m.attempts = log
	path := filepath.Join(folder, receiptsFile)
	receipts, err := OpenLineFile(path, false)
	if err != nil {
		return nil, err
	}
	m.receipts = &journalReceipts{LineFile: receipts}
	left, err := m.readBack(path)
	if err != nil {
		return nil, err
	}
	m.takeOver(left)
	m.warnOfLost(lost)
	if m.lendsFrom, m.lendsAs = shared, sharedKind; shared == nil {
		if err := m.openBudgets(filepath.Join(folder, budgetsFile)); err != nil {
			return nil, err
		}
	} else {
		m.settleUp(settleAtStart)
	}
	return log.Telling(m.lendsFrom), log.Begin(client, m.lendsAs)
}

// openBudgets opens the folder's own store, in which earlier processes have their say for the last time.
func (m *Meter) openBudgets(path string) (err error) {
	m.lendsAs = journalKind
	m.journal, err = store.RecoverFile(path, func(s store.Store) {
		if err := m.attempts.SettleUp(context.Background(), s, journalKind); err != nil {
			m.logger.Warn("farebox: journal", slog.Any("error", err))
		}
	})
	if err != nil {
		return err
	}
	m.lendsFrom = m.journal
	lost, err := m.attempts.Abandon(journalKind)
	m.warnOfLost(lost)
	return err
}

// closeStores returns what was borrowed, and closes what the Meter opened.
func (m *Meter) closeStores(ctx context.Context) (err error) {
	if m.attempts != nil && m.attempts.Left(m.lendsAs) {
		err = m.attempts.SettleUp(ctx, m.lendsFrom, m.lendsAs)
	}
	if m.guard.lender != nil {
		closed := m.guard.lender.pool.Close(ctx)
		if closed == nil && m.attempts != nil {
			closed = m.attempts.Leave()
		}
		err = errors.Join(err, closed)
	}
	return errors.Join(err, m.closeJournal())
}

func (m *Meter) closeJournal() (err error) {
	if m.attempts != nil {
		err = m.attempts.Close()
	}
	if m.receipts != nil {
		err = errors.Join(err, m.receipts.Close())
	}
	if m.journal != nil {
		err = errors.Join(err, m.journal.Close())
	}
	return err
}

// leastReadBack is how many lines of the receipts file are read at least, however small the ledger is.
const leastReadBack = 2 * maxUnsettled

// readBack puts the newest receipts of a file into the ledger, and keeps those whose cost is open. It returns those of
// attempts of which the log knows no end. A line that a crash has cut is passed over.
func (m *Meter) readBack(path string) (ended map[string]*Receipt, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	start, err := startOfNewest(file, max(leastReadBack, m.ledger.capacity()))
	if err == nil {
		_, err = file.Seek(start, io.SeekStart)
	}
	if err != nil {
		return nil, err
	}
	ended = make(map[string]*Receipt)
	for _, a := range m.attempts.InFlight() {
		ended[a.ID] = nil
	}
	unread := 0
	for entry, err := range ReadLedger(file) {
		var bad *LineError
		switch {
		case errors.As(err, &bad):
			unread++
		case err != nil:
			return nil, err
		case entry.Receipt != nil:
			if _, left := ended[entry.Receipt.ID]; left {
				ended[entry.Receipt.ID] = entry.Receipt
			}
			m.takeBack(entry.Receipt)
		default:
			m.ledger.Adjust(*entry.Adjustment)
			m.unsettled.adjust(entry.Adjustment)
		}
	}
	if unread > 0 {
		m.logger.Warn("farebox: lines of the receipts file that are no receipts, as a crash leaves them", slog.Int("lines", unread))
	}
	return ended, nil
}

// takeBack puts the receipt of an earlier process into the ledger.
func (m *Meter) takeBack(r *Receipt) {
	m.ledger.Append(*r)
	if !r.Settled() {
		m.unsettled.keep(&openCharge{receipt: r, cost: r.Cost})
	}
}

// startOfNewest finds where the last lines of a file begin, reading it backwards.
func startOfNewest(file *os.File, most int) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	const piece = 1 << 20
	buf := make([]byte, piece)
	lines, end := 0, info.Size()
	for end > 0 {
		start := max(0, end-piece)
		part := buf[:end-start]
		if _, err := file.ReadAt(part, start); err != nil {
			return 0, err
		}
		for i := len(part) - 1; i >= 0; i-- {
			if part[i] != '\n' {
				continue
			}
			if lines++; lines > most {
				return start + int64(i) + 1, nil
			}
		}
		end = start
	}
	return 0, nil
}
