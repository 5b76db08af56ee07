package farebox

import (
	"fmt"
	"time"

	"github.com/farebox-go/farebox/internal/fixed"
)

// Served says what served a call and what it consumed: all that decides what it costs. [Catalog.Price] prices it. Zero
// fields are what an answer does not state.
type Served struct {
	// Provider is who sends the bill, under the catalog's name: "openai", "openrouter".
	Provider string `json:"provider,omitzero"`
	// Model is the model that served, in the provider's own words.
	Model string `json:"model,omitzero"`
	// At is when the call started: prices have dates, and hours of the day.
	At time.Time `json:"at,omitzero"`
	// ServiceTier, Region, Speed and Upstream are those that served; see [When].
	ServiceTier string `json:"service_tier,omitzero"`
	Region      string `json:"region,omitzero"`
	Speed       string `json:"speed,omitzero"`
	Upstream    string `json:"upstream,omitzero"`
	// Usage is what was consumed.
	Usage Usage `json:"usage"`
	// Iterations were made, and are billed, beside Usage.
	Iterations []Iteration `json:"iterations,omitempty"`
	// Terms are what a gateway in between adds.
	Terms Terms `json:"terms,omitzero"`
}

// Iteration is a part of an answer that is billed beside its usage, at a model's price of its own: Anthropic's
// compactions, and what an advisor said.
type Iteration struct {
	Model string `json:"model,omitzero"` // empty: the answer's
	Usage Usage  `json:"usage"`
}

// Terms are what a gateway takes off and puts on what a call costs by the price list, in this order. The zero value
// changes nothing.
type Terms struct {
	// Discount multiplies every rate, fees included: 0.95 is five percent off.
	Discount Factor `json:"discount,omitzero"`
	// Margin multiplies the sum of the lines: 1.1 is ten percent on top, as a line of its own.
	Margin Factor `json:"margin,omitzero"`
	// Fee is added to every call.
	Fee Money `json:"fee,omitzero"`
	// CreditFee multiplies everything, where credit is bought with a fee: 1.055 at OpenRouter by card, 1.05 by crypto
	// (openrouter.ai/docs/faq, 2026-11). OpenRouter's reported costs are without it.
	CreditFee Factor `json:"credit_fee,omitzero"`
}

// The dimensions of the lines that [Terms] add. Their quantity is 1.
const (
	DimensionMargin    Dimension = "gateway_margin"
	DimensionFee       Dimension = "gateway_fee"
	DimensionCreditFee Dimension = "credit_fee"
)

// Computation is what a usage costs by a price of the catalog.
type Computation struct {
	Lines []Line `json:"lines"`
	Total Money  `json:"total"` // the sum of the lines
	// Complete is false where a quantity has no rate, so that Total is short of it.
	Complete bool `json:"complete"`
	// TierAssumed says that a service tier served for which the price has nothing to say, so that the standard rates were
	// taken.
	TierAssumed bool     `json:"tier_assumed,omitzero"`
	Price       PriceRef `json:"price"`
}

// Price prices what was served. A model that the catalog does not know, whose price is that of whatever serves, or that
// had no price at that time, is ErrUnpriced. Where the price has no rate for a part of the usage that is no error:
// Complete is false. An iteration whose model has no price leaves its quantities unpriced.
func (c *Catalog) Price(s Served) (Computation, error) {
	entry := c.find(s.Provider, s.Model)
	if entry == nil {
		return Computation{}, fmt.Errorf("farebox: %q at %q: %w", s.Model, s.Provider, ErrUnpriced)
	}
	table := entry.at(s.At)
	if table == nil || table.variable {
		return Computation{}, fmt.Errorf("farebox: %q at %q has no price of its own at %s: %w", s.Model, s.Provider, s.At.Format(time.DateOnly), ErrUnpriced)
	}
	return compute(entry, table, &s, func(model string) *priceTable {
		if entry := c.find(s.Provider, model); entry != nil {
			return entry.at(s.At)
		}
		return nil
	}), nil
}

