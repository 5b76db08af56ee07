package farebox_test

import (
	"fmt"
	"time"

	"github.com/farebox-go/farebox"
)

// ratesOf makes rates of dollars per million tokens of input and output.
func ratesOf(input, output string) farebox.Rates {
	return farebox.Rates{farebox.DimensionInput: farebox.MustPerMillion(input), farebox.DimensionOutput: farebox.MustPerMillion(output)}
}

// The three examples that a pay-as-you-go price page works through.
func ExampleCatalog_Compare() {
	catalog := &farebox.Catalog{}
	for name, rates := range map[string]farebox.Rates{"small": ratesOf("0.20", "0.60"), "large": ratesOf("10", "30"), "medium": ratesOf("0.30", "0.60")} {
		if err := catalog.Add(farebox.Model{Provider: "example", Name: name, Prices: []farebox.Price{{Rates: rates}}}); err != nil {
			fmt.Println(err)
			return
		}
	}
	for _, work := range []farebox.Workload{
		{Models: []string{"small"}, Calls: 10_000, Usage: farebox.Usage{Input: 100, Output: 150}},
		{Models: []string{"large"}, Calls: 50, Usage: farebox.Usage{Input: 500, Output: 2_000}},
		{Models: []string{"medium"}, Calls: 20, Usage: farebox.Usage{Input: 200, Output: 400}},
		{Calls: 1_000, Usage: farebox.Usage{Input: 1_000, Output: 500}}, // on all of them
	} {
		for _, offer := range catalog.Compare(work) {
			fmt.Printf("%s: %s, %s per million\n", offer.Model, offer.Total, offer.PerMillion)
		}
	}
	// Output:
	// small: $1.1, $0.44 per million
	// large: $3.25, $26 per million
	// medium: $0.006, $0.5 per million
	// small: $0.5, $0.333333333333 per million
	// medium: $0.6, $0.4 per million
	// large: $25, $16.666666666667 per million
}

// A price under conditions: long inputs, a service tier with a table of its own, another with a multiplier, nights, a region.
func ExampleCatalog_Price() {
	price := farebox.Price{
		Rates: ratesOf("2", "10"),
		Tiers: []farebox.Tier{{Over: 200_000, Rates: ratesOf("4", "15")}},
		Overrides: []farebox.Override{
			{When: farebox.When{ServiceTier: "priority"}, Rates: ratesOf("3.5", "17.5")},
			{When: farebox.When{ServiceTier: "flex"}, Multiplier: farebox.MustFactor("0.5")},
			{When: farebox.When{Start: farebox.TimeOfDay(22 * time.Hour), End: farebox.TimeOfDay(6 * time.Hour), Days: farebox.Weekdays}, Multiplier: farebox.MustFactor("0.75")},
			{When: farebox.When{Region: "eu"}, Multiplier: farebox.MustFactor("1.1")},
		},
	}
	catalog := &farebox.Catalog{}
	if err := catalog.Add(farebox.Model{Provider: "example", Name: "m", Prices: []farebox.Price{price}}); err != nil {
		fmt.Println(err)
		return
	}
	computed, err := catalog.Price(farebox.Served{
		Provider: "example", Model: "m", At: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), ServiceTier: "flex", Region: "eu",
		Usage: farebox.Usage{Input: 1_000, Output: 500},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, line := range computed.Lines {
		fmt.Println(line.Quantity, line.Dimension, "at", line.Rate.PerMillionString(), "=", line.Amount)
		for _, factor := range line.Factors {
			fmt.Println("   x", factor.Factor, factor.Name)
		}
	}
	fmt.Println(computed.Total)
	// Output:
	// 1000 input at 1.1 = $0.0011
	//    x 0.5 service_tier flex
	//    x 1.1 region eu
	// 500 output at 5.5 = $0.00275
	//    x 0.5 service_tier flex
	//    x 1.1 region eu
	// $0.00385
}

// Usage as an API wrote it, whichever that is: the cache stands beside the input here, and inside of it elsewhere.
func ExampleParseUsage() {
	for _, raw := range []string{
		`{"input_tokens":12,"cache_read_input_tokens":4000,"output_tokens":80}`,
		`{"prompt_tokens":4012,"prompt_tokens_details":{"cached_tokens":4000},"completion_tokens":80,"total_tokens":4092}`,
		`{"promptTokenCount":4012,"cachedContentTokenCount":4000,"candidatesTokenCount":50,"thoughtsTokenCount":30}`,
	} {
		parsed, err := farebox.ParseUsage([]byte(raw))
		if err != nil {
			fmt.Println(err)
			return
		}
		u := parsed.Usage
		fmt.Println(u.Input, "fresh,", u.CacheRead, "cached,", u.OutputTokens(), "out")
	}
	// Output:
	// 12 fresh, 4000 cached, 80 out
	// 12 fresh, 4000 cached, 80 out
	// 12 fresh, 4000 cached, 80 out
}
