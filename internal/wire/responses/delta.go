package responses

import (
	"bytes"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// The events that carry text begin alike but for what they are a delta of, and a number that grows: they cannot be told by a
// common beginning.
var (
	deltaKind  = []byte(`{"type":"response.`)
	deltaValue = []byte(`"delta":"`)
	deltaEnd   = []byte(`.delta"`)
)

// deltaLen counts the text of an event that is a delta, without walking it: between its kind and its text there are only
// short members. ok is false where the event is something else, or written in another way.
func deltaLen(data []byte) (n int64, ok bool) {
	rest, ok := bytes.CutPrefix(data, deltaKind)
	if !ok {
		return 0, false
	}
	kind := rest[:min(len(rest), 48)]
	at := bytes.Index(kind, deltaEnd)
	if at < 0 || bytes.IndexByte(kind[:at], '"') >= 0 {
		return 0, false
	}
	rest = rest[at+len(deltaEnd):]
	if at = bytes.Index(rest, deltaValue); at < 0 {
		return 0, false
	}
	r := jsonwalk.NewReader(rest[at+len(deltaValue)-1:])
	return r.TextLen()
}
