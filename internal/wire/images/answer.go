package images

import (
	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/failure"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// What a body is searched for; the places in bodyPlan.
const (
	wantModel = iota
	wantUsage
	wantError
	wantImage
	wantSize
	wantQuality
)

var bodyPlan = jsonwalk.MustPlan(
	jsonwalk.Want{Path: "model", Limit: 4 << 10},
	jsonwalk.Want{Path: "usage", Limit: usage.MaxBytes},
	jsonwalk.Want{Path: "error", Limit: 64 << 10},
	jsonwalk.Want{Path: "data[]", Limit: 1}, // is counted, not kept
	jsonwalk.Want{Path: "size", Limit: 4 << 10},
	jsonwalk.Want{Path: "quality", Limit: 4 << 10},
)

// drawn gathers what an answer says.
type drawn struct {
	of            *wire.Request
	images        int64
	size, quality string
}

// bodyReader reads an answer that is one JSON value.
type bodyReader struct {
	scanner *jsonwalk.Scanner
	drawn   drawn
	read    wire.Answer // what has passed
	answer  wire.Answer // and what that comes to
}

func newBodyReader(of *wire.Request) *bodyReader {
	b := &bodyReader{scanner: bodyPlan.NewScanner(), drawn: drawn{of: of}}
	b.scanner.OnValue = b.value
	return b
}

// Write implements [wire.Reader].
func (b *bodyReader) Write(p []byte) { b.scanner.Write(p) }

func (b *bodyReader) value(want int, raw []byte) {
	if want == wantImage {
		b.drawn.images++
	}
	if raw == nil {
		return
	}
	r := jsonwalk.NewReader(raw)
	switch want {
	case wantModel:
		r.TextInto(&b.read.Model)
	case wantUsage:
		b.drawn.usage(&b.read, raw)
	case wantError:
		failure.Into(&b.read, raw)
	case wantSize:
		r.TextInto(&b.drawn.size)
	case wantQuality:
		r.TextInto(&b.drawn.quality)
	}
}

// Answer implements [wire.Reader].
func (b *bodyReader) Answer() *wire.Answer {
	b.answer = b.read
	b.answer.Done = b.scanner.Complete()
	if b.answer.Done {
		b.drawn.tell(&b.answer)
	}
	return &b.answer
}

// usage takes a usage object: tokens, or only what was charged.
func (d *drawn) usage(a *wire.Answer, raw []byte) {
	read, ok := usage.Read(raw)
	if ok {
		read.Tell(a)
		if u := &a.Usage; u.ImageOutput == 0 { // without details all of it is
			u.ImageOutput, u.Output = u.Output, 0
		}
		return
	}
	if r := jsonwalk.NewReader(raw); r.Object() {
		var costs usage.Costs
		for r.Member() {
			costs.Member(&r)
		}
		if costs.Tell(a); a.Reported.Literal != "" {
			a.RawUsage = append(a.RawUsage[:0], raw...)
		}
	}
}

// tell counts the images where no tokens were: as many as came, of the size and the quality that were asked for.
func (d *drawn) tell(a *wire.Answer) {
	if a.UsageSeen && a.Usage.Units == nil || a.Err != nil || d.images == 0 {
		return
	}
	a.UsageSeen = true
	a.Usage.Requests = 1
	size, quality := d.size, d.quality
	if size != "" {
		a.Usage.Units = map[string]int64{unit(d.of.Model, size, quality): d.images}
		return
	}
	a.Usage.Units = make(map[string]int64, 1)
	for name := range d.of.Units {
		a.Usage.Units[name] = d.images
	}
	if len(d.of.Units) == 0 {
		a.Usage.Units[wire.UnitImage] = d.images
	}
}

// streamReader reads an answer that comes in events: pictures that are not finished, then those that are, each with its usage.
type streamReader struct {
	of       *wire.Request
	answer   wire.Answer
	finished int // pictures
}

// Answer implements [wire.StreamReader].
func (s *streamReader) Answer() *wire.Answer { return &s.answer }

// Event implements [wire.StreamReader].
func (s *streamReader) Event(name, data []byte) (usageOnly bool) {
	a := &s.answer
	kind := string(name)
	r := jsonwalk.NewReader(data)
	for r.Object(); r.Member(); {
		switch string(r.Key()) {
		case "type":
			r.TextInto(&kind)
		case "usage":
			s.usage(r.Raw())
		case "error":
			failure.Into(a, r.Raw())
		}
	}
	switch kind {
	case "image_generation.completed", "image_edit.completed":
		s.finished++
		a.Done = s.finished >= max(s.of.Choices, 1)
	case "error":
		failure.Into(a, data)
	}
	return false
}

// usage takes the usage of one picture; those of several add up.
func (s *streamReader) usage(raw []byte) {
	before := s.answer.Usage
	d := drawn{of: s.of}
	d.usage(&s.answer, raw)
	u := &s.answer.Usage
	u.Input += before.Input
	u.ImageInput += before.ImageInput
	u.CacheRead += before.CacheRead
	u.Output += before.Output
	u.ImageOutput += before.ImageOutput
}
