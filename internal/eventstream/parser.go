// Package eventstream reads AWS's binary event streams (application/vnd.amazon.eventstream), as Bedrock sends them.
//
// A message is a prelude (its length, the length of its headers, both big-endian in 32 bits, and a CRC-32 of those
// eight bytes), headers, a payload, and a CRC-32 of all of that.
package eventstream

import (
	"encoding/binary"
	"hash/crc32"
)

// DefaultMaxMessage is how large a message may be where nothing else is said, in bytes.
const DefaultMaxMessage = 4 << 20

const (
	preludeLen = 12
	crcLen     = 4
)

// Parser finds the messages in a stream that is pushed through it. Its memory is bounded by the largest message that it
// delivers. It is not safe for concurrent use.
type Parser struct {
	max     int
	partial []byte // of the message under way, from earlier pieces
	passing int64  // bytes of a message too large to be kept that are still to come
	name    []byte
	skipped int
	damaged bool
}

// NewParser returns a Parser that delivers messages of at most maxMessage bytes; 0 stands for [DefaultMaxMessage].
func NewParser(maxMessage int) *Parser {
	if maxMessage <= 0 {
		maxMessage = DefaultMaxMessage
	}
	return &Parser{max: maxMessage}
}

// Write takes the next piece of the stream and calls deliver for every message that ends in it: with its :event-type
// and its payload, or with "error:" before its :exception-type or :error-code, and the payload or the :error-message.
// Both are valid during the call only; a message that lies inside one piece is not copied.
//
// A message with a wrong checksum is not delivered. Where a prelude is damaged nobody knows where the next message
// begins, and everything that follows is ignored.
func (p *Parser) Write(piece []byte, deliver func(name, data []byte)) {
	for len(piece) > 0 && !p.damaged {
		piece = piece[p.take(piece, deliver):]
	}
}

// Close says that the stream has ended. A message that was cut off has lost its checksum and is not delivered.
func (p *Parser) Close(func(name, data []byte)) { p.partial = p.partial[:0] }

// Skipped is the number of messages that were not delivered because they were too large or had a wrong checksum.
func (p *Parser) Skipped() int { return p.skipped }

// Damaged says that a prelude was met that cannot be true: the stream is not read beyond it.
func (p *Parser) Damaged() bool { return p.damaged }

// take takes the next bytes of a piece, which is not empty, and returns how many.
func (p *Parser) take(piece []byte, deliver func(name, data []byte)) int {
	if p.passing > 0 {
		n := int(min(p.passing, int64(len(piece))))
		p.passing -= int64(n)
		return n
	}
	if len(p.partial) == 0 && len(piece) >= preludeLen {
		size := p.size(piece)
		if p.damaged || size == 0 {
			return 0
		}
		if size <= len(piece) {
			p.message(piece[:size], deliver)
			return size
		}
	}
	return p.gather(piece, deliver)
}

// gather adds to the message under way and delivers it once it is whole. The prelude is gathered first: it says how
// much belongs to the message.
func (p *Parser) gather(piece []byte, deliver func(name, data []byte)) int {
	missing := preludeLen - len(p.partial)
	if missing <= 0 {
		missing = int(binary.BigEndian.Uint32(p.partial)) - len(p.partial)
	}
	n := min(missing, len(piece))
	p.partial = append(p.partial, piece[:n]...)
	switch {
	case n < missing:
	case len(p.partial) == preludeLen:
		if p.size(p.partial) == 0 {
			p.passing -= preludeLen
			p.partial = p.partial[:0]
		}
	default:
		p.message(p.partial, deliver)
		p.partial = p.partial[:0]
	}
	return n
}

// size is the size of the message whose prelude is given, 0 where the message is not to be kept: it is passed by, or
// the stream is damaged.
func (p *Parser) size(prelude []byte) int {
	total := binary.BigEndian.Uint32(prelude)
	headers := binary.BigEndian.Uint32(prelude[4:])
	checksum := binary.BigEndian.Uint32(prelude[8:])
	if crc32.ChecksumIEEE(prelude[:8]) != checksum || uint64(total) < uint64(headers)+preludeLen+crcLen {
		p.damaged = true
		return 0
	}
	if int64(total) > int64(p.max) {
		p.skipped++
		p.passing = int64(total)
		return 0
	}
	return int(total)
}

// message delivers a whole message.
func (p *Parser) message(m []byte, deliver func(name, data []byte)) {
	end := len(m) - crcLen
	if crc32.ChecksumIEEE(m[:end]) != binary.BigEndian.Uint32(m[end:]) {
		p.skipped++
		return
	}
	payload := preludeLen + int(binary.BigEndian.Uint32(m[4:]))
	var h headers
	if !h.read(m[preludeLen:payload]) {
		p.skipped++
		return
	}
	data := m[payload:end]
	switch string(h.messageType) {
	case "exception":
		p.failure(h.exceptionType)
	case "error":
		p.failure(h.errorCode)
		if len(data) == 0 {
			data = h.errorMessage
		}
	default:
		p.name = append(p.name[:0], h.eventType...)
	}
	deliver(p.name, data)
}

func (p *Parser) failure(kind []byte) { p.name = append(append(p.name[:0], "error:"...), kind...) }

// headers are the texts of a message's headers that say what it is.
type headers struct{ messageType, eventType, exceptionType, errorCode, errorMessage []byte }

// read reads headers; false where they are malformed.
func (h *headers) read(p []byte) bool {
	for len(p) > 0 {
		nameLen := int(p[0])
		if len(p) < 1+nameLen+1 {
			return false
		}
		name, kind := p[1:1+nameLen], p[1+nameLen]
		value, n, ok := headerValue(kind, p[nameLen+2:])
		if !ok {
			return false
		}
		h.set(name, value)
		p = p[nameLen+2+n:]
	}
	return true
}

func (h *headers) set(name, value []byte) {
	switch string(name) {
	case ":message-type":
		h.messageType = value
	case ":event-type":
		h.eventType = value
	case ":exception-type":
		h.exceptionType = value
	case ":error-code":
		h.errorCode = value
	case ":error-message":
		h.errorMessage = value
	}
}

// fixedLens are the lengths of header values of a fixed length, by type: booleans (the type is the value), byte, short,
// integer, long, timestamp, UUID.
var fixedLens = map[byte]int{0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}

// headerValue reads a header's value; value is nil where that is not text, n is its length on the wire.
func headerValue(kind byte, p []byte) (value []byte, n int, ok bool) {
	if kind != 6 && kind != 7 { // bytes, string
		n, ok = fixedLens[kind]
		return nil, n, ok && n <= len(p)
	}
	if len(p) < 2 {
		return nil, 0, false
	}
	n = 2 + int(binary.BigEndian.Uint16(p))
	if n > len(p) {
		return nil, 0, false
	}
	if kind == 7 {
		value = p[2:n]
	}
	return value, n, true
}
