package farebox

import (
	"encoding/json"
	"testing"

	openai "github.com/sashabaranov/go-openai"
)

func TestMend(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"nothing", `{"usage":{"prompt_tokens":12},"choices":[{"message":{"content":"a"}}]}`, ""},
		{"not JSON", `{"usage":{"prompt_tokens":1.0`, ""},
		{"counts", `{"created": 1.7e9 ,"usage":{"prompt_tokens":12.0,"x":{"cached_tokens":3.5}}}`,
			`{"created": 1700000000 ,"usage":{"prompt_tokens":12,"x":{"cached_tokens":3}}}`},
		{"other fractions stay", `{"score":1.0,"index":0.0}`, `{"score":1.0,"index":0}`},
		{"negative count", `{"total_tokens":-4.0}`, `{"total_tokens":-4}`},
		{"count beyond all bounds", `{"total_tokens":1e999}`, ""},
		{"text parts", `{"choices":[{"message":{"content":[{"type":"text","text":"a\"\n"},{"type":"text","text":"b"}]}}]}`,
			`{"choices":[{"message":{"content":"a\"\nb"}}]}`},
		{"thinking", `{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"}]}}`,
			`{"delta":{"content":"a","reasoning_content":"hm"}}`},
		{"thinking as a text", `{"delta":{"content":[{"type":"thinking","thinking":"hm"}]}}`,
			`{"delta":{"content":"","reasoning_content":"hm"}}`},
		{"summary", `{"delta":{"content":[{"type":"reasoning","summary":[{"type":"summary_text","text":"hm","signature":""}]}]}}`,
			`{"delta":{"content":"","reasoning_content":"hm"}}`},
		{"parts of no kind", `{"delta":{"content":[1,"a",{"type":"image"},null]}}`, `{"delta":{"content":""}}`},
		{"content elsewhere", `{"logprobs":{"content":[{"token":"a"}]}}`, ""},
		{"tool call", `{"message":{"tool_calls":[{"id":0,"function":{"name":"f","arguments":{"a": [1]}}}]}}`,
			`{"message":{"tool_calls":[{"id":"0","function":{"name":"f","arguments":"{\"a\": [1]}"}}]}}`},
	} {
		got, ok := mend([]byte(c.in))
		if string(got) != c.want || ok != (c.want != "") {
			t.Errorf("%s:\n got %s, %v\nwant %s", c.name, got, ok, c.want)
		}
	}
}

// TestDecodeChatKeepsWhatFits checks that only an answer that needs mending is mended.
func TestDecodeChatKeepsWhatFits(t *testing.T) {
	t.Parallel()
	var resp openai.ChatCompletionResponse
	plain := `{"created":17,"choices":[{"message":{"role":"assistant","content":"a"}}]}`
	if err := decodeChat([]byte(plain), &resp); err != nil || resp.Choices[0].Message.Content != "a" {
		t.Errorf("%+v, %v", resp, err)
	}
	for _, wrong := range []string{`[]`, `"text"`, `{"choices":"none"}`, `{"choices":[{"index":"first"}]}`, `{"id":1.5,`} {
		if err := decodeChat([]byte(wrong), &openai.ChatCompletionResponse{}); err == nil {
			t.Errorf("%s decodes", wrong)
		}
	}
}

func FuzzMend(f *testing.F) {
	for _, seed := range []string{
		`{"usage":{"prompt_tokens":1.0}}`, `{"delta":{"content":[{"text":"a"},{"thinking":[{"text":"b"}]}]}}`,
		`{"message":{"tool_calls":[{"id":1,"function":{"arguments":{}}}]}}`, `{"created":1e400}`, `[[[`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		mended, ok := mend(data)
		if !ok {
			return
		}
		if json.Valid(data) && !json.Valid(mended) {
			t.Errorf("%q became %q", data, mended)
		}
		if again, more := mend(mended); more && json.Valid(data) {
			t.Errorf("%q became %q and then %q", data, mended, again)
		}
	})
}
