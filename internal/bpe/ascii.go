package bpe

import "math/bits"

// The functions here give the end of a piece that is all ASCII and whose end does not depend on anything else, from
// eight bytes at a time; 0 if the piece at s[i] is not of that kind or too near the end of s. They are for speed: the
// patterns of split.go give the same.

// asciiClass is [classOf] for bytes; 0 for those outside ASCII.
var asciiClass = func() (table [256]class) {
	for c := range 0x80 {
		table[c] = classOf(rune(c))
	}
	return table
}()

// asciiMargin is how many bytes behind s[i] must exist for these functions to look at it.
const asciiMargin = 24

// asciiWord takes a word with the character in front of it, which is most of most texts.
func (p pattern) asciiWord(s string, i int) int {
	if len(s)-i < asciiMargin || p == patternR50k {
		return 0
	}
	first := asciiClass[s[i]]
	start := i
	if first&cased == 0 {
		start++
		if first&(space|other) == 0 || asciiClass[s[start]]&cased == 0 {
			return 0
		}
	}
	w := load64(s, start)
	if p == patternCl100k {
		if s[i] == '\'' {
			return 0
		}
		w |= toLower
	}
	caps := run(within(w, 'A', 'Z'))
	n := caps + run(within(w, 'a', 'z')>>(8*caps))
	if n == 8 {
		if caps == 8 {
			return 0
		}
		w = load64(s, start+8)
		if p == patternCl100k {
			w |= toLower
		}
		n += run(within(w, 'a', 'z'))
		if n == 16 {
			return 0
		}
	}
	end := start + n
	if c := s[end]; c >= 0x80 {
		return 0
	} else if c == '\'' && p == patternO200k {
		return end + contraction(s[end:])
	}
	return end
}

// asciiOther takes what does not begin a word.
func (p pattern) asciiOther(s string, i int) int {
	if len(s)-i < asciiMargin || p == patternR50k {
		return 0
	}
	c, after := asciiClass[s[i]], asciiClass[s[i+1]]
	if c&cased != 0 || after == 0 || c&(space|other) != 0 && after&cased != 0 {
		return 0
	}
	switch {
	case c == other && (s[i] != '\'' || p == patternO200k) || s[i] == ' ' && after == other:
		return p.asciiSymbols(s, i+1)
	case c == number:
		return asciiNumbers(s, i+1)
	case c&spaces != 0:
		return asciiBlank(s, i)
	}
	return 0
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080

	toLower = ones * 0x20 // set in each byte, it makes capitals lower case letters and no other byte a letter
)

// within sets the high bit of each byte of w from low to high, both in ASCII.
func within(w uint64, low, high byte) uint64 {
	seven := w &^ highs
	return (seven + ones*uint64(0x80-low)) &^ (seven + ones*uint64(0x7f-high)) &^ w & highs
}

// run gives how many of the lowest bytes have their high bit set in mask.
func run(mask uint64) int {
	return bits.TrailingZeros64(^mask&highs) >> 3
}

// asciiNumbers takes up to two more digits.
func asciiNumbers(s string, i int) int {
	for range 2 {
		switch asciiClass[s[i]] {
		case number:
			i++
		case 0:
			return 0
		default:
			return i
		}
	}
	return i
}

// asciiSymbols takes more of them, and the newlines behind them.
func (p pattern) asciiSymbols(s string, i int) int {
	for i < len(s) && asciiClass[s[i]] == other {
		i++
	}
	if i < len(s) && s[i] >= 0x80 {
		return 0
	}
	if p == patternO200k {
		return newlines(s, i, '/')
	}
	return newlines(s, i, '\n')
}

// asciiBlank takes white space as [blank] does.
func asciiBlank(s string, i int) int {
	start, newlineEnd := i, i
	for i < len(s) && asciiClass[s[i]]&spaces != 0 {
		if asciiClass[s[i]] == newline {
			newlineEnd = i + 1
		}
		i++
	}
	switch {
	case i < len(s) && s[i] >= 0x80:
		return 0
	case newlineEnd > start:
		return newlineEnd
	case i == len(s) || i-start == 1:
		return i
	default:
		return i - 1
	}
}
