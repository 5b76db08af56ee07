package farebox_test

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
)

func TestReadBudgets(t *testing.T) {
	t.Parallel()
	file := `{"$schema":"budgets.schema.json","budgets":[
		{"name":"prod","cap":"50.25","window":"weekly from Sunday in Europe/Zurich","when_full":"fit","min_output_tokens":100,
		 "thresholds":[75],"scope":{"endpoint":"openai","model":"gpt-4o","key":"main","tags":{"team":"search"}}},
		{"name":"each","tokens":200000,"window":"rolling 1h","per":"user","max_values":10,"when_full":"wait"},
		{"name":"trial","cap":5,"expires":"2027-01-01T00:00:00Z","hold":"progressive","tolerance_percent":10,"strict":true,"observe":true,"charge_only":true},
		{"name":"closed","cap":0}]}`
	got, err := farebox.ReadBudgets(strings.NewReader(file))
	must(t, err)
	want := []farebox.Budget{
		{Name: "prod", Cap: farebox.MustMoney("50.25"), Window: farebox.Weekly.StartingOn(time.Sunday).In("Europe/Zurich"), WhenFull: farebox.Fit,
			MinOutputTokens: 100, Thresholds: []int{75}, Scope: farebox.Scope{Endpoint: "openai", Model: "gpt-4o", Key: "main", Tags: farebox.Tags{"team": "search"}}},
		{Name: "each", Tokens: 200_000, Window: farebox.Rolling(time.Hour), Per: "user", MaxValues: 10, WhenFull: farebox.Wait},
		{Name: "trial", Cap: farebox.Dollars(5), Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), Hold: farebox.Progressive,
			TolerancePercent: 10, Strict: true, Observe: true, ChargeOnly: true},
		{Name: "closed"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v\nwant %+v", got, want)
	}
	written, err := json.Marshal(map[string]any{"budgets": got[:3]}) // a cap of nothing is left out, and so refused
	must(t, err)
	if again, err := farebox.ReadBudgets(strings.NewReader(string(written))); err != nil || !reflect.DeepEqual(again, want[:3]) {
		t.Errorf("%v: written %s", err, written)
	}
	for mistake, says := range map[string]string{
		`{"budgets":[{"name":"b"}]}`:                                          `budget 1 ("b"): want a cap, tokens or requests`,
		`{"budgets":[{"name":"b","cap":"1","colour":"red"}]}`:                 `unknown field "colour"`,
		`{"budgets":[{"cap":"1"}]}`:                                           "needs a name",
		`{"budgets":[{"name":"b","cap":"one"}]}`:                              "one",
		`{"budgets":[{"name":"b","cap":"1","window":"fortnightly"}]}`:         `window "fortnightly" is not known`,
		`{"budgets":[{"name":"b","cap":"1","window":"daily from day 3"}]}`:    "want a weekly window",
		`{"budgets":[{"name":"b","cap":"1","window":"monthly from day 32"}]}`: "from 1 to 31",
		`{"budgets":[{"name":"b","cap":"1","window":"daily in Atlantis"}]}`:   "not known",
		`{"budgets":[{"name":"b","cap":"1","window":"rolling home"}]}`:        "want a duration",
		`{"budgets":[{"name":"b","cap":"1"},{"name":"b","cap":"1"}]}`:         "two budgets",
		`{"budgets":[]} {}`: "something follows",
		`[]`:                "budgets",
	} {
		if _, err := farebox.ReadBudgets(strings.NewReader(mistake)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", mistake, err, says)
		}
	}
}

func FuzzReadBudgets(f *testing.F) {
	f.Add(`{"budgets":[{"name":"prod","cap":"50","window":"monthly from day 31 in UTC"}]}`)
	f.Fuzz(func(t *testing.T, file string) {
		budgets, err := farebox.ReadBudgets(strings.NewReader(file))
		if err != nil {
			return
		}
		if _, err := farebox.NewMeter(farebox.WithCatalog(&farebox.Catalog{}), farebox.WithBudget(budgets...)); err != nil {
			t.Fatalf("%s was read, and is refused: %v", file, err)
		}
	})
}

func TestApply(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{}, farebox.WithBudget(
		farebox.Budget{Name: "stays", Cap: farebox.Dollars(1)}, farebox.Budget{Name: "goes", Cap: farebox.Dollars(1)}))
	mustSpend(t, meter, coinCall{limit: 10, tokens: 10})
	guard := meter.Guard()
	names := func() (all []string) {
		for _, b := range guard.Budgets() {
			all = append(all, b.Name)
		}
		return all
	}
	if err := guard.Apply([]farebox.Budget{{Name: "new"}, {Name: "bad", WhenFull: "sing"}}); err == nil || !slices.Equal(names(), []string{"stays", "goes"}) {
		t.Errorf("%v: %v", err, names())
	}
	must(t, guard.Apply([]farebox.Budget{{Name: "new", Cap: farebox.Dollars(2)}, {Name: "stays", Cap: farebox.Cents(15)}}))
	if !slices.Equal(names(), []string{"stays", "new"}) {
		t.Errorf("budgets %v", names())
	}
	cents(t, meter, "stays", 10)
	cents(t, meter, "new", 10)
	mustRefuse(t, meter, coinCall{limit: 6})
}

// The schema has every member that a file may have, and no other.
func TestBudgetSchema(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("docs/budgets.schema.json")
	must(t, err)
	var schema struct {
		Defs map[string]struct {
			Properties           map[string]any `json:"properties"`
			AdditionalProperties *bool          `json:"additionalProperties"`
		} `json:"$defs"`
	}
	must(t, json.Unmarshal(data, &schema))
	for name, v := range map[string]any{"budget": farebox.Budget{}, "scope": farebox.Scope{}} {
		def := schema.Defs[name]
		fields := 0
		for i := range reflect.TypeOf(v).NumField() {
			field := reflect.TypeOf(v).Field(i)
			member, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if _, ok := def.Properties[member]; !ok || member == "" {
				t.Errorf("%s.%s: member %q is not in the schema", name, field.Name, member)
			}
			fields++
		}
		if fields != len(def.Properties) || def.AdditionalProperties == nil || *def.AdditionalProperties {
			t.Errorf("%s: the schema has %d members, or takes others; want %d", name, len(def.Properties), fields)
		}
	}
}
