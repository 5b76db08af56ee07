package pricelist

import (
	"bytes"
	"encoding/json"
	"errors"
)

// catwalkProvider is a provider of catwalk's list. The names of the two cached prices mislead: the one that ends in
// in_cached is for writing a cache, the one that ends in out_cached for reading it.
type catwalkProvider struct {
	ID     string         `json:"id"`
	Models []catwalkModel `json:"models"`
}

type catwalkModel struct {
	ID             string      `json:"id"`
	In             json.Number `json:"cost_per_1m_in"`
	Out            json.Number `json:"cost_per_1m_out"`
	CacheWrite     json.Number `json:"cost_per_1m_in_cached"`
	CacheRead      json.Number `json:"cost_per_1m_out_cached"`
	ContextWindow  json.Number `json:"context_window"`
	CanReason      *bool       `json:"can_reason"`
	SupportsImages *bool       `json:"supports_attachments"`
}

// Catwalk reads catwalk's list of providers, or the file of a single provider. Zero means there that a price is not known.
func Catwalk(data []byte) (*List, error) {
	var providers []catwalkProvider
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '{' {
		var one catwalkProvider
		if err := decode(data, &one); err != nil {
			return nil, err
		}
		providers = []catwalkProvider{one}
	} else if err := decode(data, &providers); err != nil {
		return nil, err
	}
	list := &List{}
	for _, p := range providers {
		if subscriptions[p.ID] {
			list.skip("paid by subscription, not by the call")
			continue
		}
		for _, m := range p.Models {
			list.addCatwalk(p.ID, m)
		}
	}
	return list.finish("catwalk's list")
}

func (l *List) addCatwalk(provider string, source catwalkModel) {
	row := provider + "/" + source.ID
	if !validName(source.ID) || !validName(provider) {
		l.problem(row, "has no usable name")
		return
	}
	free := provider == "openrouter" && namedFree(source.ID)
	rates, err := source.rates()
	switch {
	case err != nil:
		l.problem(row, "%v", err)
		return
	case free:
		rates = Rates{"input": "0", "output": "0"}
	case rates == nil:
		l.skip("no price")
		return
	}
	m := Model{
		Provider: providerName(provider), Name: source.ID, ContextTokens: count(source.ContextWindow),
		Prices: []Price{{Rates: rates}},
	}
	if source.CanReason != nil && *source.CanReason { // a false is often a field that nobody filled in
		m.Reasoning = Yes
	}
	if source.SupportsImages != nil {
		m.Inputs = Text
		if *source.SupportsImages {
			m.Inputs |= Image
		}
	}
	l.Models = append(l.Models, m)
}

// rates returns nil where the price is not known. A cache read that is dearer than input stands in the wrong field.
func (m *catwalkModel) rates() (Rates, error) {
	rates := Rates{}
	for _, p := range [...]struct {
		dimension string
		number    json.Number
	}{{"input", m.In}, {"output", m.Out}, {"cache_write", m.CacheWrite}, {"cache_read", m.CacheRead}} {
		if p.number == "" {
			continue
		}
		rate, err := perMillion.float(p.number)
		if err != nil {
			return nil, errors.New(p.dimension + ": " + err.Error())
		}
		if !isZero(rate) {
			rates[p.dimension] = rate
		}
	}
	if rates["input"] == "" || rates["output"] == "" {
		return nil, nil
	}
	if read := rates["cache_read"]; read != "" && dearer(read, rates["input"]) {
		delete(rates, "cache_read")
	}
	return rates, nil
}

func dearer(a, b string) bool {
	x, errX := parse(a)
	y, errY := parse(b)
	return errX == nil && errY == nil && x.Cmp(y) > 0
}
