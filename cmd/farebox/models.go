package main

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/farebox-go/farebox"
)

type modelsCommand struct {
	Query    string `arg:"" optional:"" help:"Text that a model's name holds."`
	Provider string `help:"Only this provider's models." placeholder:"NAME"`
}

// modelRow is one line of the list; rates are US dollars per million tokens.
type modelRow struct {
	Provider  string `json:"provider"`
	Model     string `json:"model"`
	Context   int64  `json:"context_tokens,omitzero"`
	Input     string `json:"input,omitzero"`
	CacheRead string `json:"cache_read,omitzero"`
	Output    string `json:"output,omitzero"`
	Source    string `json:"source"`
	AsOf      string `json:"as_of"`
}

// Run lists models, by provider and name.
func (c *modelsCommand) Run(o *output) error {
	rows := []modelRow{}
	for m := range o.catalog.Models() {
		if strings.Contains(strings.ToLower(m.Name), strings.ToLower(c.Query)) && (c.Provider == "" || c.Provider == m.Provider) {
			rows = append(rows, rowOf(m, time.Now()))
		}
	}
	slices.SortFunc(rows, func(a, b modelRow) int {
		return cmp.Or(strings.Compare(a.Provider, b.Provider), strings.Compare(a.Model, b.Model))
	})
	if o.json {
		return o.printJSON(rows)
	}
	if len(rows) == 0 {
		return errors.New("no model of that name or provider in the catalog")
	}
	cells := make([][]any, len(rows))
	for i, r := range rows {
		cells[i] = []any{r.Provider, r.Model, known(r.Context), dash(r.Input), dash(r.CacheRead), dash(r.Output), r.AsOf}
	}
	return o.table([]any{"PROVIDER", "MODEL", "CONTEXT", "INPUT $/M", "CACHED $/M", "OUTPUT $/M", "AS OF"}, cells)
}

// rowOf shows the price of a model that holds at a time.
func rowOf(m farebox.Model, at time.Time) modelRow {
	row := modelRow{Provider: m.Provider, Model: m.Name, Context: m.ContextTokens}
	for _, price := range m.Prices {
		if price.From.After(at) {
			break
		}
		row.Source, row.AsOf = price.Source, price.AsOf.Format(time.DateOnly)
		row.Input, row.CacheRead, row.Output = perMillion(price, farebox.DimensionInput),
			perMillion(price, farebox.DimensionCacheRead), perMillion(price, farebox.DimensionOutput)
	}
	return row
}

func perMillion(p farebox.Price, d farebox.Dimension) string {
	if p.Variable {
		return "varies"
	}
	rate, ok := p.Rates[d]
	if !ok {
		return ""
	}
	return rate.PerMillionString()
}

func dash(text string) string { return cmp.Or(text, "-") }

func known(n int64) any {
	if n == 0 {
		return "-"
	}
	return n
}
