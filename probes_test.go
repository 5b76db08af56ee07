package farebox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox"
)

// The tests of this file are the places where go-openai's client is known to lose or refuse an answer. Each asserts what
// a caller of farebox sees instead.

const openRouterAnswer = `{"id":"gen-1","provider":"DeepInfra","model":"test-model","object":"chat.completion","created":1764000000,` +
	`"choices":[{"index":0,"finish_reason":"stop","native_finish_reason":"STOP","message":{"role":"assistant","content":"Hi",` +
	`"reasoning":"They greeted.","reasoning_details":[{"type":"reasoning.text","text":"They greeted."}]}}],` +
	`"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110,"cost":0.00123456789,"is_byok":false,` +
	`"cost_details":{"upstream_inference_cost":0.001},"prompt_tokens_details":{"cached_tokens":30,"cache_write_tokens":20},` +
	`"completion_tokens_details":{"reasoning_tokens":4}}}`

func TestProbe09_FieldsThatGoOpenAIDrops(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, openRouterAnswer))
	resp, err := newClient(t, openRouterAt(p)).CreateChatCompletion(context.Background(), chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	if string(resp.Raw) != openRouterAnswer {
		t.Errorf("Raw = %s", resp.Raw)
	}
	extra, err := resp.OpenRouter()
	if err != nil {
		t.Fatal(err)
	}
	choice := extra.Choices[0]
	if extra.Provider != "DeepInfra" || choice.NativeFinishReason != "STOP" || choice.Message.Reasoning != "They greeted." || len(choice.Message.ReasoningDetails) != 1 {
		t.Errorf("OpenRouter() = %+v", extra)
	}
	if extra.Usage.Cost != "0.00123456789" || extra.Usage.PromptTokensDetails.CacheWriteTokens != "20" || string(extra.Usage.CostDetails["upstream_inference_cost"]) != "0.001" {
		t.Errorf("OpenRouter().Usage = %+v", extra.Usage)
	}
	r := resp.Receipt
	if r.Reported == nil || r.Reported.Literal != "0.00123456789" || r.Reported.Field != "usage.cost" || r.Reported.BYOK {
		t.Errorf("Reported = %+v", r.Reported)
	}
	if want := farebox.MustMoney("0.00123456789"); r.Source != farebox.Reported || r.Cost != want || resp.Cost != want {
		t.Errorf("cost %s %s, want %s reported", r.Cost, r.Source, want)
	}
	want := farebox.Usage{Input: 50, CacheRead: 30, CacheWrite: 20, Output: 6, Reasoning: 4, Requests: 1}
	if !reflect.DeepEqual(r.Usage, want) {
		t.Errorf("usage %+v, want %+v", r.Usage, want)
	}
	if r.Upstream != "DeepInfra" || r.GenerationID != "gen-1" {
		t.Errorf("upstream %q, generation %q", r.Upstream, r.GenerationID)
	}
}

func TestProbe09_FieldsOfChunks(t *testing.T) {
	t.Parallel()
	chunk := `{"id":"gen-1","provider":"Azure","model":"test-model","choices":[{"index":0,"delta":{"content":"Hello","reasoning":"hm"},"finish_reason":null}]}`
	last := `{"id":"gen-1","provider":"Azure","model":"test-model","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":10,"cost":0.5}}`
	p := serve(t, streams("data: "+chunk+"\n\n", "data: "+last+"\n\n", doneChunk))
	stream, err := newClient(t, openRouterAt(p)).CreateChatCompletionStream(context.Background(), chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil || string(first.Raw) != chunk {
		t.Fatalf("first chunk %s, %v", first.Raw, err)
	}
	if extra, err := first.OpenRouter(); err != nil || extra.Provider != "Azure" || extra.Choices[0].Delta.Reasoning != "hm" {
		t.Errorf("OpenRouter() = %+v, %v", extra, err)
	}
	if _, err := text(stream); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if r := stream.Receipt(); r.Cost != farebox.MustMoney("0.5") || r.Source != farebox.Reported {
		t.Errorf("receipt %s", r)
	}
}

func TestProbe10_ErrorInAnAnswerOfStatus200(t *testing.T) {
	t.Parallel()
	body := `{"error":{"message":"Provider returned error","code":429,"metadata":{"provider_name":"Groq","raw":"slow down"}},"user_id":"u"}`
	call := map[string]func(*farebox.Client) error{
		"unary": func(c *farebox.Client) error {
			_, err := c.CreateChatCompletion(context.Background(), chatRequest())
			return err
		},
		"stream": func(c *farebox.Client) error {
			_, err := c.CreateChatCompletionStream(context.Background(), chatRequest())
			return err
		},
	}
	for name, call := range call {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, answers(200, body))
			err := call(newClient(t, openRouterAt(p), noRetry))
			var failure *farebox.APIError
			if !errors.As(err, &failure) || failure.Status != 200 || failure.MidStream || !errors.Is(err, farebox.ErrRateLimit) {
				t.Fatalf("error %v, want an APIError of status 200 that matches ErrRateLimit", err)
			}
			if failure.Code != "429" || failure.Upstream != "Groq" || !strings.Contains(failure.Message, "slow down") {
				t.Errorf("%+v", *failure)
			}
			if receipts := farebox.ReceiptsOf(err); len(receipts) != 1 || receipts[0].Source != farebox.Unbilled || receipts[0].ErrorType != "rate_limit" {
				t.Errorf("receipts %v, want one unbilled", receipts)
			}
		})
	}
}

