// Package framing finds the events in the streams of all providers, whatever they are framed in.
package framing

import (
	"strings"

	"github.com/farebox-go/farebox/internal/eventstream"
	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/ndjson"
	"github.com/farebox-go/farebox/internal/sse"
)

// Parser finds the events in a stream that is pushed through it, in bounded memory. It is not safe for concurrent use.
type Parser interface {
	// Write takes the next piece and calls deliver for every event that ends in it: with its name, empty where the framing
	// has none, and its data, both valid during the call only.
	Write(piece []byte, deliver func(name, data []byte))
	// Close says that the stream has ended; an event that is complete but for what should follow it is delivered now.
	Close(deliver func(name, data []byte))
	// Skipped is the number of events that were not delivered: too large, or damaged.
	Skipped() int
}

// Framing is how a stream is cut into events.
type Framing uint8

// The framings in use. None is a body that is no stream, as far as its label tells.
const (
	None         Framing = iota
	ServerSent           // text/event-stream
	Lines                // a JSON value on each line
	AWS                  // AWS's binary messages
	JSONElements         // the elements of one JSON array
)

// OfContentType is the framing that a Content-Type names. An array of JSON looks like any other JSON: it is None.
func OfContentType(header string) Framing {
	kind, _, _ := strings.Cut(header, ";")
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "text/event-stream":
		return ServerSent
	case "application/vnd.amazon.eventstream":
		return AWS
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonl", "application/jsonlines",
		"application/x-jsonlines", "application/stream+json", "application/json-seq", "application/jsonl+json":
		return Lines
	}
	return None
}

// OfBeginning is the framing of a body whose label names none, by its first byte that is not blank. A body that begins as
// a JSON object is none; one that begins as an array is a stream only where a stream was asked for. AWS's messages begin
// with a length, whose highest byte is zero in every message that a provider sends.
func OfBeginning(c byte, asked bool) Framing {
	switch {
	case c == '{', c == '[' && !asked:
		return None
	case c == '[':
		return JSONElements
	case c == 0:
		return AWS
	}
	return ServerSent
}

// New returns a Parser that delivers events of at most maxEvent bytes; 0 stands for the framing's default. None is taken
// for ServerSent.
func (f Framing) New(maxEvent int) Parser {
	switch f {
	case Lines:
		return ndjson.NewParser(maxEvent)
	case AWS:
		return eventstream.NewParser(maxEvent)
	case JSONElements:
		return jsonwalk.NewElements(maxEvent)
	}
	return sse.NewParser(maxEvent)
}
