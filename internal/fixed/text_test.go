package fixed

import (
	"errors"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text  string
		scale int
		want  string // the integer read
		exact bool
	}{
		{"0", 12, "0", true},
		{"-0", 12, "0", true},
		{"0.0e5", 12, "0", true},
		{"1", 0, "1", true},
		{"+1", 2, "100", true},
		{"-0.5", 12, "-500000000000", true},
		{"1E3", 2, "100000", true},
		{"1e+3", 2, "100000", true},
		{"2.5e-7", 24, "250000000000000000", true},
		{"4.1400000000000003e-05", 12, "41400000", false},
		{"4.1400000000000003e-05", 24, "41400000000000003000", true},
		{"0.083333333333333333333", 24, "83333333333333333333000", true},
		{"0.083333333333333333333", 12, "83333333333", false},
		{".5", 1, "5", true},
		{"5.", 1, "50", true},
		{"007.50", 2, "750", true},
		{"0.5", 0, "0", false},
		{"1.5", 0, "2", false},
		{"2.5", 0, "2", false},
		{"2.50000000000000000000000000000000000000000000001", 0, "3", false},
		{"-2.5", 0, "-2", false},
		{"0.05", 0, "0", false},
		{"0.9", 0, "1", false},
		{"9.99", 1, "100", false},
		{"1e-999999999999999999999999", 12, "0", false},
		{"0e999999999999999999999999", 12, "0", true},
		{"1e0000000000000000000000000000002", 0, "100", true},
		{"0." + strings.Repeat("0", 1000) + "7e1001", 0, "7", true},
		{"7" + strings.Repeat("0", 1000) + "e-1000", 0, "7", true},
		{"170141183460469231731687303715884105727", 0, "170141183460469231731687303715884105727", true},
		{"-170141183460469231731687303715884105727", 0, "-170141183460469231731687303715884105727", true},
		{"170141183460469231731687303715884105727.4", 0, "170141183460469231731687303715884105727", false},
	}
	for _, test := range tests {
		got, exact, err := Parse(test.text, test.scale)
		if err != nil || toBig(got).String() != test.want || exact != test.exact {
			t.Errorf("Parse(%.50q, %d) = %v, %v, %v; want %s, %v", test.text, test.scale, toBig(got), exact, err, test.want, test.exact)
		}
		fromBytes, exactBytes, err := Parse([]byte(test.text), test.scale)
		if fromBytes != got || exactBytes != exact || err != nil {
			t.Errorf("Parse(%.50q) differs for bytes: %v, %v, %v", test.text, fromBytes, exactBytes, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	tests := map[error][]string{
		strconv.ErrSyntax: {
			"", " ", "-", "+", ".", "-.", "e5", ".e5", "1e", "1e+", "1e5.", "1.2.3", "--1", "+-1", "1 ", " 1", "1,000", "1_000",
			"NaN", "Inf", "-inf", "0x10", "1/2", "1e5x", "1e--5", "$1", "٣", "1\x00",
		},
		strconv.ErrRange: {
			"1e999999999", "-1e999999999999999999999999999", "1e39", "999999999999999999999999999999999999999",
			"340282366920938463463374607431768211456", "340282366920938463463374607431768211455.9",
			"170141183460469231731687303715884105728", "-170141183460469231731687303715884105728",
			"170141183460469231731687303715884105727.5",
		},
	}
	for want, texts := range tests {
		for _, text := range texts {
			if v, exact, err := Parse(text, 0); !errors.Is(err, want) || v != (Int{}) || exact {
				t.Errorf("Parse(%q) = %v, %v, %v; want %v", text, v, exact, err, want)
			}
		}
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	tests := []struct {
		v     Int
		scale int
		want  string
	}{
		{Int{}, 0, "0"},
		{Int{}, 12, "0"},
		{FromInt64(7), 0, "7"},
		{FromInt64(70), 0, "70"},
		{FromInt64(70), 1, "7"},
		{FromInt64(-7), 1, "-0.7"},
		{FromInt64(1), 12, "0.000000000001"},
		{FromInt64(1_230_000_000), 12, "0.00123"},
		{Int{Hi: 1}, 0, "18446744073709551616"},
		{FromInt64(1).MulPow10(19), 0, "10000000000000000000"},
		{FromInt64(1).MulPow10(38), 0, "100000000000000000000000000000000000000"},
		{FromInt64(1).MulPow10(38), MaxScale, "1"},
		{Max, 12, "170141183460469231731687303.715884105727"},
		{Min, MaxScale, "-1.70141183460469231731687303715884105727"},
	}
	for _, test := range tests {
		if got := string(Append([]byte("x"), test.v, test.scale)); got != "x"+test.want {
			t.Errorf("Append(%v, %d) = %q, want %q", test.v, test.scale, got, "x"+test.want)
		}
	}
}

func TestTextRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := anyInt().Draw(t, "v")
		scale := rapid.IntRange(0, MaxScale).Draw(t, "scale")
		text := Append(nil, v, scale)
		back, exact, err := Parse(text, scale)
		if err != nil || !exact || back != v {
			t.Fatalf("%s reads back as %v, %v, %v", text, back, exact, err)
		}
		rat, _ := new(big.Rat).SetString(string(text))
		if want := new(big.Rat).SetFrac(toBig(v), bigPow10(scale)); rat.Cmp(want) != 0 {
			t.Fatalf("wrote %s, want %s", text, want.FloatString(scale))
		}
	})
}

