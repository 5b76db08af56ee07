package farebox

import "time"

// Rates is what each dimension costs, in US dollars per unit. A dimension that is absent has no rate of its own,
// which is not the same as a rate of zero: cached, cache-write, audio, image and video input then cost what plain
// input costs, reasoning, audio, image and video output what plain output costs, a variant ("web_search/high") what the
// name before its last slash costs, and a request fee is not charged. Anything else without a rate is unpriced.
type Rates map[Dimension]Rate

// A Price is a set of rates with the conditions under which they hold: the base rates, over them those of every tier
// that the input reaches, and over these the overrides that hold, in their order. The zero value is not usable.
type Price struct {
	// Rates are the base rates.
	Rates Rates `json:"rates,omitempty"`
	// Tiers replace rates by input length; in any order.
	Tiers []Tier `json:"tiers,omitempty"`
	// Overrides replace or scale rates under conditions; of those that hold, later ones win.
	Overrides []Override `json:"overrides,omitempty"`
	// From is when the price took effect, To when it ceased to; zero: always, and until the next price.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	// Source says where the price was found, for receipts.
	Source string `json:"source,omitzero"`
	// AsOf is when the source said so.
	AsOf time.Time `json:"as_of,omitzero"`
	// Variable says that the price is that of whatever model serves: a router such as openrouter/auto.
	// It has no rates and cannot be bounded before the call.
	Variable bool `json:"variable,omitzero"`
}

// A Tier replaces rates for a whole request once its input, cached tokens included, is long enough: at every provider in
// use a tier is a cliff. Of several that are reached the longest wins. A dimension that a tier does not name keeps the
// rate of the tier below.
type Tier struct {
	// Over is the number of input tokens above which the tier applies.
	Over int64 `json:"over"`
	// Inclusive says that the tier applies at exactly Over tokens too (xAI: "reaches").
	Inclusive bool `json:"inclusive,omitzero"`
	// Rates replace those of the price.
	Rates Rates `json:"rates"`
}

// An Override changes a price under conditions. A dimension that it does not name keeps its rate: a table of its own, such
// as that of a service tier or of an endpoint behind OpenRouter, names whatever differs from the price's, cached input
// included. It works as OpenRouter's pricing.overrides do, and covers service tiers, regions, faster modes, times of the
// day, discounts and endpoints as well.
type Override struct {
	// When says when it holds; the zero value: always.
	When When `json:"when,omitzero"`
	// Rates replace those of the price.
	Rates Rates `json:"rates,omitempty"`
	// Multiplier scales every rate but those of searches, tool calls, sessions and requests, which no provider's tier,
	// region or discount changes. Multipliers of several overrides multiply each other, after all rates are chosen. The
	// zero value is 1.
	Multiplier Factor `json:"multiplier,omitzero"`
	// Name stands for the multiplier in receipts; empty: one is made of When.
	Name string `json:"name,omitzero"`
}
