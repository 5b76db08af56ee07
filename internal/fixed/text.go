package fixed

import (
	"math"
	"math/bits"
	"strconv"
)

const (
	// MaxScale is the largest scale that [Append] can write.
	MaxScale = maxDigits - 1
	// maxDigits is the number of decimal digits in Max.
	maxDigits = 39
	// maxExponent stands in for any larger exponent. It is beyond what any text
	// that fits in memory could balance with leading or trailing zeros, and far
	// enough from the ends of int64 that sums with it cannot overflow.
	maxExponent = math.MaxInt64 / 100
)

// Parse reads decimal text as a count of 10^-scale, for scale >= 0. It takes an
// optional sign, digits with at most one decimal point among them, and an
// optional exponent: every number that JSON can write, and also "+1", ".5",
// "5." and "007". Digits beyond the scale are rounded half to even; exact is
// false where that changed the value. Time is linear in len(text), whatever the
// exponent says, and no step goes through floating point.
//
// The error is [strconv.ErrSyntax] for anything else, such as the empty text,
// NaN, Inf, hexadecimal and digit separators, and [strconv.ErrRange] where the
// value is beyond [Min] or [Max].
func Parse[Text ~string | ~[]byte](text Text, scale int) (v Int, exact bool, err error) {
	number, ok := scan(text)
	if !ok {
		return Int{}, false, strconv.ErrSyntax
	}
	if number.digits == 0 {
		return Int{}, true, nil
	}
	// How many of the significant digits stand at or above one unit. Above 39
	// the leading digit alone is out of range; below 0 it is under a tenth.
	keep := number.digits - number.fraction + number.exponent + int64(scale)
	switch {
	case keep < 0:
		return Int{}, false, nil
	case keep > maxDigits:
		return Int{}, false, strconv.ErrRange
	}
	m, exact, ok := round(text[number.first:number.end], keep)
	if !ok {
		return Int{}, false, strconv.ErrRange
	}
	if v, ok = m.signed(number.negative); !ok {
		return Int{}, false, strconv.ErrRange
	}
	return v, exact, nil
}

// layout tells where the parts of a decimal text are.
type layout struct {
	negative   bool
	first, end int   // text[first:end] is the significant digits, with the point if it is among them
	digits     int64 // how many digits that is; 0 means the number is zero
	fraction   int64 // digits after the point, leading zeros included
	exponent   int64 // as written, kept within ±maxExponent
}

// scan checks the whole text against the grammar and finds its parts.
func scan[Text ~string | ~[]byte](text Text) (number layout, ok bool) {
	i := 0
	if i < len(text) && (text[i] == '-' || text[i] == '+') {
		number.negative = text[i] == '-'
		i++
	}
	anyDigit, point := false, false
	for ; i < len(text); i++ {
		c := text[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if !isDigit(c) {
			break
		}
		anyDigit = true
		if point {
			number.fraction++
		}
		if number.digits == 0 {
			if c == '0' {
				continue
			}
			number.first = i
		}
		number.digits++
	}
	number.end = i
	if anyDigit && i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		number.exponent, ok = scanExponent(text[i+1:])
		return number, ok
	}
	return number, anyDigit && i == len(text)
}

// scanExponent reads what follows the "e", all of it.
func scanExponent[Text ~string | ~[]byte](text Text) (exponent int64, ok bool) {
	i, negative := 0, false
	if i < len(text) && (text[i] == '-' || text[i] == '+') {
		negative = text[i] == '-'
		i++
	}
	if i == len(text) {
		return 0, false
	}
	for ; i < len(text); i++ {
		if !isDigit(text[i]) {
			return 0, false
		}
		exponent = min(exponent*10+int64(text[i]-'0'), maxExponent)
	}
	if negative {
		exponent = -exponent
	}
	return exponent, true
}

// round returns the number made of the first keep digits, rounded half to even
// by the digits after them. Missing digits are zeros, a point is passed over.
// It is not ok where the number outgrows a magnitude.
func round[Text ~string | ~[]byte](digits Text, keep int64) (m magnitude, exact, ok bool) {
	var n int64 // digits read
	var next byte
	sticky := false // a digit behind next is not zero
	for i := 0; i < len(digits); i++ {
		if digits[i] == '.' {
			continue
		}
		digit := digits[i] - '0'
		switch {
		case n < keep:
			if m, ok = m.push(digit); !ok {
				return m, false, false
			}
		case n == keep:
			next = digit
		default:
			sticky = sticky || digit != 0
		}
		n++
	}
	for ; n < keep; n++ {
		if m, ok = m.push(0); !ok {
			return m, false, false
		}
	}
	if next > 5 || next == 5 && (sticky || m.lo&1 == 1) {
		var over uint64
		if m, over = m.increment(); over != 0 {
			return m, false, false
		}
	}
	return m, next == 0 && !sticky, true
}

// push returns m*10 + digit.
func (m magnitude) push(digit byte) (magnitude, bool) {
	if m.hi == 0 && m.lo < math.MaxUint64/10 {
		return magnitude{lo: m.lo*10 + uint64(digit)}, true
	}
	over, product := m.mul(10)
	lo, carry := bits.Add64(product.lo, uint64(digit), 0)
	hi, carry := bits.Add64(product.hi, 0, carry)
	return magnitude{hi: hi, lo: lo}, over+carry == 0
}

// Append writes v as a count of 10^-scale to dst: every digit, no exponent, no
// trailing zeros, and no point where nothing follows it. The scale is from 0 to
// [MaxScale]. [Parse] at the same scale gives v back.
func Append(dst []byte, v Int, scale int) []byte {
	m, negative := v.magnitude()
	if negative {
		dst = append(dst, '-')
	}
	var buf [maxDigits]byte
	start := m.format(&buf)
	// A value below one still shows the zero in front of its point.
	for len(buf)-start <= scale {
		start--
		buf[start] = '0'
	}
	point := len(buf) - scale
	end := len(buf)
	for end > point && buf[end-1] == '0' {
		end--
	}
	dst = append(dst, buf[start:point]...)
	if end > point {
		dst = append(dst, '.')
		dst = append(dst, buf[point:end]...)
	}
	return dst
}

// format writes m right-aligned into buf and returns where it starts; zero has
// no digits.
func (m magnitude) format(buf *[maxDigits]byte) (start int) {
	start = len(buf)
	for m.hi != 0 {
		quotient, rest := m.quo(0, pow10[MaxPow10])
		for range MaxPow10 {
			start--
			buf[start] = '0' + byte(rest%10)
			rest /= 10
		}
		m = quotient
	}
	for ; m.lo != 0; m.lo /= 10 {
		start--
		buf[start] = '0' + byte(m.lo%10)
	}
	return start
}

func isDigit(c byte) bool {
	return '0' <= c && c <= '9'
}
