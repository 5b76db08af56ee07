package farebox

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// fill sets about half of what a value has, by its type, so that no field of a receipt is forgotten.
func fill(v reflect.Value, random *rand.Rand) {
	if random.IntN(2) == 0 {
		return
	}
	switch v.Addr().Interface().(type) {
	case *Money:
		v.Set(reflect.ValueOf(moneyFromNanos(random.Int64N(2e12) - 1e12)))
		return
	case *Rate:
		v.Set(reflect.ValueOf(MustRate(fmt.Sprint(random.IntN(100)))))
		return
	case *Factor:
		v.Set(reflect.ValueOf(MustFactor(fmt.Sprintf("1.%d", random.IntN(1000)))))
		return
	case *time.Time:
		v.Set(reflect.ValueOf(time.Unix(random.Int64N(4e9), random.Int64N(1e9)).In(time.FixedZone("", random.IntN(3)*1800))))
		return
	case *json.RawMessage:
		v.SetBytes([]byte(`{ "input": 1,  "text": "<&>" }`))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), random)
		}
	case reflect.String:
		texts := []string{"gpt-4o-mini", "a/b:c", "ü", "quote\"and\\", "<b>&", "line\nend", "\u2028", "\xff", "\x7f", "\x00", ""}
		v.SetString(texts[random.IntN(len(texts))])
	case reflect.Int, reflect.Int64:
		v.SetInt(random.Int64() >> random.IntN(64))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), random)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), random.IntN(3), 3))
		for i := range v.Len() {
			fill(v.Index(i), random)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range random.IntN(12) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(key, random)
			fill(value, random)
			v.SetMapIndex(key, value)
		}
	default:
		panic("a receipt has a field of a kind that this test does not fill: " + v.Kind().String())
	}
}

// TestAppendJSON: it is json.Marshal, byte for byte, whatever is set.
func TestAppendJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	before := []byte("{")
	for range 5000 {
		var r Receipt
		for i := range reflect.TypeFor[Receipt]().NumField() {
			fill(reflect.ValueOf(&r).Elem().Field(i), random)
		}
		want, err := json.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.AppendJSON(before[:1])
		if err != nil || string(got[1:]) != string(want) {
			t.Fatalf("%v\n got %s\nwant %s", err, got[1:], want)
		}
	}
	if _, err := (&Receipt{Start: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}).AppendJSON(nil); err == nil {
		t.Error("the year 10000 passed")
	}
	if _, err := (&Receipt{RawUsage: json.RawMessage("{")}).AppendJSON(nil); err == nil {
		t.Error("usage that is not JSON passed")
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	r := Receipt{
		Schema: 1, ID: newID(noon), CallID: newID(noon), Attempt: 1, Start: noon, Duration: time.Second, Endpoint: "openai", KeyLabel: "key-1",
		Operation: "chat", ModelAsked: "gpt-4o-mini", Model: "gpt-4o-mini-2024-07-18", Status: 200, Tags: Tags{"team": "search", "user": "u1"},
		Usage: Usage{Input: 1200, Output: 300, Requests: 1}, Cost: MustMoney("0.00036"), Source: Computed,
		Lines: []Line{
			{Dimension: DimensionInput, Quantity: 1200, Rate: MustRate("0.00000015"), Amount: MustMoney("0.00018")},
			{Dimension: DimensionOutput, Quantity: 300, Rate: MustRate("0.0000006"), Amount: MustMoney("0.00018")},
		},
		Budgets: []BudgetCharge{{Budget: "prod", Held: MustMoney("0.001"), Charged: MustMoney("0.00036")}},
	}
	buf := make([]byte, 0, 4096)
	b.Run("AppendJSON", func(b *testing.B) {
		for b.Loop() {
			_, _ = r.AppendJSON(buf)
		}
	})
	b.Run("Marshal", func(b *testing.B) {
		for b.Loop() {
			_, _ = json.Marshal(&r)
		}
	})
}
