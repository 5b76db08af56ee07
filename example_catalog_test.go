package farebox_test

import (
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/farebox-go/farebox"
)

// The three worked examples of a pay-as-you-go price page.
func ExampleCatalog_Cost_workedExamples() {
	for _, work := range []struct {
		input, output       string // dollars per million tokens
		calls, tokens, says int64
	}{
		{"0.20", "0.60", 10_000, 100, 150},
		{"10", "30", 50, 500, 2_000},
		{"0.30", "0.60", 20, 200, 400},
	} {
		var catalog farebox.Catalog
		if err := catalog.Add(farebox.Model{Name: "any", Prices: []farebox.Price{{Rates: farebox.Rates{
			farebox.DimensionInput: farebox.MustPerMillion(work.input), farebox.DimensionOutput: farebox.MustPerMillion(work.output),
		}}}}); err != nil {
			log.Fatal(err)
		}
		call, err := catalog.Cost("", "any", farebox.Usage{Input: work.tokens, Output: work.says}, time.Now())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(call.Total.Mul(work.calls))
	}
	// Output:
	// $1.1
	// $3.25
	// $0.006
}

func ExampleReadPriceList() {
	file := strings.NewReader(`{
		"source": "contract 4711", "as_of": "2026-11-01",
		"models": [{
			"provider": "openai", "name": "gpt-4o",
			"prices": [{
				"per_million": {"input": "2", "output": "8"},
				"overrides": [{"when": {"service_tier": "flex"}, "multiplier": "0.5"}]
			}]
		}]
	}`)
	list, err := farebox.ReadPriceList(farebox.FormatFarebox, "prices.json", time.Now(), file)
	if err != nil {
		log.Fatal(err) // names every row that is wrong
	}
	catalog, err := farebox.NewCatalog()
	if err != nil {
		log.Fatal(err)
	}
	if err := catalog.Use(list); err != nil {
		log.Fatal(err)
	}
	cost, err := catalog.Price(farebox.Served{
		Provider: "openai", Model: "gpt-4o", ServiceTier: "flex", At: time.Now(), Usage: farebox.Usage{Input: 1_000_000, Output: 1_000_000},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cost.Total, "by", cost.Price.Source)
	// Output: $5 by contract 4711
}

func ExampleCatalog_Differences() {
	list, err := farebox.ReadPriceList(farebox.FormatLiteLLM, "model_prices_and_context_window.json", time.Now(), strings.NewReader(`{
		"gpt-4o-mini": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.5e-07, "output_cost_per_token": 7e-07}
	}`))
	if err != nil {
		log.Fatal(err)
	}
	catalog, err := farebox.NewCatalog()
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range catalog.Differences(list, 1) {
		fmt.Printf("%s/%s %s: $%s here, $%s there, per million\n", d.Provider, d.Model, d.Dimension, d.Known.PerMillionString(), d.Listed.PerMillionString())
	}
	// Output: openai/gpt-4o-mini output: $0.6 here, $0.7 there, per million
}

func ExampleWithCatalogRefresh() {
	meter, err := farebox.NewMeter(farebox.WithCatalogRefresh(farebox.Refresh{
		Sources: []farebox.PriceSource{{Format: farebox.FormatOpenRouter}, {Format: farebox.FormatGenAIPrices}},
		Every:   6 * time.Hour,
		OnReport: func(report farebox.RefreshReport) {
			for _, source := range report.Sources {
				log.Printf("%s: %s, %d rates held back", source.Source, source.Outcome, len(source.HeldBack))
			}
		},
	}))
	if err != nil {
		log.Fatal(err)
	}
	_ = meter.Catalog().AsOf() // how old the prices are
}
