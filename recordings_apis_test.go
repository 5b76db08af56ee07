package farebox_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"mime/multipart"
	"slices"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// The APIs that the Client has methods for.
const (
	chatAPI       = "openai.chat_completions"
	completionAPI = "openai.completions"
	embeddingsAPI = "openai.embeddings"
)

// recordedAPI says how the recorded exchanges of an API are checked.
type recordedAPI struct {
	client bool // the Client has a method for it, and is replayed too
	free   bool // its provider does not charge for it: there is no receipt
	// followUp is a later look at what an earlier request cost, unmetered a route that no format reads: they have no receipt.
	followUp, unmetered bool
	// beside says that usage may stand where the recordings' index does not look: in the head, in counts by themselves.
	beside bool
	// usage compares a receipt's usage with what the provider stated.
	usage func(t *testing.T, x *exchange, r *farebox.Receipt)
}

// recordedAPIs are the APIs that are replayed.
var recordedAPIs = map[string]recordedAPI{
	chatAPI:                         {client: true, usage: checkUsage},
	completionAPI:                   {client: true, usage: checkUsage},
	embeddingsAPI:                   {client: true, usage: checkUsage},
	"openai.responses":              {usage: inclusive("input_tokens", "output_tokens")},
	"openai.responses_compact":      {usage: inclusive("input_tokens", "output_tokens")},
	"openai.responses_input_tokens": {free: true},
	"openai.images":                 {usage: tokensOr("image")},
	"openai.audio.speech":           {},
	"openai.audio.transcriptions":   {usage: tokensOr("audio_ms")},
	"openai.audio.translations":     {},
	"openai.moderations":            {free: true},
	"anthropic.messages":            {usage: exclusive},
	"anthropic.complete":            {},
	"anthropic.count_tokens":        {free: true},
}

// unknown says that the table does not have an exchange's API: then it has a receipt or none, and only what holds for all
// is checked.
func (x *exchange) unknown() bool {
	_, known := recordedAPIs[x.api]
	return x.Expect == nil && !known
}

// unreceipted says why an exchange has no receipt; empty: it has one.
func (x *exchange) unreceipted() string {
	switch {
	case recordedAPIs[x.api].free:
		return "free"
	case recordedAPIs[x.api].followUp:
		return "a later look"
	case recordedAPIs[x.api].unmetered:
		return "unmetered"
	case x.api == "openai.responses" && x.Request.Method == "GET":
		return "a later look"
	}
	return ""
}

// inclusive checks a usage whose input and output include all that is stated beside them.
func inclusive(input, output string) func(t *testing.T, x *exchange, r *farebox.Receipt) {
	return func(t *testing.T, x *exchange, r *farebox.Receipt) {
		t.Helper()
		stated := statedCounts(t, x.usage)
		u := r.Usage
		if u.InputTokens() != stated[input] || u.OutputTokens() != stated[output] || u.Requests != 1 {
			t.Errorf("read %d and %d of %s", u.InputTokens(), u.OutputTokens(), x.usage)
		}
		if !bytes.Contains(x.body(), r.RawUsage) {
			t.Errorf("the raw usage %s is not what was sent", r.RawUsage)
		}
	}
}

// tokensOr checks a usage of tokens or, where none are stated, of something else.
func tokensOr(unit string) func(t *testing.T, x *exchange, r *farebox.Receipt) {
	return func(t *testing.T, x *exchange, r *farebox.Receipt) {
		t.Helper()
		stated := statedCounts(t, x.usage)
		input, output := stated["input_tokens"]+stated["prompt_tokens"], stated["output_tokens"]+stated["completion_tokens"]
		units := int64(0)
		for name, n := range r.Usage.Units {
			if kind, _, _ := strings.Cut(string(name), "/"); kind == unit {
				units += n
			}
		}
		if r.Usage.InputTokens() != input || r.Usage.OutputTokens() != output || r.Usage.Requests != 1 || (units > 0) == (input+output > 0) {
			t.Errorf("read %+v of %s", r.Usage, x.usage)
		}
		if seconds := stated["seconds"] + stated["prompt_audio_seconds"]; seconds > 0 && units != seconds*1000 {
			t.Errorf("%d ms of %s", units, x.usage)
		}
	}
}

// exclusive checks a usage of Anthropic's, whose input leaves out what the cache gave and took.
func exclusive(t *testing.T, x *exchange, r *farebox.Receipt) {
	t.Helper()
	stated := statedCounts(t, x.usage)
	u := r.Usage
	if u.Input != stated["input_tokens"] || u.CacheRead != stated["cache_read_input_tokens"] ||
		u.CacheWrite+u.CacheWrite1h != stated["cache_creation_input_tokens"] || u.OutputTokens() != stated["output_tokens"] || u.Requests != 1 {
		t.Errorf("read %+v of %s", u, x.usage)
	}
}

// statedCounts are the counts at the top of a usage object.
func statedCounts(t *testing.T, usage json.RawMessage) map[string]int64 {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(usage, &members); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for name, value := range members {
		var n int64
		if json.Unmarshal(value, &n) == nil {
			counts[name] = n
		}
	}
	return counts
}

// wireBody is a request's body as it went over the wire. A form is recorded as its fields, without the contents of files; it is
// put together anew, with files of the recorded sizes.
func wireBody(t *testing.T, recorded json.RawMessage) (body json.RawMessage, contentType string) {
	t.Helper()
	var form struct {
		Fields map[string]json.RawMessage `json:"_multipart"`
	}
	if json.Unmarshal(recorded, &form) != nil || form.Fields == nil {
		return recorded, ""
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.SetBoundary("a-boundary-of-the-tests")
	for _, name := range slices.Sorted(maps.Keys(form.Fields)) {
		var text string
		if json.Unmarshal(form.Fields[name], &text) != nil {
			text = string(form.Fields[name])
		}
		if !strings.HasPrefix(text, "<file") {
			_ = w.WriteField(name, text)
			continue
		}
		part, err := w.CreateFormFile(name, name+".bin")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(part, strings.Repeat("x", 1000))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FormDataContentType()
}
