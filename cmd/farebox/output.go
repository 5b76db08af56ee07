package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/farebox-go/farebox"
)

// output is what every command has: prices, and a place to print to.
type output struct {
	catalog  *farebox.Catalog
	json     bool
	stdin    io.Reader
	to       io.Writer
	progress io.Writer // where progress is shown; nil: nowhere
}

// printJSON prints a value, indented.
func (o *output) printJSON(value any) error {
	encoder := json.NewEncoder(o.to)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// table prints rows under a heading, in columns.
func (o *output) table(heading []any, rows [][]any) error {
	w := tabwriter.NewWriter(o.to, 0, 0, 2, ' ', 0)
	for _, row := range append([][]any{heading}, rows...) {
		for i, cell := range row {
			if i > 0 {
				_, _ = fmt.Fprint(w, "\t")
			}
			_, _ = fmt.Fprint(w, cell)
		}
		_, _ = fmt.Fprintln(w)
	}
	return w.Flush()
}