func TestProbe11_RetryAfterOnEveryPath(t *testing.T) {
	t.Parallel()
	limited := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.Header().Set("X-Request-Id", "req-9")
		answers(429, `{"error":{"message":"slow down","type":"rate_limit_error"}}`)(w, r)
	}
	p := serve(t, limited)
	client := newClient(t, openAIAt(p), noRetry)
	_, unary := client.CreateChatCompletion(context.Background(), chatRequest())
	_, stream := client.CreateChatCompletionStream(context.Background(), chatRequest())
	_, list := client.ListModels(context.Background())
	for name, err := range map[string]error{"unary": unary, "stream": stream, "list": list} {
		var failure *farebox.APIError
		if !errors.As(err, &failure) || failure.RetryAfter != 7*time.Second || failure.RequestID != "req-9" {
			t.Errorf("%s: %v, want Retry-After 7 s and the request's id", name, err)
		}
		if !strings.Contains(err.Error(), "retry after 7s") || !strings.Contains(err.Error(), "req-9") {
			t.Errorf("%s: %q does not say when to retry and what to quote", name, err)
		}
	}
}

func TestProbe12_HTMLPage(t *testing.T) {
	t.Parallel()
	page := "<html><head><title>502 Bad Gateway</title></head><body>" + strings.Repeat("<p>cloudflare</p>", 100_000) + "</body></html>"
	p := serve(t, answersAs("text/html", 502, page))
	_, err := newClient(t, openRouterAt(p), noRetry).CreateChatCompletion(context.Background(), chatRequest())
	var failure *farebox.APIError
	if !errors.As(err, &failure) || failure.Status != 502 || failure.Message != "502 Bad Gateway" {
		t.Fatalf("error %v, want an APIError with the page's title", err)
	}
	if len(failure.Body) == 0 || len(failure.Body) > 8<<10 {
		t.Errorf("%d bytes of the page are kept, want its beginning", len(failure.Body))
	}
	if words := err.Error(); strings.Contains(words, "<") || len(words) > 300 {
		t.Errorf("Error() = %q", words)
	}
}

func TestProbe12_ErrorPageWithoutEnd(t *testing.T) {
	t.Parallel()
	for _, stream := range []bool{false, true} {
		page := &endless{t: t}
		base := roundTripper(func(*http.Request) (*http.Response, error) {
			resp := reply(502, "", "Content-Type", "text/html")
			resp.Body = io.NopCloser(page)
			return resp, nil
		})
		client := newClient(t, farebox.OpenRouter(testKey), farebox.WithBaseTransport(base), noRetry)
		var err error
		if stream {
			_, err = client.CreateChatCompletionStream(context.Background(), chatRequest())
		} else {
			_, err = client.CreateChatCompletion(context.Background(), chatRequest())
		}
		var failure *farebox.APIError
		if !errors.As(err, &failure) || failure.Status != 502 || page.read > 1<<20 {
			t.Errorf("error %v after %d bytes of the page, want an APIError and a bound", err, page.read)
		}
	}
}

