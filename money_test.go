package farebox

import (
	"database/sql"
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/farebox-go/farebox/internal/fixed"
	"pgregory.net/rapid"
)

var (
	_ fmt.Stringer             = Money{}
	_ encoding.TextAppender    = Money{}
	_ encoding.TextMarshaler   = Money{}
	_ encoding.TextUnmarshaler = (*Money)(nil)
	_ json.Marshaler           = Money{}
	_ json.Unmarshaler         = (*Money)(nil)
	_ driver.Valuer            = Money{}
	_ sql.Scanner              = (*Money)(nil)
)

var (
	maxMoney = Money{units: fixed.Max}
	minMoney = Money{units: fixed.Min}
)

// anyMoney draws from the whole range: tiny, everyday and enormous amounts.
func anyMoney() *rapid.Generator[Money] {
	return rapid.Custom(func(t *rapid.T) Money {
		return Money{units: rapid.OneOf(
			rapid.Map(rapid.Int64Range(-2000, 2000), fixed.FromInt64),
			rapid.Map(rapid.Int64(), fixed.FromInt64),
			rapid.Custom(func(t *rapid.T) fixed.Int {
				return fixed.Int{Hi: rapid.Int64Min(math.MinInt64+1).Draw(t, "hi"), Lo: rapid.Uint64().Draw(t, "lo")}
			}),
			rapid.SampledFrom([]fixed.Int{fixed.Max, fixed.Min}),
		).Draw(t, "units")}
	})
}

// unitsOf returns an Int as a big integer.
func unitsOf(v fixed.Int) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(v.Hi), 64)
	return n.Add(n, new(big.Int).SetUint64(v.Lo))
}

// clampUnits brings n into the range of an Int.
func clampUnits(n *big.Int) *big.Int {
	if limit := unitsOf(fixed.Max); n.CmpAbs(limit) > 0 {
		return limit.Mul(limit, big.NewInt(int64(n.Sign())))
	}
	return n
}

func powerOfTen(k int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(k)), nil)
}

// halfEven rounds an exact value to an integer, the oracle of every rounding.
func halfEven(x *big.Rat) *big.Int {
	floor := new(big.Int).Div(x.Num(), x.Denom()) // Euclidean: down, as the denominator is positive
	rest := new(big.Rat).Sub(x, new(big.Rat).SetInt(floor))
	if c := rest.Cmp(big.NewRat(1, 2)); c > 0 || c == 0 && floor.Bit(0) == 1 {
		floor.Add(floor, big.NewInt(1))
	}
	return floor
}

func TestMoneyConstructorsAgree(t *testing.T) {
	t.Parallel()
	same := map[string][]Money{
		"$0":                    {{}, Dollars(0), Cents(0), MustMoney("0"), MustMoney("-$0.00"), MustMoney("0e99"), MustMoney("1e-13")},
		"$50":                   {Dollars(50), Cents(5000), MustMoney("50"), MustMoney("$50.00"), MustMoney("+$5e1"), MustMoney("50.")},
		"$0.1":                  {Cents(10), MustMoney("0.1"), MustMoney("$.10"), MustMoney("1E-1"), MustMoney("+00.1")},
		"-$1.5":                 {Cents(-150), MustMoney("-1.5"), MustMoney("-$1.5"), Cents(150).Neg()},
		"$0.0000414":            {MustMoney("4.1400000000000003e-05")},
		"$0.083333333333":       {MustMoney("0.083333333333333333333")},
		"$0.000000000002":       {MustMoney("0.0000000000015"), MustMoney("0.0000000000025")},
		"$9223372036854775807":  {Dollars(math.MaxInt64)},
		"-$9223372036854775808": {Dollars(math.MinInt64)},
		"$170141183460469231731687303.715884105727": {maxMoney, MustMoney("170141183460469231731687303.7158841057274")},
	}
	for want, amounts := range same {
		for i, m := range amounts {
			if m != amounts[0] || m.String() != want {
				t.Errorf("amount %d of %s is %s", i, want, m)
			}
		}
	}
}

