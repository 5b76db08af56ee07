package fixed

import "math/bits"

// Rounding says what becomes of the part of a quotient below one.
type Rounding uint8

const (
	// HalfEven rounds to the nearest integer, and a tie to the even neighbour,
	// so that many rounded lines do not drift from their exact sum.
	HalfEven Rounding = iota
	// AwayFromZero rounds any remainder up in magnitude.
	AwayFromZero
	// TowardZero drops the remainder.
	TowardZero
)

// MaxPow10 is the largest k for which [Pow10] is defined.
const MaxPow10 = 19

var pow10 = func() (table [MaxPow10 + 1]uint64) {
	table[0] = 1
	for k := 1; k <= MaxPow10; k++ {
		table[k] = table[k-1] * 10
	}
	return table
}()

// Pow10 returns 10^k, for k from 0 to [MaxPow10].
func Pow10(k int) uint64 {
	return pow10[k]
}

// Mul returns v * n, saturated.
func (v Int) Mul(n int64) Int {
	m, negative := v.magnitude()
	over, product := m.mul(unsigned(n))
	negative = negative != (n < 0)
	if over != 0 {
		return saturated(negative)
	}
	result, _ := product.signed(negative)
	return result
}

// MulPow10 returns v * 10^k, saturated, for k >= 0.
func (v Int) MulPow10(k int) Int {
	m, negative := v.magnitude()
	for m != (magnitude{}) && k > 0 {
		step := min(k, MaxPow10)
		over, product := m.mul(pow10[step])
		if over != 0 {
			return saturated(negative)
		}
		m, k = product, k-step
	}
	result, _ := m.signed(negative)
	return result
}

// MulQuo returns v * n / d, rounded once from the exact 192-bit product and
// saturated. As with Go's own division, d must not be 0.
func (v Int) MulQuo(n int64, d uint64, mode Rounding) Int {
	m, negative := v.magnitude()
	negative = negative != (n < 0)
	over, product := m.mul(unsigned(n))
	over, rest := over/d, over%d
	quotient, rest := product.quo(rest, d)
	if over != 0 {
		return saturated(negative)
	}
	if roundsUp(quotient, rest, d, false, mode) {
		quotient, over = quotient.increment()
	}
	if over != 0 {
		return saturated(negative)
	}
	result, _ := quotient.signed(negative)
	return result
}

// QuoPow10 returns v / 10^k, rounded once, for any k >= 0.
func (v Int) QuoPow10(k int, mode Rounding) Int {
	// 10^57 is far above the range, so a larger k divides to the same result.
	k = min(k, 3*MaxPow10)
	m, negative := v.magnitude()
	dropped := false // a non-zero digit was cut off in an earlier step
	for k > MaxPow10 {
		quotient, rest := m.quo(0, pow10[MaxPow10])
		m, k = quotient, k-MaxPow10
		dropped = dropped || rest != 0
	}
	quotient, rest := m.quo(0, pow10[k])
	if roundsUp(quotient, rest, pow10[k], dropped, mode) {
		quotient, _ = quotient.increment()
	}
	result, _ := quotient.signed(negative)
	return result
}

// roundsUp reports whether a quotient with the remainder rest of d goes up to
// the next magnitude. dropped says that the true remainder lies a little above
// rest; it is only ever set where d is even.
func roundsUp(quotient magnitude, rest, d uint64, dropped bool, mode Rounding) bool {
	switch mode {
	case TowardZero:
		return false
	case AwayFromZero:
		return rest != 0 || dropped
	default:
		// rest against d-rest instead of 2*rest against d, which may overflow.
		other := d - rest
		return rest > other || rest == other && (dropped || quotient.lo&1 == 1)
	}
}

// mul returns m * n as a 192-bit product, over being its top 64 bits.
func (m magnitude) mul(n uint64) (over uint64, product magnitude) {
	carry, lo := bits.Mul64(m.lo, n)
	over, hi := bits.Mul64(m.hi, n)
	hi, c := bits.Add64(hi, carry, 0)
	return over + c, magnitude{hi: hi, lo: lo}
}

// quo divides rest*2^128 + m by d, where rest < d.
func (m magnitude) quo(rest, d uint64) (quotient magnitude, remainder uint64) {
	quotient.hi, rest = bits.Div64(rest, m.hi, d)
	quotient.lo, rest = bits.Div64(rest, m.lo, d)
	return quotient, rest
}

// increment returns m + 1, and 1 where that wraps around.
func (m magnitude) increment() (sum magnitude, over uint64) {
	lo, carry := bits.Add64(m.lo, 1, 0)
	hi, carry := bits.Add64(m.hi, 0, carry)
	return magnitude{hi: hi, lo: lo}, carry
}

// unsigned returns the absolute value of n, right for the smallest int64 too.
func unsigned(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
