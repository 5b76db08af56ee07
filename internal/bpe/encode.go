package bpe

import "unicode/utf8"

// Encode appends the tokens of text to dst.
func (e *Encoding) Encode(dst []uint32, text string) []uint32 {
	c := e.acquire()
	defer e.release(c)
	for i := 0; i < len(text); {
		end := e.pattern.next(text, i)
		dst = c.encode(e.vocab, dst, text[i:end])
		i = end
	}
	return dst
}

// encode appends the tokens of a piece.
func (c *scratch) encode(v *vocabulary, dst []uint32, piece string) []uint32 {
	if v.likelyToken(piece) {
		if token := v.wholeToken(piece); token != none {
			return append(dst, token)
		}
	}
	if len(piece) > windowSize {
		return c.long.encode(v, c.text(piece), windowSize, dst)
	}
	return append(dst, c.merge(v, piece)...)
}

// Decode appends the bytes of tokens to dst. It is not ok if one is not a token of the encoding, or a special one; dst
// then has what comes before it. Tokens may end within a character.
func (e *Encoding) Decode(dst []byte, tokens []uint32) (text []byte, ok bool) {
	for _, id := range tokens {
		if id >= uint32(e.Size()) || e.vocab.size(id) == 0 {
			return dst, false
		}
		dst = append(dst, e.vocab.token(id)...)
	}
	return dst, true
}

// Truncate gives the beginning of text that counts no more than limit tokens. It ends between two tokens of text where
// that is between two characters, else at the character before, and never has more tokens than limit although it may
// be split otherwise than the whole is. A limit of 0 or less gives no text.
func (e *Encoding) Truncate(text string, limit int) string {
	if limit <= 0 {
		return ""
	}
	end := e.truncate(text, limit)
	for end < len(text) {
		if _, fits := e.CountUpTo(text[:end], limit); fits {
			break
		}
		_, size := utf8.DecodeLastRuneInString(text[:end])
		end -= size
	}
	return text[:end]
}

// truncate gives how many bytes the first limit tokens of text cover, less those of a character that they only begin.
func (e *Encoding) truncate(text string, limit int) int {
	c := e.acquire()
	defer e.release(c)
	for i := 0; i < len(text); {
		end := e.pattern.next(text, i)
		n := c.count(e.vocab, text, i, end)
		if n > limit {
			return i + c.truncatePiece(e.vocab, text[i:end], limit)
		}
		limit -= n
		i = end
	}
	return len(text)
}

// truncatePiece gives how many bytes of a piece its first tokens cover.
func (c *scratch) truncatePiece(v *vocabulary, piece string, tokens int) int {
	size := 0
	for _, id := range c.encode(v, nil, piece)[:tokens] {
		size += v.size(id)
	}
	for i, r := range piece {
		if size -= utf8.RuneLen(r); size < 0 {
			return i
		}
	}
	return len(piece)
}
