package farebox_test

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// The tables below replay usage as providers wrote it in the issues named, over the route that it came by, and say what it
// costs at these rates.
var regressionRates = farebox.Rates{
	farebox.DimensionInput: farebox.MustPerMillion("3"), farebox.DimensionOutput: farebox.MustPerMillion("15"),
	farebox.DimensionCacheRead: farebox.MustPerMillion("0.30"), farebox.DimensionCacheWrite: farebox.MustPerMillion("3.75"),
	farebox.DimensionCacheWrite1h: farebox.MustPerMillion("6"),
	farebox.DimensionAudioInput:   farebox.MustPerMillion("40"), farebox.DimensionAudioCacheRead: farebox.MustPerMillion("2.50"),
	farebox.DimensionAudioOutput: farebox.MustPerMillion("80"), farebox.DimensionImageInput: farebox.MustPerMillion("5"),
	farebox.DimensionImageOutput: farebox.MustPerMillion("30"), farebox.DimensionWebSearch: farebox.MustRate("0.01"),
}

// usageCase is a usage, how it came, and what is to be made of it.
type usageCase struct {
	issues string
	by     route
	usage  string
	want   farebox.Usage // Requests is 1 in all of them
	cost   string
}

// route is a request, and an answer around a usage.
type route struct {
	path, request string
	answer        func(usage string) http.HandlerFunc
}

func around(kind, before, after string) func(string) http.HandlerFunc {
	return func(usage string) http.HandlerFunc { return answersAs(kind, 200, before+usage+after) }
}

var (
	chatRoute = route{"/v1/chat/completions", chatJSON, around("application/json",
		`{"id":"c","object":"chat.completion","model":"test-model","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":`, `}`)}
	chatStreamRoute = route{"/v1/chat/completions", streamJSON, around("text/event-stream",
		helloChunk+stopChunk+`data: {"id":"c","object":"chat.completion.chunk","model":"test-model","choices":[],"usage":`, "}\n\n"+doneChunk)}
	messagesRoute = route{"/v1/messages", chatJSON, around("application/json",
		`{"id":"msg_1","type":"message","role":"assistant","model":"test-model","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":`, `}`)}
	responsesRoute = route{"/v1/responses", `{"model":"test-model","max_output_tokens":100,"input":"Say hello."}`, around("application/json",
		`{"id":"resp_1","object":"response","status":"completed","model":"test-model","output":[{"type":"message","id":"m","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hi"}]}],"usage":`, `}`)}
	geminiRoute = route{"/v1beta/models/test-model:generateContent", `{"contents":[{"parts":[{"text":"Say hello."}]}],"generationConfig":{"maxOutputTokens":100}}`, around("application/json",
		`{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]},"finishReason":"STOP"}],"modelVersion":"test-model","usageMetadata":`, `}`)}
)

// messagesStreamRoute states the usage at the head of the stream, and again in its last delta, as Anthropic does.
var messagesStreamRoute = route{"/v1/messages", streamJSON, func(usage string) http.HandlerFunc {
	return answersAs("text/event-stream", 200, "event: message_start\n"+
		`data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"test-model","content":[],"stop_reason":null,"usage":`+
		strings.Replace(usage, `"output_tokens":100`, `"output_tokens":1`, 1)+"}}\n\n"+
		"event: content_block_start\n"+`data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`+"\n\n"+
		"event: content_block_delta\n"+`data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}`+"\n\n"+
		"event: content_block_stop\n"+`data: {"type":"content_block_stop","index":0}`+"\n\n"+
		"event: message_delta\n"+`data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":`+usage+"}\n\n"+
		"event: message_stop\n"+`data: {"type":"message_stop"}`+"\n\n")
}}

func runUsageCases(t *testing.T, cases []usageCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.issues, func(t *testing.T) {
			t.Parallel()
			p := serve(t, c.by.answer(c.usage))
			meter := newMeter(t, farebox.WithPrice(testModel, regressionRates))
			req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.URL+c.by.path, strings.NewReader(c.by.request))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := meter.HTTPClient().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			readAll(t, resp)
			c.want.Requests = 1
			receipt := onlyReceipt(t, meter)
			got := receipt.Usage
			got.Units = nil
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("usage %+v\nwant  %+v", got, c.want)
			}
			if want := farebox.MustMoney(c.cost); receipt.Cost != want || receipt.HasFlag(farebox.FlagIncompletePrice) {
				t.Errorf("%s, flags %v, want %s", receipt, receipt.Flags, want)
			}
		})
	}
}

