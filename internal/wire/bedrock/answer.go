package bedrock

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/anthropic"
	"github.com/farebox-go/farebox/internal/wire/document"
	"github.com/farebox-go/farebox/internal/wire/failure"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// What an answer, or the payload of an event, is searched for; the places in the plan.
const (
	wantID = iota
	wantModel
	wantRouted
	wantUsage
	wantMetadataUsage
	wantMetrics
	wantTier
	wantLatency
	wantMetadataLatency
	wantTitanInput
	wantTitanOutput
	wantTitanResults
	wantLlamaInput
	wantLlamaOutput
	wantImages
	wantResults
	wantGuardrail
	wantFirstFinish // and all up to wantText are reasons to finish
)

var finishes = [...]string{
	"stopReason", "messageStop.stopReason", "results[0].completionReason", "completionReason", "outputs[0].stop_reason",
	"generations[0].finish_reason", "response.finish_reason", "choices[0].finish_reason", "finish_reason", "stop_reason",
}

const wantText = wantFirstFinish + len(finishes) // and all that follow count text

var texts = [...]string{
	"output.message.content[].text", "output.message.content[].reasoningContent.reasoningText.text",
	"delta.text", "delta.toolUse.input", "delta.reasoningContent.text",
	"contentBlockDelta.delta.text", "contentBlockDelta.delta.toolUse.input", "contentBlockDelta.delta.reasoningContent.text",
	"results[].outputText", "outputText", "generation", "outputs[].text", "completion", "generations[].text", "text",
	"choices[].message.content", "choices[].message.reasoning_content", "choices[].message.tool_calls[].function.arguments",
	"choices[].text", "choices[].delta.content", "choices[].delta.reasoning_content",
}

var plan = func() *document.Plan {
	wants := []jsonwalk.Want{
		wantID:              {Path: "id", Limit: document.MaxName},
		wantModel:           {Path: "model", Limit: document.MaxName},
		wantRouted:          {Path: "trace.promptRouter.invokedModelId", Limit: document.MaxName},
		wantUsage:           {Path: "usage", Limit: usage.MaxBytes},
		wantMetadataUsage:   {Path: "metadata.usage", Limit: usage.MaxBytes},
		wantMetrics:         {Path: "amazon-bedrock-invocationMetrics", Limit: usage.MaxBytes},
		wantTier:            {Path: "serviceTier.type", Limit: document.MaxName},
		wantLatency:         {Path: "performanceConfig.latency", Limit: document.MaxName},
		wantMetadataLatency: {Path: "metadata.performanceConfig.latency", Limit: document.MaxName},
		wantTitanInput:      {Path: "inputTextTokenCount", Limit: jsonwalk.SumNumbers},
		wantTitanOutput:     {Path: "totalOutputTextTokenCount", Limit: jsonwalk.SumNumbers},
		wantTitanResults:    {Path: "results[].tokenCount", Limit: jsonwalk.SumNumbers},
		wantLlamaInput:      {Path: "prompt_token_count", Limit: jsonwalk.SumNumbers},
		wantLlamaOutput:     {Path: "generation_token_count", Limit: jsonwalk.SumNumbers},
		wantImages:          {Path: "images[]", Limit: jsonwalk.CountValues},
		wantResults:         {Path: "results[].relevance_score", Limit: jsonwalk.CountValues},
		wantGuardrail:       {Path: "amazon-bedrock-guardrailAction", Limit: document.MaxName},
	}
	for _, path := range finishes {
		wants = append(wants, jsonwalk.Want{Path: path, Limit: document.MaxName})
	}
	for _, path := range texts {
		wants = append(wants, jsonwalk.Want{Path: path})
	}
	wants = append(wants, jsonwalk.Want{Path: "output.message.content[].toolUse.input", Limit: jsonwalk.CountRaw})
	return document.MustPlan(wantText, wants...)
}()

// rank is where a usage was found. A later one counts unless an earlier one stood in a better place.
type rank uint8