func TestParseMatchesBig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[-+]?(0{0,3}[0-9]{1,25}(\.[0-9]{0,45})?|\.[0-9]{1,30})([eE][-+]?[0-9]{1,2})?`).Draw(t, "text")
		checkAgainstBig(t, text, rapid.IntRange(0, 30).Draw(t, "scale"))
	})
}

// The grammar of Parse, and an exponent that big.Rat can be asked to expand.
var (
	decimal  = regexp.MustCompile(`^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$`)
	moderate = regexp.MustCompile(`^[^eE]*([eE][-+]?0*[0-9]{1,3})?$`)
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"0", "-0.5", "1E3", "4.1400000000000003e-05", "0.083333333333333333333", ".5", "5.", "1e999999999", "1e-999999999",
		"170141183460469231731687303715884105727", "NaN", "1,000", "1e", "2.5", "0.00000000000000000000000049999",
	} {
		f.Add(seed, 12)
	}
	f.Fuzz(func(t *testing.T, text string, scale int) {
		if scale < 0 || scale > MaxScale {
			return
		}
		if _, _, err := Parse(text, scale); decimal.MatchString(text) == errors.Is(err, strconv.ErrSyntax) {
			t.Fatalf("Parse(%q): %v", text, err)
		}
		if decimal.MatchString(text) && moderate.MatchString(text) {
			checkAgainstBig(t, text, scale)
		}
	})
}

func checkAgainstBig(t interface{ Fatalf(string, ...any) }, text string, scale int) {
	rat, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("the oracle cannot read %q", text)
	}
	rat.Mul(rat, new(big.Rat).SetInt(bigPow10(scale)))
	want := quotient(rat.Num(), rat.Denom(), HalfEven)
	got, exact, err := Parse(text, scale)
	if new(big.Int).Abs(want).Cmp(toBig(Max)) > 0 {
		if !errors.Is(err, strconv.ErrRange) {
			t.Fatalf("Parse(%q, %d) = %v, %v; want a range error", text, scale, got, err)
		}
		return
	}
	if err != nil || toBig(got).Cmp(want) != 0 || exact != rat.IsInt() {
		t.Fatalf("Parse(%q, %d) = %v, %v, %v; want %v, %v", text, scale, toBig(got), exact, err, want, rat.IsInt())
	}
}

func BenchmarkParse(b *testing.B) {
	for _, text := range []string{"0.00000025", "4.1400000000000003e-05", "1e999999999"} {
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			data := []byte(text)
			for b.Loop() {
				_, _, _ = Parse(data, 24)
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	b.ReportAllocs()
	v, _, _ := Parse("1.23456789", 12)
	buf := make([]byte, 0, 64)
	for b.Loop() {
		buf = Append(buf[:0], v, 12)
	}
}
