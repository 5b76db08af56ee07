package prompt

import (
	"encoding/json"
	"strings"
	"testing"
)

func FuzzCount(f *testing.F) {
	for _, body := range []string{
		`{"messages":[{"role":"user","content":"hello"}]}`,
		`{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}],"tools":[{"function":{"name":"f","parameters":{"properties":{"a":{"type":["string","null"],"enum":["x"]}}}}}]}`,
		`{"messages":[{"content":[{"image_url":{"url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAA"}},{"input_audio":{"data":"UklGRg=="}},{"file":{"file_data":"x"}}]}]}`,
		`{"prompt":[[1,2],"a"],"suffix":"b","response_format":{"json_schema":{"name":"n","schema":{}}},"thinking":{"type":"enabled"}}`,
		`{"input":"\ud83d\ude00\ud83d","functions":[{"name":"f","parameters":true},7,null]}`,
	} {
		for _, model := range []string{"gpt-4o", "gpt-5-mini", "anthropic/claude-sonnet-4.5", "gemini-2.0-flash", "venice/x", "deepseek-r1"} {
			f.Add(model, []byte(body), int64(20), uint8(OpenAI))
		}
	}
	for body, format := range map[string]Format{
		responsesBody: Responses, anthropicBody: Anthropic, geminiBody: Gemini,
	} {
		f.Add("gpt-5", []byte(body), int64(20), uint8(format))
		f.Add("claude-sonnet-4-5", []byte(body), int64(1000), uint8(format))
	}
	f.Fuzz(func(t *testing.T, model string, body []byte, limit int64, which uint8) {
		format := Format(which % 4)
		e, err := Count(format, model, body)
		if err != nil {
			if json.Valid(body) && len(body) > 0 && body[0] == '{' && strings.Count(string(body), "[")+strings.Count(string(body), "{") < 500 {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if e.Tokens < 0 || e.Bounded && e.Most < e.Tokens || !e.Bounded && e.Most != 0 || e.Family == "" {
			t.Fatalf("%q for %q: %+v", body, model, e)
		}
		some, fits, err := CountUpTo(format, model, body, limit)
		if err != nil || fits != (e.Tokens <= limit) || fits && some != e || !fits && some.Tokens <= limit {
			t.Fatalf("%q for %q up to %d: %+v, %v, %v; whole %+v", body, model, limit, some, fits, err, e)
		}
	})
}

func FuzzImageSize(f *testing.F) {
	f.Add(pngHead(10, 20))
	f.Add(jpegHead(10, 20, 14, 100))
	f.Add(gifHead(10, 20))
	f.Add(webpHead("VP8X", 0, 0, 0, 0, 1, 0, 0, 1, 0, 0))
	f.Fuzz(func(t *testing.T, head []byte) {
		w, h := imageSize(head)
		for _, r := range modelRules {
			if n := r.family.image.tokens(w, h, false); n < 0 || n > r.family.image.largest() {
				t.Fatalf("%d by %d: %d tokens", w, h, n)
			}
		}
	})
}

func FuzzLearner(f *testing.F) {
	f.Add([]byte(`[{"model":"m","kind":1,"refuted":true,"pairs":[[1,2],[3,4],[5,6]]}]`))
	f.Fuzz(func(t *testing.T, kept []byte) {
		var l Learner
		if json.Unmarshal(kept, &l) != nil {
			return
		}
		for kind := range Kind(kinds) {
			if e := l.Adjust("m", Estimate{Tokens: 1 << 40, Most: 1 << 41, Bounded: true, Kind: kind}); e.Tokens < 0 || e.Bounded && e.Most < e.Tokens {
				t.Fatalf("%s: %+v", kept, e)
			}
		}
	})
}
