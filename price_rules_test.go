package farebox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
)

// ruleCase is a row of the file of price rules: what holds when, and what is no price, no usage and no model's name.
type ruleCase struct {
	ID       string          `json:"id"`
	Kind     string          `json:"kind"`
	Input    json.RawMessage `json:"input"`
	Expected json.RawMessage `json:"expected"`
}

func (c *ruleCase) read(t *testing.T, input, expected any) {
	t.Helper()
	for raw, into := range map[*json.RawMessage]any{&c.Input: input, &c.Expected: expected} {
		if err := json.Unmarshal(*raw, into); into != nil && err != nil {
			t.Fatalf("%s: %s: %v", c.ID, *raw, err)
		}
	}
}

// TestPriceRules checks every rule through the public API: prices under conditions, OpenRouter's price lists, usage objects,
// names of models, hosts.
func TestPriceRules(t *testing.T) {
	t.Parallel()
	checks := map[string]func(*testing.T, *ruleCase){
		"time_window": checkWindow, "weekday_window": checkWindow,
		"openrouter_override": checkOverride, "openrouter_discount": checkDiscount, "price_string": checkPriceString,
		"impossible_usage": checkImpossible, "invalid_quantity": checkQuantity,
		"model_alias": checkAlias, "model_alias_negative": checkNoAlias, "provider_match_negative": checkNoProvider,
	}
	cases := readCases[ruleCase](t, "FAREBOX_PRICE_RULE_CASES")
	for i := range cases {
		c := &cases[i]
		check := checks[c.Kind]
		if check == nil {
			t.Errorf("%s: no check for a %s", c.ID, c.Kind)
			continue
		}
		t.Run(c.ID, func(t *testing.T) { check(t, c) })
	}
	t.Logf("%d rules", len(cases))
}

// checkWindow prices a call under an override for every window, and looks whether one held.
func checkWindow(t *testing.T, c *ruleCase) {
	var input struct {
		Window  string          `json:"window_utc"`
		Windows []string        `json:"windows_utc"`
		Days    json.RawMessage `json:"days"`
		At      time.Time       `json:"at"`
	}
	var expected bool
	c.read(t, &input, &expected)
	if input.Window != "" {
		input.Windows = append(input.Windows, input.Window)
	}
	price := farebox.Price{Rates: farebox.Rates{farebox.DimensionRequest: farebox.MustRate("1")}}
	for _, window := range input.Windows {
		start, end, _ := strings.Cut(window, "-")
		when := map[string]any{"start": start, "end": end}
		if input.Days != nil {
			when["days"] = input.Days
		}
		text, err := json.Marshal(map[string]any{"when": when, "rates": map[string]string{"request": "2"}})
		if err != nil {
			t.Fatal(err)
		}
		var override farebox.Override
		if err := json.Unmarshal(text, &override); err != nil {
			t.Fatal(err)
		}
		price.Overrides = append(price.Overrides, override)
	}
	if got := costAt(t, price, farebox.Served{At: input.At, Usage: farebox.Usage{Requests: 1}}); (got == farebox.Dollars(2)) != expected {
		t.Errorf("%s at %s costs %s, expected the window to hold: %t", c.Input, input.At, got, expected)
	}
}

func costAt(t *testing.T, price farebox.Price, served farebox.Served) farebox.Money {
	t.Helper()
	catalog := &farebox.Catalog{}
	if err := catalog.Add(farebox.Model{Name: "m", Prices: []farebox.Price{price}}); err != nil {
		t.Fatal(err)
	}
	served.Model = "m"
	computed, err := catalog.Price(served)
	if err != nil || !computed.Complete {
		t.Fatalf("%+v, %v", computed, err)
	}
	return computed.Total
}

// listed reads a model's pricing as OpenRouter lists it.
func listed(pricing string) (*farebox.Catalog, error) {
	catalog := &farebox.Catalog{}
	_, err := catalog.ReadOpenRouter(strings.NewReader(`{"data":[{"id":"a/m","pricing":` + pricing + `}]}`))
	return catalog, err
}

// checkOverride reads the rates that a call was charged at off its lines.
func checkOverride(t *testing.T, c *ruleCase) {
	var input struct {
		Pricing json.RawMessage `json:"pricing"`
		Tokens  int64           `json:"prompt_tokens"`
		At      time.Time       `json:"at"`
	}
	var expected map[string]farebox.Rate
	c.read(t, &input, &expected)
	catalog, err := listed(string(input.Pricing))
	if err != nil {
		t.Fatal(err)
	}
	usage := farebox.Usage{Input: max(input.Tokens, 3) - 2, CacheRead: 2, Output: 1}
	if input.At.IsZero() {
		input.At = time.Now()
	}
	computed, err := catalog.Cost("openrouter", "a/m", usage, input.At)
	if err != nil {
		t.Fatal(err)
	}
	for key, dimension := range map[string]farebox.Dimension{
		"prompt": farebox.DimensionInput, "completion": farebox.DimensionOutput, "input_cache_read": farebox.DimensionCacheRead,
	} {
		want, ok := expected[key]
		for _, line := range computed.Lines {
			if ok && line.Dimension == dimension && line.Rate != want {
				t.Errorf("%s is charged at %s, want %s", key, line.Rate, want)
			}
		}
	}
}