// compute prices what was served by a price of a model; priceOf finds those of the models of iterations.
func compute(entry *catalogModel, table *priceTable, s *Served, priceOf func(model string) *priceTable) Computation {
	at := s.conditions()
	computed := Computation{Price: entry.ref(table), TierAssumed: !table.pricesTier(s.ServiceTier)}
	computed.Price.ServiceTier, computed.Price.Region, computed.Price.Speed = s.ServiceTier, s.Region, s.Speed
	computed.Lines, computed.Total, computed.Complete = table.cost(&s.Usage, &at)
	if len(s.Iterations) == 0 && s.Terms == (Terms{}) {
		return computed
	}
	for i := range s.Iterations {
		it := &s.Iterations[i]
		own := table
		if it.Model != "" && it.Model != s.Model {
			own = priceOf(it.Model)
		}
		computed.Lines = it.appendLines(computed.Lines, own, &at)
	}
	if s.Terms != (Terms{}) {
		terms := s.Terms
		computed.Price.Terms = &terms
		computed.Lines = terms.apply(computed.Lines)
	}
	computed.Total, computed.Complete = sumOf(computed.Lines)
	return computed
}

func (s *Served) conditions() conditions {
	return conditions{at: s.At, tier: s.ServiceTier, region: s.Region, speed: s.Speed, upstream: s.Upstream}
}

// Cost is [Catalog.Price] of a usage alone, at the standard tier.
func (c *Catalog) Cost(provider, model string, usage Usage, at time.Time) (Computation, error) {
	return c.Price(Served{Provider: provider, Model: model, Usage: usage, At: at})
}

// noPrice has no rates: every quantity is unpriced.
var noPrice = &priceTable{levels: rateLevels{{}}}

// appendLines adds the lines of an iteration; table is nil where its model has no price.
func (it *Iteration) appendLines(lines []Line, table *priceTable, at *conditions) []Line {
	if table == nil || table.variable {
		table = noPrice
	}
	more, _, _ := table.cost(&it.Usage, at)
	for i := range more {
		more[i].Model = it.Model
	}
	return append(lines, more...)
}

// apply puts the terms on lines, which are the caller's to change.
func (t *Terms) apply(lines []Line) []Line {
	if !t.Discount.IsOne() {
		for i := range lines {
			l := &lines[i]
			l.Rate = l.Rate.By(t.Discount)
			l.Amount = l.Rate.Times(l.Quantity)
			l.Factors = append(l.Factors[:len(l.Factors):len(l.Factors)], AppliedFactor{Name: "discount", Factor: t.Discount})
		}
	}
	lines = appendShare(lines, DimensionMargin, t.Margin)
	if !t.Fee.IsZero() {
		lines = append(lines, Line{Dimension: DimensionFee, Quantity: 1, Rate: t.Fee.perUnit(), Amount: t.Fee})
	}
	return appendShare(lines, DimensionCreditFee, t.CreditFee)
}

// most is what an amount comes to under the terms, rounded up.
func (t *Terms) most(m Money) Money {
	up := func(f Factor) { m = Money{units: m.units.MulQuo(f.units(), factorOne, fixed.AwayFromZero)} }
	up(t.Discount)
	up(t.Margin)
	m = m.Add(t.Fee)
	up(t.CreditFee)
	return m
}

// creditFee is what buying the credit for a charge costs beside it.
func (t *Terms) creditFee(charge Money) Money {
	return charge.By(t.CreditFee).Sub(charge)
}

// appendShare adds a line for what a factor adds to the sum of the lines so far.
func appendShare(lines []Line, d Dimension, f Factor) []Line {
	if f.Cmp(Factor{}) <= 0 {
		return lines
	}
	share := Factor{beyondOne: f.beyondOne - factorOne} // of 1.1, the 0.1
	sum, _ := sumOf(lines)
	amount := sum.By(share)
	return append(lines, Line{
		Dimension: d, Quantity: 1, Rate: amount.perUnit(), Amount: amount, Factors: []AppliedFactor{{Name: string(d), Factor: share}},
	})
}
