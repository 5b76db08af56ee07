package wire

import "strings"

// LastSegment takes the last segment off a path. Empty segments, as in a doubled slash, and a query do not count.
func LastSegment(path string) (rest, segment string) {
	if i := strings.IndexByte(path, '?'); i >= 0 {
		path = path[:i]
	}
	path = strings.TrimRight(path, "/")
	i := strings.LastIndexByte(path, '/')
	return path[:i+1], path[i+1:]
}

// SegmentAfter returns the last segment of a path that follows one with the given name, empty where there is none:
// SegmentAfter("/openai/deployments/x/chat/completions", "deployments") is "x".
func SegmentAfter(path, name string) string {
	for path != "" {
		rest, segment := LastSegment(path)
		if _, before := LastSegment(rest); before == name {
			return segment
		}
		path = rest
	}
	return ""
}
