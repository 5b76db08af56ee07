// Package rerank reads the requests and answers of rerankers: Cohere's, and of those that have taken its route over, such as
// Voyage, Jina, Together, OpenRouter and llama.cpp.
package rerank

import (
	"bytes"
	"net/http"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/cohere"
	"github.com/farebox-go/farebox/internal/wire/document"
	"github.com/farebox-go/farebox/internal/wire/failure"
	"github.com/farebox-go/farebox/internal/wire/request"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// Format implements [wire.Format]. The zero value is ready to use and safe for concurrent use.
type Format struct{}

var _ wire.Format = Format{}

// Name implements [wire.Format].
func (Format) Name() string { return "rerank" }

// Recognise implements [wire.Format].
func (Format) Recognise(to wire.Target) (route wire.Route, ok bool) {
	_, last := wire.LastSegment(to.Path)
	return wire.Route{Operation: wire.Rerank}, to.Method == http.MethodPost && (last == "rerank" || last == "reranking")
}

// A search unit is a query with up to a hundred documents, a longer document counting as several of 500 tokens
// (docs.cohere.com/docs/how-does-cohere-pricing-work, 2026-11).
const (
	documentsPerUnit = 100
	bytesPerDocument = 500 // a token has at least a byte
)

// ReadRequest implements [wire.Format].
func (Format) ReadRequest(op wire.Operation, _ wire.Target, body []byte) (wire.Request, error) {
	q := request.New("rerank", op, body)
	documents, query := int64(0), int64(0)
	for q.Member() {
		switch key := string(q.R.Key()); key {
		case "model":
			q.Model = q.Text(key)
		case "query":
			before := q.TextBytes
			q.AddText()
			query = q.TextBytes - before
		case "documents", "texts":
			q.Each(key, func() {
				before := q.TextBytes
				q.ReadPart()
				documents += 1 + (q.TextBytes-before)/bytesPerDocument
				q.Inputs++
			})
		}
	}
	q.Choices = 1
	q.TextBytes += query * int64(max(q.Inputs-1, 0)) // those that count tokens count the query with every document
	if documents > 0 {
		q.Units = map[string]int64{wire.UnitSearchUnit: (documents + documentsPerUnit - 1) / documentsPerUnit}
	}
	return q.Request, q.Err()
}

// What an answer is searched for.
const (
	wantID = iota
	wantModel
	wantProvider
	wantMeta
	wantUsage
	wantError
	wantEnd
)

var plan = document.MustPlan(wantEnd,
	jsonwalk.Want{Path: "id", Limit: document.MaxName},
	jsonwalk.Want{Path: "model", Limit: document.MaxName},
	jsonwalk.Want{Path: "provider", Limit: document.MaxName},
	jsonwalk.Want{Path: "meta", Limit: usage.MaxBytes},
	jsonwalk.Want{Path: "usage", Limit: usage.MaxBytes},
	jsonwalk.Want{Path: "error", Limit: document.MaxError},
)

// NewBodyReader implements [wire.Format].
func (Format) NewBodyReader(*wire.Request) wire.Reader { return document.NewBody(plan, &answer{}) }

// NewStreamReader implements [wire.Format]. Nobody streams a ranking.
func (Format) NewStreamReader(*wire.Request) wire.StreamReader {
	return document.NewStream(plan, &answer{})
}

// IncludeUsage implements [wire.Format].
func (Format) IncludeUsage(body []byte) ([]byte, error) { return body, nil }

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
	found.Text(wantProvider, &a.Provider)
	found.Fail(wantError, &a.Answer)
	if raw, ok := found.Value(wantMeta); ok {
		if counted, ok := cohere.ReadUsage(raw); ok {
			a.Usage, a.Contradictory = counted.Usage()
			a.seen(raw)
		}
	}
	if raw, ok := found.Value(wantUsage); ok {
		a.usage(raw)
	}
}

// usage reads a usage of tokens, of search units, or of both.
func (a *answer) usage(raw []byte) {
	counted, ok := usage.Read(raw)
	units := searchUnits(raw)
	if !ok && units == 0 {
		return
	}
	counted.Tell(&a.Answer)
	if a.Usage.Requests = 1; units > 0 {
		a.Usage.Units = map[string]int64{wire.UnitSearchUnit: units}
	}
	a.seen(raw)
}

func (a *answer) seen(raw []byte) {
	a.UsageSeen = true
	if !bytes.Equal(raw, a.RawUsage) {
		a.RawUsage = append(a.RawUsage[:0], raw...)
	}
}

func searchUnits(raw []byte) (units int64) {
	r := jsonwalk.NewReader(raw)
	if !r.Object() {
		return 0
	}
	for r.Member() {
		if string(r.Key()) == "search_units" {
			units, _, _ = usage.Count(&r)
		}
	}
	return units
}