func checkDiscount(t *testing.T, c *ruleCase) {
	var input struct {
		Pricing    json.RawMessage `json:"pricing"`
		Prompt     int64           `json:"prompt_tokens"`
		Completion int64           `json:"completion_tokens"`
	}
	var expected farebox.Money
	c.read(t, &input, &expected)
	catalog, err := listed(string(input.Pricing))
	if err != nil {
		t.Fatal(err)
	}
	computed, err := catalog.Cost("openrouter", "a/m", farebox.Usage{Input: input.Prompt, Output: input.Completion}, time.Now())
	if err != nil || computed.Total != expected || len(computed.Lines) == 0 || len(computed.Lines[0].Factors) != 1 {
		t.Errorf("%+v, %v; want %s", computed, err, expected)
	}
}

// checkPriceString lists a text as a price. One is a rate exactly, none at all, or that of a router, whose price varies.
func checkPriceString(t *testing.T, c *ruleCase) {
	var input, expected string
	c.read(t, &input, &expected)
	catalog, listErr := listed(fmt.Sprintf(`{"prompt":%q,"completion":%q}`, input, input))
	rate, err := farebox.ParseRate(input)
	_, priceErr := catalog.Cost("openrouter", "a/m", farebox.Usage{Input: 1}, time.Now())
	switch {
	case strings.Contains(expected, "reject"):
		if err == nil || (listErr == nil && priceErr == nil) {
			t.Errorf("%q is read as %s (%v), and the list with %v", input, rate, err, listErr)
		}
	case expected == "keep all digits":
		if err != nil || rate.String() != input {
			t.Errorf("%q is read as %s, %v", input, rate, err)
		}
	default:
		if err != nil || listErr != nil || priceErr != nil || rate.String() != expected {
			t.Errorf("%q is read as %s (%v, %v, %v), want %s", input, rate, err, listErr, priceErr, expected)
		}
	}
}

// checkImpossible states totals with parts that are larger: flagged, and never a negative line.
func checkImpossible(t *testing.T, c *ruleCase) {
	var input map[string]int64
	c.read(t, &input, nil)
	shape := map[string]any{
		"input_tokens": input["input"], "output_tokens": input["output"],
		"input_token_details": map[string]any{
			"cached_tokens": input["cache_read"], "cache_write_tokens": input["cache_write"], "audio_tokens": input["input_audio"],
			"image_tokens": input["input_image"], "cached_tokens_details": map[string]any{"audio_tokens": input["cache_read_audio"], "image_tokens": input["cache_read_image"]},
		},
		"output_token_details": map[string]any{"audio_tokens": input["output_audio"], "image_tokens": input["output_image"], "reasoning_tokens": input["reasoning"]},
	}
	raw, err := json.Marshal(shape)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := farebox.ParseUsage(raw)
	if err != nil {
		return // an error will do
	}
	u := parsed.Usage
	if !parsed.Contradictory || u.InputTokens() > input["input"] || u.OutputTokens() > input["output"] {
		t.Errorf("%s is read as %+v, contradictory: %t", raw, u, parsed.Contradictory)
	}
	for _, n := range []int64{u.Input, u.CacheRead, u.CacheWrite, u.AudioInput, u.AudioCacheRead, u.Output, u.AudioOutput} {
		if n < 0 {
			t.Errorf("%s is read as %+v", raw, u)
		}
	}
}

func checkQuantity(t *testing.T, c *ruleCase) {
	for _, shape := range []string{
		`{"prompt_tokens":%s,"completion_tokens":1}`, `{"input_tokens":1,"output_tokens":%s}`, `{"promptTokenCount":%s,"candidatesTokenCount":1}`,
		`{"input_tokens":%s,"output_tokens":1,"cache_read_input_tokens":1}`,
	} {
		raw := fmt.Sprintf(shape, c.Input)
		parsed, err := farebox.ParseUsage([]byte(raw))
		if err == nil && !parsed.Contradictory {
			t.Errorf("%s is read as %+v", raw, parsed.Usage)
		}
	}
}

// providersOf are where a name in the file may be from.
var providersOf = []string{"openrouter", "google", "vertex", "anthropic", "openai", "bedrock"}

func checkAlias(t *testing.T, c *ruleCase) {
	var input, expected string
	c.read(t, &input, &expected)
	catalog, err := farebox.NewCatalog()
	if err != nil {
		t.Fatal(err)
	}
	for _, provider := range providersOf {
		if m, ok := catalog.Find(provider, input); ok && m.Name == expected {
			return
		}
	}
	t.Errorf("%q is not found as %q", input, expected)
}

func checkNoAlias(t *testing.T, c *ruleCase) {
	var input string
	c.read(t, &input, nil)
	catalog, err := farebox.NewCatalog()
	if err != nil {
		t.Fatal(err)
	}
	for _, provider := range providersOf {
		if m, ok := catalog.Find(provider, input); ok {
			t.Errorf("%q is taken for %q", input, m.Name)
		}
	}
}

// checkNoProvider quotes a model at a host that only looks like a provider's: it has no price there.
func checkNoProvider(t *testing.T, c *ruleCase) {
	var input string
	c.read(t, &input, nil)
	for _, base := range []string{input, strings.Replace(input, "example.modal.run", "api.openai.com", 1)} {
		client, err := farebox.New(farebox.Compatible("spoof", base, testKey))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Close(context.Background()) }()
		quote, err := client.Quote(context.Background(), openai.ChatCompletionRequest{
			Model: openai.GPT4o, Messages: []openai.ChatCompletionMessage{{Role: "user", Content: "hi"}},
		})
		if err != nil || quote.Priced {
			t.Errorf("%s takes the prices of a provider: %+v, %v", base, quote, err)
		}
	}
}
