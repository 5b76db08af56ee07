package farebox

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/farebox-go/farebox/internal/fixed"
	"pgregory.net/rapid"
)

var (
	_ fmt.Stringer             = Rate{}
	_ encoding.TextAppender    = Rate{}
	_ encoding.TextMarshaler   = Rate{}
	_ encoding.TextUnmarshaler = (*Rate)(nil)
	_ json.Marshaler           = Rate{}
	_ json.Unmarshaler         = (*Rate)(nil)
)

var maxRate = Rate{units: fixed.Max}

// anyRate draws rates as price lists have them, and far beyond.
func anyRate() *rapid.Generator[Rate] {
	return rapid.Custom(func(t *rapid.T) Rate {
		return Rate{units: rapid.OneOf(
			rapid.Map(rapid.Int64Range(0, 5000), func(cents int64) fixed.Int { return fixed.FromInt64(cents).MulPow10(16) }),
			rapid.Map(rapid.Int64Min(0), fixed.FromInt64),
			rapid.Custom(func(t *rapid.T) fixed.Int {
				return fixed.Int{Hi: rapid.Int64Min(0).Draw(t, "hi"), Lo: rapid.Uint64().Draw(t, "lo")}
			}),
		).Draw(t, "units")}
	})
}

func TestParseRate(t *testing.T) {
	t.Parallel()
	tests := []struct{ perUnit, perMillion, wantUnit, wantMillion string }{
		{"0", "0", "0", "0"},
		{"-0", "-0.00", "0", "0"},
		{"0.00000025", "0.25", "0.00000025", "0.25"},
		{"2.5e-7", "$0.25", "0.00000025", "0.25"},
		{"0.000015", "15", "0.000015", "15"},
		{"$0.04", "4E4", "0.04", "40000"},
		{"1e-24", "1e-18", "0.000000000000000000000001", "0.000000000000000001"},
		{"8.3333333333333333333e-8", "0.083333333333333333333", "0.000000083333333333333333", "0.083333333333333333"},
		{"1.5e-24", "1.5e-18", "0.000000000000000000000002", "0.000000000000000002"},
		{"5e-25", "5e-19", "0", "0"},
	}
	for _, test := range tests {
		rate, err := ParseRate(test.perUnit)
		if err != nil || rate.String() != test.wantUnit || rate.PerMillionString() != test.wantMillion {
			t.Errorf("ParseRate(%q) = %s, %v; want %s", test.perUnit, rate, err, test.wantUnit)
		}
		if million, err := PerMillion(test.perMillion); err != nil || million != rate {
			t.Errorf("PerMillion(%q) = %s, %v; want %s", test.perMillion, million, err, rate)
		}
	}
}

func TestParseRateErrors(t *testing.T) {
	t.Parallel()
	parsers := map[string]func(string) (Rate, error){"ParseRate": ParseRate, "PerMillion": PerMillion}
	tests := map[error][]string{
		strconv.ErrSyntax: {"", "-", "$", "$-1", "1,5", "NaN", "Inf", "free", "-x", " 1"},
		strconv.ErrRange:  {"1e99", "1e999999999"},
		errNegativeRate:   {"-1", "-$1", "-0.00000025", "-1e-99", "-1e-999999999"},
	}
	for name, parse := range parsers {
		for want, texts := range tests {
			for _, text := range texts {
				rate, err := parse(text)
				if !errors.Is(err, want) || !rate.IsZero() || !strings.Contains(err.Error(), strconv.Quote(text)) {
					t.Errorf("%s(%q) = %s, %v; want %v", name, text, rate, err, want)
				}
			}
		}
	}
	if _, err := ParseRate("-1"); err == nil || !strings.Contains(err.Error(), "varies") {
		t.Errorf("the error for OpenRouter's -1 does not explain it: %v", err)
	}
}

func TestMustRatePanics(t *testing.T) {
	t.Parallel()
	for name, must := range map[string]func(string) Rate{"MustRate": MustRate, "MustPerMillion": MustPerMillion} {
		func() {
			defer func() {
				if err, ok := recover().(error); !ok || !errors.Is(err, errNegativeRate) {
					t.Errorf("%s panicked with %v, want the parse error", name, err)
				}
			}()
			must("-1")
		}()
		if got := must("2.5"); got.IsZero() {
			t.Errorf("%s(2.5) is zero", name)
		}
	}
}

