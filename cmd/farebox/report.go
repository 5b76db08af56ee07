package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/farebox-go/farebox"
)

// reportCommand says who spent what.
type reportCommand struct {
	ledgerFlags
	By    []string `help:"What to add up by: model, endpoint, key, day, hour, or the name of a tag (${default})." default:"model" placeholder:"NAME"`
	Limit int      `help:"Show so many rows of the table (${default}); 0 shows all. JSON has all." default:"25" placeholder:"N"`
}

// reportRow is a row of the report.
type reportRow struct {
	Groups map[string]string `json:"groups"`
	farebox.Total
}

// Help is the long help of the command.
func (*reportCommand) Help() string {
	return `Adds up receipts and what was learned later about them, dearest first. Receipts are those of WithJournal's folder, of a file
that OpenLineFile has written (compressed by gzip or not), or of a database that a store/sql Ledger writes to.`
}

// Run prints the report.
func (c *reportCommand) Run(ctx context.Context, o *output) error {
	filter, err := c.filter(time.Now())
	if err != nil {
		return err
	}
	groups := make([]string, len(c.By))
	for i, by := range c.By {
		groups[i] = by
		switch by {
		case "model", "endpoint", "key", "day", "hour":
		case "":
			return fmt.Errorf("%w: --by: an empty name", errUsage)
		default:
			groups[i] = "tag:" + strings.TrimPrefix(by, "tag:")
		}
	}
	ledger, err := c.open(ctx, o)
	if err != nil {
		return err
	}
	defer ledger.close()
	spend, err := ledger.Spend(ctx, farebox.SpendQuery{Filter: filter, By: groups})
	if err != nil {
		return err
	}
	ledger.tellDamaged(o)
	if len(spend) == 1 && spend[0].Attempts == 0 {
		spend = nil // one total of nothing
	}
	rows := make([]reportRow, len(spend))
	for i := range spend {
		rows[i] = reportRow{Groups: map[string]string{}, Total: spend[i].Total}
		for j, value := range spend[i].Groups {
			rows[i].Groups[c.By[j]] = value
		}
	}
	if o.json {
		return o.printJSON(rows)
	}
	return c.print(o, rows)
}

func (c *reportCommand) print(o *output, rows []reportRow) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(o.to, "no receipts")
		return err
	}
	var heading []any
	for _, by := range c.By {
		heading = append(heading, by)
	}
	heading = append(heading, "attempts", "input", "output", "cost")
	bars := o.width >= minWidthForBars
	if bars {
		heading = append(heading, "")
	}
	var sum farebox.Total
	var table [][]any
	for i := range rows {
		row := &rows[i]
		sum.Attempts, sum.Cost = sum.Attempts+row.Attempts, sum.Cost.Add(row.Cost)
		sum.InputTokens, sum.OutputTokens = sum.InputTokens+row.InputTokens, sum.OutputTokens+row.OutputTokens
		sum.Unpriced, sum.Unsettled = sum.Unpriced+row.Unpriced, sum.Unsettled+row.Unsettled
		if c.Limit > 0 && i >= c.Limit {
			continue
		}
		var cells []any
		for _, by := range c.By {
			name := row.Groups[by]
			if name == "" {
				name = "-"
			}
			cells = append(cells, name)
		}
		cells = append(cells, row.Attempts, row.InputTokens, row.OutputTokens, row.Cost)
		if bars {
			cells = append(cells, o.bar(row.Cost, rows[0].Cost))
		}
		table = append(table, cells)
	}
	last := make([]any, len(c.By))
	for i := range last {
		last[i] = ""
	}
	last[0] = "in all"
	if err := o.tableWith(heading, table, append(last, sum.Attempts, sum.InputTokens, sum.OutputTokens, sum.Cost)); err != nil {
		return err
	}
	if hidden := len(rows) - len(table); hidden > 0 {
		fmt.Fprintf(o.to, "\n%d more; --limit 0 shows all\n", hidden)
	}
	if sum.Unsettled+sum.Unpriced > 0 {
		fmt.Fprintf(o.to, "\n%d at a cost that is estimated or taken at its most, %d of models without a price\n", sum.Unsettled, sum.Unpriced)
	}
	return nil
}
