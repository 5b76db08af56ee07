package fareboxtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// counted says which operation a path asks about to have its tokens counted: Anthropic's /messages/count_tokens, OpenAI's
// /responses/input_tokens, and Gemini's :countTokens.
func counted(path string) (op operation, ok bool) {
	switch {
	case strings.HasSuffix(path, "/messages/count_tokens"):
		return messages, true
	case strings.HasSuffix(path, "/responses/input_tokens"):
		return responses, true
	case strings.HasSuffix(path, ":countTokens"):
		return generate, true
	}
	return 0, false
}

// serveCount counts the tokens of a request that is not made. That is not billed, and is in no account.
func (p *Provider) serveCount(w http.ResponseWriter, r *http.Request, op operation) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller left while sending
	}
	call, bad := readCount(op, body, r.URL)
	if bad == nil {
		bad = p.check(r, call)
	}
	switch {
	case bad != nil:
		writeJSON(w, bad.status, p.errorBody(op, *bad))
	case op == generate:
		n := call.promptTokens()
		writeJSON(w, http.StatusOK, encode(map[string]any{
			"totalTokens": n, "promptTokensDetails": []map[string]any{{"modality": "TEXT", "tokenCount": n}},
		}))
	case op == responses:
		writeJSON(w, http.StatusOK, encode(map[string]any{"object": "response.input_tokens", "input_tokens": call.promptTokens()}))
	default:
		writeJSON(w, http.StatusOK, encode(map[string]any{"input_tokens": call.promptTokens()}))
	}
}

// notCounted are members of a request that the endpoints do not take.
var notCounted = map[operation][]string{
	messages:  {"max_tokens", "stream", "temperature", "metadata", "stop_sequences", "top_p", "top_k", "service_tier"},
	responses: {"max_output_tokens", "stream", "temperature", "metadata", "store", "top_p", "service_tier"},
	generate:  {"generationConfig"},
}

// readCount reads the body of such a request.
func readCount(op operation, body []byte, u *url.URL) (*call, *problem) {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) == nil {
		for name := range members {
			if slices.Contains(notCounted[op], name) {
				return &call{op: op}, &problem{status: http.StatusBadRequest, message: fmt.Sprintf("%s: Extra inputs are not permitted", name)}
			}
		}
		if whole, ok := members["generateContentRequest"]; ok && op == generate {
			body = whole
		}
	}
	c, bad := readCall(op, body)
	if op == generate {
		c.Model, _, _ = strings.Cut(path.Base(u.Path), ":")
	}
	return c, bad
}
