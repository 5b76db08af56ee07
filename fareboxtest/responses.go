package fareboxtest

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// readResponses reads the body of a call of OpenAI's responses API.
func (c *call) readResponses(body []byte) error {
	var asked struct {
		Model           string         `json:"model"`
		Models          []string       `json:"models"`
		Input           responsesInput `json:"input"`
		Instructions    content        `json:"instructions"`
		MaxOutputTokens int64          `json:"max_output_tokens"`
		Stream          bool           `json:"stream"`
	}
	err := json.Unmarshal(body, &asked)
	c.Model, c.Models, c.Stream = asked.Model, asked.Models, asked.Stream
	c.System, c.MaxTokens, c.Messages = asked.Instructions, asked.MaxOutputTokens, asked.Input
	return err
}

// responsesInput is one text of the user's, or items of which messages count.
type responsesInput []turn

// UnmarshalJSON reads either form.
func (in *responsesInput) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("[")) {
		return json.Unmarshal(data, (*[]turn)(in))
	}
	var text content
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	*in = responsesInput{{Role: "user", Content: text}}
	return nil
}

// responsesAnswer is an answer of OpenAI's responses API.
type responsesAnswer struct {
	ID                string             `json:"id"`
	Object            string             `json:"object"`
	CreatedAt         int64              `json:"created_at"`
	Status            string             `json:"status"`
	Error             *string            `json:"error"`
	IncompleteDetails *incompleteDetails `json:"incomplete_details"`
	Model             string             `json:"model"`
	Output            []outputItem       `json:"output"`
	ParallelToolCalls bool               `json:"parallel_tool_calls"`
	ToolChoice        string             `json:"tool_choice"`
	Tools             []string           `json:"tools"`
	ServiceTier       string             `json:"service_tier,omitempty"`
	Usage             json.RawMessage    `json:"usage"`
}

type incompleteDetails struct {
	Reason string `json:"reason"`
}

// outputItem is a message, a call of a function or a summary of reasoning.
type outputItem struct {
	ID        string       `json:"id"`
	Type      string       `json:"type"`
	Status    string       `json:"status,omitempty"`
	Role      string       `json:"role,omitempty"`
	Content   []outputText `json:"content,omitempty"`
	Summary   []outputText `json:"summary,omitempty"`
	CallID    string       `json:"call_id,omitempty"`
	Name      string       `json:"name,omitempty"`
	Arguments *string      `json:"arguments,omitempty"`
}

type outputText struct {
	Type        string   `json:"type"`
	Text        string   `json:"text"`
	Annotations []string `json:"annotations,omitempty"`
}

type responsesUsage struct {
	Input         int64              `json:"input_tokens"`
	InputDetails  responsesCached    `json:"input_tokens_details"`
	Output        int64              `json:"output_tokens"`
	OutputDetails responsesReasoning `json:"output_tokens_details"`
	Total         int64              `json:"total_tokens"`
	Cost          json.Number        `json:"cost,omitempty"` // OpenRouter's
	IsBYOK        *bool              `json:"is_byok,omitempty"`
}

type responsesCached struct {
	Cached int64 `json:"cached_tokens"`
}

type responsesReasoning struct {
	Reasoning int64 `json:"reasoning_tokens"`
}

// responsesError is an error in the middle of a stream.
type responsesError struct {
	Type    string  `json:"type"`
	Code    any     `json:"code"`
	Message string  `json:"message"`
	Param   *string `json:"param"`
	Number  int     `json:"sequence_number"`
}

func (a *answer) responsesUsage() responsesUsage {
	u := responsesUsage{
		Input: a.usage.Prompt, InputDetails: responsesCached{a.usage.Cached},
		Output: a.usage.Completion, OutputDetails: responsesReasoning{a.usage.Reasoning}, Total: a.usage.Prompt + a.usage.Completion,
	}
	if a.style == OpenRouter {
		u.Cost, u.IsBYOK = a.statedCost(), &a.byok
	}
	return u
}

