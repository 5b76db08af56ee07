package prompt

import (
	"strings"
	"testing"
)

// A conversation with a call of a tool and its result, an image and a file, in the forms of the APIs.
const (
	responsesBody = `{"model":"gpt-5","instructions":"hello world","input":[
		{"role":"user","content":[{"type":"input_text","text":"hello world"},{"type":"input_image","image_url":"https://example.com/a.png","detail":"low"}]},
		{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hello world"}],"encrypted_content":"c2VhbGVk"},
		{"type":"function_call","call_id":"call_1","name":"weather","arguments":"{}","status":"completed"},
		{"type":"function_call_output","call_id":"call_1","output":"hello world"},
		{"role":"user","content":[{"type":"input_file","filename":"a.pdf","file_id":"file_1"}]}],
		"tools":[{"type":"function","name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}],
		"text":{"format":{"type":"json_schema","name":"a","schema":{"type":"object"}}}}`
	anthropicBody = `{"model":"claude-sonnet-4-5","max_tokens":9,"system":[{"type":"text","text":"hello world","cache_control":{"type":"ephemeral"}}],
		"messages":[{"role":"user","content":[{"type":"text","text":"hello world"},
			{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}},
			{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}}]},
		{"role":"assistant","content":[{"type":"thinking","thinking":"hello","signature":"c2VhbGVk"},
			{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Rome"}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"hello world"}]}]}],
		"tools":[{"name":"weather","description":"hello world","input_schema":{"type":"object","properties":{"city":{"type":"string"}}}}],
		"tool_choice":{"type":"auto"},"thinking":{"type":"enabled","budget_tokens":1024}}`
	geminiBody = `{"system_instruction":{"parts":[{"text":"hello world"}]},"contents":[
		{"role":"user","parts":[{"text":"hello world"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]},
		{"role":"model","parts":[{"functionCall":{"name":"weather","args":{"city":"Rome"}},"thoughtSignature":"c2VhbGVk"}]},
		{"role":"user","parts":[{"functionResponse":{"name":"weather","response":{"sky":"blue"}}}]}],
		"tools":[{"functionDeclarations":[{"name":"weather","parameters":{"type":"OBJECT","properties":{"city":{"type":"STRING"}}}}]}],
		"generationConfig":{"responseSchema":{"type":"OBJECT"}}}`
)

