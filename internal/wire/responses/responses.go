// Package responses reads the wire format of OpenAI's responses, as OpenAI, Azure, OpenRouter, xAI and others speak it.
package responses

import (
	"net/http"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/failure"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// Format implements [wire.Format]. The zero value is ready to use and safe for concurrent use.
type Format struct{}

var _ wire.Format = Format{}

// Name implements [wire.Format].
func (Format) Name() string { return "openai.responses" }

// Recognise implements [wire.Format]. A response that runs in the background, or that was kept, may be looked at later; what
// it is made of, and the number of tokens that it would take, are free to ask.
func (Format) Recognise(to wire.Target) (route wire.Route, ok bool) {
	rest, last := wire.LastSegment(to.Path)
	rest, before := wire.LastSegment(rest)
	post := to.Method == http.MethodPost
	switch {
	case last == "responses" && post:
		return wire.Route{Operation: wire.Chat}, true
	case before == "responses" && last == "compact" && post:
		return wire.Route{Operation: wire.Chat}, true
	case before == "responses" && last == "input_tokens":
		return wire.Route{Billing: wire.Free}, true
	case before == "responses" && to.Method == http.MethodGet:
		return wire.Route{Operation: wire.Chat, Billing: wire.FollowUp, ID: last}, true
	case before == "responses" && to.Method == http.MethodDelete:
		return wire.Route{Billing: wire.Free}, true
	}
	if _, above := wire.LastSegment(rest); above != "responses" {
		return route, false
	}
	switch {
	case last == "cancel" && post:
		return wire.Route{Operation: wire.Chat, Billing: wire.FollowUp, ID: before}, true
	case last == "input_items":
		return wire.Route{Billing: wire.Free}, true
	}
	return route, false
}

// IncludeUsage implements [wire.Format]. Streams always carry their usage.
func (Format) IncludeUsage(body []byte) ([]byte, error) { return body, nil }

// NewBodyReader implements [wire.Format].
func (Format) NewBodyReader(*wire.Request) wire.Reader { return newBodyReader() }

// NewStreamReader implements [wire.Format].
func (Format) NewStreamReader(*wire.Request) wire.StreamReader { return &streamReader{} }

// ReadHeaders implements [wire.Format].
func (Format) ReadHeaders(of *wire.Request, head http.Header, a *wire.Answer) {
	usage.CostInHeaders(of, head, a)
}

// ReadError implements [wire.Format].
func (Format) ReadError(status int, body []byte) wire.Error { return failure.Read(status, body) }
