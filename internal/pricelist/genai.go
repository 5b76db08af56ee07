package pricelist

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// genaiKeys maps the prices of genai-prices to dimensions and their units.
var genaiKeys = map[string]struct {
	dimension string
	unit      unit
}{
	"input_mtok": {"input", perMillion}, "output_mtok": {"output", perMillion},
	"cache_read_mtok": {"cache_read", perMillion}, "cache_write_mtok": {"cache_write", perMillion},
	"cache_write_5m_mtok": {"cache_write", perMillion}, "cache_write_1h_mtok": {"cache_write_1h", perMillion},
	"output_reasoning_mtok": {"reasoning", perMillion}, "output_citation_mtok": {"citation", perMillion},
	"input_audio_mtok": {"audio_input", perMillion}, "output_audio_mtok": {"audio_output", perMillion},
	"cache_audio_read_mtok": {"audio_cache_read", perMillion},
	"input_image_mtok":      {"image_input", perMillion}, "output_image_mtok": {"image_output", perMillion},
	"cache_image_read_mtok": {"image_cache_read", perMillion},
	"input_video_mtok":      {"video_input", perMillion}, "output_video_mtok": {"video_output", perMillion},
	"requests_kcount": {"request", perKilo}, "web_searches_kcount": {"web_search", perKilo},
	"storage_searches_kcount": {"tool_call/file_search", perKilo},
	"code_executions_kcount":  {"tool_call/code_execution", perKilo},
	"social_searches_kcount":  {"tool_call/x_search", perKilo},
	"input_document_kpages":   {"page", perKilo}, "input_annotated_document_kpages": {"page/annotated", perKilo},
	"audio_hours": {"audio_ms", hourAsMS}, "input_audio_hours": {"audio_ms", hourAsMS},
}

// genaiPassedOver are prices that no usage on the wire has a quantity for.
var genaiPassedOver = []string{"input_text_messages_kcount"}

// GenAIPrices reads the data.json of genai-prices: providers with models that patterns recognise. Only the names that a
// pattern spells out are taken; a prefix never makes a name. A model without prices is left out: nobody can tell whether
// it is free.
func GenAIPrices(data []byte) (*List, error) {
	var providers []any
	if err := decode(data, &providers); err != nil {
		return nil, err
	}
	list := &List{}
	for i, v := range providers {
		provider, _ := v.(map[string]any)
		id := textOf(provider["id"])
		models, ok := provider["models"].([]any)
		if !ok || !validName(id) {
			list.problem(fmt.Sprintf("provider %d", i+1), "has no id or no models")
			continue
		}
		for j, v := range models {
			model, _ := v.(map[string]any)
			list.addGenAI(id, j, model)
		}
	}
	return list.finish("genai-prices")
}

func (l *List) addGenAI(provider string, place int, source map[string]any) {
	id := textOf(source["id"])
	row := provider + "/" + cmp.Or(id, fmt.Sprintf("model %d", place+1))
	names := genaiNames(id, source["match"])
	if len(names) == 0 {
		l.skip("recognised by patterns only, without an exact name")
		return
	}
	prices, err := l.genaiPrices(row, source["prices"])
	switch {
	case err != nil:
		l.problem(row, "%v", err)
		return
	case len(prices) == 0:
		l.skip("no price: free or unknown, nobody can tell")
		return
	}
	l.Models = append(l.Models, Model{
		Provider: genaiProvider(provider, id), Name: names[0], Aliases: names[1:],
		ContextTokens: count(source["context_window"]), Prices: prices,
		Embedding: prices[0].Rates["output"] == "" && strings.Contains(id, "embed"),
	})
}

// genaiProvider tells the Gemini API's models from those that are sold on Vertex AI only: one provider there.
func genaiProvider(provider, name string) string {
	if provider == "google" && !strings.HasPrefix(name, "gemini") && !strings.HasPrefix(name, "gemma") {
		return "vertex"
	}
	return providerName(provider)
}

