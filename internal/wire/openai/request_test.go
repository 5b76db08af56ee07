package openai_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/openai"
)

func TestRecognise(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]wire.Operation{
		"/v1/chat/completions":                    wire.Chat,
		"/v1/chat/completions/":                   wire.Chat,
		"chat/completions":                        wire.Chat,
		"/api/v1/chat/completions?beta=1":         wire.Chat,
		"//openai/deployments/x/chat/completions": wire.Chat,
		"/v1//chat//completions":                  wire.Chat,
		"/v1/proxy/chat/completions":              wire.Chat,
		"/api/v2/cortex/v1/chat/completions":      wire.Chat,
		"/v1beta/openai/chat/completions":         wire.Chat,
		"/v1/completions":                         wire.TextCompletion,
		"/v1/prompts/pp-x/completions":            wire.TextCompletion,
		"/v1/embeddings":                          wire.Embeddings,
		"/openai/deployments/x/embeddings":        wire.Embeddings,
		"/v1/chat/completions/chatcmpl-1":         "",
		"/v1/chat":                                "",
		"/v1/responses":                           "",
		"/v1/messages":                            "",
		"/v1/models":                              "",
		"/v1/multimodalembeddings":                "",
		"":                                        "",
		"/":                                       "",
		"?":                                       "",
	} {
		route, ok := openai.Format{}.Recognise(wire.Target{Method: "POST", Path: path})
		if route != (wire.Route{Operation: want}) || ok != (want != "") {
			t.Errorf("%q: %+v, %v", path, route, ok)
		}
		if _, ok := (openai.Format{}).Recognise(wire.Target{Method: "GET", Path: path}); ok != (path == "/v1/models") {
			t.Errorf("GET %q was recognised", path)
		}
	}
	for method, path := range map[string]string{"POST": "/v1/moderations", "GET": "/v1/models/gpt-5"} {
		if route, ok := (openai.Format{}).Recognise(wire.Target{Method: method, Path: path}); !ok || route != (wire.Route{Billing: wire.Free}) {
			t.Errorf("%s: %+v, %v", path, route, ok)
		}
	}
	if got := (openai.Format{}).Name(); got != "openai" {
		t.Error(got)
	}
}

