package bpe

import (
	_ "embed"
	"unicode/utf8"
)

// class is what the published patterns want to know of a character. Each is a bit, so that a set of classes is one
// too.
type class uint8

const (
	upper   class = 1 << iota // upper and title case letters
	lower                     // lower case letters
	letter                    // letters without case
	mark                      // combining marks
	number                    // digits and other numbers
	space                     // white space other than newlines
	newline                   // carriage return and line feed
	other                     // all the rest, and bytes that are not UTF-8
)

// The character sets of the patterns.
const (
	cased   = upper | lower
	letters = upper | lower | letter
	spaces  = space | newline
	symbols = mark | other // [^\s\p{L}\p{N}]
)

// classTable holds the class of every code point of Unicode 16. Go's own tables are older, and then a letter that
// they lack would split a text elsewhere than OpenAI's tokenizer does. The first classPages bytes give, for each run
// of 256 code points, the number of its page; the pages follow.
//
//go:embed data/unicode.classes
var classTable string

const classPages = 0x110000 >> 8

func classOf(r rune) class {
	page := int(classTable[r>>8])
	return class(classTable[classPages+page<<8+int(r&0xff)])
}

// classAt gives the class and the width of the character at s[i]. A byte that is not UTF-8 is a character by itself,
// of the class of U+FFFD, which stands in for it.
func classAt(s string, i int) (class, int) {
	if c := s[i]; c < utf8.RuneSelf {
		return class(classTable[classPages+int(c)]), 1
	}
	r, size := decode(s, i)
	return classOf(r), size
}

// decode is [utf8.DecodeRuneInString] for what is not ASCII, faster for the most common of it.
func decode(s string, i int) (rune, int) {
	if i+2 < len(s) {
		a, b, c := s[i], s[i+1]^0x80, s[i+2]^0x80
		if a > 0xe0 && a < 0xf0 && a != 0xed && b|c < 0x40 {
			return rune(a&0x0f)<<12 | rune(b)<<6 | rune(c), 3
		}
		if a >= 0xc2 && a < 0xe0 && b < 0x40 {
			return rune(a&0x1f)<<6 | rune(b), 2
		}
	}
	return utf8.DecodeRuneInString(s[i:])
}

// skip gives the end of the run of characters of the given classes that begins at s[i].
func skip(s string, i int, set class) int {
	for i < len(s) {
		c, size := classAt(s, i)
		if c&set == 0 {
			break
		}
		i += size
	}
	return i
}
