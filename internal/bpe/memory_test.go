package bpe

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestStretch holds that a stretch ends where every pattern splits, and that its pieces are those of its bytes alone: it
// may be remembered without what stands behind it.
func TestStretch(t *testing.T) {
	t.Parallel()
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		text := drawText(t) + drawText(t) + strings.Repeat("x ", stretchWindow)
		for p := patternO200k; p <= patternR50k; p++ {
			for i := 0; i < len(text); i = p.next(text, i) {
				n := stretchAt(text, i)
				if n == 0 {
					continue
				}
				found++
				if n <= memoLen || n > stretchLen {
					t.Fatalf("pattern %d: a stretch of %d bytes", p, n)
				}
				var got []string
				for at := i; at < i+n; {
					end := p.next(text, at)
					got = append(got, text[at:end])
					at = end
				}
				if want := pieces(p, text[i:i+n]); !slices.Equal(got, want) {
					t.Fatalf("pattern %d: the pieces of %q at %d are %q, those of the stretch %q", p, text, i, got, want)
				}
			}
		}
	})
	if found == 0 {
		t.Error("no stretch was found")
	}
}

// TestStretchOf holds that no two texts have the same key, be they short or at the end of what can be read.
func TestStretchOf(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) string {
			return string(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 'a', 0xff}), memoLen+1, stretchLen).Draw(t, name))
		}
		a, b := draw("a"), draw("b")
		behind := rapid.StringN(0, 40, -1).Draw(t, "behind")
		keyA, keyB := stretchOf(a+behind, 0, len(a)), stretchOf(b, 0, len(b))
		if (keyA == keyB) != (a == b) {
			t.Errorf("the keys of %q and %q are equal: %t", a, b, keyA == keyB)
		}
		if got := stretchOf(a, 0, len(a)); got != keyA {
			t.Errorf("the key of %q depends on what is behind it", a)
		}
	})
}

// TestRemembered counts texts by one memory, again and again, and compares with Encode, which has none. There are enough
// of them to make every part of it grow, overwrite and begin anew.
func TestRemembered(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, text := range corpora(t) {
		texts = append(texts, text)
	}
	long := strings.Repeat("長い文章", 16)
	for i := range 5000 {
		texts = append(texts, fmt.Sprintf("%d%s。word%d and others %x, in a line\n%s%dเมื่อวานฝนตก", i, long, i, i, "naïve café", i))
	}
	for _, name := range []string{"o200k_base", "cl100k_base", "p50k_base"} {
		e := mustEncoding(t, name)
		c := newScratch()
		for round := range 3 {
			for _, text := range texts {
				if got, want := count(e, c, text), len(e.Encode(nil, text)); got != want {
					t.Fatalf("%s, round %d: Count(%q) = %d, want %d", name, round, text, got, want)
				}
			}
		}
		if len(c.memo.slots) <= memoFirst || len(c.stretches.slots) <= stretchFirst || len(c.archive.text) == 0 {
			t.Errorf("%s: %d, %d slots, %d bytes", name, len(c.memo.slots), len(c.stretches.slots), len(c.archive.text))
		}
	}
}

func count(e *Encoding, c *scratch, text string) int {
	n, _ := e.countUpTo(c, text, math.MaxInt)
	return n
}
