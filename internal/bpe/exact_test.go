package bpe

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pkoukk/tiktoken-go"
	"pgregory.net/rapid"
)

// alphabets are what texts are drawn from: what the patterns tell apart, and characters that merge across each other.
var alphabets = []string{
	"abcdefghijklmnopqrstuvwxyz",
	"aB1 ",
	"etaoin srhldcu",
	"ABCxyzÄößñǅʰªا中ंé",
	"  \t\n\r\v\f\u0085\u00a0\u3000\u2028",
	"\n \n/",
	"'sStTrReEvVmMlLdDſ ",
	"0123456789٣Ⅷ½",
	".,;:!?()[]{}<>/\\|@#$%^&*-_=+~`\"'\n",
	"\x00\x01\x7f\u200b\u200d\ufeff\ufffd",
	"的一是不了人我在有他这为之大来以个中上们京美信读除菜彩神票电脱脸",
	"ьныйстоваперлигикПНЫ ",
	"ကქართული ნვ कखगाि์ ธรรมดา ಠ ு ்",
	"각나다라니습 にほんごカタカナ",
	"😀👩‍💻🏽🇩🇪✨❤️",
	"\xff\xc0\xe4\xb8\xad\xf0\x9f\x80a ",
	"<|endoftext|>",
}

// drawText draws a text of some runs of characters, each out of one alphabet.
func drawText(t *rapid.T) string {
	var b strings.Builder
	for range rapid.IntRange(0, 12).Draw(t, "runs") {
		characters := splitBytes(rapid.SampledFrom(alphabets).Draw(t, "alphabet"))
		for range rapid.IntRange(0, 40).Draw(t, "length") {
			b.WriteString(rapid.SampledFrom(characters).Draw(t, "character"))
		}
		if rapid.IntRange(0, 9).Draw(t, "any") == 0 {
			b.WriteRune(rapid.Rune().Draw(t, "rune"))
		}
	}
	return b.String()
}

// splitBytes gives the characters of s, where a byte that is not UTF-8 is one.
func splitBytes(s string) []string {
	var chars []string
	for s != "" {
		_, size := utf8.DecodeRuneInString(s)
		chars = append(chars, s[:size])
		s = s[size:]
	}
	return chars
}

// TestMerges compares all ways of merging with the plain definition: the lowest merge first, one at a time.
func TestMerges(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		e := mustEncoding(t, name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				checkMerges(t, e, drawText(t))
			})
		})
	}
}

func checkMerges(t failer, e *Encoding, text string) {
	t.Helper()
	c := newScratch()
	text = c.text(text)
	if text == "" {
		return
	}
	want := plainMerge(e.vocab, text)
	c.w.loadText(e.vocab, text)
	c.w.merge(e.vocab)
	if !slices.Equal(c.w.ids, want) {
		t.Errorf("%s: loadText merges %q to %v, want %v", e.Name(), text, c.w.ids, want)
	}
	for _, width := range []int{4, 7, 16, 64, windowSize} {
		if got := c.long.encode(e.vocab, text, width, nil); !slices.Equal(got, want) {
			t.Errorf("%s: in windows of %d, %q merges to %v, want %v", e.Name(), width, text, got, want)
		}
		if got := c.long.count(e.vocab, text, width); got != len(want) {
			t.Errorf("%s: in windows of %d, %q counts %d, want %d", e.Name(), width, text, got, len(want))
		}
	}
}

// plainMerge is byte-pair encoding as it is defined, over the bytes of tokens.
func plainMerge(v *vocabulary, piece string) []uint32 {
	var ids []uint32
	for i := range len(piece) {
		ids = append(ids, v.bytes[piece[i]])
	}
	for {
		best, at := uint32(none), -1
		for i := 0; i+1 < len(ids); i++ {
			if rank := v.merged(ids[i], ids[i+1]); rank < best {
				best, at = rank, i
			}
		}
		if at < 0 {
			return ids
		}
		ids[at] = best
		ids = slices.Delete(ids, at+1, at+2)
	}
}

// TestReference compares whole texts with tiktoken-go.
func TestReference(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"o200k_base", "cl100k_base", "p50k_base", "r50k_base"} {
		e, ref := mustEncoding(t, name), reference(t, name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) { checkReference(t, e, ref, drawText(t)) })
		})
	}
}

func checkReference(t failer, e *Encoding, ref *tiktoken.Tiktoken, text string) {
	t.Helper()
	text = strings.Map(known, text)
	var want []uint32
	for _, id := range ref.EncodeOrdinary(text) {
		want = append(want, uint32(id))
	}
	if got := e.Encode(nil, text); !slices.Equal(got, want) {
		t.Errorf("%s: Encode(%q) = %v, want %v", e.Name(), text, got, want)
	}
	if got := e.Count(text); got != len(want) {
		t.Errorf("%s: Count(%q) = %d, want %d", e.Name(), text, got, len(want))
	}
}

// known drops what tiktoken-go takes otherwise than OpenAI's own tokenizer does: letters that Go's Unicode tables do
// not have, and the long s, which ends a contraction. Bytes that are not UTF-8 become U+FFFD here as they do in it.
func known(r rune) rune {
	if r == 'ſ' || classOf(r) != goClass(r) {
		return -1
	}
	return r
}

// failer is what *testing.T and *rapid.T have in common here.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// FuzzReference compares with tiktoken-go whatever the fuzzer thinks of.
func FuzzReference(f *testing.F) {
	for _, text := range corpora(f) {
		f.Add(uint8(0), text[:200])
	}
	for i, alphabet := range alphabets {
		f.Add(uint8(i), alphabet)
	}
	names := []string{"o200k_base", "cl100k_base", "p50k_base", "r50k_base"}
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		name := names[int(which)%len(names)]
		e, text := mustEncoding(t, name), text[:min(len(text), 400)]
		checkReference(t, e, reference(t, name), text)
		checkMerges(t, e, text)
	})
}