func TestReadRequest(t *testing.T) {
	t.Parallel()
	const plain = "/v1/chat/completions"
	for _, c := range []struct {
		name, path, body string
		op               wire.Operation
		want             wire.Request
	}{
		{"least", plain, `{"messages":[]}`, wire.Chat, wire.Request{Inputs: 1, Choices: 1}},
		{"text", plain, `{"model":"m","messages":[{"role":"user","content":"h\u00e9llo"},{"role":"assistant","content":null}]}`, wire.Chat,
			wire.Request{Model: "m", Messages: 2, TextBytes: 6, Inputs: 1, Choices: 1}},
		{"a search nobody bounds", plain, `{"model":"gpt-4o-search-preview","web_search_options":{},"messages":[]}`, wire.Chat,
			wire.Request{Model: "gpt-4o-search-preview", WebSearch: true, Inputs: 1, Choices: 1}},
		{"any number of searches", plain, `{"model":"m","web_search_options":{},"messages":[]}`, wire.Chat,
			wire.Request{Model: "m", WebSearch: true, Inputs: 1, Choices: 1}},
		{"escaped model", plain, `{"mod\u0065l":"a\/b"}`, wire.Chat, wire.Request{Model: "a/b", Inputs: 1, Choices: 1}},
		{"parts", plain, `{"messages":[{"role":"user","name":"Bob","content":[{"type":"text","text":"abc","cache_control":{"type":"ephemeral"}},
			{"image_url":{"url":"data:image/png;base64,AAAA"},"type":"image_url"},{"type":"text","text":"d","image_url":null},
			{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}},{"type":"file","file":{"file_data":"AA"}},
			{"type":"video_url","video_url":{"url":"x"}},{"type":"document_url","document_url":"x"},"e"]}]}`, wire.Chat,
			wire.Request{Messages: 1, TextBytes: 8, Images: 1, Audios: 1, Files: 2, Videos: 1, Inputs: 1, Choices: 1}},
		{"history", plain, `{"messages":[{"role":"assistant","content":[{"type":"refusal","refusal":"no"},{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}],
			"tool_calls":[{"id":"call_1","type":"function","function":{"name":"add","arguments":"{\"a\":1}"}}],"reasoning_content":"why",
			"audio":{"id":"audio_1"},"images":[{"image_url":{"url":"data:"}}],"refusal":null},
			{"role":"tool","tool_call_id":"call_1","content":"2"}]}`, wire.Chat,
			wire.Request{Messages: 2, TextBytes: int64(2 + len(`[{"type":"text","text":"hm"}]`) + 3 + 6 + 1 +
				len(`[{"id":"call_1","type":"function","function":{"name":"add","arguments":"{\"a\":1}"}}]`)), Audios: 1, Images: 1, Inputs: 1, Choices: 1}},
		{"tools", plain, `{"tools":[{"type":"function","function":{"name":"f"}},{"type":"web_search"}],"functions":[{"name":"g"}],
			"response_format":{"type":"json_schema","json_schema":{"name":"s"}}}`, wire.Chat,
			wire.Request{Tools: 3, WebSearch: true, ServerTools: true, Inputs: 1, Choices: 1, TextBytes: int64(
				len(`[{"type":"function","function":{"name":"f"}},{"type":"web_search"}]`) + len(`[{"name":"g"}]`) + len(`{"name":"s"}`))}},
		{"limits", plain, `{"max_tokens":10,"max_completion_tokens":20.0,"n":3,"stream":true,"stream_options":{"include_usage":true},
			"service_tier":"flex","models":["a","b\/c"]}`, wire.Chat,
			wire.Request{MaxOutput: 20, Choices: 3, Stream: true, IncludeUsage: true, ServiceTier: "flex", Models: []string{"a", "b/c"}, Inputs: 1}},
		{"prediction", plain, `{"max_tokens":10,"prediction":{"type":"content","content":"abc"}}`, wire.Chat,
			wire.Request{MaxOutput: 10, BesideLimit: int64(len(`{"type":"content","content":"abc"}`)), Inputs: 1, Choices: 1}},
		{"thinking beside", plain, `{"max_tokens":10,"thinking_budget":500,"prediction":"abc"}`, wire.Chat,
			wire.Request{MaxOutput: 10, BesideLimit: 503, Inputs: 1, Choices: 1}},
		{"thinking beyond", plain, `{"reasoning":{"max_tokens":2000},"thinking":{"type":"enabled","budget_tokens":3000},"max_tokens":10}`, wire.Chat,
			wire.Request{MaxOutput: 3000, Inputs: 1, Choices: 1}},
		{"thinking without a limit", plain, `{"thinking":{"budget_tokens":3000}}`, wire.Chat, wire.Request{Inputs: 1, Choices: 1}},
		{"endless thinking", plain, `{"thinking_budget":1e40,"prediction":"a"}`, wire.Chat,
			wire.Request{BesideLimit: math.MaxInt64, Inputs: 1, Choices: 1}},
		{"fallbacks", plain, `{"model":"a","fallbacks":["b",{"model":"c","api_key":"x"}]}`, wire.Chat,
			wire.Request{Model: "a", Models: []string{"b", "c"}, Inputs: 1, Choices: 1}},
		{"server tool", plain, `{"tools":[{"type":"code_interpreter"}]}`, wire.Chat,
			wire.Request{Tools: 1, TextBytes: int64(len(`[{"type":"code_interpreter"}]`)), ServerTools: true, Inputs: 1, Choices: 1}},
		{"searching model", plain, `{"model":"gpt-4o-search-preview"}`, wire.Chat,
			wire.Request{Model: "gpt-4o-search-preview", WebSearch: true, Inputs: 1, Choices: 1}},
		{"online among variants", plain, `{"model":"a/b:online:nitro"}`, wire.Chat,
			wire.Request{Model: "a/b:online:nitro", WebSearch: true, Inputs: 1, Choices: 1}},
		{"nulls", plain, `{"model":null,"models":null,"messages":null,"max_tokens":null,"n":null,"stream":null,"stream_options":null,"tools":null,
			"service_tier":null,"modalities":null,"plugins":null,"response_format":null,"search_parameters":null,"prompt":null}`, wire.Chat,
			wire.Request{Inputs: 1, Choices: 1}},
		{"odd limits", plain, `{"max_tokens":-1,"max_completion_tokens":1.5,"n":1e99,"best_of":0}`, wire.Chat,
			wire.Request{MaxOutput: 2, Choices: 1<<31 - 1, Inputs: 1}},
		{"modalities", plain, `{"modalities":["text","audio","image"]}`, wire.Chat,
			wire.Request{AudioOutput: true, ImageOutput: true, Inputs: 1, Choices: 1}},
		{"online", plain, `{"model":"openai/gpt-4o:online"}`, wire.Chat,
			wire.Request{Model: "openai/gpt-4o:online", WebSearch: true, Inputs: 1, Choices: 1}},
		{"online fallback", plain, `{"models":["a","b:online"]}`, wire.Chat,
			wire.Request{Models: []string{"a", "b:online"}, WebSearch: true, Inputs: 1, Choices: 1}},
		{"web plugin", plain, `{"plugins":[{"id":"file-parser"},{"id":"web","max_results":3}]}`, wire.Chat,
			wire.Request{WebSearch: true, Inputs: 1, Choices: 1}},
		{"plugin off", plain, `{"plugins":[7,{"id":"web","enabled":false}]}`, wire.Chat, wire.Request{Inputs: 1, Choices: 1}},
		{"search options", plain, `{"web_search_options":{}}`, wire.Chat, wire.Request{WebSearch: true, Inputs: 1, Choices: 1}},
		{"live search", plain, `{"search_parameters":{"mode":"auto"}}`, wire.Chat, wire.Request{WebSearch: true, Inputs: 1, Choices: 1}},
		{"live search off", plain, `{"search_parameters":{"mode":"off"}}`, wire.Chat, wire.Request{Inputs: 1, Choices: 1}},
		{"usage asked the old way", plain, `{"usage":{"include":true},"enable_search":true}`, wire.Chat,
			wire.Request{IncludeUsage: true, WebSearch: true, Inputs: 1, Choices: 1}},
		{"deployment", "//openai/deployments/my-gpt/chat/completions", `{"messages":[]}`, wire.Chat,
			wire.Request{Model: "my-gpt", Inputs: 1, Choices: 1}},
		{"deployment and model", "/openai/deployments/my-gpt/chat/completions", `{"model":"m"}`, wire.Chat,
			wire.Request{Model: "m", Inputs: 1, Choices: 1}},
		{"prompt template", "/v1/prompts/x/completions", `{"variables":{"city":"Rome"}}`, wire.TextCompletion,
			wire.Request{TextBytes: int64(len(`{"city":"Rome"}`)), Choices: 1}},
		{"long cache", plain, `{"messages":[{"content":[{"text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}`, wire.Chat,
			wire.Request{Messages: 1, TextBytes: 1, LongCache: true, Inputs: 1, Choices: 1}},
		{"long cache of a tool", plain, `{"functions":[{"function":{"cache_control":{"ttl":"24h"}}}]}`, wire.Chat,
			wire.Request{Tools: 1, TextBytes: 46, LongCache: true, Inputs: 1, Choices: 1}},
		{"short cache", plain, `{"cache_control":{"ttl":"5m"},"messages":[{"cache_control":null}]}`, wire.Chat,
			wire.Request{Messages: 1, Inputs: 1, Choices: 1}},
		{"prompt", "/v1/completions", `{"prompt":"abc","suffix":"d","best_of":4,"n":2}`, wire.TextCompletion,
			wire.Request{TextBytes: 4, Inputs: 1, Choices: 4}},
		{"prompts", "/v1/completions", `{"prompt":["abc","d"]}`, wire.TextCompletion, wire.Request{TextBytes: 4, Inputs: 2, Choices: 1}},
		{"tokens", "/v1/completions", `{"prompt":[1,2,3]}`, wire.TextCompletion, wire.Request{InputTokens: 3, Inputs: 1, Choices: 1}},
		{"lists of tokens", "/v1/embeddings", `{"input":[[1,2,3],[4],"x",{"image":"data:"}]}`, wire.Embeddings,
			wire.Request{InputTokens: 4, Inputs: 4, TextBytes: 1, Images: 1, Choices: 1}},
		{"no input", "/v1/embeddings", `{"input":[]}`, wire.Embeddings, wire.Request{Choices: 1}},
	} {
		c.want.Operation = c.op
		got, err := openai.Format{}.ReadRequest(c.op, wire.Target{Path: c.path}, []byte(c.body))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", c.name, got, err, c.want)
		}
	}
}

