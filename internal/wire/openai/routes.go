package openai

import (
	"net/http"

	"github.com/farebox-go/farebox/internal/wire"
)

// Recognise implements [wire.Format]. It looks at the end of the path only: what stands before it belongs to the host.
func (Format) Recognise(to wire.Target) (route wire.Route, ok bool) {
	if to.Method != http.MethodPost {
		return route, false
	}
	rest, last := wire.LastSegment(to.Path)
	switch last {
	case "embeddings":
		return wire.Route{Operation: wire.Embeddings}, true
	case "completions":
		if _, before := wire.LastSegment(rest); before == "chat" {
			return wire.Route{Operation: wire.Chat}, true
		}
		return wire.Route{Operation: wire.TextCompletion}, true
	}
	return route, false
}
