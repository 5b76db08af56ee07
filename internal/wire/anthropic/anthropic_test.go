package anthropic_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/anthropic"
	"github.com/farebox-go/farebox/internal/wire/wiretest"
)

var chat = &wire.Request{Operation: wire.Chat}

func TestRecognise(t *testing.T) {
	t.Parallel()
	metered := func(op wire.Operation) *wire.Route { return &wire.Route{Operation: op} }
	free := &wire.Route{Billing: wire.Free}
	for _, c := range []struct {
		method, path, provider string
		want                   *wire.Route // nil: not recognised
	}{
		{"POST", "/v1/messages", "anthropic", metered(wire.Chat)},
		{"POST", "/v1/messages/", "", metered(wire.Chat)},
		{"POST", "/api/v1/messages", "openrouter", metered(wire.Chat)},
		{"POST", "/proxy/anthropic/messages", "", metered(wire.Chat)},
		{"POST", "/v1/threads/thread_1/messages", "openai", nil},
		{"GET", "/v1/messages", "", nil},
		{"POST", "/v1/complete", "", metered(wire.TextCompletion)},
		{"POST", "/v1/messages/count_tokens", "", free},
		{"POST", "/v1/messages/batches", "", metered(wire.Batch)},
		{"GET", "/v1/messages/batches", "", &wire.Route{Operation: wire.Batch, Billing: wire.Free}},
		{"GET", "/v1/messages/batches/msgbatch_1", "", &wire.Route{Operation: wire.Batch, Billing: wire.Free, ID: "msgbatch_1"}},
		{"POST", "/v1/messages/batches/msgbatch_1/cancel", "", &wire.Route{Operation: wire.Batch, Billing: wire.Free, ID: "msgbatch_1"}},
		{"GET", "/v1/messages/batches/msgbatch_1/results", "", &wire.Route{Operation: wire.Batch, Billing: wire.FollowUp, ID: "msgbatch_1"}},
		{"POST", "/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-4-1@20250805:rawPredict", "vertex", metered(wire.Chat)},
		{"POST", "/v1/projects/p/locations/global/publishers/anthropic/models/claude-opus-4-1:streamRawPredict", "vertex", metered(wire.Chat)},
		{"POST", "/v1/projects/p/locations/global/publishers/anthropic/models/count-tokens:rawPredict", "vertex", free},
		{"POST", "/v1/projects/p/locations/global/publishers/google/models/gemini-3:generateContent", "vertex", nil},
		{"POST", "/v1/batches", "", nil},
		{"POST", "", "", nil},
	} {
		got, ok := anthropic.Format{}.Recognise(wire.Target{Method: c.method, Path: c.path, Provider: c.provider})
		if ok != (c.want != nil) || ok && got != *c.want {
			t.Errorf("%s %s: %+v, %v", c.method, c.path, got, ok)
		}
	}
}

