package responses_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/responses"
	"github.com/farebox-go/farebox/internal/wire/wiretest"
)

var chat = &wire.Request{Operation: wire.Chat}

func TestRecognise(t *testing.T) {
	t.Parallel()
	metered, free := &wire.Route{Operation: wire.Chat}, &wire.Route{Billing: wire.Free}
	later := &wire.Route{Operation: wire.Chat, Billing: wire.FollowUp, ID: "resp_1"}
	for _, c := range []struct {
		method, path string
		want         *wire.Route // nil: not recognised
	}{
		{"POST", "/v1/responses", metered},
		{"POST", "/openai/v1/responses", metered},
		{"POST", "/openai/responses", metered},
		{"POST", "/openai/deployments/d/responses", metered},
		{"POST", "/v1/responses/compact", metered},
		{"POST", "/v1/responses/input_tokens", free},
		{"GET", "/v1/responses/resp_1", later},
		{"POST", "/v1/responses/resp_1/cancel", later},
		{"DELETE", "/v1/responses/resp_1", free},
		{"GET", "/v1/responses/resp_1/input_items", free},
		{"GET", "/v1/responses", nil},
		{"POST", "/v1/responses/resp_1", nil},
		{"POST", "/v1/chat/completions", nil},
		{"POST", "", nil},
	} {
		got, ok := responses.Format{}.Recognise(wire.Target{Method: c.method, Path: c.path})
		if ok != (c.want != nil) || ok && got != *c.want {
			t.Errorf("%s %s: %+v, %v", c.method, c.path, got, ok)
		}
	}
}

func TestReadRequest(t *testing.T) {
	t.Parallel()
	tools := `[{"type":"function","name":"f","parameters":{}},{"type":"web_search"}]`
	image := `[{"type":"image_generation","size":"1024x1024"}]`
	for name, c := range map[string]struct {
		path, body string
		want       wire.Request
	}{
		"a text": {"", `{"model":"m","input":"Hi","instructions":"Be","max_output_tokens":9}`,
			wire.Request{Model: "m", Messages: 1, TextBytes: 4, MaxOutput: 9}},
		"items": {"", `{"model":"m","stream":true,"input":[{"role":"user","content":[{"type":"input_text","text":"abc"},{"type":"input_image","image_url":"data:"},
			{"type":"input_file","file_id":"f"}]},{"type":"function_call_output","call_id":"c","output":"four"}]}`,
			wire.Request{Model: "m", Messages: 2, TextBytes: 3 + 1 + 1 + 4, Images: 1, Stream: true}},
		"a conversation that is kept": {"", `{"model":"m","input":"Hi","previous_response_id":"resp_1"}`,
			wire.Request{Model: "m", Messages: 1, TextBytes: 2, HiddenInput: true}},
		"none is": {"", `{"model":"m","input":"Hi","previous_response_id":null,"conversation":null}`,
			wire.Request{Model: "m", Messages: 1, TextBytes: 2}},
		"tools": {"", `{"model":"m","input":"Hi","tools":` + tools + `,"service_tier":"flex"}`,
			wire.Request{Model: "m", Messages: 1, TextBytes: 2 + int64(len(tools)), Tools: 2, ServerTools: true, WebSearch: true, ServiceTier: "flex"}},
		"tools, limited": {"", `{"model":"m","max_tool_calls":4,"input":"Hi","tools":` + tools + `}`,
			wire.Request{Model: "m", Messages: 1, TextBytes: 2 + int64(len(tools)), Tools: 2, ServerTools: true, WebSearch: true, ToolUses: 4, Searches: 4}},
		"tools that the limit does not count": {"", `{"model":"m","max_tool_calls":4,"input":"Hi","tools":` + image + `}`,
			wire.Request{Model: "m", Messages: 1, TextBytes: 2 + int64(len(image)), Tools: 1, ServerTools: true, ImageOutput: true}},
		"images": {"", `{"model":"m","input":"Hi","tools":` + image + `}`,
			wire.Request{Model: "m", Messages: 1, TextBytes: 2 + int64(len(image)), Tools: 1, ServerTools: true, ImageOutput: true}},
		"Azure": {"/openai/deployments/mine/responses", `{"input":"Hi"}`, wire.Request{Model: "mine", Messages: 1, TextBytes: 2}},
	} {
		got, err := responses.Format{}.ReadRequest(wire.Chat, wire.Target{Path: c.path}, []byte(c.body))
		c.want.Operation, c.want.Choices, c.want.Inputs, c.want.IncludeUsage = wire.Chat, 1, 1, true
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", name, got, err, c.want)
		}
	}
	for _, body := range []string{"", "[]", `{"input":7}`, `{"model":7}`, `{"input":[7]}`, `{"model":"m"`} {
		if _, err := (responses.Format{}).ReadRequest(wire.Chat, wire.Target{}, []byte(body)); err == nil {
			t.Errorf("%s was read", body)
		}
	}
}

