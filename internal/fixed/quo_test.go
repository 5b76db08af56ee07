package fixed

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

var modes = []Rounding{HalfEven, AwayFromZero, TowardZero}

// quotient divides with big.Rat's help: the integer below the exact magnitude,
// then one more where the mode asks for it.
func quotient(n, d *big.Int, mode Rounding) *big.Int {
	exact := new(big.Rat).SetFrac(new(big.Int).Abs(n), d)
	floor := new(big.Int).Quo(exact.Num(), exact.Denom())
	rest := new(big.Rat).Sub(exact, new(big.Rat).SetInt(floor))
	half := rest.Cmp(big.NewRat(1, 2))
	switch {
	case mode == AwayFromZero && rest.Sign() > 0,
		mode == HalfEven && half > 0,
		mode == HalfEven && half == 0 && floor.Bit(0) == 1:
		floor.Add(floor, big.NewInt(1))
	}
	if n.Sign() < 0 {
		floor.Neg(floor)
	}
	return floor
}

func bigPow10(k int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(k)), nil)
}

func TestMulQuoMatchesBig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := anyInt().Draw(t, "v")
		n := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-20, 20)).Draw(t, "n")
		d := rapid.OneOf(rapid.Uint64Min(1), rapid.Uint64Range(1, 20)).Draw(t, "d")
		mode := rapid.SampledFrom(modes).Draw(t, "mode")
		product := new(big.Int).Mul(toBig(v), big.NewInt(n))
		want := clamped(quotient(product, new(big.Int).SetUint64(d), mode))
		if got := v.MulQuo(n, d, mode); got != want {
			t.Fatalf("MulQuo = %v, want %v", got, want)
		}
		if got, want := v.Mul(n), clamped(product); got != want {
			t.Fatalf("Mul = %v, want %v", got, want)
		}
	})
}

func TestPow10MatchesBig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := anyInt().Draw(t, "v")
		k := rapid.IntRange(0, 100).Draw(t, "k")
		mode := rapid.SampledFrom(modes).Draw(t, "mode")
		if got, want := v.QuoPow10(k, mode), clamped(quotient(toBig(v), bigPow10(k), mode)); got != want {
			t.Fatalf("QuoPow10 = %v, want %v", got, want)
		}
		if got, want := v.MulPow10(k), clamped(new(big.Int).Mul(toBig(v), bigPow10(k))); got != want {
			t.Fatalf("MulPow10 = %v, want %v", got, want)
		}
	})
}

// Random quotients almost never tie, so ties and their neighbours are made.
func TestRoundingNearTies(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 30).Draw(t, "k")
		whole := rapid.Int64Range(-40_000_000, 40_000_000).Draw(t, "whole")
		offset := rapid.Int64Range(-1, 1).Draw(t, "offset")
		// (2*whole + 1) * 10^k / 2 is a tie at 10^k.
		n := new(big.Int).Mul(big.NewInt(2*whole+1), bigPow10(k))
		n.Rsh(n, 1).Add(n, big.NewInt(offset))
		v := clamped(n)
		for _, mode := range modes {
			want := clamped(quotient(n, bigPow10(k), mode))
			if got := v.QuoPow10(k, mode); got != want {
				t.Fatalf("QuoPow10(%v, %d, %d) = %v, want %v", n, k, mode, got, want)
			}
			if k > MaxPow10 {
				continue
			}
			if got := v.MulQuo(1, Pow10(k), mode); got != want {
				t.Fatalf("MulQuo(%v, 10^%d, %d) = %v, want %v", n, k, mode, got, want)
			}
		}
	})
}

func TestRounding(t *testing.T) {
	t.Parallel()
	tests := []struct {
		v              int64
		even, away, to int64 // v/10 in each mode
	}{
		{0, 0, 0, 0},
		{4, 0, 1, 0},
		{5, 0, 1, 0},
		{6, 1, 1, 0},
		{15, 2, 2, 1},
		{25, 2, 3, 2},
		{30, 3, 3, 3},
		{-5, 0, -1, 0},
		{-15, -2, -2, -1},
		{-16, -2, -2, -1},
		{-25, -2, -3, -2},
	}
	for _, test := range tests {
		for mode, want := range map[Rounding]int64{HalfEven: test.even, AwayFromZero: test.away, TowardZero: test.to} {
			if got := FromInt64(test.v).QuoPow10(1, mode); got != FromInt64(want) {
				t.Errorf("%d/10 in mode %d = %v, want %d", test.v, mode, got, want)
			}
		}
	}
}

func TestProductsSaturate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		got, want Int
	}{
		{"Mul up", Max.Mul(2), Max},
		{"Mul down", Max.Mul(-2), Min},
		{"Mul by the smallest int64", Min.Mul(math.MinInt64), Max},
		{"Mul by -1", Min.Mul(-1), Max},
		{"MulPow10 up", FromInt64(1).MulPow10(39), Max},
		{"MulPow10 down", FromInt64(-1).MulPow10(1_000_000_000), Min},
		{"MulPow10 of zero", Int{}.MulPow10(1_000_000_000), Int{}},
		{"MulQuo beyond 192 bits of quotient", Max.MulQuo(math.MaxInt64, 1, HalfEven), Max},
		{"MulQuo through a wide product", Max.MulQuo(math.MaxInt64, math.MaxInt64, HalfEven), Max},
		{"MulQuo rounded up to 2^128", Int{Hi: 4256940940086819603, Lo: 12770822820260458811}.MulQuo(13, 3, HalfEven), Max},
		{"MulQuo of a negative", Min.MulQuo(3, 2, TowardZero), Min},
		{"QuoPow10 of everything", Max.QuoPow10(1000, HalfEven), Int{}},
		{"QuoPow10 of everything, away", Min.QuoPow10(1000, AwayFromZero), FromInt64(-1)},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, test.got, test.want)
		}
	}
}

func BenchmarkMulQuo(b *testing.B) {
	b.ReportAllocs()
	v := FromInt64(250_000_000_000_000_000) // $0.25 per million, at scale 24
	for b.Loop() {
		v.MulQuo(123_456, 1_000_000_000_000, HalfEven)
	}
}
