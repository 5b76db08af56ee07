package bpe

import "unicode/utf8"

// windowSize is how many bytes are merged at one time. A longer piece is merged window after window, so that its cost
// grows with its length and not with the square of it.
const windowSize = 64

// long merges pieces that are longer than a window.
//
// A sequence of tokens is what merging the whole gives if, and only if, each two neighbours are what merging the
// bytes of those two gives: the first merge across a boundary would have been made for these two alone as well. So it
// is enough to merge a window, to keep the tokens that lie well before its end, to begin the next window behind them,
// and to see that the tokens on the two sides of the cut can stand beside each other. Where they cannot, the cut was
// none, and the window before it is merged again with twice the width; the widest is the piece itself.
type long struct {
	w, seam window
	spans   []span
}

// span is a window that has been merged, or is about to be.
type span struct {
	start  int    // where it begins in the piece
	width  int    // bytes to merge
	tokens int    // tokens of the piece before it
	left   uint32 // the last of them
}

// count gives the number of tokens of a piece, which must be UTF-8.
func (l *long) count(v *vocabulary, piece string, width int) int {
	n, _ := l.merge(v, piece, width, nil, false)
	return n
}

// encode appends the tokens of a piece, which must be UTF-8.
func (l *long) encode(v *vocabulary, piece string, width int, dst []uint32) []uint32 {
	_, dst = l.merge(v, piece, width, dst, true)
	return dst
}

func (l *long) merge(v *vocabulary, piece string, width int, dst []uint32, keep bool) (int, []uint32) {
	before := len(dst)
	l.spans = append(l.spans[:0], span{width: width, left: none})
	for {
		at := &l.spans[len(l.spans)-1]
		end := characterAt(piece, at.start+at.width)
		l.w.loadText(v, piece[at.start:end])
		l.w.merge(v)
		if at.left != none && !l.adjacent(v, at.left, l.w.ids[0]) {
			l.spans = l.spans[:len(l.spans)-1]
			l.spans[len(l.spans)-1].width *= 2
			continue
		}
		tokens, size := l.w.settled(v, piece[at.start:end], at.width-at.width/4)
		if end == len(piece) {
			tokens = len(l.w.ids)
		}
		if keep {
			dst = append(dst[:before+at.tokens], l.w.ids[:tokens]...)
		}
		switch {
		case end == len(piece):
			return at.tokens + tokens, dst
		case tokens == 0:
			at.width *= 2
		default:
			next := min(at.width, 4*width) // what was too narrow here will be behind it
			l.spans = append(l.spans, span{at.start + size, next, at.tokens + tokens, l.w.ids[tokens-1]})
		}
	}
}

// settled gives the number and the bytes of the tokens in front of limit, up to the last that ends a character.
func (w *window) settled(v *vocabulary, s string, limit int) (tokens, size int) {
	end := 0
	for i, id := range w.ids {
		end += v.size(id)
		if end > limit {
			break
		}
		if end == len(s) || utf8.RuneStart(s[end]) {
			tokens, size = i+1, end
		}
	}
	return tokens, size
}

// adjacent tells whether merging the bytes of two tokens gives these two tokens.
func (l *long) adjacent(v *vocabulary, left, right uint32) bool {
	w := &l.seam
	w.ids = w.ids[:0]
	for _, id := range [...]uint32{left, right} {
		for _, c := range v.token(id) {
			w.ids = append(w.ids, v.bytes[c])
		}
	}
	w.rank(v)
	w.merge(v)
	return len(w.ids) == 2 && w.ids[0] == left && w.ids[1] == right
}

// characterAt gives the first place in s, not before at, where a character begins or s ends.
func characterAt(s string, at int) int {
	for at < len(s) && !utf8.RuneStart(s[at]) {
		at++
	}
	return min(at, len(s))
}