const usage = `{"input_tokens":100,"input_tokens_details":{"cached_tokens":60,"cache_write_tokens":10},"output_tokens":50,"output_tokens_details":{"reasoning_tokens":20},"total_tokens":150}`

// answer is an answer with a status and some more members.
func answer(status, more string) string {
	return `{"id":"resp_1","object":"response","status":"` + status + `","model":"gpt-x","output":[],"usage":` + usage + more + `}`
}

func read(body string) *wire.Answer {
	return wiretest.ReadBody(responses.Format{}, chat, []byte(body), wiretest.Whole)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	want := wire.Usage{Input: 30, CacheRead: 60, CacheWrite: 10, Output: 30, Reasoning: 20, Requests: 1}
	a := read(answer("completed", `,"service_tier":"priority"`))
	if !reflect.DeepEqual(a.Usage, want) || !a.Done || a.Pending || a.ServiceTier != "priority" || a.FinishReason != "completed" || string(a.RawUsage) != usage {
		t.Errorf("%+v", a)
	}
	if a := read(answer("incomplete", `,"incomplete_details":{"reason":"max_output_tokens"}`)); a.FinishReason != "max_output_tokens" {
		t.Errorf("%+v", a)
	}
	for _, status := range []string{"queued", "in_progress"} {
		a := read(`{"id":"resp_1","status":"` + status + `","usage":null}`)
		if !a.Pending || a.UsageSeen || !a.Done || a.FinishReason != "" {
			t.Errorf("%s: %+v", status, a)
		}
	}
	a = read(`{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"no"},"usage":null}`)
	if a.Err == nil || a.Err.Code != "server_error" || a.Pending {
		t.Errorf("%+v", a)
	}
}

// TestCost: OpenRouter and xAI state what a response cost.
func TestCost(t *testing.T) {
	t.Parallel()
	stated := func(more string) *wire.Answer {
		return read(`{"status":"completed","usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2,` + more + `}}`)
	}
	if a := stated(`"cost":1.13e-05,"is_byok":false`); a.Reported != (wire.ReportedCost{Literal: "1.13e-05", Field: "usage.cost"}) || a.BYOK {
		t.Errorf("%+v", a)
	}
	a := stated(`"cost":0,"is_byok":true,"cost_details":{"upstream_inference_cost":null,"upstream_inference_input_cost":3.9e-06,"upstream_inference_output_cost":7.4e-06}`)
	if !a.BYOK || a.Reported.Literal != "0" || wiretest.Amount(a.Upstream).Cmp(wiretest.Amount(wire.ReportedCost{Literal: "1.13e-05"})) != 0 {
		t.Errorf("%+v", a)
	}
	a = stated(`"cost_in_usd_ticks":77397500,"server_side_tool_usage_details":{"web_search_calls":2}`)
	if a.Reported.Literal != "77397500" || a.Reported.Exponent != -10 {
		t.Errorf("%+v", a)
	}
}

// output is one of the provider's own tools at work.
const output = `[{"type":"web_search_call","id":"a","action":{"type":"search","query":"q"}},{"id":"b","action":{"type":"open_page"},"type":"web_search_call"},
	{"type":"web_search_call","id":"c"},{"type":"file_search_call"},{"type":"code_interpreter_call","container_id":"c1"},
	{"type":"code_interpreter_call","container_id":"c1"},{"type":"function_call","arguments":"{}"},
	{"type":"message","content":[{"type":"output_text","text":"Hello"}]},{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]}]`

