// Package fixed is the integer arithmetic under farebox's money: a 128-bit
// signed count of some decimal unit, with exact reading and writing of decimal
// text. No floating point takes part anywhere.
//
// The package knows nothing of dollars. Whoever holds an [Int] decides the
// scale: at scale 12 the value 1 stands for 0.000000000001. Results that do not
// fit saturate at [Max] or [Min] instead of wrapping, because a sum of costs
// that wraps looks like credit. Only [Parse] reports a value out of range, since
// there the input is wrong rather than the total merely enormous.
//
// Nothing here allocates, and every value is immutable, so all of it is safe for
// concurrent use.
package fixed

import (
	"math"
	"math/bits"
)

// Int is a 128-bit two's-complement integer, Hi*2^64 + Lo. The zero value is 0,
// and equal values compare equal with ==.
//
// The range is symmetric, from [Min] to [Max]: -2^127, the one bit pattern
// without a positive counterpart, is never produced, so Neg and Abs are exact.
type Int struct {
	Hi int64
	Lo uint64
}

// The ends of the range, ±(2^127 - 1), where results saturate.
var (
	Max = Int{Hi: math.MaxInt64, Lo: math.MaxUint64}
	Min = Int{Hi: math.MinInt64, Lo: 1}
)

// FromInt64 returns n as an Int.
func FromInt64(n int64) Int {
	return Int{Hi: n >> 63, Lo: uint64(n)}
}

// Int64 returns v as an int64, or the nearest int64 where v does not fit.
func (v Int) Int64() int64 {
	if v.Hi == int64(v.Lo)>>63 {
		return int64(v.Lo)
	}
	if v.Hi < 0 {
		return math.MinInt64
	}
	return math.MaxInt64
}

// Add returns v + w, saturated.
func (v Int) Add(w Int) Int {
	lo, carry := bits.Add64(v.Lo, w.Lo, 0)
	sum := Int{Hi: v.Hi + w.Hi + int64(carry), Lo: lo}
	// Overflow shows as a sum whose sign differs from that of both operands.
	if (sum.Hi^v.Hi)&(sum.Hi^w.Hi) < 0 {
		return saturated(v.Hi < 0)
	}
	if sum == (Int{Hi: math.MinInt64}) {
		return Min
	}
	return sum
}

// Sub returns v - w, saturated.
func (v Int) Sub(w Int) Int {
	return v.Add(w.Neg())
}

// Neg returns -v.
func (v Int) Neg() Int {
	lo, borrow := bits.Sub64(0, v.Lo, 0)
	return Int{Hi: -v.Hi - int64(borrow), Lo: lo}
}

// Abs returns v without its sign.
func (v Int) Abs() Int {
	if v.Hi < 0 {
		return v.Neg()
	}
	return v
}

// Cmp returns -1 where v < w, 0 where they are equal and +1 where v > w.
func (v Int) Cmp(w Int) int {
	switch {
	case v == w:
		return 0
	case v.Hi < w.Hi, v.Hi == w.Hi && v.Lo < w.Lo:
		return -1
	default:
		return 1
	}
}

// Sign returns -1, 0 or +1, as v is negative, zero or positive.
func (v Int) Sign() int {
	switch {
	case v.Hi < 0:
		return -1
	case v == Int{}:
		return 0
	default:
		return 1
	}
}

// magnitude is the absolute value of an Int, hi*2^64 + lo.
type magnitude struct{ hi, lo uint64 }

func (v Int) magnitude() (m magnitude, negative bool) {
	w := v.Abs()
	return magnitude{hi: uint64(w.Hi), lo: w.Lo}, v.Hi < 0
}

// signed puts the sign back, and reports whether m was within the range.
func (m magnitude) signed(negative bool) (v Int, ok bool) {
	if m.hi > math.MaxInt64 {
		return saturated(negative), false
	}
	v = Int{Hi: int64(m.hi), Lo: m.lo}
	if negative {
		v = v.Neg()
	}
	return v, true
}

func saturated(negative bool) Int {
	if negative {
		return Min
	}
	return Max
}
