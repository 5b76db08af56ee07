package bpe

import (
	"math"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestByName(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		if e, again := mustEncoding(t, name), mustEncoding(t, name); e != again || e.Size() < 50_000 {
			t.Errorf("%s: %p and %p, %d tokens", name, e, again, e.Size())
		}
	}
	if e, err := ByName("gpt2"); err == nil {
		t.Errorf(`ByName("gpt2") = %v`, e)
	}
}

// TestSpecial holds that text which looks like a special token is text.
func TestSpecial(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		e := mustEncoding(t, name)
		for _, text := range []string{"<|endoftext|>", "<|endofprompt|>", "<|fim_prefix|>", "<|start|>assistant<|channel|>"} {
			if n := e.Count(text); n < 4 {
				t.Errorf("%s: Count(%q) = %d", name, text, n)
			}
		}
	}
}

// TestInvalid holds that each byte that is not UTF-8 counts as U+FFFD, in pieces of any length.
func TestInvalid(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		e := mustEncoding(t, name)
		for _, text := range []string{
			"\xff", "\xe4\xb8", " \xe4\xb8", "a\x80b", "中\xe4\xb8 ", "\xf0\x9f\x98", "\xed\xa0\x80", "\xc0\xaf",
			strings.Repeat("\xff", 15), strings.Repeat("\x80", 16), strings.Repeat("\xe4\xb8", 1000),
		} {
			want := e.Count(string([]rune(text)))
			for range 2 { // the second time it is remembered
				if got := e.Count(text); got != want {
					t.Errorf("%s: Count(%.40q) = %d, want %d", name, text, got, want)
				}
			}
			if got := len(e.Encode(nil, text)); got != want {
				t.Errorf("%s: Encode(%.40q) gives %d tokens, want %d", name, text, got, want)
			}
		}
	}
}

func TestCountUpTo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := mustEncoding(t, rapid.SampledFrom(Names()).Draw(t, "encoding"))
		text := drawText(t)
		all := e.Count(text)
		limit := rapid.IntRange(-1, all+2).Draw(t, "limit")
		n, fits := e.CountUpTo(text, limit)
		if fits != (all <= limit) || fits && n != all || !fits && (n <= limit || n > all) {
			t.Errorf("CountUpTo(%q, %d) = %d, %t; there are %d", text, limit, n, fits, all)
		}
		if got := e.CountBytes([]byte(text)); got != all {
			t.Errorf("CountBytes(%q) = %d, want %d", text, got, all)
		}
	})
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := mustEncoding(t, rapid.SampledFrom(Names()).Draw(t, "encoding"))
		text := drawText(t)
		tokens := e.Encode([]uint32{7}, text)
		if tokens[0] != 7 || len(tokens)-1 != e.Count(text) {
			t.Errorf("Encode(%q) gives %v, Count %d", text, tokens, e.Count(text))
		}
		got, ok := e.Decode(nil, tokens[1:])
		if want := string([]rune(text)); !ok || string(got) != want {
			t.Errorf("decodes to %q, want %q", got, want)
		}
	})
}

func TestDecodeUnknown(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		encoding string
		token    uint32
	}{
		{"o200k_base", 199_998}, {"cl100k_base", 100_256}, {"p50k_base", 50_256}, {"r50k_base", 50_256},
		{"r50k_base", math.MaxUint32},
	} {
		got, ok := mustEncoding(t, test.encoding).Decode([]byte(">"), []uint32{0, test.token, 1})
		if ok || string(got) != ">!" {
			t.Errorf("%s: Decode gives %q, %t", test.encoding, got, ok)
		}
	}
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := mustEncoding(t, rapid.SampledFrom(Names()).Draw(t, "encoding"))
		text := drawText(t)
		all := e.Count(text)
		limit := rapid.IntRange(-1, all+1).Draw(t, "limit")
		got := e.Truncate(text, limit)
		switch {
		case !strings.HasPrefix(text, got):
			t.Errorf("Truncate(%q, %d) = %q", text, limit, got)
		case e.Count(got) > max(limit, 0):
			t.Errorf("Truncate(%q, %d) = %q, of %d tokens", text, limit, got, e.Count(got))
		case all <= limit && got != text:
			t.Errorf("Truncate(%q, %d) = %q, but all of it has %d tokens", text, limit, got, all)
		case utf8.ValidString(text) && !utf8.ValidString(got):
			t.Errorf("Truncate(%q, %d) = %q, which cuts a character", text, limit, got)
		}
	})
	e := mustEncoding(t, "o200k_base")
	for limit, want := range []string{"", "One", "One two", "One two three"} {
		if got := e.Truncate("One two three", limit); got != want {
			t.Errorf("Truncate to %d = %q, want %q", limit, got, want)
		}
	}
}

// TestTruncateWithin cuts texts whose first token ends within a character: what it leaves of the token is no token.
func TestTruncateWithin(t *testing.T) {
	t.Parallel()
	for encoding, texts := range map[string][]string{
		"o200k_base":  {" მაბ", "ម្ក", "ิเก"},
		"cl100k_base": {"обраЀ", "無しぁ"},
	} {
		e := mustEncoding(t, encoding)
		for _, text := range texts {
			for limit := range e.Count(text) {
				got := e.Truncate(text, limit)
				if !strings.HasPrefix(text, got) || !utf8.ValidString(got) || e.Count(got) > limit {
					t.Errorf("%s: Truncate(%q, %d) = %q, of %d tokens", encoding, text, limit, got, e.Count(got))
				}
			}
		}
	}
}

// TestHostile compares long pieces with their definition, at a length that the definition can bear.
func TestHostile(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"o200k_base", "cl100k_base", "p50k_base"} {
		e := mustEncoding(t, name)
		for kind, text := range hostile(600) {
			text = string([]rune(text))
			want := 0
			for _, piece := range pieces(e.pattern, text) {
				want += len(plainMerge(e.vocab, piece))
			}
			if got := e.Count(text); got != want {
				t.Errorf("%s, %s: Count = %d, want %d", name, kind, got, want)
			}
		}
	}
}

// TestLinear holds that hostile texts are merged in windows of constant size, on which their cost in time rests.
func TestLinear(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		e := mustEncoding(t, name)
		for kind, text := range hostile(50_000) {
			c := newScratch()
			for i := 0; i < len(text); {
				end := e.pattern.next(text, i)
				c.count(e.vocab, text, i, end)
				i = end
			}
			for _, s := range c.long.spans {
				if s.width > 4*windowSize {
					t.Errorf("%s, %s: a window of %d bytes", name, kind, s.width)
				}
			}
		}
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	texts := corpora(t)
	e := mustEncoding(t, "o200k_base")
	want := make(map[string]int)
	for name, text := range texts {
		want[name] = len(e.Encode(nil, text))
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for name, text := range texts {
				if got := e.Count(text); got != want[name] {
					t.Errorf("%s: Count = %d, want %d", name, got, want[name])
				}
			}
		})
	}
	wg.Wait()
}

func TestCountDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	texts := corpora(t)
	for kind, text := range hostile(5000) {
		texts["hostile "+kind] = text
	}
	for _, encoding := range []string{"o200k_base", "cl100k_base"} {
		e := mustEncoding(t, encoding)
		for name, text := range texts {
			e.Count(text)
			if n := testing.AllocsPerRun(20, func() { e.Count(text) }); n != 0 {
				t.Errorf("%s, %s: %v allocations", encoding, name, n)
			}
		}
	}
}
