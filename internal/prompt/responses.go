package prompt

import "github.com/farebox-go/farebox/internal/jsonwalk"

// responsesMember reads a member of a request to OpenAI's Responses API that chat completions do not have. It says
// whether it is one.
func (c *counter) responsesMember() bool {
	switch string(c.r.Key()) {
	case "input":
		c.items()
	case "instructions":
		if said := c.content(); said > 0 {
			c.system = true
			c.messages++
			c.plain += said
		}
	case "text":
		c.textFormat()
	case "previous_response_id", "conversation", "context_management":
		c.unbounded = c.unbounded || c.present() // text that the provider has kept, or will make
	case "prompt":
		if c.r.Kind() != jsonwalk.Object {
			return false
		}
		c.unbounded = true // a template that the provider has kept
	default:
		return false
	}
	return true
}

// items reads the input: a text, or items.
func (c *counter) items() {
	if c.r.Kind() == jsonwalk.Array {
		c.each(c.item)
		return
	}
	c.messages++
	c.plain += c.tally.read(&c.r)
}

// What sealed thoughts of a recorded call came to: nothing for the first bytes, a token for so many of the rest.
const (
	emptySeal     = 950
	sealedInToken = 5
)

// item reads an item of the input. What it is shows in its members; a message may be written without a type.
func (c *counter) item() {
	if !c.r.Object() {
		c.messages++
		c.plain += c.tally.read(&c.r)
		return
	}
	var m spoken
	var kind text
	before, sealed := c.tally.bytes, int64(0)
	for c.r.Member() {
		switch string(c.r.Key()) {
		case "type":
			kind = textOf(&c.r)
		case "role":
			m.role, _, _ = c.r.Text()
		case "content", "output", "summary":
			m.said += c.content()
		case "name":
			m.name += c.tally.read(&c.r)
		case "arguments", "input":
			m.calls++
			m.said += c.tally.read(&c.r)
		case "encrypted_content": // thoughts of an earlier answer, or a conversation made shorter
			sealed = int64(len(textOf(&c.r).raw))
			c.unheard += sealed
		case "id", "call_id", "status", "phase":
		default: // what a tool of the provider's own was asked, and what it found
			c.unheard += int64(len(c.r.Raw()))
		}
	}
	switch string(kind.raw) {
	case "", "message":
		c.endMessage(&m)
		if string(m.role) == "user" { // thoughts are kept up to the answer that they lead to
			c.sealed = 0
		}
	case "function_call", "custom_tool_call":
		c.messages++
		c.plain += m.said + m.name
		c.calls, c.callNames = c.calls+1, c.callNames+m.name
	case "function_call_output", "custom_tool_call_output":
		c.messages++
		c.plain += m.said
	case "reasoning": // shown again only as it was sealed, and only for the turn that it belongs to
		c.tally.tokens -= m.said
		c.unheard += c.tally.bytes - before
		c.sealed += max(sealed-emptySeal, 0)
	default: // references to what the provider has kept, calls of its own tools
		c.plain += m.said + m.name
		c.unbounded = true
	}
}

// textFormat reads the schema that the answer has to follow.
func (c *counter) textFormat() {
	if !c.r.Object() {
		return
	}
	for c.r.Member() {
		if string(c.r.Key()) == "format" {
			c.jsonSchema()
		}
	}
}
