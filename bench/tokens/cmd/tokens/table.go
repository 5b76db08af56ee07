package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/farebox-go/farebox/bench/tokens"
)

// cell writes what stands in a table for one library and one text, given the figures of both it and the first library.
type cell func(library tokens.Library, text string, f, first tokens.Figure) string

func rate(_ tokens.Library, text string, f, _ tokens.Figure) string {
	return number(tokens.Rate(text, f.Time))
}

func ratio(_ tokens.Library, _ string, f, first tokens.Figure) string {
	return number(float64(f.Time) / float64(first.Time))
}

func allocs(library tokens.Library, text string, f, _ tokens.Figure) string {
	if !library.Allocates {
		return "–"
	}
	return fmt.Sprintf("%.0f", f.Allocs/float64(len(text))*1e6)
}

func millis(_ tokens.Library, _ string, f, _ tokens.Figure) string {
	return number(float64(f.Time) / float64(time.Millisecond))
}

// number writes a number with two digits, or all that it has before the point.
func number(n float64) string {
	switch {
	case n >= 9.95:
		return fmt.Sprintf("%.0f", n)
	case n >= 1:
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.2f", n)
}

// table prints a line for each library. A figure whose library counts otherwise than the first one does is marked.
func table(w io.Writer, heading string, texts []tokens.Text, rows []tokens.Row, write cell) {
	fmt.Fprintf(w, "\n### %s\n\n| library |", heading)
	for _, text := range texts {
		fmt.Fprintf(w, " %s |", text.Name)
	}
	fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("---|", len(texts)))
	marked := false
	for _, row := range rows {
		fmt.Fprintf(w, "| %s |", row.Library.Name)
		for i, f := range row.Figures {
			first, mark := rows[0].Figures[i], ""
			if f.Tokens != first.Tokens {
				mark, marked = "*", true
			}
			fmt.Fprintf(w, " %s%s |", write(row.Library, texts[i].Text, f, first), mark)
		}
		fmt.Fprintln(w)
	}
	if marked {
		fmt.Fprintln(w, "\n\\* counts another number of tokens")
	}
}
