package prompt

import (
	"bytes"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// chat reads the messages of a chat.
func (c *counter) chat() {
	c.each(c.message)
}

// spoken is what was found in one message.
type spoken struct {
	role              []byte
	said, name, calls int64
}

// message reads a message. Its role is a token in every template, counted with what is around a message.
func (c *counter) message() {
	if !c.r.Object() {
		c.messages++
		c.plain += c.tally.read(&c.r)
		return
	}
	var m spoken
	for c.r.Member() {
		c.messageMember(&m)
	}
	c.endMessage(&m)
}

// endMessage adds what was found in a message.
func (c *counter) endMessage(m *spoken) {
	c.messages++
	c.plain += m.said
	c.calls += m.calls
	if m.calls > 1 {
		c.parallel++
	}
	switch string(m.role) {
	case "system", "developer":
		c.system = true
	case "assistant":
		c.replays += min(m.said, 1)
	case "tool", "function": // whose name has been counted with the call
		c.tally.tokens -= m.name
		return
	}
	c.names += min(m.name, 1)
	c.plain += m.name
}

func (c *counter) messageMember(m *spoken) {
	switch string(c.r.Key()) {
	case "role":
		m.role, _, _ = c.r.Text()
	case "content":
		m.said += c.content()
	case "refusal":
		m.said += c.tally.read(&c.r)
	case "name":
		m.name += c.tally.read(&c.r)
	case "tool_calls":
		m.calls += c.toolCalls()
	case "function_call":
		m.calls += c.functionCall()
	case "audio", "images": // made by an earlier answer, and named by an identifier
		c.unbounded = c.unbounded || c.r.Kind() != jsonwalk.Null
	case "reasoning_content", "reasoning", "reasoning_details", "extra_content": // dropped by most providers
		c.unheard += int64(len(c.r.Raw()))
	}
}

// content reads what a message says: a text, or parts.
func (c *counter) content() (tokens int64) {
	if c.r.Array() {
		for c.r.Element() {
			tokens += c.part()
		}
		return tokens
	}
	raw, escaped, ok := c.r.Text()
	if !ok {
		return c.tally.read(&c.r)
	}
	if c.family.forgetful {
		raw = c.forget(raw)
	}
	return c.tally.add(raw, escaped)
}

// forget takes off the thoughts that an earlier answer begins with, which some templates leave out.
func (c *counter) forget(raw []byte) []byte {
	if !bytes.HasPrefix(raw, []byte("<think>")) && !bytes.HasPrefix(raw, []byte(`\u003cthink\u003e`)) {
		return raw
	}
	for _, end := range []string{"</think>", `<\/think>`, `\u003c/think\u003e`} {
		if i := bytes.Index(raw, []byte(end)); i >= 0 {
			i += len(end)
			c.unheard += int64(i)
			return raw[i:]
		}
	}
	return raw
}

// part reads one part of a message and returns the tokens of its text. What it is shows in its members, whatever its
// type says.
func (c *counter) part() (tokens int64) {
	if !c.r.Object() {
		return c.tally.read(&c.r)
	}
	var shown []byte
	low := false
	for c.r.Member() {
		switch string(c.r.Key()) {
		case "type", "cache_control", "prompt_cache_breakpoint", "id":
		case "detail": // beside the image in the Responses API, in it in chats
			word, _, _ := c.r.Text()
			low = string(word) == "low"
		case "image_url", "image", "source":
			shown = c.r.Raw()
		case "input_audio", "audio_url", "audio":
			c.sound()
		case "video_url", "video", "input_video":
			c.file(tokensPerVideoByte)
		case "file", "file_data", "file_url", "file_id", "document_url", "document", "input_file":
			c.file(tokensPerFileByte)
		case "filename":
			c.unheard += int64(len(c.r.Raw()))
		default: // text, refusal, and what nobody has heard of
			tokens += c.tally.read(&c.r)
		}
	}
	c.image(shown, low)
	return tokens
}

// toolCalls reads the calls that an earlier answer made. Their identifiers are not part of the prompt.
func (c *counter) toolCalls() (calls int64) {
	if !c.r.Array() {
		return 0
	}
	for c.r.Element() {
		if !c.r.Object() {
			continue
		}
		for c.r.Member() {
			switch string(c.r.Key()) {
			case "function", "custom":
				calls += c.functionCall()
			case "extra_content": // sealed thoughts
				c.unheard += int64(len(c.r.Raw()))
			}
		}
	}
	return calls
}

func (c *counter) functionCall() (calls int64) {
	if !c.r.Object() {
		return 0
	}
	for c.r.Member() {
		switch string(c.r.Key()) {
		case "name":
			n := c.tally.read(&c.r)
			c.plain, c.callNames = c.plain+n, c.callNames+n
		case "arguments", "input":
			c.plain += c.tally.read(&c.r)
		}
	}
	return 1
}
