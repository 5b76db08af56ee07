package farebox_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
)

// listedCase is a row of the file of price cases: usage as it was sent, a price entry, and what the call cost.
type listedCase struct {
	ID          string          `json:"id"`
	API         string          `json:"api"`
	Model       string          `json:"model"`
	ServiceTier string          `json:"service_tier"`
	Usage       json.RawMessage `json:"usage"`
	Billable    map[string]any  `json:"billable"`
	Price       listedPrice     `json:"price"`
	Expected    struct {
		Total  farebox.Money  `json:"total"`
		Input  *farebox.Money `json:"input"`
		Output *farebox.Money `json:"output"`
	} `json:"expected"`
	Tolerance farebox.Money `json:"tolerance"`
	Tags      []string      `json:"tags"`
}

type listedPrice struct {
	PerMTok    map[string]string `json:"per_mtok"`
	PerUnit    map[string]string `json:"per_unit"`
	Multiplier string            `json:"multiplier"`
	FixedFee   string            `json:"fixed_fee"`
	Tiers      []struct {
		Over      int64             `json:"over"`
		Inclusive bool              `json:"inclusive"`
		PerMTok   map[string]string `json:"per_mtok"`
	} `json:"tiers"`
}

// caseNames are the file's names of dimensions, with how many of ours one of theirs is.
var caseNames = map[string]struct {
	dimension farebox.Dimension
	per       int64
}{
	"input": {farebox.DimensionInput, 1}, "output": {farebox.DimensionOutput, 1},
	"cache_read": {farebox.DimensionCacheRead, 1}, "cache_write": {farebox.DimensionCacheWrite, 1},
	"cache_write_5m": {farebox.DimensionCacheWrite, 1}, "cache_write_30m": {farebox.DimensionCacheWrite, 1}, "cache_write_1h": {farebox.DimensionCacheWrite1h, 1},
	"reasoning": {farebox.DimensionReasoning, 1}, "citation": {farebox.DimensionCitation, 1},
	"input_audio": {farebox.DimensionAudioInput, 1}, "output_audio": {farebox.DimensionAudioOutput, 1}, "cache_read_audio": {farebox.DimensionAudioCacheRead, 1},
	"input_image": {farebox.DimensionImageInput, 1}, "output_image": {farebox.DimensionImageOutput, 1}, "cache_read_image": {farebox.DimensionImageCacheRead, 1},
	"input_video": {farebox.DimensionVideoInput, 1}, "output_video": {farebox.DimensionVideoOutput, 1},
	"web_search": {farebox.DimensionWebSearch, 1}, "request": {farebox.DimensionRequest, 1},
	"SERVER_SIDE_TOOL_WEB_SEARCH": {farebox.DimensionWebSearch, 1},
	"second":                      {farebox.DimensionAudioMS, 1_000}, "audio_second": {farebox.DimensionAudioMS, 1_000},
	"minute": {farebox.DimensionAudioMS, 60_000}, "hour": {farebox.DimensionAudioMS, 3_600_000}, "video_second": {farebox.DimensionVideoMS, 1_000},
	"pixel": {farebox.DimensionPixel, 1}, "megapixel": {farebox.DimensionPixel, 1_000_000}, "image": {farebox.DimensionImage, 1},
	"character": {farebox.DimensionCharacter, 1}, "page": {farebox.DimensionPage, 1}, "ocr_page": {farebox.DimensionPage, 1},
	"search_unit": {farebox.DimensionSearchUnit, 1}, "session": {farebox.DimensionSession, 1}, "tool_call": {farebox.DimensionToolCall, 1},
}

// fixedDimensions are those that usage objects count.
var fixedDimensions = map[farebox.Dimension]bool{
	farebox.DimensionInput: true, farebox.DimensionCacheRead: true, farebox.DimensionCacheWrite: true, farebox.DimensionCacheWrite1h: true,
	farebox.DimensionAudioInput: true, farebox.DimensionAudioCacheRead: true, farebox.DimensionImageInput: true, farebox.DimensionImageCacheRead: true,
	farebox.DimensionVideoInput: true, farebox.DimensionOutput: true, farebox.DimensionReasoning: true, farebox.DimensionAudioOutput: true,
	farebox.DimensionImageOutput: true, farebox.DimensionVideoOutput: true, farebox.DimensionCitation: true, farebox.DimensionWebSearch: true,
	farebox.DimensionRequest: true,
}

func caseDimension(name string) (d farebox.Dimension, per int64) {
	if known, ok := caseNames[name]; ok {
		return known.dimension, known.per
	}
	if tool, ok := strings.CutPrefix(name, "SERVER_SIDE_TOOL_"); ok {
		return farebox.DimensionToolCall + "/" + farebox.Dimension(strings.ToLower(tool)), 1
	}
	return farebox.DimensionUnit + "/" + farebox.Dimension(name), 1
}

// caseRates reads rates per million or, with another parser, per unit.
func caseRates(t *testing.T, into farebox.Rates, from map[string]string, parse func(string) (farebox.Rate, error)) farebox.Rates {
	t.Helper()
	for name, text := range from {
		rate, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		d, per := caseDimension(name)
		into[d] = rate.Scale(1, per)
	}
	return into
}

