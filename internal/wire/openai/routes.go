package openai

import (
	"net/http"

	"github.com/farebox-go/farebox/internal/wire"
)

// Recognise implements [wire.Format]. It looks at the end of the path only: what stands before it belongs to the host.
// Moderation is free (platform.openai.com/docs/guides/moderation, 2026-11), and so is to list models.
func (Format) Recognise(to wire.Target) (route wire.Route, ok bool) {
	rest, last := wire.LastSegment(to.Path)
	_, before := wire.LastSegment(rest)
	if to.Method == http.MethodGet {
		return wire.Route{Billing: wire.Free}, last == "models" || before == "models"
	}
	if to.Method != http.MethodPost {
		return route, false
	}
	switch last {
	case "embeddings":
		return wire.Route{Operation: wire.Embeddings}, true
	case "completions":
		if before == "chat" || before == "agents" { // Mistral's agents
			return wire.Route{Operation: wire.Chat}, true
		}
		return wire.Route{Operation: wire.TextCompletion}, true
	case "chat":
		if to.Provider == "writer" { // which alone speaks OpenAI's format under this name
			return wire.Route{Operation: wire.Chat}, true
		}
	case "moderations":
		return wire.Route{Billing: wire.Free}, true
	}
	return route, false
}
