package simulation

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"math"
)

// The plot's measures, in pixels.
const (
	nameWidth   = 300
	panelWidth  = 170
	panelGap    = 66
	rowHeight   = 24
	barHeight   = 14
	headHeight  = 64
	titleHeight = 34
)

// panel is a column of the plot: one figure of every result.
type panel struct {
	title string
	// full is the share at the panel's right edge; shares beyond it are cut off there and marked.
	full  float64
	value func(Result) float64
	most  func(Result) float64 // a mark further right; nil: none
	own   string               // colour of farebox's bars
	other string               // and of the rivals'
}

var panels = []panel{
	{"Overspend: median, most", 0.5, func(r Result) float64 { return r.OverspendMedian }, func(r Result) float64 { return r.OverspendMost }, "#b3261e", "#e08e87"},
	{"Cap used", 1, func(r Result) float64 { return r.Used }, nil, "#1f5fa8", "#93b7de"},
	{"False refusals", 1, func(r Result) float64 { return r.FalseRefusals }, nil, "#5b2a86", "#b79ad0"},
	{"Callers lost early", 1, func(r Result) float64 { return r.LostEarly }, nil, "#9a5b00", "#e0b77d"},
}

// WritePlot draws results as an SVG image: a block for each scenario, a row for each policy.
func WritePlot(w io.Writer, results []Result, subtitle string) error {
	out := bufio.NewWriter(w)
	width := nameWidth + len(panels)*(panelWidth+panelGap)
	height := headHeight + 16
	for i, r := range results {
		if height += rowHeight; i == 0 || results[i-1].Scenario != r.Scenario {
			height += titleHeight
		}
	}
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="13">`+"\n", width, height, width, height)
	fmt.Fprintf(out, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	fmt.Fprintf(out, `<text x="12" y="24" font-size="17" font-weight="600" fill="#1a1a1a">What a cap is worth: farebox (bold) and the rules of others</text>`+"\n")
	fmt.Fprintf(out, `<text x="12" y="44" fill="#555555">%s</text>`+"\n", html.EscapeString(subtitle))
	y := headHeight
	for i, r := range results {
		if i == 0 || results[i-1].Scenario != r.Scenario {
			writeBlockHead(out, r, y)
			y += titleHeight
		}
		writeRow(out, r, y)
		y += rowHeight
	}
	fmt.Fprintln(out, "</svg>")
	return out.Flush()
}

func writeBlockHead(out io.Writer, r Result, y int) {
	fmt.Fprintf(out, `<text x="12" y="%d" font-weight="600" fill="#1a1a1a">%s <tspan font-weight="400" fill="#777777">%d runs</tspan></text>`+"\n",
		y+22, html.EscapeString(r.Scenario), r.Runs)
	for i, p := range panels {
		fmt.Fprintf(out, `<text x="%d" y="%d" fill="#555555">%s</text>`+"\n", panelLeft(i), y+22, html.EscapeString(p.title))
	}
}

func writeRow(out io.Writer, r Result, y int) {
	own := r.Who == "farebox"
	weight, name := "400", r.Policy
	if own {
		weight = "600"
	}
	fmt.Fprintf(out, `<text x="24" y="%d" font-weight="%s" fill="#1a1a1a">%s</text>`+"\n", y+16, weight, html.EscapeString(name))
	for i, p := range panels {
		left, colour := panelLeft(i), p.other
		if own {
			colour = p.own
		}
		fmt.Fprintf(out, `<rect x="%d" y="%d" width="%d" height="%d" fill="#f1f1f1"/>`+"\n", left, y+5, panelWidth, barHeight)
		value := p.value(r)
		if length := p.length(value); length > 0 {
			fmt.Fprintf(out, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", left, y+5, length, barHeight, colour)
		}
		if p.most != nil && p.most(r) > 0 {
			at := float64(left) + p.length(p.most(r))
			fmt.Fprintf(out, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s" stroke-width="2"/>`+"\n", at, y+3, at, y+5+barHeight+2, colour)
		}
		fmt.Fprintf(out, `<text x="%d" y="%d" font-size="12" fill="#1a1a1a">%s</text>`+"\n", left+panelWidth+6, y+17, html.EscapeString(p.label(value)))
	}
}

func panelLeft(i int) int { return nameWidth + i*(panelWidth+panelGap) }

// length is that of a bar.
func (p panel) length(share float64) float64 {
	return math.Min(share/p.full, 1) * panelWidth
}

// label is the figure beside a bar; one that was cut off says so.
func (p panel) label(share float64) string {
	if share > p.full {
		return percent(share) + " →"
	}
	return percent(share)
}
