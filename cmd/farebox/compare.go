package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/farebox-go/farebox"
)

type compareCommand struct {
	Models   []string `help:"Only these models, by name or alias; those that do not fit are shown with the reason." placeholder:"NAME"`
	Provider []string `help:"Only models that these bill." placeholder:"NAME"`
	Needs    []string `help:"What a model must be known to have: tools, vision, audio, video, files, reasoning, schema, embedding." placeholder:"ABILITY"`
	MaxPrice string   `help:"Leave out what costs more, in dollars per million tokens of this work." placeholder:"DOLLARS"`
	Paid     bool     `help:"Leave out models that are free."`
	Limit    int      `help:"Show so many rows of the table (${default}); 0 shows all. JSON has all." default:"25" placeholder:"N"`
	usageFlags
}

// Run compares what a workload costs.
func (c *compareCommand) Run(o *output) error {
	work, err := c.workload()
	if err != nil {
		return err
	}
	offers := o.catalog.Compare(work)
	if c.Paid {
		offers = slices.DeleteFunc(offers, func(offer farebox.Offer) bool { return offer.Unfit == "" && offer.Each.IsZero() })
	}
	if o.json {
		if offers == nil {
			offers = []farebox.Offer{}
		}
		return o.printJSON(offers)
	}
	if len(offers) == 0 {
		return fmt.Errorf("no model in the catalog is known to do this work at a known price")
	}
	return c.print(o, offers)
}

func (c *compareCommand) workload() (w farebox.Workload, err error) {
	w = farebox.Workload{
		Calls: c.Calls, At: c.when(), ServiceTier: c.Tier, Region: c.Region, Models: c.Models, Providers: c.Provider,
	}
	if w.Usage, err = c.usage(); err != nil {
		return w, err
	}
	if w.Usage.InputTokens()+w.Usage.OutputTokens() == 0 && len(w.Usage.Units) == 0 {
		return w, fmt.Errorf("%w: want the work of one call: --input, --output or --units", errUsage)
	}
	for _, need := range c.Needs {
		if err := require(&w, need); err != nil {
			return w, err
		}
	}
	if c.MaxPrice != "" {
		if w.MaxPerMillion, err = farebox.ParseMoney(c.MaxPrice); err != nil || w.MaxPerMillion.Sign() <= 0 {
			return w, fmt.Errorf("%w: --max-price %q: want dollars per million tokens, such as 2.50", errUsage, c.MaxPrice)
		}
	}
	return w, nil
}

func require(w *farebox.Workload, need string) error {
	switch need {
	case "tools":
		w.Tools = true
	case "schema":
		w.StructuredOutput = true
	case "reasoning":
		w.Reasoning = true
	case "embedding":
		w.Embedding = true
	case "vision":
		w.Inputs |= farebox.ModalityImage
	case "audio":
		w.Inputs |= farebox.ModalityAudio
	case "video":
		w.Inputs |= farebox.ModalityVideo
	case "files":
		w.Inputs |= farebox.ModalityFile
	default:
		return fmt.Errorf("%w: --needs %q: want tools, vision, audio, video, files, reasoning, schema or embedding", errUsage, need)
	}
	return nil
}

func (c *compareCommand) print(o *output, offers []farebox.Offer) error {
	shown := offers
	if c.Limit > 0 && len(shown) > c.Limit {
		shown = shown[:c.Limit]
	}
	heading := []any{"MODEL", "BILLED BY", "ONE CALL"}
	if c.Calls != 1 {
		heading = append(heading, grouped(c.Calls)+" CALLS")
	}
	heading = append(heading, "PER MILLION")
	bars := o.width >= minWidthForBars
	if bars {
		heading = append(heading, "")
	}
	dearest := dearestOf(shown)
	var rows [][]any
	var unfit []farebox.Offer
	for _, offer := range shown {
		if offer.Unfit != "" {
			unfit = append(unfit, offer)
			continue
		}
		row := []any{offer.Model, offer.Provider, offer.Each}
		if c.Calls != 1 {
			row = append(row, offer.Total)
		}
		row = append(row, offer.PerMillion.Round(4))
		if bars {
			row = append(row, o.bar(offer.Each, dearest))
		}
		rows = append(rows, row)
	}
	if len(rows) > 0 {
		if err := o.table(heading, rows); err != nil {
			return err
		}
	}
	if len(unfit) > 0 {
		if len(rows) > 0 {
			o.say("")
		}
		o.say("Not among them:")
	}
	for _, offer := range unfit {
		o.say("  %s: %s", strings.TrimPrefix(offer.Provider+"/"+offer.Model, "/"), o.paint(text.FgYellow, offer.Unfit))
	}
	if more := len(offers) - len(shown); more > 0 {
		o.say("\n%s more; --limit 0 shows all, --needs, --provider and --max-price show fewer.", grouped(int64(more)))
	}
	return nil
}

const (
	minWidthForBars = 80
	barWidth        = 16
)

func dearestOf(offers []farebox.Offer) farebox.Money {
	var most farebox.Money
	for _, offer := range offers {
		if offer.Unfit == "" && most.Less(offer.Each) {
			most = offer.Each
		}
	}
	return most
}

// bar draws a price beside the dearest one that is shown, in eighths of a character.
func (o *output) bar(price, dearest farebox.Money) string {
	if dearest.IsZero() {
		return ""
	}
	eighths := int(price.Float64()/dearest.Float64()*barWidth*8 + 0.5)
	bar := strings.Repeat("█", eighths/8)
	if part := eighths % 8; part > 0 {
		bar += string([]rune("▏▎▍▌▋▊▉")[part-1])
	}
	return o.paint(text.FgCyan, bar)
}
