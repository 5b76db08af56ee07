package farebox

import (
	"slices"
	"strings"

	"github.com/farebox-go/farebox/internal/wire"
)

// Usage is what a call consumed, in disjoint kinds: no token is counted in two of them, however the provider
// reports it (OpenAI counts cached tokens inside prompt_tokens, Anthropic beside input_tokens; xAI counts
// reasoning beside completion_tokens, OpenAI inside). Quantities are never negative. The zero value is a call
// that consumed nothing.
type Usage struct {
	// Input is text input tokens that were neither read from nor written to a cache.
	Input int64 `json:"input,omitzero"`
	// CacheRead is input tokens read from a cache.
	CacheRead int64 `json:"cache_read,omitzero"`
	// CacheWrite is input tokens written to a cache that lives for minutes (5 at Anthropic, 30 at OpenAI).
	CacheWrite int64 `json:"cache_write,omitzero"`
	// CacheWrite1h is input tokens written to a cache that lives for an hour (Anthropic).
	CacheWrite1h int64 `json:"cache_write_1h,omitzero"`
	// AudioInput is audio input tokens.
	AudioInput int64 `json:"audio_input,omitzero"`
	// AudioCacheRead is audio input tokens read from a cache.
	AudioCacheRead int64 `json:"audio_cache_read,omitzero"`
	// ImageInput is image input tokens.
	ImageInput int64 `json:"image_input,omitzero"`
	// ImageCacheRead is image input tokens read from a cache.
	ImageCacheRead int64 `json:"image_cache_read,omitzero"`
	// VideoInput is video input tokens.
	VideoInput int64 `json:"video_input,omitzero"`
	// Output is output tokens other than those below.
	Output int64 `json:"output,omitzero"`
	// Reasoning is hidden reasoning tokens.
	Reasoning int64 `json:"reasoning,omitzero"`
	// AudioOutput is audio output tokens.
	AudioOutput int64 `json:"audio_output,omitzero"`
	// ImageOutput is image output tokens.
	ImageOutput int64 `json:"image_output,omitzero"`
	// VideoOutput is video output tokens.
	VideoOutput int64 `json:"video_output,omitzero"`
	// Citation is citation tokens (Perplexity's deep research).
	Citation int64 `json:"citation,omitzero"`
	// WebSearches is searches that the provider made and charges for.
	WebSearches int64 `json:"web_searches,omitzero"`
	// Requests is 1 for an answered call: some models charge a fee per request.
	Requests int64 `json:"requests,omitzero"`
	// Units is what is charged by something else than tokens, by dimension: [DimensionImage] and those below it, or one
	// of their variants ("image/1024x1024/hd"). Nil where there is nothing. It is not to be changed.
	Units map[Dimension]int64 `json:"units,omitempty"`
}

// usageOf takes over what was read from an answer.
func usageOf(u *wire.Usage) Usage {
	usage := Usage{
		Input: u.Input, CacheRead: u.CacheRead, CacheWrite: u.CacheWrite, CacheWrite1h: u.CacheWrite1h,
		AudioInput: u.AudioInput, AudioCacheRead: u.AudioCacheRead, ImageInput: u.ImageInput, ImageCacheRead: u.ImageCacheRead,
		VideoInput: u.VideoInput, Output: u.Output, Reasoning: u.Reasoning, AudioOutput: u.AudioOutput,
		ImageOutput: u.ImageOutput, VideoOutput: u.VideoOutput, Citation: u.Citation, WebSearches: u.WebSearches, Requests: u.Requests,
	}
	usage.Units = quantitiesOf(u.Units)
	return usage
}

// quantitiesOf takes over quantities that are charged by something else than tokens; nil where there are none.
func quantitiesOf(read map[string]int64) map[Dimension]int64 {
	if len(read) == 0 {
		return nil
	}
	units := make(map[Dimension]int64, len(read))
	for name, quantity := range read {
		units[Dimension(name)] = quantity
	}
	return units
}

func iterationsOf(from []wire.Iteration) []Iteration {
	if len(from) == 0 {
		return nil
	}
	iterations := make([]Iteration, len(from))
	for i := range from {
		iterations[i] = Iteration{Model: from[i].Model, Usage: usageOf(&from[i].Usage)}
	}
	return iterations
}

// InputTokens is the number of input tokens of every kind, cached or not.
func (u Usage) InputTokens() int64 {
	return u.Input + u.CacheRead + u.CacheWrite + u.CacheWrite1h +
		u.AudioInput + u.AudioCacheRead + u.ImageInput + u.ImageCacheRead + u.VideoInput
}

// OutputTokens is the number of output tokens of every kind, reasoning included.
func (u Usage) OutputTokens() int64 {
	return u.Output + u.Reasoning + u.AudioOutput + u.ImageOutput + u.VideoOutput
}

// Dimension is something that a provider charges for. Its name is the one in receipts, in cost lines and in
// price files.
type Dimension string

