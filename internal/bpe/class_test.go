package bpe

import (
	"testing"
	"unicode"
	"unicode/utf8"
)

// goClass is classOf by the tables of the standard library, which know an earlier Unicode.
func goClass(r rune) class {
	switch {
	case r == '\n' || r == '\r':
		return newline
	case unicode.Is(unicode.White_Space, r):
		return space
	case unicode.In(r, unicode.Lu, unicode.Lt):
		return upper
	case unicode.Is(unicode.Ll, r):
		return lower
	case unicode.In(r, unicode.Lm, unicode.Lo):
		return letter
	case unicode.Is(unicode.M, r):
		return mark
	case unicode.Is(unicode.N, r):
		return number
	}
	return other
}

func TestClasses(t *testing.T) {
	t.Parallel()
	newer := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		got, want := classOf(r), goClass(r)
		if got == want {
			continue
		}
		// A letter may be new in Unicode 15.1 or 16; nothing that has a class there may have lost it.
		if newer++; want != other {
			t.Errorf("%U is of class %b, was %b", r, got, want)
		}
	}
	if newer == 0 || newer > 10000 {
		t.Errorf("%d characters are new", newer)
	}
	for r, want := range map[rune]class{
		0x13460: letter, // Egyptian hieroglyph, Unicode 16
		0x2ebf0: letter, // Han, Unicode 15.1
		0x10d50: upper,  // Garay, Unicode 16
		0x10d70: lower,
		0x1ae7:  other, // a mark in Unicode 17
	} {
		if got := classOf(r); got != want {
			t.Errorf("%U is of class %b, want %b", r, got, want)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	check := func(s string) {
		wantRune, wantSize := utf8.DecodeRuneInString(s)
		if r, size := decode(s, 0); r != wantRune || size != wantSize {
			t.Fatalf("%q decodes to %U of %d bytes, want %U of %d", s, r, size, wantRune, wantSize)
		}
	}
	continuation := []byte{0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff}
	for first := 0x80; first <= 0xff; first++ {
		for _, a := range continuation {
			for _, b := range continuation {
				for _, c := range continuation {
					s := string([]byte{byte(first), a, b, c})
					for n := 1; n <= 4; n++ {
						check(s[:n])
					}
				}
			}
		}
	}
}
