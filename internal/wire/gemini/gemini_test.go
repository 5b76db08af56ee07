package gemini_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/gemini"
)

var format gemini.Format

func TestRoutes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		target string
		want   wire.Route
		ok     bool
	}{
		{"POST google /v1beta/models/gemini-3-flash:generateContent", wire.Route{Operation: wire.GenerateContent}, true},
		{"POST google /v1beta/models/gemini-3-flash:streamGenerateContent", wire.Route{Operation: wire.GenerateContent}, true},
		{"POST vertex /v1/projects/p/locations/us-central1/publishers/google/models/gemini-3-flash:generateContent", wire.Route{Operation: wire.GenerateContent}, true},
		{"POST vertex /v1/projects/p/locations/us-central1/endpoints/123:generateContent", wire.Route{Operation: wire.GenerateContent}, true},
		{"POST google /v1beta/models/gemini-embedding-001:batchEmbedContents", wire.Route{Operation: wire.Embeddings}, true},
		{"POST google /v1beta/models/gemini-3-flash:countTokens", wire.Route{Billing: wire.Free}, true},
		{"POST vertex /v1/projects/p/locations/l/publishers/google/models/text-embedding-005:predict", wire.Route{Operation: wire.Embeddings}, true},
		{"POST vertex /v1/projects/p/locations/l/publishers/google/models/imagen-4.0-generate-001:predict", wire.Route{Operation: wire.ImageGeneration}, true},
		{"POST vertex /v1/projects/p/locations/l/endpoints/7:predict", wire.Route{}, false},
		{"POST vertex /v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5:rawPredict", wire.Route{}, false},
		{"POST google /v1beta/interactions", wire.Route{Operation: wire.Chat}, true},
		{"GET google /v1beta/interactions/v1_x", wire.Route{Operation: wire.Chat, Billing: wire.FollowUp, ID: "v1_x"}, true},
		{"DELETE google /v1beta/interactions/v1_x", wire.Route{Billing: wire.Free}, true},
		{"POST - /gateway/v1beta/interactions", wire.Route{Operation: wire.Chat}, true},
		{"GET - /gateway/v1beta/interactions/v1_x", wire.Route{Operation: wire.Chat, Billing: wire.FollowUp, ID: "v1_x"}, true},
		{"POST - /v1/interactions", wire.Route{}, false},
		{"POST - /v1/interactions/7", wire.Route{}, false},
		{"GET google /v1beta/models/gemini-3-flash", wire.Route{}, false},
		{"GET google /v1beta/models/gemini-3-flash:generateContent", wire.Route{}, false},
		{"POST - /v1/chat/completions", wire.Route{}, false},
		{"POST - /", wire.Route{}, false},
	} {
		parts := strings.Fields(c.target)
		if got, ok := format.Recognise(wire.Target{Method: parts[0], Provider: parts[1], Path: parts[2]}); got != c.want || ok != c.ok {
			t.Errorf("%s: %+v %v, want %+v", c.target, got, ok, c.want)
		}
	}
}

const (
	generate = "/v1beta/models/gemini-3-flash:generateContent"
	vertex   = "/v1/projects/p/locations/europe-west4/publishers/google/models/gemini-3-flash:streamGenerateContent"
)

