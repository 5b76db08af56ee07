package bpe

// memo remembers the number of tokens of short pieces. Each slot has room for one; what comes last stays. It is small
// enough to remain in the caches nearest to the processor, which the vocabulary is not, and no larger than what it has
// been told asks for.
type memo struct {
	slots []memoSlot // a power of two
	lost  int        // pieces that were overwritten since the memo grew
}

const (
	memoFirst = 1 << 8  // slots at first
	memoMost  = 1 << 15 // slots in the end, which take half a megabyte
	memoLen   = 15      // bytes of the longest piece it takes

	memoGrowth = 4 // how many times larger a memo or the stretches become when they grow
	memoLosses = 8 // they grow when as many were lost as this part of the slots
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
	at = &m.slots[key.hash()&uint64(len(m.slots)-1)]
	if at.a == key.a && (at.b^key.b)<<4 == 0 {
		tokens = int(at.b >> 60)
	}
	return at, tokens
}

func (key memoSlot) hash() uint64 {
	return (key.a ^ key.b*golden) * 0xbf58476d1ce4e5b9 >> 32
}

// set puts a piece into its slot.
func (m *memo) set(at *memoSlot, key memoSlot, tokens int) {
	if tokens >= 16 {
		return
	}
	if *at != (memoSlot{}) {
		m.lost++
	}
	*at = memoSlot{key.a, key.b | uint64(tokens)<<60}
	if m.lost > len(m.slots)/memoLosses && len(m.slots) < memoMost {
		m.grow()
	}
}

func (m *memo) grow() {
	old := m.slots
	m.slots, m.lost = make([]memoSlot, max(memoFirst, memoGrowth*len(old))), 0
	for _, slot := range old {
		key := slot
		key.b &= 1<<60 - 1
		m.slots[key.hash()&uint64(len(m.slots)-1)] = slot
	}
}
