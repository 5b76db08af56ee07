package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/farebox-go/farebox/internal/journal"
)

// File is a Store in a file, for one process at a time: caps survive its restarts, its crashes and a loss of power. An
// allowance is on disk before it is granted, so that the books are never below what was spent. Open one with [OpenFile].
type File struct {
	state Memory

	mu        sync.Mutex // orders what is appended as it was decided
	file      *journal.File
	rewriteAt int64 // size of the file from which it is written anew
	scratch   []byte
}

// fileRecord is a line of the journal: one of its fields is set.
type fileRecord struct {
	Holder     *holderRecord     `json:"holder,omitempty"`
	Balance    *balanceRecord    `json:"balance,omitempty"`
	Correction *correctionRecord `json:"correction,omitempty"`
}

// holderRecord is where a client stands, in figures that replace those of an earlier record.
type holderRecord struct {
	Account
	Client                  string
	Granted, Returned, Over int64
}

// balanceRecord is what a window counts for clients that are gone.
type balanceRecord struct {
	Account
	Used int64
}

type correctionRecord struct {
	ID          string
	At          time.Time
	Corrections []Correction // none: they are in the balances already
}

// appendHolder appends what json.Marshal makes of a record of a holder: most records are, and one is written for every account
// of every reservation.
func appendHolder(dst []byte, r *holderRecord) []byte {
	number := func(name string, n int64) { dst = strconv.AppendInt(append(dst, name...), n, 10) }
	dst = appendText(append(dst, `{"holder":{"Key":`...), r.Key)
	number(`,"Window":{"Start":`, r.Window.Start)
	number(`,"End":`, r.Window.End)
	number(`,"View":`, r.Window.View)
	dst = appendText(append(dst, `},"Client":`...), r.Client)
	number(`,"Granted":`, r.Granted)
	number(`,"Returned":`, r.Returned)
	number(`,"Over":`, r.Over)
	return append(dst, "}}"...)
}

func appendText(dst []byte, text string) []byte {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			quoted, _ := json.Marshal(text) // which no string fails
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), text...), '"')
}

// A file is written anew when it is larger than leastRewrite bytes and than four times what it must hold.
const leastRewrite = 4 << 20

// OpenFile opens a store in a file, made if it does not exist. What earlier processes were granted and did not return
// counts as spent. The error says why the file cannot be used: another process has it open, it is damaged, or it is no
// such file; it matches ErrUnavailable.
func OpenFile(path string) (*File, error) { return RecoverFile(path, func(Store) {}) }

// RecoverFile is OpenFile for who knows what earlier processes did not spend of what they were granted: settle may give it
// back, with Sync in the name of a client that is gone. Once it has returned what is left counts as spent.
func RecoverFile(path string, settle func(Store)) (*File, error) {
	f := &File{}
	if _, err := f.state.open(); err != nil {
		return nil, err
	}
	file, err := journal.Open(path, f.replay)
	if err != nil {
		return nil, fmt.Errorf("store: %w: %w", err, ErrUnavailable)
	}
	f.file, f.rewriteAt = file, leastRewrite
	settle(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.retire()
	if err := f.rewrite(); err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w: %w", err, ErrUnavailable), file.Close())
	}
	return f, nil
}

func (f *File) rewrite() error {
	snapshot, err := f.state.snapshot()
	if err != nil {
		return err
	}
	if err := f.file.Rewrite(snapshot); err != nil {
		return err
	}
	f.rewriteAt = max(leastRewrite, 4*f.file.Size())
	return nil
}

func (f *File) replay(data []byte) error {
	var record fileRecord
	if err := json.Unmarshal(data, &record); err != nil {
		return err
	}
	switch {
	case record.Holder != nil:
		f.state.restore(record.Holder)
	case record.Balance != nil:
		f.state.restoreBalance(record.Balance)
	case record.Correction != nil:
		f.state.correct(record.Correction.ID, record.Correction.Corrections, record.Correction.At)
	default:
		return errors.New("a record of an unknown kind: the file is of a newer version")
	}
	return nil
}

// Sync implements [Store]. What is granted or overspent is on disk when it returns; what is returned may come to it later.
func (f *File) Sync(ctx context.Context, client string, lines []Line) (Reply, error) {
	f.mu.Lock()
	reply, standing, err := f.state.sync(ctx, client, lines)
	if err != nil {
		f.mu.Unlock()
		return Reply{}, err
	}
	records, spent := make([][]byte, len(lines)), false
	f.scratch = f.scratch[:0]
	for i := range lines {
		start, p := len(f.scratch), &standing[i]
		f.scratch = appendHolder(f.scratch, &holderRecord{
			Account: lines[i].Account, Client: client, Granted: p.Granted, Returned: p.Returned, Over: p.Over,
		})
		records[i] = f.scratch[start:]
		spent = spent || reply.Lines[i].Granted > lines[i].Granted || lines[i].Over > 0
	}
	end, err := f.append(records...)
	f.mu.Unlock()
	if spent || err != nil {
		err = f.commit(ctx, end, err)
	}
	if err != nil {
		return Reply{}, err
	}
	return reply, nil
}

// append appends records, and writes the file anew where it has grown; mu is held.
func (f *File) append(records ...[]byte) (end int64, err error) {
	if end, err = f.file.Append(records...); err == nil && f.file.Size() > f.rewriteAt {
		err = f.rewrite()
	}
	return end, err
}

// commit puts on disk what append, with its error, has appended.
func (f *File) commit(ctx context.Context, end int64, err error) error {
	if err == nil {
		err = f.file.Commit(ctx, end)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fmt.Errorf("store: %w: %w", err, ErrUnavailable)
}

// Correct implements [Store].
func (f *File) Correct(ctx context.Context, id string, corrections []Correction) error {
	f.mu.Lock()
	if err := f.state.Correct(ctx, id, corrections); err != nil {
		f.mu.Unlock()
		return err
	}
	var end int64
	record, err := json.Marshal(fileRecord{Correction: &correctionRecord{ID: id, At: time.Now(), Corrections: corrections}})
	if err == nil {
		end, err = f.append(record)
	}
	f.mu.Unlock()
	return f.commit(ctx, end, err)
}

// Balances implements [Store].
func (f *File) Balances(ctx context.Context, accounts []Account) ([]Balance, error) {
	return f.state.Balances(ctx, accounts)
}

// Close implements [Store]: it puts everything on disk and lets another process open the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.state.Close()
	return f.file.Close()
}