func TestRequest(t *testing.T) {
	t.Parallel()
	chat := func(q wire.Request) wire.Request {
		q.Operation, q.Inputs, q.Choices, q.IncludeUsage = wire.GenerateContent, 1, max(q.Choices, 1), true
		if q.Model == "" {
			q.Model = "gemini-3-flash"
		}
		return q
	}
	for _, c := range []struct {
		name, path, body string
		op               wire.Operation
		want             wire.Request
	}{
		{"a text", generate, `{"contents":[{"role":"user","parts":[{"text":"h\u00e9"}]}]}`, wire.GenerateContent, chat(wire.Request{Messages: 1, TextBytes: 3})},
		{"one content, no list", generate, `{"contents":{"parts":{"text":"abc"}}}`, wire.GenerateContent, chat(wire.Request{Messages: 1, TextBytes: 3})},
		{"Vertex, streamed", vertex, `{"contents":[{"parts":[{"text":"abc"}]}]}`, wire.GenerateContent,
			chat(wire.Request{Messages: 1, TextBytes: 3, Stream: true, Region: "europe-west4"})},
		{"settings", generate, `{"contents":[],"generationConfig":{"maxOutputTokens":7,"candidateCount":2,"responseModalities":["IMAGE","audio"],"responseSchema":{"a":1}},
			"serviceTier":"flex"}`, wire.GenerateContent, chat(wire.Request{MaxOutput: 7, Choices: 2, ImageOutput: true, AudioOutput: true, TextBytes: 7, ServiceTier: "flex"})},
		{"with underscores", generate, `{"system_instruction":{"parts":[{"text":"ab"}]},"contents":[],"generation_config":{"max_output_tokens":7},"cached_content":"c"}`, wire.GenerateContent,
			chat(wire.Request{MaxOutput: 7, Messages: 1, TextBytes: 2, HiddenInput: true})},
		{"media", generate, `{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}},{"file_data":{"mime_type":"application/pdf","file_uri":"u"}},
			{"fileData":{"fileUri":"https://youtu.be/x"},"videoMetadata":{"fps":1}},{"inlineData":{"mimeType":"audio/wav","data":""}}]}]}`, wire.GenerateContent,
			chat(wire.Request{Messages: 1, Images: 1, Files: 1, Videos: 1, Audios: 1})},
		{"calls", generate, `{"contents":[{"parts":[{"functionCall":{"name":"f"},"thoughtSignature":"long"}]}]}`, wire.GenerateContent,
			chat(wire.Request{Messages: 1, TextBytes: int64(len(`{"name":"f"}`))})},
		{"tools", generate, `{"contents":[],"tools":[{"functionDeclarations":[{"name":"f"},{"name":"g"}]},{"codeExecution":{}}]}`, wire.GenerateContent,
			chat(wire.Request{Tools: 2, TextBytes: int64(len(`[{"name":"f"},{"name":"g"}]`)), ServerTools: true})},
		{"a search", generate, `{"contents":[],"tools":[{"googleSearch":{}}]}`, wire.GenerateContent, chat(wire.Request{ServerTools: true, WebSearch: true})},
		{"no tool", generate, `{"contents":[],"tools":[{"googleSearch":null}],"toolConfig":{}}`, wire.GenerateContent, chat(wire.Request{})},
		{"embeddings", "/v1beta/models/m:batchEmbedContents", `{"requests":[{"model":"models/m","content":{"parts":[{"text":"ab"}]}},{"content":{"parts":[{"text":"c"}]}}]}`, wire.Embeddings,
			wire.Request{Operation: wire.Embeddings, Model: "m", Inputs: 2, TextBytes: 3, Choices: 1, IncludeUsage: true}},
		{"predict", "/v1/publishers/google/models/text-embedding-005:predict", `{"instances":[{"content":"ab","task_type":"X"}]}`, wire.Embeddings,
			wire.Request{Operation: wire.Embeddings, Model: "text-embedding-005", Inputs: 1, TextBytes: 2, Choices: 1, IncludeUsage: true}},
		{"images", "/v1/publishers/google/models/imagen-4:predict", `{"instances":[{"prompt":"ab"}],"parameters":{"sampleCount":2}}`, wire.ImageGeneration,
			wire.Request{Operation: wire.ImageGeneration, Model: "imagen-4", Messages: 1, TextBytes: 2, Choices: 1, IncludeUsage: true, Units: map[string]int64{"image": 2}}},
		{"an interaction", "/v1beta/interactions", `{"model":"gemini-3-flash","input":[{"type":"user_input","content":[{"type":"text","text":"ab"},{"type":"image","data":"AA","mime_type":"image/png"}]},
			{"type":"function_result","result":{"a":1}}],"tools":[{"type":"function","name":"f"},{"type":"google_search"}],"stream":true,"previous_interaction_id":"v1"}`, wire.Chat,
			wire.Request{Operation: wire.Chat, Model: "gemini-3-flash", Messages: 2, TextBytes: 2 + 7 + 1, Images: 1, HiddenInput: true, Tools: 1, ServerTools: true, WebSearch: true,
				Stream: true, Inputs: 1, Choices: 1, IncludeUsage: true}},
	} {
		got, err := format.ReadRequest(c.op, wire.Target{Path: c.path}, []byte(c.body))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", c.name, err, got, c.want)
		}
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"":                              "gemini: the request body is empty",
		"[]":                            "gemini: the request body is not a JSON object",
		`{"contents":[}`:                "gemini: request body: invalid JSON at byte 13: a value is missing or misspelt",
		`{"contents":"secret"}`:         `gemini: request member "contents" is not an array`,
		`{"contents":[]} trailing junk`: "gemini: request body: invalid JSON at byte 16: something follows the end",
	} {
		if _, err := format.ReadRequest(wire.GenerateContent, wire.Target{Path: generate}, []byte(body)); err == nil || err.Error() != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// read reads an answer as a body, or as the events of a stream where it is several.
func read(of *wire.Request, documents ...string) wire.Answer {
	if len(documents) == 1 {
		r := format.NewBodyReader(of)
		r.Write([]byte(documents[0]))
		return *r.Answer()
	}
	r := format.NewStreamReader(of)
	for _, document := range documents {
		name, data, named := strings.Cut(document, "|")
		if !named {
			name, data = "", document
		}
		r.Event([]byte(name), []byte(data))
	}
	return *r.Answer()
}

// usageOf is the usage of an answer whose usage object has these members.
func usageOf(of *wire.Request, members string) (wire.Usage, bool) {
	a := read(of, `{"usageMetadata":{`+members+`}}`)
	return a.Usage, a.Contradictory
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, members string
		want          wire.Usage
		contradictory bool
	}{
		{"plain", `"promptTokenCount":5,"candidatesTokenCount":3,"totalTokenCount":8`, wire.Usage{Input: 5, Output: 3}, false},
		{"thoughts stand beside candidates", `"promptTokenCount":5,"candidatesTokenCount":3,"thoughtsTokenCount":4,"totalTokenCount":12`,
			wire.Usage{Input: 5, Output: 3, Reasoning: 4}, false},
		{"tools add to the prompt", `"promptTokenCount":5,"toolUsePromptTokenCount":7,"candidatesTokenCount":3,"totalTokenCount":15`,
			wire.Usage{Input: 12, Output: 3}, false},
		{"a total without the tools", `"promptTokenCount":5,"toolUsePromptTokenCount":7,"candidatesTokenCount":3,"totalTokenCount":8`,
			wire.Usage{Input: 12, Output: 3}, false},
		{"the cache is in the prompt", `"promptTokenCount":50,"cachedContentTokenCount":40,"candidatesTokenCount":3,"totalTokenCount":53`,
			wire.Usage{Input: 10, CacheRead: 40, Output: 3}, false},
		{"modalities", `"promptTokenCount":50,"promptTokensDetails":[{"modality":"TEXT","tokenCount":4},{"modality":"IMAGE","tokenCount":10},{"modality":"AUDIO","tokenCount":6},
			{"modality":"VIDEO","tokenCount":20},{"modality":"DOCUMENT","tokenCount":10}],"candidatesTokenCount":9,"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":7}]`,
			wire.Usage{Input: 4, ImageInput: 20, AudioInput: 6, VideoInput: 20, Output: 2, ImageOutput: 7}, false},
		{"what no list has is text", `"promptTokenCount":279,"promptTokensDetails":[{"modality":"TEXT","tokenCount":176}],"candidatesTokenCount":1780,
			"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1120},{"modality":"TEXT"}]`, wire.Usage{Input: 279, Output: 660, ImageOutput: 1120}, false},
		{"cached media", `"promptTokenCount":100,"cachedContentTokenCount":80,"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":30},{"modality":"TEXT","tokenCount":50}],
			"promptTokensDetails":[{"modality":"AUDIO","tokenCount":40},{"modality":"TEXT","tokenCount":60}],"candidatesTokenCount":1`,
			wire.Usage{Input: 10, AudioInput: 10, CacheRead: 50, AudioCacheRead: 30, Output: 1}, false},
		{"cached media that no list names", `"promptTokenCount":100,"cachedContentTokenCount":80,"promptTokensDetails":[{"modality":"IMAGE","tokenCount":90}]`,
			wire.Usage{ImageInput: 90, CacheRead: 10}, true},
		{"numbers for modalities", `"promptTokenCount":9,"promptTokensDetails":[{"modality":1,"tokenCount":2},{"modality":4,"tokenCount":7}],"trafficType":1`,
			wire.Usage{Input: 2, AudioInput: 7}, false},
		{"more than the total explains", `"promptTokenCount":5,"candidatesTokenCount":3,"totalTokenCount":20`, wire.Usage{Input: 5, Output: 3, Reasoning: 12}, false},
		{"less than the parts", `"promptTokenCount":5,"candidatesTokenCount":3,"totalTokenCount":2`, wire.Usage{Input: 5, Output: 3}, true},
		{"no prompt", `"candidatesTokenCount":18,"thoughtsTokenCount":58`, wire.Usage{Output: 18, Reasoning: 58}, true},
		{"no prompt, but a total", `"candidatesTokenCount":18,"totalTokenCount":20`, wire.Usage{Input: 2, Output: 18}, false},
		{"a cache larger than the prompt", `"promptTokenCount":5,"cachedContentTokenCount":9`, wire.Usage{CacheRead: 5}, true},
		{"below zero", `"promptTokenCount":-5,"candidatesTokenCount":3,"totalTokenCount":3`, wire.Usage{Output: 3}, true},
		{"in quotes", `"promptTokenCount":"5","candidatesTokenCount":"3"`, wire.Usage{Input: 5, Output: 3}, false},
	} {
		c.want.Requests = 1
		if got, contradictory := usageOf(&wire.Request{Operation: wire.GenerateContent}, c.members); !reflect.DeepEqual(got, c.want) || contradictory != c.contradictory {
			t.Errorf("%s:\n got %+v, contradictory %v\nwant %+v", c.name, got, contradictory, c.want)
		}
	}
}

