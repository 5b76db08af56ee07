package bpe

import (
	"math/bits"
	"unicode/utf8"
)

// stretches remembers the number of tokens of stretches: pieces in a row that end where every pattern splits, whatever
// comes behind. A text that has been counted before, such as the beginning of a conversation, is counted stretch by
// stretch, without being split. It also remembers single pieces that are too long for the memo. It is as large as what
// it has been told asks for.
type stretches struct {
	slots []stretch // a power of two
	lost  int       // what was overwritten since it grew
}

const (
	stretchLen    = 30 // bytes of the longest
	stretchWindow = 32 // bytes that are looked at to find its end
	stretchFirst  = 1 << 6
	stretchMost   = 1 << 13 // slots in the end, which take a quarter of a megabyte
)

// stretch is up to 30 bytes of text in order, then the number of its tokens, then that of its bytes. That of a piece
// has the highest bit set, so that it is never taken for a stretch. The zero stretch is a free slot.
type stretch [4]uint64

const (
	stretchTokens = 48 // where they are in the last word
	stretchSize   = 56
	stretchPiece  = 1 << 63
)

// stretchAt gives the size of the longest stretch at s[i], 0 where none is found. It ends behind a letter or number, in
// front of a symbol or white space, but for an apostrophe, which may begin a contraction: see [parts].
func stretchAt(s string, i int) int {
	if i+stretchWindow > len(s) {
		return 0
	}
	w := s[i : i+stretchWindow]
	c, d := load64(w, 16), load64(w, 24)
	wordC, wordD := asciiWords(c)|c&highs, asciiWords(d)|d&highs
	n := 24
	ends := (wordD<<8 | wordC>>56) & asciiBreaks(d, wordD) << 8 >> 8 // the last byte has no room
	if ends == 0 {
		n, ends = 16, wordC<<8&asciiBreaks(c, wordC)
	}
	if ends != 0 {
		n += (63 - bits.LeadingZeros64(ends)) >> 3
		if w[n-1] < utf8.RuneSelf || classBefore(w, n)&(letters|number) != 0 {
			return n
		}
	}
	if (c|d)&highs == 0 {
		return 0
	}
	return wideStretchAt(s, i)
}

// asciiWords sets the high bit of each byte of w that is a letter or digit in ASCII.
func asciiWords(w uint64) uint64 {
	return within(w|toLower, 'a', 'z') | within(w, '0', '9')
}

// asciiBreaks sets the high bit of each byte of w that is neither in words nor an apostrophe.
func asciiBreaks(w, words uint64) uint64 {
	return highs &^ (words | within(w, '\'', '\''))
}

// classBefore gives the class of the character that ends at s[end-1].
func classBefore(s string, end int) class {
	r, _ := utf8.DecodeLastRuneInString(s[:end])
	return classOf(r)
}

// wideStretchAt is stretchAt for scripts that are written without spaces: the stretch ends in front of a symbol of
// theirs, such as a comma.
func wideStretchAt(s string, i int) int {
	w := s[i : i+stretchWindow]
	for n := stretchLen; n > 16; n-- {
		if lead := w[n]; lead != 0xe3 && lead != 0xef && lead != 0xe2 {
			continue
		}
		if next, _ := classAt(s, i+n); next == other && classBefore(w, n)&(letters|number) != 0 {
			return n
		}
	}
	return 0
}

// stretchOf gives the stretch of s[i:i+n], which is longer than a memo's piece, with no tokens.
func stretchOf(s string, i, n int) (key stretch) {
	key[0], key[1] = load64(s, i), load64(s, i+8)
	switch {
	case i+stretchWindow > len(s):
		key[2], key[3] = loadSlowly(s[i+16 : i+n])
	case n < 24:
		key[2] = load64(s, i+16) & (1<<(8*(n-16)) - 1)
	default:
		key[2], key[3] = load64(s, i+16), load64(s, i+24)&(1<<(8*(n-24))-1)
	}
	key[3] |= uint64(n) << stretchSize
	return key
}

// find gives where a stretch is or would be, and its number of tokens or 0.
func (t *stretches) find(key *stretch) (at *stretch, tokens int) {
	at = &t.slots[key.hash()&uint64(len(t.slots)-1)]
	if at[0] == key[0] && at[1] == key[1] && at[2] == key[2] && (at[3]^key[3])&^(0xff<<stretchTokens) == 0 {
		tokens = int(at[3] >> stretchTokens & 0xff)
	}
	return at, tokens
}

func (key *stretch) hash() uint64 {
	high, low := bits.Mul64(key[0]^golden, key[1]^0xbf58476d1ce4e5b9)
	high2, low2 := bits.Mul64(key[2]^0x94d049bb133111eb, key[3]^0xd6e8feb86659fd93)
	return high ^ low ^ high2 ^ low2
}

// set puts a stretch into its slot.
func (t *stretches) set(at, key *stretch, tokens int) {
	if *at != (stretch{}) {
		t.lost++
	}
	*at = *key
	at[3] |= uint64(tokens) << stretchTokens
	if t.lost > len(t.slots)/memoLosses && len(t.slots) < stretchMost {
		t.grow()
	}
}

func (t *stretches) grow() {
	old := t.slots
	t.slots, t.lost = make([]stretch, max(stretchFirst, memoGrowth*len(old))), 0
	for _, slot := range old {
		key := slot
		key[3] &^= 0xff << stretchTokens
		t.slots[key.hash()&uint64(len(t.slots)-1)] = slot
	}
}
