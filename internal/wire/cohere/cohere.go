// Package cohere reads the wire format of Cohere's own API, versions 1 and 2: chat, generate and embed. Its rerank is read
// by the package of that name, since others have taken it over.
package cohere

import (
	"fmt"
	"net/http"
	"strconv"

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
func (Format) Name() string { return "cohere" }

// Recognise implements [wire.Format]. Version 1 shares its paths with others, so it is only known at Cohere.
func (Format) Recognise(to wire.Target) (route wire.Route, ok bool) {
	rest, last := wire.LastSegment(to.Path)
	_, version := wire.LastSegment(rest)
	if to.Method != http.MethodPost || version != "v2" && (version != "v1" || to.Provider != "cohere") {
		return route, false
	}
	switch last {
	case "chat":
		return wire.Route{Operation: wire.Chat}, true
	case "embed":
		return wire.Route{Operation: wire.Embeddings}, true
	case "generate", "summarize":
		return wire.Route{Operation: wire.TextCompletion}, true
	case "tokenize", "detokenize", "check-api-key": // docs.cohere.com/docs/rate-limits, 2026-11: not charged for
		return wire.Route{Billing: wire.Free}, true
	}
	return route, false
}

// IncludeUsage implements [wire.Format]: usage is always there.
func (Format) IncludeUsage(body []byte) ([]byte, error) { return body, nil }

// LimitOutput implements [wire.OutputLimiter].
func (Format) LimitOutput(of *wire.Request, body []byte, limit int64, _ bool) ([]byte, error) {
	if of.Operation == wire.Embeddings {
		return nil, fmt.Errorf("cohere: a request for %s has no output limit", of.Operation)
	}
	return jsonwalk.Set(body, strconv.FormatInt(limit, 10), "max_tokens")
}

// ReadHeaders implements [wire.Format]. num_tokens counts what was processed, which is not what is billed.
func (Format) ReadHeaders(of *wire.Request, head http.Header, a *wire.Answer) {
	usage.CostInHeaders(of, head, a)
}

// ReadError implements [wire.Format].
func (Format) ReadError(status int, body []byte) wire.Error { return failure.Read(status, body) }

// ReadRequest implements [wire.Format].
func (Format) ReadRequest(op wire.Operation, _ wire.Target, body []byte) (wire.Request, error) {
	q := requestReader{request.New("cohere", op, body)}
	q.IncludeUsage = true
	for q.Member() {
		q.member(string(q.R.Key()))
	}
	if op != wire.Embeddings {
		q.Inputs = 1
	}
	q.Choices = max(q.Choices, 1)
	return q.Request, q.Err()
}

// requestReader gathers what a request asks for.
type requestReader struct{ request.Body }

func (q *requestReader) member(key string) {
	switch key {
	case "model":
		q.Model = q.Text(key)
	case "stream":
		q.Stream = q.R.True()
	case "messages":
		q.ReadMessages()
	case "chat_history", "message":
		q.said(key)
	case "preamble", "prompt", "text", "documents", "tool_results":
		q.AddText()
	case "tools":
		q.ReadTools()
	case "response_format":
		q.ReadSchema()
	case "connectors":
		q.connectors()
	case "max_tokens":
		q.MaxOutput = q.Count()
	case "num_generations":
		q.Choices = int(min(q.Count(), 1<<31-1))
	case "thinking":
		q.ReadThinking()
	case "texts", "inputs":
		q.inputs(key)
	case "images":
		q.Each(key, func() { q.Images++; q.Inputs++ })
	}
}

// said reads the turns of a chat of version 1.
func (q *requestReader) said(key string) {
	if key == "message" {
		q.Messages++
		q.AddText()
		return
	}
	q.Each(key, func() {
		q.Messages++
		q.AddText()
	})
}

// connectors notes a search of the web that Cohere makes.
func (q *requestReader) connectors() {
	q.Each("connectors", func() {
		q.ServerTools, q.WebSearch = true, true
		q.R.Skip()
	})
}

// inputs reads what is to be embedded: texts, or lists of parts.
func (q *requestReader) inputs(key string) {
	if key == "texts" {
		q.ReadInputs(key)
		return
	}
	q.Each(key, func() {
		q.Inputs++
		q.Inside(func(key string) {
			if key == "content" {
				q.ReadContent()
			}
		})
	})
}
