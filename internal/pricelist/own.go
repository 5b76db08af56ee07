package pricelist

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ownFile is farebox's own form of a price file; docs/prices.schema.json describes it.
type ownFile struct {
	Schema string            `json:"$schema"`
	Source string            `json:"source"`
	AsOf   string            `json:"as_of"`
	Models []json.RawMessage `json:"models"`
}

type ownModel struct {
	Provider         string     `json:"provider"`
	Name             string     `json:"name"`
	Aliases          []string   `json:"aliases"`
	ContextTokens    int64      `json:"context_tokens"`
	MaxOutputTokens  int64      `json:"max_output_tokens"`
	Inputs           []string   `json:"inputs"`
	Outputs          []string   `json:"outputs"`
	Embedding        bool       `json:"embedding"`
	Tools            *bool      `json:"tools"`
	Reasoning        *bool      `json:"reasoning"`
	StructuredOutput *bool      `json:"structured_output"`
	Prices           []ownPrice `json:"prices"`
}

type ownPrice struct {
	From     string `json:"from"`
	Source   string `json:"source"`
	AsOf     string `json:"as_of"`
	Variable bool   `json:"variable"`
	Free     bool   `json:"free"`
	ownRates
	Overrides []ownOverride `json:"overrides"`
}

type ownRates struct {
	PerMillion map[string]any `json:"per_million"`
	PerUnit    map[string]any `json:"per_unit"`
}

type ownOverride struct {
	When struct {
		InputOver   int64  `json:"input_over"`
		Inclusive   bool   `json:"inclusive"`
		ServiceTier string `json:"service_tier"`
		Hours       string `json:"hours_utc"`
		Days        []any  `json:"days"`
		Region      string `json:"region"`
		Speed       string `json:"speed"`
	} `json:"when"`
	ownRates
	Multiplier any `json:"multiplier"`
}

// tokens are the dimensions that are counted in tokens, and so priced per million.
var tokens = []string{
	"input", "cache_read", "cache_write", "cache_write_1h", "audio_input", "audio_cache_read", "image_input",
	"image_cache_read", "video_input", "output", "reasoning", "audio_output", "image_output", "video_output", "citation",
}

// others are the dimensions that are priced each; all but request may be followed by a slash and a variant.
var others = []string{
	"web_search", "request", "image", "pixel", "character", "audio_ms", "video_ms", "page", "search_unit", "tool_call", "session",
	"unit",
}

// Own reads farebox's own form. It is somebody's word on what they pay: where any row is wrong, or has a field that is
// not known, nothing is taken, and the error names every such row.
func Own(data []byte) (*List, error) {
	var file ownFile
	if err := strict(data, &file); err != nil {
		return nil, err
	}
	asOf, err := date(file.AsOf)
	if err != nil {
		return nil, fmt.Errorf("as_of: %w", err)
	}
	list := &List{}
	var wrong []error
	for i, raw := range file.Models {
		m, err := readOwn(raw, file.Source, asOf)
		if err != nil {
			row := fmt.Sprintf("models[%d]", i)
			if m.Name != "" {
				row += " " + excerpt(m.Provider+"/"+m.Name)
			}
			wrong = append(wrong, fmt.Errorf("%s: %w", row, err))
			continue
		}
		list.Models = append(list.Models, m)
	}
	if wrong == nil {
		wrong = twice(list.Models)
	}
	if wrong != nil {
		return nil, errors.Join(wrong...)
	}
	return list.finish("the price file")
}

// strict decodes JSON in which every field is known.
func strict(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return readable(data, err)
	}
	return nil
}

// twice finds names that stand in the file more than once.
func twice(models []Model) (wrong []error) {
	seen := map[[2]string]bool{}
	for _, m := range models {
		for _, name := range append([]string{m.Name}, m.Aliases...) {
			key := [2]string{m.Provider, name}
			if seen[key] {
				wrong = append(wrong, fmt.Errorf("%s/%s: the name stands twice", m.Provider, excerpt(name)))
			}
			seen[key] = true
		}
	}
	return wrong
}

