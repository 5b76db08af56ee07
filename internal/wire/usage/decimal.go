package usage

import (
	"math/big"
	"strconv"
	"strings"
)

// maxShift bounds the exponents of figures that are added; nobody bills amounts beyond.
const maxShift = 400

// addDecimals adds two figures exactly. A figure that is missing counts nothing; the sum is empty where both are
// missing or one is out of all proportion.
func addDecimals(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	x, xe, ok := parseDecimal(a)
	if !ok {
		return ""
	}
	y, ye, ok := parseDecimal(b)
	if !ok {
		return ""
	}
	exponent := min(xe, ye)
	x.Mul(x, power(xe-exponent)).Add(x, y.Mul(y, power(ye-exponent)))
	if exponent == 0 {
		return x.String()
	}
	return x.String() + "e" + strconv.Itoa(exponent)
}

// parseDecimal takes a JSON number apart: mantissa x 10^exponent.
func parseDecimal(s string) (mantissa *big.Int, exponent int, ok bool) {
	digits, power, _ := strings.Cut(strings.ToLower(s), "e")
	if power != "" {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil {
			return nil, 0, false
		}
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	exponent -= len(fraction)
	if len(digits) > maxShift || exponent < -maxShift || exponent > maxShift {
		return nil, 0, false
	}
	mantissa, ok = new(big.Int).SetString(whole+fraction, 10)
	return mantissa, exponent, ok
}

func power(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}
