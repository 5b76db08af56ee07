package farebox

import (
	"maps"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/otel/baggage"
)

// RequestTags takes tags from the requests that a service serves, so that what its callers cause is spent in their names.
// The zero value takes none. Where one name comes from several places, Func's value stands, then that of Headers.
//
// Headers and baggage are what a caller says of itself: let a service take them from whom it trusts (its gateway), and use
// Func for what it has found out itself. Whoever may choose the value of a tag that a budget is kept for may choose whose
// budget to spend.
type RequestTags struct {
	// Headers are names of headers, each with the name of the tag that it gives: {"X-Team": "team"}. Of a header that comes
	// several times the first one counts.
	Headers map[string]string
	// Baggage are the names of members of the W3C baggage (of the context, where a middleware has read it, or else of the
	// header of that name) that become tags of the same names. Members that are not listed are left alone.
	Baggage []string
	// Func returns further tags: from a session, a path, a certificate. It may be called by several goroutines at once.
	Func func(*http.Request) Tags
}

// maxTagValue is the longest value of a tag that is taken from a header or from baggage, in bytes.
const maxTagValue = 128

// Handler returns a handler that calls next with the tags in the request's context, where every call that is made with it
// finds them:
//
//	http.Handle("/", farebox.RequestTags{Headers: map[string]string{"X-Team": "team"}}.Handler(mux))
//
// A value from a header or from baggage that is longer than 128 bytes, or is no printable text, is left out: a request
// without the tag shares the budget of all that have none. What Func returns is taken as it is.
func (t RequestTags) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if tags := t.of(req); len(tags) > 0 {
			req = req.WithContext(ContextWithTags(req.Context(), tags))
		}
		next.ServeHTTP(w, req)
	})
}

// of are the tags of a request.
func (t RequestTags) of(req *http.Request) Tags {
	tags := make(Tags)
	if len(t.Baggage) > 0 {
		carried := baggageOf(req)
		for _, name := range t.Baggage {
			tags.take(name, carried.Member(name).Value())
		}
	}
	for header, name := range t.Headers {
		tags.take(name, req.Header.Get(header))
	}
	if t.Func != nil {
		maps.Copy(tags, t.Func(req))
	}
	return tags
}

// take takes a value that a stranger may have sent.
func (t Tags) take(name, value string) {
	value = strings.TrimSpace(value)
	if value != "" && len(value) <= maxTagValue && utf8.ValidString(value) && !strings.ContainsFunc(value, isUnprintable) {
		t[name] = value
	}
}

func isUnprintable(r rune) bool { return !unicode.IsPrint(r) }

// baggageOf is the baggage of a request. Its parser keeps to the limits of the specification, 8192 bytes and 64 members, and
// of what breaks them nothing is taken.
func baggageOf(req *http.Request) baggage.Baggage {
	if carried := baggage.FromContext(req.Context()); carried.Len() > 0 {
		return carried
	}
	const maxBaggage = 8192
	header := strings.Join(req.Header.Values("Baggage"), ",")
	if len(header) == 0 || len(header) > maxBaggage {
		return baggage.Baggage{}
	}
	carried, err := baggage.Parse(header)
	if err != nil {
		return baggage.Baggage{}
	}
	return carried
}
