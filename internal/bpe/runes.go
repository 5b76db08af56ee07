package bpe

import "unicode/utf8"

// runeTable gives the token of a character whose bytes merge to it before anything else can happen to them, so that
// merging may begin with it instead of its bytes. The zero word is a character without.
type runeTable struct {
	pages [0x110000 >> 8]uint16 // number of the page of each 256 characters, 0 where none has a word
	words [][256]runeWord
}

// runeWord is token<<5 and what beside the character its token depends on. A character without a token may still have
// the last two bits.
type runeWord uint32

const (
	afterASCII runeWord = 1 << iota // holds behind ASCII
	afterLoud                       // holds behind a character that throws, or whose own bytes may not be together yet
	beforeAny                       // holds in front of anything, not only of a character that does not catch
	catches                         // some merge joins the last bytes of another character and the first of this one
	throws                          // some merge joins what ends with this character and the first bytes of another
	isASCII                         // in place of a word, for characters that are their byte

	runeBits = iota
)

// quiet stands for the beginning of a text, beside which everything holds.
const quiet = beforeAny

// holds tells whether the token of a character holds behind another, which has no token if it was loaded as bytes.
func (word runeWord) holds(before runeWord) bool {
	var need runeWord
	switch {
	case before&isASCII != 0:
		need = afterASCII
	case before&throws != 0, word&catches != 0 && (before>>runeBits == 0 || before&beforeAny == 0):
		need = afterLoud
	}
	return word&need == need
}

func (t *runeTable) get(r rune) runeWord {
	return t.words[t.pages[r>>8]][r&0xff]
}

func (t *runeTable) set(r rune, bits runeWord) {
	page := &t.pages[r>>8]
	if *page == 0 {
		*page = uint16(len(t.words))
		t.words = append(t.words, [256]runeWord{})
	}
	t.words[*page][r&0xff] |= bits
}

// newRuneTable finds those characters. The merges that assemble a character are made one by one; at each it is seen
// whether a token that could stand beside the parts would merge with the outer one of them first, as told by its rank.
func newRuneTable(v *vocabulary, merges []merge) runeTable {
	t := runeTable{words: make([][256]runeWord, 1)}
	e := newEdges(v, merges, &t)
	for i, m := range merges {
		if m.left == none || v.size(m.left) >= utf8.UTFMax {
			continue
		}
		token := v.token(uint32(256 + i))
		if r, size := utf8.DecodeRune(token); size > 1 && size == len(token) {
			if flags, ok := e.flags(v, token); ok {
				t.set(r, runeWord(256+i)<<runeBits|flags)
			}
		}
	}
	return t
}

// edges knows, for each token that is part of a character, the earliest merge with a neighbour outside of it.
type edges struct {
	asLast     map[uint32]uint32 // of the last bytes of a character with what follows
	afterASCII map[uint32]uint32 // of its first bytes with what ends in ASCII
	afterLoud  map[uint32]uint32 // of its first bytes with what ends otherwise

	w window
}

func newEdges(v *vocabulary, merges []merge, t *runeTable) *edges {
	e := &edges{
		asLast:     make(map[uint32]uint32),
		afterASCII: make(map[uint32]uint32),
		afterLoud:  make(map[uint32]uint32),
	}
	for i, m := range merges {
		if m.left == none {
			continue
		}
		id, left, right := uint32(256+i), v.token(m.left), v.token(m.right)
		if utf8.RuneStart(right[0]) && trailing(left) {
			keepLower(e.asLast, m.left, id)
			t.setCatching(right)
		}
		if !partial(right) {
			continue
		}
		if left[len(left)-1] < utf8.RuneSelf {
			keepLower(e.afterASCII, m.right, id)
			continue
		}
		keepLower(e.afterLoud, m.right, id)
		if r, size := utf8.DecodeLastRune(left); size > 1 {
			t.set(r, throws)
		}
	}
	return e
}

// setCatching marks the character that b begins with, or all that begin with b.
func (t *runeTable) setCatching(b []byte) {
	if b[0] < utf8.RuneSelf {
		return // all of ASCII is taken to catch
	}
	if utf8.FullRune(b) {
		r, _ := utf8.DecodeRune(b)
		t.set(r, catches)
		return
	}
	for c := byte(0x80); c < 0xc0; c++ {
		t.setCatching(append(b[:len(b):len(b)], c))
	}
}

func keepLower(m map[uint32]uint32, key, id uint32) {
	if old, ok := m[key]; !ok || id < old {
		m[key] = id
	}
}

// trailing tells whether b has only bytes that continue a character.
func trailing(b []byte) bool {
	for _, c := range b {
		if utf8.RuneStart(c) {
			return false
		}
	}
	return true
}

// partial tells whether b is the beginning of one character.
func partial(b []byte) bool {
	return b[0] >= utf8.RuneSelf && utf8.RuneStart(b[0]) && !utf8.FullRune(b) && trailing(b[1:])
}

// flags tells what the token of a character depends on; it is not ok if its bytes do not merge to it.
func (e *edges) flags(v *vocabulary, token []byte) (flags runeWord, ok bool) {
	e.w.loadBytes(v, token)
	flags = afterASCII | afterLoud | beforeAny
	for len(e.w.ids) > 1 {
		rank := e.w.lowest()
		if rank == none {
			return 0, false
		}
		first, last := e.w.ids[0], e.w.ids[len(e.w.ids)-1]
		if earlier(e.afterASCII, first, rank) {
			flags &^= afterASCII
		}
		if earlier(e.afterLoud, first, rank) {
			flags &^= afterLoud
		}
		if earlier(e.asLast, last, rank) {
			flags &^= beforeAny
		}
		e.w.mergeAll(v, rank)
	}
	return flags, true
}

func earlier(m map[uint32]uint32, id, rank uint32) bool {
	at, ok := m[id]
	return ok && at <= rank
}
