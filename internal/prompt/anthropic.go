package prompt

import "github.com/farebox-go/farebox/internal/jsonwalk"

// anthropicMember reads a member of a request to Anthropic's Messages API.
func (c *counter) anthropicMember() {
	switch string(c.r.Key()) {
	case "system":
		if c.present() {
			c.system = true
			c.messages++
			c.blocks()
		}
	case "messages":
		c.each(c.turn)
	case "prompt": // of the older completions
		c.inputs++
		c.plain += c.tally.read(&c.r)
	case "tools":
		c.offered()
	case "tool_choice":
		c.choose("type")
	case "thinking":
		c.thinks()
	case "output_format":
		c.jsonSchema()
	case "output_config":
		c.textFormat()
	case "mcp_servers", "container", "context_management":
		c.unbounded = c.unbounded || c.present()
	}
}

// turn reads a message.
func (c *counter) turn() {
	if !c.r.Object() {
		c.messages++
		c.plain += c.tally.read(&c.r)
		return
	}
	for c.r.Member() {
		if string(c.r.Key()) == "content" {
			c.messages++
			c.blocks()
		}
	}
}

// blocks reads the content of a message: a text, or blocks. A call and the result of one are as much as a message each,
// and so are the texts beside them.
func (c *counter) blocks() {
	if !c.r.Array() {
		c.plain += c.tally.read(&c.r)
		return
	}
	texts, before := int64(0), c.exchanged
	for c.r.Element() {
		if c.plain += c.block(); c.lastKind == "text" {
			texts++
		}
	}
	if others := c.exchanged - before; others > 0 {
		c.messages += texts + others - 1
	}
}

// block is what was found in a block of a message.
type block struct {
	kind       text
	said, name int64
	source     []byte
}

// block reads a block of a message and returns the tokens of its text.
func (c *counter) block() (tokens int64) {
	c.lastKind = "text"
	if !c.r.Object() {
		return c.tally.read(&c.r)
	}
	var b block
	for c.r.Member() {
		c.blockMember(&b)
	}
	tokens = b.said + b.name
	switch string(b.kind.raw) {
	case "text":
		return tokens
	case "image":
		c.image(b.source, false)
	case "document":
		tokens += c.document(b.source)
	case "tool_use":
		c.exchanged++
		c.calls, c.callNames = c.calls+1, c.callNames+b.name
	case "tool_result":
		c.exchanged++
	case "thinking", "redacted_thinking": // those of earlier turns are left out
	default: // tools of the provider's own, whose results are sealed
		c.unbounded = true
	}
	c.lastKind = ""
	return tokens
}

func (c *counter) blockMember(b *block) {
	switch string(c.r.Key()) {
	case "type":
		b.kind = textOf(&c.r)
	case "name":
		b.name = c.tally.read(&c.r)
	case "source":
		b.source = c.r.Raw()
	case "content":
		b.said += c.result()
	case "thinking", "data", "signature":
		c.unheard += int64(len(c.r.Raw()))
	case "citations": // of what was said, or whether a document may be cited, for which it is cut up and instructions are added
		c.unbounded = c.unbounded || c.r.Kind() == jsonwalk.Object
	case "id", "tool_use_id", "is_error", "cache_control", "caller":
	default: // text, input, title, context, and what nobody has heard of
		b.said += c.tally.read(&c.r)
	}
}

// result reads what a tool gave back: a text, or blocks.
func (c *counter) result() (tokens int64) {
	if !c.r.Array() {
		return c.tally.read(&c.r)
	}
	for c.r.Element() {
		tokens += c.block()
	}
	return tokens
}

// document reads the source of a document, and returns the tokens of its text where it is one.
func (c *counter) document(source []byte) (tokens int64) {
	outer := c.r
	defer func() { c.r = outer }()
	c.r = jsonwalk.NewReader(source)
	switch kind := c.memberText("type", "type"); string(kind.raw) {
	case "text", "content":
		c.r = jsonwalk.NewReader(source)
		return c.documentText()
	default:
		c.r = jsonwalk.NewReader(source)
		c.file(tokensPerFileByte)
		return 0
	}
}

// documentText reads the text of a document that is one, or the blocks that it is made of.
func (c *counter) documentText() (tokens int64) {
	if !c.r.Object() {
		return 0
	}
	for c.r.Member() {
		switch string(c.r.Key()) {
		case "data", "content":
			tokens += c.result()
		}
	}
	return tokens
}