func TestProbe13_ErrorsOfOddShape(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		body    string
		message string
		code    string
	}{
		{"a string", `{"error":"model not loaded"}`, "model not loaded", ""},
		{"no message", `{"error":{"code":"model_gone"}}`, "Not Found", "model_gone"},
		{"message at the top", `{"message":"no such deployment","code":404}`, "no such deployment", "404"},
		{"detail", `{"detail":"nothing here"}`, "nothing here", ""},
		{"list", `[{"error":{"message":"first of a list","code":404}}]`, "first of a list", "404"},
		{"text", `plain words`, "plain words", ""},
		{"nothing", ``, "Not Found", ""},
		{"cut JSON", `{"error":{"message":"half an er`, "", ""},
		{"null", `{"error":null}`, "Not Found", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, answers(404, tt.body))
			_, err := newClient(t, openAIAt(p)).CreateChatCompletion(context.Background(), chatRequest())
			var failure *farebox.APIError
			if !errors.As(err, &failure) || failure.Status != 404 {
				t.Fatalf("error %#v, want an APIError of status 404", err)
			}
			if tt.message != "" && failure.Message != tt.message || failure.Message == "" || failure.Code != tt.code {
				t.Errorf("message %q, code %q; want %q, %q", failure.Message, failure.Code, tt.message, tt.code)
			}
			p.only(t)
		})
	}
}

func TestProbe14_ReasoningModelsTakeALimitAndATemperature(t *testing.T) {
	t.Parallel()
	const edit = "max_tokens→max_completion_tokens"
	for _, model := range []string{"gpt-5", "gpt-5-mini", "o1", "o3-mini", "o4-mini", "openai/gpt-5", "gpt-4o"} {
		t.Run(strings.ReplaceAll(model, "/", " "), func(t *testing.T) {
			t.Parallel()
			p := serve(t, answers(200, chatAnswer))
			request := chatRequest()
			request.Model, request.Temperature = model, 0.5
			resp, err := newClient(t, openAIAt(p)).CreateChatCompletion(context.Background(), request)
			if err != nil {
				t.Fatal(err)
			}
			sent := object(t, p.only(t).body)
			renamed := model != "gpt-4o" && !strings.Contains(model, "/")
			limit, other := "max_tokens", "max_completion_tokens"
			if renamed {
				limit, other = other, limit
			}
			if string(sent[limit]) != "100" || sent[other] != nil || string(sent["temperature"]) != "0.5" {
				t.Errorf("sent %s", p.only(t).body)
			}
			if shown := strings.Contains(strings.Join(resp.Receipt.Edits, ","), edit); shown != renamed {
				t.Errorf("edits on the receipt: %q", resp.Receipt.Edits)
			}
		})
	}
	t.Run("OpenRouter takes either", func(t *testing.T) {
		t.Parallel()
		p := serve(t, answers(200, chatAnswer))
		request := chatRequest()
		request.Model = "gpt-5"
		if _, err := newClient(t, openRouterAt(p)).CreateChatCompletion(context.Background(), request); err != nil {
			t.Fatal(err)
		}
		if sent := object(t, p.only(t).body); string(sent["max_tokens"]) != "100" {
			t.Errorf("sent %s", p.only(t).body)
		}
	})
}

// object decodes what a server received.
func object(t *testing.T, body string) map[string]json.RawMessage {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &members); err != nil {
		t.Fatalf("the request is no JSON object: %v: %s", err, body)
	}
	return members
}

func TestProbe15_TemperatureZero(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	client := newClient(t, openAIAt(p))
	if _, err := client.CreateChatCompletion(context.Background(), chatRequest(), farebox.WithTemperature(0)); err != nil {
		t.Fatal(err)
	}
	if got := object(t, p.only(t).body)["temperature"]; string(got) != "0" {
		t.Errorf("temperature %q on the wire, want 0", got)
	}
}

func TestProbe16_FieldsThatTheRequestTypeLacks(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	client := newClient(t, openRouterAt(p))
	yes, price := true, farebox.MustPerMillion("0.5")
	_, err := client.CreateChatCompletion(context.Background(), chatRequest(),
		farebox.WithProvider(farebox.ProviderPreferences{
			Order: []string{"DeepInfra", "Azure"}, AllowFallbacks: &yes, DataCollection: "deny", Sort: "price",
			MaxPrice: &farebox.MaxPrice{Prompt: &price},
		}),
		farebox.WithFallbackModels("a/b", "c/d"),
		farebox.WithReasoning(farebox.ReasoningOptions{Effort: "high", Exclude: true}),
		farebox.WithPlugins(farebox.Plugin{ID: "web", MaxResults: 3, Extra: map[string]any{"engine": "exa"}}),
		farebox.WithField("usage", map[string]bool{"include": true}),
		farebox.WithField("min_p", json.RawMessage("0.05")),
		farebox.WithField("max_tokens", nil))
	if err != nil {
		t.Fatal(err)
	}
	sent := object(t, p.only(t).body)
	want := map[string]string{
		"provider":  `{"order":["DeepInfra","Azure"],"allow_fallbacks":true,"data_collection":"deny","sort":"price","max_price":{"prompt":0.5}}`,
		"models":    `["a/b","c/d"]`,
		"reasoning": `{"effort":"high","exclude":true}`,
		"plugins":   `[{"engine":"exa","id":"web","max_results":3}]`,
		"usage":     `{"include":true}`,
		"min_p":     `0.05`,
		"model":     `"test-model"`,
	}
	for name, value := range want {
		if string(sent[name]) != value {
			t.Errorf("%s on the wire: %s, want %s", name, sent[name], value)
		}
	}
	if sent["max_tokens"] != nil {
		t.Error("max_tokens was sent, although it had been taken out")
	}
}

