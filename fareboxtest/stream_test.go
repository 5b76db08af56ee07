package fareboxtest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

// streaming is hello as a stream, with more members.
func streaming(more string) string {
	return strings.TrimSuffix(hello, "}") + `,"stream":true` + more + "}"
}

const includeUsage = `,"stream_options":{"include_usage":true}`

// lines joins an expected stream: each event, and the empty line after it.
func lines(events ...string) string { return strings.Join(events, "\n\n") + "\n\n" }

func openAIChunk(delta, finish, rest string) string {
	return `data: {"id":"chatcmpl-00000000000000000000000000001","object":"chat.completion.chunk","created":0,"model":"test-small",` +
		`"service_tier":"default","system_fingerprint":"fp_fareboxtest","choices":[{"index":0,"delta":` + delta + `,"logprobs":null,"finish_reason":` + finish + `}]` + rest + `}`
}

func openRouterChunk(delta, finish string) string {
	return `data: {"id":"gen-T-00000000000000000001","provider":"Simulated","object":"chat.completion.chunk","created":0,"model":"test-small",` +
		`"choices":[{"index":0,"delta":` + delta + `,"logprobs":null,"finish_reason":` + finish + `,"native_finish_reason":` + finish + `}]}`
}

func TestStream(t *testing.T) {
	t.Parallel()
	const usage = `"prompt_tokens":3,"completion_tokens":2,"total_tokens":5`
	const openAIUsage = `{` + usage + `,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},` +
		`"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`
	const openRouterUsage = `{` + usage + `,"cost":0.00000165,"is_byok":false,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0,"audio_tokens":0},` +
		`"cost_details":{"upstream_inference_cost":0.00000165,"upstream_inference_prompt_cost":0.00000045,"upstream_inference_completions_cost":0.0000012},` +
		`"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"image_tokens":0}}`
	for _, c := range []struct {
		name  string
		style fareboxtest.Style
		body  string
		want  string
	}{
		{"OpenAI, no usage asked for", fareboxtest.OpenAI, streaming(""), lines(
			openAIChunk(`{"role":"assistant","content":"","refusal":null}`, "null", ""),
			openAIChunk(`{"content":"Good "}`, "null", ""),
			openAIChunk(`{"content":"day"}`, "null", ""),
			openAIChunk(`{}`, `"stop"`, ""),
			"data: [DONE]")},
		{"OpenAI, usage asked for", fareboxtest.OpenAI, streaming(includeUsage), lines(
			openAIChunk(`{"role":"assistant","content":"","refusal":null}`, "null", `,"usage":null`),
			openAIChunk(`{"content":"Good "}`, "null", `,"usage":null`),
			openAIChunk(`{"content":"day"}`, "null", `,"usage":null`),
			openAIChunk(`{}`, `"stop"`, `,"usage":null`),
			`data: {"id":"chatcmpl-00000000000000000000000000001","object":"chat.completion.chunk","created":0,"model":"test-small",`+
				`"service_tier":"default","system_fingerprint":"fp_fareboxtest","choices":[],"usage":`+openAIUsage+`}`,
			"data: [DONE]")},
		{"OpenRouter", fareboxtest.OpenRouter, streaming(""), lines(
			": OPENROUTER PROCESSING",
			openRouterChunk(`{"role":"assistant","content":""}`, "null"),
			openRouterChunk(`{"role":"assistant","content":"Good "}`, "null"),
			openRouterChunk(`{"role":"assistant","content":"day"}`, "null"),
			openRouterChunk(`{"role":"assistant","content":""}`, `"stop"`),
			`data: {"id":"gen-T-00000000000000000001","provider":"Simulated","object":"chat.completion.chunk","created":0,"model":"test-small",`+
				`"choices":[],"usage":`+openRouterUsage+`}`,
			"data: [DONE]")},
	} {
		p := newProvider(t, fareboxtest.WithStyle(c.style), saying("Good day"))
		resp, body, err := post(t, p, "/chat/completions", c.body)
		if err != nil || resp.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("%s: %v, %v", c.name, resp, err)
		}
		if got := steady(body); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
		fareboxtest.RequireCost(t, "0.00000165", p.Billed())
	}
}

func TestTextCompletionStream(t *testing.T) {
	t.Parallel()
	p := newProvider(t, saying("Good day"))
	_, body, err := post(t, p, "/completions", `{"model":"test-small","prompt":"x","stream":true}`)
	chunk := func(text, finish string) string {
		return `data: {"id":"cmpl-00000000000000000000000000001","object":"text_completion","created":0,"model":"test-small",` +
			`"choices":[{"index":0,"text":"` + text + `","logprobs":null,"finish_reason":` + finish + `}]}`
	}
	if want := lines(chunk("Good ", "null"), chunk("day", "null"), chunk("", `"stop"`), "data: [DONE]"); err != nil || steady(body) != want {
		t.Errorf("%v: got\n%s\nwant\n%s", err, steady(body), want)
	}
}

