package farebox

import (
	"errors"
	"fmt"

	"github.com/farebox-go/farebox/internal/fixed"
)

const (
	// rateScale is the number of decimals in a Rate. A per-token price quoted
	// per million keeps 18 decimals of its own.
	rateScale = 24
	// perMillionScale reads the same count as dollars per million units.
	perMillionScale = rateScale - 6
	// unitsPerMoneyUnit is how many units of a Rate make one of a Money.
	unitsPerMoneyUnit = 1_000_000_000_000
)

// Rate is what one unit of something costs (a token, a request, an image, a
// second), in US dollars per unit, counted exactly in steps of $1e-24. It is
// never negative. The zero value is a real price, $0 per unit: that a price is
// not known has to be told by other means, such as a missing map entry.
//
// A Rate is a plain value: compare with == or [Rate.Cmp], share it between
// goroutines. The largest is $1.7e14 per unit, and results stay at it instead of
// wrapping around.
//
// As text and in JSON it is a bare decimal in dollars per unit, "0.00000025".
type Rate struct {
	units fixed.Int
}

var errNegativeRate = errors.New(`a rate cannot be negative ("-1" in a price list means that the price varies: treat it as unknown)`)

// ParseRate reads US dollars per unit, such as "0.00000025" or "2.5e-7", in the
// notations of [ParseMoney]. Decimals beyond the 24th are rounded half to even.
//
// A negative rate is an error: OpenRouter lists "-1" where the price varies with
// the model that is chosen, which is no price. Otherwise the error wraps
// [strconv.ErrSyntax] or [strconv.ErrRange].
func ParseRate(text string) (Rate, error) {
	return parseRate(text, rateScale)
}

// MustRate is [ParseRate] for constants in source code: it panics with the error
// where the text is not a rate. Never call it on input.
func MustRate(text string) Rate {
	r, err := ParseRate(text)
	if err != nil {
		panic(err)
	}
	return r
}

// PerMillion reads US dollars per million units, the way price lists are
// printed: "0.25" is $0.25 per million tokens. Errors are those of [ParseRate].
// Decimals beyond the 18th are rounded half to even.
func PerMillion(text string) (Rate, error) {
	return parseRate(text, perMillionScale)
}

// MustPerMillion is [PerMillion] for constants in source code: it panics with
// the error where the text is not a rate. Never call it on input.
func MustPerMillion(text string) Rate {
	r, err := PerMillion(text)
	if err != nil {
		panic(err)
	}
	return r
}

// Times returns what quantity units cost, rounded once, half to even, to $1e-12.
// Nobody can use less than nothing: a negative quantity counts as 0.
func (r Rate) Times(quantity int64) Money {
	return r.times(quantity, fixed.HalfEven)
}

// TimesUp is [Rate.Times] rounded up, for money that is set aside.
func (r Rate) TimesUp(quantity int64) Money {
	return r.times(quantity, fixed.AwayFromZero)
}

func (r Rate) times(quantity int64, mode fixed.Rounding) Money {
	return Money{units: r.units.MulQuo(max(quantity, 0), unitsPerMoneyUnit, mode)}
}

// perUnit is the amount as the rate of one unit, and the largest or smallest where it is none.
func (m Money) perUnit() Rate {
	if m.Sign() < 0 {
		return Rate{}
	}
	return Rate{units: m.units.Mul(unitsPerMoneyUnit)}
}

// Scale returns the rate times num/den, rounded half to even, for multipliers
// such as 11/10. A multiplier that means nothing, with num < 0 or den <= 0,
// gives the largest rate there is: a mistake must not make calls cheap.
func (r Rate) Scale(num, den int64) Rate {
	if num < 0 || den <= 0 {
		return Rate{units: fixed.Max}
	}
	return Rate{units: r.units.MulQuo(num, uint64(den), fixed.HalfEven)}
}

// Cmp returns -1 where r is less than other, 0 where they are equal and +1 where
// r is more.
func (r Rate) Cmp(other Rate) int { return r.units.Cmp(other.units) }

// IsZero reports whether r is exactly $0 per unit.
func (r Rate) IsZero() bool { return r == Rate{} }

// String returns the bare decimal in dollars per unit, "0.00000025", with every
// digit and no trailing zeros. [ParseRate] reads it back.
func (r Rate) String() string {
	var buf [textCap]byte
	return string(fixed.Append(buf[:0], r.units, rateScale))
}

// PerMillionString returns the bare decimal in dollars per million units,
// "0.25", with every digit and no trailing zeros. [PerMillion] reads it back.
func (r Rate) PerMillionString() string {
	var buf [textCap]byte
	return string(fixed.Append(buf[:0], r.units, perMillionScale))
}

// AppendText implements [encoding.TextAppender]: it appends what String returns.
// The error is always nil.
func (r Rate) AppendText(dst []byte) ([]byte, error) {
	return fixed.Append(dst, r.units, rateScale), nil
}

// MarshalText implements [encoding.TextMarshaler] with what String returns.
func (r Rate) MarshalText() ([]byte, error) {
	return r.AppendText(make([]byte, 0, textCap))
}

// UnmarshalText implements [encoding.TextUnmarshaler]; it reads what [ParseRate]
// reads. On an error r is unchanged.
func (r *Rate) UnmarshalText(text []byte) error {
	parsed, err := parseRate(text, rateScale)
	if err != nil {
		return err
	}
	*r = parsed
	return nil
}

// MarshalJSON implements [json.Marshaler] with a string that holds the decimal,
// so that no reader takes it through a float.
func (r Rate) MarshalJSON() ([]byte, error) {
	return appendQuoted(r.units, rateScale), nil
}

// UnmarshalJSON implements [json.Unmarshaler]. It takes a string as [ParseRate]
// reads it, or a number in any notation, as written. null leaves r unchanged,
// and so does an error.
func (r *Rate) UnmarshalJSON(data []byte) error {
	text, null, err := decimalOfJSON(data)
	if null || err != nil {
		return err
	}
	return r.UnmarshalText(text)
}

func parseRate[Text ~string | ~[]byte](text Text, scale int) (Rate, error) {
	units, exact, err := parseDollars(text, scale)
	// "-0" is zero, but a negative number that was rounded to zero is negative.
	if err == nil && text[0] == '-' && (units.Sign() < 0 || !exact) {
		err = errNegativeRate
	}
	if err != nil {
		return Rate{}, fmt.Errorf("farebox: bad rate %s: %w: want US dollars as in 0.25 or 2.5e-7, at most 1.7e14 per unit", excerpt(text), err)
	}
	return Rate{units: units}, nil
}
