package fareboxtest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/farebox-go/farebox/fareboxtest"
)

// format is how one wire format is asked, and where its answers have what.
type format struct {
	style        fareboxtest.Style
	path, stream string // of the URL
	body         func(stream bool) string
	// text and usage read a whole answer, or one event of a stream.
	text  func(data map[string]any) string
	usage func(data map[string]any) (prompt, cached, completion, reasoning int64, ok bool)
	error string // what the answer to a call with a wrong key says
}

var formats = map[string]format{
	"messages": {
		style: fareboxtest.Anthropic, path: "/v1/messages", stream: "/v1/messages",
		body: func(stream bool) string {
			return `{"model":"m","max_tokens":50,"stream":` + truth(stream) + `,"system":[{"type":"text","text":"Be brief."}],"messages":[{"role":"user","content":"Hello there"}]}`
		},
		text: func(data map[string]any) string {
			return texts(data["content"], "text") + texts(data["delta"], "text")
		},
		usage: func(data map[string]any) (int64, int64, int64, int64, bool) {
			u, ok := data["usage"].(map[string]any)
			cached := number(u["cache_read_input_tokens"])
			return number(u["input_tokens"]) + cached, cached, number(u["output_tokens"]), number(at(u, "output_tokens_details", "thinking_tokens")), ok
		},
		error: "authentication_error",
	},
	"responses": {
		style: fareboxtest.OpenAI, path: "/v1/responses", stream: "/v1/responses",
		body: func(stream bool) string {
			return `{"model":"m","max_output_tokens":50,"stream":` + truth(stream) + `,"instructions":"Be brief.","input":[{"role":"user","content":[{"type":"input_text","text":"Hello there"}]}]}`
		},
		text: func(data map[string]any) string {
			if delta, ok := data["delta"].(string); ok {
				return delta
			}
			var all strings.Builder
			items, _ := data["output"].([]any)
			for _, item := range items {
				all.WriteString(texts(item.(map[string]any)["content"], "text"))
			}
			return all.String()
		},
		usage: func(data map[string]any) (int64, int64, int64, int64, bool) {
			if response, ok := data["response"].(map[string]any); ok {
				data = response
			}
			u, ok := data["usage"].(map[string]any)
			return number(u["input_tokens"]), number(at(u, "input_tokens_details", "cached_tokens")), number(u["output_tokens"]), number(at(u, "output_tokens_details", "reasoning_tokens")), ok
		},
		error: "invalid_api_key",
	},
	"generateContent": {
		style: fareboxtest.Gemini, path: "/v1beta/models/m:generateContent", stream: "/v1beta/models/m:streamGenerateContent?alt=sse",
		body: func(bool) string {
			return `{"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"Hello "},{"text":"there"}]}],"generationConfig":{"maxOutputTokens":50}}`
		},
		text: func(data map[string]any) string {
			candidates, _ := data["candidates"].([]any)
			var all strings.Builder
			for _, c := range candidates {
				all.WriteString(texts(at(c.(map[string]any), "content", "parts"), "text"))
			}
			return all.String()
		},
		usage: func(data map[string]any) (int64, int64, int64, int64, bool) {
			u, ok := data["usageMetadata"].(map[string]any)
			thoughts := number(u["thoughtsTokenCount"])
			return number(u["promptTokenCount"]), number(u["cachedContentTokenCount"]), number(u["candidatesTokenCount"]) + thoughts, thoughts, ok
		},
		error: "UNAUTHENTICATED",
	},
}

func truth(b bool) string { return map[bool]string{true: "true", false: "false"}[b] }

func number(v any) int64 { f, _ := v.(float64); return int64(f) }

