// Package xai reads xAI's gRPC chat where it is carried as JSON, by the names of its protocol buffers. The binary form does
// not travel over net/http in any of xAI's SDKs.
package xai

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/document"
	"github.com/farebox-go/farebox/internal/wire/failure"
	"github.com/farebox-go/farebox/internal/wire/request"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// Format implements [wire.Format]. The zero value is ready to use and safe for concurrent use.
type Format struct{}

var _ wire.Format = Format{}

// Name implements [wire.Format].
func (Format) Name() string { return "xai" }

// Recognise implements [wire.Format].
func (Format) Recognise(to wire.Target) (route wire.Route, ok bool) {
	rest, last := wire.LastSegment(to.Path)
	_, service := wire.LastSegment(rest)
	if service != "xai_api.Chat" || to.Method != http.MethodPost {
		return route, false
	}
	switch last {
	case "GetCompletion", "GetCompletionChunk", "StartDeferredCompletion":
		return wire.Route{Operation: wire.Chat}, true
	case "GetDeferredCompletion", "GetStoredCompletion", "DeleteStoredCompletion":
		return wire.Route{Billing: wire.Free}, true
	}
	return route, false
}

// ReadRequest implements [wire.Format].
func (Format) ReadRequest(op wire.Operation, to wire.Target, body []byte) (wire.Request, error) {
	q := request.New("xai", op, body)
	q.IncludeUsage = true
	q.Stream = strings.HasSuffix(to.Path, "/GetCompletionChunk")
	for q.Member() {
		switch key := string(q.R.Key()); key {
		case "model":
			q.Model = q.Text(key)
		case "messages":
			q.ReadMessages()
		case "max_tokens":
			q.MaxOutput = q.Count()
		case "n":
			q.Choices = int(min(q.Count(), 1<<31-1))
		case "tools":
			tools(&q)
		case "search_parameters":
			q.WebSearch = q.Given() > 0
		case "response_format":
			q.ReadSchema()
		case "previous_response_id":
			q.HiddenInput = q.Given() > 0
		}
	}
	q.Inputs, q.Choices = 1, max(q.Choices, 1)
	return q.Request, q.Err()
}

// tools reads the tools that are offered: all but functions are run by xAI.
func tools(q *request.Body) {
	start := q.R.Offset()
	q.Each("tools", func() {
		q.Tools++
		q.Inside(func(key string) {
			if key != "function" {
				q.ServerTools = true
				q.WebSearch = q.WebSearch || strings.HasSuffix(key, "_search")
			}
		})
	})
	q.TextBytes += int64(q.R.Offset() - start)
}

// What an answer is searched for.
const (
	wantID = iota
	wantModel
	wantFingerprint
	wantFinish
	wantUsage
	wantText // and all that follow count text
)

var plan = document.MustPlan(wantText,
	jsonwalk.Want{Path: "id", Limit: document.MaxName},
	jsonwalk.Want{Path: "model", Limit: document.MaxName},
	jsonwalk.Want{Path: "system_fingerprint", Limit: document.MaxName},
	jsonwalk.Want{Path: "outputs[0].finish_reason", Limit: document.MaxName},
	jsonwalk.Want{Path: "usage", Limit: usage.MaxBytes},
	jsonwalk.Want{Path: "outputs[].message.content"},
	jsonwalk.Want{Path: "outputs[].message.reasoning_content"},
	jsonwalk.Want{Path: "outputs[].message.tool_calls[].function.arguments"},
	jsonwalk.Want{Path: "outputs[].delta.content"},
	jsonwalk.Want{Path: "outputs[].delta.reasoning_content"},
	jsonwalk.Want{Path: "outputs[].delta.tool_calls[].function.arguments"},
)

// NewBodyReader implements [wire.Format].
func (Format) NewBodyReader(*wire.Request) wire.Reader { return document.NewBody(plan, &answer{}) }

// NewStreamReader implements [wire.Format].
func (Format) NewStreamReader(*wire.Request) wire.StreamReader {
	return document.NewStream(plan, &answer{})
}

// IncludeUsage implements [wire.Format]: usage is always there.
func (Format) IncludeUsage(body []byte) ([]byte, error) { return body, nil }

// LimitOutput implements [wire.OutputLimiter].
func (Format) LimitOutput(of *wire.Request, body []byte, limit int64, _ bool) ([]byte, error) {
	if of.Operation != wire.Chat {
		return nil, fmt.Errorf("xai: a request for %s has no output limit", of.Operation)
	}
	return jsonwalk.Set(body, strconv.FormatInt(limit, 10), "max_tokens")
}

// ReadHeaders implements [wire.Format].
func (Format) ReadHeaders(of *wire.Request, head http.Header, a *wire.Answer) {
	usage.CostInHeaders(of, head, a)
}

// ReadError implements [wire.Format].
func (Format) ReadError(status int, body []byte) wire.Error { return failure.Read(status, body) }

type answer struct{ wire.Answer }

// Result implements [document.Reading].
func (a *answer) Result() *wire.Answer { return &a.Answer }

// Collect implements [document.Reading].
func (a *answer) Collect(found document.Found) {
	found.Text(wantID, &a.ID)
	found.Text(wantModel, &a.Model)
	found.Text(wantFingerprint, &a.SystemFingerprint)
	found.Text(wantFinish, &a.FinishReason)
	raw, ok := found.Value(wantUsage)
	if !ok || bytes.Equal(raw, a.RawUsage) {
		return
	}
	if counted, ok := usage.Read(raw); ok {
		counted.Tell(&a.Answer)
	}
}