const (
	nowhere     rank = iota
	byMaker          // counts that stand alone in a maker's answer
	inMetrics        // what Bedrock adds to the last event of an invocation
	inItsObject      // a usage object
)

// answer gathers what an answer says, for bodies and streams alike.
type answer struct {
	wire.Answer
	of   *wire.Request
	rank rank
	made [len(makersCounts)]int64
}

// Result implements [document.Reading].
func (a *answer) Result() *wire.Answer { return &a.Answer }

// Collect implements [document.Reading].
func (a *answer) Collect(found document.Found) {
	found.Text(wantID, &a.ID)
	found.Text(wantModel, &a.Model)
	if _, routed := found.Value(wantRouted); routed {
		found.Text(wantRouted, &a.Model)
		a.Model = idOf(a.Model)
	}
	if action, _ := found.Value(wantGuardrail); string(action) == `"INTERVENED"` {
		a.FinishReason = "guardrail_intervened" // as converse has it
	}
	for want := wantFirstFinish; want < wantText; want++ {
		found.Text(want, &a.FinishReason)
	}
	found.Text(wantTier, &a.ServiceTier)
	found.Text(wantLatency, &a.Speed) // "standard" too: what was asked for need not have served
	found.Text(wantMetadataLatency, &a.Speed)
	a.byMaker(found)
	a.object(found, wantMetrics, inMetrics)
	a.object(found, wantMetadataUsage, inItsObject)
	a.object(found, wantUsage, inItsObject)
}

// object reads a usage object: Bedrock's own, or in the words of OpenAI or Anthropic.
func (a *answer) object(found document.Found, want int, at rank) {
	raw, ok := found.Value(want)
	if !ok || at < a.rank || at == a.rank && bytes.Equal(raw, a.RawUsage) {
		return
	}
	var c counts
	if c.read(raw) {
		c.tell(&a.Answer)
	} else if object, ok := usage.Read(raw); ok {
		object.Tell(&a.Answer)
	} else {
		return
	}
	a.rank = at
	a.RawUsage = append(a.RawUsage[:0], raw...)
}

// makersCounts are the counts that stand alone in the answers of Titan and Llama.
var makersCounts = [...]struct {
	want   int
	name   string
	output bool
}{
	{wantTitanInput, "inputTextTokenCount", false}, {wantLlamaInput, "prompt_token_count", false},
	{wantTitanOutput, "totalOutputTextTokenCount", true}, {wantTitanResults, "tokenCount", true}, {wantLlamaOutput, "generation_token_count", true},
}

// byMaker reads the counts of Titan and Llama, and what is charged by the piece.
func (a *answer) byMaker(found document.Found) {
	if a.rank > byMaker {
		return
	}
	for i, count := range makersCounts {
		if n := found.Counted(count.want); n > 0 && n <= usage.MaxCount {
			a.made[i] = n // the latest: a stream counts up
		}
	}
	var c counts
	var stated [len(makersCounts)]usage.Named
	for i, count := range makersCounts {
		stated[i] = usage.Named{Name: count.name, Count: a.made[i]}
		c.stated = c.stated || a.made[i] > 0
		if count.output {
			c.output = max(c.output, a.made[i])
		} else {
			c.input = max(c.input, a.made[i])
		}
	}
	if c.stated {
		c.tell(&a.Answer)
		a.rank = byMaker
		a.RawUsage = usage.Gather(a.RawUsage, stated[:]...)
	}
	switch a.of.Operation {
	case wire.ImageGeneration:
		a.pieces(wire.UnitImage, found.Counted(wantImages))
	case wire.Rerank:
		if found.Counted(wantResults) > 0 {
			a.pieces(wire.UnitSearchUnit, a.of.Units[wire.UnitSearchUnit])
		}
	}
}

func (a *answer) pieces(name string, n int64) {
	if n > 0 {
		a.UsageSeen = true
		a.Usage = wire.Usage{Requests: 1, Units: map[string]int64{name: n}}
		a.RawUsage = usage.Gather(a.RawUsage, usage.Named{Name: name, Count: n})
	}
}

