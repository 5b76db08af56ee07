// Package jsonwalk reads JSON where it lies, without building values: [Reader] walks a document that is complete in
// memory, [Scanner] picks a few members out of one that arrives in pieces and may be far larger than memory.
// Neither allocates for what it passes by.
package jsonwalk

import "fmt"

// MaxDepth is how deep arrays and objects may be nested for a [Reader].
const MaxDepth = 1024

// SyntaxError says where a document stops being JSON. It never quotes the document.
type SyntaxError struct {
	Offset int // in bytes
	Reason string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Reason)
}

// Kind is the kind of a JSON value.
type Kind uint8

// The kinds of values. Invalid stands for the end of the document and for text that begins no value.
const (
	Invalid Kind = iota
	Object
	Array
	String
	Number
	Bool
	Null
)

// Reader walks a document in one pass:
//
//	r := jsonwalk.NewReader(data)
//	if r.Object() {
//		for r.Member() {
//			switch string(r.Key()) {
//			case "model":
//				model, _ = r.AppendText(model[:0])
//			case "messages":
//				if r.Array() {
//					for r.Element() { ... }
//				}
//			}
//		}
//	}
//	r.End()
//	return r.Err()
//
// A value that is not read is skipped when the walk goes on, and checked on the way; an object or an array that is
// entered has to be walked to its end. After the first error every method returns a zero value. A Reader is not safe
// for concurrent use; make one with [NewReader].
type Reader struct {
	data    []byte
	pos     int
	depth   int
	first   bool // the object or array was entered just now: no comma comes before its next value
	pending bool // the value at pos has not been read
	keyFrom int  // the latest key, as it is written
	keyTo   int
	decoded int      // length of the latest key in scratch; -1 where it holds no escapes
	scratch [48]byte // for a key that does
	err     error
}

// NewReader returns a Reader that stands before the document's one value. It keeps data and does not change it.
func NewReader(data []byte) Reader { return Reader{data: data, pending: true, decoded: -1} }

// Mark is a place in the walk of a document. It holds for every document that begins with the same bytes.
type Mark struct {
	pos, depth     int
	keyFrom, keyTo int
}

// Mark returns where the walk stands, which has to be before a member's value that was not read yet, and how many
// bytes lie before it. ok is false elsewhere, and where the member's name holds escapes.
func (r *Reader) Mark() (m Mark, n int, ok bool) {
	m = Mark{pos: r.pos, depth: r.depth, keyFrom: r.keyFrom, keyTo: r.keyTo}
	return m, r.pos, r.pending && r.keyTo > 0 && r.decoded < 0
}

// Resume returns a Reader that stands at a mark which was taken in a document that began with the same bytes. The
// objects and arrays that were entered up to there are entered.
func Resume(data []byte, m Mark) Reader {
	return Reader{data: data, pos: m.pos, depth: m.depth, keyFrom: m.keyFrom, keyTo: m.keyTo, decoded: -1, pending: true}
}

// Err returns the first error: nil or a *[SyntaxError].
func (r *Reader) Err() error { return r.err }

// Offset is the position in the document, in bytes: of the next value where one has not been read yet.
func (r *Reader) Offset() int {
	r.space()
	return r.pos
}

// Key returns the name of the member that Member found, escapes decoded. A name with escapes that is longer than any
// that matters is returned as it was written. It is valid until the next call of a method.
func (r *Reader) Key() []byte {
	if r.decoded >= 0 {
		return r.scratch[:r.decoded]
	}
	return r.data[r.keyFrom:r.keyTo]
}

// Kind says what the value is that has not been read yet; it reads nothing. Invalid where there is none.
func (r *Reader) Kind() Kind {
	if !r.pending {
		return Invalid
	}
	r.space()
	if r.pos == len(r.data) {
		return Invalid
	}
	return kinds[r.data[r.pos]]
}

// kinds says by its first byte what a value is.
var kinds = [256]Kind{
	'{': Object, '[': Array, '"': String, 't': Bool, 'f': Bool, 'n': Null,
	'-': Number, '0': Number, '1': Number, '2': Number, '3': Number, '4': Number, '5': Number, '6': Number,
	'7': Number, '8': Number, '9': Number, 'N': Number, 'I': Number,
}

// Object enters the value where it is an object. Where it is something else it returns false and the value stays
// to be read.
func (r *Reader) Object() bool { return r.enter(Object) }

// Array enters the value where it is an array. Where it is something else it returns false and the value stays
// to be read.
func (r *Reader) Array() bool { return r.enter(Array) }

func (r *Reader) enter(kind Kind) bool {
	if r.Kind() != kind {
		return false
	}
	if r.depth == MaxDepth {
		r.fail(r.pos, "nested too deep")
		return false
	}
	r.depth++
	r.pos++
	r.first, r.pending = true, false
	return true
}

