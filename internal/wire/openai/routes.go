package openai

import (
	"net/http"
	"strings"

	"github.com/farebox-go/farebox/internal/wire"
)

// Recognise implements [wire.Format]. It looks at the end of the path only: what stands before it belongs to the host.
func (Format) Recognise(to wire.Target) (route wire.Route, ok bool) {
	if to.Method != http.MethodPost {
		return route, false
	}
	rest, last := lastSegment(to.Path)
	switch last {
	case "embeddings":
		return wire.Route{Operation: wire.Embeddings}, true
	case "completions":
		if _, before := lastSegment(rest); before == "chat" {
			return wire.Route{Operation: wire.Chat}, true
		}
		return wire.Route{Operation: wire.TextCompletion}, true
	}
	return route, false
}

// deployment returns the name of the deployment in the path of an Azure endpoint, empty where there is none.
func deployment(path string) string {
	for path != "" {
		rest, name := lastSegment(path)
		if _, key := lastSegment(rest); key == "deployments" {
			return name
		}
		path = rest
	}
	return ""
}

// lastSegment takes the last segment off a path. Empty segments, as in a doubled slash, and a query do not count.
func lastSegment(path string) (rest, segment string) {
	if i := strings.IndexByte(path, '?'); i >= 0 {
		path = path[:i]
	}
	path = strings.TrimRight(path, "/")
	i := strings.LastIndexByte(path, '/')
	return path[:i+1], path[i+1:]
}