// at goes down into objects.
func at(data map[string]any, names ...string) any {
	var v any = data
	for _, name := range names {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

// texts joins a member of an object or of the objects of an array; thoughts are left out.
func texts(v any, name string) string {
	switch v := v.(type) {
	case []any:
		var all strings.Builder
		for _, element := range v {
			all.WriteString(texts(element, name))
		}
		return all.String()
	case map[string]any:
		if text, ok := v[name].(string); ok && v["thought"] == nil {
			return text
		}
	}
	return ""
}

// ask posts a body, and returns the answer's status and its text.
func ask(t *testing.T, p *fareboxtest.Provider, path, key, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, strings.TrimSuffix(p.URL(), "/v1")+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func decode(t *testing.T, data string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(data), &object); err != nil {
		t.Fatalf("%v in %q", err, data)
	}
	return object
}

// TestFormatsSayWhatTheAccountSays asks each format for the same, plain and streamed.
func TestFormatsSayWhatTheAccountSays(t *testing.T) {
	t.Parallel()
	const text = "Hello to you, from a model that is none."
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := fareboxtest.NewProvider(fareboxtest.WithStyle(f.style), fareboxtest.WithKey("right"),
				fareboxtest.WithModels(fareboxtest.Model{Name: "m", CachedPercent: 50, Rates: fareboxtest.DefaultModels()[0].Rates}),
				fareboxtest.WithReply(func(prompt fareboxtest.Prompt) fareboxtest.Reply {
					if prompt.Text != "Hello there" {
						t.Errorf("the provider read %q", prompt.Text)
					}
					return fareboxtest.Reply{Text: text, ReasoningTokens: 7}
				}))
			t.Cleanup(p.Close)

			if status, body := ask(t, p, f.path, "wrong", f.body(false)); status != http.StatusUnauthorized || !strings.Contains(body, f.error) {
				t.Errorf("a wrong key: %d %s", status, body)
			}
			_, body := ask(t, p, f.path, "right", f.body(false))
			whole := decode(t, body)
			if got := f.text(whole); got != text {
				t.Errorf("text %q", got)
			}
			checkUsage(t, &f, whole, p.Requests()[1])

			_, stream := ask(t, p, f.stream, "right", f.body(true))
			var streamed string
			var last map[string]any
			for line := range strings.SplitSeq(stream, "\n") {
				if data, ok := strings.CutPrefix(line, "data: "); ok {
					event := decode(t, data)
					streamed += f.text(event)
					if _, _, _, _, ok := f.usage(event); ok {
						last = event
					}
				}
			}
			if streamed != text {
				t.Errorf("streamed %q", streamed)
			}
			r := p.Requests()[2]
			checkUsage(t, &f, last, r)
			if !r.Stream || r.Model != "m" || r.Billed.IsZero() || r.Billed != p.Requests()[1].Billed {
				t.Errorf("the account has %+v", r)
			}
		})
	}
}

func checkUsage(t *testing.T, f *format, answer map[string]any, r fareboxtest.Request) {
	t.Helper()
	prompt, cached, completion, reasoning, ok := f.usage(answer)
	said := fareboxtest.Usage{Prompt: prompt, Cached: cached, Completion: completion, Reasoning: reasoning}
	if !ok || said != r.Usage || said.Prompt != 6 || said.Reasoning != 7 {
		t.Errorf("the answer says %+v, the account %+v", said, r.Usage)
	}
}

// TestFormatsCallTools: a call of a tool with its arguments, in whole and in pieces.
func TestFormatsCallTools(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := fareboxtest.NewProvider(fareboxtest.WithStyle(f.style), fareboxtest.WithModels(fareboxtest.Model{Name: "m"}),
				fareboxtest.WithReply(func(fareboxtest.Prompt) fareboxtest.Reply {
					return fareboxtest.Reply{ToolCalls: []fareboxtest.ToolCall{{Name: "weather", Arguments: `{"city":"Zurich"}`}}}
				}))
			t.Cleanup(p.Close)
			for path, stream := range map[string]bool{f.path: false, f.stream: true} {
				if _, body := ask(t, p, path, "", f.body(stream)); !strings.Contains(body, "weather") || !strings.Contains(body, "city") {
					t.Errorf("answer %s", body)
				}
			}
			if r := p.Requests()[0]; r.Usage.Completion != fareboxtest.Tokens("weather")+fareboxtest.Tokens(`{"city":"Zurich"}`) {
				t.Errorf("usage %+v", r.Usage)
			}
		})
	}
}

// TestFormatsBreakInTheirOwnWay: errors in mid-stream, and streams that end without their end.
func TestFormatsBreakInTheirOwnWay(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := fareboxtest.NewProvider(fareboxtest.WithStyle(f.style), fareboxtest.WithModels(fareboxtest.Model{Name: "m"}))
			t.Cleanup(p.Close)
			p.Inject(fareboxtest.Fault{Status: http.StatusServiceUnavailable, Message: "no room", ErrorAfter: 3})
			if _, body := ask(t, p, f.stream, "", f.body(true)); !strings.Contains(body, "no room") {
				t.Errorf("error in mid-stream: %s", body)
			}
			if r := p.Requests()[0]; !r.Billed.IsZero() {
				t.Errorf("billed %s", r.Billed)
			}
			p.Inject(fareboxtest.Fault{NoUsage: true})
			if _, body := ask(t, p, f.stream, "", f.body(true)); strings.Contains(body, `okens":`) && !strings.Contains(body, `max_output_tokens`) {
				t.Errorf("usage all the same: %s", body)
			}
		})
	}
}

func TestGeminiStreamsAnArrayUnlessEventsAreAskedFor(t *testing.T) {
	t.Parallel()
	p := fareboxtest.NewProvider(fareboxtest.WithStyle(fareboxtest.Gemini), fareboxtest.WithModels(fareboxtest.Model{Name: "m"}))
	t.Cleanup(p.Close)
	_, body := ask(t, p, "/v1beta/models/m:streamGenerateContent", "", formats["generateContent"].body(true))
	var chunks []map[string]any
	if err := json.Unmarshal([]byte(body), &chunks); err != nil || len(chunks) < 2 {
		t.Errorf("%d chunks, %v", len(chunks), err)
	}
}
