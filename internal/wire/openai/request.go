package openai

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
)

// ReadRequest implements [wire.Format]. Where the body names no model the deployment in an Azure path stands for it.
// Errors name an offset or a member, never what the request says.
func (Format) ReadRequest(op wire.Operation, to wire.Target, body []byte) (wire.Request, error) {
	q := requestReader{r: jsonwalk.NewReader(body)}
	q.Operation = op
	if len(bytes.TrimSpace(body)) == 0 {
		return q.Request, errors.New("openai: the request body is empty")
	}
	if q.r.Kind() != jsonwalk.Object {
		return q.Request, errors.New("openai: the request body is not a JSON object")
	}
	for q.r.Object(); q.r.Member(); {
		q.member()
	}
	q.r.End()
	if err := q.r.Err(); err != nil {
		return q.Request, fmt.Errorf("openai: request body: %w", err)
	}
	q.finish(to.Path)
	return q.Request, q.wrong
}

// requestReader gathers what a request asks for in one walk over its body.
type requestReader struct {
	r jsonwalk.Reader
	wire.Request
	thinking int64 // tokens that the model is told to think for
	wrong    error // the first member whose value has the wrong kind
}

// finish fills in what follows from the whole of the request.
func (q *requestReader) finish(path string) {
	if q.Model == "" {
		q.Model = deployment(path)
	}
	if q.Operation == wire.Chat {
		q.Inputs = 1
	}
	q.Choices = max(q.Choices, 1)
	if q.MaxOutput > 0 { // the limit counts thinking too; a provider that takes a lower one than that goes beyond it
		q.MaxOutput = max(q.MaxOutput, q.thinking)
	}
	q.WebSearch = q.WebSearch || searchesOnline(q.Model)
	for _, model := range q.Models {
		q.WebSearch = q.WebSearch || searchesOnline(model)
	}
}

// member reads a member of the request.
func (q *requestReader) member() {
	switch string(q.r.Key()) {
	case "model":
		q.Model = q.text("model")
	case "models", "fallbacks":
		q.models()
	case "messages":
		q.messages()
	case "prompt":
		q.inputs("prompt")
	case "input":
		q.inputs("input")
	case "suffix", "variables", "documents":
		q.TextBytes += textBytes(&q.r)
	case "cache_control":
		q.cacheControl()
	case "tools", "functions":
		q.tools()
	case "response_format":
		q.responseFormat()
	case "max_tokens", "max_completion_tokens", "max_output_tokens":
		q.MaxOutput = max(q.MaxOutput, q.number())
	case "prediction": // what of it does not come true is billed as output, at most a token for a byte
		q.BesideLimit = addTokens(q.BesideLimit, textBytes(&q.r))
	case "thinking_budget": // Qwen's, which max_tokens does not count (docs.siliconflow.cn, "reasoning", 2026-11)
		q.BesideLimit = addTokens(q.BesideLimit, q.number())
	case "reasoning", "thinking":
		q.readThinking()
	case "n", "best_of":
		q.Choices = max(q.Choices, int(min(q.number(), math.MaxInt32)))
	case "stream":
		q.Stream = q.r.True()
	case "stream_options":
		q.IncludeUsage = q.flag("include_usage") || q.IncludeUsage
	case "usage": // OpenRouter's older way to ask
		q.IncludeUsage = q.flag("include") || q.IncludeUsage
	case "service_tier":
		q.ServiceTier = q.text("service_tier")
	case "modalities":
		q.modalities()
	default:
		q.search()
	}
}

// text reads a string that is kept. Null stands for none.
func (q *requestReader) text(member string) string {
	raw, escaped, ok := q.r.Text()
	if !ok {
		q.refuse(member, "a string")
		return ""
	}
	if escaped {
		raw = jsonwalk.AppendDecoded(nil, raw)
	}
	return string(raw)
}

// refuse notes that a member's value is of the wrong kind, unless it is null.
func (q *requestReader) refuse(member, want string) {
	if kind := q.r.Kind(); kind != jsonwalk.Null && kind != jsonwalk.Invalid && q.wrong == nil {
		q.wrong = fmt.Errorf("openai: request member %q is not %s", member, want)
	}
}