// Anthropic's cache tokens stand beside its input tokens, a proxy's inside its prompt tokens: either way each is counted once.
func TestRegressions_AnthropicCacheIsCountedOnce(t *testing.T) {
	t.Parallel()
	const native = `{"input_tokens":100,"cache_creation_input_tokens":2000,"cache_read_input_tokens":8000,"output_tokens":100}`
	once := farebox.Usage{Input: 100, CacheRead: 8000, CacheWrite: 2000, Output: 100}
	runUsageCases(t, []usageCase{
		{"LiteLLM 5443, 6575, 9812: native", messagesRoute, native, once, "0.0117"},
		{"LiteLLM 11364, 31282, Bifrost 3451: native stream, stated twice", messagesStreamRoute, native, once, "0.0117"},
		{"LiteLLM 40006, 40016, Langfuse 10592: a proxy's, inside the prompt", chatRoute,
			`{"prompt_tokens":10100,"completion_tokens":100,"total_tokens":10200,"cache_creation_input_tokens":2000,"cache_read_input_tokens":8000,"prompt_tokens_details":{"cached_tokens":8000}}`, once, "0.0117"},
		{"Langfuse 12306, 9034: the same in a stream", chatStreamRoute,
			`{"prompt_tokens":10100,"completion_tokens":100,"total_tokens":10200,"cache_creation_input_tokens":2000,"cache_read_input_tokens":8000,"prompt_tokens_details":{"cached_tokens":8000}}`, once, "0.0117"},
		{"conductor 427: a cache of an hour", messagesRoute,
			`{"input_tokens":100,"cache_creation_input_tokens":2000,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":500,"ephemeral_1h_input_tokens":1500},"output_tokens":100}`,
			farebox.Usage{Input: 100, CacheWrite: 500, CacheWrite1h: 1500, Output: 100}, "0.012675"},
	})
}

func TestRegressions_CachedTokensAreDiscountedOnce(t *testing.T) {
	t.Parallel()
	runUsageCases(t, []usageCase{
		{"LiteLLM 14849: Gemini's cache is part of its prompt", geminiRoute,
			`{"promptTokenCount":10000,"cachedContentTokenCount":8000,"candidatesTokenCount":100,"totalTokenCount":10100}`,
			farebox.Usage{Input: 2000, CacheRead: 8000, Output: 100}, "0.0099"},
		{"LiteLLM 11156, 16341, Bifrost 904: OpenAI's too", chatRoute,
			`{"prompt_tokens":10000,"completion_tokens":100,"total_tokens":10100,"prompt_tokens_details":{"cached_tokens":8000}}`,
			farebox.Usage{Input: 2000, CacheRead: 8000, Output: 100}, "0.0099"},
		{"LiteLLM 31714: Fireworks, at the top level", chatRoute,
			`{"prompt_tokens":10000,"completion_tokens":100,"total_tokens":10100,"cached_tokens":8000}`,
			farebox.Usage{Input: 2000, CacheRead: 8000, Output: 100}, "0.0099"},
		{"LiteLLM 14874, 36413: xAI's text tokens hold the cached ones", chatRoute,
			`{"prompt_tokens":10000,"completion_tokens":100,"total_tokens":10100,"prompt_tokens_details":{"text_tokens":10000,"cached_tokens":8000}}`,
			farebox.Usage{Input: 2000, CacheRead: 8000, Output: 100}, "0.0099"},
		{"LiteLLM 6215: DeepSeek says it twice", chatRoute,
			`{"prompt_tokens":10000,"completion_tokens":100,"total_tokens":10100,"prompt_cache_hit_tokens":8000,"prompt_cache_miss_tokens":2000,"prompt_tokens_details":{"cached_tokens":8000}}`,
			farebox.Usage{Input: 2000, CacheRead: 8000, Output: 100}, "0.0099"},
		{"CPA-Manager-Plus 652: responses", responsesRoute,
			`{"input_tokens":10000,"input_tokens_details":{"cached_tokens":8000},"output_tokens":100,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":10100}`,
			farebox.Usage{Input: 2000, CacheRead: 8000, Output: 100}, "0.0099"},
	})
}