func TestParseMoneyErrors(t *testing.T) {
	t.Parallel()
	tests := map[error][]string{
		strconv.ErrSyntax: {
			"", " ", "$", "-", "-$", "$-1", "$+1", "$$1", "--1", "1,000", "1_000", " 1", "1 ", "1$", "NaN", "nan", "Inf", "-Infinity",
			"0x1p-2", "1e", "1.2.3", "five", "€5", "1/2", "null", "\x00", "free",
		},
		strconv.ErrRange: {"1e27", "-$1e27", "1e999999999", "170141183460469231731687303.715884105728"},
	}
	for want, texts := range tests {
		for _, text := range texts {
			m, err := ParseMoney(text)
			if !errors.Is(err, want) || m != (Money{}) {
				t.Errorf("ParseMoney(%q) = %v, %v; want %v", text, m, err, want)
				continue
			}
			if message := err.Error(); !strings.Contains(message, strconv.Quote(text)) || !strings.Contains(message, "$12.50") {
				t.Errorf("ParseMoney(%q): the error does not name the text and what is right: %s", text, message)
			}
		}
	}
	_, err := ParseMoney(strings.Repeat("secret", 1000))
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("an error repeats a long text: %.300v", err)
	}
}

func TestMustMoneyPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, strconv.ErrSyntax) {
			t.Errorf("panicked with %v, want the parse error", err)
		}
	}()
	MustMoney("1,000")
}

func TestMoneyArithmetic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyMoney().Draw(t, "a"), anyMoney().Draw(t, "b")
		n := rapid.Int64().Draw(t, "n")
		x, y := unitsOf(a.units), unitsOf(b.units)
		checks := map[string]struct {
			got  Money
			want *big.Int
		}{
			"Add": {a.Add(b), new(big.Int).Add(x, y)},
			"Sub": {a.Sub(b), new(big.Int).Sub(x, y)},
			"Neg": {a.Neg(), new(big.Int).Neg(x)},
			"Abs": {a.Abs(), new(big.Int).Abs(x)},
			"Mul": {a.Mul(n), new(big.Int).Mul(x, big.NewInt(n))},
		}
		for name, check := range checks {
			if unitsOf(check.got.units).Cmp(clampUnits(check.want)) != 0 {
				t.Fatalf("%s(%s, %s, %d) = %s", name, a, b, n, check.got)
			}
		}
		if a.Cmp(b) != x.Cmp(y) || a.Less(b) != (x.Cmp(y) < 0) || a.Sign() != x.Sign() || a.IsZero() != (x.Sign() == 0) {
			t.Fatalf("comparing %s with %s", a, b)
		}
		if (a == b) != (a.Cmp(b) == 0) {
			t.Fatalf("== and Cmp disagree on %s and %s", a, b)
		}
	})
}

func TestMoneySumIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cents := rapid.SliceOf(rapid.Int64Range(-1e15, 1e15)).Draw(t, "parts")
		var sum Money
		want := new(big.Int)
		for _, n := range cents {
			part := Money{units: fixed.FromInt64(n)}
			sum = sum.Add(part)
			want.Add(want, big.NewInt(n))
		}
		if unitsOf(sum.units).Cmp(want) != 0 {
			t.Fatalf("sum is %s, want %v units", sum, want)
		}
	})
}

func TestMoneySaturates(t *testing.T) {
	t.Parallel()
	one := MustMoney("1e-12")
	for name, got := range map[string]Money{"Add": maxMoney.Add(one), "Sub": maxMoney.Sub(one.Neg()), "Mul": maxMoney.Mul(2), "Neg": minMoney.Neg()} {
		if got != maxMoney {
			t.Errorf("%s beyond the top gives %s", name, got)
		}
	}
	for name, got := range map[string]Money{"Add": minMoney.Add(one.Neg()), "Sub": minMoney.Sub(one), "Mul": maxMoney.Mul(-2), "Neg": maxMoney.Neg()} {
		if got != minMoney {
			t.Errorf("%s beyond the bottom gives %s", name, got)
		}
	}
	if billion := Dollars(1_000_000_000); !billion.Mul(1_000_000_000).Less(maxMoney) {
		t.Error("a billion billions does not fit")
	}
}

