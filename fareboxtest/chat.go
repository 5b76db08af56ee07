package fareboxtest

import (
	"bytes"
	"encoding/json"
)

// body is the JSON of an answer, or of one chunk of it. Members that a style or an operation does not have are left out.
type body struct {
	ID                string          `json:"id"`
	Provider          string          `json:"provider,omitempty"`
	Object            string          `json:"object"`
	Created           int64           `json:"created"`
	Model             string          `json:"model"`
	ServiceTier       string          `json:"service_tier,omitempty"`
	SystemFingerprint string          `json:"system_fingerprint,omitempty"`
	Error             *errorMember    `json:"error,omitempty"`
	Choices           []choice        `json:"choices"`
	Usage             json.RawMessage `json:"usage,omitempty"`
}

type choice struct {
	Index        int      `json:"index"`
	Message      *message `json:"message,omitempty"`
	Delta        *message `json:"delta,omitempty"`
	Text         *string  `json:"text,omitempty"`
	Logprobs     *string  `json:"logprobs"`
	FinishReason *string  `json:"finish_reason"`
	// OpenRouter says what the upstream provider's reason was too, null included: hence two levels.
	NativeFinishReason **string `json:"native_finish_reason,omitempty"`
}

type message struct {
	Role             string            `json:"role,omitempty"`
	Content          **string          `json:"content,omitempty"` // null and absent differ
	Refusal          **string          `json:"refusal,omitempty"`
	Reasoning        **string          `json:"reasoning,omitempty"`
	ReasoningDetails []reasoningDetail `json:"reasoning_details,omitempty"`
	ToolCalls        []toolCall        `json:"tool_calls,omitempty"`
}

type reasoningDetail struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Format string `json:"format"`
	Index  int    `json:"index"`
}

type toolCall struct {
	Index    *int         `json:"index,omitempty"`
	ID       string       `json:"id,omitempty"`
	Type     string       `json:"type,omitempty"`
	Function toolFunction `json:"function"`
}

type toolFunction struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

// null is a member that is present and null.
func null() **string { return new(*string) }

// present is a member that is a string.
func present(s string) **string {
	p := &s
	return &p
}

// upstream is the provider that OpenRouter's style says has served.
const upstream = "Simulated"

// envelope is what every piece of an answer has.
func (a *answer) envelope(object string) body {
	b := body{ID: a.id, Object: object, Created: a.created, Model: a.model.servedAs()}
	switch {
	case a.style == OpenRouter:
		b.Provider = upstream
	case a.call.op == chat:
		b.ServiceTier, b.SystemFingerprint = "default", "fp_fareboxtest"
	}
	return b
}

// json is the whole answer.
func (a *answer) json(f *Fault) []byte {
	switch a.call.op {
	case embeddings:
		return a.embeddingsJSON(f)
	case responses:
		return encode(a.responsesBody(f, "completed"))
	case messages:
		return encode(a.messagesBody(f))
	case generate:
		return encode(a.generateBody(f))
	}
	b := a.envelope("chat.completion")
	if a.call.op == completion {
		b.Object = "text_completion"
	}
	b.Choices = make([]choice, len(a.choices))
	for i := range a.choices {
		b.Choices[i] = a.choice(i)
	}
	b.Usage = a.usageJSON(f)
	return encode(b)
}

func (a *answer) choice(i int) choice {
	r := &a.choices[i]
	c := choice{Index: i, FinishReason: &r.FinishReason}
	if a.style == OpenRouter {
		c.NativeFinishReason = present(r.FinishReason)
	}
	if a.call.op == completion {
		c.Text = &r.Text
		return c
	}
	c.Message = &message{Role: "assistant", Content: present(r.Text), Refusal: null(), ToolCalls: toolCalls(r.ToolCalls, false)}
	if r.Text == "" && len(r.ToolCalls) > 0 {
		c.Message.Content = null()
	}
	if a.style == OpenRouter {
		c.Message.Reasoning = null()
		if r.Reasoning != "" {
			c.Message.Reasoning, c.Message.ReasoningDetails = present(r.Reasoning), details(r.Reasoning)
		}
	}
	return c
}

func details(reasoning string) []reasoningDetail {
	return []reasoningDetail{{Type: "reasoning.text", Text: reasoning, Format: "unknown"}}
}

func toolCalls(tools []ToolCall, numbered bool) []toolCall {
	var calls []toolCall
	for i, tool := range tools {
		call := toolCall{ID: tool.ID, Type: "function", Function: toolFunction{Name: tool.Name, Arguments: tool.Arguments}}
		if numbered {
			call.Index = &i
		}
		calls = append(calls, call)
	}
	return calls
}

// encode writes JSON as providers do, without escaping what only HTML cares about.
func encode(v any) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // of types that always can be
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
