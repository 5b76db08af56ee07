package fareboxtest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// messagesAnswer is an answer of Anthropic's messages API.
type messagesAnswer struct {
	ID           string          `json:"id"`
	Type         string          `json:"type"`
	Role         string          `json:"role"`
	Model        string          `json:"model"`
	Content      []contentBlock  `json:"content"`
	StopReason   *string         `json:"stop_reason"`
	StopSequence *string         `json:"stop_sequence"`
	Usage        json.RawMessage `json:"usage,omitempty"`
}

// contentBlock is a part of an answer: text, thinking or a call of a tool.
type contentBlock struct {
	Type      string          `json:"type"`
	Text      *string         `json:"text,omitempty"`
	Thinking  *string         `json:"thinking,omitempty"`
	Signature *string         `json:"signature,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
}

type messagesUsage struct {
	Input       int64              `json:"input_tokens"`
	CacheWrite  int64              `json:"cache_creation_input_tokens"`
	CacheRead   int64              `json:"cache_read_input_tokens"`
	Output      int64              `json:"output_tokens"`
	Details     *messagesReasoning `json:"output_tokens_details,omitempty"`
	ServiceTier string             `json:"service_tier,omitempty"`
	Cost        json.Number        `json:"cost,omitempty"` // OpenRouter's
	IsBYOK      *bool              `json:"is_byok,omitempty"`
}

type messagesReasoning struct {
	Thinking int64 `json:"thinking_tokens"`
}

// messagesUsage counts cached tokens beside the input, and reasoning among the output.
func (a *answer) messagesUsage(u Usage) messagesUsage {
	usage := messagesUsage{Input: u.Prompt - u.Cached, CacheRead: u.Cached, Output: u.Completion, ServiceTier: "standard"}
	if u.Reasoning > 0 {
		usage.Details = &messagesReasoning{u.Reasoning}
	}
	if a.style == OpenRouter {
		usage.Cost, usage.IsBYOK = a.statedCost(), &a.byok
	}
	return usage
}

// statedCost is the gateway's charge.
func (a *answer) statedCost() json.Number {
	if a.byok {
		return "0"
	}
	return json.Number(decimal(a.cost))
}

var stopReasons = map[string]string{"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}

// stopReason is a finish reason in Anthropic's words.
func stopReason(finish string) *string {
	if reason, ok := stopReasons[finish]; ok {
		return &reason
	}
	return &finish
}

func (a *answer) messagesBody(f *Fault) messagesAnswer {
	reply := &a.choices[0] // there is only one
	return messagesAnswer{
		ID: a.id, Type: "message", Role: "assistant", Model: a.model.servedAs(), Content: blocks(reply),
		StopReason: stopReason(reply.FinishReason), Usage: a.usageJSON(f),
	}
}

func blocks(r *Reply) []contentBlock {
	all := []contentBlock{}
	if r.Reasoning != "" {
		all = append(all, contentBlock{Type: "thinking", Thinking: &r.Reasoning, Signature: new(string)})
	}
	if r.Text != "" || len(r.ToolCalls) == 0 {
		all = append(all, contentBlock{Type: "text", Text: &r.Text})
	}
	for _, tool := range r.ToolCalls {
		all = append(all, contentBlock{Type: "tool_use", ID: tool.ID, Name: tool.Name, Input: argumentsOf(tool)})
	}
	return all
}

// argumentsOf are a tool's arguments where JSON is wanted. What the output limit has cut is JSON no more.
func argumentsOf(tool ToolCall) json.RawMessage {
	if json.Valid([]byte(tool.Arguments)) {
		return json.RawMessage(tool.Arguments)
	}
	return json.RawMessage("{}")
}

// messagesDelta is a piece of a block, of whichever kind the block is.
type messagesDelta struct {
	Type        string  `json:"type"`
	Text        *string `json:"text,omitempty"`
	Thinking    *string `json:"thinking,omitempty"`
	PartialJSON *string `json:"partial_json,omitempty"`
}

// messagesEvents is the answer as a stream: the input's usage comes first and that of the whole last.
func (a *answer) messagesEvents(f *Fault) []event {
	var events []event
	add := func(name string, members map[string]any, tokens, reasoning int64) {
		members["type"] = name
		events = append(events, event{name: name, data: encode(members), tokens: tokens, reasoning: reasoning})
	}
	reply := &a.choices[0]
	begun := a.messagesBody(f)
	begun.Content, begun.StopReason, begun.Usage = []contentBlock{}, nil, a.usageBegun(f)
	add("message_start", map[string]any{"message": begun}, 0, 0)
	for i, block := range blocks(reply) {
		empty := block
		switch block.Type {
		case "thinking":
			empty.Thinking = new(string)
		case "text":
			empty.Text = new(string)
		default:
			empty.Input = json.RawMessage("{}")
		}
		add("content_block_start", map[string]any{"index": i, "content_block": empty}, 0, 0)
		for _, p := range a.blockPieces(reply, &block) {
			add("content_block_delta", map[string]any{"index": i, "delta": p.delta}, p.tokens, p.reasoning)
		}
		add("content_block_stop", map[string]any{"index": i}, 0, 0)
	}
	last := map[string]any{"delta": map[string]any{"stop_reason": stopReason(reply.FinishReason), "stop_sequence": nil}}
	if usage := a.usageJSON(f); usage != nil {
		last["usage"] = usage
	}
	hidden := int64(0)
	if reply.Reasoning == "" {
		hidden = reply.ReasoningTokens
	}
	add("message_delta", last, hidden, hidden)
	return events
}

// usageBegun is what a stream states at its beginning: the input, and no more than a token of output.
func (a *answer) usageBegun(f *Fault) json.RawMessage {
	if f.NoUsage {
		return nil
	}
	begun := a.usage
	begun.Completion, begun.Reasoning = min(begun.Completion, 1), 0
	usage := a.messagesUsage(begun)
	usage.Cost, usage.IsBYOK = "", nil // known at the end
	return rewritten(f, usage)
}

type blockPiece struct {
	delta             messagesDelta
	tokens, reasoning int64
}

// blockPieces cuts a block into what each event carries: a word of text, half of a tool's arguments.
func (a *answer) blockPieces(r *Reply, block *contentBlock) []blockPiece {
	switch block.Type {
	case "thinking":
		return []blockPiece{{
			delta:  messagesDelta{Type: "thinking_delta", Thinking: block.Thinking},
			tokens: r.ReasoningTokens, reasoning: r.ReasoningTokens,
		}}
	case "text":
		var pieces []blockPiece
		for _, word := range wordsOf(*block.Text) {
			pieces = append(pieces, blockPiece{delta: messagesDelta{Type: "text_delta", Text: &word.text}, tokens: word.tokens})
		}
		return pieces
	}
	arguments := string(block.Input)
	half := len(firstTokens(arguments, Tokens(arguments)/2))
	first, rest := arguments[:half], arguments[half:]
	return []blockPiece{
		{delta: messagesDelta{Type: "input_json_delta", PartialJSON: &first}, tokens: Tokens(block.Name)},
		{delta: messagesDelta{Type: "input_json_delta", PartialJSON: &rest}, tokens: Tokens(arguments)},
	}
}

// word is a word of a text with the blank behind it, and the tokens that begin in it.
type word struct {
	text   string
	tokens int64
}

func wordsOf(text string) []word {
	var words []word
	sent := 0
	for _, w := range strings.SplitAfter(text, " ") {
		if w == "" {
			continue
		}
		words = append(words, word{text: w, tokens: tokensOf(sent+len(w)) - tokensOf(sent)})
		sent += len(w)
	}
	return words
}

// messagesErrors are Anthropic's kinds of error by status.
var messagesErrors = map[int]string{
	http.StatusBadRequest: "invalid_request_error", http.StatusUnauthorized: "authentication_error",
	http.StatusPaymentRequired: "billing_error", http.StatusForbidden: "permission_error",
	http.StatusNotFound: "not_found_error", http.StatusRequestEntityTooLarge: "request_too_large",
	http.StatusTooManyRequests: "rate_limit_error", statusOverloaded: "overloaded_error",
}

func (p *Provider) messagesError(e problem) any {
	kind, ok := messagesErrors[e.status]
	if !ok {
		kind = "api_error"
	}
	if e.message == "" {
		e.message = statusText(e.status)
	}
	return map[string]any{"type": "error", "error": map[string]any{"type": kind, "message": e.message}, "request_id": "req_fareboxtest"}
}
