package pricelist

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// modelsDevCost is a set of prices in dollars per million tokens, with those that replace it for longer inputs. A number
// is kept as written.
type modelsDevCost struct {
	Input       json.Number `json:"input"`
	Output      json.Number `json:"output"`
	Reasoning   json.Number `json:"reasoning"`
	CacheRead   json.Number `json:"cache_read"`
	CacheWrite  json.Number `json:"cache_write"`
	InputAudio  json.Number `json:"input_audio"`
	OutputAudio json.Number `json:"output_audio"`

	Over200k *modelsDevCost  `json:"context_over_200k"`
	Tiers    []modelsDevTier `json:"tiers"`
}

type modelsDevTier struct {
	modelsDevCost
	Tier struct {
		Type string      `json:"type"`
		Size json.Number `json:"size"`
	} `json:"tier"`
}

type modelsDevModel struct {
	ID               string `json:"id"`
	Reasoning        *bool  `json:"reasoning"`
	ToolCall         *bool  `json:"tool_call"`
	StructuredOutput *bool  `json:"structured_output"`
	Modalities       struct {
		Input  []string `json:"input"`
		Output []string `json:"output"`
	} `json:"modalities"`
	Limit struct {
		Context json.Number `json:"context"`
		Output  json.Number `json:"output"`
	} `json:"limit"`
	Cost *modelsDevCost `json:"cost"`
}

// ModelsDev reads models.dev's api.json: providers by id, each with models by id. A price of zero for both input and
// output stands for free models and for subscriptions alike, so only a model that is named free is free.
func ModelsDev(data []byte) (*List, error) {
	var providers map[string]struct {
		Models map[string]json.RawMessage `json:"models"`
	}
	if err := decode(data, &providers); err != nil {
		return nil, err
	}
	list := &List{}
	for _, id := range slices.Sorted(maps.Keys(providers)) {
		if subscriptions[id] {
			list.skip("paid by subscription, not by the call")
			continue
		}
		models := providers[id].Models
		for _, name := range slices.Sorted(maps.Keys(models)) {
			list.addModelsDev(id, name, models[name])
		}
	}
	return list.finish("models.dev's list")
}

func (l *List) addModelsDev(provider, name string, raw json.RawMessage) {
	row := provider + "/" + name
	var m modelsDevModel
	if err := decode(raw, &m); err != nil {
		l.problem(row, "%v", err)
		return
	}
	switch {
	case m.Cost == nil:
		l.skip("no price")
		return
	case !validName(name) || !validName(provider):
		l.problem(row, "has no usable name")
		return
	}
	price, err := m.Cost.price()
	if err != nil {
		l.problem(row, "cost: %v", err)
		return
	}
	if !price.charges() && !namedFree(name) {
		l.skip("a price of 0 that may be a subscription's")
		return
	}
	price.Overrides = append(price.Overrides, l.modelsDevModes(row, raw)...)
	model := Model{
		Provider: providerName(provider), Name: name, Prices: []Price{price},
		ContextTokens: count(m.Limit.Context), MaxOutputTokens: count(m.Limit.Output),
		Inputs: modalitiesOf(m.Modalities.Input), Outputs: modalitiesOf(m.Modalities.Output),
		Tools: known(m.ToolCall), Reasoning: known(m.Reasoning), StructuredOutput: known(m.StructuredOutput),
		Embedding: slices.Contains(m.Modalities.Output, "embeddings"),
	}
	l.Models = append(l.Models, model)
}

func namedFree(name string) bool {
	return strings.HasSuffix(name, ":free") || strings.HasSuffix(name, "-free")
}

func known(b *bool) Support {
	if b == nil {
		return Unknown
	}
	return supportOf(*b)
}

func modalitiesOf(names []string) (set Modality) {
	for _, name := range names {
		switch name {
		case "text":
			set |= Text
		case "image":
			set |= Image
		case "audio":
			set |= Audio
		case "video":
			set |= Video
		case "file", "pdf":
			set |= File
		}
	}
	return set
}

// price reads the base rates and the tiers. Its tiers are strict: "over 200k".
func (c *modelsDevCost) price() (Price, error) {
	rates, err := c.rates()
	if err != nil {
		return Price{}, err
	}
	price := Price{Rates: rates}
	if price.Rates["input"] == "" {
		return price, fmt.Errorf("no price for input")
	}
	price.dropZeros()
	tiers := c.Tiers
	if c.Over200k != nil && len(tiers) == 0 {
		tier := modelsDevTier{modelsDevCost: *c.Over200k}
		tier.Tier.Type, tier.Tier.Size = "context", "200000"
		tiers = []modelsDevTier{tier}
	}
	if len(tiers) > 64 {
		return price, fmt.Errorf("%d tiers", len(tiers))
	}
	for _, tier := range tiers {
		over := count(tier.Tier.Size)
		if tier.Tier.Type != "context" || over == 0 {
			return price, fmt.Errorf("a tier of type %q and size %q, want context and a number of tokens", excerpt(tier.Tier.Type), tier.Tier.Size)
		}
		if rates, err = tier.rates(); err != nil {
			return price, err
		}
		price.Overrides = append(price.Overrides, Override{When: When{Over: over}, Rates: rates})
	}
	slices.SortStableFunc(price.Overrides, func(a, b Override) int { return int(a.When.Over - b.When.Over) })
	return price, nil
}

func (c *modelsDevCost) rates() (Rates, error) {
	rates := Rates{}
	for _, p := range [...]struct {
		dimension string
		number    json.Number
	}{
		{"input", c.Input}, {"output", c.Output}, {"reasoning", c.Reasoning}, {"cache_read", c.CacheRead},
		{"cache_write", c.CacheWrite}, {"audio_input", c.InputAudio}, {"audio_output", c.OutputAudio},
	} {
		if p.number == "" {
			continue
		}
		rate, err := perMillion.float(p.number)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.dimension, err)
		}
		rates[p.dimension] = rate
	}
	return rates, nil
}

// modelsDevModes reads the modes of a model that are asked for with a service tier in the request.
func (l *List) modelsDevModes(row string, raw json.RawMessage) (overrides []Override) {
	var m struct {
		Experimental struct {
			Modes map[string]struct {
				Cost     *modelsDevCost `json:"cost"`
				Provider struct {
					Body struct {
						ServiceTier string `json:"service_tier"`
						Speed       string `json:"speed"`
					} `json:"body"`
				} `json:"provider"`
			} `json:"modes"`
		} `json:"experimental"`
	}
	if decode(raw, &m) != nil { // the field has held a plain true as well
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(m.Experimental.Modes)) {
		mode := m.Experimental.Modes[name]
		when := When{ServiceTier: mode.Provider.Body.ServiceTier, Speed: mode.Provider.Body.Speed}
		if mode.Cost == nil || when == (When{}) {
			continue
		}
		rates, err := mode.Cost.rates()
		if err != nil {
			l.problem(row, "mode %s: %v; the model is kept without it", excerpt(name), err)
			continue
		}
		overrides = append(overrides, Override{When: when, Rates: rates})
	}
	return overrides
}
