package prompt

import (
	"encoding/json"
	"strings"
)

// The functions here put requests of other APIs into the form of a chat completion: the same texts, counted by the
// same models.

type object = map[string]any

// asChat is the body of a chat completion that says what a request of another API says. ok is false where it cannot:
// media, tools of the provider's own, text that the provider kept from an earlier call.
func asChat(api string, body []byte) (chat []byte, ok bool) {
	var in object
	if json.Unmarshal(body, &in) != nil {
		return nil, false
	}
	out := object{"messages": []any{}}
	switch api {
	case "openai.responses":
		ok = fromResponses(in, out)
	case "anthropic.messages":
		ok = fromAnthropic(in, out)
	case "gemini.generateContent":
		ok = fromGemini(in, out)
	case "bedrock.converse":
		ok = fromConverse(in, out)
	}
	if !ok {
		return nil, false
	}
	chat, err := json.Marshal(out)
	return chat, err == nil
}

func say(out object, message object) { out["messages"] = append(out["messages"].([]any), message) }

// texts gives the texts of a string or of parts of some types, and whether there is nothing else.
func texts(content any) (parts []any, ok bool) {
	switch v := content.(type) {
	case nil:
		return nil, true
	case string:
		return []any{object{"type": "text", "text": v}}, true
	case []any:
		for _, each := range v {
			if part, isObject := each.(object); !isObject || part["text"] == nil || part["type"] != nil && !strings.HasSuffix(part["type"].(string), "text") {
				return nil, false
			} else {
				parts = append(parts, object{"type": "text", "text": part["text"]})
			}
		}
		return parts, true
	}
	return nil, false
}

func callMessage(name, arguments any) object {
	if text, ok := arguments.(string); ok {
		arguments = text
	} else {
		raw, _ := json.Marshal(arguments)
		arguments = string(raw)
	}
	return object{"role": "assistant", "tool_calls": []any{object{"function": object{"name": name, "arguments": arguments}}}}
}

func fromResponses(in, out object) bool {
	for _, name := range []string{"previous_response_id", "conversation", "prompt", "context_management"} {
		if in[name] != nil {
			return false
		}
	}
	if reasoning, _ := in["reasoning"].(object); reasoning["mode"] != nil {
		return false
	}
	if text, _ := in["instructions"].(string); text != "" {
		say(out, object{"role": "system", "content": text})
	}
	items, isList := in["input"].([]any)
	if !isList {
		items = []any{object{"role": "user", "content": in["input"]}}
	}
	for _, each := range items {
		item, _ := each.(object)
		switch item["type"] {
		case nil, "message":
			parts, ok := texts(item["content"])
			if !ok {
				return false
			}
			say(out, object{"role": item["role"], "content": parts})
		case "function_call":
			say(out, callMessage(item["name"], item["arguments"]))
		case "function_call_output":
			say(out, object{"role": "tool", "content": item["output"]})
		default:
			return false
		}
	}
	if text, _ := in["text"].(object); text != nil {
		if format, _ := text["format"].(object); format != nil && format["schema"] != nil {
			out["response_format"] = object{"type": "json_schema", "json_schema": format}
		}
	}
	return offer(in["tools"], out, func(tool object) object {
		if tool["type"] != "function" {
			return nil
		}
		return object{"name": tool["name"], "description": tool["description"], "parameters": tool["parameters"]}
	})
}

// offer adds tools; it fails where one is not a function.
func offer(tools any, out object, function func(tool object) object) bool {
	list, _ := tools.([]any)
	for _, each := range list {
		tool, _ := each.(object)
		f := function(tool)
		if f == nil {
			return false
		}
		offered, _ := out["tools"].([]any)
		out["tools"] = append(offered, object{"type": "function", "function": f})
	}
	return true
}

