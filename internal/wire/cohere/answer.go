package cohere

import (
	"bytes"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/document"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// What an answer, or an event of a stream, is searched for; the places in the plan. The usage stands in one of several
// places, each of which has one for the reason to finish beside it.
const (
	wantID = iota
	wantGenerationID
	wantMeta
	wantUsage
	wantLastMeta
	wantLastUsage
	wantFinish
	wantGenerated
	wantLastFinish
	wantError
	wantErrorType
	wantText // and all that follow count text
)

var plan = document.MustPlan(wantText,
	jsonwalk.Want{Path: "id", Limit: document.MaxName},
	jsonwalk.Want{Path: "generation_id", Limit: document.MaxName},
	jsonwalk.Want{Path: "meta", Limit: usage.MaxBytes},          // version 1, embeddings of both
	jsonwalk.Want{Path: "usage", Limit: usage.MaxBytes},         // version 2
	jsonwalk.Want{Path: "response.meta", Limit: usage.MaxBytes}, // the last line of a stream of version 1
	jsonwalk.Want{Path: "delta.usage", Limit: usage.MaxBytes},   // the last event of a stream of version 2
	jsonwalk.Want{Path: "finish_reason", Limit: document.MaxName},
	jsonwalk.Want{Path: "generations[0].finish_reason", Limit: document.MaxName},
	jsonwalk.Want{Path: "delta.finish_reason", Limit: document.MaxName},
	jsonwalk.Want{Path: "delta.error", Limit: document.MaxError},
	jsonwalk.Want{Path: "delta.error_type", Limit: document.MaxName},
	jsonwalk.Want{Path: "text"},
	jsonwalk.Want{Path: "generations[].text"},
	jsonwalk.Want{Path: "tool_calls[].parameters", Limit: jsonwalk.CountRaw},
	jsonwalk.Want{Path: "message.tool_plan"},
	jsonwalk.Want{Path: "message.content[].text"},
	jsonwalk.Want{Path: "message.content[].thinking"},
	jsonwalk.Want{Path: "message.tool_calls[].function.arguments"},
	jsonwalk.Want{Path: "delta.message.tool_plan"},
	jsonwalk.Want{Path: "delta.message.content.text"},
	jsonwalk.Want{Path: "delta.message.content.thinking"},
	jsonwalk.Want{Path: "delta.message.tool_calls.function.arguments"},
)

// NewBodyReader implements [wire.Format].
func (Format) NewBodyReader(*wire.Request) wire.Reader { return document.NewBody(plan, &answer{}) }

// NewStreamReader implements [wire.Format].
func (Format) NewStreamReader(*wire.Request) wire.StreamReader {
	return &stream{*document.NewStream(plan, &answer{})}
}

// stream reads events of version 2 or lines of version 1. Either ends in one that gives the reason to finish.
type stream struct{ document.Stream }

// Event implements [wire.StreamReader].
func (s *stream) Event(name, data []byte) (usageOnly bool) {
	if string(data) != "[DONE]" {
		s.Stream.Event(name, data)
	}
	a := s.Answer()
	a.Done = a.Done || a.FinishReason != "" || string(data) == "[DONE]"
	return false
}

// answer gathers what an answer says, for bodies and streams alike.
type answer struct{ wire.Answer }

// Result implements [document.Reading].
func (a *answer) Result() *wire.Answer { return &a.Answer }

// Collect implements [document.Reading].
func (a *answer) Collect(found document.Found) {
	found.Text(wantGenerationID, &a.ID)
	found.Text(wantID, &a.ID)
	for _, want := range [...]int{wantGenerated, wantFinish, wantLastFinish} {
		found.Text(want, &a.FinishReason)
	}
	for _, want := range [...]int{wantMeta, wantUsage, wantLastMeta, wantLastUsage} {
		if raw, ok := found.Value(want); ok {
			a.usage(raw)
		}
	}
	if found.Fail(wantError, &a.Answer); a.Err != nil {
		found.Text(wantErrorType, &a.Err.Type)
	}
}

func (a *answer) usage(raw []byte) {
	if bytes.Equal(raw, a.RawUsage) {
		return
	}
	counted, ok := ReadUsage(raw)
	if !ok {
		return
	}
	a.RawUsage = append(a.RawUsage[:0], raw...)
	a.UsageSeen = true
	a.Usage, a.Contradictory = counted.Usage()
}
