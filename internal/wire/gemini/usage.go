package gemini

import (
	"bytes"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// modalities are counts of tokens by what they stand for. What is not in them is text.
type modalities struct{ audio, image, video int64 }

// counts is a usage as Google states it. Thoughts stand beside candidates, what tools put into the prompt beside the
// prompt, and what was cached inside it.
type counts struct {
	prompt, toolUse, cached, candidates, thoughts, total int64

	promptStated, totalStated, stated bool

	promptBy, toolUseBy, cachedBy, candidatesBy modalities

	searches   int64 // as interactions count them
	tier       string
	impossible bool
	costs      usage.Costs
}

// read reads a usage object and says whether it counts anything.
func (c *counts) read(raw []byte) bool {
	r := jsonwalk.NewReader(raw)
	if !r.Object() {
		return false
	}
	for r.Member() {
		c.member(&r)
	}
	return r.Err() == nil && c.stated
}

func (c *counts) member(r *jsonwalk.Reader) {
	switch string(r.Key()) {
	case "promptTokenCount", "prompt_token_count", "total_input_tokens":
		c.promptStated = c.take(r, &c.prompt) || c.promptStated
	case "toolUsePromptTokenCount", "tool_use_prompt_token_count", "total_tool_use_tokens":
		c.take(r, &c.toolUse)
	case "cachedContentTokenCount", "cached_content_token_count", "total_cached_tokens":
		c.take(r, &c.cached)
	case "candidatesTokenCount", "candidates_token_count", "responseTokenCount", "total_output_tokens":
		c.take(r, &c.candidates)
	case "thoughtsTokenCount", "thoughts_token_count", "total_thought_tokens":
		c.take(r, &c.thoughts)
	case "totalTokenCount", "total_token_count", "total_tokens":
		c.totalStated = c.take(r, &c.total) || c.totalStated
	case "promptTokensDetails", "promptTokenDetails", "prompt_tokens_details", "input_tokens_by_modality":
		c.byModality(r, &c.promptBy)
	case "toolUsePromptTokensDetails", "tool_use_prompt_tokens_details", "tool_use_tokens_by_modality":
		c.byModality(r, &c.toolUseBy)
	case "cacheTokensDetails", "cache_tokens_details", "cached_tokens_by_modality":
		c.byModality(r, &c.cachedBy)
	case "candidatesTokensDetails", "candidates_tokens_details", "responseTokensDetails", "output_tokens_by_modality":
		c.byModality(r, &c.candidatesBy)
	case "trafficType", "traffic_type", "serviceTier", "service_tier":
		c.takeTier(r)
	case "grounding_tool_count":
		c.groundings(r)
	default:
		c.costs.Member(r)
	}
}

func (c *counts) take(r *jsonwalk.Reader, n *int64) bool {
	count, stated, impossible := usage.Count(r)
	c.impossible = c.impossible || impossible
	if stated {
		*n, c.stated = count, true
	}
	return stated
}

// byModality reads a list of counts, one for each modality, which is a name or a number. Documents are billed as images are
// (ai.google.dev/gemini-api/docs/tokens, 2026-11).
func (c *counts) byModality(r *jsonwalk.Reader, by *modalities) {
	if !r.Array() {
		return
	}
	*by = modalities{}
	for r.Element() {
		if !r.Object() {
			continue
		}
		var modality string
		var n int64
		for r.Member() {
			switch string(r.Key()) {
			case "modality":
				modality = string(bytes.Trim(r.Raw(), `"`))
			case "tokenCount", "token_count", "tokens":
				c.take(r, &n)
			}
		}
		switch modality {
		case "AUDIO", "audio", "4":
			by.audio = capped(by.audio + n)
		case "IMAGE", "image", "2", "DOCUMENT", "document", "5":
			by.image = capped(by.image + n)
		case "VIDEO", "video", "3":
			by.video = capped(by.video + n)
		}
	}
}

func capped(n int64) int64 { return min(n, usage.MaxCount) }

// groundings reads how often an interaction searched, of every kind of search.
func (c *counts) groundings(r *jsonwalk.Reader) {
	if !r.Array() {
		return
	}
	c.searches = 0
	for r.Element() {
		if !r.Object() {
			continue
		}
		for r.Member() {
			if string(r.Key()) == "count" {
				var n int64
				c.take(r, &n)
				c.searches = capped(c.searches + n)
			}
		}
	}
}

// takeTier reads the tier that served, in the words of the Gemini API: Vertex calls it the type of traffic.
func (c *counts) takeTier(r *jsonwalk.Reader) {
	if tier := tierOf(string(bytes.Trim(r.Raw(), `"`))); tier != "" {
		c.tier = tier
	}
}

func tierOf(name string) string {
	switch name {
	case "ON_DEMAND", "1", "standard", "STANDARD", "SERVICE_TIER_STANDARD":
		return "standard"
	case "ON_DEMAND_FLEX", "flex", "FLEX", "SERVICE_TIER_FLEX":
		return "flex"
	case "ON_DEMAND_PRIORITY", "priority", "PRIORITY", "SERVICE_TIER_PRIORITY":
		return "priority"
	case "PROVISIONED_THROUGHPUT", "2":
		return "provisioned_throughput"
	}
	return ""
}

// usage brings the counts into disjoint kinds. contradictory says that they cannot be true as they stand.
func (c *counts) usage() (u wire.Usage, contradictory bool) {
	input, output, thoughts := c.prompt+c.toolUse, c.candidates, c.thoughts
	contradictory = c.impossible || !c.promptStated && !c.totalStated
	if c.totalStated {
		switch excess := c.total - input - output - thoughts; {
		case excess > 0 && !c.promptStated && input == 0:
			input = excess
		case excess > 0: // tokens that nobody names are output, as the OpenAI-compatible routes count thoughts
			thoughts += excess
		case excess < 0 && c.toolUse > 0 && -excess == c.toolUse: // the total leaves out what tools added
		case excess < 0:
			contradictory = true
		}
	}
	contradictory = c.splitInput(&u, input) || contradictory
	contradictory = c.splitOutput(&u, output) || contradictory
	u.Reasoning = thoughts
	u.WebSearches = c.searches
	u.Requests = 1
	return u, contradictory
}

// splitInput parts the input into its kinds. A part of the cache is of the kind that its own list says, at most what the
// prompt has of that kind where the prompt says.
func (c *counts) splitInput(u *wire.Usage, input int64) (contradictory bool) {
	cached := min(c.cached, input)
	contradictory = cached < c.cached
	left := input
	part := func(n int64) int64 {
		n = min(n, left)
		left -= n
		return n
	}
	audio := part(c.promptBy.audio + c.toolUseBy.audio)
	image := part(c.promptBy.image + c.toolUseBy.image)
	video := part(c.promptBy.video + c.toolUseBy.video)

	u.AudioCacheRead = min(c.cachedBy.audio, audio, cached)
	u.ImageCacheRead = min(c.cachedBy.image, image, cached-u.AudioCacheRead)
	video -= min(c.cachedBy.video, video, cached-u.AudioCacheRead-u.ImageCacheRead)
	u.CacheRead = cached - u.AudioCacheRead - u.ImageCacheRead // video that was cached has no rate of its own
	u.AudioInput, u.ImageInput, u.VideoInput = audio-u.AudioCacheRead, image-u.ImageCacheRead, video
	u.Input = input - cached - u.AudioInput - u.ImageInput - u.VideoInput
	if u.Input < 0 { // the cache had more of the media than its own list says
		u.Input, u.CacheRead, contradictory = 0, u.CacheRead+u.Input, true
	}
	return contradictory
}

// splitOutput parts the output into its kinds; what has no modality is text.
func (c *counts) splitOutput(u *wire.Usage, output int64) (contradictory bool) {
	by := c.candidatesBy
	u.AudioOutput = min(by.audio, output)
	u.ImageOutput = min(by.image, output-u.AudioOutput)
	u.VideoOutput = min(by.video, output-u.AudioOutput-u.ImageOutput)
	u.Output = output - u.AudioOutput - u.ImageOutput - u.VideoOutput
	return by.audio+by.image+by.video > output
}
