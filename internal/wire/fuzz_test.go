package wire_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"testing"

	"github.com/farebox-go/farebox/internal/framing"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/bedrock"
	"github.com/farebox-go/farebox/internal/wire/cohere"
	"github.com/farebox-go/farebox/internal/wire/gemini"
	"github.com/farebox-go/farebox/internal/wire/mistral"
	"github.com/farebox-go/farebox/internal/wire/ollama"
	"github.com/farebox-go/farebox/internal/wire/openrouter"
	"github.com/farebox-go/farebox/internal/wire/rerank"
	"github.com/farebox-go/farebox/internal/wire/xai"
)

// fuzzed are routes of every kind, with a request and an answer each to begin from.
var fuzzed = []struct {
	format          wire.Format
	target          wire.Target
	request, answer string
	framing         framing.Framing
}{
	{gemini.Format{}, post("google", "/v1beta/models/gemini-3-flash:generateContent"), `{"contents":[{"role":"user","parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"AA"}}]}],"tools":[{"googleSearch":{}}]}`,
		`{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["q"]}}],"usageMetadata":{"promptTokenCount":3,"promptTokensDetails":[{"modality":"TEXT","tokenCount":3}]}}`, framing.None},
	{gemini.Format{}, post("vertex", "/v1/models/gemini-3-flash:streamGenerateContent"), `{"contents":{"parts":{"text":"a"}}}`,
		"[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\"}]}}]}\n,\r\n{\"usageMetadata\":{\"promptTokenCount\":3,\"totalTokenCount\":5}}]", framing.JSONElements},
	{gemini.Format{}, post("google", "/v1beta/interactions"), `{"model":"m","input":[{"type":"user_input","content":[{"type":"text","text":"a"}]}],"stream":true}`,
		"event: interaction.completed\ndata: {\"interaction\":{\"id\":\"v\",\"usage\":{\"total_input_tokens\":1}}}\n\nevent: done\ndata: [DONE]\n\n", framing.ServerSent},
	{gemini.Format{}, post("vertex", "/v1/publishers/google/models/text-embedding-005:predict"), `{"instances":[{"content":"a"}]}`,
		`{"predictions":[{"embeddings":{"statistics":{"token_count":4}}}]}`, framing.None},
	{cohere.Format{}, post("cohere", "/v1/chat"), `{"message":"a","chat_history":[{"role":"USER","message":"b"}],"connectors":[{"id":"web-search"}],"max_tokens":5}`,
		`{"text":"b","generation_id":"g","finish_reason":"COMPLETE","meta":{"billed_units":{"input_tokens":3,"output_tokens":1},"tokens":{"input_tokens":70}}}`, framing.None},
	{cohere.Format{}, post("cohere", "/v1/chat"), `{"message":"a","stream":true}`,
		"{\"is_finished\":false,\"event_type\":\"text-generation\",\"text\":\"b\"}\n{\"is_finished\":true,\"finish_reason\":\"COMPLETE\",\"response\":{\"meta\":{\"billed_units\":{\"input_tokens\":3}}}}\n", framing.Lines},
	{cohere.Format{}, post("", "/v2/chat"), `{"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"stream":true}`,
		"event: content-delta\ndata: {\"delta\":{\"message\":{\"content\":{\"text\":\"b\"}}}}\n\nevent: message-end\ndata: {\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":{\"input_tokens\":3}}}}\n\n", framing.ServerSent},
	{cohere.Format{}, post("", "/v2/embed"), `{"inputs":[{"content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}}]}],"texts":["b"],"images":["c"]}`,
		`{"id":"e","embeddings":{"float":[[0.1]]},"meta":{"billed_units":{"images":1,"input_tokens":2}}}`, framing.None},
	{rerank.Format{}, post("", "/v1/rerank"), `{"model":"m","query":"q","documents":["a",{"text":"b"}]}`,
		`{"results":[{"index":0,"relevance_score":0.9}],"meta":{"billed_units":{"search_units":1}}}`, framing.None},
	{rerank.Format{}, post("openrouter", "/api/v1/rerank"), `{"model":"m","query":"q","documents":["a"]}`,
		`{"id":"g","model":"m","usage":{"total_tokens":9,"search_units":1,"cost":0.001}}`, framing.None},
	{bedrock.Format{}, post("bedrock", "/model/us.amazon.nova-lite-v1:0/converse"), `{"messages":[{"role":"user","content":[{"text":"a"},{"cachePoint":{"type":"default","ttl":"1h"}}]}],"system":[{"text":"b"}],
		"inferenceConfig":{"maxTokens":5},"toolConfig":{"tools":[{"toolSpec":{"name":"f"}},{"systemTool":{"name":"s"}}]},"serviceTier":{"type":"flex"}}`,
		`{"output":{"message":{"content":[{"text":"b"},{"toolUse":{"input":{"a":1}}}]}},"stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":1,"cacheWriteInputTokens":5,"cacheDetails":[{"inputTokens":5,"ttl":"1h"}]}}`, framing.None},
	{bedrock.Format{}, post("bedrock", "/model/anthropic.claude-v2/converse-stream"), `{"messages":[{"role":"user","content":[{"text":"a"}]}]}`,
		awsMessage("contentBlockDelta", `{"delta":{"text":"b"}}`) + awsMessage("messageStop", `{"stopReason":"end_turn"}`) + awsMessage("metadata", `{"usage":{"inputTokens":3,"outputTokens":1}}`), framing.AWS},
	{bedrock.Format{}, post("bedrock", "/model/anthropic.claude-haiku-4-5-v1:0/invoke"), `{"anthropic_version":"x","max_tokens":5,"messages":[{"role":"user","content":"a"}]}`,
		`{"type":"message","id":"m","model":"c","content":[{"type":"text","text":"b"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":1}}`, framing.None},
	{bedrock.Format{}, post("bedrock", "/model/anthropic.claude-haiku-4-5-v1:0/invoke-with-response-stream"), `{"max_tokens":5,"messages":[{"role":"user","content":"a"}]}`,
		awsChunk(`{"type":"message_start","message":{"id":"m","usage":{"input_tokens":3,"output_tokens":1}}}`) + awsChunk(`{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3,"outputTokenCount":2}}`), framing.AWS},
	{bedrock.Format{}, post("bedrock", "/model/amazon.titan-text-express-v1/invoke"), `{"inputText":"a","textGenerationConfig":{"maxTokenCount":5}}`,
		`{"inputTextTokenCount":3,"results":[{"tokenCount":2,"outputText":"b","completionReason":"FINISH"}]}`, framing.None},
	{bedrock.Format{}, post("bedrock", "/model/meta.llama3-8b-instruct-v1:0/invoke-with-response-stream"), `{"prompt":"a","max_gen_len":5}`,
		awsChunk(`{"generation":"b","prompt_token_count":3,"generation_token_count":1,"stop_reason":null}`) + awsChunk(`{"generation":"c","prompt_token_count":null,"generation_token_count":2,"stop_reason":"stop"}`), framing.AWS},
	{mistral.Format{}, post("mistral", "/v1/ocr"), `{"model":"mistral-ocr-latest","document":{"type":"document_url","document_url":"u"},"pages":[0,1]}`,
		`{"pages":[{"index":0,"markdown":"a"}],"model":"mistral-ocr-2505","usage_info":{"pages_processed":2,"doc_size_bytes":9}}`, framing.None},
	{mistral.Format{}, post("mistral", "/v1/conversations"), `{"model":"m","inputs":[{"role":"user","content":"a"}],"stream":true,"completion_args":{"max_tokens":5},"tools":[{"type":"web_search"}]}`,
		"event: message.output.delta\ndata: {\"content\":\"b\"}\n\nevent: conversation.response.done\ndata: {\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":9,\"connector_tokens\":4,\"connectors\":{\"web_search\":1}}}\n\n", framing.ServerSent},
	{ollama.Format{}, post("ollama", "/api/chat"), `{"model":"llama3.2","messages":[{"role":"user","content":"a","images":["AA"]}],"options":{"num_predict":5}}`,
		"{\"model\":\"llama3.2\",\"message\":{\"content\":\"b\"},\"done\":false}\n{\"model\":\"llama3.2\",\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":3,\"eval_count\":2}\n", framing.Lines},
	{ollama.Format{}, post("ollama", "/api/generate"), `{"model":"llama3.2","prompt":"a","stream":false}`,
		`{"model":"llama3.2","response":"b","done":true,"prompt_eval_count":3,"eval_count":2}`, framing.None},
	{xai.Format{}, post("xai", "/xai_api.Chat/GetCompletion"), `{"model":"grok-4","messages":[{"content":[{"text":"a"}]}],"tools":[{"function":{"name":"f"}},{"web_search":{}}]}`,
		`{"id":"x","outputs":[{"finish_reason":"REASON_STOP","message":{"content":"b"}}],"model":"grok-4","usage":{"prompt_tokens":3,"prompt_text_tokens":3,"completion_tokens":1,"total_tokens":4,"cost_in_usd_ticks":"77","server_side_tools_used":["SERVER_SIDE_TOOL_WEB_SEARCH","SERVER_SIDE_TOOL_CODE_EXECUTION"]}}`, framing.None},
	{openrouter.Format{}, wire.Target{Method: "GET", Provider: "openrouter", Path: "/api/v1/generation", Query: "id=gen-1"}, ``,
		`{"data":{"id":"gen-1","model":"m","total_cost":0.5,"is_byok":true,"upstream_inference_cost":0.25,"native_tokens_prompt":9,"native_tokens_completion":4,"native_tokens_reasoning":1,"native_tokens_cached":2}}`, framing.None},
}

// awsMessage is a message of an AWS event stream.
func awsMessage(kind, payload string) string {
	var headers []byte
	for _, h := range [][2]string{{":event-type", kind}, {":content-type", "application/json"}, {":message-type", "event"}} {
		headers = append(append(headers, byte(len(h[0]))), h[0]...)
		headers = append(binary.BigEndian.AppendUint16(append(headers, 7), uint16(len(h[1]))), h[1]...)
	}
	m := binary.BigEndian.AppendUint32(nil, uint32(len(headers)+len(payload)+16))
	m = binary.BigEndian.AppendUint32(m, uint32(len(headers)))
	m = binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(m))
	m = append(append(m, headers...), payload...)
	return string(binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(m)))
}

