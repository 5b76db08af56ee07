// Package request reads what requests ask for, as far as formats agree on how that is written. A format's own reader walks
// the members of a body and leaves those to a [Body] that mean the same everywhere.
package request

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
)

// Body gathers what a request asks for in one walk over its JSON body.
type Body struct {
	R jsonwalk.Reader // stands at the value of the member that is to be read
	wire.Request
	Thinking int64 // tokens that the model is told to think for
	Wrong    error // the first member whose value has the wrong kind

	format string // the format's name, for errors
	begun  bool
	empty  bool
}

// New returns a Body that stands before the first member of a body's object:
//
//	q := request.New("openai", op, body)
//	for q.Member() {
//		switch string(q.R.Key()) { ... }
//	}
//	return q.Request, q.Err()
func New(format string, op wire.Operation, body []byte) Body {
	q := Body{R: jsonwalk.NewReader(body), format: format, empty: len(bytes.TrimSpace(body)) == 0}
	q.Operation = op
	return q
}

// Member goes on to the next member; false at the end of the body, and where it is no object.
func (q *Body) Member() bool {
	if !q.begun {
		if !q.R.Object() {
			return false
		}
		q.begun = true
	}
	if q.R.Member() {
		return true
	}
	q.R.End()
	return false
}

// Err is what is wrong with the body as far as it was read. It names an offset or a member, never what the request says.
func (q *Body) Err() error {
	switch err := q.R.Err(); {
	case q.empty:
		return errors.New(q.format + ": the request body is empty")
	case !q.begun:
		return errors.New(q.format + ": the request body is not a JSON object")
	case err != nil:
		return fmt.Errorf("%s: request body: %w", q.format, err)
	}
	return q.Wrong
}

// Text reads a string that is kept. Null stands for none.
func (q *Body) Text(member string) string {
	raw, escaped, ok := q.R.Text()
	if !ok {
		q.Refuse(member, "a string")
		return ""
	}
	if escaped {
		raw = jsonwalk.AppendDecoded(nil, raw)
	}
	return string(raw)
}

// Refuse notes that a member's value is of the wrong kind, unless it is null.
func (q *Body) Refuse(member, want string) {
	if kind := q.R.Kind(); kind != jsonwalk.Null && kind != jsonwalk.Invalid && q.Wrong == nil {
		q.Wrong = fmt.Errorf("%s: request member %q is not %s", q.format, member, want)
	}
}

// Count reads a count: 0 where there is none or where it is below, the largest where it is out of range.
func (q *Body) Count() int64 {
	n, err := jsonwalk.Int(q.R.Raw())
	switch {
	case errors.Is(err, jsonwalk.ErrRange):
		return math.MaxInt64
	case errors.Is(err, jsonwalk.ErrFraction):
		n++
	}
	return max(n, 0)
}

// Flag reads an object and says whether one of its members is true.
func (q *Body) Flag(name string) (set bool) {
	if !q.R.Object() {
		return false
	}
	for q.R.Member() {
		if string(q.R.Key()) == name {
			set = q.R.True()
		}
	}
	return set
}

// ReadModels reads a list of models that may serve instead.
func (q *Body) ReadModels() {
	if !q.R.Array() {
		q.Refuse("models", "an array")
		return
	}
	for q.R.Element() {
		model := ""
		if q.R.Kind() == jsonwalk.Object { // a fallback of LiteLLM's with settings of its own
			model = q.NameInside("model")
		} else {
			model = q.Text("models")
		}
		if model != "" {
			q.Models = append(q.Models, model)
		}
	}
}

// NameInside reads one text of an object.
func (q *Body) NameInside(member string) (name string) {
	q.R.Object()
	for q.R.Member() {
		if string(q.R.Key()) == member {
			name = q.Text(member)
		}
	}
	return name
}

// ReadThinking reads how much a model is told to think: OpenRouter's reasoning, Anthropic's thinking.
func (q *Body) ReadThinking() {
	if !q.R.Object() {
		return
	}
	for q.R.Member() {
		switch string(q.R.Key()) {
		case "max_tokens", "budget_tokens":
			q.Thinking = max(q.Thinking, q.Count())
		}
	}
}

// AddTokens adds two counts; a sum out of range is the largest.
func AddTokens(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// ReadInputs reads what a completion continues or what is to be embedded: a text, texts, tokens, lists of tokens.
func (q *Body) ReadInputs(member string) {
	if n, ok := q.R.TextLen(); ok {
		q.TextBytes += n
		q.Inputs++
		return
	}
	if !q.R.Array() {
		q.Refuse(member, "a string or an array")
		return
	}
	tokens := int64(0)
	for q.R.Element() {
		if q.R.Kind() == jsonwalk.Number {
			tokens++
			continue
		}
		q.Inputs++
		q.input()
	}
	if tokens > 0 {
		q.InputTokens += tokens
		q.Inputs++
	}
}

// input reads one of several inputs.
func (q *Body) input() {
	if !q.R.Array() {
		q.ReadPart()
		return
	}
	for q.R.Element() {
		if q.R.Kind() == jsonwalk.Number {
			q.InputTokens++
		} else {
			q.ReadPart()
		}
	}
}

// ReadTools reads the tools that are offered. Their descriptions and schemas become input as a whole.
func (q *Body) ReadTools() {
	start := q.R.Offset()
	if !q.R.Array() {
		return
	}
	for q.R.Element() {
		q.Tools++
		q.tool()
	}
	q.TextBytes += int64(q.R.Offset() - start)
}

func (q *Body) tool() {
	if !q.R.Object() {
		return
	}
	for q.R.Member() {
		switch string(q.R.Key()) {
		case "type":
			kind, _, _ := q.R.Text()
			q.toolKind(string(kind))
		case "cache_control":
			q.ReadCacheControl()
		case "function":
			q.function()
		}
	}
}

// toolKind takes note of tools that the provider runs itself: a function or a custom tool is the caller's to run.
func (q *Body) toolKind(kind string) {
	switch kind {
	case "", "function", "custom":
		return
	}
	q.ServerTools = true
	q.WebSearch = q.WebSearch || strings.Contains(kind, "search")
}

func (q *Body) function() {
	if !q.R.Object() {
		return
	}
	for q.R.Member() {
		if string(q.R.Key()) == "cache_control" {
			q.ReadCacheControl()
		}
	}
}

// ReadSchema reads the schema that an answer is to keep to: it becomes input.
func (q *Body) ReadSchema() {
	if !q.R.Object() {
		return
	}
	for q.R.Member() {
		switch string(q.R.Key()) {
		case "json_schema", "schema":
			q.TextBytes += int64(len(q.R.Raw()))
		}
	}
}

// ReadModalities reads what an answer may be made of.
func (q *Body) ReadModalities() {
	if !q.R.Array() {
		return
	}
	for q.R.Element() {
		modality, _, _ := q.R.Text()
		switch string(modality) {
		case "audio":
			q.AudioOutput = true
		case "image":
			q.ImageOutput = true
		}
	}
}
