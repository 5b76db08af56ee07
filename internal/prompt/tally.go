package prompt

import (
	"bytes"
	"math"
	"unicode/utf8"
	"unsafe"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// tally counts the tokens and bytes of texts. A text that lies in the body as it is meant is counted there; one with
// escapes, or one that is put together, passes through a buffer that does not grow with it.
type tally struct {
	vocabulary Vocabulary
	limit      int64 // counting stops above it
	tokens     int64
	bytes      int64
	buf        []byte // running text that has not been counted
	searched   int    // buf has no place to cut before this
}

const (
	chunkSize = 16 << 10
	maxKept   = 256 << 10 // a larger buffer is not kept for the next request
)

// start makes the tally ready for a request.
func (t *tally) start(vocabulary Vocabulary, limit int64) {
	buf := t.buf
	if cap(buf) > maxKept {
		buf = nil
	}
	*t = tally{vocabulary: vocabulary, limit: limit, buf: buf[:0]}
}

// over says whether there are more tokens than the limit, from where on nothing is counted.
func (t *tally) over() bool { return t.tokens > t.limit }

// add counts a text that stands alone and returns the number of its tokens.
func (t *tally) add(raw []byte, escaped bool) int64 {
	before := t.tokens
	if escaped {
		t.write(raw, true)
		t.close()
	} else {
		t.count(raw)
	}
	return t.tokens - before
}

// read adds the string that r stands at; of anything else but null it adds the JSON. It returns the number of tokens.
func (t *tally) read(r *jsonwalk.Reader) int64 {
	before := t.tokens
	if raw, escaped, ok := r.Text(); ok {
		t.add(raw, escaped)
	} else if r.Kind() != jsonwalk.Null {
		t.compact(r)
		t.close()
	}
	return t.tokens - before
}

// write goes on with the running text.
func (t *tally) write(raw []byte, escaped bool) {
	for len(raw) > 0 && !t.over() {
		plain := len(raw)
		if escaped {
			if i := bytes.IndexByte(raw, '\\'); i >= 0 {
				plain = i
			}
		}
		plain = min(plain, chunkSize)
		t.buf = append(t.buf, raw[:plain]...)
		raw = raw[plain:]
		if escaped && len(raw) > 0 && raw[0] == '\\' {
			n := escapeLen(raw)
			t.buf = jsonwalk.AppendDecoded(t.buf, raw[:n])
			raw = raw[n:]
		}
		t.grown()
	}
}

// escapeLen is the length of the escape that raw begins with, together with an escape behind it that may be the other
// half of the same character.
func escapeLen(raw []byte) int {
	if len(raw) < 6 || raw[1] != 'u' {
		return min(2, len(raw))
	}
	if len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' && raw[8]|0x20 == 'd' && raw[9]|0x20 >= 'c' {
		return 12
	}
	return 6
}

// writeString goes on with the running text.
func (t *tally) writeString(s string) {
	if !t.over() {
		t.buf = append(t.buf, s...)
		t.grown()
	}
}

// grown looks whether it is time to count.
func (t *tally) grown() {
	if len(t.buf)-t.searched > chunkSize {
		t.flush()
	}
}

// close ends the running text.
func (t *tally) close() {
	t.count(t.buf)
	t.buf, t.searched = t.buf[:0], 0
}

// flush counts what of the running text can be counted before the rest is known: up to the last place where one of
// the encoding's pieces surely ends.
func (t *tally) flush() {
	for i := len(t.buf) - 1; i > max(t.searched, 0); i-- {
		if t.buf[i] == ' ' && t.buf[i-1] > ' ' && t.buf[i-1] < utf8.RuneSelf {
			t.count(t.buf[:i])
			t.buf = t.buf[:copy(t.buf, t.buf[i:])]
			break
		}
	}
	t.searched = max(len(t.buf)-1, 0)
}

// count counts text where it lies.
func (t *tally) count(text []byte) {
	t.bytes += int64(len(text))
	if room := t.limit - t.tokens; room >= 0 && len(text) > 0 {
		n, _ := t.vocabulary.CountUpTo(unsafe.String(&text[0], len(text)), int(min(room, math.MaxInt-1)))
		t.tokens += int64(n)
	}
}

// compact goes on with the value that r stands at, as JSON without blanks. Escapes stay as they are written.
func (t *tally) compact(r *jsonwalk.Reader) {
	switch separator := ""; {
	case r.Object():
		t.writeString("{")
		for r.Member() {
			t.writeString(separator + `"`)
			t.write(r.Key(), false)
			t.writeString(`":`)
			t.compact(r)
			separator = ","
		}
		t.writeString("}")
	case r.Array():
		t.writeString("[")
		for r.Element() {
			t.writeString(separator)
			t.compact(r)
			separator = ","
		}
		t.writeString("]")
	default:
		t.write(r.Raw(), false)
	}
}