// awsChunk is a chunk of what was invoked.
func awsChunk(document string) string {
	return awsMessage("chunk", `{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(document))+`","p":"abc"}`)
}

func post(provider, path string) wire.Target {
	return wire.Target{Method: "POST", Provider: provider, Path: path}
}

// FuzzRequest: a request that is read has no count below zero, an error says nothing of what the request says.
func FuzzRequest(f *testing.F) {
	for i, c := range fuzzed {
		f.Add(uint8(i), []byte(c.request))
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		c := fuzzed[int(which)%len(fuzzed)]
		route, ok := c.format.Recognise(c.target)
		if !ok {
			t.Fatalf("%s is not recognised", c.target.Path)
		}
		q, err := c.format.ReadRequest(route.Operation, c.target, body)
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("a long error: %v", err)
		}
		if q.TextBytes < 0 || q.MaxOutput < 0 || q.Choices < 0 || q.Inputs < 0 || q.InputTokens < 0 || q.BesideLimit < 0 {
			t.Errorf("%q: %+v", body, q)
		}
		if json.Valid(body) && q.TextBytes > 2*int64(len(body)) {
			t.Errorf("%d bytes of text in %d", q.TextBytes, len(body))
		}
		edited, err := c.format.IncludeUsage(body)
		if err == nil && json.Valid(body) && !json.Valid(edited) {
			t.Errorf("%q was edited to %q", body, edited)
		}
	})
}

