package jsonwalk

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendDecoded appends the text of a string, given as it is written between its quotes, with its escapes decoded.
// Half of a surrogate pair becomes U+FFFD; an escape that is none is kept as it is.
func AppendDecoded(dst, raw []byte) []byte {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:i]...)
		r, n := decodeEscape(raw[i:])
		if n == 0 {
			dst, n = append(dst, '\\'), 1
		} else {
			dst = utf8.AppendRune(dst, r)
		}
		raw = raw[i+n:]
	}
}

// DecodedLen is the number of bytes that [AppendDecoded] would append.
func DecodedLen(raw []byte) int64 {
	var c counter
	c.add(raw)
	return c.total()
}

// TextInto reads a string into dst, and says whether it has a text. Where dst holds the same text already nothing is allocated;
// a value that is empty or no string changes nothing.
func (r *Reader) TextInto(dst *string) bool {
	raw, escaped, ok := r.Text()
	if !ok || len(raw) == 0 {
		return false
	}
	if escaped {
		raw = AppendDecoded(nil, raw)
	}
	if *dst != string(raw) {
		*dst = string(raw)
	}
	return true
}

// decodeEscape decodes the escape, or the pair of escapes, that p begins with; n is 0 where it is none.
func decodeEscape(p []byte) (r rune, n int) {
	n = escapeLen(p)
	switch {
	case n == 0:
		return 0, 0
	case n == 2:
		return shortEscape(p[1]), 2
	}
	unit, _ := hex4(p[2:])
	if !utf16.IsSurrogate(rune(unit)) {
		return rune(unit), 6
	}
	if len(p) >= 12 && p[6] == '\\' && p[7] == 'u' {
		if low, ok := hex4(p[8:]); ok {
			if r := utf16.DecodeRune(rune(unit), rune(low)); r != utf8.RuneError {
				return r, 12
			}
		}
	}
	return utf8.RuneError, 6
}

func shortEscape(c byte) rune {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return rune(c)
}

// counter counts the decoded bytes of a string that arrives in pieces, which may end anywhere.
type counter struct {
	n      int64
	escape int    // bytes of the escape under way that were seen: 0 outside, 1 after the backslash, 2 after \u ...
	unit   uint16 // what its digits have given so far
	high   bool   // the text so far ends in the first half of a surrogate pair, counted as if it stood alone
}

// add takes the next piece of the text between the quotes.
func (c *counter) add(p []byte) {
	for len(p) > 0 {
		switch c.escape {
		case 0:
			p = c.addPlain(p)
		case 1:
			p = c.addLetter(p)
		default:
			p = c.addDigit(p)
		}
	}
}

func (c *counter) addPlain(p []byte) (rest []byte) {
	i := bytes.IndexByte(p, '\\')
	if i < 0 {
		c.n += int64(len(p))
		c.high = false
		return nil
	}
	c.n += int64(i)
	c.high = c.high && i == 0
	c.escape = 1
	return p[i+1:]
}

func (c *counter) addLetter(p []byte) (rest []byte) {
	if p[0] == 'u' {
		c.escape, c.unit = 2, 0
		return p[1:]
	}
	c.n++
	c.escape, c.high = 0, false
	if escapeLetter(p[0]) {
		return p[1:]
	}
	return p // the backslash stands for itself
}

func (c *counter) addDigit(p []byte) (rest []byte) {
	d, ok := hexDigit(p[0])
	if !ok { // what was taken for an escape stands for itself
		c.n += int64(c.escape)
		c.escape, c.high = 0, false
		return p
	}
	c.unit = c.unit<<4 | uint16(d)
	if c.escape++; c.escape == len(`\u0000`) {
		c.addUnit(rune(c.unit))
		c.escape = 0
	}
	return p[1:]
}

func (c *counter) addUnit(unit rune) {
	switch high := c.high; {
	case !utf16.IsSurrogate(unit):
		c.n += int64(utf8.RuneLen(unit))
		c.high = false
	case high && utf16.DecodeRune(0xD800, unit) != utf8.RuneError:
		c.n += int64(utf8.UTFMax - utf8.RuneLen(utf8.RuneError))
		c.high = false
	default:
		c.n += int64(utf8.RuneLen(utf8.RuneError))
		c.high = utf16.DecodeRune(unit, 0xDC00) != utf8.RuneError
	}
}

// total is the count where the text ends here.
func (c *counter) total() int64 { return c.n + int64(c.escape) }
