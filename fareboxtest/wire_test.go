package fareboxtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

// hello asks for something that the scripted replies below do not look at: 12 bytes are 3 tokens.
const hello = `{"model":"test-small","messages":[{"role":"user","content":"Hello there!"}]}`

// newProvider starts an in-memory provider that ends with the test.
func newProvider(tb testing.TB, options ...fareboxtest.Option) *fareboxtest.Provider {
	tb.Helper()
	p := fareboxtest.NewProvider(append([]fareboxtest.Option{fareboxtest.InMemory()}, options...)...)
	tb.Cleanup(p.Close)
	return p
}

// saying answers every prompt with one text.
func saying(text string) fareboxtest.Option {
	return fareboxtest.WithReply(func(fareboxtest.Prompt) fareboxtest.Reply { return fareboxtest.Reply{Text: text} })
}

// post sends a body and returns the answer, read as far as it can be.
func post(tb testing.TB, p *fareboxtest.Provider, path, body string) (*http.Response, string, error) {
	tb.Helper()
	resp, err := p.HTTPClient().Post(p.URL()+path, "application/json", strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	return resp, string(data), err
}

func get(tb testing.TB, p *fareboxtest.Provider, path string) (int, string) {
	tb.Helper()
	resp, err := p.HTTPClient().Get(p.URL() + path)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

// changing is what differs from run to run: times, and ids made of them.
var changing = regexp.MustCompile(`"created":\d+|gen-\d+-`)

func steady(text string) string {
	return changing.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasPrefix(found, "gen-") {
			return "gen-T-"
		}
		return `"created":0`
	})
}

// requireJSON compares what two texts say, whatever the order of their members.
func requireJSON(tb testing.TB, want, got string) {
	tb.Helper()
	var wanted, found any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		tb.Fatalf("the expectation is no JSON: %v", err)
	}
	if err := json.Unmarshal([]byte(steady(got)), &found); err != nil {
		tb.Fatalf("no JSON: %v: %s", err, got)
	}
	if !reflect.DeepEqual(wanted, found) {
		tb.Errorf("got  %s\nwant %s", steady(got), want)
	}
}

const openAIChat = `{"id":"chatcmpl-00000000000000000000000000001","object":"chat.completion","created":0,"model":"test-small",
 "service_tier":"default","system_fingerprint":"fp_fareboxtest",
 "choices":[{"index":0,"message":{"role":"assistant","content":"Good day to you","refusal":null},"logprobs":null,"finish_reason":"stop"}],
 "usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,
  "prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},
  "completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}`

// 3 tokens at $0.15 and 4 at $0.60 per million are $0.00000285.
const openRouterChat = `{"id":"gen-T-00000000000000000001","provider":"Simulated","object":"chat.completion","created":0,"model":"test-small",
 "choices":[{"index":0,"message":{"role":"assistant","content":"Good day to you","refusal":null,"reasoning":null},
  "logprobs":null,"finish_reason":"stop","native_finish_reason":"stop"}],
 "usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"cost":0.00000285,"is_byok":false,
  "prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0,"audio_tokens":0},
  "cost_details":{"upstream_inference_cost":0.00000285,"upstream_inference_prompt_cost":0.00000045,"upstream_inference_completions_cost":0.0000024},
  "completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"image_tokens":0}}}`

func TestChat(t *testing.T) {
	t.Parallel()
	for style, want := range map[fareboxtest.Style]string{fareboxtest.OpenAI: openAIChat, fareboxtest.OpenRouter: openRouterChat} {
		p := newProvider(t, fareboxtest.WithStyle(style), saying("Good day to you"))
		resp, body, err := post(t, p, "/chat/completions", hello)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v: %v, %v", style, resp, err)
		}
		requireJSON(t, want, body)
		if id := resp.Header.Get("X-Generation-Id"); (style == fareboxtest.OpenRouter) != strings.HasPrefix(id, "gen-") {
			t.Errorf("%v: the generation id in the head is %q", style, id)
		}
		if leading := strings.HasPrefix(body, "\n"); leading != (style == fareboxtest.OpenRouter) {
			t.Errorf("%v: white space in front of the JSON: %v", style, leading)
		}
		fareboxtest.RequireCost(t, "0.00000285", p.Billed())
	}
}

