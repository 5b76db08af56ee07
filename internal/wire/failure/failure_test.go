package failure_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/failure"
)

func TestReadError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		want       wire.Error
	}{
		{"OpenAI", `{"error":{"message":"no such model","type":"invalid_request_error","param":"model","code":"model_not_found"}}`,
			wire.Error{Message: "no such model", Type: "invalid_request_error", Param: "model", Code: "model_not_found"}},
		{"nulls", `{"error":{"message":"Invalid request","type":null,"param":null,"code":null}}`, wire.Error{Message: "Invalid request"}},
		{"Azure, code in digits", `{"error":{"code":"404","message":"Resource not found"}}`,
			wire.Error{Message: "Resource not found", Code: "404", Status: 404}},
		{"Azure, status", `{"error":{"code":"content_filter","message":"m","status":400,"innererror":{"code":"x","message":"secret"}}}`,
			wire.Error{Message: "m", Code: "content_filter", Status: 400}},
		{"text", `{"error":"Specified model not found"}`, wire.Error{Message: "Specified model not found"}},
		{"flat", `{"code":400,"message":"Temperature","type":"Bad Request"}`,
			wire.Error{Message: "Temperature", Code: "400", Status: 400, Type: "Bad Request"}},
		{"Mistral", `{"object":"error","message":"Invalid model: x","type":"invalid_model","param":null,"code":"1500","raw_status_code":400}`,
			wire.Error{Message: "Invalid model: x", Type: "invalid_model", Code: "1500", Status: 400}},
		{"Mistral, validation", `{"object":"error","message":{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":{"a":"secret"}}]}}`,
			wire.Error{Message: "Field required", Type: "missing"}},
		{"detail", `{"detail":"Not found"}`, wire.Error{Message: "Not found"}},
		{"details", `{"detail":[{"loc":["body"],"msg":"too long","type":"value_error","input":"secret"},{"msg":"other"}]}`,
			wire.Error{Message: "too long", Type: "value_error"}},
		{"list", `{"errors":[{"message":"one","code":7000},{"message":"two"}]}`, wire.Error{Message: "one", Code: "7000"}},
		{"Gemini's array", `[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED",
			"details":[{"@type":"x"},{"retryDelay":"34s"}]}}]`, wire.Error{Message: "quota", Code: "429", Status: 429, RetryAfter: "34"}},
		{"OpenRouter", `{"error":{"code":429,"message":"Provider returned error","metadata":{"provider_name":"Google","error_type":"rate_limit_exceeded",
			"raw":"busy, retry shortly","headers":{"Retry-After":"7"}}},"user_id":"user_1"}`,
			wire.Error{Message: "Provider returned error: busy, retry shortly", Code: "429", Status: 429, Provider: "Google",
				Type: "rate_limit_exceeded", RetryAfter: "7"}},
		{"OpenRouter, raw JSON", `{"error":{"code":502,"message":"m","metadata":{"raw":"{\"error\":{\"message\":\"inner\",\"prompt\":\"secret\"}}","provider_code":5}}}`,
			wire.Error{Message: "m: inner", Code: "502", Status: 502}},
		{"OpenRouter, raw object", `{"error":{"message":"m","metadata":{"raw":{"message":"inner"},"retry_after":3}}}`,
			wire.Error{Message: "m: inner", RetryAfter: "3"}},
		{"Groq, failed generation", `{"error":{"message":"bad call","type":"t","code":"tool_use_failed","failed_generation":"secret","status_code":400}}`,
			wire.Error{Message: "bad call", Type: "t", Code: "tool_use_failed", Status: 400}},
		{"one in the other", `{"error":{"error":{"message":"inner","code":"c"},"message":"outer"},"message":"outermost"}`,
			wire.Error{Message: "inner", Code: "c"}},
		{"page", "<!DOCTYPE html>\n<html><head><title>502\n Bad Gateway</title></head><body>secret</body></html>", wire.Error{Message: "502 Bad Gateway"}},
		{"page without title", "<html><body>secret</body></html>", wire.Error{Message: "HTML page"}},
		{"page, cut", "<html><title>50", wire.Error{Message: "HTML page"}},
		{"page, empty title", "<html><title> </title>", wire.Error{Message: "HTML page"}},
		{"plain", "  upstream\tconnect\r\nerror ", wire.Error{Message: "upstream connect error"}},
		{"plain with a mark", "\xEF\xBB\xBFno", wire.Error{Message: "no"}},
		{"quoted", `"just text"`, wire.Error{Message: "just text"}},
		{"nothing", "", wire.Error{Message: "Bad Gateway"}},
		{"nothing said", `{"foo":{"message":"secret"}}`, wire.Error{Message: "Bad Gateway"}},
		{"cut off", `{"error":{"message":"whole","type":"t","code":"c","more":{"x":`, wire.Error{Message: "whole", Type: "t", Code: "c"}},
		{"escapes", `{"error":{"message":"caf\u00e9\nbar"}}`, wire.Error{Message: "café bar"}},
		{"key", `{"error":{"message":"Incorrect API key provided: sk-proj-abcdefghijklmnop. Not hf_xx, nor task-force-of-nine-people."}}`,
			wire.Error{Message: "Incorrect API key provided: sk-***. Not hf_xx, nor task-force-of-nine-people."}},
	} {
		got := failure.Read(502, []byte(c.body))
		if got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, c.want)
		}
		if strings.Contains(got.Message, "secret") {
			t.Errorf("%s tells too much", c.name)
		}
	}
}

func TestErrorsAreShort(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("wörter ", 5000)
	for _, body := range []string{
		long, `{"error":"` + long + `"}`, `{"error":{"message":"` + long + `","code":"` + long + `","type":"` + long + `"}}`,
		`{"error":{"message":"m","metadata":{"raw":"` + long + `"}}}`, "<title>" + long[:2000] + "</title>", "<" + long,
		"wörter " + strings.Repeat("\xff\xfe\x00", 5000),
	} {
		e := failure.Read(500, []byte(body))
		for _, text := range []string{e.Message, e.Code, e.Type} {
			if n := utf8.RuneCountInString(text); n > 300 || !utf8.ValidString(text) {
				t.Errorf("%.30s: %d runes: %q", body, n, text)
			}
		}
		if e.Message == "" {
			t.Errorf("%.30s: no message", body)
		}
	}
}

func FuzzReadError(f *testing.F) {
	f.Add([]byte(`{"error":{"code":429,"message":"m","metadata":{"raw":"{\"error\":\"x\"}"},"details":[{"retryDelay":"1s"}]}}`))
	f.Add([]byte(`<html><TITLE lang=x>İ</TITLE>`))
	f.Add([]byte("sk-sk-sk-aaaaaaaaaaaaaaaaaaaaaaa AIza"))
	f.Fuzz(func(t *testing.T, body []byte) {
		e := failure.Read(503, body)
		if n := utf8.RuneCountInString(e.Message); n > 300 || n == 0 || !utf8.ValidString(e.Message) || strings.ContainsAny(e.Message, "\r\n\t") {
			t.Fatalf("%q: %q", body, e.Message)
		}
	})
}
