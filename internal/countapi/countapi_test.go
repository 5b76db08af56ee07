package countapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

func TestFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		provider, format string
		ok               bool
	}{
		{"anthropic", "anthropic", true}, {"anthropic", "openai", true}, {"google", "gemini", true}, {"google", "openai", true},
		{"openai", "openai.responses", true},
		{"openai", "openai", false}, // farebox counts those exactly, and other tokens are put around them
		{"openrouter", "openai", false}, {"", "anthropic", false}, {"anthropic", "gemini", false},
	} {
		if api := For(c.provider, c.format); (api != nil) != c.ok {
			t.Errorf("For(%q, %q) = %v", c.provider, c.format, api)
		}
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ provider, format, base, model, want string }{
		{"anthropic", "anthropic", "/v1", "claude-opus-5", "/v1/messages/count_tokens"},
		{"anthropic", "openai", "", "claude-opus-5", "/v1/messages/count_tokens"},
		{"anthropic", "anthropic", "/proxy/v1/", "claude-opus-5", "/proxy/v1/messages/count_tokens"},
		{"google", "openai", "/v1beta/openai", "gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro:countTokens"},
		{"google", "gemini", "/v1beta", "models/gemini-2.5-pro", "/v1beta/models/gemini-2.5-pro:countTokens"},
		{"openai", "openai.responses", "/v1", "gpt-5", "/v1/responses/input_tokens"},
	} {
		if got := For(c.provider, c.format).Path(c.base, c.model); got != c.want {
			t.Errorf("%s at %q: %s, want %s", c.provider, c.base, got, c.want)
		}
	}
}

func TestSign(t *testing.T) {
	t.Parallel()
	for provider, want := range map[string]http.Header{
		"anthropic": {"X-Api-Key": {"k"}, "Anthropic-Version": {"2023-06-01"}},
		"google":    {"X-Goog-Api-Key": {"k"}},
		"openai":    {"Authorization": {"Bearer k"}},
	} {
		h := http.Header{}
		for _, format := range []string{"openai", "openai.responses"} {
			if api := For(provider, format); api != nil {
				api.Sign("k", h)
			}
		}
		want.Set("Content-Type", "application/json")
		if !reflect.DeepEqual(h, want) {
			t.Errorf("%s: %v, want %v", provider, h, want)
		}
	}
}

// TestBody compares bodies with those that the endpoints document.
func TestBody(t *testing.T) {
	t.Parallel()
	const chat = `{"model":"m","max_tokens":9,"messages":[{"role":"system","content":"Be brief."},{"role":"developer","content":[{"type":"text","text":"Be kind."}]},
		{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}}]},
		{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},
		{"role":"tool","tool_call_id":"c1","content":"done"}],
		"tools":[{"type":"function","function":{"name":"f","description":"Does.","parameters":{"type":"object","properties":{"a":{"type":"integer"}}}}}]}`
	for _, c := range []struct{ name, provider, format, body, want string }{
		{"messages", "anthropic", "anthropic",
			`{"model":"m","max_tokens":9,"stream":true,"temperature":0,"metadata":{},"system":"s","messages":[],"tools":[],"thinking":{"type":"enabled"}}`,
			`{"model":"m","system":"s","messages":[],"tools":[],"thinking":{"type":"enabled"}}`},
		{"responses", "openai", "openai.responses",
			`{"model":"m","input":"hi","store":false,"stream":true,"max_output_tokens":9,"instructions":"s","text":{}}`,
			`{"model":"m","input":"hi","instructions":"s","text":{}}`},
		{"contents", "google", "gemini",
			`{"contents":[],"systemInstruction":{"parts":[]},"labels":{},"generationConfig":{"maxOutputTokens":9}}`,
			`{"generateContentRequest":{"model":"models/m","contents":[],"systemInstruction":{"parts":[]},"generationConfig":{"maxOutputTokens":9}}}`},
		{"a chat at Anthropic", "anthropic", "openai", chat,
			`{"model":"m","system":"Be brief.\nBe kind.","messages":[
			{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}]},
			{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f","input":{"a":1}}]},
			{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"done"}]}],
			"tools":[{"name":"f","description":"Does.","input_schema":{"type":"object","properties":{"a":{"type":"integer"}}}}]}`},
		{"a chat at Google", "google", "openai", chat,
			`{"generateContentRequest":{"model":"models/m","systemInstruction":{"parts":[{"text":"Be brief."},{"text":"Be kind."}]},"contents":[
			{"role":"user","parts":[{"text":"Hi"},{"inlineData":{"mimeType":"image/png","data":"aGk="}}]},
			{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":1}}}]},
			{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":"done"}}}]}],
			"tools":[{"functionDeclarations":[{"name":"f","description":"Does.","parametersJsonSchema":{"type":"object","properties":{"a":{"type":"integer"}}}}]}]}}`},
	} {
		raw, err := For(c.provider, c.format).Body(c.format, "m", []byte(c.body))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got, want any
		if json.Unmarshal(raw, &got) != nil || json.Unmarshal([]byte(c.want), &want) != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s, want %s", c.name, raw, c.want)
		}
	}
}

// TestBodyRefuses holds that what cannot be counted is not counted wrong, and that errors quote nothing.
func TestBodyRefuses(t *testing.T) {
	t.Parallel()
	const secret = "the secret"
	for _, provider := range []string{"anthropic", "google"} {
		for _, body := range []string{
			`{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"` + secret + `"}}]}]}`,
			`{"messages":[],"tools":[{"type":"web_search","name":"` + secret + `"}]}`,
			`{"messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"` + secret + `"}}}`,
			`{"messages":"` + secret + `"}`,
		} {
			if raw, err := For(provider, "openai").Body("openai", "m", []byte(body)); !errors.Is(err, ErrNotCounted) || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %s makes %s, %v", provider, body, raw, err)
			}
		}
	}
	for _, body := range []string{``, `[]`, `null`, `{"messages":["` + secret} {
		if raw, err := For("anthropic", "anthropic").Body("anthropic", "m", []byte(body)); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s makes %s, %v", body, raw, err)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]int64{
		`{"input_tokens":1114}`: 1114, `{"object":"response.input_tokens","input_tokens":18}`: 18,
		`{"totalTokens":13,"promptTokensDetails":[{"modality":"TEXT","tokenCount":13}]}`: 13,
		`{"input_tokens":0}`: 0,
	} {
		if got, err := Tokens([]byte(answer)); err != nil || got != want {
			t.Errorf("%s: %d, %v", answer, got, err)
		}
	}
	for _, answer := range []string{``, `{}`, `{"input_tokens":-1}`, `{"input_tokens":1.5}`, `{"input_tokens":"7"}`, `[]`, `<html>`} {
		if got, err := Tokens([]byte(answer)); err == nil {
			t.Errorf("%s: %d", answer, got)
		}
	}
}

func FuzzBody(f *testing.F) {
	f.Add(`{"messages":[{"role":"user","content":"hi"}]}`)
	f.Add(`{"messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"["}}]}],"tools":[{"function":{"name":"f"}}]}`)
	f.Add(`{"contents":[{"parts":[{"text":"hi"}]}],"model":7}`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, api := range apis {
			for _, format := range []string{api.format, "openai"} {
				if For(api.provider, format) == nil {
					continue
				}
				if raw, err := api.Body(format, "m", []byte(body)); err == nil && !json.Valid(raw) {
					t.Errorf("%s, %s: %s makes %s", api.provider, format, body, raw)
				}
			}
		}
		if n, err := Tokens([]byte(body)); err == nil && n < 0 {
			t.Errorf("%s: %d tokens", body, n)
		}
	})
}
