// Package audio reads the wire format of OpenAI's audio: speech made of text, and text made of speech. What is charged for is
// tokens, characters or time, by the model; some of it only the request says.
package audio

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
func (Format) Name() string { return "openai.audio" }

// Recognise implements [wire.Format].
func (Format) Recognise(to wire.Target) (route wire.Route, ok bool) {
	rest, last := wire.LastSegment(to.Path)
	if _, before := wire.LastSegment(rest); before != "audio" || to.Method != http.MethodPost {
		return route, false
	}
	switch last {
	case "speech":
		return wire.Route{Operation: wire.Speech}, true
	case "transcriptions", "translations":
		return wire.Route{Operation: wire.Transcription}, true
	}
	return route, false
}

// IncludeUsage implements [wire.Format]. Streams always carry their usage.
func (Format) IncludeUsage(body []byte) ([]byte, error) { return body, nil }

// NewBodyReader implements [wire.Format].
func (Format) NewBodyReader(of *wire.Request) wire.Reader {
	if of.Operation == wire.Speech {
		return spoken(of)
	}
	return newTranscript()
}

// NewStreamReader implements [wire.Format].
func (Format) NewStreamReader(of *wire.Request) wire.StreamReader { return &streamReader{of: of} }

// ReadHeaders implements [wire.Format].
func (Format) ReadHeaders(of *wire.Request, head http.Header, a *wire.Answer) {
	usage.CostInHeaders(of, head, a)
}

// ReadError implements [wire.Format].
func (Format) ReadError(status int, body []byte) wire.Error { return failure.Read(status, body) }
