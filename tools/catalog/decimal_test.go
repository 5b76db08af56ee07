package main

import (
	"math"
	"math/big"
	"strings"
	"testing"
)

func TestPlainDecimal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		literal string
		shift   int
		want    string
	}{
		{"0", 0, "0"},
		{"0.0", 0, "0"},
		{"2.5", 0, "2.5"},
		{"2.50", 0, "2.5"},
		{"10", 0, "10"},
		{"100", 0, "100"},
		{"007", 0, "7"},
		{".15", 0, "0.15"},
		{"5.", 0, "5"},
		{"2e5", 0, "200000"},
		{"1.5E+3", 0, "1500"},
		{"1.5e-3", 0, "0.0015"},
		{"10", 3, "0.01"},
		{"2.5", 3, "0.0025"},
		{"1200", 3, "1.2"},
		{"0.08333333333333334", 0, "0.08333333333333334"},
	}
	for _, test := range tests {
		if got, err := plainDecimal(test.literal, test.shift); err != nil || got != test.want {
			t.Errorf("plainDecimal(%q, %d) = %q, %v, want %q", test.literal, test.shift, got, err, test.want)
		}
	}
}

func TestPlainDecimalErrors(t *testing.T) {
	t.Parallel()
	for _, literal := range []string{"", ".", "e5", "-1", "+1", "1e", "1e999999999", "NaN", "1,5", "0x10", "1.2.3"} {
		if got, err := plainDecimal(literal, 0); err == nil {
			t.Errorf("plainDecimal(%q) = %q, want an error", literal, got)
		}
	}
}

// FuzzPlainDecimal holds the value against math/big's, and the form against what a price list may contain.
func FuzzPlainDecimal(f *testing.F) {
	f.Add("2.50", 0)
	f.Add(".1e-7", 3)
	f.Add("00012e3", 1)
	f.Fuzz(func(t *testing.T, literal string, shift int) {
		if shift < 0 || shift > 20 || len(literal) > 100 {
			return
		}
		got, err := plainDecimal(literal, shift)
		if err != nil {
			return
		}
		value, ok := new(big.Rat).SetString(got)
		if !ok || strings.Trim(got, "0123456789.") != "" || strings.HasSuffix(got, ".") {
			t.Fatalf("plainDecimal(%q, %d) = %q, which is no plain decimal", literal, shift, got)
		}
		if strings.Contains(got, ".") && strings.HasSuffix(got, "0") || len(got) > 1 && got[0] == '0' && got[1] != '.' {
			t.Errorf("plainDecimal(%q, %d) = %q, with a needless zero", literal, shift, got)
		}
		want, ok := new(big.Rat).SetString(literal)
		if !ok {
			return // a form such as "1.e5" that math/big does not read
		}
		want.Quo(want, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), nil)))
		if value.Cmp(want) != 0 {
			t.Errorf("plainDecimal(%q, %d) = %q, want %s", literal, shift, got, want.RatString())
		}
	})
}

func TestFloatDecimal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		f    float64
		want string
	}{
		{0.39999999999999997, "0.4"},
		{0.024999999999999998, "0.025"},
		{0.003625, "0.003625"},
		{0.08333, "0.08333"},
		{1.84375, "1.84375"},
		{150, "150"},
		{3e-9, "0.000000003"},
	}
	for _, test := range tests {
		if got, err := floatDecimal(test.f); err != nil || got != test.want {
			t.Errorf("floatDecimal(%v) = %q, %v, want %q", test.f, got, err, test.want)
		}
	}
	for _, f := range []float64{-0.1, math.NaN(), math.Inf(1), 1e300} {
		if got, err := floatDecimal(f); err == nil {
			t.Errorf("floatDecimal(%v) = %q, want an error", f, got)
		}
	}
}