// isClaude says whether a model answers an invocation in Anthropic's own format.
func isClaude(of *wire.Request) bool {
	return of.Operation == wire.GenerateContent && strings.Contains(of.Model, "anthropic.")
}

// NewBodyReader implements [wire.Format].
func (Format) NewBodyReader(of *wire.Request) wire.Reader {
	own := document.NewBody(plan, &answer{of: of})
	if !isClaude(of) {
		return own
	}
	return &claudeBody{Body: own, claude: anthropic.Format{}.NewBodyReader(asChat(of))}
}

func asChat(of *wire.Request) *wire.Request {
	chat := *of
	chat.Operation = wire.Chat
	return &chat
}

// claudeBody reads an answer of Claude's, which may be of before its messages.
type claudeBody struct {
	*document.Body
	claude wire.Reader
}

// Write implements [wire.Reader].
func (b *claudeBody) Write(p []byte) {
	b.Body.Write(p)
	b.claude.Write(p)
}

// Answer implements [wire.Reader].
func (b *claudeBody) Answer() *wire.Answer {
	if a := b.claude.Answer(); a.UsageSeen || a.Err != nil {
		return a
	}
	return b.Body.Answer()
}

// NewStreamReader implements [wire.Format].
func (Format) NewStreamReader(of *wire.Request) wire.StreamReader {
	s := &stream{Stream: *document.NewStream(plan, &answer{of: of})}
	if isClaude(of) {
		s.claude = anthropic.Format{}.NewStreamReader(asChat(of))
	}
	return s
}

// stream reads the messages of an AWS event stream: those of converse, or the chunks that hold what a maker's own
// stream would.
type stream struct {
	document.Stream
	claude  wire.StreamReader // nil: another maker's
	payload []byte
}

// Event implements [wire.StreamReader].
func (s *stream) Event(name, data []byte) (usageOnly bool) {
	if kind, failed := bytes.CutPrefix(name, []byte("error:")); failed {
		s.fail(string(kind), data)
		return false
	}
	a := s.Stream.Answer()
	if string(name) != "chunk" { // of converse
		s.Stream.Event(name, data)
		a.Done = a.Done || string(name) == "metadata"
		return false
	}
	if payload, ok := s.unwrap(data); ok {
		data = payload
		if s.claude != nil {
			s.claude.Event(nil, data)
		}
	}
	s.Stream.Event(name, data)
	a.Done = a.Done || bytes.Contains(data, []byte(`"amazon-bedrock-invocationMetrics"`))
	return false
}

// unwrap decodes the payload of a chunk; ok is false where the data is no chunk.
func (s *stream) unwrap(data []byte) (payload []byte, ok bool) {
	r := jsonwalk.NewReader(data)
	if !r.Object() {
		return nil, false
	}
	for r.Member() {
		if string(r.Key()) != "bytes" {
			continue
		}
		text, escaped, isText := r.Text()
		if escaped {
			text = jsonwalk.AppendDecoded(nil, text)
		}
		if need := base64.StdEncoding.DecodedLen(len(text)); cap(s.payload) < need {
			s.payload = make([]byte, need+need/2)
		}
		n, err := base64.StdEncoding.Decode(s.payload[:cap(s.payload)], text)
		return s.payload[:n], isText && err == nil
	}
	return nil, false
}

// fail notes an error that broke the stream off. Its kind is its type.
func (s *stream) fail(kind string, data []byte) {
	if a := s.Stream.Answer(); a.Err == nil {
		e := failure.Read(0, data)
		e.Type = kind
		a.Err = &e
	}
}

// Answer implements [wire.StreamReader].
func (s *stream) Answer() *wire.Answer {
	own := s.Stream.Answer()
	if s.claude == nil {
		return own
	}
	a := s.claude.Answer()
	if !a.UsageSeen {
		return own
	}
	if a.Done = a.Done || own.Done; own.Err != nil {
		a.Err = own.Err
	}
	return a
}