func TestRegressions_CacheWritesAreNotDropped(t *testing.T) {
	t.Parallel()
	runUsageCases(t, []usageCase{
		{"LiteLLM 33772, opencode 534: OpenRouter's", chatRoute,
			`{"prompt_tokens":10000,"completion_tokens":100,"total_tokens":10100,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":9000}}`,
			farebox.Usage{Input: 1000, CacheWrite: 9000, Output: 100}, "0.03825"},
		{"LiteLLM 34309, opencode 18440: read and written", chatStreamRoute,
			`{"prompt_tokens":10000,"completion_tokens":100,"total_tokens":10100,"prompt_tokens_details":{"cached_tokens":4000,"cache_write_tokens":5000}}`,
			farebox.Usage{Input: 1000, CacheRead: 4000, CacheWrite: 5000, Output: 100}, "0.02445"},
		{"LiteLLM 28844, Helicone 5779, stakgraph 1688: Anthropic's, at rates of their own", messagesRoute,
			`{"input_tokens":1000,"cache_creation_input_tokens":9000,"cache_read_input_tokens":0,"output_tokens":100}`,
			farebox.Usage{Input: 1000, CacheWrite: 9000, Output: 100}, "0.03825"},
	})
}

func TestRegressions_ReasoningIsCountedOnce(t *testing.T) {
	t.Parallel()
	runUsageCases(t, []usageCase{
		{"LiteLLM 10567, 18599: inside the completion", chatRoute,
			`{"prompt_tokens":100,"completion_tokens":1000,"total_tokens":1100,"completion_tokens_details":{"reasoning_tokens":900}}`,
			farebox.Usage{Input: 100, Output: 100, Reasoning: 900}, "0.0153"},
		{"inspect_ai 5528: Grok's, outside of it", chatRoute,
			`{"prompt_tokens":100,"completion_tokens":100,"total_tokens":1100,"completion_tokens_details":{"reasoning_tokens":900}}`,
			farebox.Usage{Input: 100, Output: 100, Reasoning: 900}, "0.0153"},
		{"any-llm 1290: Gemini's thoughts are not candidates", geminiRoute,
			`{"promptTokenCount":100,"candidatesTokenCount":100,"thoughtsTokenCount":900,"totalTokenCount":1100}`,
			farebox.Usage{Input: 100, Output: 100, Reasoning: 900}, "0.0153"},
		{"Langfuse 16425, LiteLLM 35925: the rate of output where reasoning has none", responsesRoute,
			`{"input_tokens":100,"output_tokens":1000,"output_tokens_details":{"reasoning_tokens":900},"total_tokens":1100}`,
			farebox.Usage{Input: 100, Output: 100, Reasoning: 900}, "0.0153"},
	})
}

func TestRegressions_ModalitiesHaveTheirRates(t *testing.T) {
	t.Parallel()
	runUsageCases(t, []usageCase{
		{"LiteLLM 19764: audio is not text", chatRoute,
			`{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500,"prompt_tokens_details":{"audio_tokens":800,"cached_tokens":0},"completion_tokens_details":{"audio_tokens":400}}`,
			farebox.Usage{Input: 200, AudioInput: 800, Output: 100, AudioOutput: 400}, "0.0661"},
		{"langwatch 7048: cached audio is not fresh", geminiRoute,
			`{"promptTokenCount":1000,"promptTokensDetails":[{"modality":"TEXT","tokenCount":200},{"modality":"AUDIO","tokenCount":800}],"cachedContentTokenCount":600,"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":600}],"candidatesTokenCount":100,"totalTokenCount":1100}`,
			farebox.Usage{Input: 200, AudioInput: 200, AudioCacheRead: 600, Output: 100}, "0.0116"},
		{"LiteLLM 26153: tools of the server, an object", messagesRoute,
			`{"input_tokens":100,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":100,"server_tool_use":{"web_search_requests":3,"web_fetch_requests":0}}`,
			farebox.Usage{Input: 100, Output: 100, WebSearches: 3}, "0.0318"},
	})
}

