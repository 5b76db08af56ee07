package audio

import (
	"bytes"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/failure"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// speech reads an answer that is sound: it says nothing, and is charged for by what was asked for.
type speech struct{ answer wire.Answer }

func spoken(of *wire.Request) *speech {
	s := &speech{}
	s.answer.Done = true
	if n := of.Units[wire.UnitCharacter]; n > 0 {
		s.answer.UsageSeen = true
		s.answer.Usage = wire.Usage{Requests: 1, Units: map[string]int64{wire.UnitCharacter: n}}
	}
	return s
}

// Write implements [wire.Reader].
func (*speech) Write([]byte) {}

// Answer implements [wire.Reader].
func (s *speech) Answer() *wire.Answer { return &s.answer }

// What a transcript is searched for; the places in bodyPlan.
const (
	wantModel = iota
	wantUsage
	wantDuration
	wantError
	wantText
)

var bodyPlan = jsonwalk.MustPlan(
	jsonwalk.Want{Path: "model", Limit: 4 << 10},
	jsonwalk.Want{Path: "usage", Limit: usage.MaxBytes},
	jsonwalk.Want{Path: "duration", Limit: 4 << 10},
	jsonwalk.Want{Path: "error", Limit: 64 << 10},
	jsonwalk.Want{Path: "text"},
)

// transcript reads an answer that is one JSON value, or plain text, which says nothing beside what was said.
type transcript struct {
	scanner *jsonwalk.Scanner
	isText  bool  // it is no JSON object
	plain   int64 // its bytes then
	begun   bool
	answer  wire.Answer
}

func newTranscript() *transcript { return &transcript{scanner: bodyPlan.NewScanner()} }

// Write implements [wire.Reader].
func (t *transcript) Write(p []byte) {
	if !t.begun {
		p = bytes.TrimLeft(p, " \t\r\n")
		t.begun = len(p) > 0
		t.isText = t.begun && p[0] != '{'
	}
	if t.isText {
		t.plain += int64(len(p))
	} else {
		t.scanner.Write(p)
	}
}

// Answer implements [wire.Reader].
func (t *transcript) Answer() *wire.Answer {
	a := &t.answer
	a.TextBytes = t.scanner.Counted(wantText)
	a.Done = t.scanner.Complete()
	if t.isText { // subtitles, say, which have no end of their own and are charged for whole
		a.TextBytes, a.Done = t.plain, true
		return a
	}
	if raw, found, _ := t.scanner.Value(wantModel); found {
		r := jsonwalk.NewReader(raw)
		r.TextInto(&a.Model)
	}
	if raw, found, _ := t.scanner.Value(wantError); found {
		failure.Into(a, raw)
	}
	if raw, found, _ := t.scanner.Value(wantUsage); found && tell(a, raw) {
		return a
	}
	if raw, found, _ := t.scanner.Value(wantDuration); found {
		r := jsonwalk.NewReader(raw)
		if ms, ok := milliseconds(&r); ok && ms > 0 {
			a.UsageSeen = true
			a.Usage = wire.Usage{Requests: 1, Units: map[string]int64{wire.UnitAudioMS: ms}}
		}
	}
	return a
}

// tell takes a usage object: of tokens, or of time, or of what was charged for both.
func tell(a *wire.Answer, raw []byte) bool {
	if len(raw) > usage.MaxBytes {
		return false
	}
	var ms int64
	timed := false
	var costs usage.Costs
	r := jsonwalk.NewReader(raw)
	for r.Object(); r.Member(); {
		switch string(r.Key()) {
		case "seconds", "duration", "prompt_audio_seconds":
			if n, ok := milliseconds(&r); ok {
				ms, timed = n, true
			}
		default:
			costs.Member(&r)
		}
	}
	read, counted := usage.Read(raw)
	if counted {
		read.Tell(a)
		counted = a.Usage.InputTokens()+a.Usage.OutputTokens() > 0
	}
	if !counted && (!timed || ms == 0) {
		return false
	}
	if costs.Tell(a); !counted {
		a.Usage = wire.Usage{Requests: 1}
	}
	a.UsageSeen = true
	a.RawUsage = append(a.RawUsage[:0], raw...)
	if ms > 0 {
		a.Usage.Units = map[string]int64{wire.UnitAudioMS: ms}
	}
	return true
}
