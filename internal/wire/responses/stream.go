package responses

import (
	"bytes"
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/failure"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// streamReader reads an answer that comes in events. The last of them carries the whole response.
type streamReader struct {
	answer wire.Answer
	deltas deltaReader
}

// Answer implements [wire.StreamReader].
func (s *streamReader) Answer() *wire.Answer { return &s.answer }

// Event implements [wire.StreamReader]. An event that is not JSON changes nothing beyond what was readable in it.
func (s *streamReader) Event(name, data []byte) (usageOnly bool) {
	if n, ok := s.deltas.length(data); ok {
		s.answer.TextBytes += n
		return false
	}
	data = bytes.TrimSpace(data)
	if string(data) == "[DONE]" {
		s.answer.Done = true
		return false
	}
	r := jsonwalk.NewReader(data)
	if !r.Object() {
		return false
	}
	e := event{r: r, kind: string(name)}
	for e.r.Member() {
		e.member(&s.answer)
	}
	if e.kind == "error" {
		failure.Into(&s.answer, data)
	}
	e.tell(&s.answer)
	return false
}

// event is one event's data while it is read.
type event struct {
	r        jsonwalk.Reader
	kind     string // what the data says that it is, else the event's name
	delta    int64
	response response
	has      bool // it carries a response
}

func (e *event) member(a *wire.Answer) {
	switch string(e.r.Key()) {
	case "type":
		e.r.TextInto(&e.kind)
	case "delta":
		e.delta, _ = e.r.TextLen()
	case "response":
		if e.r.Object() {
			e.has = true
			for e.r.Member() {
				e.response.member(&e.r, a)
			}
		}
	case "error":
		failure.Into(a, e.r.Raw())
	}
}

// tell takes what the event says. A response that has not ended states what it began with; its usage, if it has one, is not
// its last.
func (e *event) tell(a *wire.Answer) {
	switch e.kind {
	case "response.completed", "response.incomplete", "response.failed", "response.cancelled":
		a.Done = true
	}
	if e.has {
		e.response.tell(a)
	}
	if strings.HasSuffix(e.kind, ".delta") {
		a.TextBytes += e.delta
	}
}

// member reads a member of a response object.
func (o *response) member(r *jsonwalk.Reader, a *wire.Answer) {
	switch string(r.Key()) {
	case "id":
		r.TextInto(&a.ID)
	case "model":
		r.TextInto(&a.Model)
	case "provider":
		r.TextInto(&a.Provider)
	case "status":
		r.TextInto(&o.status)
	case "service_tier":
		r.TextInto(&o.tier)
	case "incomplete_details":
		o.incomplete(r)
	case "usage":
		if r.Kind() == jsonwalk.Object {
			if raw := r.Raw(); len(raw) <= usage.MaxBytes {
				o.usage = raw
			}
		}
	case "tool_usage":
		o.toolUsage(r)
	case "error":
		failure.Into(a, r.Raw())
	case "output":
		o.output(r)
	case "tools":
		o.imageTool(r)
	}
}

func (o *response) incomplete(r *jsonwalk.Reader) {
	if !r.Object() {
		return
	}
	for r.Member() {
		if string(r.Key()) == "reason" {
			r.TextInto(&o.reason)
		}
	}
}

func (o *response) output(r *jsonwalk.Reader) {
	if !r.Array() {
		return
	}
	for r.Element() {
		if !r.Object() {
			continue
		}
		for r.Member() {
			var text string
			switch string(r.Key()) {
			case "type":
				r.TextInto(&text)
				o.work.itemType(text)
			case "container_id":
				r.TextInto(&text)
				o.work.container(text)
			case "action":
				if r.Object() {
					for r.Member() {
						if string(r.Key()) == "type" {
							r.TextInto(&text)
							o.work.action(text)
						}
					}
				}
			}
		}
	}
}

func (o *response) imageTool(r *jsonwalk.Reader) {
	if !r.Array() {
		return
	}
	for r.Element() {
		if !r.Object() {
			continue
		}
		for r.Member() {
			if string(r.Key()) == "model" {
				r.TextInto(&o.imageBy)
			}
		}
	}
}
