package openai

import (
	"bytes"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/failure"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// What a body is searched for; the places in bodyWants.
const (
	wantID = iota
	wantModel
	wantProvider
	wantTier
	wantFingerprint
	wantFinish
	wantUsage
	wantGroqUsage
	wantChoiceUsage
	wantError
	wantChoiceError
	wantObject
	wantMessage
	wantCode
	wantType
	wantReasoning
	wantReasoningContent
	wantContent // and all that follow count text that is stated once
)

// Limits of what is kept of a body, in bytes.
const (
	maxName  = 4 << 10
	maxError = 64 << 10
)

var bodyWants = [...]jsonwalk.Want{
	wantID:               {Path: "id", Limit: maxName},
	wantModel:            {Path: "model", Limit: maxName},
	wantProvider:         {Path: "provider", Limit: maxName},
	wantTier:             {Path: "service_tier", Limit: maxName},
	wantFingerprint:      {Path: "system_fingerprint", Limit: maxName},
	wantFinish:           {Path: "choices[0].finish_reason", Limit: maxName},
	wantUsage:            {Path: "usage", Limit: usage.MaxBytes},
	wantGroqUsage:        {Path: "x_groq.usage", Limit: usage.MaxBytes},
	wantChoiceUsage:      {Path: "choices[0].usage", Limit: usage.MaxBytes},
	wantError:            {Path: "error", Limit: maxError},
	wantChoiceError:      {Path: "choices[0].error", Limit: maxError},
	wantObject:           {Path: "object", Limit: maxName},
	wantMessage:          {Path: "message", Limit: maxError},
	wantCode:             {Path: "code", Limit: maxName},
	wantType:             {Path: "type", Limit: maxName},
	wantReasoning:        {Path: "choices[].message.reasoning"},
	wantReasoningContent: {Path: "choices[].message.reasoning_content"},
	wantContent:          {Path: "choices[].message.content"},
	{Path: "choices[].message.content[].text"},
	{Path: "choices[].message.content[].thinking"},
	{Path: "choices[].message.content[].thinking[].text"},
	{Path: "choices[].message.refusal"},
	{Path: "choices[].message.tool_calls[].function.arguments"},
	{Path: "choices[].message.function_call.arguments"},
	{Path: "choices[].text"},
}

var bodyPlan = jsonwalk.MustPlan(bodyWants[:]...)

// NewBodyReader implements [wire.Format].
func (Format) NewBodyReader(*wire.Request) wire.Reader {
	b := new(bodyReader)
	b.scanner.Plan(bodyPlan)
	return b
}

// bodyReader reads an answer that is one JSON value.
type bodyReader struct {
	scanner jsonwalk.Scanner
	answer  answer
	fresh   bool // nothing was written since the answer was put together
}

// Write implements [wire.Reader].
func (b *bodyReader) Write(p []byte) {
	b.scanner.Write(p)
	b.fresh = false
}

// Answer implements [wire.Reader].
func (b *bodyReader) Answer() *wire.Answer {
	if !b.fresh {
		b.collect()
		b.fresh = true
	}
	return &b.answer.Answer
}

// collect puts together what the scanner has found so far.
func (b *bodyReader) collect() {
	a := &b.answer
	b.text(wantID, &a.ID)
	b.text(wantModel, &a.Model)
	b.text(wantProvider, &a.Provider)
	b.text(wantFinish, &a.FinishReason)
	b.text(wantFingerprint, &a.SystemFingerprint)
	b.text(wantTier, &a.ServiceTier)
	a.topTier = a.ServiceTier != ""
	b.usage(wantChoiceUsage, inChoice)
	b.usage(wantGroqUsage, inGroq)
	b.usage(wantUsage, atTheTop)
	b.fail()
	b.count()
	a.Done = b.scanner.Complete()
}

// count counts the text anew: it is counted as the body passes.
func (b *bodyReader) count() {
	n := textCount{
		reasoning: b.scanner.Counted(wantReasoning),
		alternate: b.scanner.Counted(wantReasoningContent),
	}
	for want := wantContent; want < len(bodyWants); want++ {
		n.text += b.scanner.Counted(want)
	}
	b.answer.count = textCount{}
	b.answer.add(n)
}

func (b *bodyReader) text(want int, dst *string) {
	raw, found, _ := b.scanner.Value(want)
	if !found {
		return
	}
	r := jsonwalk.NewReader(raw)
	if text, escaped, ok := r.Text(); ok {
		b.answer.setText(dst, text, escaped)
	}
}

func (b *bodyReader) usage(want int, place usagePlace) {
	if raw, found, _ := b.scanner.Value(want); found {
		b.answer.usage(raw, place)
	}
}

// fail looks for an error in a body that came with a status of success.
func (b *bodyReader) fail() {
	for _, want := range [...]int{wantError, wantChoiceError} {
		if raw, found, over := b.scanner.Value(want); over {
			b.answer.fail(wire.Error{Message: "an error too large to be read"})
		} else if found && !failure.IsNothing(raw) {
			b.answer.fail(failure.Of(raw))
		}
	}
	object, found, _ := b.scanner.Value(wantObject)
	if found && string(object) == `"error"` {
		b.answer.fail(failure.Of(b.flatError()))
	}
}

// flatError puts an error together whose members are those of the body itself.
func (b *bodyReader) flatError() []byte {
	flat := []byte{'{'}
	for _, want := range [...]int{wantMessage, wantCode, wantType} {
		if raw, found, _ := b.scanner.Value(want); found {
			flat = append(flat, `"`+bodyWants[want].Path+`":`...)
			flat = append(append(flat, raw...), ',')
		}
	}
	return append(bytes.TrimSuffix(flat, []byte{','}), '}')
}
