// Package usage reads usage objects, in all the dialects that OpenAI, Anthropic, and the gateways and providers that follow
// either speak: who counts what inside of what, and what the call is said to have cost.
package usage

import (
	"errors"
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
)

// MaxCount is the largest count that is believed: where the integers of a double end.
const MaxCount = 1 << 53

// Limits of what is kept of tools.
const (
	maxTools    = 64
	maxToolName = 64
)

// quantity is a count as a provider states it. Absent, null and impossible counts are not stated.
type quantity struct {
	n      int64
	stated bool
}

// MaxBytes bounds the usage objects that are read.
const MaxBytes = 256 << 10

// Object is a usage object as it was written, the names of all dialects brought together. A quantity that
// stands under several names, as cached tokens often do, is stated once: the largest figure is taken.
type Object struct {
	prompt, input      quantity // prompt_tokens; input_tokens
	completion, output quantity // completion_tokens; output_tokens
	total              quantity

	cached, missed            quantity
	audioCached, imageCached  quantity
	written, written1h        quantity
	audioIn, imageIn, videoIn quantity
	reasoning                 quantity
	audioOut, imageOut        quantity
	citation, searches        quantity

	cacheBeside bool // cache_read_input_tokens or cache_creation_input_tokens, as Anthropic writes them
	cacheInside bool // the details of the input count cached tokens
	splitPrompt bool // xAI's own names, which count reasoning apart
	tools       map[string]int64
	contextSize string // of searches: low, medium, high
	impossible  bool   // a count that cannot be: negative, fractional, beyond all measure, not a number

	serviceTier string
	raw         []byte // as it was written; not a copy
	costs       Costs
}

// Read reads a usage object. ok is false where it is none, counts nothing or is too large.
func Read(raw []byte) (f Object, ok bool) {
	if len(raw) > MaxBytes {
		return f, false
	}
	f.raw = raw
	r := jsonwalk.NewReader(raw)
	if !r.Object() {
		return f, false
	}
	for r.Member() {
		f.member(&r)
	}
	counted := f.prompt.stated || f.input.stated || f.completion.stated || f.output.stated || f.total.stated
	return f, r.Err() == nil && (counted || f.missed.stated)
}

// Tell puts what the object says into an answer: the usage and the costs. ServiceTier is left to the caller: where the answer
// names a tier itself, that is the one that served.
func (f *Object) Tell(a *wire.Answer) {
	a.Usage, a.Contradictory = f.usage()
	a.UsageSeen = true
	a.RawUsage = append(a.RawUsage[:0], f.raw...)
	f.costs.Tell(a)
}

// ServiceTier is the tier that the object names, empty where it names none.
func (f *Object) ServiceTier() string { return f.serviceTier }

func (f *Object) member(r *jsonwalk.Reader) {
	switch string(r.Key()) {
	case "prompt_tokens":
		f.take(r, &f.prompt)
	case "input_tokens":
		f.take(r, &f.input)
	case "completion_tokens":
		f.take(r, &f.completion)
	case "output_tokens":
		f.take(r, &f.output)
	case "total_tokens":
		f.take(r, &f.total)
	case "prompt_tokens_details", "input_tokens_details", "prompt_token_details", "input_token_details":
		f.inputDetails(r)
	case "completion_tokens_details", "output_tokens_details", "completion_token_details", "output_token_details":
		f.outputDetails(r)
	case "reasoning_tokens":
		f.take(r, &f.reasoning)
	case "citation_tokens":
		f.take(r, &f.citation)
	case "num_search_queries":
		f.take(r, &f.searches)
	case "server_tool_use", "server_tool_use_details":
		f.serverTools(r)
	case "search_context_size": // Perplexity's fee for a request depends on it
		if size, _ := r.AppendText(nil); len(size) > 0 && len(size) <= maxToolName {
			f.contextSize = string(size)
		}
	case "server_side_tools_used":
		f.toolsUsed(r)
	case "prompt_text_tokens":
		f.splitPrompt = f.splitPrompt || r.Kind() == jsonwalk.Number
	case "prompt_image_tokens":
		f.take(r, &f.imageIn)
	case "audio_prompt_tokens":
		f.take(r, &f.audioIn)
	case "service_tier":
		tier, _ := r.AppendText(nil)
		f.serviceTier = string(tier)
	default:
		if !f.cacheMember(r) {
			f.costs.Member(r)
		}
	}
}

