package jsonwalk

import (
	"bytes"
	"errors"
	"math"
)

// Why [Int] could not read an integer.
var (
	ErrNotNumber = errors.New("not a number")
	ErrFraction  = errors.New("not a whole number")
	ErrRange     = errors.New("number out of range")
)

// Int reads an integer leniently: 12, 12.0, 1.2e1, -3 and the same between quotes. With [ErrFraction] n is the number
// cut towards zero, with [ErrRange] it is 0. It does not allocate.
func Int(raw []byte) (n int64, err error) {
	if len(raw) >= 2 && raw[0] == '"' && raw[len(raw)-1] == '"' {
		raw = bytes.TrimSpace(raw[1 : len(raw)-1])
	}
	if len(raw) == 0 || numberLen(raw) != len(raw) {
		return 0, ErrNotNumber
	}
	negative := raw[0] == '-'
	if negative {
		raw = raw[1:]
	}
	mantissa, exponent := splitExponent(raw)
	whole, fraction, _ := bytes.Cut(mantissa, []byte{'.'})
	n, err = shifted(whole, fraction, exponent)
	if negative {
		n = -n
	}
	return n, err
}

// splitExponent parts a number at its e. The exponent saturates where it is out of all proportion.
func splitExponent(raw []byte) (mantissa []byte, exponent int) {
	const most = 1 << 30
	i := bytes.IndexAny(raw, "eE")
	if i < 0 {
		return raw, 0
	}
	digits := raw[i+1:]
	negative := digits[0] == '-'
	if digits[0] == '-' || digits[0] == '+' {
		digits = digits[1:]
	}
	for _, c := range digits {
		exponent = min(exponent*10+int(c-'0'), most)
	}
	if negative {
		exponent = -exponent
	}
	return raw[:i], exponent
}

// shifted is whole.fraction x 10^exponent, cut towards zero.
func shifted(whole, fraction []byte, exponent int) (n int64, err error) {
	point := len(whole) + exponent // where the decimal point comes to lie among the digits
	digit := func(i int) byte {
		if i < len(whole) {
			return whole[i] - '0'
		}
		return fraction[i-len(whole)] - '0'
	}
	for i := range len(whole) + len(fraction) {
		d := int64(digit(i))
		if i >= point {
			if d != 0 {
				err = ErrFraction
			}
			continue
		}
		if n > (math.MaxInt64-d)/10 {
			return 0, ErrRange
		}
		n = n*10 + d
	}
	for i := len(whole) + len(fraction); i < point && n != 0; i++ {
		if n > math.MaxInt64/10 {
			return 0, ErrRange
		}
		n *= 10
	}
	return n, err
}

// IsNumber says whether raw is a JSON number, NaN and the infinities excluded.
func IsNumber(raw []byte) bool { return len(raw) > 0 && numberLen(raw) == len(raw) }
