package pricelist

import (
	"cmp"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// LiteLLM reads LiteLLM's map, model_prices_and_context_window.json: an object of entries by model, with float prices
// in dollars per unit. A zero there often means that nobody knew, so an entry of nothing but zeros is left out.
func LiteLLM(data []byte) (*List, error) {
	var entries map[string]any
	if err := decode(data, &entries); err != nil {
		return nil, err
	}
	list := &List{}
	images := newImageRows()
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		fields, ok := entries[key].(map[string]any)
		switch {
		case key == "sample_spec":
		case !ok:
			list.problem(key, "is no object")
		case subscriptions[textOf(fields["litellm_provider"])]:
			list.skip("paid by subscription, not by the call")
		case images.take(list, key, fields):
		default:
			list.addLiteLLM(key, fields)
		}
	}
	images.addTo(list)
	return list.finish("LiteLLM's map")
}

func textOf(v any) string {
	text, _ := v.(string)
	return text
}

func (l *List) addLiteLLM(key string, fields map[string]any) {
	m := litellmModel(key, fields)
	if !validName(m.Name) || !validName(m.Provider) {
		l.problem(key, "has no usable name or litellm_provider")
		return
	}
	price := l.litellmPrice(key, fields)
	if price == nil {
		l.skip("no price, or nothing but zeros, which that list also writes for what is not known")
		return
	}
	m.Prices = []Price{*price}
	l.Models = append(l.Models, m)
}

// litellmModel reads everything but the price.
func litellmModel(key string, fields map[string]any) Model {
	theirs := textOf(fields["litellm_provider"])
	m := Model{Provider: litellmProvider(theirs), Name: litellmName(key, theirs)}
	mode := textOf(fields["mode"])
	m.Embedding = mode == "embedding"
	m.ContextTokens = cmp.Or(count(fields["max_input_tokens"]), count(fields["max_tokens"]))
	if !m.Embedding {
		m.MaxOutputTokens = cmp.Or(count(fields["max_output_tokens"]), count(fields["max_tokens"]))
	}
	for _, kind := range [...]struct {
		key  string
		in   Modality
		out  Modality
		when bool
	}{
		{"supports_vision", Text | Image, 0, true}, {"supports_audio_input", Text | Audio, 0, true},
		{"supports_video_input", Text | Video, 0, true}, {"supports_pdf_input", Text | File, 0, true},
		{"supports_audio_output", 0, Text | Audio, true},
	} {
		if fields[kind.key] == true {
			m.Inputs |= kind.in
			m.Outputs |= kind.out
		}
	}
	m.Tools, m.Reasoning = supportOf(fields["supports_function_calling"]), supportOf(fields["supports_reasoning"])
	m.StructuredOutput = supportOf(fields["supports_response_schema"])
	return m
}

func supportOf(v any) Support {
	switch v {
	case true:
		return Yes
	case false:
		return No
	}
	return Unknown
}

func litellmProvider(theirs string) string {
	switch {
	case strings.HasPrefix(theirs, "vertex_ai"):
		return "vertex"
	case strings.HasPrefix(theirs, "fireworks_ai"):
		return "fireworks"
	}
	return providerName(theirs)
}

// litellmName drops the route from a key: "azure/gpt-4o" is gpt-4o at azure. A region in front of a Bedrock model stays
// apart: see bedrockRegion.
func litellmName(key, theirs string) string {
	for _, route := range [...]string{theirs, "vertex_ai", "bedrock", "fireworks_ai", "azure", "cohere"} {
		if name, ok := strings.CutPrefix(key, route+"/"); ok && route != "" && (route == theirs || strings.HasPrefix(theirs, route)) {
			return name
		}
	}
	return key
}

