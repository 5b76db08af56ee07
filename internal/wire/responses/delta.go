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
	deltaEnd   = []byte(`.delta`)
)

// deltaReader counts the text of events that are deltas, without walking them: between an event's kind and its text there are
// only short members, most often as long as those of the event before it.
type deltaReader struct{ at int } // where the text of the latest one began, from its kind on

// length counts the text of an event; ok is false where the event is no delta, or written in another way. No string can hold
// what it looks for: quotes inside of one are escaped.
func (d *deltaReader) length(data []byte) (n int64, ok bool) {
	rest, ok := bytes.CutPrefix(data, deltaKind)
	if !ok {
		return 0, false
	}
	kind := rest[:min(len(rest), 48)]
	end := bytes.IndexByte(kind, '"')
	if end < 0 || !bytes.HasSuffix(kind[:end], deltaEnd) {
		return 0, false
	}
	rest = rest[end+1:]
	if len(rest) < d.at || !bytes.HasPrefix(rest[d.at:], deltaValue) {
		if d.at = bytes.Index(rest, deltaValue); d.at < 0 {
			d.at = 0
			return 0, false
		}
	}
	r := jsonwalk.NewReader(rest[d.at+len(deltaValue)-1:])
	return r.TextLen()
}