func TestMoneyRound(t *testing.T) {
	t.Parallel()
	tests := []struct {
		amount string
		places int
		want   string
	}{
		{"1.005", 2, "$1"}, {"1.015", 2, "$1.02"}, {"-1.015", 2, "-$1.02"}, {"1.0050000001", 2, "$1.01"},
		{"0.5", 0, "$0"}, {"1.5", 0, "$2"}, {"2.5", 0, "$2"}, {"1.23456", 12, "$1.23456"}, {"1.23456", 99, "$1.23456"},
		{"0.0000000000005", 11, "$0"}, {"0.000000000015", 11, "$0.00000000002"},
		{"1500", -3, "$2000"}, {"2500", -3, "$2000"}, {"499", -3, "$0"}, {"1e26", -30, "$0"}, {"1e26", math.MinInt, "$0"},
	}
	for _, test := range tests {
		if got := MustMoney(test.amount).Round(test.places).String(); got != test.want {
			t.Errorf("%s rounded to %d places is %s, want %s", test.amount, test.places, got, test.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		m, places := anyMoney().Draw(t, "m"), rapid.IntRange(-50, 11).Draw(t, "places")
		unit := powerOfTen(moneyScale - places)
		want := halfEven(new(big.Rat).SetFrac(unitsOf(m.units), unit))
		if got := m.Round(places); unitsOf(got.units).Cmp(clampUnits(want.Mul(want, unit))) != 0 {
			t.Fatalf("%s rounded to %d places is %s", m, places, got)
		}
	})
}

func TestMoneyFloat64(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := anyMoney().Draw(t, "m")
		want, _ := new(big.Rat).SetFrac(unitsOf(m.units), powerOfTen(moneyScale)).Float64()
		if got := m.Float64(); got != want {
			t.Fatalf("%s is %v as a float, want %v", m, got, want)
		}
	})
	// Just above 2^53 units a division of floats would round twice.
	for n := int64(1 << 53); n < 1<<54; n += 1<<43 + 1 {
		m := Money{units: fixed.FromInt64(n)}
		if want, _ := big.NewRat(n, 1e12).Float64(); m.Float64() != want {
			t.Fatalf("%s is %v as a float, want %v", m, m.Float64(), want)
		}
	}
}

