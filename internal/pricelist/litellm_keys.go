package pricelist

import (
	"regexp"
	"strconv"
	"strings"
)

// litellmKey is what a key of a LiteLLM entry prices: a dimension, in a unit, where a condition holds.
type litellmKey struct {
	dimension string
	unit      unit
	when      When
}

// litellmBases are the price keys of the map without their suffixes. What they mean for images, seconds and queries
// depends on the entry's mode: see litellmByMode.
var litellmBases = map[string]litellmKey{
	"input_cost_per_token":                  {dimension: "input", unit: perToken},
	"output_cost_per_token":                 {dimension: "output", unit: perToken},
	"cache_read_input_token_cost":           {dimension: "cache_read", unit: perToken},
	"input_cost_per_token_cache_hit":        {dimension: "cache_read", unit: perToken},
	"cache_creation_input_token_cost":       {dimension: "cache_write", unit: perToken},
	"output_cost_per_reasoning_token":       {dimension: "reasoning", unit: perToken},
	"citation_cost_per_token":               {dimension: "citation", unit: perToken},
	"input_cost_per_audio_token":            {dimension: "audio_input", unit: perToken},
	"output_cost_per_audio_token":           {dimension: "audio_output", unit: perToken},
	"cache_read_input_audio_token_cost":     {dimension: "audio_cache_read", unit: perToken},
	"cache_read_input_token_cost_per_audio": {dimension: "audio_cache_read", unit: perToken},
	"cache_read_input_token_cost_audio":     {dimension: "audio_cache_read", unit: perToken},
	"cache_read_input_audio_cost":           {dimension: "audio_cache_read", unit: perToken},
	"input_cost_per_image_token":            {dimension: "image_input", unit: perToken},
	"output_cost_per_image_token":           {dimension: "image_output", unit: perToken},
	"cache_read_input_image_token_cost":     {dimension: "image_cache_read", unit: perToken},
	"input_cost_per_video_token":            {dimension: "video_input", unit: perToken},
	"output_cost_per_video_token":           {dimension: "video_output", unit: perToken},
	"output_cost_per_image":                 {dimension: "image", unit: perOne},
	"output_cost_per_pixel":                 {dimension: "pixel", unit: perOne},
	"input_cost_per_character":              {dimension: "character", unit: perOne},
	"input_cost_per_audio_per_second":       {dimension: "audio_ms", unit: secondAsMS},
	"output_cost_per_audio_per_second":      {dimension: "audio_ms", unit: secondAsMS},
	"input_cost_per_video_per_second":       {dimension: "video_ms", unit: secondAsMS},
	"output_cost_per_video_per_second":      {dimension: "video_ms", unit: secondAsMS},
	"input_cost_per_request":                {dimension: "request", unit: perOne},
	"output_cost_per_request":               {dimension: "request", unit: perOne},
	"ocr_cost_per_page":                     {dimension: "page", unit: perOne},
	"annotation_cost_per_page":              {dimension: "page/annotated", unit: perOne},
	"code_interpreter_cost_per_session":     {dimension: "session/code_interpreter", unit: perOne},
	"file_search_cost_per_1k_calls":         {dimension: "tool_call/file_search", unit: perKilo},
	"web_search_cost_per_request":           {dimension: "web_search", unit: perOne},
}

