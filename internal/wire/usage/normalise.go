package usage

import "github.com/farebox-go/farebox/internal/wire"

// sides is the two sides of a usage after it has been held against its total.
type sides struct {
	input, output, reasoning int64
	contradictory            bool
}

// usage brings what was stated into disjoint kinds. contradictory says that the statement cannot be true as it stands;
// the usage is then the nearest one that is never negative and keeps to the total, where the provider states one.
func (f *Object) usage() (u wire.Usage, contradictory bool) {
	s := f.balance()
	s.contradictory = s.contradictory || f.impossible
	s.splitInput(f, &u)
	s.splitOutput(f, &u)
	u.Citation = f.citation.n
	u.WebSearches = f.searches.n
	u.Requests = 1
	if f.contextSize != "" {
		count(&u, wire.UnitRequest+"/"+f.contextSize, 1)
	}
	for name, calls := range f.tools {
		count(&u, name, calls)
	}
	return u, s.contradictory
}

// balance takes the two sides as stated and lets the total decide what they leave out. Providers disagree on whether
// reasoning is inside the output, and some on whether cached or audio tokens are inside the input.
func (f *Object) balance() sides {
	s := f.stated()
	cache := f.cached.n + f.written.n
	total := f.total.n
	if !f.total.stated || total == 0 && s.input+s.output > 0 {
		s.contradictory = f.total.stated
		f.withoutTotal(&s)
		return s
	}
	excess := total - s.input - s.output
	switch {
	case excess == 0:
		f.agreed(&s)
	case excess < 0 && f.exclusive() && excess == -cache:
		// The total leaves out what the cache gave, as the input does.
	case excess < 0:
		s.contradictory = true
		s.output = min(s.output, total)
		s.input = total - s.output
	default:
		f.explain(&s, excess, cache)
	}
	if s.reasoning > s.output {
		s.reasoning, s.contradictory = s.output, true
	}
	return s
}

// stated is the two sides before the total is looked at.
func (f *Object) stated() sides {
	s := sides{input: f.prompt.n, output: f.completion.n, reasoning: f.reasoning.n}
	if !f.completion.stated {
		s.output = f.output.n
	}
	switch {
	case f.prompt.stated:
	case f.input.stated:
		s.input = f.input.n
		if f.exclusive() {
			s.input += f.cached.n + f.written.n
		}
	case f.missed.stated: // DeepSeek's two halves of a prompt
		s.input = f.cached.n + f.missed.n
	default:
		s.input = max(f.total.n-s.output, 0)
	}
	return s
}

// exclusive says that the input leaves cached tokens out, as Anthropic counts: by its names, and only beside
// input_tokens. Beside prompt_tokens the same names are a gateway's, and the prompt includes them.
func (f *Object) exclusive() bool {
	return !f.prompt.stated && f.input.stated && f.cacheBeside && !f.cacheInside
}

// withoutTotal decides about reasoning where no total tells.
func (f *Object) withoutTotal(s *sides) {
	if f.splitPrompt || s.reasoning > s.output {
		s.contradictory = s.contradictory || !f.splitPrompt
		s.output += s.reasoning
	}
}

// agreed decides about reasoning where the total is input and output: it is inside the output. Only deep research,
// known by the citations it counts, bills reasoning that no total includes.
func (f *Object) agreed(s *sides) {
	if f.citation.n > 0 {
		s.output += s.reasoning
	}
}

// explain finds what the total has and the sides have not. What nothing explains is output that was not counted:
// reasoning, as Gemini's.
func (f *Object) explain(s *sides, excess, cache int64) {
	reasoning, audio := s.reasoning, f.audioIn.n
	switch {
	case reasoning > 0 && excess == reasoning:
		s.output += reasoning
	case cache > 0 && excess == cache:
		s.input += cache
	case cache > 0 && excess == cache+reasoning:
		s.input += cache
		s.output += reasoning
	case audio > 0 && excess == audio:
		s.input += audio
	case audio > 0 && excess == audio+reasoning:
		s.input += audio
		s.output += reasoning
	case f.citation.n > 0 && excess == f.citation.n:
		// Citations are a kind of their own.
	default:
		s.output += excess
		s.contradictory = s.contradictory || reasoning > excess
		s.reasoning = max(reasoning, excess)
	}
}

// splitInput parts the input into its kinds. Cached tokens and those of images, video and sound are stated
// independently and may be the same tokens: then the cache has them.
func (s *sides) splitInput(f *Object, u *wire.Usage) {
	written, cached := s.within(f.written.n, s.input), s.within(f.cached.n, s.input)
	if written+cached > s.input {
		s.contradictory = true
		both := min(written, cached)
		written -= both
		count(u, wire.UnitCacheStorage, both)
	}
	u.CacheWrite1h = min(f.written1h.n, written)
	u.CacheWrite = written - u.CacheWrite1h

	audio, image, video := f.audioIn.n, f.imageIn.n, f.videoIn.n
	s.contradictory = s.contradictory || f.audioCached.n > min(audio, cached) || f.imageCached.n > min(image, cached)
	u.AudioCacheRead = min(f.audioCached.n, audio, cached)
	audio -= u.AudioCacheRead
	u.ImageCacheRead = min(f.imageCached.n, image, cached-u.AudioCacheRead)
	image -= u.ImageCacheRead
	fresh := s.input - written - cached
	over := audio + image + video - fresh
	if over > written+cached-u.AudioCacheRead-u.ImageCacheRead {
		s.contradictory = true
	}
	image, over = reduced(image, over)
	video, over = reduced(video, over)
	uncached, _ := reduced(audio, over)
	again := min(audio-uncached, cached-u.AudioCacheRead-u.ImageCacheRead)
	u.AudioCacheRead += again
	u.CacheRead = cached - u.AudioCacheRead - u.ImageCacheRead
	u.AudioInput, u.ImageInput, u.VideoInput = uncached, image, video
	u.Input = fresh - uncached - image - video
}

// splitOutput parts the output into its kinds.
func (s *sides) splitOutput(f *Object, u *wire.Usage) {
	audio, image, reasoning := f.audioOut.n, f.imageOut.n, s.reasoning
	over := audio + image + reasoning - s.output
	if over > 0 {
		s.contradictory = true
	}
	reasoning, over = reduced(reasoning, over)
	image, over = reduced(image, over)
	audio, _ = reduced(audio, over)
	u.AudioOutput, u.ImageOutput, u.Reasoning = audio, image, reasoning
	u.Output = s.output - audio - image - reasoning
}

// count adds to the units of a usage.
func count(u *wire.Usage, unit string, n int64) {
	if n > 0 {
		if u.Units == nil {
			u.Units = make(map[string]int64)
		}
		u.Units[unit] += n
	}
}

// within cuts a part that is larger than what it is a part of.
func (s *sides) within(part, whole int64) int64 {
	if part > whole {
		s.contradictory = true
		return whole
	}
	return part
}

// reduced takes from n as much as is over and returns what is still over.
func reduced(n, over int64) (left, stillOver int64) {
	cut := max(0, min(n, over))
	return n - cut, over - cut
}
