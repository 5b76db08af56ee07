package farebox

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
)

// readOpenRouter reads OpenRouter's list of models, model by model.
func (l *PriceList) readOpenRouter(data []byte) error {
	var document struct {
		Data []json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return fmt.Errorf("OpenRouter's model list: %w", err)
	}
	for i, raw := range document.Data {
		var entry openRouterModel
		row := fmt.Sprintf("data[%d]", i)
		if err := json.Unmarshal(raw, &entry); err != nil {
			l.problem(row, err)
			continue
		}
		if entry.ID != "" {
			row = entry.ID
		}
		m, err := entry.model(l.AsOf)
		if errors.Is(err, errOtherUnits) {
			l.skip("a price in units that the list of models does not spell out")
			continue
		}
		if err == nil {
			m.Prices[0].Source = l.Source
			err = l.take(m)
		}
		l.problem(row, err)
	}
	return nil
}

// openRouterEndpoint is an endpoint of a model's list (OpenRouter's OpenAPI description, schema PublicEndpoint). Its tag
// names the upstream and, of some, a region or a service tier, whose factor is in the price: "openai/priority".
type openRouterEndpoint struct {
	Tag                 string                     `json:"tag"`
	ProviderName        string                     `json:"provider_name"`
	Pricing             map[string]json.RawMessage `json:"pricing"`
	ContextLength       int64                      `json:"context_length"`
	MaxCompletionTokens *int64                     `json:"max_completion_tokens"`
}

// readOpenRouterEndpoints reads the endpoints of one model: its price is that of the first, which is the one that OpenRouter
// puts first, and each endpoint's replaces it where that endpoint served.
func (l *PriceList) readOpenRouterEndpoints(data []byte) error {
	var document struct {
		Data struct {
			ID           string               `json:"id"`
			Architecture openRouterModalities `json:"architecture"`
			Endpoints    []openRouterEndpoint `json:"endpoints"`
		} `json:"data"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return fmt.Errorf("OpenRouter's list of endpoints: %w", err)
	}
	listed := &document.Data
	m := Model{Provider: "openrouter", Name: listed.ID, Inputs: modalities(listed.Architecture.InputModalities), Outputs: modalities(listed.Architecture.OutputModalities)}
	var price Price
	for i := range listed.Endpoints {
		e := &listed.Endpoints[i]
		own, err := (&openRouterModel{Pricing: e.Pricing}).price()
		switch {
		case err != nil:
			l.problem(listed.ID+" at "+e.ProviderName, err)
			continue
		case own.Variable || e.ProviderName == "":
			l.problem(listed.ID+" at "+e.Tag, errors.New("an endpoint needs a name and a price of its own"))
			continue
		}
		if price.Rates == nil {
			price = Price{Rates: own.Rates, Source: l.Source, AsOf: l.AsOf}
		}
		price.addEndpoint(e, own)
		m.ContextTokens = max(m.ContextTokens, e.ContextLength)
		if e.MaxCompletionTokens != nil {
			m.MaxOutputTokens = max(m.MaxOutputTokens, *e.MaxCompletionTokens)
		}
	}
	if price.Rates == nil {
		return nil
	}
	m.Prices = []Price{price}
	l.problem(listed.ID, l.take(m))
	return nil
}

type openRouterModalities struct {
	InputModalities  []string `json:"input_modalities"`
	OutputModalities []string `json:"output_modalities"`
}

// addEndpoint adds what an endpoint charges. Where several have the name that the answer will state (quantizations, regions),
// the dearest rate of each dimension stands: nothing tells afterwards which of them it was.
func (p *Price) addEndpoint(e *openRouterEndpoint, own Price) {
	base := When{Upstream: e.ProviderName}
	if _, tier, ok := strings.Cut(e.Tag, "/"); ok && (tier == "priority" || tier == "flex" || tier == "batch" || tier == "fast") {
		base.ServiceTier = tier
	}
	p.addDearest(base, own.Rates, Factor{}, "")
	for _, o := range own.Overrides {
		o.When.Upstream, o.When.ServiceTier = base.Upstream, base.ServiceTier
		p.addDearest(o.When, o.Rates, o.Multiplier, o.Name)
	}
}

func (p *Price) addDearest(when When, rates Rates, multiplier Factor, name string) {
	for i := range p.Overrides {
		o := &p.Overrides[i]
		if o.When != when || o.Name != name {
			continue
		}
		for dimension, rate := range rates {
			if rate.Cmp(o.Rates[dimension]) > 0 {
				o.Rates[dimension] = rate
			}
		}
		if multiplier.Cmp(o.Multiplier) > 0 {
			o.Multiplier = multiplier
		}
		return
	}
	p.Overrides = append(p.Overrides, Override{When: when, Rates: maps.Clone(rates), Multiplier: multiplier, Name: name})
}
