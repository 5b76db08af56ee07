package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farebox-go/farebox"
)

type modelsCommand struct {
	List listCommand `cmd:"" default:"withargs" help:"List the models whose name holds a text (what farebox models does by itself)."`
	Show showCommand `cmd:"" help:"Show all rates of a model, their conditions, history and sources."`
}

type listCommand struct {
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
	Otherwise string `json:"otherwise,omitzero"` // what it charges for, where that is not tokens: "$0.006 per minute"
	Source    string `json:"source"`
	AsOf      string `json:"as_of"`
}

// Run lists models, by provider and name.
func (c *listCommand) Run(o *output) error {
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
		return fmt.Errorf("no model of that name or provider in the catalog%s", suggestion(o.catalog, c.Query))
	}
	cells := make([][]any, len(rows))
	for i, r := range rows {
		output := number(dash(r.Output))
		if r.Otherwise != "" && r.Output == "" {
			output = number(r.Otherwise)
		}
		cells[i] = []any{r.Provider, r.Model, known(r.Context), number(dash(r.Input)), number(dash(r.CacheRead)), output, r.AsOf}
	}
	return o.table([]any{"PROVIDER", "MODEL", "CONTEXT", "INPUT $/M", "CACHED $/M", "OUTPUT $/M", "AS OF"}, cells)
}

// rowOf shows the price of a model that holds at a time.
func rowOf(m farebox.Model, at time.Time) modelRow {
	row := modelRow{Provider: m.Provider, Model: m.Name, Context: m.ContextTokens}
	price := priceAt(m, at)
	if price == nil {
		return row
	}
	row.Source, row.AsOf = price.Source, price.AsOf.Format(time.DateOnly)
	row.Input, row.CacheRead, row.Output = perMillion(price, farebox.DimensionInput),
		perMillion(price, farebox.DimensionCacheRead), perMillion(price, farebox.DimensionOutput)
	for _, d := range sortedDimensions(price.Rates) {
		if perPiece(d) && !strings.Contains(string(d), "/") && d != farebox.DimensionWebSearch && d != farebox.DimensionRequest {
			rate, per := shownRate(d, price.Rates[d])
			row.Otherwise = fmt.Sprintf("$%s %s", rate, strings.Replace(per, "each", "per "+strings.ReplaceAll(string(d), "_", " "), 1))
			break
		}
	}
	return row
}

// priceAt is the price of a model that holds at a time; nil: none yet.
func priceAt(m farebox.Model, at time.Time) (found *farebox.Price) {
	for i := range m.Prices {
		if p := &m.Prices[i]; !p.From.After(at) && (found == nil || !p.From.Before(found.From)) {
			found = p
		}
	}
	return found
}

func perMillion(p *farebox.Price, d farebox.Dimension) string {
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
		return number("-")
	}
	return n
}

// suggestion names models that are spelled much like what was asked for.
func suggestion(catalog *farebox.Catalog, query string) string {
	if query == "" {
		return ""
	}
	letters := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, strings.ToLower(s))
	}
	asked := letters(query)
	var names []string
	for m := range catalog.Models() {
		if asked != "" && strings.Contains(letters(m.Name), asked) {
			names = append(names, m.Name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	names = slices.Compact(names)
	if len(names) == 0 {
		return ""
	}
	return "; there is " + strings.Join(names[:min(len(names), 3)], ", ")
}
