package responses

import (
	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/failure"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// What a body is searched for; the places in bodyPlan.
const (
	wantID = iota
	wantModel
	wantProvider
	wantStatus
	wantReason
	wantTier
	wantUsage
	wantToolUsage
	wantError
	wantItem
	wantAction
	wantContainer
	wantImageModel
	wantText // and all that follow count text
)

// Limits of what is kept of a body, in bytes.
const (
	maxName  = 4 << 10
	maxError = 64 << 10
)

var bodyWants = [...]jsonwalk.Want{
	wantID:         {Path: "id", Limit: maxName},
	wantModel:      {Path: "model", Limit: maxName},
	wantProvider:   {Path: "provider", Limit: maxName},
	wantStatus:     {Path: "status", Limit: maxName},
	wantReason:     {Path: "incomplete_details.reason", Limit: maxName},
	wantTier:       {Path: "service_tier", Limit: maxName},
	wantUsage:      {Path: "usage", Limit: usage.MaxBytes},
	wantToolUsage:  {Path: "tool_usage", Limit: usage.MaxBytes},
	wantError:      {Path: "error", Limit: maxError},
	wantItem:       {Path: "output[].type", Limit: maxName},
	wantAction:     {Path: "output[].action.type", Limit: maxName},
	wantContainer:  {Path: "output[].container_id", Limit: maxName},
	wantImageModel: {Path: "tools[].model", Limit: maxName},
	wantText:       {Path: "output[].content[].text"},
	{Path: "output[].content[].refusal"},
	{Path: "output[].summary[].text"},
	{Path: "output[].arguments"},
	{Path: "output[].input"},
}

var bodyPlan = jsonwalk.MustPlan(bodyWants[:]...)

// bodyReader reads an answer that is one JSON value.
type bodyReader struct {
	scanner  *jsonwalk.Scanner
	response response
	read     wire.Answer // what has passed, but for what the response comes to
	answer   wire.Answer
	fresh    bool // nothing was written since the answer was put together
}

func newBodyReader() *bodyReader {
	b := &bodyReader{scanner: bodyPlan.NewScanner()}
	b.scanner.OnValue = b.value
	return b
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
	return &b.answer
}

// value takes a value as soon as it has passed: of the output there are many.
func (b *bodyReader) value(want int, raw []byte) {
	if raw == nil {
		if want == wantError {
			failure.Into(&b.read, []byte(`"an error too large to be read"`))
		}
		return
	}
	r := jsonwalk.NewReader(raw)
	a, o := &b.read, &b.response
	var text string
	switch want {
	case wantID:
		r.TextInto(&a.ID)
	case wantModel:
		r.TextInto(&a.Model)
	case wantProvider:
		r.TextInto(&a.Provider)
	case wantStatus:
		r.TextInto(&o.status)
	case wantReason:
		r.TextInto(&o.reason)
	case wantTier:
		r.TextInto(&o.tier)
	case wantUsage:
		if r.Kind() == jsonwalk.Object {
			o.usage = append([]byte(nil), raw...)
		}
	case wantToolUsage:
		o.toolUsage(&r)
	case wantError:
		failure.Into(a, raw)
	case wantItem:
		r.TextInto(&text)
		o.work.itemType(text)
	case wantAction:
		r.TextInto(&text)
		o.work.action(text)
	case wantContainer:
		r.TextInto(&text)
		o.work.container(text)
	case wantImageModel:
		r.TextInto(&o.imageBy)
	}
}

// collect puts together what has passed so far.
func (b *bodyReader) collect() {
	b.answer = b.read
	a := &b.answer
	b.response.tell(a)
	a.TextBytes = 0
	for want := wantText; want < len(bodyWants); want++ {
		a.TextBytes += b.scanner.Counted(want)
	}
	a.Done = b.scanner.Complete()
}
