package countapi

import (
	"encoding/json"
	"fmt"
	"strings"
)

// chat is a chat completion, as far as its prompt goes.
type chat struct {
	Model    string
	Messages []struct {
		Role       string
		Content    content
		ToolCallID string `json:"tool_call_id"`
		Name       string
		ToolCalls  []struct {
			ID       string
			Function struct{ Name, Arguments string }
		} `json:"tool_calls"`
	}
	Tools []struct {
		Type     string
		Function struct {
			Name        string          `json:"name"`
			Description string          `json:"description,omitempty"`
			Parameters  json.RawMessage `json:"parameters,omitempty"`
		}
	}
	ResponseFormat *struct{ Type string } `json:"response_format"`
}

// content is a text or parts.
type content []part

type part struct {
	Type     string
	Text     string
	ImageURL struct{ URL string } `json:"image_url"`
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *content) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		var text string
		err := json.Unmarshal(raw, &text)
		*c = content{{Type: "text", Text: text}}
		return err
	}
	return json.Unmarshal(raw, (*[]part)(c))
}

func (c content) text() string {
	var b strings.Builder
	for _, p := range c {
		b.WriteString(p.Text)
	}
	return b.String()
}

type object = map[string]any

// anthropicChat makes messages of a chat, as Anthropic's own compatible endpoint does: system prompts come first, in one.
func anthropicChat(c *chat) (any, error) {
	out := object{"model": c.Model}
	var system []string
	var messages []object
	for i := range c.Messages {
		m := &c.Messages[i]
		switch m.Role {
		case "system", "developer":
			system = append(system, m.Content.text())
		case "tool", "function":
			messages = append(messages, object{"role": "user", "content": []object{{
				"type": "tool_result", "tool_use_id": m.ToolCallID, "content": m.Content.text(),
			}}})
		default:
			blocks, err := anthropicBlocks(m.Content)
			if err != nil {
				return nil, err
			}
			for _, call := range m.ToolCalls {
				blocks = append(blocks, object{
					"type": "tool_use", "id": call.ID, "name": call.Function.Name, "input": argumentsOf(call.Function.Arguments),
				})
			}
			messages = append(messages, object{"role": m.Role, "content": blocks})
		}
	}
	out["messages"] = messages
	if len(system) > 0 {
		out["system"] = strings.Join(system, "\n")
	}
	var tools []object
	for i := range c.Tools {
		f := &c.Tools[i].Function
		if f.Name == "" {
			return nil, fmt.Errorf("%w: it offers a tool that is no function", ErrNotCounted)
		}
		tools = append(tools, object{"name": f.Name, "description": f.Description, "input_schema": schemaOf(f.Parameters)})
	}
	if tools != nil {
		out["tools"] = tools
	}
	return out, nil
}

func anthropicBlocks(c content) (blocks []object, err error) {
	for _, p := range c {
		switch media, data, ok := dataOf(p.ImageURL.URL); {
		case p.Type == "text" && p.Text == "": // is refused there
		case p.Type == "text":
			blocks = append(blocks, object{"type": "text", "text": p.Text})
		case p.Type == "image_url" && ok:
			blocks = append(blocks, object{"type": "image", "source": object{"type": "base64", "media_type": media, "data": data}})
		case p.Type == "image_url":
			blocks = append(blocks, object{"type": "image", "source": object{"type": "url", "url": p.ImageURL.URL}})
		default:
			return nil, fmt.Errorf("%w: a part of a message is neither a text nor an image", ErrNotCounted)
		}
	}
	return blocks, nil
}

// geminiChat makes contents of a chat, as Google's compatible endpoint does.
func geminiChat(c *chat) (any, error) {
	request := object{"model": "models/" + strings.TrimPrefix(c.Model, "models/")}
	var system, contents []object
	names := map[string]string{} // of called functions, by the call's identifier
	for i := range c.Messages {
		m := &c.Messages[i]
		parts, err := geminiParts(m.Content)
		if err != nil {
			return nil, err
		}
		role := "user"
		switch m.Role {
		case "system", "developer":
			system = append(system, parts...)
			continue
		case "assistant":
			role = "model"
			for _, call := range m.ToolCalls {
				names[call.ID] = call.Function.Name
				parts = append(parts, object{"functionCall": object{"name": call.Function.Name, "args": argumentsOf(call.Function.Arguments)}})
			}
		case "tool", "function":
			name := names[m.ToolCallID]
			if name == "" {
				name = m.Name
			}
			parts = []object{{"functionResponse": object{"name": name, "response": object{"result": m.Content.text()}}}}
		}
		contents = append(contents, object{"role": role, "parts": parts})
	}
	request["contents"] = contents
	if system != nil {
		request["systemInstruction"] = object{"parts": system}
	}
	var functions []any
	for i := range c.Tools {
		f := &c.Tools[i].Function
		if f.Name == "" {
			return nil, fmt.Errorf("%w: it offers a tool that is no function", ErrNotCounted)
		}
		functions = append(functions, object{"name": f.Name, "description": f.Description, "parametersJsonSchema": schemaOf(f.Parameters)})
	}
	if functions != nil {
		request["tools"] = []object{{"functionDeclarations": functions}}
	}
	return object{"generateContentRequest": request}, nil
}

func geminiParts(c content) (parts []object, err error) {
	for _, p := range c {
		switch media, data, ok := dataOf(p.ImageURL.URL); {
		case p.Type == "text":
			parts = append(parts, object{"text": p.Text})
		case p.Type == "image_url" && ok:
			parts = append(parts, object{"inlineData": object{"mimeType": media, "data": data}})
		default:
			return nil, fmt.Errorf("%w: a part of a message is neither a text nor an image that is sent along", ErrNotCounted)
		}
	}
	return parts, nil
}

// dataOf takes a data URL apart.
func dataOf(url string) (media, data string, ok bool) {
	rest, ok := strings.CutPrefix(url, "data:")
	if !ok {
		return "", "", false
	}
	return strings.Cut(strings.Replace(rest, ";base64,", ",", 1), ",")
}

func argumentsOf(arguments string) json.RawMessage {
	if strings.HasPrefix(strings.TrimSpace(arguments), "{") && json.Valid([]byte(arguments)) {
		return json.RawMessage(arguments)
	}
	return json.RawMessage("{}")
}

func schemaOf(parameters json.RawMessage) json.RawMessage {
	if len(parameters) == 0 || string(parameters) == "null" {
		return json.RawMessage(`{"type":"object","properties":{}}`)
	}
	return parameters
}
