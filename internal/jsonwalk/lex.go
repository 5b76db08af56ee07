package jsonwalk

import (
	"encoding/binary"
	"math/bits"
)

// Long runs of text are searched eight bytes at a time. Each test below leaves a high bit in the bytes that match;
// a borrow may leave one in a byte above a match, never below it, so the lowest one is always right.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

func zeroBytes(x uint64) uint64 { return (x - ones) &^ x & highs }

// indexInString returns where the text of a string is interrupted: by a quote, a backslash or a control character.
// It returns len(p) where it is not.
func indexInString(p []byte) int {
	i := 0
	for ; i+8 <= len(p); i += 8 {
		x := binary.LittleEndian.Uint64(p[i:])
		m := zeroBytes(x^ones*'"') | zeroBytes(x^ones*'\\') | (x-ones*' ')&^x&highs
		if m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(p); i++ {
		if c := p[i]; c == '"' || c == '\\' || c < ' ' {
			break
		}
	}
	return i
}

// indexQuoteOrBackslash is indexInString for text whose control characters do not matter.
func indexQuoteOrBackslash(p []byte) int {
	i := 0
	for ; i+8 <= len(p); i += 8 {
		x := binary.LittleEndian.Uint64(p[i:])
		if m := zeroBytes(x^ones*'"') | zeroBytes(x^ones*'\\'); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(p); i++ {
		if c := p[i]; c == '"' || c == '\\' {
			break
		}
	}
	return i
}

// indexStructural returns where a string, an object or an array begins or ends, len(p) where none does. A bracket and
// the brace of the same side differ in one bit only.
func indexStructural(p []byte) int {
	const bit = 'a' - 'A'
	i := 0
	for ; i+8 <= len(p); i += 8 {
		x := binary.LittleEndian.Uint64(p[i:])
		folded := x | ones*bit
		if m := zeroBytes(x^ones*'"') | zeroBytes(folded^ones*'{') | zeroBytes(folded^ones*'}'); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(p); i++ {
		if c := p[i]; c == '"' || c|bit == '{' || c|bit == '}' {
			break
		}
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func isDigit(c byte) bool { return c-'0' <= 9 }

// spaceLen is the length of the white space that p begins with.
func spaceLen(p []byte) int {
	i := 0
	for i < len(p) && isSpace(p[i]) {
		i++
	}
	return i
}

func digitsLen(p []byte) int {
	i := 0
	for i < len(p) && isDigit(p[i]) {
		i++
	}
	return i
}

// stringLen returns the length of the string literal that p begins with, quotes included, and whether it holds an
// escape. Where ok is false n is the offset of the fault.
func stringLen(p []byte) (n int, escaped, ok bool) {
	i := 1 + indexInString(p[1:])
	if i < len(p) && p[i] == '"' {
		return i + 1, false, true
	}
	return escapedLen(p, i)
}

// escapedLen is stringLen from i on, where something other than the quote was met.
func escapedLen(p []byte, i int) (n int, escaped, ok bool) {
	for i < len(p) {
		switch p[i] {
		case '"':
			return i + 1, escaped, true
		case '\\':
			m := escapeLen(p[i:])
			if m == 0 {
				return i, true, false
			}
			escaped = true
			i += m
		default:
			return i, escaped, false
		}
		i += indexInString(p[i:])
	}
	return i, escaped, false
}

// escapeLen returns the length of the escape that p begins with, 0 where it is none.
func escapeLen(p []byte) int {
	if len(p) < 2 {
		return 0
	}
	if escapeLetter(p[1]) {
		return 2
	}
	if p[1] == 'u' {
		if _, ok := hex4(p[2:]); ok {
			return 6
		}
	}
	return 0
}

// escapeLetter says whether c after a backslash makes a whole escape.
func escapeLetter(c byte) bool {
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	}
	return false
}

// hex4 reads the four hexadecimal digits that p begins with.
func hex4(p []byte) (unit uint16, ok bool) {
	if len(p) < 4 {
		return 0, false
	}
	for _, c := range p[:4] {
		d, ok := hexDigit(c)
		if !ok {
			return 0, false
		}
		unit = unit<<4 | uint16(d)
	}
	return unit, true
}

func hexDigit(c byte) (d byte, ok bool) {
	switch lower := c | ('a' - 'A'); {
	case isDigit(c):
		return c - '0', true
	case 'a' <= lower && lower <= 'f':
		return lower - 'a' + 10, true
	}
	return 0, false
}

// scalarLen returns the length of the number or the literal that p begins with, 0 where it is none. NaN, Infinity
// and -Infinity pass for numbers: servers written in Python send them among log probabilities.
func scalarLen(p []byte) int {
	if len(p) == 0 {
		return 0
	}
	switch p[0] {
	case 'n':
		return wordLen(p, "null")
	case 't':
		return wordLen(p, "true")
	case 'f':
		return wordLen(p, "false")
	case 'N':
		return wordLen(p, "NaN")
	case 'I':
		return wordLen(p, "Infinity")
	case '-':
		if len(p) > 1 && p[1] == 'I' {
			return wordLen(p, "-Infinity")
		}
	}
	return numberLen(p)
}

func wordLen(p []byte, word string) int {
	if len(p) < len(word) || string(p[:len(word)]) != word {
		return 0
	}
	return len(word)
}

// numberLen returns the length of the number that p begins with, 0 where it is none.
func numberLen(p []byte) int {
	i := 0
	if i < len(p) && p[i] == '-' {
		i++
	}
	whole := digitsLen(p[i:])
	if whole == 0 || whole > 1 && p[i] == '0' {
		return 0
	}
	i += whole
	if i < len(p) && p[i] == '.' {
		n := digitsLen(p[i+1:])
		if n == 0 {
			return 0
		}
		i += 1 + n
	}
	if i < len(p) && p[i]|('a'-'A') == 'e' {
		i++
		if i < len(p) && (p[i] == '+' || p[i] == '-') {
			i++
		}
		n := digitsLen(p[i:])
		if n == 0 {
			return 0
		}
		i += n
	}
	return i
}
