package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"

	"github.com/farebox-go/farebox"
)

// output is what every command has: prices, and a place to print to.
type output struct {
	catalog  *farebox.Catalog
	json     bool
	stdin    io.Reader
	to       io.Writer
	progress io.Writer // where progress is shown; nil: nowhere
	kept     string    // the folder of price lists that were fetched; empty: none
	colour   bool      // to is a terminal whose user has nothing against colours
	width    int       // of the terminal; 0: to is none
}

// look finds out whether somebody looks, how much they see, and whether they want colours (no-color.org).
func (o *output) look() {
	file, ok := o.to.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return
	}
	o.width = 80
	if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
		o.width = width
	}
	o.colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// printJSON prints a value, indented.
func (o *output) printJSON(value any) error {
	encoder := json.NewEncoder(o.to)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// table prints rows under a heading, in columns. Numbers, amounts and rates are set to the right.
func (o *output) table(heading []any, rows [][]any) error {
	return o.tableWith(heading, rows, nil)
}

// tableWith is table with a last row that sums up.
func (o *output) tableWith(heading []any, rows [][]any, sum []any) error {
	w := table.NewWriter()
	w.SetStyle(tableStyle)
	if o.colour {
		w.Style().Color.Header = text.Colors{text.Bold}
		w.Style().Color.Footer = text.Colors{text.Bold}
	}
	var columns []table.ColumnConfig
	for i := range heading {
		align := text.AlignLeft
		if len(rows) > 0 && i < len(rows[0]) && isNumeric(rows[0][i]) {
			align = text.AlignRight
		}
		columns = append(columns, table.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align, AlignFooter: align})
	}
	w.SetColumnConfigs(columns)
	w.AppendHeader(heading)
	for _, row := range rows {
		w.AppendRow(shown(row))
	}
	if sum != nil {
		w.AppendFooter(shown(sum))
	}
	for line := range strings.SplitSeq(w.Render(), "\n") {
		if _, err := fmt.Fprintln(o.to, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}

// tableStyle is columns with two spaces between them, and nothing else.
var tableStyle = table.Style{
	Name:    "farebox",
	Box:     table.BoxStyle{PaddingRight: "  ", MiddleHorizontal: "-"},
	Format:  table.FormatOptions{Header: text.FormatDefault, Footer: text.FormatDefault},
	Options: table.OptionsNoBordersAndSeparators,
}

// number is a cell that is text and reads as a number.
type number string

func isNumeric(cell any) bool {
	switch cell.(type) {
	case int, int64, farebox.Money, farebox.Rate, number:
		return true
	}
	return false
}

// shown turns cells into what they are shown as.
func shown(row []any) table.Row {
	cells := make(table.Row, len(row))
	for i, cell := range row {
		switch cell := cell.(type) {
		case int64:
			cells[i] = grouped(cell)
		case int:
			cells[i] = grouped(int64(cell))
		default:
			cells[i] = fmt.Sprint(cell)
		}
	}
	return cells
}

// grouped writes a number with a comma between its thousands.
func grouped(n int64) string {
	digits := fmt.Sprint(n)
	var parts []string
	for len(digits) > 3 && digits[len(digits)-4] != '-' {
		parts = append([]string{digits[len(digits)-3:]}, parts...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, parts...), ",")
}

// paint colours a text where colours are wanted.
func (o *output) paint(c text.Color, s string) string {
	if !o.colour {
		return s
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", c, s)
}

// say prints a line for somebody who looks, and nothing where JSON is asked for.
func (o *output) say(format string, args ...any) {
	if !o.json {
		_, _ = fmt.Fprintf(o.to, format+"\n", args...)
	}
}