func readOwn(raw json.RawMessage, source string, asOf time.Time) (Model, error) {
	var in ownModel
	err := strict(raw, &in)
	m := Model{
		Provider: in.Provider, Name: in.Name, Aliases: in.Aliases, Embedding: in.Embedding,
		ContextTokens: in.ContextTokens, MaxOutputTokens: in.MaxOutputTokens,
		Tools: known(in.Tools), Reasoning: known(in.Reasoning), StructuredOutput: known(in.StructuredOutput),
	}
	if err != nil {
		return m, err
	}
	for _, name := range append([]string{in.Name}, in.Aliases...) {
		if !validName(name) {
			return m, fmt.Errorf("name %q: want one word", excerpt(name))
		}
	}
	switch {
	case in.Provider != "" && !validName(in.Provider):
		return m, fmt.Errorf("provider %q: want one word, or none for every endpoint without a price of its own", excerpt(in.Provider))
	case in.ContextTokens < 0 || in.MaxOutputTokens < 0:
		return m, errors.New("context_tokens and max_output_tokens cannot be negative")
	case len(in.Prices) == 0:
		return m, errors.New("prices: want at least one")
	}
	if m.Inputs, err = ownModalities(in.Inputs); err != nil {
		return m, fmt.Errorf("inputs: %w", err)
	}
	if m.Outputs, err = ownModalities(in.Outputs); err != nil {
		return m, fmt.Errorf("outputs: %w", err)
	}
	for i, p := range in.Prices {
		price, err := p.read(source, asOf)
		if err != nil {
			return m, fmt.Errorf("prices[%d]: %w", i, err)
		}
		m.Prices = append(m.Prices, price)
	}
	slices.SortStableFunc(m.Prices, func(a, b Price) int { return a.From.Compare(b.From) })
	for i := 1; i < len(m.Prices); i++ {
		if m.Prices[i].From.Equal(m.Prices[i-1].From) {
			return m, fmt.Errorf("two prices from %q", in.Prices[i].From)
		}
	}
	return m, nil
}

func ownModalities(names []string) (set Modality, err error) {
	for _, name := range names {
		bit := modalitiesOf([]string{name})
		if bit == 0 {
			return 0, fmt.Errorf("%q: want text, image, audio, video or file", excerpt(name))
		}
		set |= bit
	}
	return set, nil
}

func (in *ownPrice) read(source string, asOf time.Time) (p Price, err error) {
	p = Price{Variable: in.Variable, Source: source, AsOf: asOf}
	if in.Source != "" {
		p.Source = in.Source
	}
	if p.From, err = date(in.From); err != nil {
		return p, fmt.Errorf("from: %w", err)
	}
	if in.AsOf != "" {
		if p.AsOf, err = date(in.AsOf); err != nil {
			return p, fmt.Errorf("as_of: %w", err)
		}
	}
	if p.Rates, err = in.ownRates.read(); err != nil {
		return p, err
	}
	for i, o := range in.Overrides {
		override, err := o.read()
		if err != nil {
			return p, fmt.Errorf("overrides[%d]: %w", i, err)
		}
		p.Overrides = append(p.Overrides, override)
	}
	switch {
	case in.Free && (in.Variable || len(p.Rates)+len(p.Overrides) > 0):
		return p, errors.New("free: a model that is free has no rates")
	case in.Free:
		p.Rates = Rates{"input": "0", "output": "0"}
	case in.Variable && len(p.Rates)+len(p.Overrides) > 0:
		return p, errors.New("variable: the price is that of what serves; it has no rates of its own")
	case !in.Variable && len(p.Rates) == 0:
		return p, errors.New(`no rates: want "per_million" or "per_unit", or "free": true`)
	}
	return p, nil
}

func (in ownRates) read() (Rates, error) {
	rates := Rates{}
	for _, group := range [...]struct {
		name   string
		rates  map[string]any
		unit   unit
		choice []string
		other  string
	}{
		{"per_million", in.PerMillion, perMillion, tokens, "per_unit"},
		{"per_unit", in.PerUnit, perOne, others, "per_million"},
	} {
		for _, dimension := range slices.Sorted(maps.Keys(group.rates)) {
			base, variant, varied := strings.Cut(dimension, "/")
			if !slices.Contains(group.choice, base) || varied && (variant == "" || base == "request" || slices.Contains(tokens, base)) || base == "unit" && !varied {
				return nil, fmt.Errorf("%s: %q is no dimension that stands there; the names are %s (others stand in %s)",
					group.name, excerpt(dimension), strings.Join(group.choice, ", "), group.other)
			}
			rate, err := group.unit.exact(group.rates[dimension])
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", group.name, dimension, err)
			}
			rates[dimension] = rate
		}
	}
	return rates, nil
}

func (in *ownOverride) read() (o Override, err error) {
	w := in.When
	o.When = When{Over: w.InputOver, Inclusive: w.Inclusive, ServiceTier: w.ServiceTier, Region: w.Region, Speed: w.Speed}
	if w.InputOver < 0 {
		return o, errors.New("when: input_over: want a positive number of tokens")
	}
	if w.Hours != "" {
		h, err := parseHours(w.Hours)
		if err != nil {
			return o, fmt.Errorf("when: hours_utc: %w", err)
		}
		o.When.Hours = &h
	}
	if o.When.Weekdays, err = parseWeekdays(w.Days); err != nil {
		return o, fmt.Errorf("when: days: %w", err)
	}
	if o.Rates, err = in.ownRates.read(); err != nil {
		return o, err
	}
	if in.Multiplier != nil {
		if o.Multiply, err = multiplier(in.Multiplier); err != nil {
			return o, fmt.Errorf("multiplier: %w", err)
		}
	}
	if len(o.Rates) == 0 && o.Multiply == "" {
		return o, errors.New("changes nothing: want rates or a multiplier")
	}
	return o, nil
}

// date reads a day, or a moment; empty is none.
func date(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range [...]string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date such as 2026-01-31", excerpt(text))
}