const someUsage = `"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5}`

// answers are documents, "name|data" where an event has a name, with what they come to. One is a body, several a stream.
var answers = []struct {
	name      string
	of        wire.Request
	documents []string
	want      wire.Answer // RawUsage aside
}{
	{"a body", wire.Request{Operation: wire.GenerateContent, Region: "us-east1"}, []string{`{"candidates":[{"content":{"parts":[{"text":"h\u00e9"},{"functionCall":{"name":"f","args":{"a":1}}}],"role":"model"},
		"finishReason":"STOP","index":0}],` + someUsage + `,"modelVersion":"gemini-3-flash","responseId":"r"}`},
		wire.Answer{ID: "r", Model: "gemini-3-flash", FinishReason: "STOP", Region: "us-east1", TextBytes: 3 + 7, Done: true, UsageSeen: true,
			Usage: wire.Usage{Input: 3, Output: 2, Requests: 1}}},
	{"a stream", wire.Request{Operation: wire.GenerateContent}, []string{
		`{"candidates":[{"content":{"parts":[{"text":"ab"}]}}],"usageMetadata":{"promptTokenCount":3,"totalTokenCount":3},"responseId":"r"}`,
		`{"candidates":[{"content":{"parts":[{"text":"c"}]},"finishReason":"MAX_TOKENS"}],` + someUsage + `}`},
		wire.Answer{ID: "r", FinishReason: "MAX_TOKENS", TextBytes: 3, UsageSeen: true, Usage: wire.Usage{Input: 3, Output: 2, Requests: 1}}},
	{"tiers", wire.Request{Operation: wire.GenerateContent}, []string{`{"usageMetadata":{"promptTokenCount":3,"trafficType":"ON_DEMAND_PRIORITY"}}`},
		wire.Answer{ServiceTier: "priority", Done: true, UsageSeen: true, Usage: wire.Usage{Input: 3, Requests: 1}}},
	{"searches of a new model", wire.Request{Operation: wire.GenerateContent, Model: "gemini-3-flash"}, []string{
		`{"candidates":[{"groundingMetadata":{"webSearchQueries":["a","","b"]}}],` + someUsage + `}`},
		wire.Answer{Done: true, UsageSeen: true, Usage: wire.Usage{Input: 3, Output: 2, WebSearches: 2, Requests: 1}}},
	{"searches of an old model", wire.Request{Operation: wire.GenerateContent}, []string{
		`{"modelVersion":"models/gemini-2.5-flash","candidates":[{"groundingMetadata":{"webSearchQueries":["a","b"]}}]}`, `{` + someUsage + `}`},
		wire.Answer{Model: "models/gemini-2.5-flash", UsageSeen: true, Usage: wire.Usage{Input: 3, Output: 2, WebSearches: 1, Requests: 1}}},
	{"maps", wire.Request{Operation: wire.GenerateContent}, []string{
		`{` + someUsage + `,"candidates":[{"groundingMetadata":{"groundingChunks":[{"maps":{"uri":"u"}},{"web":{}}]}}]}`},
		wire.Answer{Done: true, UsageSeen: true, Usage: wire.Usage{Input: 3, Output: 2, Requests: 1, Units: map[string]int64{"tool_call/google_maps": 1}}}},
	{"a prompt that is blocked", wire.Request{Operation: wire.GenerateContent}, []string{`{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"trafficType":"ON_DEMAND"}}`},
		wire.Answer{FinishReason: "SAFETY", Done: true, UsageSeen: true}},
	{"numbers for names", wire.Request{Operation: wire.GenerateContent}, []string{`{"candidates":[{"finishReason":1}],` + someUsage + `}`},
		wire.Answer{FinishReason: "STOP", Done: true, UsageSeen: true, Usage: wire.Usage{Input: 3, Output: 2, Requests: 1}}},
	{"a gateway's cost", wire.Request{Operation: wire.GenerateContent}, []string{`{"usageMetadata":{"promptTokenCount":3,"pydantic_ai_gateway":{"cost_estimate":0.0001546}}}`},
		wire.Answer{Done: true, UsageSeen: true, Usage: wire.Usage{Input: 3, Requests: 1},
			Reported: wire.ReportedCost{Literal: "0.0001546", Field: "usage.pydantic_ai_gateway.cost_estimate"}}},
	{"an error in a stream", wire.Request{Operation: wire.GenerateContent}, []string{`{}`, `{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}`},
		wire.Answer{Err: &wire.Error{Code: "503", Status: 503, Message: "overloaded"}}},
	{"embeddings", wire.Request{Operation: wire.Embeddings}, []string{`{"embeddings":[{"values":[0.1,0.2]}],"usageMetadata":{"promptTokenCount":7}}`},
		wire.Answer{Done: true, UsageSeen: true, Usage: wire.Usage{Input: 7, Requests: 1}}},
	{"predicted embeddings", wire.Request{Operation: wire.Embeddings}, []string{`{"predictions":[{"embeddings":{"statistics":{"token_count":4},"values":[1]}},
		{"embeddings":{"values":[1],"statistics":{"truncated":false,"token_count":5}}}]}`},
		wire.Answer{Done: true, UsageSeen: true, Usage: wire.Usage{Input: 9, Requests: 1}}},
	{"images", wire.Request{Operation: wire.ImageGeneration}, []string{`{"predictions":[{"mimeType":"image/png","bytesBase64Encoded":"AA"},{"raiFilteredReason":"x"}]}`},
		wire.Answer{Done: true, UsageSeen: true, Usage: wire.Usage{Requests: 1, Units: map[string]int64{"image": 1}}}},
	{"an interaction", wire.Request{Operation: wire.Chat}, []string{`{"id":"v1","model":"gemini-3-flash","status":"completed","service_tier":"flex","steps":[{"type":"model_output","content":[{"text":"ab"}]}],
		"usage":{"total_input_tokens":3,"total_output_tokens":2,"total_thought_tokens":4,"total_tokens":9,"grounding_tool_count":[{"type":"google_search","count":2}]}}`},
		wire.Answer{ID: "v1", Model: "gemini-3-flash", FinishReason: "completed", ServiceTier: "flex", TextBytes: 2, Done: true, UsageSeen: true,
			Usage: wire.Usage{Input: 3, Output: 2, Reasoning: 4, WebSearches: 2, Requests: 1}}},
	{"an interaction in the background", wire.Request{Operation: wire.Chat}, []string{`{"id":"v1","status":"in_progress"}`}, wire.Answer{ID: "v1", Pending: true, Done: true}},
	{"an interaction that failed", wire.Request{Operation: wire.Chat}, []string{`{"id":"v1","status":"failed"}`},
		wire.Answer{ID: "v1", FinishReason: "failed", Done: true, Err: &wire.Error{Message: "the interaction failed"}}},
	{"an interaction, streamed", wire.Request{Operation: wire.Chat}, []string{
		`interaction.created|{"interaction":{"id":"v1","status":"in_progress","model":"gemini-3-flash"}}`,
		`step.delta|{"index":0,"delta":{"text":"ab","type":"text"}}`,
		`interaction.completed|{"interaction":{"id":"v1","status":"completed","usage":{"total_input_tokens":3,"total_output_tokens":2},"service_tier":"standard"}}`,
		`done|[DONE]`},
		wire.Answer{ID: "v1", Model: "gemini-3-flash", FinishReason: "completed", ServiceTier: "standard", TextBytes: 2, Done: true, UsageSeen: true,
			Usage: wire.Usage{Input: 3, Output: 2, Requests: 1}}},
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range answers {
		got := read(&c.of, c.documents...)
		if got.UsageSeen != json.Valid(got.RawUsage) {
			t.Errorf("%s: raw usage %s", c.name, got.RawUsage)
		}
		got.RawUsage = nil
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, c.want)
		}
	}
}

var chunk = []byte(`{"candidates":[{"content":{"parts":[{"text":" a part of the answer"}],"role":"model"},"index":0}],` +
	`"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5,"promptTokensDetails":[{"modality":"TEXT","tokenCount":5}]},"modelVersion":"gemini-3-flash","responseId":"x"}`)

func TestStreamAllocs(t *testing.T) {
	r := format.NewStreamReader(&wire.Request{Operation: wire.GenerateContent})
	if n := testing.AllocsPerRun(100, func() { r.Event(nil, chunk) }); n != 0 {
		t.Errorf("%v allocations for each chunk", n)
	}
}

func BenchmarkStreamChunk(b *testing.B) {
	r := format.NewStreamReader(&wire.Request{Operation: wire.GenerateContent})
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		r.Event(nil, chunk)
	}
}
