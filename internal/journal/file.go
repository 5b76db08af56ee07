// Package journal keeps records in a file so that none that was committed is ever lost: it appends, checksums, commits
// in groups, and takes the records up again after a crash at any byte.
//
// A record that was appended is in the operating system's hands: it outlives the process. One that was committed is on
// disk: it outlives a loss of power. One process at a time may have a journal open.
package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// MaxRecord is the longest record, in bytes.
const MaxRecord = 16 << 20

// Errors of a journal. Those of the file system are passed on wrapped.
var (
	// ErrLocked: another process has the journal open, or this one has twice.
	ErrLocked = errors.New("journal is in use by another process")
	// ErrDamaged: records that had been committed cannot be read any more. Nothing was changed.
	ErrDamaged = errors.New("journal is damaged")
	// ErrForeign: the file is not a journal, or one of a newer form.
	ErrForeign = errors.New("file is not a journal that can be read")
	// ErrClosed: the journal has been closed.
	ErrClosed = errors.New("journal is closed")
)

// preamble begins every journal; its last digit is the version of the form.
const preamble = "farebox journal 1\n"

// A File is an open journal. Make one with [Open]. Safe for concurrent use.
type File struct {
	path string
	lock io.Closer

	mu      sync.Mutex
	file    *os.File
	written int64         // place behind the last record
	durable int64         // place up to which all is known to be on disk
	base    int64         // place of the file's first byte: places go on where a file is written anew
	syncing chan struct{} // closed when the sync under way ends; nil: none is
	failed  error         // for good: what a failed write or sync has left on disk is not known
	frame   []byte
	gap     bool // see Gap
}

// Open opens a journal, made if it does not exist, and hands every record to replay, oldest first; a record is replay's
// only until it returns. Where the last records were cut off by a crash before they were committed they are dropped.
// The error is replay's, ErrLocked, ErrForeign, ErrDamaged with the place of the damage, or the file system's.
func Open(path string, replay func(record []byte) error) (*File, error) {
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f := &File{path: path, lock: lock}
	if err := f.open(replay); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.release())
	}
	return f, nil
}

func (f *File) release() error {
	var err error
	if f.file != nil {
		err = f.file.Close()
	}
	return errors.Join(err, f.lock.Close())
}

func (f *File) open(replay func([]byte) error) error {
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	f.file = file
	begun, err := f.readPreamble()
	if err != nil {
		return err
	}
	end := int64(len(preamble))
	if begun {
		if end, err = f.replay(replay); err != nil {
			return err
		}
	}
	if err := f.cutAt(end); err != nil {
		return err
	}
	f.written, f.durable = end, end
	return nil
}

// readPreamble says whether the file has begun; one that a crash has left with nothing but a part of its preamble has not.
func (f *File) readPreamble() (bool, error) {
	head := make([]byte, len(preamble))
	n, err := io.ReadFull(f.file, head)
	switch {
	case err == nil && string(head) == preamble:
		return true, nil
	case (err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF)) && preamble[:n] == string(head[:n]):
		if _, err := f.file.WriteAt([]byte(preamble), 0); err != nil {
			return false, err
		}
		return false, nil
	case err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF):
		return false, err
	}
	return false, ErrForeign
}

// cutAt drops what stands behind the last whole record, and puts what stands before it on disk.
func (f *File) cutAt(end int64) error {
	if err := f.file.Truncate(end); err != nil {
		return err
	}
	if _, err := f.file.Seek(end, io.SeekStart); err != nil {
		return err
	}
	if err := syncFile(f.file); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(f.path))
}

// Append adds records, all or, where the write fails, none that count. It returns the place up to which the journal has to be
// committed for them to be on disk. After an error of the file system every later call fails.
func (f *File) Append(records ...[]byte) (end int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.append(records)
}