// TestFormats counts parts of these conversations, with figures of the table.
func TestFormats(t *testing.T) {
	t.Parallel()
	tokens := func(text string) int64 { return tokensOf(t, "o200k_base", text) }
	weather := tokens(`{"type":"function","function":{"name":"weather","input_schema":{"type":"object","properties":{"city":{"type":"string"}}}}}` + "\n")
	shown := tokens("namespace functions {\n\ntype weather = (_: {\ncity: string,\n}) => any;\n\n} // namespace functions")
	const tool = `"name":"weather","SCHEMA":{"type":"object","properties":{"city":{"type":"string"}}}`
	openaiTool := strings.Replace(`{"type":"function",`+tool+`}`, "SCHEMA", "parameters", 1)
	claudeTool := strings.Replace(`{`+tool+`}`, "SCHEMA", "input_schema", 1)
	claude := nativeClaude4
	ratio := func(n int64) int64 { return scaled(n, 1045) }
	for _, c := range []struct {
		name, model string
		format      Format
		body        string
		want        int64
	}{
		{"a text", "gpt-4o", Responses, `{"input":"hello world"}`, 2 + 4 + 3},
		{"a message", "gpt-4o", Responses, `{"input":[{"role":"user","content":"hello world"}]}`, 2 + 4 + 3},
		{"a message's parts", "gpt-4o", Responses, `{"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hello world"}]}]}`, 2 + 4 + 3},
		{"instructions are a message", "gpt-5", Responses, `{"instructions":"hello world","input":"hello world"}`, 2*(2+4) + 2},
		{"unless there are none", "gpt-5", Responses, `{"instructions":"","input":"hello world"}`, 2 + 4 + 2},
		{"a tool", "gpt-4o", Responses, `{"input":"hello world","tools":[` + openaiTool + `]}`, 2 + 4 + 3 + shown + 3 - 1},
		{"a tool at a model that thinks", "gpt-5", Responses, `{"input":"hello world","tools":[` + openaiTool + `]}`, 2 + 4 + 2 + shown + 9 - 1},
		{"a call", "gpt-4o", Responses, `{"input":[{"type":"function_call","call_id":"c","name":"weather","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"hello world"}]}`, 2*1 + 1 + 3 + 2 + 2*4 + 3},
		{"thoughts before a question are gone", "gpt-5", Responses, `{"input":[{"type":"reasoning","summary":[],"encrypted_content":"` + strings.Repeat("x", 2000) + `"},{"role":"user","content":"hello world"}]}`, 2 + 4 + 2},
		{"thoughts before an answer are not", "gpt-5", Responses, `{"input":[{"role":"user","content":"hello world"},{"type":"reasoning","summary":[],"encrypted_content":"` + strings.Repeat("x", 2000) + `"}]}`, 2 + 4 + 2 + 1050/5},

		{"a text", "claude-sonnet-4-5", Anthropic, `{"messages":[{"role":"user","content":"hello world"}]}`, ratio(2) + claude.priming + claude.message},
		{"a system prompt is a message", "claude-sonnet-4-5", Anthropic, `{"system":"hello world","messages":[{"role":"user","content":[{"type":"text","text":"hello"},{"type":"text","text":" world"}]}]}`, ratio(4) + claude.priming + 2*claude.message},
		{"no message", "claude-sonnet-4-5", Anthropic, `{"thinking":{"type":"enabled"},"messages":[]}`, 0},
		{"a tool", "claude-sonnet-4-5", Anthropic, `{"messages":[{"role":"user","content":"hello world"}],"tools":[` + claudeTool + `]}`, ratio(2) + claude.priming + claude.message + claude.tools + claude.tool + scaled(weather, claude.toolText)},
		{"which may not be called, but is there", "claude-sonnet-4-5", Anthropic, `{"tool_choice":{"type":"none"},"messages":[{"role":"user","content":"hello world"}],"tools":[` + claudeTool + `]}`, ratio(2) + claude.priming + claude.message + claude.tools + claude.tool + scaled(weather, claude.toolText)},
		{"a call and its result", "claude-sonnet-4-5", Anthropic, `{"messages":[{"role":"assistant","content":[{"type":"text","text":"hello"},{"type":"tool_use","id":"t","name":"weather","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"hello world"}]}]}`, ratio(1+1+1+2) + claude.priming + 3*claude.message + claude.call},
		{"a document that is a text", "claude-sonnet-4-5", Anthropic, `{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hello world"}}]}]}`, ratio(2) + claude.priming + claude.message},

		{"a text", "gemini-2.5-flash", Gemini, `{"contents":[{"parts":[{"text":"hello world"}]}]}`, 2},
		{"turns, and an instruction", "gemini-3-flash", Gemini, `{"systemInstruction":{"parts":[{"text":"hello world"}]},"contents":[{"role":"user","parts":[{"text":"hello world"}]},{"role":"model","parts":{"text":"hello world"}}]}`, 6 + 1},
		{"a call and its result", "gemini-2.5-flash", Gemini, `{"contents":[{"parts":[{"functionCall":{"name":"weather","args":{}}}]},{"parts":[{"functionResponse":{"name":"weather","response":{ "a" : 1 }}}]}]}`, 1 + 1 + 25 + tokens(`{"a":1}`)},
		{"a schema steers, and is not read", "gemini-2.5-flash", Gemini, `{"generationConfig":{"responseSchema":{"type":"OBJECT"}},"contents":[{"parts":[{"text":"hello world"}]}]}`, 2},
	} {
		e, err := Count(c.format, c.model, []byte(c.body))
		if err != nil || e.Tokens != c.want {
			t.Errorf("%s, %s: %d tokens, %v; want %d", c.model, c.name, e.Tokens, err, c.want)
		}
		if e.Bounded && e.Most < e.Tokens {
			t.Errorf("%s, %s: %+v", c.model, c.name, e)
		}
	}
}

