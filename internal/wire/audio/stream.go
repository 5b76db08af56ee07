package audio

import (
	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/failure"
)

// streamReader reads an answer that comes in events: pieces of sound or of text, and a last one with the usage.
type streamReader struct {
	of     *wire.Request
	answer wire.Answer
}

// Answer implements [wire.StreamReader].
func (s *streamReader) Answer() *wire.Answer { return &s.answer }

// Event implements [wire.StreamReader].
func (s *streamReader) Event(name, data []byte) (usageOnly bool) {
	a := &s.answer
	kind := string(name)
	r := jsonwalk.NewReader(data)
	for r.Object(); r.Member(); {
		switch string(r.Key()) {
		case "type":
			r.TextInto(&kind)
		case "delta":
			n, _ := r.TextLen()
			a.TextBytes += n
		case "usage":
			s.usage(r.Raw())
		case "error":
			failure.Into(a, r.Raw())
		}
	}
	switch kind {
	case "speech.audio.done", "transcript.text.done":
		a.Done = true
	case "error":
		failure.Into(a, data)
	}
	return false
}

func (s *streamReader) usage(raw []byte) {
	if tell(&s.answer, raw) && s.of.Operation == wire.Speech {
		u := &s.answer.Usage // of speech all output is sound, whatever details say
		u.AudioOutput += u.Output
		u.Output = 0
	}
}
