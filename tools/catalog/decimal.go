package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// maxExponent bounds the exponents of numbers that are believed: prices are written plainly.
const maxExponent = 40

// plainDecimal writes a number in the notation of JSON or JavaScript as a plain decimal, divided by 10^shift:
// "2e5" is "200000", ".15" is "0.15". No digit is lost or added.
func plainDecimal(literal string, shift int) (string, error) {
	mantissa, exponentText, scientific := strings.Cut(strings.ToLower(literal), "e")
	exponent := -shift
	if scientific {
		e, err := strconv.Atoi(exponentText)
		if err != nil || e < -maxExponent || e > maxExponent {
			return "", fmt.Errorf("%q has no usable exponent", literal)
		}
		exponent += e
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return "", fmt.Errorf("%q is not a number that is zero or more", literal)
	}
	return placePoint(digits, len(whole)+exponent), nil
}

// placePoint puts the decimal point behind the first n digits and drops zeros that say nothing.
func placePoint(digits string, n int) string {
	if n < 1 {
		digits = strings.Repeat("0", 1-n) + digits
		n = 1
	}
	if n > len(digits) {
		digits += strings.Repeat("0", n-len(digits))
	}
	whole := strings.TrimLeft(digits[:n-1], "0") + digits[n-1:n]
	if n > 1 && whole != digits[n-1:n] {
		whole = strings.TrimLeft(digits[:n], "0")
	}
	fraction := strings.TrimRight(digits[n:], "0")
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

// floatDecimal writes the decimal that a price list's float stands for: the shortest one, after the noise of
// binary arithmetic behind the ninth place is rounded away (0.39999999999999997 is 0.4, 0.003625 stays).
func floatDecimal(f float64) (string, error) {
	const places = 1e9
	if math.IsNaN(f) || f < 0 || f > 1e9 {
		return "", fmt.Errorf("%v is no price", f)
	}
	return strconv.FormatFloat(math.Round(f*places)/places, 'f', -1, 64), nil
}