func TestProbe17_DeadlineInMidStream(t *testing.T) {
	t.Parallel()
	p := serve(t, stalled(helloChunk))
	ctx := newDeadline()
	defer ctx.pass()
	stream, err := newClient(t, openAIAt(p)).CreateChatCompletionStream(ctx, chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	first, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	ctx.pass()
	rest, err := text(stream)
	if got := first.Choices[0].Delta.Content + rest; got != "Hello" || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, farebox.ErrTimeout) || !errors.Is(err, farebox.ErrNetwork) {
		t.Errorf("%q, %v; want \"Hello\" and a deadline that is a timeout of the network", got, err)
	}
	if receipts := farebox.ReceiptsOf(err); len(receipts) != 1 || receipts[0].Source != farebox.Held || !receipts[0].Partial {
		t.Errorf("receipts %v, want one held in full", receipts)
	}
}

func TestProbe18_RecvAfterClose(t *testing.T) {
	t.Parallel()
	p := serve(t, streams(wholeStream))
	stream, err := newClient(t, openAIAt(p)).CreateChatCompletionStream(context.Background(), chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := stream.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, farebox.ErrStreamClosed) {
		t.Errorf("Recv after Close: %v, want ErrStreamClosed", err)
	}
}

func TestProbe19_NumbersThatAreNotIntegers(t *testing.T) {
	t.Parallel()
	body := strings.NewReplacer(`"created":1764000000`, `"created":1.764e9`, `"prompt_tokens":100`, `"prompt_tokens":100.0`,
		`"completion_tokens":10`, `"completion_tokens":1e1`, `"index":0`, `"index":0.0`).Replace(chatAnswer)
	t.Run("unary", func(t *testing.T) {
		t.Parallel()
		p := serve(t, answers(200, body))
		resp, err := newClient(t, openAIAt(p)).CreateChatCompletion(context.Background(), chatRequest())
		if err != nil {
			t.Fatal(err)
		}
		if resp.Created != 1764000000 || resp.Usage.PromptTokens != 100 || resp.Usage.CompletionTokens != 10 || resp.Choices[0].Message.Content != "Hello there" {
			t.Errorf("%+v", resp.ChatCompletionResponse)
		}
		if resp.Cost != chatCost || string(resp.Raw) != body {
			t.Errorf("cost %s, raw %s", resp.Cost, resp.Raw)
		}
	})
	t.Run("stream", func(t *testing.T) {
		t.Parallel()
		events := strings.NewReplacer(`"created":1764000000`, `"created":1764000000.25`, `"prompt_tokens":100`, `"prompt_tokens":100.0`,
			`"completion_tokens":10`, `"completion_tokens":10.0`).Replace(wholeStream)
		p := serve(t, streams(events))
		stream, err := newClient(t, openAIAt(p)).CreateChatCompletionStream(context.Background(), chatRequest())
		if err != nil {
			t.Fatal(err)
		}
		wantWhole(t, stream)
	})
}

func TestProbe20_EmptyAnswer(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", " \n"} {
		p := serve(t, answers(200, body))
		client := newClient(t, openAIAt(p), noRetry)
		_, unary := client.CreateChatCompletion(context.Background(), chatRequest())
		_, stream := client.CreateChatCompletionStream(context.Background(), chatRequest())
		for name, err := range map[string]error{"unary": unary, "stream": stream} {
			var failure *farebox.NetworkError
			if err == nil || errors.Is(err, io.EOF) || !errors.As(err, &failure) || !failure.Sent {
				t.Errorf("%s of body %q: %v, want a NetworkError that is not io.EOF", name, body, err)
			}
			if receipts := farebox.ReceiptsOf(err); len(receipts) != 1 || receipts[0].Source != farebox.Held {
				t.Errorf("%s of body %q: receipts %v, want one held in full", name, body, receipts)
			}
		}
	}
}