func TestReadRequest(t *testing.T) {
	t.Parallel()
	tools := `[{"name":"f","input_schema":{"type":"object"}},{"type":"bash_20250124","name":"bash"}]`
	search := `[{"type":"web_search_20250305","name":"web_search"}]`
	limited := `[{"max_uses":3,"type":"web_search_20250305","name":"web_search"},{"type":"web_fetch_20250910","name":"web_fetch","max_uses":2}]`
	partly := `[{"type":"web_search_20250305","name":"web_search","max_uses":3},{"type":"code_execution_20250825","name":"code_execution"}]`
	advisor := `[{"type":"advisor_20260301","name":"advisor","model":"claude-opus-4-8"}]`
	vertex := "/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-opus-4-1@20250805:streamRawPredict"
	for name, c := range map[string]struct {
		op         wire.Operation
		path, body string
		want       wire.Request
	}{
		"plain": {wire.Chat, "", `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}`,
			wire.Request{Model: "m", MaxOutput: 9, Messages: 1, TextBytes: 2}},
		"system, blocks, stream": {wire.Chat, "", `{"model":"m","max_tokens":9,"stream":true,"system":[{"type":"text","text":"abc"}],
			"messages":[{"role":"user","content":[{"type":"text","text":"de","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}`,
			wire.Request{Model: "m", MaxOutput: 9, Messages: 1, TextBytes: 5, Stream: true, LongCache: true}},
		"media, in whatever order": {wire.Chat, "", `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[
			{"source":{"type":"base64","media_type":"image/png","data":"AAAA"},"type":"image"},
			{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}},
			{"type":"document","source":{"data":"four","type":"text","media_type":"text/plain"}},
			{"type":"document","source":{"type":"url","url":"https://x"}}]}]}`,
			wire.Request{Model: "m", MaxOutput: 9, Messages: 1, TextBytes: 4, Images: 1, Files: 2}},
		"tool results": {wire.Chat, "", `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[
			{"type":"tool_result","tool_use_id":"id","content":[{"type":"text","text":"abc"},{"type":"image","source":{"type":"url","url":"u"}}]}]}]}`,
			wire.Request{Model: "m", MaxOutput: 9, Messages: 1, TextBytes: 5, Images: 1}},
		"searches and fetches, limited": {wire.Chat, "", `{"model":"m","max_tokens":9,"messages":[],"tools":` + limited + `}`,
			wire.Request{Model: "m", MaxOutput: 9, Tools: 2, TextBytes: int64(len(limited)), ServerTools: true, WebSearch: true, ToolUses: 5, Searches: 3}},
		"one without a limit": {wire.Chat, "", `{"model":"m","max_tokens":9,"messages":[],"tools":` + partly + `}`,
			wire.Request{Model: "m", MaxOutput: 9, Tools: 2, TextBytes: int64(len(partly)), ServerTools: true, WebSearch: true}},
		"tools of the caller's": {wire.Chat, "", `{"model":"m","max_tokens":9,"messages":[],"tools":` + tools + `}`,
			wire.Request{Model: "m", MaxOutput: 9, Tools: 2, TextBytes: int64(len(tools))}},
		"a search": {wire.Chat, "", `{"model":"m","max_tokens":9,"messages":[],"tools":` + search + `}`,
			wire.Request{Model: "m", MaxOutput: 9, Tools: 1, TextBytes: int64(len(search)), ServerTools: true, WebSearch: true}},
		"an advisor of another model": {wire.Chat, "", `{"model":"m","max_tokens":9,"messages":[],"tools":` + advisor + `}`,
			wire.Request{Model: "m", Models: []string{"claude-opus-4-8"}, MaxOutput: 9, Tools: 1, TextBytes: int64(len(advisor)), ServerTools: true}},
		"what is charged otherwise": {wire.Chat, "", `{"model":"m","max_tokens":9,"messages":[],"service_tier":"standard_only","speed":"fast","inference_geo":"us"}`,
			wire.Request{Model: "m", MaxOutput: 9, ServiceTier: "standard_only", Speed: "fast", Region: "us"}},
		"what is not": {wire.Chat, "", `{"model":"m","max_tokens":9,"messages":[],"speed":"standard","inference_geo":"global"}`,
			wire.Request{Model: "m", MaxOutput: 9}},
		"Vertex": {wire.Chat, vertex, `{"anthropic_version":"vertex-2023-10-16","max_tokens":9,"messages":[]}`,
			wire.Request{Model: "claude-opus-4-1@20250805", MaxOutput: 9, Stream: true, Region: "us-east5"}},
		"older": {wire.TextCompletion, "", `{"model":"claude-2.1","prompt":"\n\nHuman: Hi","max_tokens_to_sample":7}`,
			wire.Request{Model: "claude-2.1", MaxOutput: 7, TextBytes: 11}},
		"a batch": {wire.Batch, "", `{"requests":[{"custom_id":"a","params":{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]}},
			{"custom_id":"b","params":{"model":"n","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Ho"}]}}]}`,
			wire.Request{Model: "m", Models: []string{"n"}, MaxOutput: 9, Messages: 2, TextBytes: 4, Inputs: 2}},
	} {
		got, err := anthropic.Format{}.ReadRequest(c.op, wire.Target{Path: c.path}, []byte(c.body))
		c.want.Operation, c.want.Choices, c.want.IncludeUsage = c.op, 1, true
		c.want.Inputs = max(c.want.Inputs, 1)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", name, got, err, c.want)
		}
	}
	for _, body := range []string{"", "[]", `{"messages":7}`, `{"model":7}`, `{"messages":[7]}`, `{"model":"m"`} {
		if _, err := (anthropic.Format{}).ReadRequest(wire.Chat, wire.Target{}, []byte(body)); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// body is an answer with a usage.
func body(usage string) string {
	return `{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":` + usage + `}`
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		usage         string
		want          wire.Usage
		contradictory bool
	}{
		"plain": {`{"input_tokens":10,"output_tokens":5}`, wire.Usage{Input: 10, Output: 5}, false},
		"caches": {`{"input_tokens":10,"cache_read_input_tokens":60,"cache_creation_input_tokens":30,"output_tokens":5,
			"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20}}`,
			wire.Usage{Input: 10, CacheRead: 60, CacheWrite: 10, CacheWrite1h: 20, Output: 5}, false},
		"only the sum of what was written": {`{"input_tokens":10,"cache_creation_input_tokens":30,"output_tokens":5,"cache_creation":null}`,
			wire.Usage{Input: 10, CacheWrite: 30, Output: 5}, false},
		"only its parts": {`{"input_tokens":10,"output_tokens":5,"cache_creation":{"ephemeral_1h_input_tokens":20}}`,
			wire.Usage{Input: 10, CacheWrite1h: 20, Output: 5}, false},
		"thinking": {`{"input_tokens":10,"output_tokens":50,"output_tokens_details":{"thinking_tokens":40}}`,
			wire.Usage{Input: 10, Output: 10, Reasoning: 40}, false},
		"more thinking than output": {`{"input_tokens":10,"output_tokens":5,"output_tokens_details":{"thinking_tokens":40}}`,
			wire.Usage{Input: 10, Reasoning: 5}, true},
		"searches": {`{"input_tokens":10,"output_tokens":5,"server_tool_use":{"web_search_requests":2,"web_fetch_requests":3}}`,
			wire.Usage{Input: 10, Output: 5, WebSearches: 2}, false},
		"negative": {`{"input_tokens":-1,"output_tokens":5}`, wire.Usage{Output: 5}, true},
		"nulls":    {`{"input_tokens":0,"output_tokens":5,"cache_creation_input_tokens":null,"server_tool_use":null}`, wire.Usage{Output: 5}, false},
	} {
		a := wiretest.ReadBody(anthropic.Format{}, chat, []byte(body(c.usage)), wiretest.Whole)
		c.want.Requests = 1
		if !a.UsageSeen || !reflect.DeepEqual(a.Usage, c.want) || a.Contradictory != c.contradictory || !a.Done {
			t.Errorf("%s:\n got %+v, contradictory %v\nwant %+v", name, a.Usage, a.Contradictory, c.want)
		}
	}
	for _, usage := range []string{`null`, `{}`, `7`, `{"service_tier":"standard"}`} {
		if a := wiretest.ReadBody(anthropic.Format{}, chat, []byte(body(usage)), wiretest.Whole); a.UsageSeen {
			t.Errorf("%s: %+v", usage, a)
		}
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	a := wiretest.ReadBody(anthropic.Format{}, chat, []byte(body(`{"input_tokens":1,"output_tokens":1,"service_tier":"priority","speed":"fast","inference_geo":"us"}`)), wiretest.Whole)
	if a.ServiceTier != "priority" || a.Speed != "fast" || a.Region != "us" || a.Model != "claude-x" || a.FinishReason != "end_turn" || a.TextBytes != 2 {
		t.Errorf("%+v", a)
	}
	a = wiretest.ReadBody(anthropic.Format{}, chat, []byte(body(`{"input_tokens":1,"output_tokens":1,"service_tier":"standard","speed":"standard","inference_geo":"not_available"}`)), wiretest.Whole)
	if a.ServiceTier != "standard" || a.Speed != "" || a.Region != "" {
		t.Errorf("%+v", a)
	}
}

// TestIterations: steps beside the messages are billed apart, but for a total that includes them.
func TestIterations(t *testing.T) {
	t.Parallel()
	steps := `"iterations":[{"type":"compaction","input_tokens":100,"output_tokens":30,"cache_creation_input_tokens":55},
		{"type":"message","input_tokens":20,"output_tokens":8},{"type":"advisor_message","model":"other","input_tokens":7,"output_tokens":3}]`
	a := wiretest.ReadBody(anthropic.Format{}, chat, []byte(body(`{"input_tokens":20,"output_tokens":8,`+steps+`}`)), wiretest.Whole)
	want := []wire.Iteration{
		{Usage: wire.Usage{Input: 100, CacheWrite: 55, Output: 30}}, {Model: "other", Usage: wire.Usage{Input: 7, Output: 3}},
	}
	if !reflect.DeepEqual(a.Iterations, want) || a.Usage.Input != 20 || a.Usage.Output != 8 {
		t.Errorf("%+v beside %+v", a.Iterations, a.Usage)
	}
	a = wiretest.ReadBody(anthropic.Format{}, chat, []byte(body(`{"input_tokens":127,"output_tokens":41,`+steps+`}`)), wiretest.Whole)
	if a.Iterations != nil {
		t.Errorf("%+v although the sums include them", a.Iterations)
	}
}

// stream is a whole stream, as Anthropic sends it: the input is stated at the beginning and again, larger, at the end.
const stream = `event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":40,"cache_read_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":30},"output_tokens":1,"service_tier":"standard"}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel\u00e9"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"hm"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":31,"output_tokens":15,"server_tool_use":{"web_search_requests":1}}}

event: message_stop
data: {"type":"message_stop"}

`

func TestStream(t *testing.T) {
	t.Parallel()
	a := wiretest.ReadSSE(anthropic.Format{}, chat, []byte(stream), wiretest.Whole)
	want := wire.Usage{Input: 31, CacheRead: 7, CacheWrite: 10, CacheWrite1h: 30, Output: 15, WebSearches: 1, Requests: 1}
	if !reflect.DeepEqual(a.Usage, want) || !a.Done || a.FinishReason != "end_turn" || a.ID != "msg_1" || a.Model != "claude-x" ||
		a.TextBytes != 5+2+2+7 || a.ServiceTier != "standard" {
		t.Errorf("%+v", a)
	}
	raw := `{"cache_creation_input_tokens":40,"cache_read_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":30},` +
		`"service_tier":"standard","input_tokens":31,"output_tokens":15,"server_tool_use":{"web_search_requests":1}}`
	if string(a.RawUsage) != raw {
		t.Errorf("raw usage %s", a.RawUsage)
	}
	wiretest.CutEverywhere(t, anthropic.Format{}, chat, stream)
	before, _, _ := strings.Cut(stream, "event: message_delta")
	if a := wiretest.ReadSSE(anthropic.Format{}, chat, []byte(before), wiretest.Whole); a.Done || a.FinishReason != "" {
		t.Errorf("cut before its end: %+v", a)
	}
}

func TestStreamErrors(t *testing.T) {
	t.Parallel()
	a := wiretest.ReadSSE(anthropic.Format{}, chat, []byte("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"), wiretest.Whole)
	if a.Err == nil || a.Err.Type != "overloaded_error" || a.Err.Message != "Overloaded" || a.Done {
		t.Errorf("%+v", a.Err)
	}
}

// TestCompletions reads the older text completions, whose streams end with a reason.
func TestCompletions(t *testing.T) {
	t.Parallel()
	of := &wire.Request{Operation: wire.TextCompletion}
	older := "event: completion\ndata: {\"type\":\"completion\",\"id\":\"compl_1\",\"completion\":\" Hi\",\"stop_reason\":null,\"model\":\"claude-2.1\"}\n\n" +
		"event: completion\ndata: {\"type\":\"completion\",\"completion\":\"\",\"stop_reason\":\"stop_sequence\",\"model\":\"claude-2.1\"}\n\n"
	a := wiretest.ReadSSE(anthropic.Format{}, of, []byte(older), wiretest.Whole)
	if !a.Done || a.FinishReason != "stop_sequence" || a.TextBytes != 3 || a.Model != "claude-2.1" || a.UsageSeen {
		t.Errorf("%+v", a)
	}
	wiretest.CutEverywhere(t, anthropic.Format{}, of, older)
}

// results are those of a batch, of two models; one request failed.
const results = `{"custom_id":"a","result":{"type":"succeeded","message":{"id":"msg_1","type":"message","model":"m","content":[{"type":"text","text":"a\nb"}],"usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":3,"service_tier":"batch"}}}}
{"custom_id":"b","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"no"}}}}
{"custom_id":"c","result":{"type":"succeeded","message":{"model":"n","usage":{"input_tokens":1,"output_tokens":2,"service_tier":"batch"}}}}
{"custom_id":"d","result":{"type":"succeeded","message":{"model":"m","usage":{"input_tokens":20,"output_tokens":7,"service_tier":"batch"}}}}
`

func TestBatch(t *testing.T) {
	t.Parallel()
	of := &wire.Request{Operation: wire.Batch}
	a := wiretest.ReadBody(anthropic.Format{}, of, []byte(results), wiretest.Whole)
	want := wire.Usage{Input: 30, CacheRead: 3, Output: 12, Requests: 2}
	others := []wire.Iteration{{Model: "n", Usage: wire.Usage{Input: 1, Output: 2, Requests: 1}}}
	if !reflect.DeepEqual(a.Usage, want) || !reflect.DeepEqual(a.Iterations, others) || a.Model != "m" || a.ServiceTier != "batch" || a.Done || !a.UsageSeen || a.Pending || a.Err != nil {
		t.Errorf("%+v", a)
	}
	if a := wiretest.ReadBody(anthropic.Format{}, of, []byte(results[:len(results)-20]), wiretest.Whole); a.Done || a.UsageSeen {
		t.Errorf("cut, and yet %+v", a)
	}
	made := `{"id":"msgbatch_1","type":"message_batch",` + "\n" + `"processing_status":"in_progress"}`
	if a := wiretest.ReadBody(anthropic.Format{}, of, []byte(made), wiretest.Whole); !a.Pending || !a.Done || a.ID != "msgbatch_1" || a.UsageSeen {
		t.Errorf("%+v", a)
	}
}

const delta = `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"some words of an answer that goes on"}}`

func TestEventAllocs(t *testing.T) {
	if n := wiretest.EventAllocs(anthropic.Format{}, chat, "content_block_delta", delta); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkEvent(b *testing.B) {
	wiretest.BenchmarkEvents(b, anthropic.Format{}, chat, "content_block_delta", delta)
}

func FuzzRequest(f *testing.F) {
	wiretest.FuzzRequests(f, anthropic.Format{}, wire.Chat, wire.Target{},
		`{"model":"m","max_tokens":9,"system":[{"type":"text","text":"a"}],"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url"}}]}]}`,
		`{"tools":[{"type":"web_search_20250305"},{"name":"f","model":"x"}],"mcp_servers":[],"inference_geo":"us","speed":"fast"}`)
}

func FuzzBatchRequest(f *testing.F) {
	wiretest.FuzzRequests(f, anthropic.Format{}, wire.Batch, wire.Target{}, `{"requests":[{"custom_id":"a","params":{"model":"m","max_tokens":5,"messages":[]}}]}`)
}

func FuzzBody(f *testing.F) {
	wiretest.FuzzBodies(f, anthropic.Format{}, chat, body(`{"input_tokens":10,"output_tokens":5,"iterations":[{"type":"compaction","input_tokens":1e3}]}`),
		`{"type":"error","error":{"type":"overloaded_error","message":"m"}}`)
}

func FuzzStream(f *testing.F) {
	wiretest.FuzzStreams(f, anthropic.Format{}, chat, stream)
}

func FuzzBatchResults(f *testing.F) {
	wiretest.FuzzBodies(f, anthropic.Format{}, &wire.Request{Operation: wire.Batch}, results)
}