// No bucket is negative, and none overlaps another, whatever the figures claim.
func TestRegressions_BucketsAreDisjoint(t *testing.T) {
	t.Parallel()
	for issue, c := range map[string]struct {
		by    route
		usage string
	}{
		"LiteLLM 18750: more cached than prompt": {chatRoute, `{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110,"prompt_tokens_details":{"cached_tokens":150}}`},
		"LiteLLM 37281: cached images":           {chatRoute, `{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010,"prompt_tokens_details":{"cached_tokens":900,"image_tokens":800,"text_tokens":200}}`},
		"more reasoning than completion":         {chatRoute, `{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110,"completion_tokens_details":{"reasoning_tokens":50}}`},
		"written and read, the same tokens":      {chatRoute, `{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010,"prompt_tokens_details":{"cached_tokens":900,"cache_write_tokens":900}}`},
		"Gemini's lists that do not add up":      {geminiRoute, `{"promptTokenCount":279,"promptTokensDetails":[{"modality":"TEXT","tokenCount":176},{"modality":"IMAGE"}],"candidatesTokenCount":10,"totalTokenCount":289}`},
	} {
		t.Run(issue, func(t *testing.T) {
			t.Parallel()
			p := serve(t, c.by.answer(c.usage))
			meter := newMeter(t, farebox.WithPrice(testModel, regressionRates))
			resp, err := meter.HTTPClient().Post(p.URL+c.by.path, "application/json", strings.NewReader(c.by.request))
			if err != nil {
				t.Fatal(err)
			}
			readAll(t, resp)
			receipt := onlyReceipt(t, meter)
			for _, line := range receipt.Lines {
				if line.Quantity < 0 || line.Amount.Sign() < 0 {
					t.Errorf("%+v", line)
				}
			}
			if in := receipt.Usage.InputTokens(); in > 1000 || receipt.Usage.OutputTokens() > 60 || receipt.Cost.Sign() <= 0 {
				t.Errorf("%s: %+v", receipt, receipt.Usage)
			}
		})
	}
}

// What compaction and an adviser consumed stands outside of the sum, and is paid for.
func TestRegressions_IterationsArePriced(t *testing.T) {
	t.Parallel()
	runUsageCases(t, []usageCase{
		{"a compaction of 55,000 tokens beside an answer of 8", messagesRoute,
			`{"input_tokens":220,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":8,"iterations":[` +
				`{"type":"compaction","input_tokens":55196,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":125},` +
				`{"type":"message","input_tokens":220,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":8}]}`,
			farebox.Usage{Input: 220, Output: 8}, "0.168243"},
	})
}

// OpenRouter's responses state their cost, plain or streamed.
func TestLiteLLM38507_CostOfOpenRoutersResponses(t *testing.T) {
	t.Parallel()
	const usage = `{"input_tokens":100,"input_tokens_details":{"cached_tokens":0},"output_tokens":10,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":110,"cost":0.0042,"is_byok":false}`
	for name, handler := range map[string]http.HandlerFunc{
		"plain": responsesRoute.answer(usage),
		"stream": answersAs("text/event-stream", 200, "event: response.created\n"+`data: {"type":"response.created","response":{"id":"resp_1","status":"in_progress","model":"test-model","output":[]}}`+"\n\n"+
			"event: response.output_text.delta\n"+`data: {"type":"response.output_text.delta","delta":"Hi"}`+"\n\n"+
			"event: response.completed\n"+`data: {"type":"response.completed","response":{"id":"resp_1","status":"completed","model":"test-model","output":[],"usage":`+usage+`}}`+"\n\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, handler)
			meter := newMeter(t, dollar, farebox.WithEndpoint(openRouterAt(p)))
			request := responsesRoute.request
			if name == "stream" {
				request = strings.Replace(request, `"input"`, `"stream":true,"input"`, 1)
			}
			resp, err := meter.HTTPClient().Post(p.URL+"/api/v1/responses", "application/json", strings.NewReader(request))
			if err != nil {
				t.Fatal(err)
			}
			readAll(t, resp)
			receipt := onlyReceipt(t, meter)
			if want := farebox.MustMoney("0.0042"); receipt.Cost != want || receipt.Source != farebox.Reported || bookedIn(t, meter) != want {
				t.Errorf("%s, %s booked, want %s", receipt, bookedIn(t, meter), want)
			}
		})
	}
}

// A client that leaves a stream of messages pays for the input that its head has named, and for what may follow.
func TestLiteLLM37558_AMessageStreamThatIsLeft(t *testing.T) {
	t.Parallel()
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		streams("event: message_start\n"+`data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"test-model","content":[],"usage":{"input_tokens":100,"output_tokens":1}}}`+"\n\n",
			"event: content_block_delta\n"+`data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}`+"\n\n")(w, r)
		<-r.Context().Done()
	})
	meter := newMeter(t, dollar)
	resp, err := meter.HTTPClient().Post(p.URL+"/v1/messages", "application/json", strings.NewReader(streamJSON))
	if err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 16)
	_, _ = resp.Body.Read(piece)
	_ = resp.Body.Close()
	receipt := onlyReceipt(t, meter)
	if receipt.Source != farebox.Held || !receipt.Partial || bookedIn(t, meter) != receipt.Budgets[0].Held {
		t.Errorf("%s, %s booked", receipt, bookedIn(t, meter))
	}
}
