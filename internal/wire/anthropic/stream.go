package anthropic

import (
	"bytes"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/failure"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// streamReader reads an answer that comes in events. What an event is shows in its members, whatever it is named: gateways
// leave names out.
type streamReader struct {
	answer wire.Answer
	tally  tally
	start  []byte          // the usage object that came first, as it was written
	prefix jsonwalk.Prefix // of the events that carry text
}

// Answer implements [wire.StreamReader].
func (s *streamReader) Answer() *wire.Answer { return &s.answer }

// Event implements [wire.StreamReader]. An event that is not JSON changes nothing beyond what was readable in it.
func (s *streamReader) Event(_, data []byte) (usageOnly bool) {
	if r, ok := s.prefix.Resume(data); ok {
		s.count(&r)
		s.deltaMembers(&r, data)
		s.members(&r, data)
		return false
	}
	if data = bytes.TrimSpace(data); string(data) == "[DONE]" {
		s.answer.Done = true
		return false
	}
	r := jsonwalk.NewReader(data)
	if r.Object() {
		s.members(&r, data)
	}
	return false
}

// members reads the members of an event, from where it stands in it.
func (s *streamReader) members(r *jsonwalk.Reader, data []byte) {
	a := &s.answer
	completion, stopped := false, false
	for r.Member() {
		switch string(r.Key()) {
		case "type":
			kind, _, _ := r.Text()
			a.Done = a.Done || string(kind) == "message_stop"
		case "delta":
			if r.Object() {
				s.deltaMembers(r, data)
			}
		case "message":
			s.message(r)
		case "usage":
			s.usage(r)
			s.tally.tell(a)
		case "error":
			failure.Into(a, r.Raw())
		case "completion": // of the older text completions, which also state their model and why they stop
			completion = true
			s.count(r)
		case "stop_reason":
			stopped = r.TextInto(&a.FinishReason)
		case "model":
			r.TextInto(&a.Model)
		}
	}
	if a.Done = a.Done || completion && stopped; a.Done && !a.UsageSeen {
		s.tally.tell(a)
	}
}

// deltaMembers reads the members of a delta, from where it stands in it.
func (s *streamReader) deltaMembers(r *jsonwalk.Reader, data []byte) {
	for r.Member() {
		switch string(r.Key()) {
		case "text", "thinking", "partial_json":
			s.prefix.Learn(r, data)
			s.count(r)
		case "stop_reason":
			r.TextInto(&s.answer.FinishReason)
		}
	}
}

func (s *streamReader) count(r *jsonwalk.Reader) {
	n, _ := r.TextLen()
	s.answer.TextBytes += n
}

// message reads the message that a stream begins with.
func (s *streamReader) message(r *jsonwalk.Reader) {
	a := &s.answer
	if !r.Object() {
		return
	}
	for r.Member() {
		switch string(r.Key()) {
		case "id":
			r.TextInto(&a.ID)
		case "model":
			r.TextInto(&a.Model)
		case "provider":
			r.TextInto(&a.Provider)
		case "stop_reason":
			r.TextInto(&a.FinishReason)
		case "usage":
			s.usage(r)
		}
	}
}

// usage takes a usage object. The counts of the last one are those of the whole answer; what a message begins with is none
// of its usage yet.
func (s *streamReader) usage(r *jsonwalk.Reader) {
	if r.Kind() != jsonwalk.Object {
		return
	}
	raw := r.Raw()
	if raw == nil || len(raw) > usage.MaxBytes {
		return
	}
	object := jsonwalk.NewReader(raw)
	s.tally.read(&object)
	s.answer.RawUsage = withMembers(s.answer.RawUsage[:0], raw, s.start)
	if s.start == nil {
		s.start = append([]byte{}, raw...)
	}
}

// withMembers appends an object to dst, after those members of an earlier one that it has none of.
func withMembers(dst, object, earlier []byte) []byte {
	dst = append(dst, '{')
	r := jsonwalk.NewReader(earlier)
	for r.Object(); r.Member(); {
		name := string(r.Key())
		value := r.Raw()
		if value == nil || hasMember(object, name) {
			continue
		}
		dst = append(append(append(dst, '"'), name...), `":`...)
		dst = append(append(dst, value...), ',')
	}
	object = bytes.TrimSpace(object[1:])
	if object[0] == '}' {
		dst = bytes.TrimSuffix(dst, []byte{','})
	}
	return append(dst, object...)
}

func hasMember(object []byte, name string) (found bool) {
	r := jsonwalk.NewReader(object)
	for r.Object(); r.Member(); {
		found = found || string(r.Key()) == name
	}
	return found
}