func TestTools(t *testing.T) {
	t.Parallel()
	body := `{"id":"r","status":"completed","model":"m","output":` + output + `,"usage":` + usage + `}`
	check := func(a *wire.Answer, searches int64) {
		t.Helper()
		units := map[string]int64{"tool_call/file_search": 1, "session/code_interpreter": 1}
		if a.Usage.WebSearches != searches || !reflect.DeepEqual(a.Usage.Units, units) {
			t.Errorf("%+v", a.Usage)
		}
	}
	a := read(body)
	check(a, 2)
	if a.TextBytes != 5+2+2 {
		t.Errorf("%d bytes of text", a.TextBytes)
	}
	check(read(strings.TrimSuffix(body, "}")+`,"tool_usage":{"web_search":{"num_requests":3}}}`), 3)
	check(wiretest.ReadSSE(responses.Format{}, chat, []byte("data: {\"type\":\"response.completed\",\"response\":"+strings.ReplaceAll(body, "\n", "")+"}\n\n"), wiretest.Whole), 2)

	drawn := `,"tools":[{"type":"image_generation","model":"gpt-image-9"}],"tool_usage":{"image_gen":{"input_tokens":7,"input_tokens_details":{"image_tokens":0,"text_tokens":7},` +
		`"output_tokens":272,"output_tokens_details":{"image_tokens":272,"text_tokens":0},"total_tokens":279}}`
	want := []wire.Iteration{{Model: "gpt-image-9", Usage: wire.Usage{Input: 7, ImageOutput: 272}}}
	if a := read(answer("completed", drawn)); !reflect.DeepEqual(a.Iterations, want) || a.Usage.InputTokens() != 100 {
		t.Errorf("%+v beside %+v", a.Iterations, a.Usage)
	}
}

// stream is a whole stream.
const stream = `event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","model":"gpt-x","output":[],"usage":null}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Hel\u00e9","logprobs":[],"obfuscation":"abc"}

event: response.output_text.delta
data: { "sequence_number":5,"delta":"lo","type":"response.output_text.delta"}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":6,"item":{"type":"web_search_call","action":{"type":"search"}}}

event: response.completed
data: {"type":"response.completed","sequence_number":7,"response":{"id":"resp_1","object":"response","status":"completed","model":"gpt-x","service_tier":"default","output":[{"type":"web_search_call","action":{"type":"search"}},{"type":"message"}],"usage":` + usage + `}}

`

func TestStream(t *testing.T) {
	t.Parallel()
	a := wiretest.ReadSSE(responses.Format{}, chat, []byte(stream), wiretest.Whole)
	want := wire.Usage{Input: 30, CacheRead: 60, CacheWrite: 10, Output: 30, Reasoning: 20, WebSearches: 1, Requests: 1}
	if !reflect.DeepEqual(a.Usage, want) || !a.Done || a.Pending || a.ID != "resp_1" || a.Model != "gpt-x" || a.ServiceTier != "default" || a.TextBytes != 7 {
		t.Errorf("%+v", a)
	}
	wiretest.CutEverywhere(t, responses.Format{}, chat, stream)
	before, _, _ := strings.Cut(stream, "event: response.completed")
	if a := wiretest.ReadSSE(responses.Format{}, chat, []byte(before), wiretest.Whole); a.Done || !a.Pending || a.UsageSeen {
		t.Errorf("cut before its end: %+v", a)
	}
	failed := "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"no\",\"param\":null}\n\n"
	if a := wiretest.ReadSSE(responses.Format{}, chat, []byte(failed), wiretest.Whole); a.Err == nil || a.Err.Message != "no" || a.Err.Code != "server_error" {
		t.Errorf("%+v", a.Err)
	}
}

const delta = `{"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_67ca3c9e1d0c8190a1b2c3d4e5f60718","output_index":0,"content_index":0,"delta":"some words of an answer","logprobs":[],"obfuscation":"kf9vGx2H"}`

func TestEventAllocs(t *testing.T) {
	if n := wiretest.EventAllocs(responses.Format{}, chat, "response.output_text.delta", delta); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEvent(b *testing.B) {
	wiretest.BenchmarkEvents(b, responses.Format{}, chat, "response.output_text.delta", delta)
}

func FuzzRequest(f *testing.F) {
	wiretest.FuzzRequests(f, responses.Format{}, wire.Chat, wire.Target{},
		`{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a"}]},{"type":"item_reference","id":"x"}],"tools":[{"type":"web_search"}]}`,
		`{"input":"a","conversation":"c","max_output_tokens":9,"stream":true}`)
}

func FuzzBody(f *testing.F) {
	wiretest.FuzzBodies(f, responses.Format{}, chat, answer("completed", `,"tool_usage":{"web_search":{"num_requests":1}}`),
		`{"status":"completed","output":`+output+`,"usage":`+usage+`}`, `{"error":{"message":"m"}}`)
}

func FuzzStream(f *testing.F) {
	wiretest.FuzzStreams(f, responses.Format{}, chat, stream)
}
