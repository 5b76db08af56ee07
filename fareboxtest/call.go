package fareboxtest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"
)

// Tokens is how many tokens a Provider counts for a text: one for every four bytes that it begins.
func Tokens(text string) int64 { return tokensOf(len(text)) }

func tokensOf(bytes int) int64 { return int64(bytes+bytesPerToken-1) / bytesPerToken }

const bytesPerToken = 4

// firstTokens cuts a text to n tokens. It never splits a character: a token that was begun still counts as one.
func firstTokens(text string, n int64) string {
	if Tokens(text) <= n {
		return text
	}
	end := int(n) * bytesPerToken
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

type operation int

const (
	chat operation = iota
	completion
	embeddings
	responses // OpenAI's /responses
	messages  // Anthropic's /messages
	generate  // Gemini's :generateContent and :streamGenerateContent
)

// call is what a Provider reads from a request's body.
type call struct {
	op operation

	Model               string   `json:"model"`
	Models              []string `json:"models"`
	Messages            []turn   `json:"messages"`
	System              content  `json:"system"` // Anthropic's
	Prompt              texts    `json:"prompt"`
	Input               texts    `json:"input"`
	EncodingFormat      string   `json:"encoding_format"`
	Dimensions          int      `json:"dimensions"`
	Stream              bool     `json:"stream"`
	array               bool     // the stream is to be one JSON array
	N                   int      `json:"n"`
	MaxTokens           int64    `json:"max_tokens"`
	MaxCompletionTokens int64    `json:"max_completion_tokens"`
	StreamOptions       struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

// turn is one message of a conversation.
type turn struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

// readCall reads a body. Where it is no JSON, what the call says of itself is missing, and the problem says why.
func readCall(op operation, body []byte) (*call, *problem) {
	c := &call{}
	var err error
	switch op {
	case responses:
		err = c.readResponses(body)
	case generate:
		err = c.readGenerate(body)
	default:
		err = json.Unmarshal(body, c)
	}
	c.op = op
	if err != nil {
		return c, &problem{status: http.StatusBadRequest, message: "We could not parse the JSON body of your request: " + err.Error()}
	}
	return c, nil
}

// promptTokens is the size of the input.
func (c *call) promptTokens() int64 {
	n := Tokens(string(c.System))
	for _, m := range c.Messages {
		n += Tokens(string(m.Content))
	}
	for _, input := range append(c.Prompt[:len(c.Prompt):len(c.Prompt)], c.Input...) {
		n += input.tokens
	}
	return n
}

// asked is the text that an answer is made from: the last message of the user's, or a prompt.
func (c *call) asked(prompt int) string {
	if c.op == completion {
		if len(c.Prompt) == 0 {
			return ""
		}
		return c.Prompt[prompt].text
	}
	for i := len(c.Messages) - 1; i >= 0; i-- {
		if c.Messages[i].Role == "user" {
			return string(c.Messages[i].Content)
		}
	}
	return ""
}

// choices is how many answers are asked for: n to each prompt.
func (c *call) choices() int { return max(c.N, 1) * max(len(c.Prompt), 1) }

// outputLimit is the most tokens that one choice may have; 0: no limit.
func (c *call) outputLimit(m *Model) int64 {
	limit := m.MaxOutputTokens
	for _, asked := range [...]int64{c.MaxTokens, c.MaxCompletionTokens} {
		if asked > 0 && (limit == 0 || asked < limit) {
			limit = asked
		}
	}
	return limit
}

// content is the text of a message: its string, or the texts among its parts.
type content string

// UnmarshalJSON reads either form, and null.
func (c *content) UnmarshalJSON(data []byte) error {
	if !bytes.HasPrefix(data, []byte("[")) {
		return json.Unmarshal(data, (*string)(c))
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	var all strings.Builder
	for _, part := range parts {
		all.WriteString(part.Text)
	}
	*c = content(all.String())
	return nil
}

// input is one text to complete or to embed, or the tokens that it was given as.
type input struct {
	text   string
	tokens int64
}

// texts is a prompt or an embedding's input in any of its forms: a text, texts, tokens, or lists of tokens.
type texts []input

// UnmarshalJSON tries the forms in turn.
func (t *texts) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = texts{{text: one, tokens: Tokens(one)}}
		return nil
	}
	var tokens []int64
	if json.Unmarshal(data, &tokens) == nil && len(tokens) > 0 {
		*t = texts{{text: string(data), tokens: int64(len(tokens))}}
		return nil
	}
	var many []json.RawMessage
	if err := json.Unmarshal(data, &many); err != nil {
		return err
	}
	*t = make(texts, 0, len(many))
	for _, element := range many {
		var single texts
		if err := single.UnmarshalJSON(element); err != nil {
			return err
		}
		*t = append(*t, single...)
	}
	return nil
}
