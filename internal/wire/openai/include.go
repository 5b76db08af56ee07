package openai

import (
	"errors"
	"fmt"
	"slices"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// IncludeUsage implements [wire.Format]: it turns on stream_options.include_usage in a request that asks for a
// stream. Every other byte stays as it was; the edit is made in a copy.
func (Format) IncludeUsage(body []byte) ([]byte, error) {
	r := jsonwalk.NewReader(body)
	if !r.Object() {
		return body, errors.New("openai: the request body is not a JSON object")
	}
	stream := false
	var options, last span
	for r.Member() {
		key := string(r.Key())
		last = valueSpan(&r)
		switch key {
		case "stream":
			stream = string(last.of(body)) == "true"
		case "stream_options":
			options = last
		}
	}
	r.End()
	if err := r.Err(); err != nil {
		return body, fmt.Errorf("openai: request body: %w", err)
	}
	switch {
	case !stream:
		return body, nil
	case options == span{}:
		return splice(body, span{last.to, last.to}, `,"stream_options":{"include_usage":true}`), nil
	}
	return includeIn(body, options), nil
}

// includeIn edits the stream options that a request has. What is neither an object nor null is left to the
// provider to refuse.
func includeIn(body []byte, options span) []byte {
	r := jsonwalk.NewReader(options.of(body))
	if r.Kind() == jsonwalk.Null {
		return splice(body, options, `{"include_usage":true}`)
	}
	if !r.Object() {
		return body
	}
	var include, last span
	for r.Member() {
		key := string(r.Key())
		last = valueSpan(&r).moved(options.from)
		if key == "include_usage" {
			include = last
		}
	}
	switch {
	case last == span{}:
		inside := options.from + len("{")
		return splice(body, span{inside, inside}, `"include_usage":true`)
	case include == span{}:
		return splice(body, span{last.to, last.to}, `,"include_usage":true`)
	case string(include.of(body)) == "true":
		return body
	}
	return splice(body, include, "true")
}

// span is a part of a body. The zero value stands for none: no value begins a body that is an object.
type span struct{ from, to int }

func (s span) of(body []byte) []byte { return body[s.from:s.to] }

func (s span) moved(by int) span { return span{s.from + by, s.to + by} }

// valueSpan passes the value by and returns where it stands.
func valueSpan(r *jsonwalk.Reader) span {
	from := r.Offset()
	return span{from, from + len(r.Raw())}
}

// splice returns a copy of body in which a part is replaced.
func splice(body []byte, at span, by string) []byte {
	return slices.Concat(body[:at.from], []byte(by), body[at.to:])
}