// litellmByMode are the keys whose meaning hangs on what the model does: "mode key", or "key" for any other mode, where
// an empty dimension passes the key over: time on a rented machine, characters where tokens are priced beside them.
var litellmByMode = map[string]litellmKey{
	"image_generation input_cost_per_image":       {dimension: "image", unit: perOne},
	"image_edit input_cost_per_image":             {dimension: "image", unit: perOne},
	"image_generation input_cost_per_pixel":       {dimension: "pixel", unit: perOne},
	"image_edit input_cost_per_pixel":             {dimension: "pixel", unit: perOne},
	"input_cost_per_image":                        {dimension: "image/input", unit: perOne},
	"input_cost_per_pixel":                        {dimension: "pixel/input", unit: perOne},
	"audio_transcription input_cost_per_second":   {dimension: "audio_ms", unit: secondAsMS},
	"audio_transcription output_cost_per_second":  {dimension: "audio_ms", unit: secondAsMS},
	"audio_speech input_cost_per_second":          {dimension: "audio_ms", unit: secondAsMS},
	"audio_speech output_cost_per_second":         {dimension: "audio_ms", unit: secondAsMS},
	"realtime input_cost_per_second":              {dimension: "audio_ms", unit: secondAsMS},
	"realtime output_cost_per_second":             {dimension: "audio_ms", unit: secondAsMS},
	"video_generation output_cost_per_second":     {dimension: "video_ms", unit: secondAsMS},
	"video_generation input_cost_per_second":      {dimension: "video_ms", unit: secondAsMS},
	"input_cost_per_second":                       {},
	"output_cost_per_second":                      {},
	"output_cost_per_character":                   {},
	"rerank input_cost_per_query":                 {dimension: "search_unit", unit: perOne},
	"input_cost_per_query":                        {dimension: "request", unit: perOne},
	"search cost_per_query":                       {dimension: "request", unit: perOne},
	"computer_use_input_cost_per_1k_tokens":       {},
	"computer_use_output_cost_per_1k_tokens":      {},
	"file_search_cost_per_gb_per_day":             {},
	"vector_store_cost_per_gb_per_day":            {},
	"input_dbu_cost_per_token":                    {},
	"output_dbu_cost_per_token":                   {},
	"input_cost_per_token_batch_requests":         {dimension: "input", unit: perToken, when: When{ServiceTier: "batch"}},
	"cache_creation_input_audio_token_cost":       {},
	"output_vector_size_cost":                     {},
	"cache_creation_storage_cost_per_token_per_h": {},
}

var (
	litellmTiers = []struct{ suffix, tier string }{
		{"_flex", "flex"}, {"_priority", "priority"}, {"_batches", "batch"}, {"_batch", "batch"}, {"_ultrafast", "ultrafast"},
	}
	litellmOver       = regexp.MustCompile(`_above_([0-9]{1,6})k_tokens`)
	litellmResolution = regexp.MustCompile(`^(output_cost_per_(?:video_per_)?second)_([0-9]{3,4}p|[0-9]k)$`)
)

// parseLiteLLMKey takes a price key apart: "input_cost_per_token_above_272k_tokens_priority". known is false for a key that
// is none of a price; an empty dimension is one of a price that farebox has no use for.
func parseLiteLLMKey(key, mode string) (parsed litellmKey, known bool) {
	base, when := key, When{}
	for _, tier := range litellmTiers {
		if bare, ok := strings.CutSuffix(base, tier.suffix); ok && bare != "output_cost_per_image" {
			base, when.ServiceTier = bare, tier.tier
			break
		}
	}
	if at := litellmOver.FindStringSubmatchIndex(base); at != nil {
		thousands, _ := strconv.ParseInt(base[at[2]:at[3]], 10, 64)
		base, when.Over = base[:at[0]]+base[at[1]:], thousands*1000
	}
	hour := false
	if bare, ok := strings.CutSuffix(base, "_above_1hr"); ok {
		base, hour = bare, true
	}
	if m := litellmResolution.FindStringSubmatch(base); m != nil {
		parsed, known = lookUpLiteLLMKey(m[1], mode)
		if parsed.dimension != "" {
			parsed.dimension += "/" + m[2]
		}
	} else {
		parsed, known = lookUpLiteLLMKey(base, mode)
	}
	if hour {
		if parsed.dimension != "cache_write" {
			return litellmKey{}, false
		}
		parsed.dimension = "cache_write_1h"
	}
	if parsed.when == (When{}) {
		parsed.when = when
	}
	return parsed, known
}

func lookUpLiteLLMKey(base, mode string) (litellmKey, bool) {
	for _, name := range [...]string{mode + " " + base, base} {
		if key, ok := litellmByMode[name]; ok {
			return key, true
		}
	}
	key, ok := litellmBases[base]
	return key, ok
}
