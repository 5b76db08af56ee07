package fixed

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// The oracle for everything here is math/big.

func toBig(v Int) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(v.Hi), 64)
	return n.Add(n, new(big.Int).SetUint64(v.Lo))
}

// clamped converts back, with what is out of range at the nearer end of it.
func clamped(n *big.Int) Int {
	if n.Cmp(toBig(Max)) > 0 {
		return Max
	}
	if n.Cmp(toBig(Min)) < 0 {
		return Min
	}
	low := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64))
	return Int{Hi: new(big.Int).Rsh(n, 64).Int64(), Lo: low.Uint64()}
}

// anyInt draws from the whole range, its ends and the seams between words.
func anyInt() *rapid.Generator[Int] {
	seams := []Int{
		{}, {Lo: 1}, {Lo: math.MaxInt64}, {Lo: 1 << 63}, {Lo: math.MaxUint64}, {Hi: 1}, {Hi: 1, Lo: math.MaxUint64},
		Max, Max.Sub(FromInt64(1)),
	}
	return rapid.Custom(func(t *rapid.T) Int {
		v := rapid.OneOf(
			rapid.SampledFrom(seams),
			rapid.Map(rapid.Int64(), FromInt64),
			rapid.Custom(func(t *rapid.T) Int {
				return Int{Hi: rapid.Int64Min(0).Draw(t, "hi"), Lo: rapid.Uint64().Draw(t, "lo")}
			}),
		).Draw(t, "size")
		if rapid.Bool().Draw(t, "negative") {
			return v.Neg()
		}
		return v
	})
}

func TestArithmeticMatchesBig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v, w := anyInt().Draw(t, "v"), anyInt().Draw(t, "w")
		bv, bw := toBig(v), toBig(w)
		if got, want := v.Add(w), clamped(new(big.Int).Add(bv, bw)); got != want {
			t.Fatalf("Add = %v, want %v", got, want)
		}
		if got, want := v.Sub(w), clamped(new(big.Int).Sub(bv, bw)); got != want {
			t.Fatalf("Sub = %v, want %v", got, want)
		}
		if got, want := v.Neg(), clamped(new(big.Int).Neg(bv)); got != want {
			t.Fatalf("Neg = %v, want %v", got, want)
		}
		if got, want := v.Abs(), clamped(new(big.Int).Abs(bv)); got != want {
			t.Fatalf("Abs = %v, want %v", got, want)
		}
		if got, want := v.Cmp(w), bv.Cmp(bw); got != want {
			t.Fatalf("Cmp = %d, want %d", got, want)
		}
		if got, want := v.Sign(), bv.Sign(); got != want {
			t.Fatalf("Sign = %d, want %d", got, want)
		}
	})
}

func TestAddSaturates(t *testing.T) {
	t.Parallel()
	one := FromInt64(1)
	tests := []struct {
		name       string
		v, w, want Int
	}{
		{"above the top", Max, one, Max},
		{"twice the top", Max, Max, Max},
		{"below the bottom", Min, one.Neg(), Min},
		{"twice the bottom", Min, Min, Min},
		{"the ends cancel", Max, Min, Int{}},
		{"back from the top", Max, one.Neg(), Int{Hi: math.MaxInt64, Lo: math.MaxUint64 - 1}},
		{"carry between words", Int{Lo: math.MaxUint64}, one, Int{Hi: 1}},
		{"borrow between words", Int{Hi: 1}, one.Neg(), Int{Lo: math.MaxUint64}},
	}
	for _, test := range tests {
		if got := test.v.Add(test.w); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestInt64(t *testing.T) {
	t.Parallel()
	tests := []struct {
		v    Int
		want int64
	}{
		{Int{}, 0},
		{FromInt64(-1), -1},
		{FromInt64(math.MaxInt64), math.MaxInt64},
		{FromInt64(math.MinInt64), math.MinInt64},
		{FromInt64(math.MaxInt64).Add(FromInt64(1)), math.MaxInt64},
		{FromInt64(math.MinInt64).Sub(FromInt64(1)), math.MinInt64},
		{Max, math.MaxInt64},
		{Min, math.MinInt64},
	}
	for _, test := range tests {
		if got := test.v.Int64(); got != test.want {
			t.Errorf("%v.Int64() = %d, want %d", test.v, got, test.want)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	v, w := Int{Hi: 3, Lo: 5}, Int{Hi: -7, Lo: 11}
	text := []byte("-4.1400000000000003e-05")
	buf := make([]byte, 0, 64)
	tests := map[string]func(){
		"Add":      func() { w = w.Add(v) },
		"Sub":      func() { w = w.Sub(v) },
		"Mul":      func() { w = v.Mul(-3) },
		"MulPow10": func() { w = v.MulPow10(12) },
		"MulQuo":   func() { w = v.MulQuo(123_456, 1_000_000, HalfEven) },
		"QuoPow10": func() { w = v.QuoPow10(25, AwayFromZero) },
		"Parse":    func() { w, _, _ = Parse(text, 24) },
		"refusal":  func() { w, _, _ = Parse("1,000", 24) },
		"Append":   func() { buf = Append(buf[:0], v, 12) },
	}
	for name, run := range tests {
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	b.ReportAllocs()
	v, w := Int{Hi: 3, Lo: 5}, Int{Hi: -7, Lo: 11}
	for b.Loop() {
		w = w.Add(v)
	}
}
