package farebox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	openai "github.com/sashabaranov/go-openai"

	"github.com/farebox-go/farebox/internal/sse"
)

// ClientOrCallOption configures a [Client], or one of its calls.
type ClientOrCallOption interface {
	Option
	CallOption
}

// WithStreamedAnswers says whether CreateChatCompletion asks the provider for a stream and puts the answer together, so
// that budgets can hold it progressively (see [Progressive]) and cut it: the error then matches ErrBudgetCut, and beside it
// stands the answer as far as it came, with its receipt. Other failures are retried and fallen back from as ever. A call
// can say otherwise than its Client, whose default is false.
//
// Raw is then the JSON of the answer as it was put together. Its usage is the provider's; of what go-openai's types have no
// field for it keeps what [Outcome.OpenRouter] reads, reasoning details in the pieces in which they came. Usage is
// zero where the provider states none in streams, or is not asked for it ([WithoutStreamUsage]).
//
// A request for sound or images (its fields "modalities" and "audio") goes out as it is, and so does one again whose stream
// a model refuses. A server that does not answer with a stream all the same is understood.
func WithStreamedAnswers(streamed bool) ClientOrCallOption { return streamedAnswers(streamed) }

type streamedAnswers bool

func (s streamedAnswers) applyToClient(c *clientConfig) error {
	c.streamedAnswers = bool(s)
	return nil
}

func (s streamedAnswers) applyToCall(o *callOptions) error {
	o.streamed = (*bool)(&s)
	return nil
}

// streamsAnswer says whether a call for a whole answer goes out as one for a stream. Sound and images come in pieces that
// are not put together here.
func (o *callOptions) streamsAnswer(byDefault bool) bool {
	if o.streamed != nil {
		byDefault = *o.streamed
	}
	return byDefault && !slices.ContainsFunc(o.fields, func(f bodyField) bool {
		return f.value != nil && (f.name == "audio" || f.name == "modalities" && string(f.value) != `["text"]`)
	})
}

// refusesStream says whether an answer refuses the stream that farebox asked for, as OpenAI's does for models that do
// not stream, or not for every organization: status 400 with param "stream" (BeehiveInnovations/pal-mcp-server#134, 2025-06).
func (c *call) refusesStream(err error) bool {
	if !c.streamed || c.spec.stream || err == nil {
		return false
	}
	var api *APIError
	if !errors.As(err, &api) || api.Status != http.StatusBadRequest {
		return false
	}
	var body struct {
		Error struct {
			Param string `json:"param"`
		} `json:"error"`
	}
	return json.Unmarshal(api.Body, &body) == nil && body.Error.Param == "stream"
}

// assembled reads an answer that was asked for as a stream and gives keep its JSON, also where it was cut for want of
// budget. What is no stream plain reads.
func assembled(plain answerReader, keep func(body []byte, head http.Header) error) answerReader {
	return func(c *call, resp *http.Response, stop func()) (kept bool, err error) {
		if !c.streamed {
			return plain(c, resp, stop)
		}
		body := bufio.NewReader(resp.Body)
		if !isSuccess(resp.StatusCode) || startsWithJSON(body) {
			resp.Body = readAhead{body, resp.Body}
			return plain(c, resp, stop)
		}
		s := &streamCore{call: c, resp: resp, events: sse.NewReader(body, c.client.maxEventBytes)}
		var answer assembly
		err = s.assemble(&answer)
		_ = resp.Body.Close() // settles: the receipt has the usage, which may have been taken out of the stream
		if err != nil && !errors.Is(err, ErrBudgetCut) {
			return false, err
		}
		if err != nil {
			answer.choice(0) // the one that is held progressively, though it may have been cut within its first chunk
		}
		raw, invalid := answer.encode(c.all())
		if invalid == nil {
			invalid = keep(raw, resp.Header)
		}
		if invalid != nil {
			return false, c.invalid(resp, raw, invalid)
		}
		return false, err
	}
}