// TestUnknowable holds that no bound is claimed where a request refers to what is not in it, or the provider runs
// something.
func TestUnknowable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		model  string
		format Format
		member string
	}{
		{"gpt-4o", Responses, `"previous_response_id":"resp_1"`},
		{"gpt-4o", Responses, `"conversation":{"id":"conv_1"}`},
		{"gpt-4o", Responses, `"prompt":{"id":"pmpt_1"}`},
		{"gpt-4o", Responses, `"tools":[{"type":"file_search","vector_store_ids":["vs"]}]`},
		{"gpt-4o", Responses, `"tools":[{"type":"mcp","server_label":"a","server_url":"https://example.com"}]`},
		{"gpt-4o", Responses, `"input":[{"type":"item_reference","id":"msg_1"}]`},
		{"gpt-4o", Responses, `"input":[{"role":"user","content":[{"type":"input_file","file_id":"file_1"}]}]`},
		{"gpt-4o", Responses, `"input":[{"role":"user","content":[{"type":"input_file","file_url":"https://example.com/a.pdf"}]}]`},
		{"claude-sonnet-4-5", Anthropic, `"mcp_servers":[{"url":"https://example.com"}]`},
		{"claude-sonnet-4-5", Anthropic, `"tools":[{"type":"bash_20250124","name":"bash"}]`},
		{"claude-sonnet-4-5", Anthropic, `"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"f"}}]}]`},
		{"claude-sonnet-4-5", Anthropic, `"messages":[{"role":"assistant","content":[{"type":"web_search_tool_result","tool_use_id":"s","content":[]}]}]`},
		{"claude-sonnet-4-5", Anthropic, `"messages":[{"role":"user","content":[{"type":"document","citations":{"enabled":true},"source":{"type":"text","data":"x"}}]}]`},
		{"gemini-2.5-flash", Gemini, `"cachedContent":"cachedContents/1"`},
		{"gemini-2.5-flash", Gemini, `"tools":[{"googleSearch":{}}]`},
		{"gemini-2.5-flash", Gemini, `"contents":[{"parts":[{"fileData":{"fileUri":"gs://a","mimeType":"application/pdf"}}]}]`},
	} {
		e, err := Count(c.format, c.model, []byte(`{`+c.member+`}`))
		if err != nil || e.Bounded || e.Basis == Exact {
			t.Errorf("%s with %s: %+v, %v", c.model, c.member, e, err)
		}
	}
}

// TestWholeRequests holds what kind and basis requests with a little of everything have.
func TestWholeRequests(t *testing.T) {
	t.Parallel()
	for body, format := range map[string]Format{responsesBody: Responses, anthropicBody: Anthropic, geminiBody: Gemini} {
		for _, model := range []string{"gpt-5", "claude-sonnet-4-5", "gemini-2.5-flash"} {
			e, err := Count(format, model, []byte(body))
			if err != nil || e.Kind != Media || e.Basis == Exact || e.Tokens < 50 {
				t.Errorf("%s: %+v, %v", model, e, err)
			}
		}
	}
}

func TestFormatOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wire, operation string
		want            Format
		ok              bool
	}{
		{"openai", "chat", OpenAI, true}, {"openai", "embeddings", OpenAI, true}, {"openai", "text_completion", OpenAI, true},
		{"openai.responses", "chat", Responses, true}, {"anthropic", "chat", Anthropic, true},
		{"gemini", "generate_content", Gemini, true},
		{"openai", "transcription", 0, false}, {"anthropic", "batch", 0, false}, {"gemini", "embeddings", 0, false}, {"cohere", "chat", 0, false},
	} {
		if got, ok := FormatOf(c.wire, c.operation); got != c.want || ok != c.ok {
			t.Errorf("FormatOf(%q, %q) = %d, %t", c.wire, c.operation, got, ok)
		}
	}
}
