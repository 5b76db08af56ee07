package farebox

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
)

// LedgerFile is a [LedgerReader] over a file that a [LineFile] has written, compressed by gzip or not, or over the folder of
// [WithJournal], also while it is being written to. It reads the file for every question, in memory that grows with the number
// of adjustments, not of receipts. Safe for concurrent use as far as its functions are.
type LedgerFile struct {
	Path string
	// Progress is told how many bytes of how many have been read; nil: nobody.
	Progress func(read, size int64)
	// Damaged is told of lines that cannot be read and count for nothing, as a crash leaves them; nil: nobody.
	Damaged func(*LineError)
}

// Spend implements [LedgerReader].
func (f *LedgerFile) Spend(ctx context.Context, query SpendQuery) ([]Spend, error) {
	summary, err := NewSummary(query)
	if err != nil {
		return nil, err
	}
	for record, err := range f.Records(ctx, query.Filter) {
		if err != nil {
			return nil, err
		}
		var adjustments Money
		for i := range record.Adjustments {
			adjustments = adjustments.Add(record.Adjustments[i].Amount)
		}
		summary.Add(&record.Receipt, adjustments)
	}
	return summary.Spend(), nil
}

// Records implements [LedgerReader].
func (f *LedgerFile) Records(ctx context.Context, filter Filter) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		pass := filePass{LedgerFile: f, passes: 2}
		adjustments, err := pass.adjustments(ctx)
		if err != nil {
			yield(Record{}, err)
			return
		}
		for entry, err := range pass.entries(ctx, nil, f.Damaged) {
			if err != nil {
				yield(Record{}, err)
				return
			}
			if r := entry.Receipt; r != nil && filter.match(r) && !yield(Record{Receipt: *r, Adjustments: adjustments[r.ID]}, nil) {
				return
			}
		}
	}
}

// Call implements [LedgerReader].
func (f *LedgerFile) Call(ctx context.Context, id string) ([]Record, error) {
	pass := filePass{LedgerFile: f, passes: 3}
	adjustments, err := pass.adjustments(ctx)
	if err != nil || id == "" {
		return nil, err
	}
	call := id
	for entry, err := range pass.entries(ctx, naming(id), nil) {
		if err != nil {
			return nil, err
		}
		if r := entry.Receipt; r != nil && r.ID == id {
			call = r.CallID
		}
	}
	var records []Record
	for entry, err := range pass.entries(ctx, naming(call), nil) {
		if err != nil {
			return nil, err
		}
		if r := entry.Receipt; r != nil && r.CallID == call {
			records = append(records, Record{Receipt: *r, Adjustments: adjustments[r.ID]})
		}
	}
	return records, nil
}

// naming selects lines in which an id stands: most need not be decoded then.
func naming(id string) func(line []byte) bool {
	quoted, _ := json.Marshal(id) // a text always has a JSON form
	return func(line []byte) bool { return bytes.Contains(line, quoted) }
}

// filePass reads a file several times over.
type filePass struct {
	*LedgerFile
	passes, done int64
}

// adjustments reads all that was learned later, by receipt.
func (p *filePass) adjustments(ctx context.Context) (map[string][]Adjustment, error) {
	adjustments := make(map[string][]Adjustment)
	mayBe := func(line []byte) bool { return !bytes.HasPrefix(line, []byte(receiptLine)) }
	for entry, err := range p.entries(ctx, mayBe, nil) {
		if err != nil {
			return nil, err
		}
		if a := entry.Adjustment; a != nil {
			adjustments[a.ReceiptID] = append(adjustments[a.ReceiptID], *a)
		}
	}
	return adjustments, nil
}

// entries reads the file once: the lines that are wanted, all if nobody says which.
func (p *filePass) entries(ctx context.Context, want func(line []byte) bool, damaged func(*LineError)) iter.Seq2[LedgerEntry, error] {
	return func(yield func(LedgerEntry, error) bool) {
		source, err := p.open()
		if err != nil {
			yield(LedgerEntry{}, fmt.Errorf("farebox: ledger file: %w", err))
			return
		}
		defer func() { _ = source.Close() }()
		for entry, err := range readEntries(source, want) {
			var bad *LineError
			switch {
			case ctx.Err() != nil:
				yield(LedgerEntry{}, ctx.Err())
				return
			case errors.As(err, &bad):
				if damaged != nil {
					damaged(bad)
				}
				continue
			case err != nil:
				err = fmt.Errorf("farebox: ledger file: %w", err)
			}
			if !yield(entry, err) {
				return
			}
		}
		p.done++
	}
}

func (p *filePass) open() (io.ReadCloser, error) {
	path := p.Path
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path = filepath.Join(path, receiptsFile)
		info, err = os.Stat(path)
	}
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	source := &ledgerSource{file: file, progress: p.Progress, before: p.done * info.Size(), size: p.passes * info.Size()}
	if source.Reader, err = uncompressed(bufio.NewReaderSize(source.watched(), 1<<16)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return source, nil
}

// uncompressed reads what gzip has written, and anything else as it is.
func uncompressed(r *bufio.Reader) (io.Reader, error) {
	if magic, _ := r.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return r, nil
	}
	return gzip.NewReader(r)
}

// ledgerSource is an open file whose reading is watched.
type ledgerSource struct {
	io.Reader
	file         *os.File
	progress     func(read, size int64)
	before, size int64
}

func (s *ledgerSource) Close() error { return s.file.Close() }

func (s *ledgerSource) watched() io.Reader {
	if s.progress == nil {
		return s.file
	}
	return readerFunc(func(p []byte) (int, error) {
		n, err := s.file.Read(p)
		s.before += int64(n)
		s.progress(s.before, max(s.size, s.before))
		return n, err
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
