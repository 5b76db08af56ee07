// Package document reads answers that are one JSON document, and streams whose events are documents of the same kind,
// with one plan of what to look for in both.
package document

import (
	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/failure"
)

// Limits of what is kept of a document, in bytes.
const (
	MaxName  = 4 << 10
	MaxError = 64 << 10
)

// Plan is what is looked for in a document.
type Plan struct {
	wants *jsonwalk.Plan
	text  int // the first want that counts text of the model's
	end   int
}

// MustPlan makes a plan; the wants from text on count text that the model made. It panics where a path is malformed:
// paths are part of the program.
func MustPlan(text int, wants ...jsonwalk.Want) *Plan {
	return &Plan{wants: jsonwalk.MustPlan(wants...), text: text, end: len(wants)}
}

// Reading takes what is found in documents.
type Reading interface {
	// Collect takes what one document says. Of a document that is still coming it may be called several times, with more
	// in it each time.
	Collect(found Found)
	// Result is what has been read. Its TextBytes, and the Done of a body, are filled in by this package.
	Result() *wire.Answer
}

// Found is what was found in a document, wants being named by their place in the plan.
type Found struct{ scanner *jsonwalk.Scanner }

// Value returns a value as it is written; false where there is none, or one that is too long.
func (f Found) Value(want int) (raw []byte, ok bool) {
	raw, ok, _ = f.scanner.Value(want)
	return raw, ok
}

// Counted is what a counting want has counted.
func (f Found) Counted(want int) int64 { return f.scanner.Counted(want) }

// Text sets dst to a string, or to a number as it is written. Where there is neither, or an empty string, dst stays.
func (f Found) Text(want int, dst *string) {
	raw, ok := f.Value(want)
	if !ok {
		return
	}
	r := jsonwalk.NewReader(raw)
	text, escaped, ok := r.Text()
	if !ok && jsonwalk.IsNumber(raw) {
		text = raw
	}
	if escaped {
		text = jsonwalk.AppendDecoded(nil, text)
	}
	if len(text) > 0 && *dst != string(text) {
		*dst = string(text)
	}
}

// Fail notes the error that a value is, unless one was noted before or the value says that there is none.
func (f Found) Fail(want int, a *wire.Answer) {
	raw, ok, over := f.scanner.Value(want)
	switch {
	case a.Err != nil:
	case over:
		a.Err = &wire.Error{Message: "an error too large to be read"}
	case ok && !failure.IsNothing(raw):
		e := failure.Of(raw)
		a.Err = &e
	}
}

func (p *Plan) counted(s *jsonwalk.Scanner) (n int64) {
	for want := p.text; want < p.end; want++ {
		n += s.Counted(want)
	}
	return n
}

// Body reads an answer that is one document. It implements [wire.Reader].
type Body struct {
	plan    *Plan
	scanner *jsonwalk.Scanner
	reading Reading
	fresh   bool // nothing was written since what was found was collected
}

// NewBody returns a reader of one document.
func NewBody(plan *Plan, reading Reading) *Body {
	return &Body{plan: plan, scanner: plan.wants.NewScanner(), reading: reading}
}

// Write implements [wire.Reader].
func (b *Body) Write(p []byte) {
	b.scanner.Write(p)
	b.fresh = false
}

// Answer implements [wire.Reader].
func (b *Body) Answer() *wire.Answer {
	a := b.reading.Result()
	if !b.fresh {
		b.fresh = true
		b.reading.Collect(Found{b.scanner})
		a.TextBytes = b.plan.counted(b.scanner)
		a.Done = b.scanner.Complete()
	}
	return a
}

// Stream reads events that are documents. It implements [wire.StreamReader].
type Stream struct {
	plan    *Plan
	scanner *jsonwalk.Scanner
	reading Reading
}

// NewStream returns a reader of events.
func NewStream(plan *Plan, reading Reading) *Stream {
	return &Stream{plan: plan, scanner: plan.wants.NewScanner(), reading: reading}
}

// Event implements [wire.StreamReader]: no event is usage only, since nobody has to ask these providers for usage. What is
// no document changes nothing beyond what was readable in it.
func (s *Stream) Event(_, data []byte) (usageOnly bool) {
	s.scanner.Reset()
	s.scanner.Write(data)
	s.reading.Collect(Found{s.scanner})
	s.reading.Result().TextBytes += s.plan.counted(s.scanner)
	return false
}

// Answer implements [wire.StreamReader].
func (s *Stream) Answer() *wire.Answer { return s.reading.Result() }
