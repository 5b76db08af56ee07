// Package dialect reads a usage object, or an answer that holds one, of which nobody says what API it is from: the dialect is
// told by the fields that are there. A host would not tell it: gateways speak all of them.
package dialect

import (
	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/anthropic"
	"github.com/farebox-go/farebox/internal/wire/audio"
	"github.com/farebox-go/farebox/internal/wire/bedrock"
	"github.com/farebox-go/farebox/internal/wire/cohere"
	"github.com/farebox-go/farebox/internal/wire/gemini"
	"github.com/farebox-go/farebox/internal/wire/images"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// names is what a JSON object shows of its dialect.
type names struct {
	gemini, anthropic, bedrock, cohere, audio, images bool // fields that only this one has
	prompt, details, total, tokens                    bool // fields that Anthropic's has not
	outputDetails                                     bool
	inside                                            []byte // of an answer: the usage object in it
	answer                                            wire.Answer
}

// Read reads a usage object, an answer with one, or the event of a stream that has one. ok is false where raw is no JSON
// object or counts nothing.
func Read(raw []byte) (a *wire.Answer, ok bool) {
	return read(raw, 0)
}

// maxDepth bounds how deep the usage of an answer lies: {"response":{"usage":{…}}}.
const maxDepth = 2

func read(raw []byte, depth int) (*wire.Answer, bool) {
	n, ok := look(raw)
	if !ok {
		return nil, false
	}
	if n.inside != nil && depth < maxDepth {
		inner, ok := read(n.inside, depth+1)
		if ok {
			inner.ID, inner.Model, inner.Provider = or(n.answer.ID, inner.ID), or(n.answer.Model, inner.Model), or(n.answer.Provider, inner.Provider)
			inner.ServiceTier = or(n.answer.ServiceTier, inner.ServiceTier)
		}
		return inner, ok
	}
	if d := n.dialect(); d.format != nil {
		return d.read(raw)
	}
	object, ok := usage.Read(raw)
	if !ok {
		return nil, false
	}
	a := &wire.Answer{}
	object.Tell(a)
	a.ServiceTier = object.ServiceTier()
	return a, true
}

func or(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// look takes down which fields an object has.
func look(raw []byte) (n names, ok bool) {
	r := jsonwalk.NewReader(raw)
	if !r.Object() {
		return n, false
	}
	for r.Member() {
		n.member(&r)
	}
	return n, r.Err() == nil
}

func (n *names) member(r *jsonwalk.Reader) {
	switch string(r.Key()) {
	case "usage", "usageMetadata", "usage_metadata", "meta", "response", "message", "amazon-bedrock-invocationMetrics":
		if r.Kind() == jsonwalk.Object {
			n.inside = r.Raw()
		}
	case "id", "responseId":
		r.TextInto(&n.answer.ID)
	case "model", "modelVersion":
		r.TextInto(&n.answer.Model)
	case "provider":
		r.TextInto(&n.answer.Provider)
	case "service_tier":
		r.TextInto(&n.answer.ServiceTier)
	case "promptTokenCount", "candidatesTokenCount", "totalTokenCount", "thoughtsTokenCount", "cachedContentTokenCount",
		"prompt_token_count", "candidates_token_count", "total_token_count", "total_input_tokens", "total_output_tokens":
		n.gemini = true
	case "cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation", "iterations", "inference_geo", "speed":
		n.anthropic = true
	case "inputTokens", "outputTokens", "inputTokenCount", "outputTokenCount", "cacheReadInputTokens", "inputTextTokenCount":
		n.bedrock = true
	case "billed_units":
		n.cohere = true
	case "seconds":
		n.audio = true
	case "prompt_tokens":
		n.prompt = true
	case "total_tokens":
		n.total = true
	case "input_tokens", "output_tokens":
		n.tokens = true
	case "input_token_details":
		n.details = true
	case "input_tokens_details":
		n.details = true
		n.images = hasMember(r, "text_tokens")
	case "output_tokens_details":
		n.outputDetails = true
	}
}

// hasMember says whether an object has a member.
func hasMember(r *jsonwalk.Reader, name string) (has bool) {
	if !r.Object() {
		return false
	}
	for r.Member() {
		has = has || string(r.Key()) == name
	}
	return has
}

// dialect is a format that reads usage objects, and the name that its answers have them by. The zero value is the dialects
// of OpenAI and those who follow it, which need no format.
type dialect struct {
	format    wire.Format
	operation wire.Operation
	member    string
}

// dialect tells which one has an object's fields.
func (n *names) dialect() dialect {
	switch {
	case n.gemini:
		return dialect{gemini.Format{}, wire.GenerateContent, "usageMetadata"}
	case n.anthropic && n.tokens && !n.prompt && !n.details && !n.total:
		return dialect{anthropic.Format{}, wire.Chat, "usage"}
	case n.cohere:
		return dialect{cohere.Format{}, wire.Chat, "usage"}
	case n.bedrock:
		return dialect{bedrock.Format{}, wire.Chat, "usage"}
	case n.audio:
		return dialect{audio.Format{}, wire.Transcription, "usage"}
	case n.images && !n.outputDetails: // all of its output is images
		return dialect{images.Format{}, wire.ImageGeneration, "usage"}
	}
	return dialect{}
}

// read has the format read a usage object as if it stood in an answer.
func (d *dialect) read(raw []byte) (*wire.Answer, bool) {
	reader := d.format.NewBodyReader(&wire.Request{Operation: d.operation})
	reader.Write([]byte(`{"` + d.member + `":`))
	reader.Write(raw)
	reader.Write([]byte(`}`))
	a := reader.Answer()
	return a, a.UsageSeen
}
