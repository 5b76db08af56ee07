package bpe

// archive remembers the number of tokens of pieces that are too long for the other two, such as a sentence in a script
// without spaces. It keeps them one behind another, and when it is full it begins anew. The zero archive is empty.
type archive struct {
	slots []archived // none before the first piece, then as many as archiveSlots
	text  []byte
}

// archived says where a piece is. The zero value is a free slot.
type archived struct {
	at           uint32
	size, tokens uint16
}

const (
	archiveLen   = 400 // bytes of the longest piece it takes
	archiveSlots = 1 << 11
	archiveBytes = 1 << 17
)

// find gives where a piece is noted down or would be, and its number of tokens or 0.
func (a *archive) find(piece string) (at *archived, tokens int) {
	if a.slots == nil {
		a.slots = make([]archived, archiveSlots)
	}
	at = &a.slots[hashLong(piece)>>32&(archiveSlots-1)]
	if int(at.size) == len(piece) && string(a.text[at.at:int(at.at)+len(piece)]) == piece {
		tokens = int(at.tokens)
	}
	return at, tokens
}

func (a *archive) set(at *archived, piece string, tokens int) {
	if len(a.text)+len(piece) > archiveBytes {
		clear(a.slots)
		a.text = a.text[:0]
	}
	*at = archived{uint32(len(a.text)), uint16(len(piece)), uint16(tokens)}
	a.text = append(a.text, piece...)
}

// hashLong hashes a piece of at least eight bytes. Its quality matters for speed only.
func hashLong(piece string) uint64 {
	hash := uint64(len(piece))
	for i := 0; i+8 < len(piece); i += 8 {
		hash = (hash ^ load64(piece, i)) * golden
		hash ^= hash >> 32
	}
	return (hash ^ load64(piece, len(piece)-8)) * golden
}
