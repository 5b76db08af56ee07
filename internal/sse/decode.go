// Package sse reads streams of server-sent events as the WHATWG HTML standard defines them, with one deviation: an
// event that the end of the stream cuts off before its blank line is still delivered.
//
// [Parser] is pushed through, [Filter] passes a stream on without the events that are not wanted, [Reader] is for a
// client. All three share one decoder, and the memory of each is bounded.
package sse

import "bytes"

// DefaultMaxEvent is how large an event may be where nothing else is said, in bytes.
const DefaultMaxEvent = 4 << 20

// mark says what the bytes that the decoder took were.
type mark uint8

const (
	unfinished mark = iota // part of a line
	lineEnd                // the end of a line that has something in it
	blankLine              // an empty line: where an event ends
	lateFeed               // the line feed of a CR LF whose carriage return ended the line before
)

// decoder puts lines together from pieces, and events from lines.
type decoder struct {
	max     int
	begun   bool   // the first line was seen
	afterCR bool   // the last byte was a carriage return: a line feed now belongs to it
	inLine  bool   // a line is under way
	comment bool   // that line is a comment
	partial []byte // its bytes from earlier pieces, unless it is a comment

	size     int  // of the lines of the event under way that are complete, comments aside
	overlong bool // the event under way is larger than max: its text is not kept
	fields   bool // the event under way has a line that is not a comment
	hasData  bool
	name     []byte
	data     []byte // what is returned: in store, or in the piece itself where the event has only one line of data
	inPiece  bool   // data is part of the piece
	store    []byte
	label    []byte // keeps name
	nextLF   int    // distance of the next line feed from the beginning of what is left of the piece; -1: not known
}

func newDecoder(maxEvent int) decoder {
	if maxEvent <= 0 {
		maxEvent = DefaultMaxEvent
	}
	return decoder{max: maxEvent, nextLF: -1}
}

// feed takes the next bytes of p, which is not empty: a line's, up to its end. It returns how many and what they were.
// After a blankLine the event is ready to be looked at until reset is called, which has to be done before the next feed.
// Before p is overwritten, keep has to be called.
func (d *decoder) feed(p []byte) (n int, what mark) {
	if d.afterCR {
		d.afterCR = false
		if p[0] == '\n' {
			d.passed(1)
			return 1, lateFeed
		}
	}
	end := d.lineLen(p)
	line := p[:end]
	if end == len(p) {
		d.hold(line)
		d.nextLF = -1
		return end, unfinished
	}
	n = end + 1
	if p[end] == '\r' {
		if n == len(p) {
			d.afterCR = true
		} else if p[n] == '\n' {
			n++
		}
	}
	if d.passed(n); n == len(p) {
		d.nextLF = -1
	}
	return n, d.endLine(line)
}

// lineLen returns where the line that p begins with ends, len(p) where it goes on. The place of the next line feed is
// remembered, so that lines that end in carriage returns do not make it be searched again and again.
func (d *decoder) lineLen(p []byte) int {
	if d.nextLF < 0 {
		if d.nextLF = bytes.IndexByte(p, '\n'); d.nextLF < 0 {
			d.nextLF = len(p)
		}
	}
	if cr := bytes.IndexByte(p[:d.nextLF], '\r'); cr >= 0 {
		return cr
	}
	return d.nextLF
}

// passed moves on by n bytes.
func (d *decoder) passed(n int) {
	if d.nextLF >= n {
		d.nextLF -= n
	} else {
		d.nextLF = -1
	}
}

// hold keeps the part of a line that a piece ended in.
func (d *decoder) hold(part []byte) {
	if !d.inLine {
		d.inLine = true
		d.comment = part[0] == ':'
		d.fields = d.fields || !d.comment
	}
	if !d.comment && d.room(len(d.partial)+len(part)) {
		d.partial = append(d.partial, part...)
	}
}

// endLine takes the last part of a line.
func (d *decoder) endLine(part []byte) mark {
	if !d.inLine && len(part) == 0 {
		d.begun = true
		return blankLine
	}
	line, inPiece := part, !d.inLine
	comment := d.inLine && d.comment
	if d.inLine && !comment {
		d.hold(part)
		line = d.partial
	}
	d.inLine, d.comment = false, false
	size, marked := len(line), false
	if !d.begun {
		d.begun = true
		if line, marked = bytes.CutPrefix(line, byteOrderMark); marked && len(line) == 0 {
			return blankLine
		}
	}
	if comment = comment || !marked && len(line) > 0 && line[0] == ':'; !comment {
		d.takeLine(line, size, inPiece)
	}
	d.partial = d.partial[:0]
	return lineEnd
}

// byteOrderMark may stand at the beginning of a stream.
var byteOrderMark = []byte("\xEF\xBB\xBF")

// takeLine takes a whole line, which was of the given size before the byte order mark was cut off.
func (d *decoder) takeLine(line []byte, size int, inPiece bool) {
	d.fields = true
	if !d.room(size) {
		return
	}
	d.size += size
	field, value, _ := bytes.Cut(line, []byte{':'})
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	switch string(field) {
	case "data":
		d.addData(value, inPiece)
	case "event":
		d.label = append(d.label[:0], value...)
		d.name = d.label
	}
}

// addData adds a line of data to the event. The first one stays where it is if it can.
func (d *decoder) addData(value []byte, inPiece bool) {
	switch {
	case d.hasData:
		d.keep()
		d.store = append(append(d.store, '\n'), value...)
		d.data = d.store
	case inPiece:
		d.data, d.inPiece = value, true
	default:
		d.store = append(d.store[:0], value...)
		d.data = d.store
	}
	d.hasData = true
}

// room says whether the event has room for a line of n bytes; where it has not, its text is given up.
func (d *decoder) room(n int) bool {
	if d.size+n > d.max {
		d.giveUp()
	}
	return !d.overlong
}

// giveUp lets go of the text of the event under way: it is too large.
func (d *decoder) giveUp() {
	d.overlong = true
	d.data, d.inPiece = nil, false
	d.store, d.partial = d.store[:0], d.partial[:0]
}

// keep moves what lies in the piece to memory of the decoder's own.
func (d *decoder) keep() {
	if d.inPiece {
		d.store = append(d.store[:0], d.data...)
		d.data, d.inPiece = d.store, false
	}
}

// event returns the event that a blank line, or the end of the stream, has finished. ok is false where there is
// none: no data, or more than fits.
func (d *decoder) event() (name, data []byte, ok bool) {
	return d.name, d.data, d.hasData && !d.overlong
}

// finish ends the last line of a stream that has no line end.
func (d *decoder) finish() {
	if d.inLine {
		d.endLine(nil)
	}
}

// reset begins the next event.
func (d *decoder) reset() {
	d.fields, d.hasData, d.overlong, d.inPiece = false, false, false, false
	d.name, d.data, d.size = nil, nil, 0
	d.partial = d.partial[:0]
}
