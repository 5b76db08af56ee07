package farebox

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/farebox-go/farebox/internal/fixed"
)

const (
	// moneyScale is the number of decimals in a Money.
	moneyScale = 12
	// unitsPerNano is how many units of 1e-12 make a nano-dollar, the unit in
	// which budgets count.
	unitsPerNano = 1000
	// textCap has room for any amount as text: 39 digits, a sign, a "$", a point
	// and two quotes.
	textCap = 48
	// maxQuoted caps how much of a refused text an error repeats.
	maxQuoted = 40
)

// Money is an exact amount of US dollars, positive or negative, counted in units
// of $1e-12. The zero value is $0. Money is made from integers or text, never
// from a float: [Dollars], [Cents], [ParseMoney], [MustMoney].
//
// A Money is a plain value: compare with == or [Money.Cmp], use it as a map key,
// share it between goroutines. The range is ±$1.7e26. A result beyond it stays
// at the end of the range instead of wrapping around, so that no sum of costs
// can turn into credit.
//
// As text, in JSON and in SQL it is a bare decimal in dollars, "0.00123", with
// every digit that it has. A numeric column gives it back exactly where the
// driver hands over text or bytes (PostgreSQL, MySQL); in SQLite use TEXT.
type Money struct {
	units fixed.Int
}

// Dollars returns n US dollars.
func Dollars(n int64) Money {
	return Money{units: fixed.FromInt64(n).MulPow10(moneyScale)}
}

// Cents returns n hundredths of a US dollar.
func Cents(n int64) Money {
	return Money{units: fixed.FromInt64(n).MulPow10(moneyScale - 2)}
}

// ParseMoney reads an amount of US dollars such as "12.50", "$0.00123", "-$1.5"
// or "4.14e-05": an optional sign, an optional "$" and a decimal number with an
// optional exponent. Decimals beyond the twelfth are rounded half to even.
//
// The error wraps [strconv.ErrSyntax] for anything else (the empty text, spaces,
// NaN, Inf, "1,000") and [strconv.ErrRange] for an amount that is out of range.
func ParseMoney(text string) (Money, error) {
	return parseMoney(text)
}

// MustMoney is [ParseMoney] for constants in source code: it panics with the
// error where the text is not an amount. Never call it on input.
func MustMoney(text string) Money {
	m, err := ParseMoney(text)
	if err != nil {
		panic(err)
	}
	return m
}

// Add returns m + other.
func (m Money) Add(other Money) Money { return Money{units: m.units.Add(other.units)} }

// Sub returns m - other.
func (m Money) Sub(other Money) Money { return Money{units: m.units.Sub(other.units)} }

// Neg returns -m.
func (m Money) Neg() Money { return Money{units: m.units.Neg()} }

// Abs returns m without its sign.
func (m Money) Abs() Money { return Money{units: m.units.Abs()} }

// Mul returns m taken n times.
func (m Money) Mul(n int64) Money { return Money{units: m.units.Mul(n)} }

// Cmp returns -1 where m is less than other, 0 where they are equal and +1 where
// m is more.
func (m Money) Cmp(other Money) int { return m.units.Cmp(other.units) }

// Less reports whether m is less than other.
func (m Money) Less(other Money) bool { return m.units.Cmp(other.units) < 0 }

// Sign returns -1, 0 or +1, as m is negative, zero or positive.
func (m Money) Sign() int { return m.units.Sign() }

// IsZero reports whether m is exactly $0.
func (m Money) IsZero() bool { return m == Money{} }

// Round returns m rounded to the given number of decimals, half to even: 2 is
// whole cents, 0 whole dollars, -3 whole thousands. From 12 on m is unchanged.
func (m Money) Round(places int) Money {
	if places >= moneyScale {
		return m
	}
	// Beyond 40 places left of the point every amount rounds to zero.
	cut := moneyScale - max(places, -40)
	return Money{units: m.units.QuoPow10(cut, fixed.HalfEven).MulPow10(cut)}
}

// Float64 returns the float nearest to m in dollars. It is for telemetry and
// plots only: most amounts have no exact float, so never compute with it, and
// never make money from it.
func (m Money) Float64() float64 {
	const exactInt, one = 1 << 53, 1_000_000_000_000
	if n := m.units.Int64(); -exactInt <= n && n <= exactInt {
		// Both are exact as floats, so the division rounds once.
		return float64(n) / one
	}
	var buf [textCap]byte
	// The text is a decimal number well within a float's range: no error.
	f, _ := strconv.ParseFloat(string(fixed.Append(buf[:0], m.units, moneyScale)), 64)
	return f
}

// String returns the amount for people, with every digit and no trailing zeros:
// "$0.00123", "-$1.5", "$0". [ParseMoney] reads it back.
func (m Money) String() string {
	var buf [textCap]byte
	text := buf[:0]
	if m.Sign() < 0 {
		text = append(text, '-')
	}
	text = append(text, '$')
	return string(fixed.Append(text, m.units.Abs(), moneyScale))
}

// AppendText implements [encoding.TextAppender]: it appends the bare decimal in
// dollars, such as "-1.5". The error is always nil.
func (m Money) AppendText(dst []byte) ([]byte, error) {
	return fixed.Append(dst, m.units, moneyScale), nil
}

// MarshalText implements [encoding.TextMarshaler] with the bare decimal in
// dollars, such as "0.00123".
func (m Money) MarshalText() ([]byte, error) {
	return m.AppendText(make([]byte, 0, textCap))
}

// UnmarshalText implements [encoding.TextUnmarshaler]; it reads what
// [ParseMoney] reads. On an error m is unchanged.
func (m *Money) UnmarshalText(text []byte) error {
	parsed, err := parseMoney(text)
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}