func TestMoneyNanos(t *testing.T) {
	t.Parallel()
	tests := []struct {
		amount Money
		want   int64
	}{
		{Money{}, 0},
		{Dollars(1), 1_000_000_000},
		{MustMoney("1e-12"), 1},
		{MustMoney("0.000000001"), 1},
		{MustMoney("0.000000001001"), 2},
		{MustMoney("-1e-12"), 0},
		{MustMoney("-0.000000001999"), -1},
		{Dollars(9_223_372_036), 9_223_372_036_000_000_000},
		{Dollars(9_223_372_037), math.MaxInt64},
		{maxMoney, math.MaxInt64},
		{minMoney, math.MinInt64},
	}
	for _, test := range tests {
		if got := test.amount.nanosUp(); got != test.want {
			t.Errorf("%s is %d nanos, want %d", test.amount, got, test.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64().Draw(t, "n")
		if got := moneyFromNanos(n).nanosUp(); got != n {
			t.Fatalf("%d nanos come back as %d", n, got)
		}
		m := Money{units: fixed.FromInt64(rapid.Int64().Draw(t, "units"))}
		over := moneyFromNanos(m.nanosUp()).Sub(m)
		if over.Sign() < 0 || !over.Less(moneyFromNanos(1)) {
			t.Fatalf("%s counts %s too much as nanos", m, over)
		}
	})
}

func TestMoneyRoundTrips(t *testing.T) {
	t.Parallel()
	type record struct {
		Cost   Money
		Budget *Money
		By     map[Money]Money
	}
	rapid.Check(t, func(t *rapid.T) {
		m := anyMoney().Draw(t, "m")
		if back, err := ParseMoney(m.String()); err != nil || back != m {
			t.Fatalf("%s reads back as %s, %v", m, back, err)
		}
		data, err := json.Marshal(record{Cost: m, Budget: &m, By: map[Money]Money{m: m}})
		if err != nil {
			t.Fatal(err)
		}
		var got record
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if got.Cost != m || *got.Budget != m || got.By[m] != m {
			t.Fatalf("%s comes back from %s as %+v", m, data, got)
		}
		value, err := m.Value()
		if err != nil || !driver.IsValue(value) {
			t.Fatalf("Value = %v, %v", value, err)
		}
		for _, source := range []any{value, []byte(value.(string))} {
			var scanned Money
			if err := scanned.Scan(source); err != nil || scanned != m {
				t.Fatalf("%s comes back from SQL as %s, %v", m, scanned, err)
			}
		}
	})
}

func TestMoneyText(t *testing.T) {
	t.Parallel()
	for amount, want := range map[string]string{"0": "0", "$1.50": "1.5", "-$1e-12": "-0.000000000001", "1e3": "1000"} {
		m := MustMoney(amount)
		text, err := m.MarshalText()
		if err != nil || string(text) != want {
			t.Errorf("MarshalText of %s = %s, %v; want %s", amount, text, err, want)
		}
		quoted, err := m.MarshalJSON()
		if err != nil || string(quoted) != `"`+want+`"` {
			t.Errorf("MarshalJSON of %s = %s, %v; want %q", amount, quoted, err, want)
		}
	}
	m := Dollars(7)
	if err := m.UnmarshalText([]byte("seven")); err == nil || m != Dollars(7) {
		t.Errorf("a bad text gives %v and leaves %s", err, m)
	}
}

func TestMoneyUnmarshalJSON(t *testing.T) {
	t.Parallel()
	good := map[string]Money{
		`0`: {}, `-0.0`: {}, `1E3`: Dollars(1000), `-0.5`: Cents(-50), `4.1400000000000003e-05`: MustMoney("0.0000414"),
		`"0.00123"`: MustMoney("0.00123"), `"$5"`: Dollars(5), `"\u0024\u0035"`: Dollars(5), ` 2 `: Dollars(2),
		`null`: Dollars(7), `0.1234567890125`: MustMoney("0.123456789012"), `1e-999999999`: {},
	}
	for data, want := range good {
		m := Dollars(7)
		if err := json.Unmarshal([]byte(data), &m); err != nil || m != want {
			t.Errorf("%s gives %s, %v; want %s", data, m, err, want)
		}
	}
	bad := []string{`""`, `" 1"`, `"1,000"`, `"NaN"`, `true`, `{}`, `[1]`, `1e99`, `"null"`, `"é"`, `"1\n"`}
	// Not JSON at all, as only a direct call can pass it.
	direct := []string{``, `"`, `"1`, `"1"2"`, `NaN`, `+1`, `$1`, `-`, `"\`}
	for _, data := range append(direct, bad...) {
		m := Dollars(7)
		if err := m.UnmarshalJSON([]byte(data)); err == nil || m != Dollars(7) {
			t.Errorf("%s gives %v and leaves %s, want an error and no change", data, err, m)
		}
	}
}

func TestMoneyScan(t *testing.T) {
	t.Parallel()
	var m Money
	if err := m.Scan(int64(-3)); err != nil || m != Dollars(-3) {
		t.Errorf("Scan(int64) = %s, %v", m, err)
	}
	for message, source := range map[string]any{"not exact": 0.1, "sql.Null[farebox.Money]": nil, "bool": true, "bad amount": "x", "syntax": []byte{}} {
		m := Dollars(7)
		if err := m.Scan(source); err == nil || !strings.Contains(err.Error(), message) || m != Dollars(7) {
			t.Errorf("Scan(%v) leaves %s with error %v, want one that says %q", source, m, err, message)
		}
	}
	var null sql.Null[Money]
	if err := null.Scan(nil); err != nil || null.Valid {
		t.Errorf("sql.Null cannot hold NULL: %+v, %v", null, err)
	}
	if err := null.Scan("0.25"); err != nil || null != (sql.Null[Money]{V: Cents(25), Valid: true}) {
		t.Errorf("sql.Null scans %+v, %v", null, err)
	}
}

// usd is the grammar of ParseMoney; moderateUSD is what big.Rat can expand.
var (
	usd         = regexp.MustCompile(`^[-+]?\$?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$`)
	moderateUSD = regexp.MustCompile(`^[^eE]*([eE][-+]?0*[0-9]{1,3})?$`)
)

// checkUnits compares what was read from text, at a scale, with big.Rat.
func checkUnits(t *testing.T, text string, scale int, got fixed.Int, err error) {
	t.Helper()
	if usd.MatchString(text) == errors.Is(err, strconv.ErrSyntax) {
		t.Fatalf("%q: %v", text, err)
	}
	if !usd.MatchString(text) || !moderateUSD.MatchString(text) {
		return
	}
	exact, ok := new(big.Rat).SetString(strings.Replace(text, "$", "", 1))
	if !ok {
		t.Fatalf("the oracle cannot read %q", text)
	}
	want := halfEven(exact.Mul(exact, new(big.Rat).SetInt(powerOfTen(scale))))
	if want.CmpAbs(unitsOf(fixed.Max)) > 0 {
		if !errors.Is(err, strconv.ErrRange) {
			t.Fatalf("%q gives %v, want a range error", text, err)
		}
		return
	}
	if err != nil || unitsOf(got).Cmp(want) != 0 {
		t.Fatalf("%q gives %v, %v; want %v", text, unitsOf(got), err, want)
	}
}

func FuzzParseMoney(f *testing.F) {
	for _, seed := range []string{"0", "$1.50", "-$0.5", "4.14e-05", "1E3", "1,000", "NaN", "$-1", "$", "1e999999999", ".5", "1e27"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMoney(text)
		checkUnits(t, text, moneyScale, m.units, err)
	})
}

func FuzzMoneyUnmarshalJSON(f *testing.F) {
	for _, seed := range []string{`0`, `"$1.50"`, `-0.5`, `4.1400000000000003e-05`, `null`, `"\u0031"`, `true`, `"1,000"`, `"`, `1e999`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m Money
		err := m.UnmarshalJSON(data) // must not panic, whatever the bytes are
		if !json.Valid(data) || string(data) == "null" || strings.TrimSpace(string(data)) != string(data) {
			return
		}
		var text string
		var number json.Number
		switch {
		case data[0] == '"':
			if json.Unmarshal(data, &text) != nil {
				t.Fatalf("the oracle cannot read %q", data)
			}
		case json.Unmarshal(data, &number) == nil:
			text = number.String()
		case err == nil:
			t.Fatalf("%s gives %s", data, m)
		default:
			return
		}
		checkUnits(t, text, moneyScale, m.units, err)
	})
}

