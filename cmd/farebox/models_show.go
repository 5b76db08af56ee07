package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/farebox-go/farebox"
)

type showCommand struct {
	Model    string `arg:"" help:"The model, by its exact name or an alias."`
	Provider string `help:"Only as this provider sells it." placeholder:"NAME"`
}

// Run shows a model as each provider sells it.
func (c *showCommand) Run(o *output) error {
	found := []farebox.Model{}
	for m := range o.catalog.Models() {
		same := func(name string) bool { return strings.EqualFold(name, c.Model) }
		if (same(m.Name) || slices.ContainsFunc(m.Aliases, same)) && (c.Provider == "" || c.Provider == m.Provider) {
			found = append(found, m)
		}
	}
	if m, ok := o.catalog.Find(c.Provider, c.Model); ok && len(found) == 0 { // a dated name, a region's
		found = append(found, m)
	}
	slices.SortFunc(found, func(a, b farebox.Model) int { return strings.Compare(a.Provider, b.Provider) })
	if len(found) == 0 {
		return fmt.Errorf("no model %q in the catalog%s", c.Model, suggestion(o.catalog, c.Model))
	}
	if o.json {
		return o.printJSON(found)
	}
	for i, m := range found {
		if i > 0 {
			o.say("")
		}
		if err := showModel(o, m); err != nil {
			return err
		}
	}
	return nil
}

func showModel(o *output, m farebox.Model) error {
	o.say("%s", o.paint(text.Bold, strings.TrimPrefix(m.Provider+"/"+m.Name, "/")))
	fact := func(name, value string) {
		if value != "" {
			o.say("  %-14s %s", name, value)
		}
	}
	fact("also named", strings.Join(m.Aliases, ", "))
	if m.ContextTokens > 0 {
		fact("context", grouped(m.ContextTokens)+" tokens")
	}
	if m.MaxOutputTokens > 0 {
		fact("longest answer", grouped(m.MaxOutputTokens)+" tokens")
	}
	fact("takes", kinds(m.Inputs))
	fact("gives", kinds(m.Outputs))
	fact("abilities", abilities(m))
	for i := len(m.Prices) - 1; i >= 0; i-- {
		var until time.Time
		if i+1 < len(m.Prices) {
			until = m.Prices[i+1].From
		}
		if err := showPrice(o, &m.Prices[i], until); err != nil {
			return err
		}
	}
	return nil
}

func kinds(set farebox.Modality) string {
	var names []string
	for i, name := range []string{"text", "images", "audio", "video", "files"} {
		if set&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func abilities(m farebox.Model) string {
	var names []string
	for _, a := range []struct {
		name    string
		support farebox.Support
	}{{"tools", m.Tools}, {"reasoning", m.Reasoning}, {"structured output", m.StructuredOutput}} {
		switch a.support {
		case farebox.SupportYes:
			names = append(names, a.name)
		case farebox.SupportNo:
			names = append(names, "no "+a.name)
		}
	}
	if m.Embedding {
		names = append(names, "embeddings")
	}
	return strings.Join(names, ", ")
}

// showPrice shows a price: since when, until when, on whose word, and every rate with its conditions.
func showPrice(o *output, p *farebox.Price, until time.Time) error {
	span := "from ever"
	if !p.From.IsZero() {
		span = "since " + p.From.Format(time.DateOnly)
	}
	if !p.To.IsZero() {
		until = p.To
	}
	if !until.IsZero() {
		span += ", until " + until.Format(time.DateOnly)
	}
	o.say("\n  %s (%s, %s)", o.paint(text.Bold, span), p.Source, p.AsOf.Format(time.DateOnly))
	if p.Variable {
		o.say("    the price is that of whatever model serves")
		return nil
	}
	var rows [][]any
	add := func(when string, rates farebox.Rates) {
		for _, d := range sortedDimensions(rates) {
			rate, per := shownRate(d, rates[d])
			rows = append(rows, []any{"    " + string(d), number("$" + rate), per, when})
		}
	}
	add("", p.Rates)
	for _, t := range p.Tiers {
		add(conditionsOf(farebox.When{InputOver: t.Over, Inclusive: t.Inclusive}), t.Rates)
	}
	for _, over := range p.Overrides {
		when := cmp.Or(conditionsOf(over.When), over.Name)
		add(when, over.Rates)
		if !over.Multiplier.IsOne() {
			rows = append(rows, []any{"    all but fees", number("× " + over.Multiplier.String()), "", when})
		}
	}
	return o.table([]any{"    RATE", "", "", "WHEN"}, rows)
}

// conditionsOf says in words when an override holds.
func conditionsOf(w farebox.When) string {
	var words []string
	add := func(set bool, format string, values ...any) {
		if set {
			words = append(words, fmt.Sprintf(format, values...))
		}
	}
	comparison := "over"
	if w.Inclusive {
		comparison = "from"
	}
	add(w.InputOver > 0, "input %s %s tokens", comparison, grouped(w.InputOver))
	add(w.ServiceTier != "", "service tier %s", w.ServiceTier)
	add(w.Speed != "", "speed %s", w.Speed)
	add(w.Region != "", "region %s", w.Region)
	add(w.Upstream != "", "served by %s", w.Upstream)
	add(w.Start != w.End, "%s to %s UTC", w.Start, w.End)
	add(w.Days == farebox.Weekdays, "on weekdays")
	add(w.Days != 0 && w.Days != farebox.Weekdays, "on %s", w.Days)
	return strings.Join(words, ", ")
}

// order is that of a receipt's lines.
var order = []farebox.Dimension{
	farebox.DimensionInput, farebox.DimensionCacheRead, farebox.DimensionCacheWrite, farebox.DimensionCacheWrite1h,
	farebox.DimensionAudioInput, farebox.DimensionAudioCacheRead, farebox.DimensionImageInput, farebox.DimensionImageCacheRead,
	farebox.DimensionVideoInput, farebox.DimensionOutput, farebox.DimensionReasoning, farebox.DimensionAudioOutput,
	farebox.DimensionImageOutput, farebox.DimensionVideoOutput, farebox.DimensionCitation,
}

func sortedDimensions(rates farebox.Rates) []farebox.Dimension {
	place := func(d farebox.Dimension) int {
		if i := slices.Index(order, d); i >= 0 {
			return i
		}
		return len(order)
	}
	return slices.SortedFunc(maps.Keys(rates), func(a, b farebox.Dimension) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b))
	})
}