func (f *File) append(records [][]byte) (int64, error) {
	if f.failed != nil {
		return 0, f.failed
	}
	f.frame = f.frame[:0]
	for _, record := range records {
		if len(record) > MaxRecord {
			return 0, fmt.Errorf("a record of %d bytes: the longest is %d", len(record), MaxRecord)
		}
		f.frame = appendFrame(f.frame, record, f.durable-f.base)
	}
	n, err := f.file.Write(f.frame)
	f.written += int64(n)
	if err != nil {
		f.fail(err)
		return 0, f.failed
	}
	return f.written, nil
}

// fail ends the journal for good; mu is held.
func (f *File) fail(err error) {
	if f.failed == nil {
		f.failed = fmt.Errorf("%s: %w", f.path, err)
	}
}

// Commit puts everything up to a place that Append returned on disk. Those that wait at the same time share one write to
// disk. The error is ctx's, or that of the file system: then nobody knows what is on disk, and every later call fails.
func (f *File) Commit(ctx context.Context, end int64) error {
	for {
		f.mu.Lock()
		switch {
		case f.durable >= end:
			f.mu.Unlock()
			return nil
		case f.failed != nil:
			f.mu.Unlock()
			return f.failed
		case f.syncing == nil:
			f.startSync()
		}
		ended := f.syncing
		f.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Durable is the place up to which the journal is known to be on disk.
func (f *File) Durable() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.durable
}

// StartCommit begins to put on disk what has been appended, and does not wait for it.
func (f *File) StartCommit() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.syncing == nil && f.failed == nil && f.durable < f.written {
		f.startSync()
	}
}

// startSync puts what has been written so far on disk, in a goroutine of its own, since nothing can interrupt it; mu is held.
func (f *File) startSync() {
	ended, file, end := make(chan struct{}), f.file, f.written
	f.syncing = ended
	go func() {
		err := syncFile(file)
		f.mu.Lock()
		defer f.mu.Unlock()
		if err != nil {
			f.fail(err)
		} else {
			f.durable = end
		}
		f.syncing = nil
		close(ended)
	}()
}

// settle waits until no sync is under way. It is called and returns with mu held.
func (f *File) settle() {
	for f.syncing != nil {
		ended := f.syncing
		f.mu.Unlock()
		<-ended
		f.mu.Lock()
	}
}

// Gap says that Open has dropped a record which others stood behind: more is lost than the end of a process can have cut off.
func (f *File) Gap() bool { return f.gap }

// Size is the number of bytes in the file.
func (f *File) Size() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.written - f.base
}

// Rewrite replaces all records by those of a snapshot, which must stand for all that has been appended: the caller keeps
// others from appending. The old file stands until the new one is on disk. Everything that was appended before is committed.
func (f *File) Rewrite(records [][]byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle()
	if f.failed != nil {
		return f.failed
	}
	file, size, err := f.writeAside(records)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	old := f.file
	f.file, f.base, f.durable = file, f.written-size, f.written
	_ = old.Close()
	return nil
}

func (f *File) writeAside(records [][]byte) (file *os.File, size int64, err error) {
	var all bytes.Buffer
	all.WriteString(preamble)
	for _, record := range records {
		if len(record) > MaxRecord {
			return nil, 0, fmt.Errorf("a record of %d bytes: the longest is %d", len(record), MaxRecord)
		}
		all.Write(appendFrame(f.frame[:0], record, int64(all.Len())))
	}
	aside := f.path + ".new"
	file, err = os.OpenFile(aside, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(aside)
		}
	}()
	if _, err = file.Write(all.Bytes()); err != nil {
		return nil, 0, err
	}
	if err = syncFile(file); err != nil {
		return nil, 0, err
	}
	if err = os.Rename(aside, f.path); err != nil {
		return nil, 0, err
	}
	return file, int64(all.Len()), syncFolder(filepath.Dir(f.path))
}

// Close commits what has been appended and closes the file. A second Close does nothing.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle()
	if errors.Is(f.failed, ErrClosed) {
		return nil
	}
	err := f.failed
	if err == nil {
		err = syncFile(f.file)
	}
	f.failed = ErrClosed
	return errors.Join(err, f.release())
}