func TestProbe21_AttemptsAreRepeated(t *testing.T) {
	t.Parallel()
	p := serve(t, inTurn(answers(500, `{"error":{"message":"oops"}}`), answers(429, `{"error":{"message":"wait"}}`), answers(200, chatAnswer)))
	resp, err := newClient(t, openAIAt(p)).CreateChatCompletion(context.Background(), chatRequest())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.requests()); n != 3 || len(resp.Receipts) != 3 {
		t.Fatalf("%d requests and %d receipts, want 3", n, len(resp.Receipts))
	}
	for i, r := range resp.Receipts {
		if r.Attempt != i+1 || r.CallID != resp.Receipts[0].CallID || r.ID == r.CallID {
			t.Errorf("receipt %d: attempt %d, call %s, id %s", i, r.Attempt, r.CallID, r.ID)
		}
	}
	if sum := farebox.CostOf(resp.Receipts); resp.Cost != sum || resp.Receipt.ID != resp.Receipts[2].ID {
		t.Errorf("cost %s, want the sum %s; Receipt is that of attempt %d", resp.Cost, sum, resp.Receipt.Attempt)
	}
}

// TestProbe22: a server that accepts connections and says nothing, not even in a TLS handshake.
func TestProbe22_DefaultClientIsBounded(t *testing.T) {
	t.Parallel()
	for scheme, source := range map[string]farebox.Source{"http": farebox.Held, "https": farebox.Unbilled} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = listener.Close() }()
			endpoint := farebox.Compatible("silent", scheme+"://"+listener.Addr().String()+"/v1", testKey)
			client := newClient(t, endpoint, noRetry, farebox.WithAttemptTimeout(time.Second))
			var unary, stream, list error
			var calls sync.WaitGroup
			calls.Go(func() { _, unary = client.CreateChatCompletion(context.Background(), chatRequest()) })
			calls.Go(func() { _, stream = client.CreateChatCompletionStream(context.Background(), chatRequest()) })
			calls.Go(func() { _, list = client.ListModels(context.Background()) })
			calls.Wait()
			for name, err := range map[string]error{"unary": unary, "stream": stream, "list": list} {
				if !errors.Is(err, farebox.ErrTimeout) || !errors.Is(err, farebox.ErrNetwork) || !strings.Contains(err.Error(), "WithAttemptTimeout") {
					t.Errorf("%s: %v, want a timeout that names WithAttemptTimeout", name, err)
				}
			}
			for _, r := range append(farebox.ReceiptsOf(unary), farebox.ReceiptsOf(stream)...) {
				if r.ErrorType != "timeout" || r.Source != source {
					t.Errorf("receipt %s with error %q, want a timeout that is %s", r, r.ErrorType, source)
				}
			}
		})
	}
}

func TestProbe23_RedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			elsewhere := serve(t, answers(200, chatAnswer))
			p := serve(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere.URL+"/v1/chat/completions", status)
			})
			client := newClient(t, openAIAt(p))
			_, unary := client.CreateChatCompletion(context.Background(), chatRequest())
			_, stream := client.CreateChatCompletionStream(context.Background(), chatRequest())
			_, list := client.ListModels(context.Background())
			for name, err := range map[string]error{"unary": unary, "stream": stream, "list": list} {
				var failure *farebox.APIError
				if !errors.As(err, &failure) || failure.Status != status {
					t.Errorf("%s: %v, want an APIError of status %d", name, err, status)
				}
			}
			if n := len(elsewhere.requests()); n != 0 {
				t.Errorf("the other host saw %d requests, and the key with them", n)
			}
		})
	}
}

// TestProbeRequestType guards the seam that most probes rest on: what go-openai's type encodes is what is sent.
func TestProbeRequestType(t *testing.T) {
	t.Parallel()
	p := serve(t, answers(200, chatAnswer))
	request := chatRequest()
	request.Tools = []openai.Tool{{Type: "function", Function: &openai.FunctionDefinition{Name: "f", Parameters: json.RawMessage(`{"type":"object"}`)}}}
	if _, err := newClient(t, openAIAt(p)).CreateChatCompletion(context.Background(), request); err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(p.only(t).body)); err != nil || compact.String() != string(want) {
		t.Errorf("sent %s\nwant %s", compact.String(), want)
	}
}
