package farebox_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

func TestMaxPrice(t *testing.T) {
	t.Parallel()
	rates := func(input, output string) farebox.Rates {
		return farebox.Rates{farebox.DimensionInput: farebox.MustRate(input), farebox.DimensionOutput: farebox.MustRate(output)}
	}
	budget := farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(10)})
	const (
		call = `{"model":"acme/one","max_tokens":5,"messages":[]`
		set  = `"max_price":{"completion":2.5,"prompt":0.075}`
	)
	for name, test := range map[string]struct {
		url, body string
		options   []farebox.MeterOption
		want      string // in the body that is sent; empty: it is sent as it came
	}{
		"under a budget":      {"openrouter.ai/api/v1", call + `}`, []farebox.MeterOption{budget}, call + `,"provider":{` + set + `}}`},
		"beside preferences":  {"openrouter.ai/api/v1", call + `,"provider":{"sort":"price"}}`, []farebox.MeterOption{budget}, call + `,"provider":{"sort":"price",` + set + `}}`},
		"dearest of several":  {"openrouter.ai/api/v1", call + `,"models":["acme/two"]}`, []farebox.MeterOption{budget}, `"max_price":{"completion":2.5,"prompt":4}`},
		"its own":             {"openrouter.ai/api/v1", call + `,"provider":{"max_price":{"prompt":1}}}`, []farebox.MeterOption{budget}, ""},
		"no budget":           {"openrouter.ai/api/v1", call + `}`, nil, ""},
		"a budget of tokens":  {"openrouter.ai/api/v1", call + `}`, []farebox.MeterOption{farebox.WithBudget(farebox.Budget{Name: "b", Tokens: 1e6})}, ""},
		"a budget that looks": {"openrouter.ai/api/v1", call + `}`, []farebox.MeterOption{farebox.WithBudget(farebox.Budget{Name: "b", Observe: true})}, ""},
		"turned off":          {"openrouter.ai/api/v1", call + `}`, []farebox.MeterOption{budget, farebox.WithoutMaxPrice()}, ""},
		"another provider":    {"api.acme.test/v1", call + `}`, []farebox.MeterOption{budget}, ""},
	} {
		provider := &lastBody{}
		meter := newMeter(t, append(test.options, farebox.WithBaseTransport(provider),
			farebox.WithPrice("acme/one", rates("0.000000075", "0.0000025")), farebox.WithPrice("acme/two", rates("0.000004", "0.000001")))...)
		resp, err := post(t, meter.HTTPClient(), "https://"+test.url, test.body)
		must(t, err)
		finish(t, resp)
		edited := slices.Contains(onlyReceipt(t, meter).Edits, "provider.max_price")
		if want := test.want; want == "" && (string(provider.body) != test.body || edited) || !strings.Contains(string(provider.body), want) || edited != (want != "") {
			t.Errorf("%s: sent %s, edited %v, want %s", name, provider.body, edited, want)
		}
	}
}

// Where only dearer providers are left OpenRouter refuses the call, and that costs nothing.
func TestMaxPriceThatNobodyMeets(t *testing.T) {
	t.Parallel()
	meter := newMeter(t, farebox.WithPrice("acme/one", coinRates("0.01")), farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(10)}),
		farebox.WithBaseTransport(roundTripper(func(*http.Request) (*http.Response, error) {
			return reply(503, `{"error":{"code":503,"message":"No endpoints found that satisfy the max price"}}`), nil
		})))
	resp, err := post(t, meter.HTTPClient(), "https://openrouter.ai/api/v1", `{"model":"acme/one","max_tokens":5,"messages":[]}`)
	must(t, err)
	finish(t, resp)
	if r := onlyReceipt(t, meter); r.Source != farebox.Unbilled || !meter.Guard().Snapshot()[0].Spent.IsZero() {
		t.Errorf("%s %s", r.Source, r.Cost)
	}
}