// litellmPrice reads the rates of an entry and everything that replaces them; nil where it has none.
func (l *List) litellmPrice(key string, fields map[string]any) *Price {
	mode := textOf(fields["mode"])
	price := &Price{Rates: Rates{}, Source: ""}
	under := map[When]Rates{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		parsed, known := parseLiteLLMKey(name, mode)
		if !known || parsed.dimension == "" || fields[name] == nil {
			if !known && strings.Contains(name, "cost") && isNumber(fields[name]) {
				l.problem(key, "%s is a price that is not known here; the entry is kept without it", name)
			}
			continue
		}
		rate, err := parsed.unit.float(fields[name])
		if err != nil {
			l.problem(key, "%s: %v", name, err)
			return nil
		}
		rates := price.Rates
		if parsed.when != (When{}) {
			if rates = under[parsed.when]; rates == nil {
				rates = Rates{}
				under[parsed.when] = rates
			}
		}
		if old := rates[parsed.dimension]; old == "" || isZero(old) { // whisper's price stands per input and per output second: once
			rates[parsed.dimension] = rate
		}
	}
	l.litellmSearch(key, fields, price)
	if !l.litellmTiers(key, fields, price, under) {
		return nil
	}
	price.dropZeros()
	if !price.charges() {
		return nil
	}
	for _, when := range sortedConditions(under) {
		if textOf(fields["litellm_provider"]) == "xai" { // "reaches": docs.x.ai/docs/models, 2026-11
			when.Inclusive = when.Over > 0
		}
		price.Overrides = append(price.Overrides, Override{When: when, Rates: under[When{Over: when.Over, ServiceTier: when.ServiceTier}]})
	}
	l.litellmFactors(key, fields, price)
	l.litellmOffPeak(key, fields, price)
	return price
}

func isNumber(v any) bool {
	text, ok := numberText(v)
	if !ok {
		return false
	}
	_, err := parse(text)
	return err == nil
}

// sortedConditions puts conditions in the order in which a later one replaces an earlier: the tiers of the standard
// service, then each other service's base, then its tiers.
func sortedConditions(under map[When]Rates) []When {
	return slices.SortedFunc(maps.Keys(under), func(a, b When) int {
		return cmp.Or(strings.Compare(a.ServiceTier, b.ServiceTier), cmp.Compare(a.Over, b.Over))
	})
}

// dropZeros drops zeros for what a model does not charge apart: a zero for a cached token would make it free.
func (p *Price) dropZeros() {
	maps.DeleteFunc(p.Rates, func(dimension, rate string) bool {
		return isZero(rate) && dimension != "input" && dimension != "output"
	})
}

// charges says whether anything costs more than nothing.
func (p *Price) charges() bool {
	for _, rate := range p.Rates {
		if !isZero(rate) {
			return true
		}
	}
	return false
}

// litellmSearch reads what a search costs, by the size of its context. The size that is asked for by default is medium.
func (l *List) litellmSearch(key string, fields map[string]any, price *Price) {
	sizes, ok := fields["search_context_cost_per_query"].(map[string]any)
	if !ok {
		return
	}
	for _, size := range [...]string{"low", "medium", "high"} {
		v := sizes["search_context_size_"+size]
		if v == nil {
			continue
		}
		rate, err := perOne.float(v)
		if err != nil {
			l.problem(key, "search_context_size_%s: %v; the entry is kept without it", size, err)
			continue
		}
		if size == "medium" {
			price.Rates["web_search"] = rate
		}
		price.Rates["web_search/"+size] = rate
	}
	if price.Rates["web_search"] == "" && price.Rates["web_search/low"] != "" {
		price.Rates["web_search"] = price.Rates["web_search/low"]
	}
}

// litellmTiers reads tiered_pricing: ranges of input tokens, open at their start and closed at their end, each with its
// own rates. The lowest is the base. It says false where the tiers cannot be believed.
func (l *List) litellmTiers(key string, fields map[string]any, price *Price, under map[When]Rates) bool {
	tiers, _ := fields["tiered_pricing"].([]any)
	if len(tiers) > 64 {
		l.problem(key, "tiered_pricing has %d tiers", len(tiers))
		return false
	}
	for _, v := range tiers {
		tier, _ := v.(map[string]any)
		span, _ := tier["range"].([]any)
		if len(span) == 0 {
			l.problem(key, "a tier of tiered_pricing has no range")
			return false
		}
		rates := Rates{}
		for _, name := range slices.Sorted(maps.Keys(tier)) {
			parsed, known := parseLiteLLMKey(name, "")
			if !known || parsed.dimension == "" || parsed.when != (When{}) {
				continue
			}
			rate, err := parsed.unit.float(tier[name])
			if err != nil {
				l.problem(key, "tiered_pricing: %s: %v", name, err)
				return false
			}
			rates[parsed.dimension] = rate
		}
		if from := count(span[0]); from > 0 {
			under[When{Over: from}] = rates
		} else {
			maps.Copy(price.Rates, rates)
		}
	}
	return true
}