// cacheMember reads the names for cached tokens that stand at the top of a usage object.
func (f *Object) cacheMember(r *jsonwalk.Reader) bool {
	switch string(r.Key()) {
	case "cached_tokens", "num_cached_tokens", "cached_prompt_text_tokens", "prompt_cache_hit_tokens":
		f.take(r, &f.cached)
	case "prompt_cache_miss_tokens":
		f.take(r, &f.missed)
	case "cache_read_input_tokens":
		f.cacheBeside = f.take(r, &f.cached) || f.cacheBeside
	case "cache_creation_input_tokens":
		f.cacheBeside = f.take(r, &f.written) || f.cacheBeside
	case "cache_write_tokens":
		f.take(r, &f.written)
	case "cache_creation":
		f.cacheCreation(r)
	default:
		return false
	}
	return true
}

func (f *Object) inputDetails(r *jsonwalk.Reader) {
	if !r.Object() {
		return
	}
	for r.Member() {
		switch string(r.Key()) {
		case "cached_tokens":
			f.cacheInside = f.take(r, &f.cached) || f.cacheInside
		case "cache_write_tokens", "cache_creation_tokens":
			f.cacheInside = f.take(r, &f.written) || f.cacheInside
		case "cached_tokens_details":
			f.cachedDetails(r)
		case "audio_tokens":
			f.take(r, &f.audioIn)
		case "image_tokens":
			f.take(r, &f.imageIn)
		case "video_tokens":
			f.take(r, &f.videoIn)
		}
	}
}

func (f *Object) cachedDetails(r *jsonwalk.Reader) {
	if !r.Object() {
		return
	}
	for r.Member() {
		switch string(r.Key()) {
		case "audio_tokens":
			f.take(r, &f.audioCached)
		case "image_tokens":
			f.take(r, &f.imageCached)
		}
	}
}

func (f *Object) outputDetails(r *jsonwalk.Reader) {
	if !r.Object() {
		return
	}
	for r.Member() {
		switch string(r.Key()) {
		case "reasoning_tokens", "thinking_tokens":
			f.take(r, &f.reasoning)
		case "audio_tokens":
			f.take(r, &f.audioOut)
		case "image_tokens":
			f.take(r, &f.imageOut)
		}
	}
}

// cacheCreation reads cache writes by how long they live. A day is billed like an hour as far as is known.
func (f *Object) cacheCreation(r *jsonwalk.Reader) {
	if !r.Object() {
		return
	}
	var minutes, hour, day quantity
	for r.Member() {
		switch string(r.Key()) {
		case "ephemeral_5m_input_tokens":
			f.take(r, &minutes)
		case "ephemeral_1h_input_tokens":
			f.take(r, &hour)
		case "ephemeral_24h_input_tokens":
			f.take(r, &day)
		}
	}
	f.written1h = quantity{hour.n + day.n, hour.stated || day.stated}
	if sum := minutes.n + f.written1h.n; sum > f.written.n {
		f.written = quantity{sum, true}
	}
}

func (f *Object) serverTools(r *jsonwalk.Reader) {
	if !r.Object() {
		return
	}
	for r.Member() {
		if string(r.Key()) == "web_search_requests" {
			f.take(r, &f.searches)
		}
	}
}

// toolsUsed reads xAI's list of the tools that it ran, one entry for every call that is charged for.
func (f *Object) toolsUsed(r *jsonwalk.Reader) {
	if !r.Array() {
		return
	}
	var searches int64
	f.tools = nil // running totals: the last list counts
	for r.Element() {
		name, _ := r.AppendText(nil)
		tool := strings.ToLower(strings.TrimPrefix(string(name), "SERVER_SIDE_TOOL_"))
		switch {
		case tool == "web_search":
			searches++
		case tool != "" && len(tool) <= maxToolName && len(f.tools) < maxTools:
			if f.tools == nil {
				f.tools = make(map[string]int64)
			}
			f.tools[wire.UnitToolCall+"/"+tool]++
		}
	}
	if searches > f.searches.n {
		f.searches = quantity{searches, true}
	}
}

// take reads a count into q, where it is larger than what q already has, and says whether one was stated.
func (f *Object) take(r *jsonwalk.Reader, q *quantity) bool {
	n, stated, impossible := Count(r)
	f.impossible = f.impossible || impossible
	if stated {
		q.n, q.stated = max(q.n, n), true
	}
	return stated
}

// Count reads a count. Absent, null and impossible counts are not stated; a fraction is rounded up, and impossible all the
// same.
func Count(r *jsonwalk.Reader) (n int64, stated, impossible bool) {
	if kind := r.Kind(); kind != jsonwalk.Number && kind != jsonwalk.String {
		return 0, false, kind == jsonwalk.Bool
	}
	n, err := jsonwalk.Int(r.Raw())
	if errors.Is(err, jsonwalk.ErrFraction) {
		n, impossible, err = n+1, true, nil
	}
	if err != nil || n < 0 || n > MaxCount {
		return 0, false, true
	}
	return n, true, impossible
}
