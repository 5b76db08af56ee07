package bpe

import "unicode/utf8"

// Counter counts a text that comes in parts, such as a stream. Wherever the parts are cut, even within a character,
// the count is that of the whole. A Counter belongs to one goroutine.
type Counter struct {
	e *Encoding

	settled int    // tokens of the text that nothing behind it can change
	tail    []byte // the rest
	scanned int    // bytes of the tail that have been searched for a boundary
	last    class  // class of the last character of these

	counted int // length of the tail when it was last counted
	tokens  int // of the tail then
}

// NewCounter gives a counter of this encoding, at 0.
func (e *Encoding) NewCounter() *Counter { return &Counter{e: e} }

// Write adds a part of the text. It takes all of it, keeps none of it, and gives no error.
func (c *Counter) Write(part []byte) (int, error) {
	c.tail = append(c.tail, part...)
	c.settle()
	return len(part), nil
}

// WriteString is [Counter.Write] for a string.
func (c *Counter) WriteString(part string) (int, error) {
	c.tail = append(c.tail, part...)
	c.settle()
	return len(part), nil
}

// tailExact is how long the part of the text that is still open may be to be counted anew each time.
const tailExact = 4096

// Count gives the number of tokens of the text so far, exactly: as if it ended here. Only where the text has come to
// thousands of bytes without a word's end, which no language has, each further byte may count as a token until the
// next exact count, so that asking often stays cheap.
func (c *Counter) Count() int {
	grown := len(c.tail) - c.counted
	if grown != 0 && (len(c.tail) <= tailExact || grown >= c.counted/8) {
		c.tokens = c.e.CountBytes(c.tail)
		c.counted = len(c.tail)
		grown = 0
	}
	return c.settled + c.tokens + grown
}

// Reset begins a new text.
func (c *Counter) Reset() { *c = Counter{e: c.e, tail: c.tail[:0]} }

// settle counts the text up to the last boundary in it and lets go of it.
func (c *Counter) settle() {
	tail := view(c.tail)
	end := 0
	for c.scanned < len(tail) {
		if tail[c.scanned] >= utf8.RuneSelf && !utf8.FullRuneInString(tail[c.scanned:]) {
			break
		}
		next, size := classAt(tail, c.scanned)
		if parts(c.last, next) && tail[c.scanned] != '\'' {
			end = c.scanned
		}
		c.last = next
		c.scanned += size
	}
	if end == 0 {
		return
	}
	c.settled += c.e.Count(tail[:end])
	c.tail = append(c.tail[:0], c.tail[end:]...)
	c.scanned -= end
	c.counted, c.tokens = 0, 0
}

// parts tells whether all patterns split between two characters of these classes, whatever stands around them; an
// apostrophe as the second excepted. No piece has a space behind something visible, and none has a symbol or a newline
// behind a letter or a number.
func parts(first, second class) bool {
	switch {
	case second == space:
		return first&(letters|number|symbols) != 0
	case second&(other|newline) != 0:
		return first&(letters|number) != 0
	}
	return false
}
