package bpe

// memo remembers the number of tokens of short pieces. Each slot has room for one; what comes last stays. It is small
// enough to remain in the cache nearest to the processor, which the vocabulary is not.
type memo struct {
	slots [1 << memoBits]memoSlot
}

const (
	memoBits = 15 // log2 of the number of slots, which take half a megabyte
	memoLen  = 15 // bytes of the longest piece it takes
)

// memoSlot is a piece and the number of its tokens: the bytes in order, in the top byte of the second word the number
// of bytes in the lower half and that of tokens in the upper half. A piece has a byte, so that the zero slot is free.
type memoSlot struct{ a, b uint64 }

// memoKey gives the slot of a piece with no tokens. The piece is s[i:i+n]; sixteen bytes are read where they exist.
func memoKey(s string, i, n int) memoSlot {
	var a, b uint64
	switch {
	case i+16 > len(s):
		a, b = loadSlowly(s[i : i+n])
	case n <= 8:
		a = load64(s, i) & (1<<(8*n&63) - 1 | -uint64(n>>3))
	default:
		a, b = load64(s, i), load64(s, i+8)&(1<<(8*(n-8))-1)
	}
	return memoSlot{a, b | uint64(n)<<56}
}

func loadSlowly(s string) (a, b uint64) {
	for i := range len(s) {
		if i < 8 {
			a |= uint64(s[i]) << (8 * i)
		} else {
			b |= uint64(s[i]) << (8 * (i - 8))
		}
	}
	return a, b
}

// find gives where a piece is or would be, and its number of tokens or 0.
func (m *memo) find(key memoSlot) (at *memoSlot, tokens int) {
	hash := (key.a ^ key.b*golden) * 0xbf58476d1ce4e5b9
	at = &m.slots[hash>>(64-memoBits)]
	if at.a == key.a && (at.b^key.b)<<4 == 0 {
		tokens = int(at.b >> 60)
	}
	return at, tokens
}

// set puts a piece into its slot.
func (at *memoSlot) set(key memoSlot, tokens int) {
	if tokens < 16 {
		*at = memoSlot{key.a, key.b | uint64(tokens)<<60}
	}
}
