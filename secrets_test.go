package farebox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
)

const (
	promptSecret = "the-patient-is-called-Ottilie"
	answerSecret = "her-diagnosis-is-private"
)

// keys have the forms that providers give them; the last ones have no prefix to know them by.
var keys = []string{
	testKey, "sk-or-v1-" + strings.Repeat("ab12", 16), "sk-ant-api03-" + strings.Repeat("Q9_-", 20), "gsk_" + strings.Repeat("Zz9", 16),
	strings.Repeat("0f", 16), strings.Repeat("deadbeef", 8), "AIzaSy" + strings.Repeat("k", 33), "plain pass phrase of a proxy",
}

// forms are the ways in which a value finds its way into a log.
func forms(value any) map[string]string {
	encoded, err := json.Marshal(value)
	if err != nil {
		encoded = []byte(err.Error())
	}
	var text, jsonLog bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "value", value)
	slog.New(slog.NewJSONHandler(&jsonLog, nil)).Info("m", "value", value)
	return map[string]string{
		"%v": fmt.Sprintf("%v", value), "%+v": fmt.Sprintf("%+v", value), "%#v": fmt.Sprintf("%#v", value), "%s": fmt.Sprintf("%s", value),
		"%q": fmt.Sprintf("%q", value), "%x": fmt.Sprintf("%x", value), "%d": fmt.Sprintf("%d", value),
		"JSON": string(encoded), "slog text": text.String(), "slog JSON": jsonLog.String(),
	}
}

// wantSecret checks that no form of a value shows any of the secrets, in whatever way bytes are written out.
func wantSecret(t *testing.T, what string, value any, secrets ...string) {
	t.Helper()
	for form, shown := range forms(value) {
		for _, secret := range secrets {
			written := []byte(secret)
			for _, way := range []string{
				secret, fmt.Sprintf("%x", written), strings.Trim(fmt.Sprint(written), "[]"),
				strings.Trim(strings.TrimPrefix(fmt.Sprintf("%#v", written), "[]byte"), "{}"),
			} {
				if strings.Contains(shown, way) {
					t.Errorf("%s printed with %s shows %q: %.300s", what, form, secret, shown)
					return
				}
			}
		}
	}
}

func TestEndpointKeepsItsKey(t *testing.T) {
	t.Parallel()
	for _, key := range keys {
		e := farebox.OpenAI(key).WithHeader("X-Extra", "header-"+key)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
			if shown := fmt.Sprintf(verb, e); shown != "openai (https://api.openai.com/v1)" {
				t.Errorf("%s prints %q", verb, shown)
			}
		}
		type config struct {
			Name     string
			Endpoint farebox.Endpoint
			hidden   farebox.Endpoint
			Pointer  *farebox.Endpoint
		}
		for what, value := range map[string]any{
			"Endpoint": e, "*Endpoint": &e, "slice": []farebox.Endpoint{e}, "map": map[string]farebox.Endpoint{"a": e},
			"struct": config{"n", e, e, &e},
		} {
			wantSecret(t, what, value, key)
		}
	}
}

// echoes answers an error in which the provider repeats the key, the prompt and an answer, in every place it has.
func echoes(shape string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		quoted, _ := json.Marshal(key)
		fill := strings.NewReplacer("KEY", strings.Trim(string(quoted), `"`), "PROMPT", promptSecret, "ANSWER", answerSecret)
		w.Header().Set("X-Request-Id", "req-1")
		status, body, _ := strings.Cut(fill.Replace(shape), " ")
		if status == "stream" {
			streams(helloChunk, "data: "+body+"\n\n")(w, r)
			return
		}
		code := 0
		_, _ = fmt.Sscan(status, &code)
		answers(code, body)(w, r)
	}
}

var echoShapes = []string{
	`401 {"error":{"message":"Incorrect API key provided: KEY. Find yours in the console.","type":"auth","code":"invalid_api_key"}}`,
	`401 {"error":"bad key KEY"}`,
	`401 bad key KEY in plain words`,
	`401 <html><head><title>key KEY refused</title></head><body>KEY PROMPT</body></html>`,
	`403 {"detail":"token KEY has no access","request":{"messages":[{"content":"PROMPT"}]}}`,
	`422 {"detail":[{"type":"missing","loc":["body","x"],"msg":"Field required","input":{"messages":[{"role":"user","content":"PROMPT"}],"key":"KEY"}}]}`,
	`400 {"error":{"message":"m","type":"KEY","code":"KEY","failed_generation":"ANSWER"},"prompt":"PROMPT"}`,
	`429 {"error":{"code":429,"message":"Provider returned error","metadata":{"provider_name":"X","raw":"key KEY is limited"}}}`,
	`500 {"error":{"message":"upstream said Authorization: Bearer KEY"},"echo":"PROMPT"}`,
	`301 moved, KEY`,
	`200 {"error":{"message":"inside 200: KEY"},"input":"PROMPT"}`,
	`200 {"choices":"not a list","content":"ANSWER","key":"KEY"}`,
	`200 not JSON KEY ANSWER`,
	`stream {"error":{"message":"mid-stream KEY"},"choices":[{"delta":{"content":"ANSWER"}}]}`,
	`stream {"choices":"ANSWER KEY"}`,
	`stream not json ANSWER`,
}

