package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
)

// aisdkTables maps the price tables of ai-sdk-cost-calculator to providers. Only models that are charged by something else
// than text tokens are taken, and only where the other lists have none of that name: pictures, speech, hearing, film.
var aisdkTables = []struct{ table, provider string }{
	{"openaiPricing", "openai"}, {"googlePricing", "google"}, {"xaiPricing", "xai"}, {"mistralPricing", "mistral"},
	{"groqPricing", "groq"}, {"qwenPricing", "alibaba"},
}

// aisdkTokens are its prices per million tokens.
var aisdkTokens = map[string]string{
	"inputPer1MTokens": "input", "outputPer1MTokens": "output", "cacheReadPer1MTokens": "cache_read", "cacheWritePer1MTokens": "cache_write",
	"audioInputPer1MTokens": "audio_input", "audioOutputPer1MTokens": "audio_output", "imageInputPer1MTokens": "image_input",
	"imageCacheReadPer1MTokens": "image_cache_read", "imageOutputPer1MTokens": "image_output", "videoInputPer1MTokens": "video_input",
	"videoOutputPer1MTokens": "video_output",
}

// aisdkUnsaid are prices for which no usage has a quantity: such a model is left out.
var aisdkUnsaid = []string{"sessionPerMinute", "textInputPerMessage", "audioInputPerMinute", "longContextThreshold"}

// readAisdk reads the module's source. It runs no code.
func readAisdk(module string) ([]model, error) {
	tables := parseVariables(module)
	var models []model
	for _, t := range aisdkTables {
		table := asObject(tables[t.table])
		if len(table) == 0 {
			return nil, fmt.Errorf("ai-sdk-cost-calculator: no table %s in the module", t.table)
		}
		for _, name := range slices.Sorted(maps.Keys(table)) {
			r, err := aisdkRates(asObject(table[name]))
			if err != nil {
				return nil, fmt.Errorf("ai-sdk-cost-calculator: %s: %w", name, err)
			}
			if r == nil {
				continue
			}
			m := model{provider: t.provider, name: name, source: aisdkLetter, prices: []price{{rates: r}}}
			m.other = r["input"] == "" || r["output"] == ""
			m.inputs, m.outputs = pricedContent(r)
			models = append(models, m)
			if strings.HasPrefix(name, "imagen-") || strings.HasPrefix(name, "veo-") { // the same at Vertex AI
				m.provider = "vertex"
				models = append(models, m)
			}
		}
	}
	return models, nil
}

// aisdkRates returns nil for a model that is charged by text tokens alone, or by something that no usage tells.
func aisdkRates(source map[string]any) (rates, error) {
	for _, key := range aisdkUnsaid {
		if source[key] != nil {
			return nil, nil
		}
	}
	r := rates{}
	for key, dimension := range aisdkTokens {
		if source[key] == nil {
			continue
		}
		text, err := decimalOf(source[key], 0)
		if err != nil {
			return nil, err
		}
		if strings.Trim(text, "0.") != "" {
			r[dimension] = text
		}
	}
	if err := r.addUnits(source); err != nil {
		return nil, err
	}
	for dimension := range r {
		if each(dimension) || strings.HasPrefix(dimension, "audio") || strings.HasPrefix(dimension, "image") || strings.HasPrefix(dimension, "video") {
			return r, nil
		}
	}
	return nil, nil
}

func (r rates) addUnits(source map[string]any) error {
	var err error
	add := func(dimension, key string, divisor int64) {
		if source[key] != nil && err == nil {
			r[dimension], err = divided(source[key], divisor)
		}
	}
	add("character", "speechPer1MCharacters", 1_000_000)
	add("video_ms", "videoGenerationPerSecond", 1_000)
	if r["video_output"] != "" {
		delete(r, "video_ms") // the figure per second is what the tokens come to
	}
	if minute := source["transcriptionPerMinute"]; minute != nil && err == nil {
		r["audio_ms"], err = perMillisecond(minute)
	}
	if r["image_output"] != "" {
		return err // the figures per image are what the tokens come to
	}
	add("image", "imageGenerationPerImage", 1)
	add("image/input", "imageInputPerImage", 1)
	for size, v := range asObject(source["imageGenerationPricing"]) {
		if err != nil {
			return err
		}
		variant := "image/" + size
		if quality, dimensions, ok := strings.Cut(size, "-"); ok {
			variant = "image/" + dimensions + "/" + quality
		}
		r[variant], err = divided(v, 1)
	}
	return err
}

// divided is a price divided by a count of units, with 24 decimals.
func divided(v any, divisor int64) (string, error) {
	literal, ok := v.(number)
	value, valid := new(big.Rat).SetString(string(literal))
	if !ok || !valid || value.Sign() < 0 {
		return "", fmt.Errorf("%v is no price", v)
	}
	value.Quo(value, new(big.Rat).SetInt64(divisor))
	text := strings.TrimSuffix(strings.TrimRight(value.FloatString(24), "0"), ".")
	return cmp.Or(text, "0"), nil
}

// perMillisecond turns a price per minute, which may be a rounded share of one per hour, into one per millisecond.
func perMillisecond(v any) (string, error) {
	literal, _ := v.(number)
	f, ok := new(big.Rat).SetString(string(literal))
	if !ok {
		return "", errors.New("no price per minute")
	}
	minute, _ := f.Float64()
	hour := math.Round(minute*60*1e4) / 1e4
	if math.Abs(hour-minute*60) > hour*1e-4 {
		return divided(v, 60_000)
	}
	return divided(number(fmt.Sprintf("%.4f", hour)), 3_600_000)
}
