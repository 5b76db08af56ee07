package openai_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/openai"
)

// stream reads events and returns the answer and which of them carried nothing but usage.
func stream(events ...string) (a *wire.Answer, usageOnly []int) {
	r := openai.Format{}.NewStreamReader(&wire.Request{Operation: wire.Chat})
	for i, event := range events {
		name, data, named := strings.Cut(event, "|")
		if !named {
			name, data = "", event
		}
		if r.Event([]byte(name), []byte(data)) {
			usageOnly = append(usageOnly, i)
		}
	}
	return r.Answer(), usageOnly
}

const someUsage = `"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}`

// streams are the events of streams, "name|data" where an event has a name, with what they come to.
var streams = []struct {
	name   string
	events []string
	want   wire.Answer // RawUsage aside
	usage  bool        // the usage of someUsage
	only   []int
}{
	{"nothing", nil, wire.Answer{}, false, nil},
	{"OpenAI", []string{
		`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}],"usage":null,"obfuscation":"x"}`,
		`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt","service_tier":"default","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"Par\u00eds"},"finish_reason":null}],"usage":null}`,
		`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt","service_tier":"default","system_fingerprint":"fp","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}`,
		`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt","service_tier":"default","system_fingerprint":"fp","choices":[],` + someUsage + `,"obfuscation":""}`,
		`[DONE]`,
	}, wire.Answer{ID: "c1", Model: "gpt", ServiceTier: "default", SystemFingerprint: "fp", FinishReason: "stop", TextBytes: 6, Done: true}, true, []int{3}},
	{"usage with a choice stays", []string{`{"choices":[{"index":0,"delta":{"content":""},"finish_reason":null}],` + someUsage + `}`},
		wire.Answer{}, true, nil},
	{"usage with something else stays", []string{`{"choices":[],"moderation":{"x":1},` + someUsage + `}`, `{"choices":[],"x":null,` + someUsage + `}`},
		wire.Answer{}, true, []int{1}},
	{"no choices at all", []string{`{` + someUsage + `}`}, wire.Answer{}, true, []int{0}},
	{"filter results are no usage", []string{`{"choices":[],"prompt_filter_results":[{}],"usage":null}`}, wire.Answer{}, false, nil},
	{"spaces", []string{` { "usage" : { "prompt_tokens" : 3 , "completion_tokens" : 2 , "total_tokens":5 } , "choices" : [ ] } `},
		wire.Answer{}, true, []int{0}},
	{"escaped name", []string{`{"us\u0061ge":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`}, wire.Answer{}, true, []int{0}},
	{"usage before the end", []string{`{"choices":[],` + someUsage + `}`, `{"choices":[],"usage":null}`, `[DONE]`},
		wire.Answer{Done: true}, true, []int{0}},
	{"the last usage counts", []string{`{"usage":{"prompt_tokens":1,"completion_tokens":1,"cost":1}}`, `{` + someUsage + `}`, `{"usage":{}}`},
		wire.Answer{Reported: wire.ReportedCost{Literal: "1", Field: "usage.cost"}}, true, []int{0, 1, 2}},
	{"Groq, not asked", []string{`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r",` + someUsage + `}}`},
		wire.Answer{FinishReason: "stop"}, true, nil},
	{"Groq, asked", []string{`{"choices":[],"x_groq":{"usage":{"prompt_tokens":9,"completion_tokens":9}},` + someUsage + `}`,
		`{"x_groq":{"usage":{"prompt_tokens":8,"completion_tokens":8}}}`}, wire.Answer{}, true, []int{0, 1}},
	{"Moonshot", []string{`{"choices":[{"index":0,"delta":{},"finish_reason":"length",` + someUsage + `}]}`},
		wire.Answer{FinishReason: "length"}, true, nil},
	{"tier of the usage", []string{`{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"service_tier":"standard"}}`},
		wire.Answer{ServiceTier: "standard"}, true, []int{0}},
	{"tier of the answer goes before", []string{`{"service_tier":"flex","usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"service_tier":"standard"}}`},
		wire.Answer{ServiceTier: "flex"}, true, []int{0}},
	{"index after what belongs to it", []string{`{"choices":[{"delta":{"content":"a"},"finish_reason":"length","index":1}]}`,
		`{"choices":[{"delta":{"content":"b"},"finish_reason":"stop","index":0},{"finish_reason":"length","index":1,"delta":{"content":"cd"}}]}`},
		wire.Answer{FinishReason: "stop", TextBytes: 4}, false, nil},
	{"all kinds of text", []string{`{"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"ab"}]},{"type":"text","text":"c"},7],"refusal":"d",
		"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"{\"a\"}"}},null],"function_call":{"name":"f","arguments":"ef"}}}]}`},
		wire.Answer{TextBytes: 4 + 5 + 2}, false, nil},
	{"reasoning under two names", []string{`{"choices":[{"delta":{"reasoning":"abc","reasoning_content":"abc"}}]}`, `{"choices":[{"delta":{"reasoning_content":"d","content":null}}]}`},
		wire.Answer{TextBytes: 4}, false, nil},
	{"completion", []string{`{"choices":[{"text":"ab","index":0,"logprobs":null,"finish_reason":null}]}`, `{"choices":[{"text":"c","index":0,"finish_reason":"stop"}]}`},
		wire.Answer{TextBytes: 3, FinishReason: "stop"}, false, nil},
	{"Perplexity: the message so far beside the delta", []string{`{"choices":[{"delta":{"content":"ab"},"message":{"content":"ab"}}]}`,
		`{"choices":[{"message":{"content":"abc"},"delta":{"content":"c"}}]}`}, wire.Answer{TextBytes: 3}, false, nil},
	{"a whole message", []string{`{"id":"x","choices":[{"message":{"role":"assistant","content":"abc"},"finish_reason":"stop"}]}`},
		wire.Answer{ID: "x", TextBytes: 3, FinishReason: "stop"}, false, nil},
	{"error", []string{`{"choices":[{"index":0,"delta":{"content":"a"}}]}`,
		`{"id":"g","provider":"P","error":{"code":502,"message":"down"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],` + someUsage + `}`},
		wire.Answer{ID: "g", Provider: "P", TextBytes: 1, FinishReason: "error", Err: &wire.Error{Code: "502", Status: 502, Message: "down"}}, true, nil},
	{"no error", []string{`{"error":null,"choices":[],` + someUsage + `}`}, wire.Answer{}, true, []int{0}},
	{"error event", []string{`error|{"error":{"message":"bad call","status_code":400}}`}, wire.Answer{Err: &wire.Error{Message: "bad call", Status: 400}}, false, nil},
	{"error event, flat", []string{`error|{"message":"busy","code":"c"}`}, wire.Answer{Err: &wire.Error{Message: "busy", Code: "c"}}, false, nil},
	{"error event, text", []string{`error|overloaded`, `{"error":"later"}`}, wire.Answer{Err: &wire.Error{Message: "overloaded"}}, false, nil},
	{"error text", []string{`{"error":"overloaded"}`}, wire.Answer{Err: &wire.Error{Message: "overloaded"}}, false, nil},
	{"error of its own kind", []string{`{"object":"error","message":"m","type":"t","code":40001}`},
		wire.Answer{Err: &wire.Error{Message: "m", Type: "t", Code: "40001"}}, false, nil},
	{"error in a choice", []string{`{"choices":[{"index":0,"delta":{},"error":{"message":"m"},"finish_reason":"error"}]}`},
		wire.Answer{FinishReason: "error", Err: &wire.Error{Message: "m"}}, false, nil},
	{"error in x_groq", []string{`{"x_groq":{"error":"over capacity"},"choices":[]}`}, wire.Answer{Err: &wire.Error{Message: "over capacity"}}, false, nil},
	{"not JSON", []string{``, `hello`, `[1]`, `null`, `{"id":"x","choices":[`, `[DONE] `}, wire.Answer{ID: "x", Done: true}, false, nil},
	{"odd kinds", []string{`{"id":7,"model":null,"choices":{"a":1},"usage":[1],"x_groq":1}`, `{"choices":[1,null,{"delta":null,"finish_reason":1,"index":"x"}]}`},
		wire.Answer{}, false, nil},
}

