package farebox_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// million makes rates of input and output, in dollars per million.
func million(input, output string) farebox.Rates {
	return farebox.Rates{farebox.DimensionInput: farebox.MustPerMillion(input), farebox.DimensionOutput: farebox.MustPerMillion(output)}
}

// priceCase is what an answer costs by a price.
type priceCase struct {
	issues string
	price  farebox.Price
	answer func(whole string) string // changes chatAnswer; nil: its usage is of 100 and 10 tokens
	cost   string
}

// using puts another usage into an answer.
func using(usage string) func(string) string {
	return func(whole string) string { return strings.Replace(whole, usageJSON, usage, 1) }
}

// with puts another member into an answer.
func with(member string) func(string) string {
	return func(whole string) string { return strings.Replace(whole, `"choices"`, member+`,"choices"`, 1) }
}

func runPriceCases(t *testing.T, cases []priceCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.issues, func(t *testing.T) {
			t.Parallel()
			body := chatAnswer
			if c.answer != nil {
				body = c.answer(body)
			}
			p := serve(t, answers(200, body))
			meter := newMeter(t, farebox.WithModels(farebox.Model{Name: testModel, Prices: []farebox.Price{c.price}}))
			readAll(t, mustPost(t, meter.HTTPClient(), p.URL, chatJSON))
			if receipt := onlyReceipt(t, meter); receipt.Cost != farebox.MustMoney(c.cost) {
				t.Errorf("%s, want $%s; lines %+v", receipt, c.cost, receipt.Lines)
			}
		})
	}
}

func TestRegressions_TiersAreOfTheWholeRequest(t *testing.T) {
	t.Parallel()
	long := func(tokens string) func(string) string {
		return using(`{"prompt_tokens":` + tokens + `,"completion_tokens":1000,"total_tokens":0}`)
	}
	tiers := farebox.Price{Rates: million("1", "5"), Tiers: []farebox.Tier{
		{Over: 128_000, Rates: million("4", "20")}, {Over: 90_000, Rates: million("2", "10")}, // not in their order
	}}
	runPriceCases(t, []priceCase{
		{"LiteLLM 30345: the highest that was reached", tiers, long("200000"), "0.82"},
		{"LiteLLM 30135, 30344: the one between", tiers, long("100000"), "0.21"},
		{"tokscale 862, 1223: every token of the request, not those above", tiers, long("129000"), "0.536"},
		{"opencode 42919: not at the boundary itself", tiers, long("128000"), "0.266"},
		{"LiteLLM 15338: but where it says so", farebox.Price{Rates: million("1", "5"),
			Tiers: []farebox.Tier{{Over: 128_000, Inclusive: true, Rates: million("4", "20")}}}, long("128000"), "0.532"},
		{"pi 7912: what a tier does not name stays", farebox.Price{Rates: million("1", "5"),
			Tiers: []farebox.Tier{{Over: 90_000, Rates: farebox.Rates{farebox.DimensionInput: farebox.MustPerMillion("2")}}}}, long("100000"), "0.205"},
	})
}

func TestRegressions_ServiceTiersHaveTheirPrice(t *testing.T) {
	t.Parallel()
	price := farebox.Price{Rates: million("1", "2"), Overrides: []farebox.Override{
		{When: farebox.When{ServiceTier: "flex"}, Multiplier: farebox.MustFactor("0.5")},
		{When: farebox.When{ServiceTier: "priority"}, Rates: million("2.5", "5")},
		{When: farebox.When{Region: "us"}, Multiplier: farebox.MustFactor("1.1")},
	}}
	runPriceCases(t, []priceCase{
		{"LiteLLM 13810: flex", price, with(`"service_tier":"flex"`), "0.00006"},
		{"LiteLLM 37046, 37647: priority", price, with(`"service_tier":"priority"`), "0.0003"},
		{"the usual one, by another name", price, with(`"service_tier":"default"`), "0.00012"},
	})
}

