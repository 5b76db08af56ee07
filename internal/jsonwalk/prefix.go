package jsonwalk

import "bytes"

// Prefix is what the documents of a stream begin with, up to the value that is new in each: it is walked once, and a document
// that begins with the very same bytes is walked from there. The zero value knows no beginning. Not safe for concurrent use.
type Prefix struct {
	bytes []byte
	mark  Mark
}

// maxPrefix bounds what is remembered, in bytes.
const maxPrefix = 1 << 10

// Learn remembers the beginning of the document that r walks, up to the value that it stands before.
func (p *Prefix) Learn(r *Reader, data []byte) {
	if mark, n, ok := r.Mark(); ok && n <= maxPrefix {
		p.bytes, p.mark = append(p.bytes[:0], data[:n]...), mark
	}
}

// Resume returns a Reader that stands where the beginning ends; ok is false where the document does not begin with it.
func (p *Prefix) Resume(data []byte) (r Reader, ok bool) {
	if len(p.bytes) == 0 || !bytes.HasPrefix(data, p.bytes) {
		return r, false
	}
	return Resume(data, p.mark), true
}
