package bpe

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func pieces(p pattern, text string) []string {
	var all []string
	for i := 0; i < len(text); {
		end := p.next(text, i)
		all = append(all, text[i:end])
		i = end
	}
	return all
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text                string // where its pieces are cut is shown by the others
		o200k, cl100k, r50k string
	}{
		{text: "", o200k: "", cl100k: "", r50k: ""},
		{text: "Hello world", o200k: "Hello| world", cl100k: "Hello| world", r50k: "Hello| world"},
		{text: "don't DON'T", o200k: "don't| DON'T", cl100k: "don|'t| DON|'T", r50k: "don|'t| DON|'|T"},
		{text: "we'll'ſ", o200k: "we'll|'ſ", cl100k: "we|'ll|'ſ", r50k: "we|'ll|'|ſ"},
		{text: "HTTPServer camelCase", o200k: "HTTPServer| camel|Case", cl100k: "HTTPServer| camelCase", r50k: "HTTPServer| camelCase"},
		{text: "中AB 中AB中b", o200k: "中|AB| 中AB中b", cl100k: "中AB| 中AB中b", r50k: "中AB| 中AB中b"},
		{text: "1234567", o200k: "123|456|7", cl100k: "123|456|7", r50k: "1234567"},
		{text: "a  b\tc", o200k: "a| | b|\tc", cl100k: "a| | b|\tc", r50k: "a| | b|\t|c"},
		{text: "x \n \n  y", o200k: "x| \n \n| | y", cl100k: "x| \n \n| | y", r50k: "x| \n \n | y"},
		{text: "a \n", o200k: "a| \n", cl100k: "a| \n", r50k: "a| \n"},
		{text: "end;\n//\n/x", o200k: "end|;\n//\n/|x", cl100k: "end|;\n|//\n|/x", r50k: "end|;|\n|//|\n|/|x"},
		{text: "((f(x)", o200k: "((|f|(x|)", cl100k: "((|f|(x|)", r50k: "((|f|(|x|)"},
		{text: "e\u0301te\u0301 \u0301A", o200k: "e\u0301te\u0301| \u0301|A", cl100k: "e|\u0301te|\u0301| \u0301|A", r50k: "e|\u0301|te|\u0301| \u0301|A"},
		{text: "\u0301ABC", o200k: "\u0301|ABC", cl100k: "\u0301ABC", r50k: "\u0301|ABC"},
		{text: "\u3000全\u00a0a", o200k: "\u3000全|\u00a0a", cl100k: "\u3000全|\u00a0a", r50k: "\u3000|全|\u00a0|a"},
		{text: "a\xff\xfe b", o200k: "a|\xff\xfe| b", cl100k: "a|\xff\xfe| b", r50k: "a|\xff\xfe| b"},
	} {
		for p, want := range map[pattern]string{
			patternO200k: test.o200k, patternCl100k: test.cl100k, patternR50k: test.r50k,
		} {
			for _, text := range []string{test.text, test.text + strings.Repeat(" ", 2*asciiMargin) + "."} {
				got := pieces(p, text)
				if joined := strings.Join(got, ""); joined != text {
					t.Errorf("pattern %d: the pieces of %q make %q", p, text, joined)
				}
				if text == test.text && strings.Join(got, "|") != want {
					t.Errorf("pattern %d: %q splits to %q, want %q", p, text, strings.Join(got, "|"), want)
				}
			}
		}
	}
}

// slowly is next without the functions for ASCII.
func slowly(p pattern, s string, i int) int {
	switch p {
	case patternO200k:
		return nextO200k(s, i)
	case patternCl100k:
		return nextCl100k(s, i)
	default:
		return nextR50k(s, i)
	}
}

// TestASCII compares the functions for ASCII with those for everything, at every place of a text.
func TestASCII(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := drawText(t) + strings.Repeat("x ", asciiMargin)
		for i := range text {
			for p := patternO200k; p <= patternR50k; p++ {
				if got, want := p.next(text, i), slowly(p, text, i); got != want {
					t.Fatalf("pattern %d: the piece of %q at %d ends at %d, want %d", p, text, i, got, want)
				}
			}
		}
	})
}

// TestASCIIBytes does the same for each two bytes between letters, spaces and symbols.
func TestASCIIBytes(t *testing.T) {
	t.Parallel()
	behind := []string{"aB", "  ", "''", "1\n", "\u00e9"}
	for a := range 256 {
		for b := range 256 {
			for _, rest := range behind {
				text := string([]byte{byte(a), byte(b)}) + strings.Repeat(rest, asciiMargin)
				for p := patternO200k; p <= patternR50k; p++ {
					if got, want := p.next(text, 0), slowly(p, text, 0); got != want {
						t.Fatalf("pattern %d: the piece of %q ends at %d, want %d", p, text, got, want)
					}
				}
			}
		}
	}
}
