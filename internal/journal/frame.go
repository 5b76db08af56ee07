package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// A frame is a record as it stands in the file: magic, the record's length, how much of the file was on disk when it was
// written, a checksum over all that, and the record.
//
// The third tells a crash from damage. Where a record cannot be read, and a later one was written when that place was on
// disk already, it had been committed and something has destroyed it since; else it was being written when the crash came.
const (
	magic      = "\xfa\x3eBx"
	frameHead  = len(magic) + 4 + 8 + 4
	atLength   = len(magic)
	atDurable  = atLength + 4
	atChecksum = atDurable + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendFrame(dst, record []byte, durable int64) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(record)))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(durable))
	dst = binary.LittleEndian.AppendUint32(dst, checksum(dst[start:start+atChecksum], record))
	return append(dst, record...)
}

func checksum(head, record []byte) uint32 {
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, record)
}

// cutFrame takes the first frame off data; ok is false where it is not whole.
func cutFrame(data []byte) (record []byte, durable int64, size int, ok bool) {
	if len(data) < frameHead || string(data[:len(magic)]) != magic {
		return nil, 0, 0, false
	}
	length := binary.LittleEndian.Uint32(data[atLength:])
	if length > MaxRecord || len(data)-frameHead < int(length) {
		return nil, 0, 0, false
	}
	record = data[frameHead : frameHead+int(length)]
	if checksum(data[:atChecksum], record) != binary.LittleEndian.Uint32(data[atChecksum:]) {
		return nil, 0, 0, false
	}
	return record, int64(binary.LittleEndian.Uint64(data[atDurable:])), frameHead + int(length), true
}

// replay hands every record to take, and returns where the last whole one ends.
func (f *File) replay(take func([]byte) error) (end int64, err error) {
	data, err := io.ReadAll(f.file) // rewriting keeps a journal small
	if err != nil {
		return 0, err
	}
	end = int64(len(preamble))
	for len(data) > 0 {
		record, _, size, ok := cutFrame(data)
		if !ok {
			return end, f.examine(data, end)
		}
		if err := take(record); err != nil {
			return 0, fmt.Errorf("record at byte %d: %w", end, err)
		}
		data, end = data[size:], end+int64(size)
	}
	return end, nil
}

// examine looks behind a frame that is not whole, at a place in the file: for records, which the end of a process does not
// leave there, and for proof that it had been committed.
func (f *File) examine(data []byte, at int64) error {
	for rest := data[1:]; ; rest = rest[1:] {
		i := bytes.Index(rest, []byte(magic))
		if i < 0 {
			return nil
		}
		rest = rest[i:]
		_, durable, _, ok := cutFrame(rest)
		f.gap = f.gap || ok
		if ok && durable > at {
			return fmt.Errorf("%w: the record at byte %d had been committed and cannot be read: restore the file, or set it aside to begin anew", ErrDamaged, at)
		}
	}
}

// syncFolder puts a file's name on disk.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	err = syncNames(folder)
	return errors.Join(err, folder.Close())
}