func TestStream(t *testing.T) {
	t.Parallel()
	for _, c := range streams {
		if c.usage {
			c.want.UsageSeen = true
			c.want.Usage = wire.Usage{Input: 3, Output: 2, Requests: 1}
		}
		a, only := stream(c.events...)
		got := *a
		if got.UsageSeen != (len(got.RawUsage) > 0) {
			t.Errorf("%s: raw usage %s", c.name, got.RawUsage)
		}
		got.RawUsage = nil
		if !reflect.DeepEqual(got, c.want) || !reflect.DeepEqual(only, c.only) {
			t.Errorf("%s:\n got %+v, usage only %v\nwant %+v, usage only %v", c.name, got, only, c.want, c.only)
			if got.Err != nil {
				t.Errorf("error %+v", *got.Err)
			}
		}
	}
}

// TestStreamKeepsNothing overwrites the data after every event.
func TestStreamKeepsNothing(t *testing.T) {
	t.Parallel()
	r := openai.Format{}.NewStreamReader(&wire.Request{Operation: wire.Chat})
	for range 3 {
		data := []byte(`{"id":"c1","model":"m\/n","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],` + someUsage + `}`)
		r.Event(nil, data)
		clear(data)
	}
	a := r.Answer()
	if a.ID != "c1" || a.Model != "m/n" || a.FinishReason != "stop" || a.TextBytes != 3 || !json.Valid(a.RawUsage) {
		t.Errorf("%+v", a)
	}
}