func TestReadRequestRefuses(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		``:                                       "empty",
		"  \n":                                   "empty",
		`[]`:                                     "not a JSON object",
		`"secret"`:                               "not a JSON object",
		`secret`:                                 "not a JSON object",
		`{"model":"m","messages":[{"secret":}]}`: "byte 35",
		`{"a":"secret`:                           "byte 12",
		`{} secret`:                              "byte 3",
		`{"model":7}`:                            `"model" is not a string`,
		`{"messages":"secret"}`:                  `"messages" is not an array`,
		`{"messages":["secret"]}`:                `"messages" is not an array of objects`,
		`{"models":"secret"}`:                    `"models" is not an array`,
		`{"models":[7]}`:                         `"models" is not a string`,
		`{"prompt":7}`:                           `"prompt" is not a string or an array`,
		`{"input":{"secret":1}}`:                 `"input" is not a string or an array`,
		`{"service_tier":1}`:                     `"service_tier" is not a string`,
	} {
		_, err := openai.Format{}.ReadRequest(wire.Chat, wire.Target{Path: "/v1/chat/completions"}, []byte(body))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

func TestReadRequestAllocs(t *testing.T) {
	body := []byte(`{"messages":[{"role":"user","content":"a \"long\" text"}],"prompt":[1,2],"tools":[{"type":"function"}],"n":2}`)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := (openai.Format{}).ReadRequest(wire.Chat, wire.Target{Path: "/v1/chat/completions"}, body); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestIncludeUsage(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"stream":true}`:                                               `{"stream":true,"stream_options":{"include_usage":true}}`,
		"{ \"stream\" : true , \"n\" : 1 \n}":                           "{ \"stream\" : true , \"n\" : 1,\"stream_options\":{\"include_usage\":true} \n}",
		`{"stream":true,"stream_options":null}`:                         `{"stream":true,"stream_options":{"include_usage":true}}`,
		`{"stream":true,"stream_options":{}}`:                           `{"stream":true,"stream_options":{"include_usage":true}}`,
		`{"stream_options":{ "x" : 1 },"stream":true}`:                  `{"stream_options":{ "x" : 1,"include_usage":true },"stream":true}`,
		`{"stream":true,"stream_options":{"include_usage":false}}`:      `{"stream":true,"stream_options":{"include_usage":true}}`,
		`{"stream":true,"stream_options":{"include_usage":null,"x":1}}`: `{"stream":true,"stream_options":{"include_usage":true,"x":1}}`,
		`{"stream":true,"stream_options":{"include_usage":true}}`:       "",
		`{"stream":true,"stream\u005foptions":{"a":1}}`:                 `{"stream":true,"stream\u005foptions":{"a":1,"include_usage":true}}`,
		`{"stream":true,"stream_options":7}`:                            "",
		`{"stream":false}`:                                              "", `{"messages":[]}`: "", `{}`: "",
	} {
		got, err := openai.Format{}.IncludeUsage([]byte(body))
		if want == "" {
			want = body
		}
		if string(got) != want || err != nil {
			t.Errorf("%s:\n got %s, %v\nwant %s", body, got, err, want)
		}
	}
	for _, body := range []string{``, `[]`, `{"stream":true`, `{"stream":true}}`} {
		if got, err := (openai.Format{}).IncludeUsage([]byte(body)); err == nil || string(got) != body {
			t.Errorf("%s: %s, %v", body, got, err)
		}
	}
}

// TestIncludeUsageChangesNothingElse decodes what comes out: it is what went in and the option.
func TestIncludeUsageChangesNothingElse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.SampledFrom([]any{nil, true, 1.5, "a\"b", map[string]any{"include_usage": true}, []any{1.0, "x"}})
		body := rapid.MapOf(rapid.SampledFrom([]string{"a", "model", "messages", "é"}), value).Draw(t, "body")
		body["stream"] = true
		if rapid.Bool().Draw(t, "has options") {
			options := rapid.MapOf(rapid.SampledFrom([]string{"x", "include_usage", "y"}), value).Draw(t, "options")
			body["stream_options"] = options
		}
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "indented") {
			var b bytes.Buffer
			if err := json.Indent(&b, raw, "", "  "); err != nil {
				t.Fatal(err)
			}
			raw = b.Bytes()
		}
		got, err := openai.Format{}.IncludeUsage(raw)
		if err != nil {
			t.Fatal(err)
		}
		var after map[string]any
		if err := json.Unmarshal(got, &after); err != nil {
			t.Fatalf("%s became %s: %v", raw, got, err)
		}
		options, _ := body["stream_options"].(map[string]any)
		if options == nil {
			options = map[string]any{}
		}
		options["include_usage"] = true
		body["stream_options"] = options
		if !reflect.DeepEqual(after, body) {
			t.Fatalf("%s became %s", raw, got)
		}
		again, err := openai.Format{}.IncludeUsage(got)
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("%s became %s the second time: %v", got, again, err)
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"model":"m","stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}`))
	f.Add([]byte(`{"stream":true,"stream_options":{"include_usage":false},"input":[[1],[2]],"n":1e9}`))
	f.Add([]byte(`{"stream":true,"stream_options":{},"tools":[{}],"plugins":[{"id":"web"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := openai.Format{}.ReadRequest(wire.Chat, wire.Target{Path: "/v1/chat/completions"}, body)
		if req.TextBytes < 0 || req.TextBytes > int64(len(body)) || req.MaxOutput < 0 || req.Messages > len(body) {
			t.Fatalf("%q: %+v", body, req)
		}
		if json.Valid(body) && err == nil && req.Choices < 1 {
			t.Fatalf("%q: %d choices", body, req.Choices)
		}
		got, err := openai.Format{}.IncludeUsage(body)
		if err == nil && json.Valid(body) && !json.Valid(got) {
			t.Fatalf("%q became %q", body, got)
		}
		if after, err := (openai.Format{}).ReadRequest(wire.Chat, wire.Target{Path: ""}, got); err == nil && bytes.Count(body, []byte("stream")) == 2 &&
			!bytes.Equal(got, body) && !after.IncludeUsage {
			t.Fatalf("%q became %q", body, got)
		}
	})
}

// TestRouting reads what a request says on who may serve it behind a gateway.
func TestRouting(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]wire.Routing{
		`{"provider":{"only":["azure","x"],"ignore":["y"],"max_price":{"prompt":1.5,"completion":"2e-1","request":0,"image":null}}}`: {
			Only: []string{"azure", "x"}, Ignore: []string{"y"}, MaxPrompt: "1.5", MaxCompletion: "2e-1", MaxRequest: "0"},
		`{"provider":{"order":["azure"]}}`:                                           {},
		`{"provider":{"order":["azure"],"allow_fallbacks":false}}`:                   {Only: []string{"azure"}},
		`{"provider":{"allow_fallbacks":false,"order":["azure"],"only":["groq"]}}`:   {Only: []string{"groq"}},
		`{"provider":"azure"}`:                                                       {},
		`{"provider":{"only":"azure","ignore":[1,null,""],"max_price":"cheap"}}`:     {},
		`{"provider":{"max_price":{"prompt":"free","completion":[1],"request":{}}}}`: {},
	} {
		r, err := openai.Format{}.ReadRequest(wire.Chat, wire.Target{}, []byte(body))
		if err != nil || !reflect.DeepEqual(r.Routing, want) {
			t.Errorf("%s: %+v, %v; want %+v", body, r.Routing, err, want)
		}
	}
}