func fromAnthropic(in, out object) bool {
	if in["mcp_servers"] != nil || in["container"] != nil || in["context_management"] != nil || in["output_format"] != nil || in["output_config"] != nil {
		return false
	}
	if in["thinking"] != nil {
		out["thinking"] = in["thinking"]
	}
	if in["system"] != nil {
		parts, ok := texts(in["system"])
		if !ok {
			return false
		}
		say(out, object{"role": "system", "content": parts})
	}
	messages, _ := in["messages"].([]any)
	for _, each := range messages {
		message, _ := each.(object)
		if parts, ok := texts(message["content"]); ok {
			say(out, object{"role": message["role"], "content": parts})
			continue
		}
		blocks, _ := message["content"].([]any)
		for _, each := range blocks {
			block, _ := each.(object)
			switch block["type"] {
			case "text":
				say(out, object{"role": message["role"], "content": block["text"]})
			case "tool_use":
				say(out, callMessage(block["name"], block["input"]))
			case "tool_result":
				parts, ok := texts(block["content"])
				if !ok {
					return false
				}
				say(out, object{"role": "tool", "content": parts})
			default:
				return false
			}
		}
	}
	return offer(in["tools"], out, func(tool object) object {
		if tool["input_schema"] == nil || tool["type"] != nil && tool["type"] != "custom" {
			return nil
		}
		return object{"name": tool["name"], "description": tool["description"], "parameters": tool["input_schema"]}
	})
}

func fromGemini(in, out object) bool {
	all := mustText(in)
	if in["cachedContent"] != nil || strings.Contains(all, `"mimeType"`) || strings.Contains(all, `ileUri"`) {
		return false
	}
	if system, _ := in["systemInstruction"].(object); system != nil {
		parts, ok := texts(system["parts"])
		if !ok {
			return false
		}
		say(out, object{"role": "system", "content": parts})
	}
	contents, _ := in["contents"].([]any)
	for _, each := range contents {
		content, _ := each.(object)
		parts, _ := content["parts"].([]any)
		for _, each := range parts {
			part, _ := each.(object)
			switch {
			case part["text"] != nil && part["thought"] == nil:
				say(out, object{"role": "user", "content": part["text"]})
			case part["functionCall"] != nil:
				call, _ := part["functionCall"].(object)
				message := callMessage(call["name"], call["args"])
				message["extra_content"] = part["thoughtSignature"]
				say(out, message)
			case part["functionResponse"] != nil:
				answer, _ := part["functionResponse"].(object)
				raw, _ := json.Marshal(answer["response"])
				say(out, object{"role": "tool", "content": string(raw)})
			default:
				return false
			}
		}
	}
	tools, _ := in["tools"].([]any)
	for _, each := range tools {
		tool, _ := each.(object)
		if tool["functionDeclarations"] == nil || !offer(tool["functionDeclarations"], out, func(f object) object { return f }) {
			return false
		}
	}
	return in["generationConfig"] == nil || !strings.Contains(mustText(in["generationConfig"]), "responseSchema") &&
		!strings.Contains(mustText(in["generationConfig"]), "responseJsonSchema")
}

func fromConverse(in, out object) bool {
	if in["additionalModelRequestFields"] != nil || in["guardrailConfig"] != nil || in["outputConfig"] != nil {
		return false
	}
	system, _ := in["system"].([]any)
	if parts, ok := texts(system); !ok {
		return false
	} else if len(parts) > 0 {
		say(out, object{"role": "system", "content": parts})
	}
	messages, _ := in["messages"].([]any)
	for _, each := range messages {
		message, _ := each.(object)
		blocks, _ := message["content"].([]any)
		for _, each := range blocks {
			block, _ := each.(object)
			switch {
			case block["text"] != nil:
				say(out, object{"role": message["role"], "content": block["text"]})
			case block["toolUse"] != nil:
				call, _ := block["toolUse"].(object)
				say(out, callMessage(call["name"], call["input"]))
			case block["toolResult"] != nil:
				answer, _ := block["toolResult"].(object)
				say(out, object{"role": "tool", "content": mustText(answer["content"])})
			default:
				return false
			}
		}
	}
	config, _ := in["toolConfig"].(object)
	return offer(config["tools"], out, func(tool object) object {
		spec, _ := tool["toolSpec"].(object)
		input, _ := spec["inputSchema"].(object)
		if input["json"] == nil {
			return nil
		}
		return object{"name": spec["name"], "description": spec["description"], "parameters": input["json"]}
	})
}

func mustText(v any) string {
	raw, _ := json.Marshal(v)
	return string(raw)
}
