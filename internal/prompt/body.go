package prompt

import (
	"fmt"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// counter is one walk over a body.
type counter struct {
	r      jsonwalk.Reader
	format Format
	family *family
	tally  tally
	found
}

// found is what was found in a request. Tokens are those of the family's encoding.
type found struct {
	plain     int64 // tokens of all that is said: contents, names, calls
	given     int64 // tokens sent as numbers
	inputs    int64 // prompts of a completion, texts to be embedded
	messages  int64
	exchanged int64 // blocks of messages that are calls or results of calls
	lastKind  string
	replays   int64 // messages of the assistant that say something
	names     int64
	system    bool // there is a system message
	calls     int64
	parallel  int64 // messages with several calls
	callNames int64 // tokens of the names of called functions
	tools     int64
	shaped    int64 // functions with parameters
	toolText  int64 // tokens of the tools, as the family writes them
	toolBytes int64 // their JSON
	barred    bool  // none of them may be called
	schemas   int64
	schema    int64 // tokens of the schema that the answer has to follow, and of what it is called
	thinking  bool
	media     int64 // images, sounds, files
	flat      int64 // images whose tokens depend on the resolution that is asked for all of them, if on anything
	size      int64 // their tokens
	mostSize  int64

	resolution resolution
	unsized    bool  // one of them was counted at its largest
	sealed     int64 // bytes of thoughts that only the provider can read, and takes up again
	unheard    int64 // bytes that may become input and are not counted as likely
	unbounded  bool  // something has no bound
}

func (c *counter) release() {
	c.r = jsonwalk.Reader{} // lets go of the body
	c.family, c.tally.vocabulary = nil, nil
	counters.Put(c)
}

func (c *counter) count(f *family, vocabulary Vocabulary, format Format, body []byte, limit int64) error {
	c.family, c.format, c.found = f, format, found{}
	c.tally.start(vocabulary, max(limit, 0)) // no ratio is below 1
	c.r = jsonwalk.NewReader(body)
	if !c.r.Object() {
		return ErrNotRequest
	}
	for c.r.Member() {
		if c.member(); c.tally.over() {
			return nil
		}
	}
	c.r.End()
	if err := c.r.Err(); err != nil {
		return fmt.Errorf("prompt: request body: %w", err)
	}
	return nil
}

// openaiMember reads a member of a chat completion, a completion or a request for embeddings.
func (c *counter) openaiMember() {
	switch string(c.r.Key()) {
	case "messages":
		c.chat()
	case "prompt", "input":
		c.prompts()
	case "suffix":
		c.plain += c.tally.read(&c.r)
	case "tools", "functions":
		c.offered()
	case "tool_choice", "function_call":
		c.choose("type")
	case "response_format":
		c.responseFormat()
	case "reasoning", "thinking":
		c.thinks()
	case "prediction":
		c.unheard += int64(len(c.r.Raw()))
	case "web_search_options", "search_parameters", "plugins", "documents", "variables", "preset":
		c.unbounded = c.unbounded || c.present()
	}
}

// thinks reads whether the model is told to think first, for which some are given instructions.
func (c *counter) thinks() {
	if !c.r.Object() {
		return
	}
	c.thinking = true
	for c.r.Member() {
		switch string(c.r.Key()) {
		case "type", "effort":
			switch word, _, _ := c.r.Text(); string(word) {
			case "disabled", "none", "adaptive": // who thinks as it sees fit is not told to
				c.thinking = false
			}
		case "enabled":
			c.thinking = string(c.r.Raw()) != "false" && c.thinking
		case "mode":
			c.unbounded = c.unbounded || c.present()
		}
	}
}

// prompts reads what a completion continues or what is to be embedded: a text, texts, tokens, lists of tokens.
func (c *counter) prompts() {
	c.inputs++
	if !c.r.Array() {
		c.plain += c.tally.read(&c.r)
		return
	}
	for !c.tally.over() && c.r.Element() {
		if !c.r.Array() {
			c.prompt()
			continue
		}
		c.inputs++
		for c.r.Element() {
			c.prompt()
		}
	}
}

func (c *counter) prompt() {
	switch c.r.Kind() {
	case jsonwalk.Number:
		c.r.Skip()
		c.given++
	case jsonwalk.Object: // a message of another API, or a part of one
		c.unbounded = true
		c.plain += c.part()
	default:
		c.inputs++
		c.plain += c.part()
	}
}

// responseFormat reads the schema that the answer has to follow.
func (c *counter) responseFormat() {
	if !c.r.Object() {
		return
	}
	for c.r.Member() {
		switch string(c.r.Key()) {
		case "json_schema":
			c.jsonSchema()
		case "schema":
			c.schemas++
			c.schema += c.json()
		}
	}
}

func (c *counter) jsonSchema() {
	if !c.r.Object() {
		return
	}
	head := int64(0)
	for c.r.Member() {
		switch string(c.r.Key()) {
		case "name", "description":
			head += c.tally.read(&c.r)
		case "schema":
			c.schemas++
			c.schema += c.json()
		}
	}
	c.schema += max(head, 3)
}

// json counts the value that r stands at as JSON without blanks.
func (c *counter) json() int64 {
	before := c.tally.tokens
	c.tally.compact(&c.r)
	c.tally.close()
	return c.tally.tokens - before
}
