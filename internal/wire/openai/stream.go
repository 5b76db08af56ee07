package openai

import (
	"bytes"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/failure"
)

// NewStreamReader implements [wire.Format].
func (Format) NewStreamReader(*wire.Request) wire.StreamReader { return &streamReader{} }

// streamReader reads an answer that comes in chunks.
type streamReader struct {
	answer answer
	start  commonStart
}

// Answer implements [wire.StreamReader].
func (s *streamReader) Answer() *wire.Answer { return &s.answer.Answer }

// Event implements [wire.StreamReader]. A chunk that is not JSON changes nothing beyond what was readable in it.
func (s *streamReader) Event(name, data []byte) (usageOnly bool) {
	data = bytes.TrimSpace(data)
	switch {
	case string(data) == "[DONE]":
		s.answer.Done = true
		return false
	case string(name) == "error" && len(data) > 0:
		s.answer.fail(failure.Read(0, data))
	}
	c := chunk{answer: &s.answer, start: &s.start}
	usageOnly = c.read(data)
	if c.flat {
		s.answer.fail(failure.Of(data))
	}
	return usageOnly
}

// chunk is one event's data while it is read.
type chunk struct {
	r       jsonwalk.Reader
	answer  *answer
	start   *commonStart
	choices int // that were met
	choice  choice
	usage   bool // it carries a usage
	payload bool // it carries something else
	flat    bool // it is itself an error object
}

// read walks the chunk and says whether it carries a usage and nothing else.
func (c *chunk) read(data []byte) (usageOnly bool) {
	if c.start.begins(data) {
		c.resume(data)
	} else {
		c.r = jsonwalk.NewReader(data)
		if !c.r.Object() {
			return false
		}
	}
	for c.r.Member() {
		c.member(data)
	}
	return c.usage && !c.payload && !c.flat && c.r.Err() == nil
}

func (c *chunk) member(data []byte) {
	a := c.answer
	switch string(c.r.Key()) {
	case "id":
		c.text(&a.ID)
	case "model":
		c.text(&a.Model)
	case "provider":
		c.text(&a.Provider)
	case "system_fingerprint":
		c.text(&a.SystemFingerprint)
	case "service_tier":
		a.topTier = c.text(&a.ServiceTier) || a.topTier
	case "choices":
		if c.r.Array() {
			c.readChoices(data)
		}
	case "usage":
		c.takeUsage(atTheTop)
	case "x_groq":
		c.groq()
	case "error":
		c.fail()
	case "object":
		c.object()
	case "created", "obfuscation", "stream_options":
	default:
		c.payload = c.payload || c.r.Kind() != jsonwalk.Null
	}
}

// text reads a string into dst and says whether there was one.
func (c *chunk) text(dst *string) bool {
	raw, escaped, ok := c.r.Text()
	if ok {
		c.answer.setText(dst, raw, escaped)
	}
	return ok && len(raw) > 0
}

func (c *chunk) takeUsage(place usagePlace) {
	if c.r.Kind() != jsonwalk.Object {
		return
	}
	c.usage = true
	c.answer.usage(c.r.Raw(), place)
}

func (c *chunk) groq() {
	if !c.r.Object() {
		return
	}
	for c.r.Member() {
		switch string(c.r.Key()) {
		case "usage":
			c.takeUsage(inGroq)
		case "error":
			c.fail()
		}
	}
}

func (c *chunk) fail() {
	if raw := c.r.Raw(); !failure.IsNothing(raw) && raw != nil {
		c.payload = true
		c.answer.fail(failure.Of(raw))
	}
}

// object reads what the chunk says it is. Some servers send an error whose members are those of the chunk itself.
func (c *chunk) object() {
	raw, _, _ := c.r.Text()
	c.flat = string(raw) == "error"
}