func TestChatFeatures(t *testing.T) {
	t.Parallel()
	reply := func(prompt fareboxtest.Prompt) fareboxtest.Reply {
		if prompt.Choice == 1 {
			return fareboxtest.Reply{Text: "eight by"}
		}
		return fareboxtest.Reply{Reasoning: "Hmm, hmm", ToolCalls: []fareboxtest.ToolCall{{Name: "look", Arguments: `{"at":"it"}`}}}
	}
	p := newProvider(t, fareboxtest.WithStyle(fareboxtest.OpenRouter), fareboxtest.WithReply(reply),
		fareboxtest.WithModels(fareboxtest.Model{Name: "m", ServedAs: "vendor/m-20260101", CachedPercent: 50, Rates: farebox.Rates{
			farebox.DimensionInput: farebox.MustRate("0.01"), farebox.DimensionCacheRead: farebox.MustRate("0.001"),
			farebox.DimensionOutput: farebox.MustRate("0.1"), farebox.DimensionReasoning: farebox.MustRate("1"),
			farebox.DimensionRequest: farebox.MustRate("10"),
		}}))
	_, body, err := post(t, p, "/chat/completions",
		`{"model":"m","n":2,"messages":[{"role":"system","content":"1234567"},{"role":"user","content":[{"type":"text","text":"12345678"},{"type":"image_url"}]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	// Input 2 + 2, of which 2 are cached; output: reasoning 2, the tool 1 + 3, the text 2.
	requireJSON(t, `{"id":"gen-T-00000000000000000001","provider":"Simulated","object":"chat.completion","created":0,"model":"vendor/m-20260101",
	 "choices":[
	  {"index":0,"message":{"role":"assistant","content":null,"refusal":null,"reasoning":"Hmm, hmm",
	    "reasoning_details":[{"type":"reasoning.text","text":"Hmm, hmm","format":"unknown","index":0}],
	    "tool_calls":[{"id":"call_000000000000000000000001","type":"function","function":{"name":"look","arguments":"{\"at\":\"it\"}"}}]},
	   "logprobs":null,"finish_reason":"tool_calls","native_finish_reason":"tool_calls"},
	  {"index":1,"message":{"role":"assistant","content":"eight by","refusal":null,"reasoning":null},"logprobs":null,"finish_reason":"stop","native_finish_reason":"stop"}],
	 "usage":{"prompt_tokens":4,"completion_tokens":8,"total_tokens":12,"cost":12.622,"is_byok":false,
	  "prompt_tokens_details":{"cached_tokens":2,"cache_write_tokens":0,"audio_tokens":0},
	  "cost_details":{"upstream_inference_cost":12.622,"upstream_inference_prompt_cost":0.022,"upstream_inference_completions_cost":12.6},
	  "completion_tokens_details":{"reasoning_tokens":2,"audio_tokens":0,"image_tokens":0}}}`, body)
}

func TestBYOK(t *testing.T) {
	t.Parallel()
	p := newProvider(t, fareboxtest.WithStyle(fareboxtest.OpenRouter), fareboxtest.WithBYOK(), saying("Good day to you"))
	_, body, err := post(t, p, "/chat/completions", hello)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(`"cost":0.00000285`, `"cost":0`, `"is_byok":false`, `"is_byok":true`).Replace(openRouterChat)
	requireJSON(t, want, body)
	fareboxtest.RequireCost(t, "0.00000285", p.Billed())
}

func TestTextCompletion(t *testing.T) {
	t.Parallel()
	p := newProvider(t, fareboxtest.WithReply(func(prompt fareboxtest.Prompt) fareboxtest.Reply {
		return fareboxtest.Reply{Text: "after " + prompt.Text}
	}))
	_, body, err := post(t, p, "/completions", `{"model":"test-small","prompt":["one","two"],"n":1,"max_tokens":2}`)
	if err != nil {
		t.Fatal(err)
	}
	requireJSON(t, `{"id":"cmpl-00000000000000000000000000001","object":"text_completion","created":0,"model":"test-small",
	 "choices":[{"index":0,"text":"after on","logprobs":null,"finish_reason":"length"},{"index":1,"text":"after tw","logprobs":null,"finish_reason":"length"}],
	 "usage":{"prompt_tokens":2,"completion_tokens":4,"total_tokens":6,
	  "prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},
	  "completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}`, body)
}

func TestEmbeddings(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	for body, want := range map[string]int64{
		`{"model":"test-embedding","input":"abcde"}`:                             2,
		`{"model":"test-embedding","input":["abcde","f"]}`:                       3,
		`{"model":"test-embedding","input":[1,2,3]}`:                             3,
		`{"model":"test-embedding","input":[[1,2],[3]],"dimensions":3}`:          3,
		`{"model":"test-embedding","input":"ab","encoding_format":"base64"}`:     1,
		`{"model":"test-embedding","input":[],"encoding_format":"base64"}`:       0,
		`{"model":"test-embedding","input":["","x"],"encoding_format":"base64"}`: 1,
	} {
		_, got, err := post(t, p, "/embeddings", body)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Data  []struct{ Embedding any }
			Usage struct {
				Prompt     int64  `json:"prompt_tokens"`
				Completion *int64 `json:"completion_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(got), &answer); err != nil {
			t.Fatal(err)
		}
		if answer.Usage.Prompt != want || answer.Usage.Completion != nil {
			t.Errorf("%s: usage %+v, want %d prompt tokens and no output", body, answer.Usage, want)
		}
		for _, e := range answer.Data {
			if _, text := e.Embedding.(string); text != strings.Contains(body, "base64") {
				t.Errorf("%s: the embedding is a %T", body, e.Embedding)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	openAI := newProvider(t, fareboxtest.WithKey("right"))
	if resp, body, _ := post(t, openAI, "/chat/completions", hello); resp.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "invalid_api_key") {
		t.Errorf("without the key: %d %s", resp.StatusCode, body)
	}
	for _, c := range []struct {
		style      fareboxtest.Style
		path, body string
		status     int
		want       string
	}{
		{fareboxtest.OpenAI, "/chat/completions", `{"model":"gpt-9"}`, 404, `{"error":{"message":"The model ` + "`gpt-9`" + ` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}`},
		{fareboxtest.OpenRouter, "/chat/completions", `{"model":"gpt-9"}`, 400, `{"error":{"message":"gpt-9 is not a valid model ID","code":400,"metadata":{"error_type":"invalid_request"}},"user_id":"user_fareboxtest"}`},
		{fareboxtest.OpenAI, "/chat/completions", `{"model":"test-small","n":129}`, 400, `{"error":{"message":"n is 129, and can be 128 at most.","type":"invalid_request_error","param":null,"code":null}}`},
		{fareboxtest.OpenAI, "/embeddings", `{"model":"test-embedding","input":"` + strings.Repeat("word", 8193) + `"}`, 400, `{"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 8193 tokens.","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}}`},
		{fareboxtest.OpenAI, "/chat/completions", `{"model":`, 400, `{"error":{"message":"We could not parse the JSON body of your request: unexpected end of JSON input","type":"invalid_request_error","param":null,"code":null}}`},
		{fareboxtest.OpenAI, "/images", `{}`, 404, `{"error":{"message":"Unknown request URL: POST /v1/images","type":"invalid_request_error","param":null,"code":"unknown_url"}}`},
	} {
		p := newProvider(t, fareboxtest.WithStyle(c.style))
		resp, body, err := post(t, p, c.path, c.body)
		if err != nil || resp.StatusCode != c.status {
			t.Fatalf("%s %.60s: %v, %v", c.path, c.body, resp, err)
		}
		requireJSON(t, c.want, body)
		fareboxtest.RequireCost(t, farebox.Money{}, p.Billed())
	}
}

func TestOpenRouterFallsBack(t *testing.T) {
	t.Parallel()
	p := newProvider(t, fareboxtest.WithStyle(fareboxtest.OpenRouter))
	_, body, err := post(t, p, "/chat/completions", `{"model":"gone","models":["gone","test-large"],"messages":[]}`)
	if err != nil || !strings.Contains(body, `"model":"test-large"`) {
		t.Errorf("%v: %s", err, body)
	}
}
