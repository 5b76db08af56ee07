package farebox

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Use takes price lists into the catalog. Which source prices a model, first to last:
//
//  1. what was added with [Catalog.Add], [WithPrice] or [WithModels], and files of your own ([FormatFarebox]);
//  2. of lists that were read, OpenRouter's for its own models, then genai-prices, models.dev, LiteLLM, catwalk;
//  3. the embedded snapshot; but before a list that is older than the snapshot's row.
//
// A list is used for all its models or, with an error, for none. Prices that held before stay in the model's history: a list
// that says nothing of dates, and differs from what was known, holds from its own date on, so that an older ledger still
// has its old prices. What a list does not know of a model (its context window, what it takes) is kept from before.
func (c *Catalog) Use(lists ...*PriceList) error {
	for _, list := range lists {
		if list == nil {
			return errors.New("farebox: the price list is nil")
		}
		if _, err := list.Format.known(); err != nil {
			return err
		}
		if list.Format == FormatFarebox {
			if err := c.Add(list.Models...); err != nil {
				return err
			}
			continue
		}
		if err := c.use(list); err != nil {
			return err
		}
	}
	return nil
}

func (c *Catalog) use(list *PriceList) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := *c.load()
	next.listed = maps.Clone(next.listed)
	if next.listed == nil {
		next.listed = make(map[modelKey]*catalogModel, len(list.Models))
	}
	rank := priceFormats[list.Format].rank
	var merged []*catalogModel
	for i := range list.Models {
		m, err := next.merge(&list.Models[i], list, rank)
		if err != nil {
			return fmt.Errorf("farebox: model %q: %w", list.Models[i].Name, err)
		}
		if m != nil {
			merged = append(merged, m)
		}
	}
	for _, m := range merged {
		m.each(func(key modelKey) {
			if other := next.embedded[key]; other == nil || other.Name != key.name || other.Name == m.Name {
				next.listed[key] = m
			}
		})
	}
	for _, m := range merged { // a name outranks another model's alias
		next.listed[modelKey{m.Provider, m.Name}] = m
	}
	if list.AsOf.After(next.asOf) {
		next.asOf = list.AsOf
	}
	c.state.Store(&next)
	return nil
}

// merge joins what a list says of a model with what is known of it; nil where the list has no say.
func (s *catalogState) merge(m *Model, list *PriceList, rank int) (*catalogModel, error) {
	key := modelKey{m.Provider, m.Name}
	known := s.listed[key]
	if known == nil {
		known = s.embedded[key]
	}
	if known == nil {
		compiled, err := m.compile()
		if err == nil {
			compiled.rank = rank
		}
		return compiled, err
	}
	if list.Format == FormatOpenRouterEndpoints && known.rank == priceFormats[FormatOpenRouter].rank {
		return known.withUpstreams(m)
	}
	switch newest := known.Prices[len(known.Prices)-1].AsOf; {
	case known.rank > rank:
		return nil, nil
	case known.rank == 0 && newest.After(list.AsOf):
		return nil, nil
	}
	joined := *m
	joined.fillFrom(&known.Model)
	joined.Prices = history(known.Prices, m.Prices, list.AsOf)
	compiled, err := joined.compile()
	if err == nil {
		compiled.rank = rank
	}
	return compiled, err
}

// fillFrom takes over what only other knows: its further names too, where it is the same model under the same name. Where m's
// name was an alias of other, m's price says nothing of the other aliases.
func (m *Model) fillFrom(other *Model) {
	m.Aliases = slices.Clone(m.Aliases)
	for _, name := range other.Aliases {
		if other.Name == m.Name && !slices.Contains(m.Aliases, name) {
			m.Aliases = append(m.Aliases, name)
		}
	}
	if m.ContextTokens == 0 {
		m.ContextTokens = other.ContextTokens
	}
	if m.MaxOutputTokens == 0 {
		m.MaxOutputTokens = other.MaxOutputTokens
	}
	if m.Inputs == 0 {
		m.Inputs = other.Inputs
	}
	if m.Outputs == 0 {
		m.Outputs = other.Outputs
	}
	for _, ability := range [...]struct{ ours, theirs *Support }{
		{&m.Tools, &other.Tools}, {&m.Reasoning, &other.Reasoning}, {&m.StructuredOutput, &other.StructuredOutput},
	} {
		if *ability.ours == SupportUnknown {
			*ability.ours = *ability.theirs
		}
	}
}

// history puts what a list says after what was known before. A list with dates of its own knows the history; one without
// says what holds now, from asOf on where that is something new.
func history(known, now []Price, asOf time.Time) []Price {
	if len(now) > 1 || !now[0].From.IsZero() {
		return now
	}
	price := now[0]
	joined := make([]Price, 0, len(known)+1)
	for _, p := range known {
		if !p.From.After(asOf) {
			joined = append(joined, p)
		}
	}
	if len(joined) == 0 {
		return now
	}
	last := &joined[len(joined)-1]
	price.keepUpstreams(last)
	if last.same(&price) {
		price.From = last.From
		joined[len(joined)-1] = price // the same price, on a newer word
		return joined
	}
	price.From = asOf.UTC().Truncate(time.Second)
	if !price.From.After(last.From) {
		price.From = last.From
		joined[len(joined)-1] = price
		return joined
	}
	return append(joined, price)
}

// same says whether two prices charge the same, whoever says so and since when.
func (p *Price) same(q *Price) bool {
	sameTier := func(a, b Tier) bool {
		return a.Over == b.Over && a.Inclusive == b.Inclusive && maps.Equal(a.Rates, b.Rates)
	}
	sameOverride := func(a, b Override) bool {
		return a.When == b.When && a.Multiplier == b.Multiplier && maps.Equal(a.Rates, b.Rates)
	}
	return p.Variable == q.Variable && maps.Equal(p.Rates, q.Rates) &&
		slices.EqualFunc(p.Tiers, q.Tiers, sameTier) && slices.EqualFunc(p.Overrides, q.Overrides, sameOverride)
}

// keepUpstreams takes over the prices of the endpoints behind a gateway, which its list of models does not have.
func (p *Price) keepUpstreams(from *Price) {
	for _, o := range from.Overrides {
		if o.When.Upstream != "" {
			p.Overrides = append(slices.Clip(p.Overrides), o)
		}
	}
}

// withUpstreams puts the prices of a model's endpoints on top of the model's own.
func (m *catalogModel) withUpstreams(endpoints *Model) (*catalogModel, error) {
	joined := m.Model
	joined.Prices = slices.Clone(joined.Prices)
	last := &joined.Prices[len(joined.Prices)-1]
	if last.Variable {
		return nil, nil
	}
	last.Overrides = slices.DeleteFunc(slices.Clone(last.Overrides), func(o Override) bool { return o.When.Upstream != "" })
	last.keepUpstreams(&endpoints.Prices[len(endpoints.Prices)-1])
	compiled, err := joined.compile()
	if err == nil {
		compiled.rank = m.rank
	}
	return compiled, err
}