// price is the case's price entry, terms what a gateway adds to it.
func (c *listedCase) price(t *testing.T) (price farebox.Price, terms farebox.Terms) {
	t.Helper()
	price.Rates = caseRates(t, farebox.Rates{}, c.Price.PerMTok, farebox.PerMillion)
	caseRates(t, price.Rates, c.Price.PerUnit, farebox.ParseRate)
	for _, tier := range c.Price.Tiers {
		price.Tiers = append(price.Tiers, farebox.Tier{
			Over: tier.Over, Inclusive: tier.Inclusive, Rates: caseRates(t, farebox.Rates{}, tier.PerMTok, farebox.PerMillion),
		})
	}
	if m := c.Price.Multiplier; m != "" {
		factor := farebox.MustFactor(m)
		if slices.Contains(c.Tags, "markup") && factor.Cmp(farebox.Factor{}) > 0 {
			terms.Margin = factor
		} else if !factor.IsOne() {
			price.Overrides = []farebox.Override{{Multiplier: factor, Name: "multiplier"}}
		}
	}
	if fee := c.Price.FixedFee; fee != "" {
		terms.Fee = farebox.MustMoney(fee)
	}
	return price, terms
}

// served reads the case's usage: as it was sent or, where the case states quantities, from those.
func (c *listedCase) served(t *testing.T) farebox.Served {
	t.Helper()
	if c.API == "units" {
		var usage farebox.Usage
		for name, quantity := range c.Billable {
			d, per := caseDimension(name)
			addQuantity(t, &usage, d, fmt.Sprint(quantity), per)
		}
		usage.Requests = 1
		return farebox.Served{Usage: usage}
	}
	parsed, err := farebox.ParseUsage(c.Usage)
	if err != nil {
		t.Errorf("%s: %v", c.ID, err)
	}
	// What a provider does beside the model, and does not count in its usage, has to come from elsewhere.
	for name, quantity := range c.Billable {
		d, per := caseDimension(name)
		if _, counted := parsed.Usage.Units[d]; !counted && (d == farebox.DimensionWebSearch && parsed.Usage.WebSearches == 0 || !fixedDimensions[d]) {
			addQuantity(t, &parsed.Usage, d, fmt.Sprint(quantity), per)
		}
	}
	return parsed.Served
}

// addQuantity puts a decimal number of something into a usage.
func addQuantity(t *testing.T, u *farebox.Usage, d farebox.Dimension, text string, per int64) {
	t.Helper()
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no quantity", text)
	}
	exact.Mul(exact, new(big.Rat).SetInt64(per))
	if !exact.IsInt() {
		t.Fatalf("%s %s are not a whole number of ours", text, d)
	}
	n := exact.Num().Int64()
	field := map[farebox.Dimension]*int64{
		farebox.DimensionInput: &u.Input, farebox.DimensionCacheRead: &u.CacheRead, farebox.DimensionCacheWrite: &u.CacheWrite,
		farebox.DimensionCacheWrite1h: &u.CacheWrite1h, farebox.DimensionAudioInput: &u.AudioInput, farebox.DimensionAudioCacheRead: &u.AudioCacheRead,
		farebox.DimensionImageInput: &u.ImageInput, farebox.DimensionImageCacheRead: &u.ImageCacheRead, farebox.DimensionVideoInput: &u.VideoInput,
		farebox.DimensionOutput: &u.Output, farebox.DimensionReasoning: &u.Reasoning, farebox.DimensionAudioOutput: &u.AudioOutput,
		farebox.DimensionImageOutput: &u.ImageOutput, farebox.DimensionVideoOutput: &u.VideoOutput, farebox.DimensionCitation: &u.Citation,
		farebox.DimensionWebSearch: &u.WebSearches,
	}[d]
	if field != nil {
		*field += n
		return
	}
	if u.Units == nil {
		u.Units = map[farebox.Dimension]int64{}
	}
	u.Units[d] += n
}

// readCases reads a file of one JSON object per line, and skips the test where the variable names none.
func readCases[T any](t *testing.T, variable string) (cases []T) {
	t.Helper()
	name := os.Getenv(variable)
	if name == "" {
		t.Skip(variable + " names no file of cases")
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c T
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatalf("%.80s: %v", lines.Bytes(), err)
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil || len(cases) == 0 {
		t.Fatalf("%d cases: %v", len(cases), err)
	}
	return cases
}

// TestPriceCases prices usage that providers reported, in all their dialects, and compares it with what they charged.
func TestPriceCases(t *testing.T) {
	t.Parallel()
	cases := readCases[listedCase](t, "FAREBOX_PRICE_CASES")
	passed := 0
	for i := range cases {
		c := &cases[i]
		price, terms := c.price(t)
		catalog := &farebox.Catalog{}
		if err := catalog.Add(farebox.Model{Name: "case", Prices: []farebox.Price{price}}); err != nil {
			t.Errorf("%s: %v", c.ID, err)
			continue
		}
		served := c.served(t)
		served.Model, served.At, served.Terms = "case", time.Now(), terms
		computed, err := catalog.Price(served)
		if err != nil {
			t.Errorf("%s: %v", c.ID, err)
			continue
		}
		if !computed.Total.Sub(c.Expected.Total).Abs().Less(c.Tolerance.Add(farebox.MustMoney("1e-12"))) {
			t.Errorf("%s: %s, want %s (within %s): %+v", c.ID, computed.Total, c.Expected.Total, c.Tolerance, computed.Lines)
			continue
		}
		if !computed.Complete {
			t.Errorf("%s: a part of the usage is unpriced: %+v", c.ID, computed.Lines)
			continue
		}
		passed++
	}
	t.Logf("%d of %d cases pass", passed, len(cases))
}
