package farebox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
)

// Sink receives every receipt and adjustment as it is made, in the goroutine of the call that it belongs to: a slow sink
// slows calls. An error or a panic of a sink is logged and does not disturb the call.
// Implementations must be safe for concurrent use.
type Sink interface {
	// Receipt takes a receipt.
	Receipt(Receipt) error
	// Adjustment takes what was learned later about a receipt.
	Adjustment(Adjustment) error
	// Close is called once, by Meter.Close.
	Close() error
}

// SinkFunc is a Sink that is a function of receipts; adjustments pass it by. Several goroutines may call it at once.
type SinkFunc func(Receipt)

// Receipt calls f.
func (f SinkFunc) Receipt(r Receipt) error {
	f(r)
	return nil
}

// Adjustment does nothing.
func (SinkFunc) Adjustment(Adjustment) error { return nil }

// Close does nothing.
func (SinkFunc) Close() error { return nil }

// LineFile is a Sink that appends to a file of JSON Lines: a line is {"receipt":{…}} or {"adjustment":{…}}.
// Build one with [OpenLineFile]; the zero value is not usable. Safe for concurrent use by one process.
type LineFile struct {
	mu    sync.Mutex
	file  *os.File
	fsync bool
}

// OpenLineFile opens or creates a file of JSON Lines to append to, readable by its owner only. With fsync every line is
// on disk before the call that it belongs to goes on; without, it is in the operating system's hands. A last line that
// a crash has cut is ended, so that what follows stands by itself. Its error is that of the file system.
func OpenLineFile(path string, fsync bool) (*LineFile, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("farebox: receipts file: %w", err)
	}
	if err := endLastLine(file); err != nil {
		return nil, errors.Join(fmt.Errorf("farebox: receipts file: %w", err), file.Close())
	}
	return &LineFile{file: file, fsync: fsync}, nil
}

func endLastLine(file *os.File) error {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 || !info.Mode().IsRegular() {
		return err
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err != nil {
		return err
	}
	if last[0] != '\n' {
		_, err = file.WriteString("\n")
	}
	return err
}

// Receipt appends a line.
func (f *LineFile) Receipt(r Receipt) error {
	line, err := r.AppendJSON(append(make([]byte, 0, 1024), receiptLine...))
	if err != nil {
		return err
	}
	return f.append(append(line, "}\n"...))
}

// receiptLine is how the line of a receipt begins.
const receiptLine = `{"receipt":`

// Adjustment appends a line.
func (f *LineFile) Adjustment(a Adjustment) error {
	line, err := json.Marshal(LedgerEntry{Adjustment: &a})
	if err != nil {
		return err
	}
	return f.append(append(line, '\n'))
}

func (f *LineFile) append(line []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.file.Write(line); err != nil {
		return err
	}
	if f.fsync {
		return f.file.Sync()
	}
	return nil
}

// Close flushes the file to disk and closes it.
func (f *LineFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.file.Sync(), f.file.Close())
}

// journalReceipts is a file of receipts that follow to disk at once, without a call waiting for it.
type journalReceipts struct {
	*LineFile
	syncing sync.Mutex // one who sees to it at a time
	dirty   atomic.Bool
}

// Receipt appends a line.
func (f *journalReceipts) Receipt(r Receipt) error {
	defer f.follow()
	return f.LineFile.Receipt(r)
}

// Adjustment appends a line.
func (f *journalReceipts) Adjustment(a Adjustment) error {
	defer f.follow()
	return f.LineFile.Adjustment(a)
}

// follow puts what was written on disk, unless somebody is doing so, who then goes on.
func (f *journalReceipts) follow() {
	f.dirty.Store(true)
	if !f.syncing.TryLock() {
		return
	}
	go func() {
		for f.dirty.Swap(false) {
			_ = f.file.Sync() // Close tells of a disk that is gone
		}
		f.syncing.Unlock()
		if f.dirty.Load() { // written in between
			f.follow()
		}
	}()
}

// Close flushes the file to disk and closes it.
func (f *journalReceipts) Close() error {
	f.syncing.Lock() // for good
	return f.LineFile.Close()
}

// LogSink is a Sink that logs every receipt: at level Info, or Warn where the attempt failed or its cost is not known.
func LogSink(logger *slog.Logger) Sink { return &logSink{logger: logger} }

type logSink struct{ logger *slog.Logger }

func (s *logSink) Receipt(r Receipt) error {
	level := slog.LevelInfo
	if r.ErrorType != "" || r.Source == Unpriced || r.Source == Held {
		level = slog.LevelWarn
	}
	s.logger.LogAttrs(context.Background(), level, "receipt", slog.Any("receipt", r))
	return nil
}

func (s *logSink) Adjustment(a Adjustment) error {
	s.logger.LogAttrs(context.Background(), slog.LevelInfo, "adjustment",
		slog.String("receipt", a.ReceiptID), slog.String("amount", a.Amount.String()), slog.String("reason", a.Reason))
	return nil
}

func (*logSink) Close() error { return nil }

// LogValue is what logs show of a receipt: what it was for, what it cost and why.
func (r Receipt) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("id", r.ID), slog.String("call", r.CallID), slog.String("endpoint", r.Endpoint),
		slog.String("model", modelOf(&r)), slog.String("cost", r.Cost.String()), slog.String("source", string(r.Source)),
		slog.Int64("input_tokens", r.Usage.InputTokens()), slog.Int64("output_tokens", r.Usage.OutputTokens()),
		slog.Duration("duration", r.Duration),
	}
	if r.ErrorType != "" {
		attrs = append(attrs, slog.String("error_type", r.ErrorType))
	}
	for name, value := range r.Tags {
		attrs = append(attrs, slog.String("tag."+name, value))
	}
	return slog.GroupValue(attrs...)
}