// TestErrorsKeepSecrets takes every error path with every form of key, and looks at all that comes out of it.
func TestErrorsKeepSecrets(t *testing.T) {
	t.Parallel()
	for i, shape := range echoShapes {
		key := keys[i%len(keys)]
		for _, key := range []string{key, keys[(i+4)%len(keys)]} {
			t.Run(shape[:min(len(shape), 40)], func(t *testing.T) {
				t.Parallel()
				checkSecrets(t, serve(t, echoes(shape)).URL, key, shape)
			})
		}
	}
	t.Run("connection refused", func(t *testing.T) {
		t.Parallel()
		checkSecrets(t, closedPort(t), keys[5], "")
	})
	t.Run("cut connection", func(t *testing.T) {
		t.Parallel()
		checkSecrets(t, serve(t, hangUp).URL, keys[5], "")
	})
}

func checkSecrets(t *testing.T, base, key, shape string) {
	t.Helper()
	var logged bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	endpoint := farebox.OpenAI(key).WithBaseURL(base + "/v1")
	client := newClient(t, endpoint, noRetry, farebox.WithLogger(logger), farebox.WithSink(farebox.LogSink(logger)))
	request := chatRequest()
	request.Messages = []openai.ChatCompletionMessage{{Role: "user", Content: promptSecret}}
	ctx := farebox.ContextWithTags(context.Background(), farebox.Tags{"team": "t"})
	_, unary := client.CreateChatCompletion(ctx, request)
	if unary == nil && !strings.HasPrefix(shape, "stream") {
		t.Error("the unary call did not fail")
	}
	var streamed error
	if stream, err := client.CreateChatCompletionStream(ctx, request); err != nil {
		streamed = err
	} else {
		_, streamed = text(stream)
	}
	for what, err := range map[string]error{"unary error": unary, "stream error": streamed} {
		if err == nil {
			continue
		}
		wantSecret(t, what, err, key, promptSecret, answerSecret)
		wantSecret(t, what+" wrapped", fmt.Errorf("w: %w", err), key, promptSecret, answerSecret)
		var failure *farebox.APIError
		if errors.As(err, &failure) && bytes.Contains(failure.Body, []byte(key)) {
			t.Errorf("%s: Body holds the key: %s", what, failure.Body)
		}
		if encoded, _ := json.Marshal(err); failure != nil && strings.Contains(strings.ToLower(string(encoded)), `"body"`) {
			t.Errorf("%s: its JSON holds the body, which may repeat a prompt: %s", what, encoded)
		}
	}
	for _, receipt := range ledger(client.Meter()) {
		wantSecret(t, "receipt", receipt, key, promptSecret, answerSecret)
	}
	if strings.Contains(logged.String(), key) || strings.Contains(logged.String(), promptSecret) {
		t.Errorf("the log shows a secret: %s", logged.String())
	}
}

// TestRefusalsKeepSecrets: what farebox itself says of a request that it did not send.
func TestRefusalsKeepSecrets(t *testing.T) {
	t.Parallel()
	client := newClient(t, farebox.OpenAI(keys[5]), farebox.WithBudget(farebox.Budget{Name: "none"}))
	request := chatRequest()
	request.Messages[0].Content = promptSecret
	_, err := client.CreateChatCompletion(context.Background(), request)
	var refused *farebox.BudgetError
	if !errors.As(err, &refused) {
		t.Fatalf("error %v, want a BudgetError", err)
	}
	wantSecret(t, "BudgetError", err, keys[5], promptSecret)
}

// TestURLsKeepSecrets: a key that was pasted into the base URL.
func TestURLsKeepSecrets(t *testing.T) {
	t.Parallel()
	for _, base := range []string{
		"https://user:" + keys[5] + "@host/v1", "https://host/v1\x7f?key=" + keys[5], "://" + keys[5], keys[5], "ftp://host/" + keys[5],
	} {
		_, err := farebox.New(farebox.Compatible("mine", base, ""))
		if err == nil {
			t.Errorf("%q: no error", base)
			continue
		}
		wantSecret(t, "error of New", err, keys[5])
	}
	server := httptest.NewServer(http.HandlerFunc(hangUp))
	defer server.Close()
	client := newClient(t, farebox.Compatible("mine", server.URL+"/v1?key="+url.QueryEscape(keys[5]), ""), noRetry)
	_, err := client.CreateChatCompletion(context.Background(), chatRequest())
	wantSecret(t, "network error", err, keys[5])
}
