package anthropic

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
	wantStop
	wantUsage
	wantError
	wantText // and all that follow count text
)

// Limits of what is kept of a body, in bytes.
const (
	maxName  = 4 << 10
	maxError = 64 << 10
)

var bodyWants = [...]jsonwalk.Want{
	wantID:       {Path: "id", Limit: maxName},
	wantModel:    {Path: "model", Limit: maxName},
	wantProvider: {Path: "provider", Limit: maxName},
	wantStop:     {Path: "stop_reason", Limit: maxName},
	wantUsage:    {Path: "usage", Limit: usage.MaxBytes},
	wantError:    {Path: "error", Limit: maxError},
	wantText:     {Path: "content[].text"},
	{Path: "content[].thinking"},
	{Path: "completion"}, // of the older text completions
}

var bodyPlan = jsonwalk.MustPlan(bodyWants[:]...)

func newBodyReader() *bodyReader { return &bodyReader{scanner: bodyPlan.NewScanner()} }

// bodyReader reads an answer that is one JSON value.
type bodyReader struct {
	scanner *jsonwalk.Scanner
	answer  wire.Answer
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
	return &b.answer
}

func (b *bodyReader) collect() {
	a := &b.answer
	*a = wire.Answer{}
	b.text(wantID, &a.ID)
	b.text(wantModel, &a.Model)
	b.text(wantProvider, &a.Provider)
	b.text(wantStop, &a.FinishReason)
	if raw, found, _ := b.scanner.Value(wantUsage); found {
		var t tally
		r := jsonwalk.NewReader(raw)
		t.read(&r)
		t.tell(a)
		a.RawUsage = append(a.RawUsage[:0], raw...)
	}
	if raw, found, over := b.scanner.Value(wantError); over {
		failure.Into(a, []byte(`"an error too large to be read"`))
	} else if found {
		failure.Into(a, raw)
	}
	a.TextBytes = 0
	for want := wantText; want < len(bodyWants); want++ {
		a.TextBytes += b.scanner.Counted(want)
	}
	a.Done = b.scanner.Complete()
}

func (b *bodyReader) text(want int, dst *string) {
	if raw, found, _ := b.scanner.Value(want); found {
		r := jsonwalk.NewReader(raw)
		r.TextInto(dst)
	}
}