// assemble reads a stream to its end. No text has reached the caller, so that what fails can be tried again.
func (s *streamCore) assemble(answer *assembly) error {
	size, limit := int64(0), s.call.client.maxResponseBytes
	for {
		data, err := s.read()
		switch {
		case errors.Is(err, io.EOF) && size == 0:
			return s.failure(fmt.Errorf("the stream of status %d is empty: %w", s.resp.StatusCode, io.ErrUnexpectedEOF))
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if size += int64(len(data)); size > limit {
			return s.failure(fmt.Errorf("%w of %d bytes, set by WithMaxResponseBytes", ErrTooLarge, limit))
		}
		chunk, err := decodeChatChunk(data)
		if err != nil {
			return s.call.invalid(s.resp, data, err)
		}
		answer.add(&chunk)
	}
}

// assembly is an answer that is put together from the chunks of its stream. The zero value is empty.
type assembly struct {
	id, model, fingerprint string
	created                int64
	filtered               []openai.PromptFilterResult
	choices                map[int]*assembledChoice
}

type assembledChoice struct {
	content, refusal     strings.Builder
	thought, reasoning   strings.Builder // in reasoning_content, and in OpenRouter's reasoning
	details              []json.RawMessage
	role, finish, native string
	function             *assembledCall
	calls                map[int]*assembledCall
	last                 int // index of the call that a piece without one belongs to
	logprobs             *openai.ChatCompletionStreamChoiceLogprobs
	filtered             openai.ContentFilterResults
}

type assembledCall struct {
	id, kind, name string
	arguments      strings.Builder
}

// setOnce keeps the first that is not empty: some servers repeat in each chunk what others send in the first.
func setOnce[T comparable](to *T, value T) {
	var empty T
	if *to == empty {
		*to = value
	}
}

func (a *assembly) add(chunk *ChatCompletionStreamResponse) {
	setOnce(&a.id, chunk.ID)
	setOnce(&a.model, chunk.Model)
	setOnce(&a.created, chunk.Created)
	setOnce(&a.fingerprint, chunk.SystemFingerprint)
	a.filtered = append(a.filtered, chunk.PromptFilterResults...)
	for i := range chunk.Choices {
		a.choice(chunk.Choices[i].Index).add(&chunk.Choices[i])
	}
	a.addOpenRouter(chunk)
}

func (a *assembly) choice(index int) *assembledChoice {
	if a.choices == nil {
		a.choices = make(map[int]*assembledChoice)
	}
	if a.choices[index] == nil {
		a.choices[index] = &assembledChoice{}
	}
	return a.choices[index]
}

// addOpenRouter takes what go-openai's types have no field for.
func (a *assembly) addOpenRouter(chunk *ChatCompletionStreamResponse) {
	if !bytes.Contains(chunk.Raw, []byte(`"reasoning`)) && !bytes.Contains(chunk.Raw, []byte(`"native_finish_reason":"`)) {
		return
	}
	more, err := chunk.OpenRouter()
	if err != nil || len(more.Choices) != len(chunk.Choices) {
		return
	}
	for i := range more.Choices {
		choice, delta := a.choices[chunk.Choices[i].Index], &more.Choices[i].Delta
		choice.reasoning.WriteString(delta.Reasoning)
		choice.details = append(choice.details, delta.ReasoningDetails...)
		setOnce(&choice.native, more.Choices[i].NativeFinishReason)
	}
}

func (c *assembledChoice) add(part *openai.ChatCompletionStreamChoice) {
	delta := &part.Delta
	setOnce(&c.role, delta.Role)
	setOnce(&c.finish, string(part.FinishReason))
	c.content.WriteString(delta.Content)
	c.refusal.WriteString(delta.Refusal)
	c.thought.WriteString(delta.ReasoningContent)
	if delta.FunctionCall != nil {
		if c.function == nil {
			c.function = &assembledCall{}
		}
		c.function.add(delta.FunctionCall)
	}
	for i := range delta.ToolCalls {
		piece := &delta.ToolCalls[i]
		call := c.call(piece)
		setOnce(&call.id, piece.ID)
		setOnce(&call.kind, string(piece.Type))
		call.add(&piece.Function)
	}
	if l := part.Logprobs; l != nil {
		if c.logprobs == nil {
			c.logprobs = &openai.ChatCompletionStreamChoiceLogprobs{}
		}
		c.logprobs.Content = append(c.logprobs.Content, l.Content...)
		c.logprobs.Refusal = append(c.logprobs.Refusal, l.Refusal...)
	}
	if part.ContentFilterResults != (openai.ContentFilterResults{}) {
		c.filtered = part.ContentFilterResults
	}
}

// call is the tool call that a piece belongs to. Some servers number none: then an id begins another call.
func (c *assembledChoice) call(piece *openai.ToolCall) *assembledCall {
	if c.calls == nil {
		c.calls = make(map[int]*assembledCall)
	}
	switch before := c.calls[c.last]; {
	case piece.Index != nil:
		c.last = *piece.Index
	case before != nil && piece.ID != "" && piece.ID != before.id:
		c.last++
	}
	if c.calls[c.last] == nil {
		c.calls[c.last] = &assembledCall{}
	}
	return c.calls[c.last]
}

func (c *assembledCall) add(piece *openai.FunctionCall) {
	setOnce(&c.name, piece.Name)
	c.arguments.WriteString(piece.Arguments)
}

// encode is the answer's JSON. What the meter has read is taken from the receipt of the attempt, the last one.
func (a *assembly) encode(receipts []Receipt) ([]byte, error) {
	var r Receipt
	if len(receipts) > 0 {
		r = receipts[len(receipts)-1]
	}
	choices := make([]choiceJSON, 0, len(a.choices))
	for _, index := range slices.Sorted(maps.Keys(a.choices)) {
		choices = append(choices, a.choices[index].json(index))
	}
	return json.Marshal(answerJSON{
		ID: a.id, Object: "chat.completion", Created: a.created, Model: a.model, Provider: r.Upstream, Choices: choices,
		Usage: r.RawUsage, ServiceTier: r.ServiceTier, SystemFingerprint: a.fingerprint, PromptFilterResults: a.filtered,
	})
}

func (c *assembledChoice) json(index int) choiceJSON {
	out := choiceJSON{
		Index: index, FinishReason: orNull(c.finish), NativeFinishReason: c.native, Logprobs: c.logprobs,
		Message: messageJSON{
			Role: c.role, Content: orNull(c.content.String()), Refusal: c.refusal.String(), ReasoningContent: c.thought.String(),
			Reasoning: c.reasoning.String(), ReasoningDetails: c.details,
		},
	}
	setOnce(&out.Message.Role, openai.ChatMessageRoleAssistant)
	if c.filtered != (openai.ContentFilterResults{}) {
		out.ContentFilterResults = &c.filtered
	}
	if c.function != nil {
		out.Message.FunctionCall = &openai.FunctionCall{Name: c.function.name, Arguments: c.function.arguments.String()}
	}
	for _, i := range slices.Sorted(maps.Keys(c.calls)) {
		call := c.calls[i]
		out.Message.ToolCalls = append(out.Message.ToolCalls, openai.ToolCall{
			ID: call.id, Type: openai.ToolType(call.kind),
			Function: openai.FunctionCall{Name: call.name, Arguments: call.arguments.String()},
		})
	}
	return out
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// answerJSON is an answer on the wire. go-openai's types do not encode all that they decode.
type answerJSON struct {
	ID                  string                      `json:"id"`
	Object              string                      `json:"object"`
	Created             int64                       `json:"created"`
	Model               string                      `json:"model"`
	Provider            string                      `json:"provider,omitempty"`
	Choices             []choiceJSON                `json:"choices"`
	Usage               json.RawMessage             `json:"usage,omitempty"`
	ServiceTier         string                      `json:"service_tier,omitempty"`
	SystemFingerprint   string                      `json:"system_fingerprint,omitempty"`
	PromptFilterResults []openai.PromptFilterResult `json:"prompt_filter_results,omitempty"`
}

type choiceJSON struct {
	Index                int                                        `json:"index"`
	Message              messageJSON                                `json:"message"`
	Logprobs             *openai.ChatCompletionStreamChoiceLogprobs `json:"logprobs,omitempty"`
	FinishReason         *string                                    `json:"finish_reason"`
	NativeFinishReason   string                                     `json:"native_finish_reason,omitempty"`
	ContentFilterResults *openai.ContentFilterResults               `json:"content_filter_results,omitempty"`
}

type messageJSON struct {
	Role             string               `json:"role"`
	Content          *string              `json:"content"`
	Refusal          string               `json:"refusal,omitempty"`
	ReasoningContent string               `json:"reasoning_content,omitempty"`
	Reasoning        string               `json:"reasoning,omitempty"`
	ReasoningDetails []json.RawMessage    `json:"reasoning_details,omitempty"`
	FunctionCall     *openai.FunctionCall `json:"function_call,omitempty"`
	ToolCalls        []openai.ToolCall    `json:"tool_calls,omitempty"`
}
