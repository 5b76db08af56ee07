package fareboxtest

import (
	"encoding/json"
	"slices"
	"strings"
)

// event is one chunk of a stream, and how much of the output it carries.
type event struct {
	name      string // where the format names its events
	data      []byte
	first     bool  // nothing went before
	tokens    int64 // reasoning included
	reasoning int64
}

// piece is what one chunk carries for one choice.
type piece struct {
	delta     message
	text      string // of the answer
	tokens    int64
	reasoning int64
	finish    *string
}

// events is the answer chunk by chunk, a word in each and the choices in turn, then the reasons to finish, then the usage
// where the style sends it.
func (a *answer) events(f *Fault) []event {
	switch a.call.op {
	case responses:
		return a.responsesEvents(f)
	case messages:
		return a.messagesEvents(f)
	case generate:
		return a.generateEvents(f)
	}
	var events []event
	sent := make([]int, len(a.choices)) // of each choice, bytes of text so far
	for queues := a.pieces(); len(queues) > 0; {
		for index := range queues {
			if queue := queues[index]; len(queue) > 0 {
				events = append(events, a.chunk(index, &queue[0], &sent[index]))
				queues[index] = queue[1:]
			}
		}
		if !slices.ContainsFunc(queues, func(queue []piece) bool { return len(queue) > 0 }) {
			break
		}
	}
	if usage := a.usageJSON(f); usage != nil && a.streamsUsage() {
		b := a.envelope(a.chunkObject())
		b.Choices, b.Usage = []choice{}, usage
		events = append(events, event{data: encode(b)})
	}
	return events
}

// terminator is what a stream ends with; without data, its last event is the end.
func (a *answer) terminator() event {
	switch a.call.op {
	case responses, generate:
		return event{}
	case messages:
		return event{name: "message_stop", data: []byte(`{"type":"message_stop"}`)}
	}
	return event{data: []byte("[DONE]")}
}

// streamsUsage says whether a stream carries usage: OpenAI's on request only.
func (a *answer) streamsUsage() bool {
	return a.style == OpenRouter || a.call.StreamOptions.IncludeUsage
}

func (a *answer) chunkObject() string {
	if a.call.op == completion {
		return "text_completion"
	}
	return "chat.completion.chunk"
}

// pieces lays every choice out in the order in which it is sent.
func (a *answer) pieces() [][]piece {
	queues := make([][]piece, len(a.choices))
	for i := range a.choices {
		r := &a.choices[i]
		queue := a.opening(r)
		for _, word := range strings.SplitAfter(r.Text, " ") {
			if word != "" {
				queue = append(queue, piece{text: word, delta: message{Content: present(word)}})
			}
		}
		for n, tool := range r.ToolCalls {
			queue = append(queue, toolPieces(n, &tool)...)
		}
		queues[i] = append(queue, piece{finish: &r.FinishReason})
	}
	return queues
}

// opening is what comes before the text: in OpenAI's style the role, in OpenRouter's the reasoning. Hidden reasoning has
// been thought by the time that the first chunk is sent.
func (a *answer) opening(r *Reply) []piece {
	if a.call.op == completion {
		return nil
	}
	p := piece{delta: message{Role: "assistant", Content: present("")}, tokens: r.ReasoningTokens, reasoning: r.ReasoningTokens}
	switch {
	case a.style == OpenAI:
		p.delta.Refusal = null()
	case r.Reasoning != "":
		p.delta.Reasoning, p.delta.ReasoningDetails = present(r.Reasoning), details(r.Reasoning)
	}
	return []piece{p}
}

// toolPieces sends a tool call's name, then its arguments in two halves.
func toolPieces(n int, tool *ToolCall) []piece {
	half := len(firstTokens(tool.Arguments, Tokens(tool.Arguments)/2))
	first := toolCall{Index: &n, ID: tool.ID, Type: "function", Function: toolFunction{Name: tool.Name}}
	pieces := []piece{{delta: message{Content: null(), ToolCalls: []toolCall{first}}, tokens: Tokens(tool.Name)}}
	for i, part := range [...]string{tool.Arguments[:half], tool.Arguments[half:]} {
		if part == "" {
			continue
		}
		more := toolCall{Index: &n, Function: toolFunction{Arguments: part}}
		p := piece{delta: message{ToolCalls: []toolCall{more}}}
		if i == 1 {
			p.tokens = Tokens(tool.Arguments)
		}
		pieces = append(pieces, p)
	}
	return pieces
}

// chunk encodes a piece. sent is how much text of its choice went before.
func (a *answer) chunk(index int, p *piece, sent *int) event {
	before := tokensOf(*sent)
	*sent += len(p.text)
	tokens := p.tokens + tokensOf(*sent) - before

	c := choice{Index: index, FinishReason: p.finish}
	if a.call.op == completion {
		c.Text = &p.text
	} else {
		c.Delta = &p.delta
	}
	if a.style == OpenRouter {
		c.NativeFinishReason = &p.finish
		if c.Delta != nil {
			c.Delta.Role = "assistant"
			if c.Delta.Content == nil {
				c.Delta.Content = present("")
			}
		}
	}
	b := a.envelope(a.chunkObject())
	b.Choices = []choice{c}
	if a.style == OpenAI && a.call.StreamOptions.IncludeUsage {
		b.Usage = json.RawMessage("null")
	}
	return event{data: encode(b), tokens: tokens, reasoning: p.reasoning}
}