// FuzzAnswer: an answer says the same whatever the pieces, cut off anywhere, and no count is below zero.
func FuzzAnswer(f *testing.F) {
	for i, c := range fuzzed {
		for cut := 0; cut <= len(c.answer); cut += 1 + len(c.answer)/8 {
			f.Add(uint8(i), []byte(c.answer[:len(c.answer)-cut]), uint8(3))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, answer []byte, size uint8) {
		c := fuzzed[int(which)%len(fuzzed)]
		route, _ := c.format.Recognise(c.target)
		q, _ := c.format.ReadRequest(route.Operation, c.target, []byte(c.request))
		whole := readAnswer(c.format, &q, c.framing, answer, len(answer)+1)
		got := readAnswer(c.format, &q, c.framing, answer, int(size)+1)
		want, _ := json.Marshal(whole)
		if text, _ := json.Marshal(got); !bytes.Equal(text, want) {
			t.Fatalf("%q in pieces of %d:\n got %s\nwant %s", answer, size, text, want)
		}
		for i, n := range kinds(&whole.Usage) {
			if n < 0 {
				t.Fatalf("%q: count %d is %d", answer, i, n)
			}
		}
		c.format.ReadError(500, answer)
	})
}

// TestCutAnywhere cuts every answer at every offset.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	for _, c := range fuzzed {
		route, _ := c.format.Recognise(c.target)
		q, err := c.format.ReadRequest(route.Operation, c.target, []byte(c.request))
		if err != nil {
			t.Errorf("%s: %v", c.request, err)
		}
		for cut := range len(c.answer) + 1 {
			one := readAnswer(c.format, &q, c.framing, []byte(c.answer[:cut]), 1)
			all := readAnswer(c.format, &q, c.framing, []byte(c.answer[:cut]), cut+1)
			got, _ := json.Marshal(one)
			if want, _ := json.Marshal(all); !bytes.Equal(got, want) {
				t.Errorf("%s cut at %d:\n got %s\nwant %s", c.answer, cut, got, want)
			}
		}
		if a := readAnswer(c.format, &q, c.framing, []byte(c.answer), 5); !a.UsageSeen {
			t.Errorf("%s: no usage", c.answer)
		}
	}
}

func readAnswer(format wire.Format, of *wire.Request, kind framing.Framing, text []byte, size int) *wire.Answer {
	var write func(p []byte)
	var answer func() *wire.Answer
	if kind == framing.None {
		r := format.NewBodyReader(of)
		write, answer = r.Write, r.Answer
	} else {
		r := format.NewStreamReader(of)
		p := kind.New(0)
		event := func(name, data []byte) { r.Event(name, data) }
		write = func(piece []byte) { p.Write(piece, event) }
		answer = func() *wire.Answer { p.Close(event); return r.Answer() }
	}
	for len(text) > 0 {
		n := min(size, len(text))
		write(bytes.Clone(text[:n]))
		text = text[n:]
	}
	return answer()
}

func kinds(u *wire.Usage) []int64 {
	counts := []int64{u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.AudioInput, u.AudioCacheRead, u.ImageInput, u.ImageCacheRead,
		u.VideoInput, u.Output, u.Reasoning, u.AudioOutput, u.ImageOutput, u.VideoOutput, u.Citation, u.WebSearches, u.Requests}
	for _, n := range u.Units {
		counts = append(counts, n)
	}
	return counts
}
