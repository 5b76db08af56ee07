package openai

import (
	"bytes"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// choice is the choice under way. Its index may come after what belongs to it.
type choice struct {
	index    int64
	finish   []byte
	hasDelta bool
	text     int64 // of a completion
	delta    textCount
	message  textCount
}

// readChoices reads the choices of a chunk, from where it stands in their array. An empty array is no payload.
func (c *chunk) readChoices(data []byte) {
	for c.r.Element() {
		c.payload = true
		c.choices++
		if c.r.Object() {
			c.choice = choice{}
			c.readChoice(data)
		}
	}
}

// readChoice reads a choice from where it stands in it. Some providers repeat the whole message so far beside the
// delta: then the delta counts.
func (c *chunk) readChoice(data []byte) {
	one := &c.choice
	for c.r.Member() {
		switch string(c.r.Key()) {
		case "delta":
			one.hasDelta = true
			c.readDelta(data)
		case "message":
			if c.r.Object() {
				for c.r.Member() {
					one.message.read(&c.r)
				}
			}
		case "text":
			one.text, _ = c.r.TextLen()
		case "finish_reason":
			one.finish, _, _ = c.r.Text()
		case "index":
			one.index, _ = jsonwalk.Int(c.r.Raw())
		case "usage":
			c.takeUsage(inChoice)
		case "error":
			c.fail()
		}
	}
	if !one.hasDelta {
		one.delta = one.message
	}
	one.delta.text = max(one.delta.text, one.text) // Together writes the same text under both names
	c.answer.add(one.delta)
	if one.index == 0 {
		c.answer.setText(&c.answer.FinishReason, one.finish, false)
	}
}

// readDelta reads a delta. Its first member after the role, most often the content, is where chunks begin to differ.
func (c *chunk) readDelta(data []byte) {
	if !c.r.Object() {
		return
	}
	learnt := false
	for c.r.Member() {
		if !learnt && string(c.r.Key()) != "role" {
			learnt = true
			c.start.learn(c, data)
		}
		c.choice.delta.read(&c.r)
	}
}

// resume goes on where the common start ends: before the value of a member of the first choice's delta.
func (c *chunk) resume(data []byte) {
	c.r = jsonwalk.Resume(data, c.start.mark)
	c.payload, c.choices = true, 1
	c.choice = choice{index: c.start.index, hasDelta: true}
	c.choice.delta.read(&c.r)
	for c.r.Member() {
		c.choice.delta.read(&c.r)
	}
	c.readChoice(data)
	c.readChoices(data)
}

// commonStart is what the chunks of a stream begin with: the same id, model and so on in every one, up to what is
// new in it. It is walked once; a chunk that begins with the very same bytes is walked from there.
type commonStart struct {
	bytes []byte
	mark  jsonwalk.Mark
	index int64 // of the choice that it ends in
}

// maxCommonStart bounds what is remembered, in bytes.
const maxCommonStart = 1 << 10

func (s *commonStart) begins(data []byte) bool {
	return len(s.bytes) > 0 && bytes.HasPrefix(data, s.bytes)
}

// learn remembers what stands before a member of a delta, unless something in it has to be seen each time.
func (s *commonStart) learn(c *chunk, data []byte) {
	mark, n, ok := c.r.Mark()
	one := c.choice
	seen := one.finish != nil || one.text != 0 || one.message != textCount{} || one.delta != textCount{}
	if !ok || seen || n > maxCommonStart || c.choices != 1 || c.usage || c.flat || c.answer.Err != nil {
		return
	}
	s.bytes, s.mark, s.index = append(s.bytes[:0], data[:n]...), mark, one.index
}

// read counts the member of a delta or a message that r stands at.
func (n *textCount) read(r *jsonwalk.Reader) {
	switch string(r.Key()) {
	case "content":
		n.text += contentLen(r)
	case "reasoning":
		n.reasoning, _ = r.TextLen()
	case "reasoning_content":
		n.alternate, _ = r.TextLen()
	case "refusal":
		refusal, _ := r.TextLen()
		n.text += refusal
	case "tool_calls":
		if r.Array() {
			for r.Element() {
				n.text += argumentsLen(r)
			}
		}
	case "function_call":
		n.text += lenInside(r, "arguments")
	}
}

// contentLen counts a content: a text, or parts with their text or their thinking, which has parts again.
func contentLen(r *jsonwalk.Reader) (n int64) {
	switch {
	case r.Kind() == jsonwalk.String:
		n, _ = r.TextLen()
	case r.Array():
		for r.Element() {
			if !r.Object() {
				continue
			}
			for r.Member() {
				switch string(r.Key()) {
				case "text", "thinking":
					n += contentLen(r)
				}
			}
		}
	}
	return n
}

// argumentsLen counts the arguments of one tool call.
func argumentsLen(r *jsonwalk.Reader) (n int64) {
	if !r.Object() {
		return 0
	}
	for r.Member() {
		if string(r.Key()) == "function" {
			n += lenInside(r, "arguments")
		}
	}
	return n
}

// lenInside counts one text of an object.
func lenInside(r *jsonwalk.Reader, name string) (n int64) {
	if !r.Object() {
		return 0
	}
	for r.Member() {
		if string(r.Key()) == name {
			length, _ := r.TextLen()
			n += length
		}
	}
	return n
}
