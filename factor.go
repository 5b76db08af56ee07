package farebox

import (
	"fmt"

	"github.com/farebox-go/farebox/internal/fixed"
)

const (
	factorScale = 12
	factorOne   = 1_000_000_000_000
)

// Factor is what a rate or a sum is multiplied by, such as 1.1 or 0.5: a decimal of up to 12 places between 0 and
// 1,000,000, exactly. The zero value is 1 and changes nothing. Compare with ==. As text and in JSON it is the bare
// decimal, "1.1".
type Factor struct {
	beyondOne int64 // in units of 1e-12, so that the zero value is 1
}

// ParseFactor reads a decimal such as "1.1", in the notations of [ParseMoney]. Decimals beyond the 12th are rounded half
// to even. A negative one, or one above 1,000,000, is an error.
func ParseFactor(text string) (Factor, error) { return parseFactor(text) }

// MustFactor is [ParseFactor] for constants in source code: it panics with the error where the text is not a factor.
// Never call it on input.
func MustFactor(text string) Factor {
	f, err := ParseFactor(text)
	if err != nil {
		panic(err)
	}
	return f
}

// parseFactor reads a plain decimal: "$" stands in front of amounts only.
func parseFactor[Text ~string | ~[]byte](text Text) (Factor, error) {
	units, _, err := fixed.Parse(text, factorScale)
	if err != nil || units.Sign() < 0 || units.Cmp(fixed.FromInt64(1_000_000*factorOne)) > 0 {
		return Factor{}, fmt.Errorf("farebox: bad factor %s: want a decimal such as 1.1, from 0 to 1000000", excerpt(text))
	}
	return Factor{beyondOne: units.Int64() - factorOne}, nil
}

// units is the factor in steps of 1e-12.
func (f Factor) units() int64 { return f.beyondOne + factorOne }

// IsOne says that the factor changes nothing.
func (f Factor) IsOne() bool { return f.beyondOne == 0 }

// Cmp returns -1 where f is less than other, 0 where they are equal and +1 where f is more.
func (f Factor) Cmp(other Factor) int {
	return fixed.FromInt64(f.beyondOne).Cmp(fixed.FromInt64(other.beyondOne))
}

// By returns the rate times a factor, rounded half to even to $1e-24.
func (r Rate) By(f Factor) Rate {
	if f.IsOne() {
		return r
	}
	return Rate{units: r.units.MulQuo(f.units(), factorOne, fixed.HalfEven)}
}

// By returns the amount times a factor, rounded half to even to $1e-12.
func (m Money) By(f Factor) Money {
	if f.IsOne() {
		return m
	}
	return Money{units: m.units.MulQuo(f.units(), factorOne, fixed.HalfEven)}
}

// String returns the bare decimal, "1.1".
func (f Factor) String() string {
	var buf [textCap]byte
	return string(fixed.Append(buf[:0], fixed.FromInt64(f.units()), factorScale))
}

// MarshalText implements [encoding.TextMarshaler] with what String returns.
func (f Factor) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]; it reads what [ParseFactor] reads. On an error f is unchanged.
func (f *Factor) UnmarshalText(text []byte) error {
	parsed, err := parseFactor(text)
	if err == nil {
		*f = parsed
	}
	return err
}

// UnmarshalJSON implements [json.Unmarshaler]. It takes a string as [ParseFactor] reads it, or a number in any notation,
// as written. null leaves f unchanged, and so does an error.
func (f *Factor) UnmarshalJSON(data []byte) error {
	text, null, err := decimalOfJSON(data)
	if null || err != nil {
		return err
	}
	return f.UnmarshalText(text)
}
