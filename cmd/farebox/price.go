package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/farebox-go/farebox"
)

type priceCommand struct {
	Model    string `help:"The model, as its provider names it." placeholder:"NAME"`
	Endpoint string `help:"Who bills it; without it, the model's maker, or OpenRouter for names such as openai/gpt-4o." aliases:"provider" placeholder:"NAME"`
	Rates    string `help:"Price at these rates instead, in dollars per million tokens, or each for what is priced by the piece: input=0.20,output=0.60." placeholder:"RATES"`
	usageFlags
}

// priced is what a usage costs; money is decimal text in US dollars.
type priced struct {
	Provider    string           `json:"provider,omitzero"`
	Model       string           `json:"model"`
	ServiceTier string           `json:"service_tier,omitzero"`
	Calls       int64            `json:"calls"`
	PerCall     farebox.Money    `json:"per_call"`
	Total       farebox.Money    `json:"total"`
	Lines       []farebox.Line   `json:"lines"` // of one call
	TierAssumed bool             `json:"tier_assumed,omitzero"`
	Price       farebox.PriceRef `json:"price"`
}

// Run prices a usage.
func (c *priceCommand) Run(o *output) error {
	usage, err := c.usage()
	if err != nil {
		return err
	}
	switch {
	case c.Rates != "":
		if err := c.addRates(o.catalog); err != nil {
			return err
		}
	case c.Model == "":
		return fmt.Errorf("%w: want --model, or --rates for prices of your own", errUsage)
	case c.Endpoint == "":
		if c.Endpoint, err = maker(o.catalog, c.Model); err != nil {
			return err
		}
	}
	computed, err := o.catalog.Price(farebox.Served{
		Provider: c.Endpoint, Model: c.Model, Usage: usage, At: c.when(), ServiceTier: c.Tier, Region: c.Region,
	})
	if err != nil {
		return c.elsewhere(o.catalog, err)
	}
	if !computed.Complete {
		return fmt.Errorf("the price of %q has no rate for %s", c.Model, strings.Join(unpriced(computed.Lines), ", "))
	}
	return c.print(o, computed)
}

func unpriced(lines []farebox.Line) (names []string) {
	for _, line := range lines {
		if line.Unpriced {
			names = append(names, string(line.Dimension))
		}
	}
	return names
}

// makers are the providers that sell models of their own, in whose words a bare name is understood first.
var makers = []string{
	"openai", "anthropic", "google", "mistral", "xai", "deepseek", "cohere", "alibaba", "moonshot", "minimax", "zai",
	"perplexity", "voyage", "arcee", "groq", "cerebras",
}

// maker finds who bills a model that is named alone.
func maker(catalog *farebox.Catalog, model string) (string, error) {
	if strings.Contains(model, "/") {
		if _, ok := catalog.Find("openrouter", model); ok {
			return "openrouter", nil
		}
	}
	for _, provider := range makers {
		if _, ok := catalog.Find(provider, model); ok {
			return provider, nil
		}
	}
	sellers := sellersOf(catalog, model)
	switch len(sellers) {
	case 0:
		return "", fmt.Errorf("no model %q in the catalog; see farebox models %s", model, model)
	case 1:
		return sellers[0], nil
	}
	return "", fmt.Errorf("%q is sold by %s: choose one with --endpoint", model, strings.Join(sellers, ", "))
}

// sellersOf lists the providers that have a model of a name.
func sellersOf(catalog *farebox.Catalog, model string) (sellers []string) {
	for m := range catalog.Models() {
		same := func(name string) bool { return strings.EqualFold(name, model) }
		if same(m.Name) || slices.ContainsFunc(m.Aliases, same) {
			sellers = append(sellers, m.Provider)
		}
	}
	slices.Sort(sellers)
	return slices.Compact(sellers)
}

// elsewhere adds to an error which providers do have a price for a model of that name.
func (c *priceCommand) elsewhere(catalog *farebox.Catalog, err error) error {
	sellers := slices.DeleteFunc(sellersOf(catalog, c.Model), func(s string) bool { return s == c.Endpoint })
	if len(sellers) == 0 {
		return fmt.Errorf("%w; see farebox models %s", err, c.Model)
	}
	return fmt.Errorf("%w; --endpoint chooses one of those that have it: %s", err, strings.Join(sellers, ", "))
}

func (c *priceCommand) print(o *output, computed farebox.Computation) error {
	result := priced{
		Provider: computed.Price.Provider, Model: cmp.Or(c.Model, computed.Price.Model), ServiceTier: c.Tier, Calls: c.Calls,
		PerCall: computed.Total, Total: computed.Total.Mul(c.Calls), Lines: computed.Lines, TierAssumed: computed.TierAssumed, Price: computed.Price,
	}
	if o.json {
		return o.printJSON(result)
	}
	rows := make([][]any, 0, len(result.Lines))
	for _, line := range result.Lines {
		rate, per := shownRate(line.Dimension, line.Rate)
		rows = append(rows, []any{string(line.Dimension) + factorsOf(line), line.Quantity, number("$" + rate), per, line.Amount})
	}
	sum := []any{"one call", "", "", "", result.PerCall}
	if c.Calls != 1 {
		rows = append(rows, sum)
		sum = []any{grouped(c.Calls) + " calls", "", "", "", result.Total}
	}
	if err := o.tableWith([]any{"", "QUANTITY", "RATE", "", "AMOUNT"}, rows, sum); err != nil {
		return err
	}
	o.say("\n%s", c.provenance(computed))
	return nil
}

// factorsOf names what a rate was multiplied by.
func factorsOf(line farebox.Line) string {
	var names strings.Builder
	for _, f := range line.Factors {
		fmt.Fprintf(&names, " × %s (%s)", f.Factor, f.Name)
	}
	return names.String()
}

// provenance says whose price it is.
func (c *priceCommand) provenance(computed farebox.Computation) string {
	ref := computed.Price
	text := strings.TrimPrefix(ref.Provider+"/"+ref.Model, "/") + ", by " + ref.Source
	if !ref.AsOf.IsZero() {
		text += " of " + ref.AsOf.Format("2006-01-02")
	}
	if !ref.From.IsZero() {
		text += ", in force since " + ref.From.Format("2006-01-02")
	}
	if computed.TierAssumed {
		text += fmt.Sprintf("\nThe price has nothing to say on the tier %q: the standard rates are taken.", c.Tier)
	}
	return text
}

// addRates puts rates from the command line into the catalog, in place of the model's own.
func (c *priceCommand) addRates(catalog *farebox.Catalog) error {
	rates := farebox.Rates{}
	for part := range strings.SplitSeq(c.Rates, ",") {
		name, text, ok := strings.Cut(part, "=")
		if !ok {
			return fmt.Errorf("%w: --rates %q: want DIMENSION=DOLLARS, such as input=0.20", errUsage, part)
		}
		dimension, parse := farebox.Dimension(strings.TrimSpace(name)), farebox.PerMillion
		if perPiece(dimension) {
			parse = farebox.ParseRate
		}
		rate, err := parse(text)
		if err != nil {
			return fmt.Errorf("%w: --rates %s: %w", errUsage, name, err)
		}
		rates[dimension] = rate
	}
	if c.Model == "" {
		c.Model = "stated rates"
	}
	err := catalog.Add(farebox.Model{Provider: c.Endpoint, Name: c.Model, Prices: []farebox.Price{{Rates: rates, Source: "--rates"}}})
	if err != nil {
		return fmt.Errorf("%w: --rates: %w", errUsage, err)
	}
	return nil
}
