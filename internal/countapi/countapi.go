// Package countapi makes requests to the endpoints at which providers count the tokens of a request, and reads their
// answers. They are free of charge (platform.claude.com/docs/en/build-with-claude/token-counting,
// ai.google.dev/gemini-api/docs/tokens, platform.openai.com/docs/api-reference/responses/input-tokens, 2026-11).
package countapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// API is one of the endpoints.
type API struct {
	provider string
	format   string   // the wire format of the requests that it counts
	members  []string // of such a request that it takes; it refuses others
	root     []string // how base URLs of the provider end, the longest first
	path     func(model string) string
	body     func(model string, request map[string]json.RawMessage) any
	chat     func(*chat) (any, error) // nil: chats are not counted there as they are charged
	sign     func(key string, h http.Header)
}

var apis = []*API{
	{
		provider: "anthropic", format: "anthropic", root: []string{"/v1"},
		members: []string{"model", "messages", "system", "tools", "tool_choice", "thinking", "mcp_servers", "output_config", "output_format", "cache_control"},
		path:    func(string) string { return "/v1/messages/count_tokens" },
		body:    asItIs,
		chat:    anthropicChat,
		sign: func(key string, h http.Header) {
			h.Set("X-Api-Key", key)
			h.Set("Anthropic-Version", "2023-06-01")
		},
	},
	{
		provider: "google", format: "gemini", root: []string{"/v1beta/openai", "/v1beta", "/v1"},
		members: []string{
			"contents", "systemInstruction", "system_instruction", "tools", "toolConfig", "tool_config",
			"generationConfig", "generation_config", "safetySettings", "safety_settings", "cachedContent", "cached_content",
		},
		path: func(model string) string { return "/v1beta/models/" + model + ":countTokens" },
		body: func(model string, request map[string]json.RawMessage) any {
			request["model"], _ = json.Marshal("models/" + model)
			return map[string]any{"generateContentRequest": request}
		},
		chat: geminiChat,
		sign: func(key string, h http.Header) { h.Set("X-Goog-Api-Key", key) },
	},
	{
		provider: "openai", format: "openai.responses", root: []string{"/v1"},
		members: []string{
			"model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning",
			"previous_response_id", "conversation", "truncation",
		},
		path: func(string) string { return "/v1/responses/input_tokens" },
		body: asItIs,
		sign: func(key string, h http.Header) { h.Set("Authorization", "Bearer "+key) },
	},
}

func asItIs(_ string, request map[string]json.RawMessage) any { return request }

// For gives the endpoint of a provider that counts requests in a wire format, nil where there is none. Chats in OpenAI's
// format are counted by Anthropic and Google as what they are turned into there.
func For(provider, format string) *API {
	for _, api := range apis {
		if api.provider == provider && (api.format == format || format == "openai" && api.chat != nil) {
			return api
		}
	}
	return nil
}

// Path gives the path of the endpoint, from that of a base URL of the provider's.
func (a *API) Path(base, model string) string {
	base = strings.TrimRight(base, "/")
	for _, root := range a.root {
		if rest, ok := strings.CutSuffix(base, root); ok {
			base = rest
			break
		}
	}
	return base + a.path(strings.TrimPrefix(model, "models/"))
}

// Sign puts a key into the header of a request, with what else the endpoint asks for.
func (a *API) Sign(key string, h http.Header) {
	h.Set("Content-Type", "application/json")
	a.sign(key, h)
}

// ErrNotCounted says that a request holds something that cannot be counted at the endpoint.
var ErrNotCounted = errors.New("countapi: the request cannot be counted there")

// Body makes the body of a request to the endpoint from that of the request to be counted, which is in a format that
// [For] was asked about.
func (a *API) Body(format, model string, body []byte) ([]byte, error) {
	if format != a.format {
		return a.chatBody(model, body)
	}
	var request map[string]json.RawMessage
	if err := json.Unmarshal(body, &request); err != nil || request == nil {
		return nil, errors.New("countapi: the request body is not a JSON object")
	}
	for name := range request {
		if !slices.Contains(a.members, name) {
			delete(request, name)
		}
	}
	return json.Marshal(a.body(model, request))
}

func (a *API) chatBody(model string, body []byte) ([]byte, error) {
	var c chat
	if err := json.Unmarshal(body, &c); err != nil {
		return nil, fmt.Errorf("%w: it is not a chat that is understood", ErrNotCounted) // what it is may not be told
	}
	if c.ResponseFormat != nil && c.ResponseFormat.Type == "json_schema" {
		return nil, fmt.Errorf("%w: its answer has to follow a schema", ErrNotCounted)
	}
	c.Model = model
	request, err := a.chat(&c)
	if err != nil {
		return nil, err
	}
	return json.Marshal(request)
}

// Tokens reads the number of tokens out of an answer.
func Tokens(answer []byte) (int64, error) {
	var a struct {
		InputTokens *int64 `json:"input_tokens"`
		TotalTokens *int64 `json:"totalTokens"`
	}
	if err := json.NewDecoder(bytes.NewReader(answer)).Decode(&a); err != nil {
		return 0, errors.New("countapi: the answer is not JSON of the kind that was expected")
	}
	for _, n := range []*int64{a.InputTokens, a.TotalTokens} {
		if n != nil && *n >= 0 {
			return *n, nil
		}
	}
	return 0, errors.New("countapi: the answer has no number of tokens")
}
