package bpe

import (
	"encoding/binary"
	"fmt"
	"sync"
)

// none is no token: what a table gives for what it does not have.
const none = 1<<idBits - 1

// idBits is the width of a token's identifier in the tables.
const idBits = 18

// vocabulary is the tokens of an encoding. It does not change once built.
type vocabulary struct {
	text []byte   // the bytes of all tokens, in order of identifier
	ends []uint32 // where each token's bytes end

	bytes     [256]uint32     // the token of each single byte
	bytePairs [1 << 16]uint32 // what two tokens of a byte merge to, by left<<8|right
	pairs     pairTable       // what any other two tokens merge to
	whole     pieceTable      // the tokens that are text
	runes     runeTable       // the tokens that stand for a character wherever it occurs
	longest   int             // bytes of the longest token
}

// newVocabulary builds the tables from a merge list, of which it takes the first limit tokens, or all if limit is 0.
//
// The list is 256 single bytes, the first identifiers; then for each further identifier the uvarints of the two
// tokens that merge to it. Both are smaller than it, as a merge is made of earlier ones; a left part that is not
// marks an identifier that the vocabulary leaves unused.
func newVocabulary(list []byte, limit int) (*vocabulary, error) {
	merges, err := readMerges(list, limit)
	if err != nil {
		return nil, err
	}
	v := new(vocabulary)
	parallel(
		func() { v.addTokens(list[:256], merges) },
		func() { v.addPairs(merges) },
	)
	parallel(
		func() { v.whole = newPieceTable(v) },
		func() { v.runes = newRuneTable(v, merges) },
	)
	return v, nil
}

// parallel calls all functions and waits for them.
func parallel(functions ...func()) {
	var wg sync.WaitGroup
	for _, f := range functions {
		wg.Go(f)
	}
	wg.Wait()
}

// merge is the two tokens that make a third. An unused identifier has a left part of none.
type merge struct{ left, right uint32 }

func readMerges(list []byte, limit int) ([]merge, error) {
	if len(list) < 256 {
		return nil, fmt.Errorf("bpe: the merge list is %d bytes long", len(list))
	}
	var seen [256]bool
	for _, b := range list[:256] {
		if seen[b] {
			return nil, fmt.Errorf("bpe: the merge list has the byte %#x twice", b)
		}
		seen[b] = true
	}
	merges := make([]merge, 0, len(list)/4)
	for list = list[256:]; len(list) > 0 && (limit == 0 || len(merges) < limit-256); {
		m, n := readMerge(list, merges)
		if n == 0 {
			return nil, fmt.Errorf("bpe: the merge list is broken at token %d", 256+len(merges))
		}
		merges = append(merges, m)
		list = list[n:]
	}
	return merges, nil
}

// readMerge reads the merge behind those given and tells how many bytes that took, 0 if it is broken.
func readMerge(list []byte, merges []merge) (merge, int) {
	id := uint64(256 + len(merges))
	left, n := binary.Uvarint(list)
	if n <= 0 || left > id || id >= none {
		return merge{}, 0
	}
	if left == id {
		return merge{none, none}, n
	}
	right, n2 := binary.Uvarint(list[n:])
	if n2 <= 0 || right >= id {
		return merge{}, 0
	}
	for _, part := range [...]uint64{left, right} {
		if part >= 256 && merges[part-256].left == none {
			return merge{}, 0
		}
	}
	return merge{uint32(left), uint32(right)}, n + n2
}

// addTokens writes down the bytes of all tokens.
func (v *vocabulary) addTokens(single []byte, merges []merge) {
	v.text = append(make([]byte, 0, 8*len(merges)), single...)
	v.ends = make([]uint32, 256, 256+len(merges))
	v.longest = 1
	for id, b := range single {
		v.bytes[b] = uint32(id)
		v.ends[id] = uint32(id + 1)
	}
	for _, m := range merges {
		start := len(v.text)
		if m.left != none {
			v.text = append(v.text, v.token(m.left)...)
			v.text = append(v.text, v.token(m.right)...)
		}
		v.ends = append(v.ends, uint32(len(v.text)))
		v.longest = max(v.longest, len(v.text)-start)
	}
}

// addPairs writes down what merges to what.
func (v *vocabulary) addPairs(merges []merge) {
	for i := range v.bytePairs {
		v.bytePairs[i] = none
	}
	v.pairs = newPairTable(len(merges))
	for i, m := range merges {
		switch id := uint32(256 + i); {
		case m.left == none:
		case m.left < 256 && m.right < 256:
			v.bytePairs[m.left<<8|m.right] = id
		default:
			v.pairs.put(m.left, m.right, id)
		}
	}
}

// token gives the bytes of a token.
func (v *vocabulary) token(id uint32) []byte {
	start := uint32(0)
	if id > 0 {
		start = v.ends[id-1]
	}
	return v.text[start:v.ends[id]]
}

// size gives the number of bytes of a token.
func (v *vocabulary) size(id uint32) int { return len(v.token(id)) }

// merged gives the token that left and right merge to, or none. It is also the rank of that merge: lower goes first.
func (v *vocabulary) merged(left, right uint32) uint32 {
	if left|right < 256 {
		return v.bytePairs[left<<8|right]
	}
	return v.pairs.get(left, right)
}