// responsesBody is the answer in a status: at its end it has its output and its usage, before that neither.
func (a *answer) responsesBody(f *Fault, status string) responsesAnswer {
	b := responsesAnswer{
		ID: a.id, Object: "response", CreatedAt: a.created, Status: status, Model: a.model.servedAs(), Output: []outputItem{},
		ParallelToolCalls: true, ToolChoice: "auto", Tools: []string{}, Usage: json.RawMessage("null"),
	}
	if status == "in_progress" {
		return b
	}
	b.ServiceTier = "default"
	if a.choices[0].FinishReason == "length" {
		b.Status, b.IncompleteDetails = "incomplete", &incompleteDetails{"max_output_tokens"}
	}
	b.Output = a.outputItems()
	if usage := a.usageJSON(f); usage != nil {
		b.Usage = usage
	}
	return b
}

func (a *answer) outputItems() []outputItem {
	r := &a.choices[0] // there is only one
	var items []outputItem
	if r.Reasoning != "" {
		items = append(items, outputItem{ID: "rs_" + a.id, Type: "reasoning", Summary: []outputText{{Type: "summary_text", Text: r.Reasoning}}})
	}
	if r.Text != "" || len(r.ToolCalls) == 0 {
		items = append(items, outputItem{
			ID: "msg_" + a.id, Type: "message", Status: "completed", Role: "assistant",
			Content: []outputText{{Type: "output_text", Text: r.Text, Annotations: []string{}}},
		})
	}
	for i, tool := range r.ToolCalls {
		items = append(items, outputItem{
			ID: fmt.Sprintf("fc_%s_%d", a.id, i), Type: "function_call", Status: "completed",
			CallID: tool.ID, Name: tool.Name, Arguments: &tool.Arguments,
		})
	}
	return items
}

// responsesStream numbers the events of a stream.
type responsesStream struct{ events []event }

func (s *responsesStream) add(name string, tokens, reasoning int64, members map[string]any) {
	members["type"], members["sequence_number"] = name, len(s.events)
	s.events = append(s.events, event{name: name, data: encode(members), tokens: tokens, reasoning: reasoning})
}

// responsesEvents is the answer as a stream, whose last event repeats all of it and has the usage.
func (a *answer) responsesEvents(f *Fault) []event {
	var s responsesStream
	r := &a.choices[0]
	begun := a.responsesBody(f, "in_progress")
	s.add("response.created", 0, 0, map[string]any{"response": begun})
	s.add("response.in_progress", r.ReasoningTokens, r.ReasoningTokens, map[string]any{"response": begun})
	for i, item := range a.outputItems() {
		empty := item
		empty.Status, empty.Content, empty.Summary = "in_progress", nil, nil
		if item.Arguments != nil {
			empty.Arguments = new(string)
		}
		s.add("response.output_item.added", 0, 0, map[string]any{"output_index": i, "item": empty})
		switch item.Type {
		case "message":
			s.message(i, &item)
		case "function_call":
			s.function(i, &item)
		}
		s.add("response.output_item.done", 0, 0, map[string]any{"output_index": i, "item": item})
	}
	whole := a.responsesBody(f, "completed")
	s.add("response."+whole.Status, 0, 0, map[string]any{"response": whole})
	return s.events
}

func (s *responsesStream) message(index int, item *outputItem) {
	text := item.Content[0]
	at := func(members map[string]any) map[string]any {
		members["item_id"], members["output_index"], members["content_index"] = item.ID, index, 0
		return members
	}
	s.add("response.content_part.added", 0, 0, at(map[string]any{"part": outputText{Type: text.Type, Annotations: []string{}}}))
	for _, w := range wordsOf(text.Text) {
		s.add("response.output_text.delta", w.tokens, 0, at(map[string]any{"delta": w.text, "logprobs": []string{}}))
	}
	s.add("response.output_text.done", 0, 0, at(map[string]any{"text": text.Text, "logprobs": []string{}}))
	s.add("response.content_part.done", 0, 0, at(map[string]any{"part": text}))
}

func (s *responsesStream) function(index int, item *outputItem) {
	arguments := *item.Arguments
	tokens := Tokens(item.Name) + Tokens(arguments)
	s.add("response.function_call_arguments.delta", tokens, 0, map[string]any{"item_id": item.ID, "output_index": index, "delta": arguments})
	s.add("response.function_call_arguments.done", 0, 0, map[string]any{"item_id": item.ID, "output_index": index, "arguments": arguments})
}
