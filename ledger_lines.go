package farebox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// LedgerEntry is a line of a [LineFile]: a receipt or an adjustment, the other is nil.
type LedgerEntry struct {
	Receipt    *Receipt    `json:"receipt,omitempty"`
	Adjustment *Adjustment `json:"adjustment,omitempty"`
}

// LineError says that a line of a file of receipts cannot be read, as a crash leaves the last one of a process.
type LineError struct {
	Line int // counted from 1
	Err  error
}

// Error names the line.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns why it cannot be read.
func (e *LineError) Unwrap() error { return e.Err }

var errNoEntry = errors.New("neither a receipt nor an adjustment")

// ReadLedger iterates over what a [LineFile] has written, line by line, in memory that does not grow with it. A line that
// cannot be read yields a [LineError], and the next goes on; any other error is the reader's, and the last.
func ReadLedger(r io.Reader) iter.Seq2[LedgerEntry, error] { return readEntries(r, nil) }

// readEntries reads the lines that are wanted; nil wants all.
func readEntries(r io.Reader, want func(line []byte) bool) iter.Seq2[LedgerEntry, error] {
	return func(yield func(LedgerEntry, error) bool) {
		reader := bufio.NewReaderSize(r, 1<<16)
		for n := 1; ; n++ {
			line, err := reader.ReadBytes('\n')
			if line = bytes.TrimSpace(line); len(line) > 0 && (want == nil || want(line)) {
				entry, bad := readEntry(line)
				if bad != nil {
					bad = &LineError{Line: n, Err: bad}
				}
				if !yield(entry, bad) {
					return
				}
			}
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(LedgerEntry{}, err)
				return
			}
		}
	}
}

func readEntry(line []byte) (entry LedgerEntry, err error) {
	if err := json.Unmarshal(line, &entry); err != nil {
		return LedgerEntry{}, err
	}
	switch {
	case (entry.Receipt == nil) == (entry.Adjustment == nil):
		return LedgerEntry{}, errNoEntry
	case entry.Receipt != nil && entry.Receipt.Schema > ReceiptSchema:
		err = fmt.Errorf("a receipt of schema %d: this version reads up to %d", entry.Receipt.Schema, ReceiptSchema)
	case entry.Adjustment != nil && entry.Adjustment.Schema > ReceiptSchema:
		err = fmt.Errorf("an adjustment of schema %d: this version reads up to %d", entry.Adjustment.Schema, ReceiptSchema)
	}
	if err != nil {
		return LedgerEntry{}, err
	}
	return entry, nil
}
