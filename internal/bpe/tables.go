package bpe

import (
	"math/bits"
	"unicode/utf8"
)

// pairTable finds what two tokens merge to: open addressing over words of left<<36 | right<<18 | merged. The word 0
// is a free slot, since no merge makes token 0.
//
// Most pairs that are looked for do not merge. A filter of one bit per pair, an eighth as large, answers for nine in
// ten of these. All pairs with the same left token share a cache line of it.
type pairTable struct {
	slots  []uint64
	filter []uint64
	shift  uint8
}

func newPairTable(n int) pairTable {
	size := max(minSize, bits.Len(uint(n+n/8)))
	return pairTable{
		slots:  make([]uint64, 1<<size),
		filter: make([]uint64, 1<<size/8),
		shift:  uint8(64 - size),
	}
}

const (
	golden    = 0x9e3779b97f4a7c15 // spreads what it is multiplied with over the high bits
	lineWords = 8                  // words in a cache line
	minSize   = 7                  // log2 of the smallest table, whose filter has two of them
)

func (t *pairTable) put(left, right, merged uint32) {
	word, bit := t.filterBit(left, right)
	t.filter[word] |= bit
	key := uint64(left)<<idBits | uint64(right)
	i := key * golden >> t.shift
	for t.slots[i] != 0 {
		i = (i + 1) & uint64(len(t.slots)-1)
	}
	t.slots[i] = key<<idBits | uint64(merged)
}

// get gives the token that left and right merge to, or none.
func (t *pairTable) get(left, right uint32) uint32 {
	if word, bit := t.filterBit(left, right); t.filter[word]&bit == 0 {
		return none
	}
	key := uint64(left)<<idBits | uint64(right)
	for i := key * golden >> t.shift; ; i++ {
		slot := t.slots[i&uint64(len(t.slots)-1)]
		if slot>>idBits == key {
			return uint32(slot) & none
		}
		if slot == 0 {
			return none
		}
	}
}

func (t *pairTable) filterBit(left, right uint32) (word, bit uint64) {
	l, r := uint64(left)*golden, uint64(right)*golden
	word = (l>>t.shift/(8*lineWords)*lineWords | r>>61) & uint64(len(t.filter)-1)
	return word, 1 << (r >> 50 & 63)
}

// pieceTable finds the token that is a whole piece: open addressing over words of tag<<18 | identifier, where the tag
// is some more bits of the hash, so that a piece which is no token is seldom compared. The word none is a free slot.
type pieceTable struct {
	slots []uint32
	shift uint8
}

func newPieceTable(v *vocabulary) pieceTable {
	size := bits.Len(uint(len(v.ends) * 9 / 8))
	t := pieceTable{slots: make([]uint32, 1<<size), shift: uint8(64 - size)}
	for i := range t.slots {
		t.slots[i] = none
	}
	for id := range v.ends {
		// Pieces are text. What is not UTF-8 counts as U+FFFD and must not find the token of its own bytes.
		if token := v.token(uint32(id)); len(token) > 0 && utf8.Valid(token) {
			hash := hashPiece(token)
			i := hash >> t.shift
			for t.slots[i] != none {
				i = (i + 1) & uint64(len(t.slots)-1)
			}
			t.slots[i] = uint32(hash)&^none | uint32(id)
		}
	}
	return t
}

// wholeToken gives the token that is exactly piece, or none.
func (v *vocabulary) wholeToken(piece string) uint32 {
	if len(piece) > v.longest {
		return none
	}
	hash := hashPiece(piece)
	t := &v.whole
	for i := hash >> t.shift; ; i++ {
		slot := t.slots[i&uint64(len(t.slots)-1)]
		if slot == none {
			return none
		}
		if id := slot & none; (slot^uint32(hash))>>idBits == 0 && string(v.token(id)) == piece {
			return id
		}
	}
}

// hashPiece hashes eight bytes at a time. Its quality matters for speed only.
func hashPiece[T string | []byte](piece T) uint64 {
	hash := uint64(len(piece))
	for len(piece) >= 8 {
		hash = (hash ^ load64(piece, 0)) * 0x9e3779b97f4a7c15
		hash ^= hash >> 32
		piece = piece[8:]
	}
	var rest uint64
	for i := range len(piece) {
		rest |= uint64(piece[i]) << (8 * i)
	}
	hash = (hash ^ rest) * 0x9e3779b97f4a7c15
	hash ^= hash >> 29
	return hash * 0xbf58476d1ce4e5b9
}

// load64 reads the eight bytes at s[i], the first in the lowest place.
func load64[T string | []byte](s T, i int) uint64 {
	_ = s[i+7]
	return uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
		uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
}