// litellmFactors reads provider_specific_entry: factors for a speed ("fast") or a region ("us", "eu").
func (l *List) litellmFactors(key string, fields map[string]any, price *Price) {
	factors, _ := fields["provider_specific_entry"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(factors)) {
		factor, err := multiplier(factors[name])
		if err != nil {
			l.problem(key, "provider_specific_entry: %s: %v; the entry is kept without it", name, err)
			continue
		}
		if factor == "1" {
			continue
		}
		when := When{Region: name}
		if name == "fast" {
			when = When{Speed: name}
		}
		price.Overrides = append(price.Overrides, Override{When: when, Multiply: factor})
	}
}

var (
	// An image's size stands in front of the model: "hd/1024-x-1792/dall-e-3", "512-x-512/50-steps/stability…".
	litellmImage = regexp.MustCompile(`^((?:[a-z_]+/)*?)(?:(standard|hd|low|medium|high|auto)/)?([0-9]{2,5})-x-([0-9]{2,5})/(?:(?:[0-9]+|max)-steps/)?(.+)$`)
	// A region stands in front of a Bedrock model, and of some a commitment by the month.
	bedrockRegion = regexp.MustCompile(`^bedrock/(?:[a-z]{2}(?:-[a-z]+)+-[0-9]|us-gov-[a-z]+-[0-9]|\*)/`)
)

// imageRows gathers entries that price one size and quality of an image into a model with a rate for each.
type imageRows struct {
	models map[[2]string]*Model
}

func newImageRows() *imageRows { return &imageRows{models: map[[2]string]*Model{}} }

// take handles an entry that is not a model of its own.
func (r *imageRows) take(list *List, key string, fields map[string]any) bool {
	if bedrockRegion.MatchString(key) {
		list.skip("a model of Bedrock's in one region: named there by its profile")
		return true
	}
	m := litellmImage.FindStringSubmatch(key)
	if m == nil {
		return false
	}
	theirs := textOf(fields["litellm_provider"])
	quality, width, height := m[2], m[3], m[4]
	rate, err := perImage(fields, width, height)
	if err != nil {
		list.problem(key, "%v", err)
		return true
	}
	name := [2]string{litellmProvider(theirs), litellmName(strings.TrimPrefix(m[5], "/"), theirs)}
	model := r.models[name]
	if model == nil {
		model = &Model{Provider: name[0], Name: name[1], Inputs: Text, Outputs: Image, Prices: []Price{{Rates: Rates{}}}}
		r.models[name] = model
	}
	variant := "image/" + width + "x" + height
	if quality != "" {
		variant += "/" + quality
	}
	model.Prices[0].Rates[variant] = rate
	return true
}

// perImage is the price of one image of a size, be it given per image or per pixel.
func perImage(fields map[string]any, width, height string) (string, error) {
	for _, key := range [...]string{"output_cost_per_image", "input_cost_per_image"} {
		if rate, err := perOne.float(fields[key]); err == nil && !isZero(rate) {
			return rate, nil
		}
	}
	for _, key := range [...]string{"output_cost_per_pixel", "input_cost_per_pixel"} {
		rate, err := perOne.float(fields[key])
		if err != nil || isZero(rate) {
			continue
		}
		w, _ := strconv.ParseInt(width, 10, 64)
		h, _ := strconv.ParseInt(height, 10, 64)
		each, _ := new(big.Rat).SetString(rate)
		return perOne.exact(plain(each.Mul(each, new(big.Rat).SetInt64(w*h))))
	}
	return "", errNoImagePrice
}

// addTo puts the models into the list; rates of a model that has an entry of its own go into that.
func (r *imageRows) addTo(list *List) {
	for i := range list.Models {
		m := &list.Models[i]
		if sizes := r.models[[2]string{m.Provider, m.Name}]; sizes != nil {
			maps.Copy(m.Prices[0].Rates, sizes.Prices[0].Rates)
			delete(r.models, [2]string{m.Provider, m.Name})
		}
	}
	for _, m := range r.models {
		list.Models = append(list.Models, *m)
	}
}
