// Package images reads the wire format of OpenAI's images: made from a text, or by changing others. Newer models report
// tokens; of the older ones only the request says what was made.
package images

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
func (Format) Name() string { return "openai.images" }

// Recognise implements [wire.Format].
func (Format) Recognise(to wire.Target) (route wire.Route, ok bool) {
	rest, last := wire.LastSegment(to.Path)
	if _, before := wire.LastSegment(rest); before != "images" || to.Method != http.MethodPost {
		return route, false
	}
	switch last {
	case "generations", "edits", "variations":
		return wire.Route{Operation: wire.ImageGeneration}, true
	}
	return route, false
}

// IncludeUsage implements [wire.Format]. Streams always carry their usage.
func (Format) IncludeUsage(body []byte) ([]byte, error) { return body, nil }

// NewBodyReader implements [wire.Format].
func (Format) NewBodyReader(of *wire.Request) wire.Reader { return newBodyReader(of) }

// NewStreamReader implements [wire.Format].
func (Format) NewStreamReader(of *wire.Request) wire.StreamReader {
	return &streamReader{of: of}
}

// ReadHeaders implements [wire.Format].
func (Format) ReadHeaders(of *wire.Request, head http.Header, a *wire.Answer) {
	usage.CostInHeaders(of, head, a)
}

// ReadError implements [wire.Format].
func (Format) ReadError(status int, body []byte) wire.Error { return failure.Read(status, body) }
