package bpe

import (
	"math"
	"slices"
	"unicode/utf8"
	"unsafe"
)

// Count gives the number of tokens of text. Once warm it does not allocate, long runs of bytes that are not UTF-8
// excepted.
func (e *Encoding) Count(text string) int {
	n, _ := e.CountUpTo(text, math.MaxInt)
	return n
}

// CountBytes is [Encoding.Count] for text in a slice, which it does not keep.
func (e *Encoding) CountBytes(text []byte) int { return e.Count(view(text)) }

// CountUpTo counts the tokens of text and stops as soon as there are more than limit. It tells whether text fits into
// limit tokens. If it does, n is their number; if not, some number above limit.
func (e *Encoding) CountUpTo(text string, limit int) (n int, fits bool) {
	c := e.acquire()
	defer e.release(c)
	return e.countUpTo(c, text, limit)
}

// stretchTrust is how many more stretches of a text may be new than known: a long text that was not counted before is
// not worth remembering from there on, and would push out others.
const stretchTrust = 1024

func (e *Encoding) countUpTo(c *scratch, text string, limit int) (n int, fits bool) {
	trust, from := stretchTrust, 0 // where the next stretch is looked for
	for i := 0; i < len(text) && n <= limit; {
		if trust > 0 && i >= from {
			if size := stretchAt(text, i); size > 0 {
				tokens, known := e.countStretch(c, text, i, size)
				if trust--; known {
					trust += 2
				}
				n += tokens
				i += size
				continue
			}
			from = i + stretchWindow/2
		}
		end := e.pattern.asciiWord(text, i) // what next does, without its call
		if end == 0 {
			end = e.pattern.nextOther(text, i)
		}
		n += c.count(e.vocab, text, i, end)
		i = end
	}
	return n, n <= limit
}

// countStretch gives the number of tokens of the stretch text[i:i+size], and whether it was known. Where a long piece in
// it makes the stretches grow, it is noted down in the table that they were, and so is forgotten.
func (e *Encoding) countStretch(c *scratch, text string, i, size int) (n int, known bool) {
	key := stretchOf(text, i, size)
	at, n := c.stretches.find(&key)
	if n > 0 {
		return n, true
	}
	for to := i + size; i < to; {
		end := e.pattern.next(text, i)
		n += c.count(e.vocab, text, i, end)
		i = end
	}
	c.stretches.set(at, &key, n)
	return n, false
}

// scratch is what one count needs to work with.
type scratch struct {
	memo      memo
	stretches stretches
	archive   archive
	w         window
	long      long
	clean     []byte // a piece with U+FFFD in it
}

// cleanKept is how many bytes of room for such pieces are kept from one count to the next.
const cleanKept = 1 << 19

func (e *Encoding) acquire() *scratch {
	if c, ok := e.pool.Get().(*scratch); ok {
		return c
	}
	return newScratch()
}

func newScratch() *scratch {
	c := new(scratch)
	c.memo.grow()
	c.stretches.grow()
	return c
}

func (e *Encoding) release(c *scratch) {
	if cap(c.clean) > cleanKept {
		c.clean = nil
	}
	e.pool.Put(c)
}

// count gives the number of tokens of the piece text[i:end].
func (c *scratch) count(v *vocabulary, text string, i, end int) int {
	switch n := end - i; {
	case n == 1 && text[i] < utf8.RuneSelf:
		return 1
	case n > archiveLen:
		return c.countPiece(v, text[i:end])
	case n > stretchLen:
		return c.countArchived(v, text[i:end])
	case n > memoLen:
		return c.countLong(v, text, i, end)
	}
	key := memoKey(text, i, end-i)
	at, n := c.memo.find(key)
	if n == 0 {
		n = c.countPiece(v, text[i:end])
		c.memo.set(at, key, n)
	}
	return n
}

// countLong is count for a piece that is too long for the memo.
func (c *scratch) countLong(v *vocabulary, text string, i, end int) int {
	key := stretchOf(text, i, end-i)
	key[3] |= stretchPiece
	at, n := c.stretches.find(&key)
	if n == 0 {
		n = c.countPiece(v, text[i:end])
		c.stretches.set(at, &key, n)
	}
	return n
}

// countArchived is count for a piece that is too long for a stretch.
func (c *scratch) countArchived(v *vocabulary, piece string) int {
	at, n := c.archive.find(piece)
	if n == 0 {
		n = c.countPiece(v, piece)
		c.archive.set(at, piece, n)
	}
	return n
}

func (c *scratch) countPiece(v *vocabulary, piece string) int {
	if v.likelyToken(piece) && v.wholeToken(piece) != none {
		return 1
	}
	if len(piece) > windowSize {
		return c.long.count(v, c.text(piece), windowSize)
	}
	return len(c.merge(v, piece))
}

// merge gives the tokens of a piece of up to a window, good until the next call.
func (c *scratch) merge(v *vocabulary, piece string) []uint32 {
	if !c.w.loadText(v, piece) {
		c.w.loadText(v, c.text(piece))
	}
	c.w.merge(v)
	return c.w.ids
}

// text gives s with U+FFFD in the place of each byte that is not UTF-8, good until the next call.
func (c *scratch) text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	c.clean = slices.Grow(c.clean[:0], utf8.RuneLen(utf8.RuneError)*len(s))
	for _, r := range s {
		c.clean = utf8.AppendRune(c.clean, r)
	}
	return view(c.clean)
}

// likelyToken tells whether it is worth while to look for the token that is a whole piece before merging it. Long
// pieces outside ASCII are seldom one.
func (v *vocabulary) likelyToken(piece string) bool {
	return len(piece) <= memoLen || len(piece) <= v.longest && piece[1] < utf8.RuneSelf
}

// view gives b as a string without a copy. It is good until b changes.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
