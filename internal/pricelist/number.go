package pricelist

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// What is believed of a number. Beyond, somebody mistook the unit: dollars per million for dollars per token.
const (
	maxLiteral   = 64 // characters
	maxExponent  = 40
	maxDecimals  = 24   // of a rate in dollars per unit, as many as the root's Rate keeps
	floatDigits  = 15   // decimal digits that a float64 keeps; further ones are noise
	maxPerToken  = 0.01 // $10,000 per million tokens
	maxPerUnit   = 1000 // dollars per image, page, session …
	maxOfATokens = 1_000_000_000
)

// unit says how many of a list's units make one of ours: a rate per million tokens is divided by 1,000,000.
type unit struct {
	divisor int64
	most    float64 // dollars per unit that are believed
}

var (
	perToken   = unit{1, maxPerToken}
	perMillion = unit{1_000_000, maxPerToken}
	perOne     = unit{1, maxPerUnit}
	perKilo    = unit{1_000, maxPerUnit}
	secondAsMS = unit{1_000, 1}
	hourAsMS   = unit{3_600_000, 1}
)

// exact reads a published decimal, string or number, as US dollars per unit of ours.
func (u unit) exact(v any) (string, error) { return u.rate(v, false) }

// float reads a number that was a float64 on its way, so that digits past the fifteenth are noise of binary arithmetic.
func (u unit) float(v any) (string, error) { return u.rate(v, true) }

func (u unit) rate(v any, viaFloat bool) (string, error) {
	literal, ok := numberText(v)
	if !ok {
		return "", fmt.Errorf("%s is no number", excerpt(fmt.Sprint(v)))
	}
	value, err := parse(literal)
	if err != nil {
		return "", err
	}
	if viaFloat {
		value = round(value, literal)
	}
	if value.Sign() < 0 {
		return "", fmt.Errorf("%s is negative", literal)
	}
	value.Quo(value, new(big.Rat).SetInt64(u.divisor))
	if f, _ := value.Float64(); f > u.most {
		return "", fmt.Errorf("%s is $%s per unit, and past what is believed ($%v): is it in another unit?", literal, value.FloatString(6), u.most)
	}
	return plain(value), nil
}

// numberText is a number's text as written, be it a JSON number or a string that holds one.
func numberText(v any) (string, bool) {
	switch v := v.(type) {
	case json.Number:
		return v.String(), true
	case string:
		return strings.TrimSpace(v), true
	}
	return "", false
}

var errNoNumber = errors.New("want a decimal such as 0.25 or 2.5e-7")

// parse reads a decimal exactly. Its size is bounded before any arithmetic: "1e999999999" is a short text and a long number.
func parse(literal string) (*big.Rat, error) {
	if literal == "" || len(literal) > maxLiteral {
		return nil, fmt.Errorf("%q: %w", excerpt(literal), errNoNumber)
	}
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(literal), "e")
	if scientific {
		e, err := strconv.Atoi(exponent)
		if err != nil || e < -maxExponent || e > maxExponent {
			return nil, fmt.Errorf("%q has no usable exponent: %w", literal, errNoNumber)
		}
	}
	digits := strings.TrimPrefix(mantissa, "-")
	if strings.Trim(digits, "0123456789.") != "" || strings.Count(digits, ".") > 1 || strings.Trim(digits, ".") == "" {
		return nil, fmt.Errorf("%q: %w", literal, errNoNumber)
	}
	value, ok := new(big.Rat).SetString(literal)
	if !ok {
		return nil, fmt.Errorf("%q: %w", literal, errNoNumber)
	}
	return value, nil
}

// round drops the digits of a literal that a float64 cannot have kept.
func round(value *big.Rat, literal string) *big.Rat {
	mantissa, _, _ := strings.Cut(strings.ToLower(literal), "e")
	digits := strings.TrimLeft(strings.ReplaceAll(strings.TrimPrefix(mantissa, "-"), ".", ""), "0")
	if len(digits) <= floatDigits {
		return value
	}
	f, _ := value.Float64()
	rounded, ok := new(big.Rat).SetString(strconv.FormatFloat(f, 'e', floatDigits-1, 64))
	if !ok {
		return value
	}
	return rounded
}

// plain writes a value as a plain decimal, with as many decimals as a rate keeps.
func plain(value *big.Rat) string {
	text := value.FloatString(maxDecimals)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

func isZero(decimal string) bool { return strings.Trim(decimal, "0.") == "" }

// count reads a number of tokens; 0 where there is none that can be believed.
func count(v any) int64 {
	literal, ok := numberText(v)
	if !ok {
		return 0
	}
	value, err := parse(literal)
	if err != nil || !value.IsInt() || !value.Num().IsInt64() {
		return 0
	}
	n := value.Num().Int64()
	if n < 0 || n > maxOfATokens {
		return 0
	}
	return n
}

// multiplier reads a factor such as 1.1.
func multiplier(v any) (string, error) {
	text, err := unit{1, 100}.float(v)
	if err == nil && isZero(text) {
		err = errors.New("a factor of 0 makes everything free")
	}
	return text, err
}
