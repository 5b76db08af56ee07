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
	"github.com/farebox-go/farebox/internal/wire/rerank"
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
