// Package batch reads the wire format of OpenAI's batches: jobs whose requests are in a file, and which say what they have
// consumed once they have ended.
package batch

import (
	"net/http"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/failure"
	"github.com/farebox-go/farebox/internal/wire/request"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// Format implements [wire.Format]. The zero value is ready to use and safe for concurrent use.
type Format struct{}

var _ wire.Format = Format{}

// Name implements [wire.Format].
func (Format) Name() string { return "openai.batch" }

// Recognise implements [wire.Format].
func (Format) Recognise(to wire.Target) (route wire.Route, ok bool) {
	rest, last := wire.LastSegment(to.Path)
	rest, before := wire.LastSegment(rest)
	get, post := to.Method == http.MethodGet, to.Method == http.MethodPost
	route.Operation = wire.Batch
	switch {
	case last == "batches" && before != "messages" && post:
		return route, true
	case last == "batches" && before != "messages" && get:
		route.Billing = wire.Free
		return route, true
	case before == "batches" && get:
		route.Billing, route.ID = wire.FollowUp, last
		_, above := wire.LastSegment(rest)
		return route, above != "messages"
	}
	if _, above := wire.LastSegment(rest); above == "batches" && last == "cancel" && post {
		route.Billing, route.ID = wire.FollowUp, before
		return route, true
	}
	return wire.Route{}, false
}

// ReadRequest implements [wire.Format]. What a job will be charged for is in a file that was sent before.
func (Format) ReadRequest(op wire.Operation, _ wire.Target, body []byte) (wire.Request, error) {
	q := request.New("batch", op, body)
	for q.Member() {
		if string(q.R.Key()) == "model" { // of Mistral's jobs, and of gateways
			q.Model = q.Text("model")
		}
	}
	q.HiddenInput, q.Inputs, q.Choices, q.ServiceTier = true, 1, 1, tier
	return q.Request, q.Err()
}

// tier is what batches are charged at.
const tier = "batch"

// IncludeUsage implements [wire.Format]. There are no streams.
func (Format) IncludeUsage(body []byte) ([]byte, error) { return body, nil }

// NewStreamReader implements [wire.Format]. There are no streams.
func (Format) NewStreamReader(*wire.Request) wire.StreamReader { return nothing{} }

type nothing struct{}

func (nothing) Event(_, _ []byte) bool { return false }

func (nothing) Answer() *wire.Answer { return &wire.Answer{} }

// ReadHeaders implements [wire.Format].
func (Format) ReadHeaders(*wire.Request, http.Header, *wire.Answer) {}

// ReadError implements [wire.Format].
func (Format) ReadError(status int, body []byte) wire.Error { return failure.Read(status, body) }

// What a job is searched for; the places in plan.
const (
	wantID = iota
	wantStatus
	wantModel
	wantUsage
)

var plan = jsonwalk.MustPlan(
	jsonwalk.Want{Path: "id", Limit: 4 << 10},
	jsonwalk.Want{Path: "status", Limit: 4 << 10},
	jsonwalk.Want{Path: "model", Limit: 4 << 10},
	jsonwalk.Want{Path: "usage", Limit: usage.MaxBytes},
)

// NewBodyReader implements [wire.Format].
func (Format) NewBodyReader(*wire.Request) wire.Reader { return &reader{scanner: plan.NewScanner()} }

// reader reads what is said of a job.
type reader struct {
	scanner *jsonwalk.Scanner
	answer  wire.Answer
}

// Write implements [wire.Reader].
func (b *reader) Write(p []byte) { b.scanner.Write(p) }

// Answer implements [wire.Reader].
func (b *reader) Answer() *wire.Answer {
	b.answer = wire.Answer{Done: b.scanner.Complete()}
	a := &b.answer
	var status string
	b.text(wantID, &a.ID)
	b.text(wantModel, &a.Model)
	b.text(wantStatus, &status)
	switch a.Pending = true; status {
	case "completed", "failed", "expired", "cancelled":
		a.Pending, a.FinishReason = false, status
	}
	raw, found, _ := b.scanner.Value(wantUsage)
	if !found || a.Pending {
		return a
	}
	if read, ok := usage.Read(raw); ok {
		read.Tell(a)
		a.ServiceTier = tier
		a.Usage.Requests = 0 // a fee for each request is none for a job of many
	}
	return a
}

func (b *reader) text(want int, dst *string) {
	if raw, found, _ := b.scanner.Value(want); found {
		r := jsonwalk.NewReader(raw)
		r.TextInto(dst)
	}
}