func TestMoneyAllocations(t *testing.T) {
	m, text, data := MustMoney("12.345678"), []byte("4.1400000000000003e-05"), []byte(`"0.00123"`)
	buf := make([]byte, 0, 64)
	var sink float64
	for name, run := range map[string]func(){
		"Add":           func() { m = m.Add(Cents(1)) },
		"Sub":           func() { m = m.Sub(Cents(1)) },
		"Cmp":           func() { _ = m.Cmp(Dollars(1)) },
		"Round":         func() { _ = m.Round(2) },
		"nanosUp":       func() { _ = m.nanosUp() },
		"Float64":       func() { sink = Cents(1_234_567_89).Float64() },
		"ParseMoney":    func() { m, _ = ParseMoney("$12.50") },
		"UnmarshalText": func() { _ = m.UnmarshalText(text) },
		"UnmarshalJSON": func() { _ = m.UnmarshalJSON(data) },
		"AppendText":    func() { buf, _ = m.AppendText(buf[:0]) },
	} {
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	_ = sink
	if n := testing.AllocsPerRun(100, func() { _ = m.String() }); n > 1 {
		t.Errorf("String: %v allocations", n)
	}
}

func BenchmarkMoney(b *testing.B) {
	m, cent := MustMoney("12.345678"), Cents(1)
	b.Run("Add", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m = m.Add(cent)
		}
	})
	b.Run("Parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = ParseMoney("0.00123456")
		}
	})
	b.Run("AppendText", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 64)
		for b.Loop() {
			buf, _ = m.AppendText(buf[:0])
		}
	})
	b.Run("String", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = m.String()
		}
	})
}

func ExampleMoney() {
	budget, cost := Dollars(50), MustMoney("0.00123")
	fmt.Println(budget.Sub(cost))
	fmt.Println(cost.Mul(1000) == Cents(123))
	// Output:
	// $49.99877
	// true
}
