package bpe

import (
	"slices"
	"unicode/utf8"
)

// window is a sequence of tokens while it is merged. The zero value is ready for use.
type window struct {
	ids   []uint32
	ranks []uint32 // what each token and the one behind it merge to; none for the last
}

// loadBytes begins with the tokens of single bytes.
func (w *window) loadBytes(v *vocabulary, b []byte) {
	w.ids = w.ids[:0]
	for _, c := range b {
		w.ids = append(w.ids, v.bytes[c])
	}
	w.rank(v)
}

// loadText begins with the tokens of whole characters where that is safe, of bytes where it is not. It reports
// whether s is UTF-8; if it is not, nothing may be made of the window.
func (w *window) loadText(v *vocabulary, s string) bool {
	ids := w.ids[:0]
	before, size := quiet, 0 // the character in front of s[i]; it has a token if it was loaded as one
	for i := 0; i < len(s); i += size {
		if c := s[i]; c < utf8.RuneSelf {
			ids = append(v.settle(ids, s[i-size:i], before), v.bytes[c])
			before, size = isASCII, 1
			continue
		}
		r, n := decode(s, i)
		if n == 1 {
			return false
		}
		word := v.runes.get(r)
		if word&catches != 0 {
			ids = v.settle(ids, s[i-size:i], before)
		}
		if before&(throws|isASCII)|word&catches != 0 && !word.holds(before) {
			word &= 1<<runeBits - 1
		}
		if token := uint32(word >> runeBits); token != 0 {
			ids = append(ids, token)
		} else {
			ids = v.appendBytes(ids, s[i:i+n])
		}
		before, size = word, n
	}
	w.ids = ids
	w.rank(v)
	return true
}

// settle puts the bytes of the last character in the place of its token, if that does not hold in front of anything.
func (v *vocabulary) settle(ids []uint32, last string, word runeWord) []uint32 {
	if word>>runeBits == 0 || word&beforeAny != 0 {
		return ids
	}
	return v.appendBytes(ids[:len(ids)-1], last)
}

func (v *vocabulary) appendBytes(ids []uint32, s string) []uint32 {
	for i := range len(s) {
		ids = append(ids, v.bytes[s[i]])
	}
	return ids
}

// rank looks up what each two neighbours merge to.
func (w *window) rank(v *vocabulary) {
	ids := w.ids
	w.ranks = slices.Grow(w.ranks[:0], len(ids))[:len(ids)]
	ranks := w.ranks
	for i := 1; i < len(ids); i++ {
		ranks[i-1] = v.merged(ids[i-1], ids[i])
	}
	ranks[len(ranks)-1] = none
}

// merge makes every merge, the lowest rank first. A merge can only make room for higher ones, so that all of one rank
// are made in one pass, from the left.
func (w *window) merge(v *vocabulary) {
	for {
		rank := w.lowest()
		if rank == none {
			return
		}
		w.mergeAll(v, rank)
	}
}

// lowest gives the rank of the merge to be made next, none if there is none.
func (w *window) lowest() uint32 {
	ranks := w.ranks
	a, b, c, d := uint32(none), uint32(none), uint32(none), uint32(none)
	for len(ranks) >= 4 { // four at a time, which do not wait for each other
		a, b, c, d = min(a, ranks[0]), min(b, ranks[1]), min(c, ranks[2]), min(d, ranks[3])
		ranks = ranks[4:]
	}
	for _, rank := range ranks {
		a = min(a, rank)
	}
	return min(a, b, c, d)
}

// mergeAll makes all merges of the given rank.
func (w *window) mergeAll(v *vocabulary, rank uint32) {
	ids, ranks := w.ids, w.ranks
	ranks = ranks[:len(ids)]
	to := 0
	for ranks[to] != rank {
		to++
	}
	for from := to; from < len(ids); from++ {
		if ranks[from] != rank {
			ids[to], ranks[to] = ids[from], ranks[from]
			to++
			continue
		}
		from++
		ids[to] = rank
		if to > 0 {
			ranks[to-1] = v.merged(ids[to-1], rank)
		}
		ranks[to] = none
		if from+1 < len(ids) {
			ranks[to] = v.merged(rank, ids[from+1])
		}
		to++
	}
	w.ids, w.ranks = ids[:to], ranks[:to]
}
