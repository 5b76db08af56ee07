package wire_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/farebox-go/farebox/internal/framing"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/bedrock"
	"github.com/farebox-go/farebox/internal/wire/cohere"
	"github.com/farebox-go/farebox/internal/wire/mistral"
	"github.com/farebox-go/farebox/internal/wire/ollama"
	"github.com/farebox-go/farebox/internal/wire/openrouter"
	"github.com/farebox-go/farebox/internal/wire/rerank"
	"github.com/farebox-go/farebox/internal/wire/xai"
)

func used(u wire.Usage) wire.Usage {
	u.Requests = 1
	return u
}

// spoken are requests with their answers, written by hand, and what both come to.
var spoken = []struct {
	name            string
	format          wire.Format
	target          wire.Target
	request, answer string
	framing         framing.Framing
	asked           wire.Request // Operation, IncludeUsage aside
	told            wire.Answer  // RawUsage aside
}{
	{"Cohere 2", cohere.Format{}, post("cohere", "/v2/chat"), `{"model":"command-a","messages":[{"role":"user","content":[{"type":"text","text":"ab"},{"type":"image_url","image_url":{"url":"u"}}]}],"max_tokens":5}`,
		`{"id":"c","message":{"content":[{"type":"text","text":"abc"}],"tool_calls":[{"function":{"arguments":"{}"}}]},"finish_reason":"COMPLETE",
			"usage":{"billed_units":{"input_tokens":265,"output_tokens":141},"tokens":{"input_tokens":502,"output_tokens":141,"image_tokens":259},"cached_tokens":480}}`, framing.None,
		wire.Request{Model: "command-a", Messages: 1, TextBytes: 2, Images: 1, MaxOutput: 5, Inputs: 1, Choices: 1},
		wire.Answer{ID: "c", FinishReason: "COMPLETE", TextBytes: 5, Done: true, UsageSeen: true, Usage: used(wire.Usage{Input: 6, ImageInput: 259, Output: 141})}},
	{"Cohere 2 breaks off", cohere.Format{}, post("", "/v2/chat"), `{"messages":[{"role":"user","content":"ab"}],"stream":true,"documents":["cd"]}`,
		"data: {\"delta\":{\"message\":{\"tool_plan\":\"abc\"}}}\n\ndata: {\"delta\":{\"finish_reason\":\"ERROR\",\"usage\":{},\"error\":\"no tool\",\"error_type\":\"INVALID\"}}\n\ndata: [DONE]\n\n", framing.ServerSent,
		wire.Request{Messages: 1, TextBytes: 2 + 6, Stream: true, Inputs: 1, Choices: 1},
		wire.Answer{FinishReason: "ERROR", TextBytes: 3, Done: true, Err: &wire.Error{Message: "no tool", Type: "INVALID"}}},
	{"Cohere 1", cohere.Format{}, post("cohere", "/v1/chat"), `{"message":"ab","chat_history":[{"role":"USER","message":"c"}],"connectors":[{"id":"web-search"}],"stream":true,"model":"command-r"}`,
		"{\"event_type\":\"stream-start\",\"generation_id\":\"g\"}\n{\"event_type\":\"text-generation\",\"text\":\"abc\"}\n" +
			"{\"is_finished\":true,\"event_type\":\"stream-end\",\"finish_reason\":\"COMPLETE\",\"response\":{\"text\":\"abc\",\"meta\":{\"billed_units\":{\"input_tokens\":3,\"output_tokens\":1}}}}\n", framing.Lines,
		wire.Request{Model: "command-r", Messages: 2, TextBytes: 2 + int64(len(`{"role":"USER","message":"c"}`)), Stream: true, ServerTools: true, WebSearch: true, Inputs: 1, Choices: 1},
		wire.Answer{ID: "g", FinishReason: "COMPLETE", TextBytes: 3, Done: true, UsageSeen: true, Usage: used(wire.Usage{Input: 3, Output: 1})}},
	{"Cohere's embeddings", cohere.Format{}, post("cohere", "/v1/embed"), `{"model":"embed-v4","texts":["ab","c"],"images":["u"]}`,
		`{"id":"e","embeddings":[[1]],"meta":{"billed_units":{"input_tokens":2,"images":1}}}`, framing.None,
		wire.Request{Model: "embed-v4", TextBytes: 3, Images: 1, Inputs: 3, Choices: 1},
		wire.Answer{ID: "e", Done: true, UsageSeen: true, Usage: used(wire.Usage{Input: 2, Units: map[string]int64{"image/embedded": 1}})}},
	{"a rerank by search units", rerank.Format{}, post("cohere", "/v2/rerank"), `{"model":"rerank-v3.5","query":"abc","documents":["d",{"text":"ef"}]}`,
		`{"id":"r","results":[{"index":0,"relevance_score":1}],"meta":{"billed_units":{"search_units":1}}}`, framing.None,
		wire.Request{Model: "rerank-v3.5", TextBytes: 3 + 1 + 2 + 3, Inputs: 2, Choices: 1, Units: map[string]int64{"search_unit": 1}},
		wire.Answer{ID: "r", Done: true, UsageSeen: true, Usage: used(wire.Usage{Units: map[string]int64{"search_unit": 1}})}},
	{"a rerank with a cost", rerank.Format{}, post("openrouter", "/api/v1/rerank"), `{"model":"cohere/rerank","query":"a","documents":["b"]}`,
		`{"id":"gen-1","model":"cohere/rerank","provider":"Cohere","usage":{"search_units":2,"total_tokens":7,"cost":0.004}}`, framing.None,
		wire.Request{Model: "cohere/rerank", TextBytes: 2, Inputs: 1, Choices: 1, Units: map[string]int64{"search_unit": 1}},
		wire.Answer{ID: "gen-1", Model: "cohere/rerank", Provider: "Cohere", Done: true, UsageSeen: true, Reported: wire.ReportedCost{Literal: "0.004", Field: "usage.cost"},
			Usage: used(wire.Usage{Input: 7, Units: map[string]int64{"search_unit": 2}})}},
	{"converse", bedrock.Format{}, post("bedrock", "/model/eu.anthropic.claude-haiku-4-5-20251001-v1:0/converse"),
		`{"messages":[{"role":"user","content":[{"text":"ab"},{"cachePoint":{"type":"default","ttl":"1h"}},{"document":{"name":"d"}}]}],"system":[{"text":"c"}],"inferenceConfig":{"maxTokens":5},
			"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":9}},"performanceConfig":{"latency":"optimized"},"serviceTier":{"type":"priority"}}`,
		`{"output":{"message":{"content":[{"reasoningContent":{"reasoningText":{"text":"ab"}}},{"text":"c"},{"toolUse":{"input":{"a":1}}}]}},"stopReason":"tool_use","serviceTier":{"type":"priority"},
			"performanceConfig":{"latency":"optimized"},"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":30,"cacheReadInputTokens":10,"cacheReadInputTokenCount":10,"cacheWriteInputTokens":15,
			"cacheDetails":[{"inputTokens":5,"ttl":"1h"},{"inputTokens":10,"ttl":"5m"}]}}`, framing.None,
		wire.Request{Model: "eu.anthropic.claude-haiku-4-5-20251001-v1:0", Messages: 1, TextBytes: 3, Files: 1, LongCache: true, MaxOutput: 9, Speed: "optimized", ServiceTier: "priority", Inputs: 1, Choices: 1},
		wire.Answer{FinishReason: "tool_use", ServiceTier: "priority", Speed: "optimized", TextBytes: 2 + 1 + 7, Done: true, UsageSeen: true,
			Usage: used(wire.Usage{Input: 3, CacheRead: 10, CacheWrite: 10, CacheWrite1h: 5, Output: 2})}},
	{"converse by an inference profile, streamed", bedrock.Format{}, post("bedrock", "/model/arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0/converse-stream"),
		`{"messages":[{"role":"user","content":[{"text":"ab"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"f"}}]}}`,
		awsMessage("messageStart", `{"role":"assistant","p":"ab"}`) + awsMessage("contentBlockDelta", `{"delta":{"text":"abc"}}`) + awsMessage("messageStop", `{"stopReason":"end_turn"}`) +
			awsMessage("metadata", `{"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5},"metrics":{"latencyMs":1}}`), framing.AWS,
		wire.Request{Model: "us.amazon.nova-lite-v1:0", Messages: 1, TextBytes: 2 + int64(len(`[{"toolSpec":{"name":"f"}}]`)), Tools: 1, Stream: true, Inputs: 1, Choices: 1},
		wire.Answer{FinishReason: "end_turn", TextBytes: 3, Done: true, UsageSeen: true, Usage: used(wire.Usage{Input: 3, Output: 2})}},
	{"a prompt router's choice", bedrock.Format{}, post("bedrock", "/model/arn:aws:bedrock:us-east-1:1:default-prompt-router/anthropic.claude:1/converse"), `{"messages":[{"role":"user","content":[{"text":"a"}]}]}`,
		`{"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":1},"trace":{"promptRouter":{"invokedModelId":"arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-3-haiku-20240307-v1:0"}}}`, framing.None,
		wire.Request{Model: "anthropic.claude:1", Messages: 1, TextBytes: 1, Inputs: 1, Choices: 1},
		wire.Answer{Model: "us.anthropic.claude-3-haiku-20240307-v1:0", FinishReason: "end_turn", Done: true, UsageSeen: true, Usage: used(wire.Usage{Input: 1, Output: 1})}},
	{"Claude invoked, streamed", bedrock.Format{}, post("bedrock", "/model/us.anthropic.claude-sonnet-4-6/invoke-with-response-stream"), `{"anthropic_version":"x","max_tokens":5,"messages":[{"role":"user","content":"ab"}]}`,
		awsChunk(`{"type":"message_start","message":{"id":"m","model":"claude-sonnet-4-6","usage":{"input_tokens":3,"cache_read_input_tokens":7,"cache_creation_input_tokens":4,"cache_creation":{"ephemeral_1h_input_tokens":4},"output_tokens":1}}}`) +
			awsChunk(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"abc"}}`) +
			awsChunk(`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}`) +
			awsChunk(`{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3,"outputTokenCount":9}}`), framing.AWS,
		wire.Request{Model: "us.anthropic.claude-sonnet-4-6", Messages: 1, TextBytes: 2, MaxOutput: 5, Stream: true, Inputs: 1, Choices: 1},
		wire.Answer{ID: "m", Model: "claude-sonnet-4-6", FinishReason: "end_turn", TextBytes: 3, Done: true, UsageSeen: true, Usage: used(wire.Usage{Input: 3, CacheRead: 7, CacheWrite1h: 4, Output: 9})}},
	{"Claude of before its messages, streamed", bedrock.Format{}, post("bedrock", "/model/anthropic.claude-v2/invoke-with-response-stream"), `{"prompt":"ab","max_tokens_to_sample":5}`,
		awsChunk(`{"type":"completion","completion":"abc","stop_reason":null}`) + awsChunk(`{"type":"completion","completion":"d","stop_reason":"stop_sequence","amazon-bedrock-invocationMetrics":{"inputTokenCount":3,"outputTokenCount":9}}`), framing.AWS,
		wire.Request{Model: "anthropic.claude-v2", Messages: 1, TextBytes: 2, MaxOutput: 5, Stream: true, Inputs: 1, Choices: 1},
		wire.Answer{FinishReason: "stop_sequence", TextBytes: 4, Done: true, UsageSeen: true, Usage: used(wire.Usage{Input: 3, Output: 9})}},
	{"Llama invoked, streamed", bedrock.Format{}, post("bedrock", "/model/meta.llama3-8b-instruct-v1:0/invoke-with-response-stream"), `{"prompt":"ab","max_gen_len":5}`,
		awsChunk(`{"generation":"a","prompt_token_count":8,"generation_token_count":1,"stop_reason":null}`) + awsChunk(`{"generation":"b","prompt_token_count":null,"generation_token_count":2,"stop_reason":"stop"}`), framing.AWS,
		wire.Request{Model: "meta.llama3-8b-instruct-v1:0", Messages: 1, TextBytes: 2, MaxOutput: 5, Stream: true, Inputs: 1, Choices: 1},
		wire.Answer{FinishReason: "stop", TextBytes: 2, UsageSeen: true, Usage: used(wire.Usage{Input: 8, Output: 2})}},
	{"Titan invoked", bedrock.Format{}, post("bedrock", "/model/amazon.titan-text-express-v1/invoke"), `{"inputText":"ab","textGenerationConfig":{"maxTokenCount":5}}`,
		`{"inputTextTokenCount":3,"results":[{"tokenCount":2,"outputText":"abc","completionReason":"FINISH"}]}`, framing.None,
		wire.Request{Model: "amazon.titan-text-express-v1", Messages: 1, TextBytes: 2, MaxOutput: 5, Inputs: 1, Choices: 1},
		wire.Answer{FinishReason: "FINISH", TextBytes: 3, Done: true, UsageSeen: true, Usage: used(wire.Usage{Input: 3, Output: 2})}},
	{"Titan's embeddings", bedrock.Format{}, post("bedrock", "/model/amazon.titan-embed-text-v2:0/invoke"), `{"inputText":"ab"}`, `{"embedding":[1],"inputTextTokenCount":3}`, framing.None,
		wire.Request{Model: "amazon.titan-embed-text-v2:0", TextBytes: 2, Inputs: 1, Choices: 1},
		wire.Answer{Done: true, UsageSeen: true, Usage: used(wire.Usage{Input: 3})}},
	{"images on Bedrock", bedrock.Format{}, post("bedrock", "/model/amazon.nova-canvas-v1:0/invoke"), `{"taskType":"TEXT_IMAGE","textToImageParams":{"text":"ab"},"imageGenerationConfig":{"numberOfImages":2}}`,
		`{"images":["AA","BB"],"error":null}`, framing.None,
		wire.Request{Model: "amazon.nova-canvas-v1:0", TextBytes: int64(len(`{"text":"ab"}`)), Inputs: 1, Choices: 1, Units: map[string]int64{"image": 2}},
		wire.Answer{Done: true, UsageSeen: true, Usage: used(wire.Usage{Units: map[string]int64{"image": 2}})}},
	{"Mistral's OCR", mistral.Format{}, post("mistral", "/v1/ocr"), `{"model":"mistral-ocr-latest","document":{"type":"document_url","document_url":"u"},"pages":[0,1,4]}`,
		`{"pages":[{"index":0,"markdown":"a"}],"model":"mistral-ocr-2505","usage_info":{"pages_processed":3,"doc_size_bytes":99}}`, framing.None,
		wire.Request{Model: "mistral-ocr-latest", Files: 1, Inputs: 1, Choices: 1, Units: map[string]int64{"page": 3}},
		wire.Answer{Model: "mistral-ocr-2505", Done: true, UsageSeen: true, Usage: used(wire.Usage{Units: map[string]int64{"page": 3}})}},
	{"Mistral's moderation", mistral.Format{}, post("mistral", "/v1/moderations"), `{"model":"mistral-moderation-latest","input":["ab","c"]}`,
		`{"id":"m","model":"mistral-moderation-2411","usage":{"prompt_tokens":9,"total_tokens":9},"results":[]}`, framing.None,
		wire.Request{Model: "mistral-moderation-latest", TextBytes: 3, Inputs: 2, Choices: 1},
		wire.Answer{ID: "m", Model: "mistral-moderation-2411", Done: true, UsageSeen: true, Usage: used(wire.Usage{Input: 9})}},
	{"a conversation with Mistral", mistral.Format{}, post("mistral", "/v1/conversations/conv_1"), `{"inputs":"ab","stream":true,"completion_args":{"max_tokens":5},"tools":[{"type":"web_search"}]}`,
		"event: message.output.delta\ndata: {\"type\":\"message.output.delta\",\"content\":\"abc\",\"model\":\"mistral-medium\"}\n\nevent: conversation.response.done\ndata: " +
			`{"usage":{"prompt_tokens":188,"completion_tokens":55,"total_tokens":7355,"connector_tokens":7112,"connectors":{"web_search":1,"image_generation":2}}}` + "\n\n", framing.ServerSent,
		wire.Request{Messages: 1, TextBytes: 2 + int64(len(`[{"type":"web_search"}]`)), MaxOutput: 5, Tools: 1, ServerTools: true, WebSearch: true, Stream: true, HiddenInput: true, Inputs: 1, Choices: 1},
		wire.Answer{Model: "mistral-medium", TextBytes: 3, Done: true, UsageSeen: true,
			Usage: used(wire.Usage{Input: 7300, Output: 55, WebSearches: 1, Units: map[string]int64{"tool_call/image_generation": 2}})}},
	{"Ollama, streamed", ollama.Format{}, post("ollama", "/api/chat"), `{"model":"llama3.2","messages":[{"role":"user","content":"ab","images":["AA"]}],"options":{"num_predict":5}}`,
		"{\"model\":\"llama3.2\",\"message\":{\"content\":\"abc\"},\"done\":false}\n{\"model\":\"llama3.2\",\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"length\",\"prompt_eval_count\":26,\"eval_count\":5}\n", framing.Lines,
		wire.Request{Model: "llama3.2", Messages: 1, TextBytes: 2, Images: 1, MaxOutput: 5, Stream: true, Inputs: 1, Choices: 1},
		wire.Answer{Model: "llama3.2", FinishReason: "length", TextBytes: 3, Done: true, UsageSeen: true, Usage: used(wire.Usage{Input: 26, Output: 5})}},
	{"Ollama breaks off", ollama.Format{}, post("ollama", "/api/generate"), `{"model":"m","prompt":"ab","context":[1,2,3],"options":{"num_predict":-1}}`,
		"{\"model\":\"m\",\"response\":\"abc\",\"done\":false}\n{\"error\":\"out of memory\"}\n", framing.Lines,
		wire.Request{Model: "m", TextBytes: 2, InputTokens: 3, Stream: true, Inputs: 1, Choices: 1},
		wire.Answer{Model: "m", TextBytes: 3, Err: &wire.Error{Message: "out of memory"}}},
	{"Ollama's embeddings", ollama.Format{}, post("ollama", "/api/embed"), `{"model":"nomic","input":["ab","c"]}`, `{"model":"nomic","embeddings":[[1],[2]],"prompt_eval_count":8}`, framing.None,
		wire.Request{Model: "nomic", TextBytes: 3, Inputs: 2, Choices: 1},
		wire.Answer{Model: "nomic", Done: true, UsageSeen: true, Usage: used(wire.Usage{Input: 8})}},
	{"xAI's gRPC as JSON", xai.Format{}, post("xai", "/xai_api.Chat/GetCompletion"), `{"model":"grok-4","messages":[{"role":"ROLE_USER","content":[{"text":"ab"}]}],"tools":[{"web_search":{}}],"max_tokens":5}`,
		`{"id":"x","outputs":[{"finish_reason":"REASON_STOP","message":{"content":"abc"}}],"model":"grok-4","system_fingerprint":"fp","usage":{"prompt_tokens":30,"prompt_text_tokens":30,"cached_prompt_text_tokens":10,
			"completion_tokens":4,"reasoning_tokens":6,"total_tokens":40,"cost_in_usd_ticks":"77397500","server_side_tools_used":["SERVER_SIDE_TOOL_WEB_SEARCH","SERVER_SIDE_TOOL_MCP","SERVER_SIDE_TOOL_CODE_EXECUTION"]}}`, framing.None,
		wire.Request{Model: "grok-4", Messages: 1, TextBytes: 2 + int64(len(`[{"web_search":{}}]`)), Tools: 1, ServerTools: true, WebSearch: true, MaxOutput: 5, Inputs: 1, Choices: 1},
		wire.Answer{ID: "x", Model: "grok-4", SystemFingerprint: "fp", FinishReason: "REASON_STOP", TextBytes: 3, Done: true, UsageSeen: true,
			Reported: wire.ReportedCost{Literal: "77397500", Exponent: -10, Field: "usage.cost_in_usd_ticks"},
			Usage:    used(wire.Usage{Input: 20, CacheRead: 10, Output: 4, Reasoning: 6, WebSearches: 1, Units: map[string]int64{"tool_call/code_execution": 1, "tool_call/mcp": 1}})}},
	{"OpenRouter's record", openrouter.Format{}, wire.Target{Method: "GET", Provider: "openrouter", Path: "/api/v1/generation", Query: "id=gen-1"}, ``,
		`{"data":{"id":"gen-1","model":"m","provider_name":"P","total_cost":0,"is_byok":true,"upstream_inference_cost":2.5e-3,"native_tokens_prompt":9,"native_tokens_completion":4,"native_tokens_reasoning":1,"native_tokens_cached":2,"finish_reason":"stop"}}`, framing.None,
		wire.Request{Inputs: 1, Choices: 1},
		wire.Answer{ID: "gen-1", Model: "m", Provider: "P", FinishReason: "stop", Done: true, UsageSeen: true, BYOK: true,
			Reported: wire.ReportedCost{Literal: "0", Field: "total_cost"}, Upstream: wire.ReportedCost{Literal: "2.5e-3", Field: "upstream_inference_cost"},
			Usage: used(wire.Usage{Input: 7, CacheRead: 2, Output: 3, Reasoning: 1})}},
}

func TestSpoken(t *testing.T) {
	t.Parallel()
	for _, c := range spoken {
		route, ok := c.format.Recognise(c.target)
		if !ok {
			t.Errorf("%s: %s is not recognised", c.name, c.target.Path)
			continue
		}
		q, err := c.format.ReadRequest(route.Operation, c.target, []byte(c.request))
		c.asked.Operation, c.asked.IncludeUsage = route.Operation, q.IncludeUsage
		if err != nil || !reflect.DeepEqual(q, c.asked) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", c.name, err, q, c.asked)
		}
		a := *readAnswer(c.format, &q, c.framing, []byte(c.answer), len(c.answer))
		if a.UsageSeen != json.Valid(a.RawUsage) {
			t.Errorf("%s: raw usage %s", c.name, a.RawUsage)
		}
		a.RawUsage = nil
		if !reflect.DeepEqual(a, c.told) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, a, c.told)
		}
	}
}

// TestRoutesOfOthers: none of these formats takes what belongs to another, or to nobody that is known.
func TestRoutesOfOthers(t *testing.T) {
	t.Parallel()
	formats := []wire.Format{bedrock.Format{}, cohere.Format{}, mistral.Format{}, ollama.Format{}, openrouter.Format{}, rerank.Format{}, xai.Format{}}
	for _, to := range []wire.Target{
		post("", "/v1/chat/completions"), post("writer", "/v1/chat"), post("", "/v1/chat"), post("", "/api/chat"), post("", "/api/generate"),
		post("openai", "/v1/moderations"), post("", "/v1/messages"), post("", "/v1beta/models/gemini:generateContent"), post("", "/"), post("", ""),
		post("bedrock", "/model//invoke"), post("bedrock", "/model/m/async-invoke"), post("bedrock", "/guardrail/g/version/1/apply"),
		{Method: "GET", Provider: "bedrock", Path: "/model/m/converse"}, {Method: "GET", Path: "/v1/rerank"}, {Method: "GET", Provider: "cohere", Path: "/v2/chat"},
	} {
		for _, format := range formats {
			if route, ok := format.Recognise(to); ok {
				t.Errorf("%s takes %s %s for %+v", format.Name(), to.Method, to.Path, route)
			}
		}
	}
	for _, to := range []wire.Target{
		post("bedrock", "/model/m/count-tokens"), post("cohere", "/v1/tokenize"), post("ollama", "/api/show"), {Method: "GET", Provider: "ollama", Path: "/api/tags"},
		{Method: "GET", Provider: "openrouter", Path: "/api/v1/credits"},
	} {
		free := 0
		for _, format := range formats {
			if route, ok := format.Recognise(to); ok && route.Billing == wire.Free {
				free++
			}
		}
		if free != 1 {
			t.Errorf("%s %s is free to %d formats", to.Method, to.Path, free)
		}
	}
}

// TestBedrockHeads: where a maker's answer counts nothing, the head does.
func TestBedrockHeads(t *testing.T) {
	t.Parallel()
	of := &wire.Request{Operation: wire.GenerateContent, Model: "cohere.command-r-v1:0"}
	head := map[string][]string{"X-Amzn-Bedrock-Input-Token-Count": {"17"}, "X-Amzn-Bedrock-Output-Token-Count": {"8"}, "X-Amzn-Bedrock-Cache-Read-Input-Token-Count": {"5"}}
	for answer, want := range map[string]wire.Usage{
		`{"text":"abc","finish_reason":"COMPLETE"}`:    used(wire.Usage{Input: 17, CacheRead: 5, Output: 8}),
		`{"usage":{"inputTokens":1,"outputTokens":2}}`: used(wire.Usage{Input: 1, Output: 2}),
	} {
		a := readAnswer(bedrock.Format{}, of, framing.None, []byte(answer), 7)
		if (bedrock.Format{}).ReadHeaders(of, head, a); !reflect.DeepEqual(a.Usage, want) || !a.UsageSeen || !json.Valid(a.RawUsage) {
			t.Errorf("%s: %+v, raw %s", answer, a.Usage, a.RawUsage)
		}
	}
}

// TestStreamsAllocNothing: what a chunk of every format costs.
func TestStreamsAllocNothing(t *testing.T) {
	for _, c := range []struct {
		format wire.Format
		of     wire.Request
		name   string
		data   string
	}{
		{cohere.Format{}, wire.Request{}, "content-delta", `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" there"}}}}`},
		{bedrock.Format{}, wire.Request{Operation: wire.Chat}, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":", here we"},"p":"abcdefghijklmnopqrstuvwxyz"}`},
		{bedrock.Format{}, wire.Request{Operation: wire.GenerateContent, Model: "meta.llama3"}, "chunk", `{"bytes":"eyJnZW5lcmF0aW9uIjoiYSJ9","p":"abc"}`},
		{ollama.Format{}, wire.Request{}, "", `{"model":"llama3.2","created_at":"2026-11-01T10:00:00.1Z","message":{"role":"assistant","content":" text"},"done":false}`},
	} {
		r := c.format.NewStreamReader(&c.of)
		name, data := []byte(c.name), []byte(c.data)
		r.Event(name, data)
		if n := testing.AllocsPerRun(100, func() { r.Event(name, data) }); n != 0 {
			t.Errorf("%s: %v allocations for each chunk", c.format.Name(), n)
		}
	}
}