func TestStreamAllocs(t *testing.T) {
	r := openai.Format{}.NewStreamReader(&wire.Request{Operation: wire.Chat})
	chunks := [][]byte{
		[]byte(ordinaryChunks["openai"]), []byte(ordinaryChunks["openrouter"]),
		[]byte(`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\": 1"}}]},"finish_reason":"stop"}]}`),
		[]byte(`{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"cost":0.1}}`),
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, data := range chunks[:3] {
			r.Event(nil, data)
		}
	}); n > 4 { // the two ids and models take turns here
		t.Errorf("%v allocations", n)
	}
	for _, data := range chunks {
		if n := testing.AllocsPerRun(100, func() { r.Event(nil, data) }); n != 0 {
			t.Errorf("%s: %v allocations", data, n)
		}
	}
}

// FuzzStream feeds a stream of chunks to one reader, which remembers how chunks begin, and each chunk to a reader of
// its own: both must come to the same text.
func FuzzStream(f *testing.F) {
	seed := func(events ...string) { f.Add([]byte(strings.Join(events, "\n"))) }
	seed(ordinaryChunks["openai"], ordinaryChunks["openai"], ordinaryChunks["openrouter"], `{"choices":[],`+someUsage+`}`)
	seed(`{"choices":[{"index":1,"delta":{"role":"a","content":"x"},"text":"y"}]}`, `{"choices":[{"index":1,"delta":{"role":"a","content":"zz"},"text":""}]}`)
	seed(`{"choices":[{"text":"t","delta":{"content":"x"}}]}`, `{"choices":[{"text":"t","delta":{"content":"x","reasoning":"r"}},{"delta":{"content":"x"}}]}`)
	seed(`{"error":{"message":"m"},"choices":[{"delta":{"content":"x"}}]}`, `{"choices":[{"delta":{"content":"x"}}],"choices":[{"delta":{"content":"x"}}]}`)
	f.Fuzz(func(t *testing.T, text []byte) {
		together := openai.Format{}.NewStreamReader(&wire.Request{Operation: wire.Chat})
		var sum int64
		var model, finish string
		for _, data := range bytes.Split(text, []byte("\n")) {
			alone := openai.Format{}.NewStreamReader(&wire.Request{Operation: wire.Chat})
			if only, want := together.Event(nil, data), alone.Event(nil, data); only != want {
				t.Fatalf("%q: usage only %v, read alone %v", data, only, want)
			}
			a := alone.Answer()
			if bytes.Contains(data, []byte("reasoning")) {
				return // is counted once under two names, over the whole stream
			}
			sum += a.TextBytes
			if a.Model != "" {
				model = a.Model
			}
			if a.FinishReason != "" {
				finish = a.FinishReason
			}
			if got := together.Answer(); got.TextBytes != sum || got.Model != model || got.FinishReason != finish || (a.Err != nil && got.Err == nil) {
				t.Fatalf("%q in %q: %+v, want %d bytes, model %q, finish %q", data, text, got, sum, model, finish)
			}
		}
	})
}
