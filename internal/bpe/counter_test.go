package bpe

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestCounter cuts texts anywhere and compares after each part.
func TestCounter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := mustEncoding(t, rapid.SampledFrom(Names()).Draw(t, "encoding"))
		text := drawText(t)
		longest := rapid.IntRange(1, 40).Draw(t, "longest part")
		c := e.NewCounter()
		for round := range 2 {
			for at := 0; at < len(text); {
				end := min(len(text), at+rapid.IntRange(1, longest).Draw(t, "part"))
				var n int
				if at%2 == 0 {
					n, _ = c.Write([]byte(text[at:end]))
				} else {
					n, _ = c.WriteString(text[at:end])
				}
				if n != end-at {
					t.Fatalf("wrote %d bytes of %d", n, end-at)
				}
				if got, want := c.Count(), e.Count(text[:end]); got != want {
					t.Fatalf("%s, round %d: %d tokens of %q, want %d", e.Name(), round, got, text[:end], want)
				}
				at = end
			}
			c.Reset()
			if got := c.Count(); got != 0 {
				t.Fatalf("%d tokens after Reset", got)
			}
		}
	})
}

// TestCounterKeepsLittle holds that text does not pile up in front of a boundary.
func TestCounterKeepsLittle(t *testing.T) {
	t.Parallel()
	e := mustEncoding(t, "o200k_base")
	for name, text := range corpora(t) {
		c := e.NewCounter()
		for part := range strings.SplitAfterSeq(text, "e") {
			_, _ = c.WriteString(part)
			if len(c.tail) > 500 {
				t.Errorf("%s: %d bytes are kept", name, len(c.tail))
			}
		}
		if got, want := c.Count(), e.Count(text); got != want {
			t.Errorf("%s: %d tokens, want %d", name, got, want)
		}
	}
}

// TestCounterWithoutEnd writes a word that does not end: the count may run ahead, but not behind, and not far.
func TestCounterWithoutEnd(t *testing.T) {
	t.Parallel()
	e := mustEncoding(t, "o200k_base")
	c := e.NewCounter()
	text := strings.Repeat("abcdefg", 10_000)
	for at := 0; at < len(text); at += 100 {
		_, _ = c.WriteString(text[at : at+100])
		got, want := c.Count(), e.Count(text[:at+100])
		if got < want || got > want+(at+100)/8+1 {
			t.Fatalf("%d tokens at %d, want %d", got, at+100, want)
		}
	}
	_, _ = c.WriteString(" .")
	if got, want := c.Count(), e.Count(text+" ."); got != want {
		t.Errorf("%d tokens, want %d", got, want)
	}
}

func FuzzCounter(f *testing.F) {
	f.Add("It's 中文, \n \n done\xff", uint8(3))
	f.Add("a''ll  \u00a0x", uint8(1))
	f.Fuzz(func(t *testing.T, text string, part uint8) {
		for _, name := range Names() {
			e := mustEncoding(t, name)
			c := e.NewCounter()
			for rest := text; rest != ""; {
				n := min(len(rest), 1+int(part))
				_, _ = c.WriteString(rest[:n])
				rest = rest[n:]
			}
			if got, want := c.Count(), e.Count(text); got != want && len(text) <= tailExact {
				t.Errorf("%s: %d tokens of %q, want %d", name, got, text, want)
			}
		}
	})
}

func BenchmarkCounter(b *testing.B) {
	text := corpora(b)["english"]
	c := mustEncoding(b, "o200k_base").NewCounter()
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		c.Reset()
		for at := 0; at < len(text); at += 4 {
			_, _ = c.WriteString(text[at:min(len(text), at+4)])
			sink = c.Count()
		}
	}
}
