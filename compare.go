package farebox

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/farebox-go/farebox/internal/fixed"
)

// Workload is work to compare models by: what one call consumes, how many there are, and what a model must be able to do.
// The zero value of each field asks for nothing.
type Workload struct {
	// Usage is what one call consumes. Cached tokens are charged as such where a model has a rate for them; what a model
	// has no rate for at all leaves it out.
	Usage Usage
	// Calls is how many such calls there are; 0 is 1.
	Calls int64
	// At is when they are made; zero is now.
	At time.Time
	// ServiceTier, Region and Speed are those that serve them; see [When]. A model whose price has nothing to say on the
	// tier is compared at its standard price, with [Computation.TierAssumed].
	ServiceTier, Region, Speed string

	// Inputs and Outputs are the kinds of content that a model must take and give beside text.
	Inputs, Outputs Modality
	// Tools, StructuredOutput, Reasoning: a model must be known to have them.
	Tools, StructuredOutput, Reasoning bool
	// Embedding asks for embedding models, and otherwise for those that generate.
	Embedding bool

	// Providers and Models keep the comparison to some, by their exact names; empty: all. A model that is named and does
	// not fit is in the result all the same, behind all that do, with the reason.
	Providers, Models []string
	// MaxPerMillion leaves out what costs more per million tokens; zero: no bound.
	MaxPerMillion Money
}

// Offer is what a workload costs on one model.
type Offer struct {
	Provider string `json:"provider"`
	Model    string `json:"model"`
	// Each is one call's cost, Total that of all of them.
	Each  Money `json:"each"`
	Total Money `json:"total"`
	// PerMillion is the effective price: Total per million tokens of input and output; zero where there are no tokens.
	PerMillion Money `json:"per_million"`
	// Computation has one call's lines and the price that they were made with.
	Computation Computation `json:"computation"`
	// Unfit says why a model that was asked for by name cannot do the work or has no price; empty: it can.
	Unfit string `json:"unfit,omitzero"`
	// Entry is the catalog's; the zero value where the name is not in it.
	Entry Model `json:"-"`
}

// Compare prices a workload on every model of the catalog that can do it, cheapest first; where two cost the same, by
// name. A model that several providers offer is there once for each.
func (c *Catalog) Compare(w Workload) []Offer {
	if w.At.IsZero() {
		w.At = time.Now()
	}
	w.Calls = max(w.Calls, 1)
	var offers []Offer
	named := map[string]bool{}
	for model := range c.Models() {
		asked := w.names(&model)
		if asked != "" {
			named[asked] = true
		}
		if len(w.Models) > 0 && asked == "" || len(w.Providers) > 0 && !slices.Contains(w.Providers, model.Provider) {
			continue
		}
		if offer := c.offer(&w, &model); offer.Unfit == "" || asked != "" {
			offers = append(offers, offer)
		}
	}
	for _, name := range w.Models {
		if !named[name] {
			offers = append(offers, Offer{Model: name, Unfit: "not in the catalog"})
		}
	}
	slices.SortFunc(offers, func(a, b Offer) int {
		return cmp.Or(
			cmp.Compare(min(len(a.Unfit), 1), min(len(b.Unfit), 1)),
			a.Total.Cmp(b.Total), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model))
	})
	return offers
}

// names is the name under which a workload asks for a model; empty: it does not.
func (w *Workload) names(m *Model) string {
	for _, name := range w.Models {
		if name == m.Name || slices.Contains(m.Aliases, name) {
			return name
		}
	}
	return ""
}

// offer prices a workload on a model.
func (c *Catalog) offer(w *Workload, m *Model) Offer {
	offer := Offer{Provider: m.Provider, Model: m.Name, Entry: *m, Unfit: w.lack(m)}
	computed, err := c.Price(Served{
		Provider: m.Provider, Model: m.Name, At: w.At, Usage: w.Usage,
		ServiceTier: w.ServiceTier, Region: w.Region, Speed: w.Speed,
	})
	if err != nil {
		offer.Unfit = cmp.Or(offer.Unfit, "has no price")
		return offer
	}
	offer.Computation = computed
	offer.Each, offer.Total = computed.Total, computed.Total.Mul(w.Calls)
	if tokens := w.Usage.InputTokens() + w.Usage.OutputTokens(); tokens > 0 {
		offer.PerMillion = Money{units: computed.Total.units.MulQuo(1_000_000, uint64(tokens), fixed.HalfEven)}
	}
	switch {
	case offer.Unfit != "":
	case !computed.Complete:
		offer.Unfit = "has no price for a part of it"
	case !w.MaxPerMillion.IsZero() && w.MaxPerMillion.Less(offer.PerMillion):
		offer.Unfit = fmt.Sprintf("costs more than %s per million tokens", w.MaxPerMillion)
	}
	return offer
}

// lack says why a model cannot do the work, as far as is known; empty: it can.
func (w *Workload) lack(m *Model) string {
	inputs, outputs := w.Usage.InputTokens(), w.Usage.OutputTokens()
	switch {
	case m.Embedding != w.Embedding && w.Embedding:
		return "is no embedding model"
	case m.Embedding && !w.Embedding:
		return "is an embedding model"
	case m.ContextTokens > 0 && inputs+outputs > m.ContextTokens:
		return fmt.Sprintf("the context of %d tokens is too short", m.ContextTokens)
	case m.MaxOutputTokens > 0 && outputs > m.MaxOutputTokens:
		return fmt.Sprintf("answers have %d tokens at most", m.MaxOutputTokens)
	case w.Inputs&^(m.Inputs|ModalityText) != 0:
		return "is not known to take all of the modalities"
	case w.Outputs&^(m.Outputs|ModalityText) != 0:
		return "is not known to give all of the modalities"
	case w.Tools && m.Tools != SupportYes:
		return "is not known to call tools"
	case w.StructuredOutput && m.StructuredOutput != SupportYes:
		return "is not known to answer in a schema"
	case w.Reasoning && m.Reasoning != SupportYes:
		return "is not known to reason"
	}
	return ""
}
