// Package anthropic reads the wire format of Anthropic's messages, as Anthropic itself, Vertex AI, OpenRouter and other
// gateways speak it; of message batches; and of the older text completions.
package anthropic

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
func (Format) Name() string { return "anthropic" }

// IncludeUsage implements [wire.Format]. Streams always carry their usage.
func (Format) IncludeUsage(body []byte) ([]byte, error) { return body, nil }

// NewBodyReader implements [wire.Format].
func (Format) NewBodyReader(of *wire.Request) wire.Reader {
	if of.Operation == wire.Batch {
		return newBatchReader()
	}
	return newBodyReader()
}

// NewStreamReader implements [wire.Format].
func (Format) NewStreamReader(*wire.Request) wire.StreamReader { return &streamReader{} }

// ReadHeaders implements [wire.Format].
func (Format) ReadHeaders(of *wire.Request, head http.Header, a *wire.Answer) {
	usage.CostInHeaders(of, head, a)
}

// ReadError implements [wire.Format].
func (Format) ReadError(status int, body []byte) wire.Error { return failure.Read(status, body) }