func TestRateTimes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rate     Rate
		quantity int64
		want, up string
	}{
		{Rate{}, math.MaxInt64, "$0", "$0"},
		{MustPerMillion("0.25"), 0, "$0", "$0"},
		{MustPerMillion("0.25"), -5, "$0", "$0"},
		{MustPerMillion("0.25"), 1, "$0.00000025", "$0.00000025"},
		{MustPerMillion("0.25"), 4920, "$0.00123", "$0.00123"},
		{MustPerMillion("15"), 1_000_000, "$15", "$15"},
		{MustRate("1.5e-12"), 1, "$0.000000000002", "$0.000000000002"},
		{MustRate("2.5e-12"), 1, "$0.000000000002", "$0.000000000003"},
		{MustRate("2.5e-12"), 3, "$0.000000000008", "$0.000000000008"},
		{MustRate("1e-24"), 1, "$0", "$0.000000000001"},
		{MustRate("0.083333333333333333333333"), 12, "$1", "$1"},
		{maxRate, 1, "$170141183460469.231731687304", "$170141183460469.231731687304"},
		{maxRate, math.MaxInt64, maxMoney.String(), maxMoney.String()},
	}
	for _, test := range tests {
		if got := test.rate.Times(test.quantity).String(); got != test.want {
			t.Errorf("%s times %d = %s, want %s", test.rate, test.quantity, got, test.want)
		}
		if got := test.rate.TimesUp(test.quantity).String(); got != test.up {
			t.Errorf("%s times %d, up = %s, want %s", test.rate, test.quantity, got, test.up)
		}
	}
}

func TestRateTimesMatchesRat(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate := anyRate().Draw(t, "rate")
		quantity := rapid.OneOf(rapid.Int64Range(0, 2_000_000), rapid.Int64Min(0)).Draw(t, "quantity")
		product := new(big.Int).Mul(unitsOf(rate.units), big.NewInt(quantity))
		exact := new(big.Rat).SetFrac(product, powerOfTen(rateScale-moneyScale))
		if got := rate.Times(quantity); unitsOf(got.units).Cmp(clampUnits(halfEven(exact))) != 0 {
			t.Fatalf("%s times %d = %s, want %s", rate, quantity, got, exact.FloatString(moneyScale))
		}
		up := new(big.Int).Div(exact.Num(), exact.Denom())
		if !exact.IsInt() {
			up.Add(up, big.NewInt(1))
		}
		if got := rate.TimesUp(quantity); unitsOf(got.units).Cmp(clampUnits(up)) != 0 {
			t.Fatalf("%s times %d, up = %s, want %v units", rate, quantity, got, up)
		}
	})
}

// Rates with a half unit per token tie at every odd quantity.
func TestRateTimesTies(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		halves := rapid.Int64Range(1, 1_000_000).Draw(t, "halves")
		quantity := rapid.Int64Range(1, 1_000_000).Draw(t, "quantity")
		rate := Rate{units: fixed.FromInt64(halves).Mul(unitsPerMoneyUnit / 2)}
		want := halfEven(big.NewRat(halves*quantity, 2))
		if got := rate.Times(quantity); unitsOf(got.units).Cmp(want) != 0 {
			t.Fatalf("%s times %d = %s, want %v units", rate, quantity, got, want)
		}
	})
}

func TestRateScale(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rate     Rate
		num, den int64
		want     string
	}{
		{MustPerMillion("0.25"), 1, 1, "0.25"},
		{MustPerMillion("0.25"), 11, 10, "0.275"},
		{MustPerMillion("3"), 1, 2, "1.5"},
		{MustPerMillion("1"), 1, 3, "0.333333333333333333"},
		{MustPerMillion("1"), 2, 3, "0.666666666666666667"},
		{MustRate("1e-24"), 1, 2, "0"},
		{MustRate("3e-24"), 1, 2, "0.000000000000000002"},
		{MustPerMillion("0.25"), 0, 5, "0"},
		{maxRate, 11, 10, maxRate.PerMillionString()},
		{MustPerMillion("1"), -1, 1, maxRate.PerMillionString()},
		{MustPerMillion("1"), 1, -1, maxRate.PerMillionString()},
		{Rate{}, 1, 0, maxRate.PerMillionString()},
	}
	for _, test := range tests {
		if got := test.rate.Scale(test.num, test.den).PerMillionString(); got != test.want {
			t.Errorf("%s scaled by %d/%d = %s, want %s", test.rate.PerMillionString(), test.num, test.den, got, test.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		rate := anyRate().Draw(t, "rate")
		num, den := rapid.Int64Min(0).Draw(t, "num"), rapid.Int64Min(1).Draw(t, "den")
		product := new(big.Int).Mul(unitsOf(rate.units), big.NewInt(num))
		want := clampUnits(halfEven(new(big.Rat).SetFrac(product, big.NewInt(den))))
		if got := rate.Scale(num, den); unitsOf(got.units).Cmp(want) != 0 {
			t.Fatalf("%s scaled by %d/%d = %s, want %v units", rate, num, den, got, want)
		}
	})
}

