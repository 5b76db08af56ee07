package jsonwalk

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestSearches compares the searches, which look at eight bytes at a time, with ones that look at one.
func TestSearches(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		index func([]byte) int
		stop  func(byte) bool
	}{
		"in string":          {indexInString, func(c byte) bool { return c == '"' || c == '\\' || c < ' ' }},
		"quote or backslash": {indexQuoteOrBackslash, func(c byte) bool { return c == '"' || c == '\\' }},
		"structural":         {indexStructural, func(c byte) bool { return strings.IndexByte(`"{}[]`, c) >= 0 }},
	} {
		slow := func(p []byte) int {
			for i, b := range p {
				if c.stop(b) {
					return i
				}
			}
			return len(p)
		}
		// Every byte at every place among neighbours that a borrow could betray.
		for b := range 256 {
			for at := range 20 {
				for _, fill := range []byte{'a', 0x7f, 0x80, 0xff, byte(b) ^ 1, byte(b) ^ 0x80} {
					p := bytes.Repeat([]byte{fill}, 20)
					p[at] = byte(b)
					if got, want := c.index(p), slow(p); got != want {
						t.Fatalf("%s: %q: %d, want %d", name, p, got, want)
					}
				}
			}
		}
		rapid.Check(t, func(t *rapid.T) {
			p := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
			if got, want := c.index(p), slow(p); got != want {
				t.Fatalf("%s: %q: %d, want %d", name, p, got, want)
			}
		})
	}
}

// TestLiterals compares the lengths of strings and scalars with what encoding/json takes for valid.
func TestLiterals(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.StringOfN(rapid.RuneFrom([]rune("0129.-+eE")), 1, 8, -1).Draw(t, "number")
		if got, want := scalarLen([]byte(number)) == len(number), json.Valid([]byte(number)); got != want {
			t.Fatalf("%s: taken %v, valid %v", number, got, want)
		}
		if got := IsNumber([]byte(number)); got != json.Valid([]byte(number)) {
			t.Fatalf("%s: a number: %v", number, got)
		}
		text := `"` + rapid.StringOfN(rapid.RuneFrom([]rune("ab\\\"u0189dDfFnx/\n\x00")), 0, 16, -1).Draw(t, "text")
		n, _, ok := stringLen([]byte(text))
		if ok != (json.Valid([]byte(text[:n]))) {
			t.Fatalf("%q: %d, %v", text, n, ok)
		}
	})
	for text, want := range map[string]int{"": 0, "nul": 0, "nulll": 4, "true,": 4, "-Infinityx": 9, "-Inf": 0, "NaN": 3, "Nan": 0, "x": 0} {
		if got := scalarLen([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// TestIntProperty compares Int with exact fractions.
func TestIntProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number")
		exact, ok := new(big.Rat).SetString(raw)
		if !ok {
			t.Fatalf("%s is no number", raw)
		}
		whole := new(big.Int).Quo(exact.Num(), exact.Denom())
		n, err := Int([]byte(raw))
		switch magnitude := new(big.Int).Abs(whole); {
		case magnitude.Cmp(big.NewInt(math.MaxInt64)) > 0:
			if !errors.Is(err, ErrRange) || n != 0 {
				t.Fatalf("%s: %d, %v", raw, n, err)
			}
		case n != whole.Int64() || errors.Is(err, ErrFraction) == exact.IsInt():
			t.Fatalf("%s: %d, %v; want %v", raw, n, err, whole)
		}
		quoted, quotedErr := Int([]byte(`"` + raw + `"`))
		if quoted != n || !errors.Is(quotedErr, err) {
			t.Fatalf("%s: %d in quotes, %d without", raw, quoted, n)
		}
	})
}

func FuzzInt(f *testing.F) {
	for _, seed := range []string{"12", "1.2e1", "-0.0", `"7"`, "1e99999999999999999999", "9223372036854775807", "e", `"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		n, err := Int(raw)
		if err == nil && len(raw) > 0 && raw[0] != '"' && !json.Valid(raw) {
			t.Fatalf("%q: %d", raw, n)
		}
		if (errors.Is(err, ErrRange) || errors.Is(err, ErrNotNumber)) && n != 0 {
			t.Fatalf("%q: %d, %v", raw, n, err)
		}
	})
}