// genaiNames are the names that a pattern spells out, the id first where the pattern accepts it.
func genaiNames(id string, match any) (names []string) {
	var exact func(v any, depth int)
	exact = func(v any, depth int) {
		clause, _ := v.(map[string]any)
		if name := textOf(clause["equals"]); validName(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
		options, _ := clause["or"].([]any)
		for _, option := range options {
			if depth < 8 {
				exact(option, depth+1)
			}
		}
	}
	exact(match, 0)
	clause, _ := match.(map[string]any)
	prefix := textOf(clause["starts_with"])
	switch i := slices.Index(names, id); {
	case i > 0:
		names[0], names[i] = names[i], names[0]
	case i < 0 && validName(id) && !strings.HasSuffix(id, "-") && prefix != "" && strings.HasPrefix(id, prefix):
		names = slices.Insert(names, 0, id)
	}
	return names
}

// genaiPrices reads one set of prices, or a list of sets with conditions: of several that hold, the last is charged.
func (l *List) genaiPrices(row string, v any) ([]Price, error) {
	conditional, ok := v.([]any)
	if !ok {
		rates, overrides, err := l.genaiRates(row, v)
		if err != nil || len(rates) == 0 {
			return nil, err
		}
		return []Price{{Rates: rates, Overrides: overrides}}, nil
	}
	var history []Price
	var hours []Override
	for _, v := range conditional {
		entry, _ := v.(map[string]any)
		rates, overrides, err := l.genaiRates(row, entry["prices"])
		if err != nil || len(rates) == 0 {
			return nil, err // of a price without rates nobody can tell whether it is free
		}
		constraint, _ := entry["constraint"].(map[string]any)
		switch {
		case constraint == nil:
			history = append(history, Price{Rates: rates, Overrides: overrides})
		case constraint["start_date"] != nil:
			from, err := time.Parse(time.DateOnly, textOf(constraint["start_date"]))
			if err != nil {
				return nil, fmt.Errorf("start_date %q is no date such as 2026-01-31", excerpt(textOf(constraint["start_date"])))
			}
			history = append(history, Price{From: from, Rates: rates, Overrides: overrides})
		case constraint["start_time"] != nil:
			h, err := parseHours(textOf(constraint["start_time"]) + "-" + textOf(constraint["end_time"]))
			if err != nil {
				return nil, err
			}
			hours = append(hours, Override{When: When{Hours: &h}, Rates: rates})
		default:
			return nil, errors.New("a price has a condition that is not known here")
		}
	}
	if len(history) == 0 {
		return nil, errors.New("no price holds all day")
	}
	slices.SortStableFunc(history, func(a, b Price) int { return a.From.Compare(b.From) })
	for i := 1; i < len(history); i++ {
		if history[i].From.Equal(history[i-1].From) {
			return nil, fmt.Errorf("two prices from %s", history[i].From.Format(time.DateOnly))
		}
	}
	last := &history[len(history)-1]
	last.Overrides = append(last.Overrides, hours...)
	return history, nil
}

// genaiRates reads a set of prices. Tiers are listed there per price, here per threshold; they are strict.
func (l *List) genaiRates(row string, v any) (Rates, []Override, error) {
	source, _ := v.(map[string]any)
	rates, tiers := Rates{}, map[int64]Rates{}
	for _, key := range slices.Sorted(maps.Keys(source)) {
		if source[key] == nil || slices.Contains(genaiPassedOver, key) {
			continue
		}
		target, ok := genaiKeys[key]
		if !ok {
			l.problem(row, "%s is a price that is not known here; the model is kept without it", excerpt(key))
			continue
		}
		base := source[key]
		tiered, _ := base.(map[string]any)
		if tiered != nil {
			base = tiered["base"]
		}
		rate, err := target.unit.float(base)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", key, err)
		}
		rates[target.dimension] = rate
		steps, _ := tiered["tiers"].([]any)
		for _, v := range steps {
			step, _ := v.(map[string]any)
			over := count(step["start"])
			if rate, err = target.unit.float(step["price"]); err != nil || over == 0 {
				return nil, nil, fmt.Errorf("%s: a tier that starts at %v: %w", key, step["start"], cmpErr(err, "no number of tokens"))
			}
			if tiers[over] == nil {
				tiers[over] = Rates{}
			}
			tiers[over][target.dimension] = rate
		}
	}
	if len(tiers) > 64 {
		return nil, nil, fmt.Errorf("%d tiers", len(tiers))
	}
	var overrides []Override
	for _, over := range slices.Sorted(maps.Keys(tiers)) {
		overrides = append(overrides, Override{When: When{Over: over}, Rates: tiers[over]})
	}
	return rates, overrides, nil
}
