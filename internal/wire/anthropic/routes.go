package anthropic

import (
	"net/http"
	"strings"

	"github.com/farebox-go/farebox/internal/wire"
)

// Recognise implements [wire.Format]. What stands before a path that it knows belongs to the host.
func (Format) Recognise(to wire.Target) (route wire.Route, ok bool) {
	rest, last := wire.LastSegment(to.Path)
	_, before := wire.LastSegment(rest)
	post := to.Method == http.MethodPost
	switch {
	case last == "messages" && post && ofMessages(before, to.Provider):
		return wire.Route{Operation: wire.Chat}, true
	case last == "complete" && post && versioned(before):
		return wire.Route{Operation: wire.TextCompletion}, true
	case last == "count_tokens" && before == "messages":
		return wire.Route{Billing: wire.Free}, true
	case last == "batches" && before == "messages":
		return wire.Route{Operation: wire.Batch, Billing: billing(post)}, true
	case wire.SegmentAfter(to.Path, "batches") != "" && strings.Contains(to.Path, "/messages/batches/"):
		return recogniseBatch(to), true
	case post && strings.Contains(to.Path, "/publishers/anthropic/models/"):
		return recogniseVertex(last)
	}
	return route, false
}

// ofMessages tells Anthropic's messages from other things of that name, such as those of a thread of OpenAI's.
func ofMessages(before, provider string) bool {
	return versioned(before) || before == "anthropic" || provider == "anthropic"
}

func versioned(segment string) bool { return segment == "v1" }

// billing of batches: to make one is charged for, to list them is not.
func billing(post bool) wire.Billing {
	if post {
		return wire.Metered
	}
	return wire.Free
}

// recogniseBatch: only the results of a batch say what it consumed.
func recogniseBatch(to wire.Target) wire.Route {
	route := wire.Route{Operation: wire.Batch, Billing: wire.Free, ID: wire.SegmentAfter(to.Path, "batches")}
	if _, last := wire.LastSegment(to.Path); last == "results" {
		route.Billing = wire.FollowUp
	}
	return route
}

// recogniseVertex recognises Vertex AI's routes, which name the model and a method: "claude-opus-4-1@20250805:rawPredict".
// Tokens are counted by a model of that name.
func recogniseVertex(segment string) (route wire.Route, ok bool) {
	model, method, _ := strings.Cut(segment, ":")
	if method != "rawPredict" && method != "streamRawPredict" {
		return route, false
	}
	if strings.HasPrefix(model, "count-tokens") {
		return wire.Route{Billing: wire.Free}, true
	}
	return wire.Route{Operation: wire.Chat}, true
}