func TestRateCompares(t *testing.T) {
	t.Parallel()
	low, high := MustPerMillion("0.25"), MustPerMillion("0.250000000000000001")
	if low.Cmp(high) != -1 || high.Cmp(low) != 1 || low.Cmp(MustRate("2.5e-7")) != 0 || low == high {
		t.Errorf("%s and %s are ordered wrongly", low, high)
	}
	if !(Rate{}).IsZero() || low.IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestRateRoundTrips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate := anyRate().Draw(t, "rate")
		if back, err := ParseRate(rate.String()); err != nil || back != rate {
			t.Fatalf("%s reads back as %s, %v", rate, back, err)
		}
		if back, err := PerMillion(rate.PerMillionString()); err != nil || back != rate {
			t.Fatalf("%s per million reads back as %s, %v", rate.PerMillionString(), back, err)
		}
		data, err := json.Marshal(map[string]Rate{rate.String(): rate})
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(`{%q:%q}`, rate, rate); string(data) != want {
			t.Fatalf("JSON is %s, want %s", data, want)
		}
		var back map[Rate]Rate
		if err := json.Unmarshal(data, &back); err != nil || back[rate] != rate {
			t.Fatalf("%s reads back as %v, %v", data, back, err)
		}
	})
}

func TestRateUnmarshal(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]Rate{`2.5e-07`: MustPerMillion("0.25"), `"0.00000025"`: MustPerMillion("0.25"), `0`: {}, `null`: MustRate("7")} {
		rate := MustRate("7")
		if err := json.Unmarshal([]byte(data), &rate); err != nil || rate != want {
			t.Errorf("%s gives %s, %v; want %s", data, rate, err, want)
		}
	}
	for _, data := range []string{`"-1"`, `-1`, `""`, `true`, `[]`, `"1,5"`} {
		rate := MustRate("7")
		if err := json.Unmarshal([]byte(data), &rate); err == nil || rate != MustRate("7") {
			t.Errorf("%s gives %v and leaves %s, want an error and no change", data, err, rate)
		}
	}
}

func FuzzParseRate(f *testing.F) {
	for _, seed := range []string{"0", "0.00000025", "2.5e-7", "-1", "-0", "$15", "0.083333333333333333333", "1e999999999", "-1e-99", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for scale, parse := range map[int]func(string) (Rate, error){rateScale: ParseRate, perMillionScale: PerMillion} {
			rate, err := parse(text)
			if !errors.Is(err, errNegativeRate) {
				checkUnits(t, text, scale, rate.units, err)
			} else if !strings.HasPrefix(text, "-") || !strings.ContainsAny(text, "123456789") {
				t.Fatalf("%q is not negative", text)
			}
			if rate.units.Sign() < 0 {
				t.Fatalf("%q gives the negative rate %s", text, rate)
			}
		}
	})
}

func TestRateAllocations(t *testing.T) {
	rate, data, buf := MustPerMillion("0.25"), []byte("2.5e-07"), make([]byte, 0, 64)
	var sink Money
	for name, run := range map[string]func(){
		"Times":         func() { sink = rate.Times(123_456) },
		"TimesUp":       func() { sink = rate.TimesUp(123_456) },
		"Scale":         func() { _ = rate.Scale(11, 10) },
		"ParseRate":     func() { rate, _ = ParseRate("0.00000025") },
		"PerMillion":    func() { rate, _ = PerMillion("0.25") },
		"UnmarshalJSON": func() { _ = rate.UnmarshalJSON(data) },
		"AppendText":    func() { buf, _ = rate.AppendText(buf[:0]) },
	} {
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	_ = sink
}

func BenchmarkRate(b *testing.B) {
	rate := MustPerMillion("0.25")
	b.Run("Times", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = rate.Times(123_456)
		}
	})
	b.Run("Parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = ParseRate("0.00000025")
		}
	})
}

func ExampleRate() {
	input := MustPerMillion("0.25")
	fmt.Println(input.Times(4920))
	fmt.Println(input)
	// Output:
	// $0.00123
	// 0.00000025
}
