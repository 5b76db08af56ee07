package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farebox-go/farebox"
)

type priceCommand struct {
	Model    string    `required:"" help:"The model, as its provider names it." placeholder:"NAME"`
	Provider string    `help:"Who bills it (${default})." default:"openrouter" placeholder:"NAME"`
	Input    int64     `help:"Input tokens, cached ones not among them." placeholder:"N"`
	Cached   int64     `help:"Input tokens read from a cache." placeholder:"N"`
	Written  int64     `help:"Input tokens written to a cache." placeholder:"N"`
	Output   int64     `help:"Output tokens." placeholder:"N"`
	Calls    int64     `help:"Calls of that size (${default})." default:"1" placeholder:"N"`
	At       time.Time `help:"The time whose prices hold, as 2026-11-24T12:00:00Z (now)." placeholder:"TIME"`
	Rates    string    `help:"Price at these rates instead, in dollars per million: input=0.20,output=0.60." placeholder:"RATES"`
}

// priced is what a usage costs; money is decimal text in US dollars.
type priced struct {
	Model   string           `json:"model"`
	Calls   int64            `json:"calls"`
	PerCall farebox.Money    `json:"per_call"`
	Total   farebox.Money    `json:"total"`
	Lines   []farebox.Line   `json:"lines"` // of one call
	Price   farebox.PriceRef `json:"price"`
}

// Run prices a usage.
func (c *priceCommand) Run(o *output) error {
	if c.Input < 0 || c.Cached < 0 || c.Written < 0 || c.Output < 0 || c.Calls < 0 {
		return fmt.Errorf("%w: counts cannot be negative", errUsage)
	}
	if c.At.IsZero() {
		c.At = time.Now()
	}
	if c.Rates != "" {
		if err := c.addRates(o.catalog); err != nil {
			return err
		}
	}
	computed, err := o.catalog.Cost(c.Provider, c.Model, farebox.Usage{
		Input: c.Input, CacheRead: c.Cached, CacheWrite: c.Written, Output: c.Output, Requests: 1,
	}, c.At)
	if err != nil {
		return c.elsewhere(o.catalog, err)
	}
	if !computed.Complete {
		return fmt.Errorf("the price of %q has no rate for a part of this usage", c.Model)
	}
	return c.print(o, computed)
}

// elsewhere adds to an error which providers do have a price for a model of that name.
func (c *priceCommand) elsewhere(catalog *farebox.Catalog, err error) error {
	var name string
	var sellers []string
	for m := range catalog.Models() {
		if strings.EqualFold(m.Name, c.Model) && m.Provider != "" {
			name, sellers = m.Name, append(sellers, m.Provider)
		}
	}
	if len(sellers) == 0 {
		return fmt.Errorf("%w; see farebox models %s", err, c.Model)
	}
	slices.Sort(sellers)
	return fmt.Errorf("%w; --provider chooses one of those that have %q: %s", err, name, strings.Join(slices.Compact(sellers), ", "))
}

func (c *priceCommand) print(o *output, computed farebox.Computation) error {
	result := priced{
		Model: c.Model, Calls: c.Calls, PerCall: computed.Total, Total: computed.Total.Mul(c.Calls),
		Lines: computed.Lines, Price: computed.Price,
	}
	if o.json {
		return o.printJSON(result)
	}
	rows := make([][]any, 0, len(result.Lines)+2)
	for _, line := range result.Lines {
		rows = append(rows, []any{line.Dimension, line.Quantity, line.Rate, line.Amount})
	}
	rows = append(rows, []any{"per call", "", "", result.PerCall})
	if c.Calls != 1 {
		rows = append(rows, []any{fmt.Sprintf("%d calls", c.Calls), "", "", result.Total})
	}
	return o.table([]any{"DIMENSION", "QUANTITY", "$ EACH", "AMOUNT"}, rows)
}

// addRates puts rates from the command line into the catalog, in place of the model's own.
func (c *priceCommand) addRates(catalog *farebox.Catalog) error {
	rates := farebox.Rates{}
	for part := range strings.SplitSeq(c.Rates, ",") {
		name, text, ok := strings.Cut(part, "=")
		if !ok {
			return fmt.Errorf("%w: --rates %q: want DIMENSION=DOLLARS, such as input=0.20", errUsage, part)
		}
		rate, err := farebox.PerMillion(text)
		if err != nil {
			return fmt.Errorf("%w: --rates %s: %w", errUsage, name, err)
		}
		rates[farebox.Dimension(strings.TrimSpace(name))] = rate
	}
	err := catalog.Add(farebox.Model{Provider: c.Provider, Name: c.Model, Prices: []farebox.Price{{Rates: rates, Source: "--rates"}}})
	if err != nil {
		return fmt.Errorf("%w: --rates: %w", errUsage, err)
	}
	return nil
}
