package farebox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/farebox-go/farebox/store"
)

// WithJournal keeps budgets and receipts in a folder, made if it does not exist, so that a cap and the ledger survive restarts,
// crashes and a loss of power. It is for one process at a time: a second one on the same folder is an error of [NewMeter].
//
// What may be spent is on disk before it is: a process that dies leaves at most what it had borrowed in advance, 1/256 of
// a cap, and the calls in flight counted as spent. Receipts are written as they are made and follow to disk at once; the
// newest ones are read back into the ledger. For several processes, see [WithStore].
func WithJournal(folder string) MeterOption {
	return meterOption(func(c *meterConfig) error {
		switch {
		case folder == "":
			return errors.New("WithJournal: the folder has no name")
		case c.store != nil || c.journal != "":
			return errors.New("WithJournal: the Meter has a store already")
		}
		c.journal = folder
		return nil
	})
}

// Names in a journal's folder.
const (
	budgetsFile  = "budgets"
	receiptsFile = "receipts.jsonl"
)

// openStores opens what the Meter's budgets are kept in.
func (m *Meter) openStores(config *meterConfig) error {
	s := config.store
	if config.journal != "" {
		if err := m.openJournal(config.journal); err != nil {
			return fmt.Errorf("WithJournal: %w", err)
		}
		s = m.journal
	}
	if s != nil {
		m.guard.lender = newLender(s, config.admitWithoutStore, &m.guard, m.logger)
	}
	return nil
}

func (m *Meter) openJournal(folder string) (err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if m.journal, err = store.OpenFile(filepath.Join(folder, budgetsFile)); err != nil {
		return err
	}
	path := filepath.Join(folder, receiptsFile)
	receipts, err := OpenLineFile(path, false)
	if err == nil {
		err = m.readBack(path)
	}
	if err != nil {
		return errors.Join(err, m.journal.Close())
	}
	m.sinks = append([]Sink{&journalReceipts{LineFile: receipts}}, m.sinks...)
	return nil
}

// closeStores returns what was borrowed, and closes what the Meter opened.
func (m *Meter) closeStores(ctx context.Context) (err error) {
	if m.guard.lender != nil {
		err = m.guard.lender.pool.Close(ctx)
	}
	if m.journal != nil {
		err = errors.Join(err, m.journal.Close())
	}
	return err
}

// readBack puts the newest receipts of a file into the ledger. A line that a crash has cut is passed over.
func (m *Meter) readBack(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	start, err := startOfNewest(file, m.ledger.capacity())
	if err == nil {
		_, err = file.Seek(start, io.SeekStart)
	}
	if err != nil {
		return err
	}
	unread := 0
	for entry, err := range ReadLedger(file) {
		var bad *LineError
		switch {
		case errors.As(err, &bad):
			unread++
		case err != nil:
			return err
		case entry.Receipt != nil:
			m.ledger.Append(*entry.Receipt)
		default:
			m.ledger.Adjust(*entry.Adjustment)
		}
	}
	if unread > 0 {
		m.logger.Warn("farebox: lines of the receipts file that are no receipts, as a crash leaves them", slog.Int("lines", unread))
	}
	return nil
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
