package bpe

// pattern is how an encoding splits text into pieces before it merges bytes. Every text is split without rest.
type pattern uint8

const (
	patternO200k pattern = iota
	patternCl100k
	patternR50k
)

// next gives the end of the piece that begins at s[i], which must exist.
func (p pattern) next(s string, i int) int {
	if end := p.asciiWord(s, i); end > 0 {
		return end
	}
	return p.nextOther(s, i)
}

func (p pattern) nextOther(s string, i int) int {
	if end := p.asciiOther(s, i); end > 0 {
		return end
	}
	switch p {
	case patternO200k:
		return nextO200k(s, i)
	case patternCl100k:
		return nextCl100k(s, i)
	default:
		return nextR50k(s, i)
	}
}

// nextO200k follows
//
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//	\p{N}{1,3}
//	 ?[^\s\p{L}\p{N}]+[\r\n/]*
//	\s*[\r\n]+
//	\s+(?!\S)
//	\s+
//
// where the first line that matches wins.
func nextO200k(s string, i int) int {
	c, size := classAt(s, i)
	if end := wordO200k(s, i, c, size); end > i {
		return end + contraction(s[end:])
	}
	switch {
	case c == number:
		return threeNumbers(s, i+size)
	case c == other:
		return newlines(s, skip(s, i+size, symbols), '/')
	case s[i] == ' ' && i+1 < len(s):
		if after, n := classAt(s, i+1); after&symbols != 0 {
			return newlines(s, skip(s, i+1+n, symbols), '/')
		}
	}
	return blank(s, i, true)
}

// wordO200k gives the end of a word without its contraction, or i where none begins. The optional character in front
// is tried first; a mark can be that as well as part of the word, so that it is the only one that gets a second try,
// and that comes before the pattern's second line does.
func wordO200k(s string, i int, c class, size int) int {
	if c&(letters|number|newline) == 0 {
		end, caps := capsThenLower(s, i+size)
		if end > i+size {
			return end
		}
		if c == mark {
			end, _ = capsThenLower(s, i)
			return end
		}
		if caps > i+size {
			return caps
		}
		return i
	}
	if c&letters == 0 {
		return i
	}
	end, caps := capsThenLower(s, i)
	if end > i {
		return end
	}
	return caps
}

// capsThenLower matches [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+ at s[i] and gives its end, or i
// where it does not match; and the end of the run that the first set takes, which is where the pattern's second line
// ends when the first does not match. With no lower case letter behind it, that run gives back what follows its last
// caseless character.
func capsThenLower(s string, i int) (end, caps int) {
	end, caps = i, i
	for caps < len(s) {
		c, size := classAt(s, caps)
		if c == lower {
			return skip(s, caps+size, lower|letter|mark), caps
		}
		if c&(upper|letter|mark) == 0 {
			break
		}
		caps += size
		if c != upper {
			end = caps
		}
	}
	return end, caps
}

// nextCl100k follows
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)
//	[^\r\n\p{L}\p{N}]?\p{L}+
//	\p{N}{1,3}
//	 ?[^\s\p{L}\p{N}]+[\r\n]*
//	\s*[\r\n]+
//	\s+(?!\S)
//	\s+
func nextCl100k(s string, i int) int {
	if n := contraction(s[i:]); n > 0 {
		return i + n
	}
	c, size := classAt(s, i)
	switch {
	case c&letters != 0:
		return skip(s, i+size, letters)
	case c == number:
		return threeNumbers(s, i+size)
	case c == newline:
		return blank(s, i, true)
	}
	if end := skip(s, i+size, letters); end > i+size {
		return end
	}
	if c&symbols != 0 {
		return newlines(s, skip(s, i+size, symbols), '\n')
	}
	if s[i] == ' ' {
		if end := skip(s, i+1, symbols); end > i+1 {
			return newlines(s, end, '\n')
		}
	}
	return blank(s, i, true)
}

// nextR50k follows
//
//	's|'t|'re|'ve|'m|'ll|'d
//	 ?\p{L}+
//	 ?\p{N}+
//	 ?[^\s\p{L}\p{N}]+
//	\s+(?!\S)
//	\s+
func nextR50k(s string, i int) int {
	if n := contraction(s[i:]); n > 0 && lowerCase(s[i+1:i+n]) {
		return i + n
	}
	start := i
	if s[i] == ' ' && i+1 < len(s) {
		start++
	}
	c, size := classAt(s, start)
	for _, set := range [...]class{letters, number, symbols} {
		if c&set != 0 {
			return skip(s, start+size, set)
		}
	}
	return blank(s, i, false)
}

// contraction gives the length of (?i:'s|'t|'re|'ve|'m|'ll|'d) at the beginning of s, 0 where it does not match.
// The long s folds to s, and no other letter outside ASCII folds to one of these.
func contraction(s string) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	first := s[1] | 0x20
	switch first {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v', 'l':
		want := byte('e')
		if first == 'l' {
			want = 'l'
		}
		if len(s) > 2 && s[2]|0x20 == want {
			return 3
		}
	case 0xe5: // 0xc5 with the bit of the case set
		if s[1] == 0xc5 && len(s) > 2 && s[2] == 0xbf {
			return 3
		}
	}
	return 0
}

func lowerCase(s string) bool {
	for i := range len(s) {
		if s[i] < 'a' || s[i] > 'z' {
			return false
		}
	}
	return true
}

// threeNumbers takes up to two more numbers.
func threeNumbers(s string, i int) int {
	for range 2 {
		if i == len(s) {
			break
		}
		c, size := classAt(s, i)
		if c != number {
			break
		}
		i += size
	}
	return i
}

// newlines takes the newlines at s[i], and the one other character given.
func newlines(s string, i int, also byte) int {
	for i < len(s) && (s[i] == '\n' || s[i] == '\r' || s[i] == also) {
		i++
	}
	return i
}

// blank matches what is left when nothing visible begins at s[i]: white space up to its last newline, where the
// pattern has a line for that; else all of it at the end of the text, all but the last character in front of
// something visible, or the only one.
func blank(s string, i int, lines bool) int {
	end, last, newlineEnd := i, i, i
	for end < len(s) {
		c, size := classAt(s, end)
		if c&spaces == 0 {
			break
		}
		last = end
		end += size
		if c == newline {
			newlineEnd = end
		}
	}
	switch {
	case lines && newlineEnd > i:
		return newlineEnd
	case end == len(s) || last == i:
		return end
	default:
		return last
	}
}