// number reads a count: 0 where there is none or where it is below, the largest where it is out of range.
func (q *requestReader) number() int64 {
	n, err := jsonwalk.Int(q.r.Raw())
	switch {
	case errors.Is(err, jsonwalk.ErrRange):
		return math.MaxInt64
	case errors.Is(err, jsonwalk.ErrFraction):
		n++
	}
	return max(n, 0)
}

// flag reads an object and says whether one of its members is true.
func (q *requestReader) flag(name string) (set bool) {
	if !q.r.Object() {
		return false
	}
	for q.r.Member() {
		if string(q.r.Key()) == name {
			set = q.r.True()
		}
	}
	return set
}

func (q *requestReader) models() {
	if !q.r.Array() {
		q.refuse("models", "an array")
		return
	}
	for q.r.Element() {
		model := ""
		if q.r.Kind() == jsonwalk.Object { // a fallback of LiteLLM's with settings of its own
			model = q.nameInside("model")
		} else {
			model = q.text("models")
		}
		if model != "" {
			q.Models = append(q.Models, model)
		}
	}
}

// nameInside reads one text of an object.
func (q *requestReader) nameInside(member string) (name string) {
	q.r.Object()
	for q.r.Member() {
		if string(q.r.Key()) == member {
			name = q.text(member)
		}
	}
	return name
}

// readThinking reads how much a model is told to think: OpenRouter's reasoning, Anthropic's thinking.
func (q *requestReader) readThinking() {
	if !q.r.Object() {
		return
	}
	for q.r.Member() {
		switch string(q.r.Key()) {
		case "max_tokens", "budget_tokens":
			q.thinking = max(q.thinking, q.number())
		}
	}
}

func addTokens(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// inputs reads what a completion continues or what is to be embedded: a text, texts, tokens, lists of tokens.
func (q *requestReader) inputs(member string) {
	if n, ok := q.r.TextLen(); ok {
		q.TextBytes += n
		q.Inputs++
		return
	}
	if !q.r.Array() {
		q.refuse(member, "a string or an array")
		return
	}
	tokens := int64(0)
	for q.r.Element() {
		if q.r.Kind() == jsonwalk.Number {
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
func (q *requestReader) input() {
	if !q.r.Array() {
		q.part()
		return
	}
	for q.r.Element() {
		if q.r.Kind() == jsonwalk.Number {
			q.InputTokens++
		} else {
			q.part()
		}
	}
}

// tools reads the tools that are offered. Their descriptions and schemas become input as a whole.
func (q *requestReader) tools() {
	start := q.r.Offset()
	if !q.r.Array() {
		return
	}
	for q.r.Element() {
		q.Tools++
		q.tool()
	}
	q.TextBytes += int64(q.r.Offset() - start)
}

func (q *requestReader) tool() {
	if !q.r.Object() {
		return
	}
	for q.r.Member() {
		switch string(q.r.Key()) {
		case "type":
			kind, _, _ := q.r.Text()
			q.toolKind(string(kind))
		case "cache_control":
			q.cacheControl()
		case "function":
			q.function()
		}
	}
}

// toolKind takes note of tools that the provider runs itself: a function or a custom tool is the caller's to run.
func (q *requestReader) toolKind(kind string) {
	switch kind {
	case "", "function", "custom":
		return
	}
	q.ServerTools = true
	q.WebSearch = q.WebSearch || strings.Contains(kind, "search")
}

func (q *requestReader) function() {
	if !q.r.Object() {
		return
	}
	for q.r.Member() {
		if string(q.r.Key()) == "cache_control" {
			q.cacheControl()
		}
	}
}

func (q *requestReader) responseFormat() {
	if !q.r.Object() {
		return
	}
	for q.r.Member() {
		switch string(q.r.Key()) {
		case "json_schema", "schema":
			q.TextBytes += int64(len(q.r.Raw()))
		}
	}
}

func (q *requestReader) modalities() {
	if !q.r.Array() {
		return
	}
	for q.r.Element() {
		modality, _, _ := q.r.Text()
		switch string(modality) {
		case "audio":
			q.AudioOutput = true
		case "image":
			q.ImageOutput = true
		}
	}
}
