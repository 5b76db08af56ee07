package farebox

import (
	"fmt"
	"sync"

	"github.com/farebox-go/farebox/internal/catalog"
)

// embeddedModels decodes the snapshot, once.
var embeddedModels = sync.OnceValues(func() (*catalogState, error) {
	table, err := catalog.Snapshot()
	if err != nil {
		return nil, err
	}
	return stateOf(table)
})

// stateOf makes the entries of a decoded snapshot.
func stateOf(table *catalog.Table) (*catalogState, error) {
	state := &catalogState{embedded: make(map[modelKey]*catalogModel, len(table.Rows)*2)}
	for _, source := range table.Sources {
		if source.AsOf.After(state.asOf) {
			state.asOf = source.AsOf
		}
	}
	for rows := table.Rows; len(rows) > 0; {
		same := 1
		for same < len(rows) && rows[same].Provider == rows[0].Provider && rows[same].Model == rows[0].Model {
			same++
		}
		m, err := modelOfRows(rows[:same])
		if err != nil {
			return nil, fmt.Errorf("%s/%s: %w", rows[0].Provider, rows[0].Model, err)
		}
		m.each(func(key modelKey) {
			if key.name == m.Name || state.embedded[key] == nil { // a name outranks an alias
				state.embedded[key] = m
			}
		})
		rows = rows[same:]
	}
	return state, nil
}

// modelOfRows makes the entry of a model from its prices, oldest first.
func modelOfRows(rows []catalog.Row) (*catalogModel, error) {
	newest := &rows[len(rows)-1]
	m := Model{
		Provider: newest.Provider, Name: newest.Model, Aliases: newest.Aliases, Embedding: newest.Embedding,
		ContextTokens: newest.ContextTokens, MaxOutputTokens: newest.MaxOutputTokens,
		Inputs: Modality(newest.Inputs), Outputs: Modality(newest.Outputs),
		Tools: Support(newest.Tools), Reasoning: Support(newest.Reasoning), StructuredOutput: Support(newest.StructuredOutput),
	}
	for i := range rows {
		price, err := priceOfRow(&rows[i])
		if err != nil {
			return nil, err
		}
		m.Prices = append(m.Prices, price)
	}
	return m.compile()
}

func priceOfRow(row *catalog.Row) (Price, error) {
	price := Price{From: row.From, Source: row.Source, AsOf: row.AsOf, Variable: row.Variable}
	if row.Free {
		price.Rates = Rates{DimensionInput: {}, DimensionOutput: {}}
	}
	var err error
	if len(row.Rates) > 0 {
		if price.Rates, err = ratesOfRow(row.Rates); err != nil {
			return price, err
		}
	}
	for _, tier := range row.Tiers {
		rates, err := ratesOfRow(tier.Rates)
		if err != nil {
			return price, err
		}
		price.Tiers = append(price.Tiers, Tier{Over: tier.Over, Inclusive: tier.Inclusive, Rates: rates})
	}
	for i := range row.Overrides {
		override, err := overrideOfRow(&row.Overrides[i])
		if err != nil {
			return price, err
		}
		price.Overrides = append(price.Overrides, override)
	}
	return price, nil
}

func overrideOfRow(o *catalog.Override) (override Override, err error) {
	override.When = When{
		InputOver: o.When.Over, Inclusive: o.When.Inclusive, ServiceTier: o.When.ServiceTier, Region: o.When.Region, Speed: o.When.Speed,
		Start: TimeOfDay(o.When.Start), End: TimeOfDay(o.When.End), Days: Days(o.When.Days),
	}
	if o.Multiply != "" {
		if override.Multiplier, err = ParseFactor(o.Multiply); err != nil {
			return override, err
		}
	}
	if len(o.Rates) > 0 {
		override.Rates, err = ratesOfRow(o.Rates)
	}
	return override, err
}

func ratesOfRow(row []catalog.Rate) (Rates, error) {
	rates := make(Rates, len(row))
	for _, r := range row {
		parse := PerMillion
		if catalog.PerUnit(r.Dimension) {
			parse = ParseRate
		}
		rate, err := parse(r.Price)
		if err != nil {
			return nil, err
		}
		rates[Dimension(r.Dimension)] = rate
	}
	return rates, nil
}
