package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/farebox-go/farebox"
)

type catalogCommand struct {
	Refresh  refreshCommand  `cmd:"" help:"Fetch price lists from where they are published, check and keep them."`
	Diff     diffCommand     `cmd:"" help:"Show where a price list differs from the prices in use."`
	Validate validateCommand `cmd:"" help:"Check price files."`
	Sources  sourcesCommand  `cmd:"" help:"List where the prices in use come from, and how old they are."`
}

type sourcesCommand struct{}

// sourceRow is one source of prices.
type sourceRow struct {
	Source  string `json:"source"`
	AsOf    string `json:"as_of"`
	AgeDays int64  `json:"age_days"`
	Models  int64  `json:"models"` // whose price is this source's word
}

// Run lists sources, the newest first.
func (c *sourcesCommand) Run(o *output) error {
	bySource := map[[2]string]int64{}
	for m := range o.catalog.Models() {
		if p := priceAt(m, time.Now()); p != nil {
			bySource[[2]string{p.AsOf.Format(time.DateOnly), p.Source}]++
		}
	}
	rows := []sourceRow{}
	for key, models := range bySource {
		asOf, _ := time.Parse(time.DateOnly, key[0])
		rows = append(rows, sourceRow{Source: key[1], AsOf: key[0], AgeDays: int64(time.Since(asOf).Hours() / 24), Models: models})
	}
	slices.SortFunc(rows, func(a, b sourceRow) int {
		return cmp.Or(strings.Compare(b.AsOf, a.AsOf), cmp.Compare(b.Models, a.Models), strings.Compare(a.Source, b.Source))
	})
	if o.json {
		return o.printJSON(rows)
	}
	cells := make([][]any, len(rows))
	for i, r := range rows {
		cells[i] = []any{r.Models, r.AsOf, number(fmt.Sprintf("%d days", r.AgeDays)), r.Source}
	}
	if err := o.table([]any{"MODELS", "AS OF", "AGE", "SOURCE"}, cells); err != nil {
		return err
	}
	if o.kept != "" {
		o.say("\nFetched lists are kept in %s; farebox catalog refresh fetches them anew.", o.kept)
	}
	return nil
}

type validateCommand struct {
	Files  []string `arg:"" help:"Files to check; .yaml and .yml are YAML."`
	Format string   `help:"The form they are in (${default}): ${enum}." default:"farebox" enum:"farebox,openrouter,openrouter-endpoints,genai-prices,models.dev,litellm,catwalk" placeholder:"FORM"`
}

// validated is what came of checking a file.
type validated struct {
	File     string                 `json:"file"`
	OK       bool                   `json:"ok"`
	Models   int                    `json:"models"`
	Error    string                 `json:"error,omitzero"`
	Problems []farebox.PriceProblem `json:"problems,omitempty"`
	Skipped  map[string]int         `json:"skipped,omitempty"`
}

// Run checks files, all of them.
func (c *validateCommand) Run(o *output) error {
	rows := make([]validated, len(c.Files))
	failed := false
	for i, name := range c.Files {
		rows[i] = c.check(name)
		failed = failed || !rows[i].OK
		if !o.json {
			rows[i].print(o)
		}
	}
	if o.json {
		if err := o.printJSON(rows); err != nil {
			return err
		}
	}
	if failed {
		return errShown
	}
	return nil
}

func (c *validateCommand) check(name string) validated {
	row := validated{File: name}
	list, err := readPriceFile(farebox.PriceFormat(c.Format), name)
	if err != nil {
		row.Error = strings.ReplaceAll(err.Error(), "farebox: ", "")
		return row
	}
	row.Models, row.Problems, row.Skipped = len(list.Models), list.Problems, list.Skipped
	row.OK = len(list.Problems) == 0
	return row
}

func (v *validated) print(o *output) {
	switch {
	case v.Error != "":
		o.say("%s: not usable\n  %s", v.File, strings.ReplaceAll(v.Error, "\n", "\n  "))
		return
	case v.OK:
		o.say("%s: good, %s models", v.File, grouped(int64(v.Models)))
	default:
		o.say("%s: %s models are good, and %d rows or parts of them are not:", v.File, grouped(int64(v.Models)), len(v.Problems))
	}
	for _, p := range v.Problems {
		o.say("  %s: %s", p.Row, p.Reason)
	}
	for _, reason := range slices.Sorted(maps.Keys(v.Skipped)) {
		o.say("  left out %d: %s", v.Skipped[reason], reason)
	}
}

type diffCommand struct {
	Lists []string `arg:"" optional:"" help:"Lists as FORM=FILE, such as litellm=prices.json; none: those that farebox catalog refresh fetched." placeholder:"FORM=FILE"`
	Over  int64    `help:"Show what differs by more than so many percent (${default})." default:"1" placeholder:"PERCENT"`
	All   bool     `help:"Compare the lists with each other too, and not only with the prices in use."`
}

// Run shows differences.
func (c *diffCommand) Run(o *output) error {
	lists, err := c.read(o)
	if err != nil {
		return err
	}
	snapshot, err := farebox.NewCatalog()
	if err != nil {
		return err
	}
	differences := []farebox.PriceDifference{}
	for i, list := range lists {
		differences = append(differences, snapshot.Differences(list, c.Over)...)
		if !c.All {
			continue
		}
		for _, other := range lists[:i] {
			alone := &farebox.Catalog{}
			if err := alone.Use(other); err != nil {
				return err
			}
			differences = append(differences, alone.Differences(list, c.Over)...)
		}
	}
	if o.json {
		return o.printJSON(differences)
	}
	if len(differences) == 0 {
		o.say("No rate differs by more than %d %%.", c.Over)
		return nil
	}
	rows := make([][]any, len(differences))
	for i, d := range differences {
		ours, per := shownRate(d.Dimension, d.Known)
		theirs, _ := shownRate(d.Dimension, d.Listed)
		rows[i] = []any{d.Provider, d.Model, strings.TrimSuffix(string(d.Dimension)+" "+conditionsOf(d.When), " "),
			number("$" + ours), number("$" + theirs), per, d.KnownSource, d.ListSource}
	}
	if err := o.table([]any{"PROVIDER", "MODEL", "RATE", "KNOWN", "LISTED", "", "KNOWN FROM", "LISTED BY"}, rows); err != nil {
		return err
	}
	o.say("\n%s rates differ by more than %d %%.", grouped(int64(len(rows))), c.Over)
	return nil
}

func (c *diffCommand) read(o *output) ([]*farebox.PriceList, error) {
	if c.Over < 0 || c.Over >= 100 {
		return nil, fmt.Errorf("%w: --over %d: want a number of percent from 0 to 99", errUsage, c.Over)
	}
	var lists []*farebox.PriceList
	for _, arg := range c.Lists {
		format, name, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, fmt.Errorf("%w: %q: want FORM=FILE, such as litellm=prices.json", errUsage, arg)
		}
		list, err := readPriceFile(farebox.PriceFormat(format), name)
		if err != nil {
			return nil, err
		}
		lists = append(lists, list)
	}
	if len(c.Lists) > 0 {
		return lists, nil
	}
	if o.kept != "" {
		kept, err := (&farebox.Catalog{}).UseKept(o.kept)
		if err != nil {
			return nil, err
		}
		lists = kept
	}
	if len(lists) == 0 {
		return nil, fmt.Errorf("there is no list to compare: give one as FORM=FILE, or fetch some with farebox catalog refresh")
	}
	return lists, nil
}
