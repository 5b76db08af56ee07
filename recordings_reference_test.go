package farebox_test

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/farebox-go/farebox"
)

// expectation is what has to come of an exchange that was written by hand. What is not stated is not expected, except
// that Usage is compared as a whole and that a call without Error must not fail.
type expectation struct {
	Why       string         `json:"why"`
	Usage     farebox.Usage  `json:"usage"`
	Source    farebox.Source `json:"source"`
	Cost      *farebox.Money `json:"cost"`   // what the attempt costs in all
	Charge    *farebox.Money `json:"charge"` // the endpoint's own figure
	Model     string         `json:"model"`
	Upstream  string         `json:"upstream"`
	Finish    string         `json:"finish"`
	Flags     []farebox.Flag `json:"flags"`
	Partial   bool           `json:"partial"`
	Dropped   int            `json:"dropped"` // events that farebox asked for and takes out again
	Error     string         `json:"error"`   // the sentinel that the Client's error matches, by its name in sentinels
	ErrorText string         `json:"error_text"`
	Text      *string        `json:"text"`
}

// reference is what an answer says, read with encoding/json and nothing of farebox's.
type reference struct {
	text    string // of the first choice; of embeddings, the first vector
	vectors int
	failed  bool // the answer is an error, or has one inside
	empty   bool
	cut     bool // a stream that ended before its terminator and without all that counts
	events  []referenceEvent
}

// referenceEvent is one event of a stream.
type referenceEvent struct {
	raw       string // its bytes, the blank line after it included
	name      string
	data      string
	usageOnly bool
}

// referenceChunk is an answer or a chunk of one, as far as the tests look at it.
type referenceChunk struct {
	Object  string            `json:"object"`
	Error   json.RawMessage   `json:"error"`
	Usage   json.RawMessage   `json:"usage"`
	Choices []referenceChoice `json:"choices"`
	XGroq   struct {
		Usage json.RawMessage `json:"usage"`
		Error json.RawMessage `json:"error"`
	} `json:"x_groq"`
	Data []struct {
		Embedding json.RawMessage `json:"embedding"`
	} `json:"data"`
}

type referenceChoice struct {
	Index   int             `json:"index"`
	Error   json.RawMessage `json:"error"`
	Usage   json.RawMessage `json:"usage"`
	Finish  string          `json:"finish_reason"`
	Text    string          `json:"text"`
	Delta   referenceText   `json:"delta"`
	Message referenceText   `json:"message"`
}

// text is the choice's text by the API that was asked: some providers write that of the other one too.
func (c *referenceChoice) text(api string, chat referenceText) string {
	if api == completionAPI {
		return c.Text
	}
	return chat.String()
}

type referenceText struct {
	Content json.RawMessage `json:"content"`
}

// String is a content's text: a string, or the text of its parts.
func (t referenceText) String() string {
	var text string
	if json.Unmarshal(t.Content, &text) == nil {
		return text
	}
	var parts []struct {
		Text string `json:"text"`
	}
	_ = json.Unmarshal(t.Content, &parts)
	for _, part := range parts {
		text += part.Text
	}
	return text
}

func isSet(raw json.RawMessage) bool {
	switch string(bytes.TrimSpace(raw)) {
	case "", "null", `""`, "{}", "[]", "false":
		return false
	}
	return true
}

// failed says whether the answer reports an error.
func (c *referenceChunk) failed() bool {
	failed := isSet(c.Error) || isSet(c.XGroq.Error) || c.Object == "error"
	for _, choice := range c.Choices {
		failed = failed || isSet(choice.Error)
	}
	return failed
}

// read reads an exchange's answer.
func (x *exchange) read() reference {
	body := x.body()
	r := reference{empty: len(bytes.TrimSpace(body)) == 0, failed: x.Response.Status >= 400}
	if x.Response.SSE == nil {
		var chunk referenceChunk
		_ = json.Unmarshal(body, &chunk)
		r.failed = r.failed || chunk.failed()
		r.vectors = len(chunk.Data)
		if r.vectors > 0 {
			r.text = string(chunk.Data[0].Embedding)
		}
		if len(chunk.Choices) > 0 {
			r.text = chunk.Choices[0].text(x.api, chunk.Choices[0].Message)
		}
		return r
	}
	r.events = splitEvents(string(body))
	r.readEvents(x.api)
	return r
}

func (r *reference) readEvents(api string) {
	done, finished, counted := false, false, false
	for i := range r.events {
		event := &r.events[i]
		if event.data == "[DONE]" {
			done = true
			continue
		}
		var chunk referenceChunk
		readable := json.Unmarshal([]byte(event.data), &chunk) == nil
		r.failed = r.failed || chunk.failed() || event.name == "error"
		counted = counted || isSet(chunk.Usage) || isSet(chunk.XGroq.Usage)
		event.usageOnly = readable && chunk.isUsageOnly(event.data)
		for _, choice := range chunk.Choices {
			finished = finished || choice.Finish != ""
			counted = counted || isSet(choice.Usage)
			if choice.Index == 0 && !r.failed {
				r.text += choice.text(api, choice.Delta)
			}
		}
	}
	r.cut = !done && !r.failed && !(finished && counted)
}

// isUsageOnly says whether a chunk is what a provider adds to a stream where usage was asked for.
func (c *referenceChunk) isUsageOnly(data string) bool {
	if len(c.Choices) > 0 || !(isSet(c.Usage) || isSet(c.XGroq.Usage)) {
		return false
	}
	var members map[string]json.RawMessage
	_ = json.Unmarshal([]byte(data), &members)
	for _, usual := range []string{
		"id", "object", "created", "model", "provider", "system_fingerprint", "service_tier", "obfuscation",
		"stream_options", "choices", "usage", "x_groq",
	} {
		delete(members, usual)
	}
	for _, value := range members {
		if string(value) != "null" {
			return false
		}
	}
	return true
}

// passed is the stream without the events that carry nothing but usage, and how many they are.
func (r *reference) passed() (stream string, dropped int) {
	for _, event := range r.events {
		if event.usageOnly {
			dropped++
			continue
		}
		stream += event.raw
	}
	return stream, dropped
}

// splitEvents takes a stream apart. Comments and blank lines that stand before an event are an event without data.
func splitEvents(stream string) (events []referenceEvent) {
	var event referenceEvent
	hasData := false
	flush := func() {
		if event.raw != "" {
			events = append(events, event)
		}
		event, hasData = referenceEvent{}, false
	}
	for len(stream) > 0 {
		line, size := cutLine(stream)
		raw := stream[:size]
		stream = stream[size:]
		line = strings.TrimPrefix(line, "\ufeff")
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		if event.name == "" && !hasData && (name == "" || line == "") { // a comment or a blank line
			event.raw += raw
			flush()
			continue
		}
		event.raw += raw
		switch {
		case line == "":
			flush()
		case name == "event":
			event.name = value
		case name == "data" && hasData:
			event.data += "\n" + value
		case name == "data":
			event.data, hasData = value, true
		}
	}
	flush()
	return events
}

// cutLine returns the first line of a text, and its size with its end.
func cutLine(text string) (line string, size int) {
	end := strings.IndexAny(text, "\r\n")
	switch {
	case end < 0:
		return text, len(text)
	case strings.HasPrefix(text[end:], "\r\n"):
		return text[:end], end + 2
	}
	return text[:end], end + 1
}