// The dimensions with a field of their own in [Usage]. All count tokens but WebSearch (searches) and Request (requests).
const (
	DimensionInput          Dimension = "input"
	DimensionCacheRead      Dimension = "cache_read"
	DimensionCacheWrite     Dimension = "cache_write"
	DimensionCacheWrite1h   Dimension = "cache_write_1h"
	DimensionAudioInput     Dimension = "audio_input"
	DimensionAudioCacheRead Dimension = "audio_cache_read"
	DimensionImageInput     Dimension = "image_input"
	DimensionImageCacheRead Dimension = "image_cache_read"
	DimensionVideoInput     Dimension = "video_input"
	DimensionOutput         Dimension = "output"
	DimensionReasoning      Dimension = "reasoning"
	DimensionAudioOutput    Dimension = "audio_output"
	DimensionImageOutput    Dimension = "image_output"
	DimensionVideoOutput    Dimension = "video_output"
	DimensionCitation       Dimension = "citation"
	DimensionWebSearch      Dimension = "web_search"
	DimensionRequest        Dimension = "request"
)

// The dimensions of [Usage.Units]. Any of them, and DimensionWebSearch, may be followed by a slash and a variant with a
// rate of its own: "image/1024x1024/hd", "tool_call/file_search". A variant without a rate has that of the name before
// the slash. DimensionRequest may have variants too ("request/low"), which are charged in place of [Usage.Requests].
const (
	DimensionImage      Dimension = wire.UnitImage      // images made; variants by size, then quality
	DimensionPixel      Dimension = wire.UnitPixel      // pixels made, where a price is per megapixel
	DimensionCharacter  Dimension = wire.UnitCharacter  // characters of text, for speech
	DimensionAudioMS    Dimension = wire.UnitAudioMS    // milliseconds of audio, where a price is by time
	DimensionVideoMS    Dimension = wire.UnitVideoMS    // milliseconds of video; variants by resolution
	DimensionPage       Dimension = wire.UnitPage       // pages of a document
	DimensionSearchUnit Dimension = wire.UnitSearchUnit // of a reranker
	DimensionToolCall   Dimension = wire.UnitToolCall   // calls of tools that the provider runs; variants by tool
	DimensionSession    Dimension = wire.UnitSession    // of a container or a code interpreter; variants by kind
	// DimensionCacheStorage counts tokens that were written to a cache and read from it by the same call, as Gemini's are
	// through OpenRouter. They are in CacheRead, and cost the cache-write rate on top of its own where the price has one.
	DimensionCacheStorage Dimension = wire.UnitCacheStorage
	// DimensionUnit stands before a name of your own for what has none here: "unit/guardrail". By itself it has no rate.
	DimensionUnit Dimension = "unit"
)

// openDimensions are the names that Usage.Units takes, by themselves or before a slash.
var openDimensions = [...]Dimension{
	DimensionImage, DimensionPixel, DimensionCharacter, DimensionAudioMS, DimensionVideoMS, DimensionPage,
	DimensionSearchUnit, DimensionToolCall, DimensionSession,
}

// open says whether a name may stand in Usage.Units: one of openDimensions, a variant of one or of a search, or a name of
// the user's own.
func (d Dimension) open() bool {
	_, variant, varied := strings.Cut(string(d), "/")
	if varied && variant == "" {
		return false
	}
	if d == DimensionCacheStorage {
		return true
	}
	switch base := d.base(); base {
	case DimensionUnit, DimensionWebSearch, DimensionRequest:
		return varied
	default:
		return slices.Contains(openDimensions[:], base)
	}
}

// base is the name before the first slash.
func (d Dimension) base() Dimension {
	name, _, _ := strings.Cut(string(d), "/")
	return Dimension(name)
}

// isFee says that a dimension is a fee beside the model's work, which service tiers, regions and discounts do not change.
func (d Dimension) isFee() bool {
	switch d.base() {
	case DimensionWebSearch, DimensionRequest, DimensionToolCall, DimensionSession:
		return true
	}
	return false
}

// dimensionCount is the number of dimensions that are laid out in tables.
const dimensionCount = 17

// dimensions lists every dimension in the order of Usage's fields, which is the order of a receipt's lines.
var dimensions = [dimensionCount]Dimension{
	DimensionInput, DimensionCacheRead, DimensionCacheWrite, DimensionCacheWrite1h,
	DimensionAudioInput, DimensionAudioCacheRead, DimensionImageInput, DimensionImageCacheRead, DimensionVideoInput,
	DimensionOutput, DimensionReasoning, DimensionAudioOutput, DimensionImageOutput, DimensionVideoOutput,
	DimensionCitation, DimensionWebSearch, DimensionRequest,
}

// The places of dimensions in tables that are indexed by them.
const (
	atInput = iota
	atCacheRead
	atCacheWrite
	atCacheWrite1h
	atAudioInput
	atAudioCacheRead
	atImageInput
	atImageCacheRead
	atVideoInput
	atOutput
	atReasoning
	atAudioOutput
	atImageOutput
	atVideoOutput
	atCitation
	atWebSearch
	atRequest
)

// quantities lays the usage out in the order of dimensions.
func (u *Usage) quantities() [dimensionCount]int64 {
	return [dimensionCount]int64{
		u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite1h,
		u.AudioInput, u.AudioCacheRead, u.ImageInput, u.ImageCacheRead, u.VideoInput,
		u.Output, u.Reasoning, u.AudioOutput, u.ImageOutput, u.VideoOutput,
		u.Citation, u.WebSearches, u.Requests,
	}
}

// dimensionPlace finds a dimension's place; ok is false for a name that is not a dimension.
func dimensionPlace(d Dimension) (int, bool) {
	for i, known := range dimensions {
		if known == d {
			return i, true
		}
	}
	return 0, false
}