// Names are looked up as they are, and as their aliases say; what a provider calls what it serves is one of them.
func TestRegressions_NamesAreFound(t *testing.T) {
	t.Parallel()
	for issues, c := range map[string]struct{ asked, served string }{
		"LiteLLM 38069: a name with a slash":       {"vendor/family/model-1", "vendor/family/model-1"},
		"LiteLLM 38062, 19532: an alias is served": {"vendor/family/model-1", "model-1-20260102"},
		"LiteLLM 19019: an alias is asked for":     {"model-1-latest", "vendor/family/model-1"},
		"LiteLLM 42200: served with its prefix":    {"model-1-latest", "model-1-20260102"},
	} {
		t.Run(issues, func(t *testing.T) {
			t.Parallel()
			p := serve(t, answers(200, strings.ReplaceAll(chatAnswer, testModel, c.served)))
			meter := newMeter(t, dollar, farebox.WithModels(farebox.Model{
				Name: "vendor/family/model-1", Aliases: []string{"model-1-20260102", "model-1-latest"}, Prices: []farebox.Price{{Rates: million("1", "2")}},
			}))
			readAll(t, mustPost(t, meter.HTTPClient(), p.URL, strings.Replace(chatJSON, testModel, c.asked, 1)))
			if receipt := onlyReceipt(t, meter); receipt.Cost != chatCost || receipt.Source != farebox.Computed {
				t.Errorf("%s, want %s", receipt, chatCost)
			}
		})
	}
}

// A price that is missing is not a price of nothing, in any of the ways in which one can be missing.
func TestRegressions_MissingPricesAreNotZero(t *testing.T) {
	t.Parallel()
	for issues, c := range map[string]struct {
		rates farebox.Rates
		usage string
	}{
		"LiteLLM 25604, 4305: no rate for the output": {farebox.Rates{farebox.DimensionInput: farebox.MustPerMillion("1")}, usageJSON},
		"LiteLLM 6478, Langfuse 2112: none for a search": {million("1", "2"),
			`{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110,"server_tool_use":{"web_search_requests":2}}`},
		"LiteLLM 8311, Agenta 5711, 5714: none at all": {nil, usageJSON},
	} {
		t.Run(issues, func(t *testing.T) {
			t.Parallel()
			p := serve(t, answers(200, strings.ReplaceAll(using(c.usage)(chatAnswer), testModel, "partly")))
			var options []farebox.MeterOption
			if c.rates != nil {
				options = append(options, farebox.WithPrice("partly", c.rates))
			}
			meter := newMeter(t, options...)
			readAll(t, mustPost(t, meter.HTTPClient(), p.URL, strings.Replace(chatJSON, testModel, "partly", 1)))
			if receipt := onlyReceipt(t, meter); receipt.Source == farebox.Computed && !receipt.HasFlag(farebox.FlagIncompletePrice) {
				t.Errorf("%s, flags %v", receipt, receipt.Flags)
			}
		})
	}
}

// A stream's answers cost the same however they are cut into packets and events.
func TestLiteLLM8913_AnyFramingOfTheUsage(t *testing.T) {
	t.Parallel()
	byteByByte := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range wholeStream {
			_, _ = w.Write([]byte{wholeStream[i]})
			w.(http.Flusher).Flush()
		}
	}
	for name, handler := range map[string]http.HandlerFunc{
		"byte by byte": byteByByte, "at once": streams(wholeStream), "with CR": streams(strings.ReplaceAll(wholeStream, "\n", "\r\n")),
		"usage with the last choice": streams(helloChunk, strings.Replace(stopChunk, `"choices"`, `"usage":`+usageJSON+`,"choices"`, 1), doneChunk),
		"without a terminator":       streams(helloChunk, stopChunk, usageChunk),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, handler)
			meter := newMeter(t, dollar)
			readAll(t, mustPost(t, meter.HTTPClient(), p.URL, streamJSON))
			if receipt := onlyReceipt(t, meter); receipt.Cost != chatCost || bookedIn(t, meter) != chatCost {
				t.Errorf("%s", receipt)
			}
		})
	}
}