// MarshalJSON implements [json.Marshaler] with a string that holds the bare
// decimal, "0.00123". It is not a JSON number, because most readers would take
// that through a float and lose digits.
func (m Money) MarshalJSON() ([]byte, error) {
	return appendQuoted(m.units, moneyScale), nil
}

// UnmarshalJSON implements [json.Unmarshaler]. It takes a string as [ParseMoney]
// reads it, or a number in any notation, as written: 4.1400000000000003e-05 goes
// through no float. null leaves m unchanged, and so does an error.
func (m *Money) UnmarshalJSON(data []byte) error {
	text, null, err := decimalOfJSON(data)
	if null || err != nil {
		return err
	}
	return m.UnmarshalText(text)
}

// Value implements [driver.Valuer] with the bare decimal as a string, for a
// NUMERIC, DECIMAL or TEXT column. Numeric columns need 12 decimals to keep all.
func (m Money) Value() (driver.Value, error) {
	var buf [textCap]byte
	return string(fixed.Append(buf[:0], m.units, moneyScale)), nil
}

// Scan implements the Scanner of database/sql. It takes a string or bytes as
// [ParseMoney] reads them, or an int64 as whole dollars. It refuses a float64,
// which has lost digits by the time that it arrives, and NULL, for which there
// is sql.Null[Money]. On an error m is unchanged.
func (m *Money) Scan(source any) error {
	switch source := source.(type) {
	case string:
		return m.UnmarshalText([]byte(source))
	case []byte:
		return m.UnmarshalText(source)
	case int64:
		*m = Dollars(source)
		return nil
	case float64:
		return errors.New("farebox: cannot scan a float64 into Money: it is not exact; keep the amount in a TEXT or DECIMAL column, or cast it to text in the query")
	case nil:
		return errors.New("farebox: cannot scan NULL into Money: use sql.Null[farebox.Money]")
	default:
		return fmt.Errorf("farebox: cannot scan %T into Money: want text, or an integer of dollars", source)
	}
}

// nanosUp returns m in nano-dollars, rounded toward positive infinity so that a
// budget never counts a cost as less than it is, and saturated.
func (m Money) nanosUp() int64 {
	mode := fixed.AwayFromZero
	if m.Sign() < 0 {
		mode = fixed.TowardZero
	}
	return m.units.MulQuo(1, unitsPerNano, mode).Int64()
}

// moneyFromNanos returns n nano-dollars.
func moneyFromNanos(n int64) Money {
	return Money{units: fixed.FromInt64(n).Mul(unitsPerNano)}
}

func parseMoney[Text ~string | ~[]byte](text Text) (Money, error) {
	units, _, err := parseDollars(text, moneyScale)
	if err != nil {
		return Money{}, fmt.Errorf("farebox: bad amount %s: %w: want US dollars as in 0.05, $12.50 or 1e-3, within ±1.7e26", excerpt(text), err)
	}
	return Money{units: units}, nil
}

// parseDollars reads a decimal number, with a "$" or none behind its sign, as a
// count of 10^-scale.
func parseDollars[Text ~string | ~[]byte](text Text, scale int) (units fixed.Int, exact bool, err error) {
	i := 0
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		i = 1
	}
	if i == len(text) || text[i] != '$' {
		return fixed.Parse(text, scale)
	}
	number := text[i+1:]
	if len(number) > 0 && (number[0] == '-' || number[0] == '+') {
		return fixed.Int{}, false, strconv.ErrSyntax // "$-1": the sign goes in front
	}
	units, exact, err = fixed.Parse(number, scale)
	if text[0] == '-' {
		units = units.Neg()
	}
	return units, exact, err
}

// decimalOfJSON returns the text of a JSON string or number.
func decimalOfJSON(data []byte) (text []byte, null bool, err error) {
	switch {
	case len(data) == 0:
		return nil, false, errors.New("farebox: empty JSON value: want a decimal as a string or a number")
	case string(data) == "null":
		return nil, true, nil
	case data[0] == '-', '0' <= data[0] && data[0] <= '9':
		return data, false, nil
	case data[0] != '"':
		return nil, false, fmt.Errorf("farebox: bad JSON value %s: want a decimal as a string or a number", excerpt(data))
	}
	// A decimal has nothing to escape, so this is nearly always the plain text.
	if inner := data[1:]; len(inner) > 0 {
		if end := len(inner) - 1; inner[end] == '"' && plain(inner[:end]) {
			return inner[:end], false, nil
		}
	}
	var unescaped string
	if err := json.Unmarshal(data, &unescaped); err != nil {
		return nil, false, fmt.Errorf("farebox: bad JSON string: %w", err)
	}
	return []byte(unescaped), false, nil
}

// plain reports whether the inside of a JSON string stands for itself.
func plain(inner []byte) bool {
	for _, c := range inner {
		if c == '\\' || c == '"' || c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// appendQuoted returns the decimal as a JSON string.
func appendQuoted(units fixed.Int, scale int) []byte {
	text := append(make([]byte, 0, textCap), '"')
	return append(fixed.Append(text, units, scale), '"')
}

// excerpt returns text for an error message, cut short where it is long.
func excerpt[Text ~string | ~[]byte](text Text) string {
	if len(text) <= maxQuoted {
		return strconv.Quote(string(text))
	}
	return strconv.Quote(string(text[:maxQuoted])) + "..."
}

// parseScaled reads a figure that counts in 10^exponent dollars, rounding half to even to $1e-12.
func parseScaled(literal string, exponent int) (Money, error) {
	units, _, err := fixed.Parse(literal, moneyScale+exponent)
	return Money{units: units}, err
}
