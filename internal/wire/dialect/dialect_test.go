package dialect

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, raw string
		in, out   int64
		units     string
		model     string
	}{
		{"OpenAI's chat", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}`, 10, 5, "", ""},
		{"an answer", `{"id":"x","model":"m","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`, 10, 5, "", "m"},
		{"the event of a response", `{"type":"response.completed","response":{"model":"m","usage":{"input_tokens":10,"output_tokens":5}}}`, 10, 5, "", "m"},
		{"Anthropic's: the cache beside the input", `{"input_tokens":10,"cache_read_input_tokens":100,"output_tokens":5}`, 110, 5, "", ""},
		{"its names beside prompt_tokens: inside", `{"prompt_tokens":110,"cache_read_input_tokens":100,"completion_tokens":5}`, 110, 5, "", ""},
		{"a message", `{"type":"message","model":"m","usage":{"input_tokens":10,"output_tokens":5,"iterations":[]}}`, 10, 5, "", "m"},
		{"the first event of one", `{"type":"message_start","message":{"model":"m","usage":{"input_tokens":10,"output_tokens":5}}}`, 10, 5, "", "m"},
		{"Gemini's: thoughts beside candidates", `{"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":7,"totalTokenCount":22}`, 10, 12, "", ""},
		{"generateContent", `{"modelVersion":"m","usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5}}`, 10, 5, "", "m"},
		{"an interaction", `{"total_input_tokens":10,"total_output_tokens":5,"total_thought_tokens":3,"total_tokens":18}`, 10, 8, "", ""},
		{"Bedrock's converse", `{"inputTokens":13,"outputTokens":5,"totalTokens":1522,"cacheReadInputTokens":1504,"cacheWriteInputTokens":0}`, 1517, 5, "", ""},
		{"Cohere's billed units", `{"billed_units":{"input_tokens":13,"output_tokens":8},"tokens":{"input_tokens":542,"output_tokens":8}}`, 13, 8, "", ""},
		{"a ranking", `{"id":"x","results":[],"meta":{"billed_units":{"search_units":2}}}`, 0, 0, "search_unit=2", ""},
		{"transcription by time", `{"type":"duration","seconds":12.5}`, 0, 0, "audio_ms=12500", ""},
		{"images without details of the output", `{"input_tokens":10,"output_tokens":100,"total_tokens":110,"input_tokens_details":{"text_tokens":10,"image_tokens":0}}`,
			10, 100, "", ""},
	} {
		a, ok := Read([]byte(test.raw))
		if !ok {
			t.Errorf("%s: nothing is read", test.name)
			continue
		}
		var units []string
		for name, n := range a.Usage.Units {
			text, _ := json.Marshal(n)
			units = append(units, name+"="+string(text))
		}
		if a.Usage.InputTokens() != test.in || a.Usage.OutputTokens() != test.out || a.Model != test.model || strings.Join(units, " ") != test.units || a.Contradictory {
			t.Errorf("%s: %+v", test.name, a)
		}
	}
	for _, raw := range []string{"", "null", "[]", "1", `"x"`, "{}", `{"usage":{}}`, `{"usage":null}`, `{"prompt_tokens":1`, `{"usage":{"usage":{"usage":{"usage":{"prompt_tokens":1}}}}}`} {
		if a, ok := Read([]byte(raw)); ok {
			t.Errorf("%s is read as %+v", raw, a.Usage)
		}
	}
}

// FuzzRead checks that no text panics, and that what is read is disjoint, never negative, and never more than is stated.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":3,"audio_tokens":9}}`,
		`{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation":{"ephemeral_1h_input_tokens":3},"output_tokens":5,"iterations":[{"type":"compaction","input_tokens":9}]}`,
		`{"promptTokenCount":10,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":99}],"cachedContentTokenCount":50,"totalTokenCount":1}`,
		`{"usage":{"seconds":"12.5","cost":0.1}}`, `{"usageMetadata":{"totalTokenCount":-1}}`, `{"usage":{"usage":{}}}`,
		`{"prompt_tokens":10,"cached_prompt_text_tokens":20,"server_side_tools_used":["SERVER_SIDE_TOOL_WEB_SEARCH","x"],"reasoning_tokens":9007199254740992}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, ok := Read(raw)
		if !ok {
			return
		}
		u := &a.Usage
		for _, n := range []int64{
			u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.AudioInput, u.AudioCacheRead, u.ImageInput, u.ImageCacheRead, u.VideoInput,
			u.Output, u.Reasoning, u.AudioOutput, u.ImageOutput, u.VideoOutput, u.Citation, u.WebSearches, u.Requests,
		} {
			if n < 0 || n > 1<<60 {
				t.Errorf("%s: %+v", raw, u)
			}
		}
		for name, n := range u.Units {
			if n <= 0 || name == "" {
				t.Errorf("%s: %d %s", raw, n, name)
			}
		}
	})
}

// TestRecorded reads every usage object of the recordings without being told what API it is from.
func TestRecorded(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("FAREBOX_RECORDINGS")
	if dir == "" {
		t.Skip("FAREBOX_RECORDINGS names no folder of recordings")
	}
	index, err := os.ReadFile(filepath.Join(dir, "INDEX.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	read, left := 0, map[string]int{}
	for line := range strings.Lines(string(index)) {
		var x struct {
			API    string          `json:"api"`
			Usage  json.RawMessage `json:"usage"`
			Status int             `json:"status"`
		}
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatal(err)
		}
		if len(x.Usage) == 0 || x.Usage[0] != '{' || x.Status >= 400 {
			continue
		}
		if _, ok := Read(x.Usage); ok {
			read++
		} else {
			left[x.API]++
		}
	}
	t.Logf("%d are read; not: %v", read, left)
	for _, api := range []string{
		"openai.chat_completions", "openai.responses", "openai.embeddings", "openai.completions", "openai.audio.transcriptions", "anthropic.messages",
		"gemini.interactions", "gemini.openai", "bedrock.converse", "cohere.chat", "cohere.rerank", "voyageai.embeddings", "writer.chat", "xai.grpc_chat",
	} {
		if left[api] > 0 {
			t.Errorf("%d usages of %s are not read", left[api], api)
		}
	}
}
