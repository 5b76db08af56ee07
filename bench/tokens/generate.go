package tokens

import (
	"math/rand/v2"
	"strings"
	"unicode/utf8"
)

// alphabets have the characters that the splitting patterns tell apart, those next to each other that they treat
// differently, and scripts whose characters merge across their bytes.
var alphabets = characters(
	"etaoinshrdlu ",
	"aAbBzZ",
	"ABCDEFabcdef0123456789",
	"ÀÉßñøĐłőǅǈʰʼªºЯжΩπ ",
	" \t\r\n",
	" \n",
	" \v\f\u0085\u00a0\u1680\u2003\u2028\u2029\u202f\u3000",
	"'sStTdDmMlLrReEvV ",
	"don't we'LL I've they'RE ",
	"0123456789",
	"0٣۷९Ⅳ½²①",
	"!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~",
	"/\r\n*=- ",
	"\x00\x01\x1b\x7f\u200b\u200d\u2060\ufeff\ufffd",
	"日本語の文章中国话说书写一二三了的是在",
	"한국어로쓴글가각",
	"привет мир ёЙ",
	"नमस्ते दुनियाก็ภาษาไทยமிழ்",
	"مرحبا بالعالمשלום",
	"👍🏽👨‍👩‍👧🇫🇷🙂❤️",
	"e\u0301a\u0308\u20e3",
	"<|endoftext|><|im_start|>",
)

func characters(alphabets ...string) [][]string {
	split := make([][]string, len(alphabets))
	for i, alphabet := range alphabets {
		split[i] = strings.Split(alphabet, "")
	}
	return split
}

// Generator makes texts on which counters may differ. It is safe for concurrent use.
type Generator struct {
	vocabulary []string
	samples    []string
}

// Text gives the text of a case: the same one for the same seed and number. Half of all texts have less than about 40
// bytes, few more than 500. One in eight is several one behind another, which is what a counter meets that remembers more
// than words. Some are not valid UTF-8.
func (g *Generator) Text(seed, number uint64) string {
	rng := rand.New(rand.NewPCG(seed, number))
	var b strings.Builder
	parts := 1
	if rng.IntN(8) == 0 {
		parts = 3 + rng.IntN(8)
	}
	for range parts {
		g.part(rng, &b)
	}
	return b.String()
}

func (g *Generator) part(rng *rand.Rand, b *strings.Builder) {
	switch kind := rng.IntN(100); {
	case kind < 40:
		runs(rng, b)
	case kind < 65:
		g.tokens(rng, b)
	case kind < 80:
		b.WriteString(g.cut(rng, 80))
	case kind < 91:
		g.mutated(rng, b)
	case kind < 95:
		for range 1 + rng.IntN(16) {
			b.WriteRune(anyRune(rng))
		}
	case kind < 99:
		for range 1 + rng.IntN(24) {
			b.WriteByte(byte(rng.Uint32()))
		}
	default:
		long(rng, b)
	}
}

// runs writes a few runs of characters, each out of one alphabet.
func runs(rng *rand.Rand, b *strings.Builder) {
	for range 1 + rng.IntN(5) {
		alphabet := pick(rng, alphabets)
		for range 1 + rng.IntN(9) {
			b.WriteString(pick(rng, alphabet))
		}
		if rng.IntN(20) == 0 {
			b.WriteRune(anyRune(rng))
		}
	}
}

// tokens writes tokens of the vocabularies one behind another, where their borders may merge.
func (g *Generator) tokens(rng *rand.Rand, b *strings.Builder) {
	for range 1 + rng.IntN(8) {
		b.WriteString(pick(rng, g.vocabulary))
	}
}

// cut gives up to limit bytes of a sample text, cut anywhere, even within a character.
func (g *Generator) cut(rng *rand.Rand, limit int) string {
	sample := pick(rng, g.samples)
	size := 1 + rng.IntN(min(limit, len(sample)))
	at := rng.IntN(len(sample) - size + 1)
	return sample[at : at+size]
}

// mutated writes a part of a sample text with characters put in where they do not belong.
func (g *Generator) mutated(rng *rand.Rand, b *strings.Builder) {
	for rest := g.cut(rng, 60); rest != ""; {
		size := min(1+rng.IntN(20), len(rest))
		b.WriteString(rest[:size])
		b.WriteString(pick(rng, pick(rng, alphabets)))
		rest = rest[size:]
	}
}

// long writes a text that is mostly one piece, as long as a counter that takes quadratic time can bear.
func long(rng *rand.Rand, b *strings.Builder) {
	size := 100 + rng.IntN(500)
	alphabet := pick(rng, alphabets)
	period := make([]string, 1+rng.IntN(12))
	for i := range period {
		period[i] = pick(rng, alphabet)
	}
	for i := 0; b.Len() < size; i++ {
		if rng.IntN(60) == 0 {
			b.WriteString(pick(rng, alphabet))
		}
		b.WriteString(period[i%len(period)])
	}
}

// anyRune gives any code point, those of the first planes more often.
func anyRune(rng *rand.Rand) rune {
	for {
		r := rune(rng.IntN(1 << (7 + rng.IntN(15))))
		if utf8.ValidRune(r) {
			return r
		}
	}
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }
