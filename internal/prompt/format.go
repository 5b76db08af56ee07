package prompt

import "github.com/farebox-go/farebox/internal/jsonwalk"

// Format is the form that the body of a request is in. The zero value is OpenAI's.
type Format uint8

// The forms.
const (
	// OpenAI is that of chat completions, completions and embeddings.
	OpenAI Format = iota
	// Responses is that of OpenAI's Responses API.
	Responses
	// Anthropic is that of Anthropic's messages.
	Anthropic
	// Gemini is that of Google's generateContent.
	Gemini
)

// FormatOf gives the form of the requests for an operation in a wire format, by their names. ok is false where requests
// of that kind are not read.
func FormatOf(wireFormat, operation string) (f Format, ok bool) {
	switch wireFormat + " " + operation {
	case "openai chat", "openai text_completion", "openai embeddings":
		return OpenAI, true
	case "openai.responses chat":
		return Responses, true
	case "anthropic chat", "anthropic text_completion":
		return Anthropic, true
	case "gemini generate_content":
		return Gemini, true
	}
	return 0, false
}

// member reads a member of the request.
func (c *counter) member() {
	switch c.format {
	case Anthropic:
		c.anthropicMember()
	case Gemini:
		c.geminiMember()
	case Responses:
		if !c.responsesMember() {
			c.openaiMember()
		}
	default:
		c.openaiMember()
	}
}

// present says whether the value is there and not null.
func (c *counter) present() bool {
	return c.r.Kind() != jsonwalk.Null && c.r.Kind() != jsonwalk.Invalid
}

// each reads the elements of an array, until there are more tokens than the limit.
func (c *counter) each(read func()) {
	if !c.r.Array() {
		return
	}
	for !c.tally.over() && c.r.Element() {
		read()
	}
}

// choose reads which of the tools may be called: a word, or an object that has it as a member.
func (c *counter) choose(member string) {
	word := textOf(&c.r)
	if c.r.Object() {
		for c.r.Member() {
			if string(c.r.Key()) == member {
				word = textOf(&c.r)
			}
		}
	}
	c.barred = string(word.raw) == "none" || string(word.raw) == "NONE"
}