// chunkOf is what the tests below look at in a chunk.
type chunkOf struct {
	Choices []struct {
		Index int
		Delta struct {
			Content   string
			Reasoning string
			ToolCalls []struct {
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
		FinishReason *string `json:"finish_reason"`
	}
	Error *struct{ Code int }
	Usage *struct {
		Completion int64       `json:"completion_tokens"`
		Cost       json.Number `json:"cost"`
	}
}

// chunksOf reads the chunks of a stream that is written with one line to an event.
func chunksOf(tb testing.TB, body string) (chunks []chunkOf) {
	tb.Helper()
	for line := range strings.Lines(body) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var c chunkOf
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			tb.Fatalf("%v: %s", err, data)
		}
		chunks = append(chunks, c)
	}
	return chunks
}

func TestStreamFeatures(t *testing.T) {
	t.Parallel()
	replies := []fareboxtest.Reply{
		{Text: "First text of all", Reasoning: "Let me think"},
		{ToolCalls: []fareboxtest.ToolCall{{ID: "c1", Name: "look", Arguments: `{"at":"it"}`}, {ID: "c2", Name: "leap", Arguments: `{}`}}},
	}
	p := newProvider(t, fareboxtest.WithStyle(fareboxtest.OpenRouter), fareboxtest.WithReply(func(prompt fareboxtest.Prompt) fareboxtest.Reply {
		return replies[prompt.Choice]
	}))
	_, body, err := post(t, p, "/chat/completions", streaming(`,"n":2`))
	if err != nil {
		t.Fatal(err)
	}
	var text, reasoning, tools strings.Builder
	var reasons []string
	for _, c := range chunksOf(t, body) {
		for _, choice := range c.Choices {
			text.WriteString(choice.Delta.Content)
			reasoning.WriteString(choice.Delta.Reasoning)
			for _, call := range choice.Delta.ToolCalls {
				tools.WriteString(call.Function.Name + call.Function.Arguments)
			}
			if choice.FinishReason != nil {
				reasons = append(reasons, *choice.FinishReason)
			}
		}
	}
	if text.String() != replies[0].Text || reasoning.String() != replies[0].Reasoning || tools.String() != `look{"at":"it"}leap{}` {
		t.Errorf("text %q, reasoning %q, tools %q", text.String(), reasoning.String(), tools.String())
	}
	if got := strings.Join(reasons, " "); got != "stop tool_calls" && got != "tool_calls stop" {
		t.Errorf("the choices finish with %q", got)
	}
	// 5 tokens of text, 3 of reasoning, 1+3 and 1+1 of tools.
	if u := p.Requests()[0].Usage; u != (fareboxtest.Usage{Prompt: 3, Completion: 14, Reasoning: 3}) {
		t.Errorf("usage %+v", u)
	}
}

func TestMidStreamError(t *testing.T) {
	t.Parallel()
	for _, bill := range []bool{false, true} {
		p := newProvider(t, fareboxtest.WithStyle(fareboxtest.OpenRouter), saying("Good day"))
		p.Inject(fareboxtest.Fault{Status: 502, ErrorAfter: 2, Bill: bill})
		resp, body, err := post(t, p, "/chat/completions", streaming(""))
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v, %v", resp, err)
		}
		chunks := chunksOf(t, body)
		last := chunks[len(chunks)-1]
		if len(chunks) != 3 || last.Error == nil || last.Error.Code != 502 || *last.Choices[0].FinishReason != "error" {
			t.Fatalf("got %s", body)
		}
		if (last.Usage != nil) != bill || p.Billed().IsZero() == bill {
			t.Errorf("billed %v: usage %v, %v", bill, last.Usage, p.Billed())
		}
	}
	p := newProvider(t, saying("Good day"))
	p.Inject(fareboxtest.Fault{Status: 500, ErrorAfter: 1, NoFinalNewline: true})
	_, body, err := post(t, p, "/chat/completions", streaming(""))
	want := "\n\n" + `data: {"error":{"message":"The server had an error while processing your request.","type":"server_error","param":null,"code":null}}`
	if err != nil || !strings.HasSuffix(body, want) {
		t.Errorf("%v: %s", err, body)
	}
	fareboxtest.RequireCost(t, farebox.Money{}, p.Billed())
}
