package prompt

import (
	"encoding/json"
	"strings"
)

// The functions here put requests to Bedrock's Converse API into the form of a chat completion: the same texts, counted
// by the same models.

type object = map[string]any

// converseAsChat is the body of a chat completion that says what a request to the Converse API says. ok is false where it
// cannot: media, tools of the provider's own.
func converseAsChat(body []byte) (chat []byte, ok bool) {
	var in object
	if json.Unmarshal(body, &in) != nil {
		return nil, false
	}
	out := object{"messages": []any{}}
	if !fromConverse(in, out) {
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