// Member goes on to the next member of the object that was entered; false at its end.
func (r *Reader) Member() bool {
	if !r.next('}') {
		return false
	}
	if r.pos == len(r.data) || r.data[r.pos] != '"' {
		r.fail(r.pos, "a member's name is missing")
		return false
	}
	n, escaped, ok := stringLen(r.data[r.pos:])
	if !ok {
		r.fail(r.pos+n, "a name is broken or not closed")
		return false
	}
	r.keyFrom, r.keyTo, r.decoded = r.pos+1, r.pos+n-1, -1
	if escaped && n-2 <= len(r.scratch) {
		r.decoded = len(AppendDecoded(r.scratch[:0], r.data[r.keyFrom:r.keyTo]))
	}
	r.pos += n
	r.space()
	if r.pos == len(r.data) || r.data[r.pos] != ':' {
		r.fail(r.pos, "a colon is missing")
		return false
	}
	r.pos++
	r.pending = true
	return true
}

// Element goes on to the next element of the array that was entered; false at its end.
func (r *Reader) Element() bool {
	if !r.next(']') {
		return false
	}
	r.pending = true
	return true
}

// next finishes the value before and passes the comma; false at the end of the container and after an error.
func (r *Reader) next(closing byte) bool {
	if r.pending {
		r.Skip()
	}
	r.space()
	if r.pos == len(r.data) {
		r.fail(r.pos, "the document ends early")
		return false
	}
	switch c := r.data[r.pos]; {
	case c == ',' && !r.first:
		r.pos++
		r.space()
		return true
	case c == closing:
		r.pos++
		r.depth--
		r.first = false
		return false
	case r.first:
		r.first = false
		return true
	}
	r.fail(r.pos, "a comma or a closing bracket is missing")
	return false
}

// Skip passes the value by; it checks that it is well formed.
func (r *Reader) Skip() {
	switch r.Kind() {
	case Object:
		if r.Object() {
			for r.Member() {
			}
		}
	case Array:
		if r.Array() {
			for r.Element() {
			}
		}
	case String:
		r.text()
	default:
		r.scalar()
	}
}

// Raw reads the value and returns it as it is written: a part of the document. Nil after an error.
func (r *Reader) Raw() []byte {
	r.space()
	start := r.pos
	r.Skip()
	if r.err != nil {
		return nil
	}
	return r.data[start:r.pos]
}

// Text reads a string and returns the text between its quotes as it is written, and whether that holds escapes.
// Where the value is not a string ok is false and the value stays to be read.
func (r *Reader) Text() (raw []byte, escaped, ok bool) {
	if r.Kind() != String {
		return nil, false, false
	}
	return r.text()
}

// AppendText reads a string and appends its decoded text to dst. Where the value is not a string ok is false and the
// value stays to be read.
func (r *Reader) AppendText(dst []byte) (text []byte, ok bool) {
	raw, escaped, ok := r.Text()
	if !escaped {
		return append(dst, raw...), ok
	}
	return AppendDecoded(dst, raw), ok
}

// TextLen reads a string and returns the number of bytes of its decoded text. Where the value is not a string ok is
// false and the value stays to be read.
func (r *Reader) TextLen() (n int64, ok bool) {
	raw, escaped, ok := r.Text()
	if !escaped {
		return int64(len(raw)), ok
	}
	return DecodedLen(raw), ok
}

// True reads the value and says whether it is true.
func (r *Reader) True() bool { return string(r.Raw()) == "true" }

// End says that the document ought to end here: what follows but white space is an error.
func (r *Reader) End() {
	if r.pending {
		r.Skip()
	}
	if r.space(); r.err == nil && r.pos < len(r.data) {
		r.fail(r.pos, "something follows the end")
	}
}

func (r *Reader) text() (raw []byte, escaped, ok bool) {
	n, escaped, ok := stringLen(r.data[r.pos:])
	if !ok {
		r.fail(r.pos+n, "a string is broken or not closed")
		return nil, false, false
	}
	raw = r.data[r.pos+1 : r.pos+n-1]
	r.pos += n
	r.pending = false
	return raw, escaped, true
}

func (r *Reader) scalar() {
	n := scalarLen(r.data[r.pos:])
	if n == 0 {
		r.fail(r.pos, "a value is missing or misspelt")
		return
	}
	r.pos += n
	r.pending = false
}

func (r *Reader) space() {
	if r.pos < len(r.data) && r.data[r.pos] <= ' ' {
		r.pos += spaceLen(r.data[r.pos:])
	}
}

func (r *Reader) fail(offset int, reason string) {
	if r.err == nil {
		r.err = &SyntaxError{Offset: offset, Reason: reason}
	}
	r.pos, r.pending = len(r.data), false
}
