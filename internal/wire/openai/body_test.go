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

// bodyIn reads a body in pieces of at most size bytes.
func bodyIn(text string, size int) *wire.Answer {
	r := openai.Format{}.NewBodyReader(&wire.Request{Operation: wire.Chat})
	for p := []byte(text); len(p) > 0; {
		n := min(size, len(p))
		piece := bytes.Clone(p[:n])
		r.Write(piece)
		clear(piece)
		p = p[n:]
	}
	return r.Answer()
}

func TestBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       wire.Answer // RawUsage aside
		usage      bool        // the usage of someUsage
	}{
		{"nothing", ``, wire.Answer{}, false},
		{"chat", "\n     \n" + `{"id":"c1","object":"chat.completion","created":1,"model":"gpt","provider":"P","choices":[{"index":0,"message":{"role":"assistant",
			"content":"h\u00e9","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],` + someUsage + `,"service_tier":"default","system_fingerprint":"fp"}` + "\n",
			wire.Answer{ID: "c1", Model: "gpt", Provider: "P", ServiceTier: "default", SystemFingerprint: "fp", FinishReason: "stop", TextBytes: 3, Done: true}, true},
		{"choices", `{"choices":[{"finish_reason":"stop","message":{"content":"ab","reasoning":"cde","reasoning_content":"cd","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}},
			{"finish_reason":"length","message":{"content":[{"type":"text","text":"f"},{"type":"thinking","thinking":[{"text":"g"}]}],"refusal":"h","function_call":{"arguments":"i"}}}]}`,
			wire.Answer{FinishReason: "stop", TextBytes: 2 + 3 + 2 + 4, Done: true}, false},
		{"completion", `{"choices":[{"text":"ab","finish_reason":"length"},{"text":"c"}],` + someUsage + `}`,
			wire.Answer{FinishReason: "length", TextBytes: 3, Done: true}, true},
		{"embeddings", `{"object":"list","data":[{"embedding":[0.1,-2e-5]},{"embedding":"AAAA"}],"model":"e",` + someUsage + `}`,
			wire.Answer{Model: "e", Done: true}, true},
		{"usage of a choice", `{"choices":[{` + someUsage + `}]}`, wire.Answer{Done: true}, true},
		{"usage in three places", `{` + someUsage + `,"choices":[{"usage":{"prompt_tokens":9}}],"x_groq":{"usage":{"prompt_tokens":8}}}`,
			wire.Answer{Done: true}, true},
		{"cut off", `{"model":"m","choices":[{"message":{"content":"abc`, wire.Answer{Model: "m", TextBytes: 3}, false},
		{"cut off behind the usage", `{"model":"m",` + someUsage + `,"x":[`, wire.Answer{Model: "m"}, true},
		{"error", `{"error":{"message":"m","code":"content_filter","status":400}}`,
			wire.Answer{Done: true, Err: &wire.Error{Message: "m", Code: "content_filter", Status: 400}}, false},
		{"error text", `{"error":"m"}`, wire.Answer{Done: true, Err: &wire.Error{Message: "m"}}, false},
		{"no error", `{"error":null,"choices":[{"error":{}}],` + someUsage + `}`, wire.Answer{Done: true}, true},
		{"error of a choice", `{"choices":[{"error":{"message":"m","code":502},"finish_reason":"error"}],` + someUsage + `}`,
			wire.Answer{Done: true, FinishReason: "error", Err: &wire.Error{Message: "m", Code: "502", Status: 502}}, true},
		{"error of its own kind", `{"object":"error","message":"m","type":"t","param":null,"code":40001}`,
			wire.Answer{Done: true, Err: &wire.Error{Message: "m", Type: "t", Code: "40001"}}, false},
		{"endless error", `{"error":{"message":"` + strings.Repeat("x", 1<<17) + `"}}`,
			wire.Answer{Done: true, Err: &wire.Error{Message: "an error too large to be read"}}, false},
		{"not JSON", `<html>`, wire.Answer{}, false},
		{"an array", `[{"model":"m"}]`, wire.Answer{Done: true}, false},
		{"odd kinds", `{"id":{"a":1},"model":7,"choices":{},"usage":"x","object":[1],"service_tier":null}`, wire.Answer{Done: true}, false},
	} {
		if c.usage {
			c.want.UsageSeen = true
			c.want.Usage = wire.Usage{Input: 3, Output: 2, Requests: 1}
		}
		for _, size := range []int{1, 7, 1 << 20} {
			got := *bodyIn(c.text, size)
			got.RawUsage = nil
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s, pieces of %d:\n got %+v\nwant %+v", c.name, size, got, c.want)
			}
		}
	}
}

// TestBodyAsItPasses asks for the answer after every byte.
func TestBodyAsItPasses(t *testing.T) {
	t.Parallel()
	const text = `{"model":"m","choices":[{"message":{"content":"abcdef"}}],` + someUsage + `}`
	r := openai.Format{}.NewBodyReader(&wire.Request{Operation: wire.Chat})
	seen, last := false, int64(0)
	for i := range len(text) {
		r.Write([]byte(text[i : i+1]))
		a := r.Answer()
		if a.UsageSeen && !seen && i < strings.Index(text, `"total_tokens":5}`) {
			t.Errorf("usage seen at byte %d", i)
		}
		if a.TextBytes < last || a.Done != (i == len(text)-1) {
			t.Errorf("at byte %d: %+v", i, a)
		}
		seen, last = a.UsageSeen, a.TextBytes
	}
	if !seen || last != 6 {
		t.Errorf("%+v", r.Answer())
	}
}

// TestBodyMemory passes large bodies by: nothing is allocated for them.
func TestBodyMemory(t *testing.T) {
	for name, text := range largeBodies {
		r := openai.Format{}.NewBodyReader(&wire.Request{Operation: wire.Chat})
		r.Write(text[:4096])
		if n := testing.AllocsPerRun(10, func() { r.Write(text[4096 : 4096+len(text)/16]) }); n > 1 {
			t.Errorf("%s: %v allocations for a piece", name, n)
		}
	}
}

func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"id":"c","choices":[{"message":{"content":"h\u00e9"},"finish_reason":"stop"}],`+someUsage+`}`), uint16(3))
	f.Add([]byte(`{"error":{"message":"m"},"object":"error"} x`), uint16(1))
	f.Fuzz(func(t *testing.T, text []byte, size uint16) {
		want, _ := json.Marshal(bodyIn(string(text), len(text)+1))
		got, _ := json.Marshal(bodyIn(string(text), int(size)+1))
		if !bytes.Equal(got, want) {
			t.Fatalf("%q in pieces of %d:\n got %s\nwant %s", text, size+1, got, want)
		}
	})
}
