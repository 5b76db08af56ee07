// Package mistral reads the routes that Mistral has beside OpenAI's: OCR, moderation, and conversations with agents. Its
// chat, agents, fill-in-the-middle and embeddings are in OpenAI's format.
package mistral

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"

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
func (Format) Name() string { return "mistral" }

// Recognise implements [wire.Format]. OCR is known wherever it is offered, the rest at Mistral only: there moderation is
// charged for (mistral.ai/pricing, 2026-11), which others give away.
func (Format) Recognise(to wire.Target) (route wire.Route, ok bool) {
	rest, last := wire.LastSegment(to.Path)
	if to.Method != http.MethodPost {
		return route, false
	}
	if last == "ocr" {
		return wire.Route{Operation: wire.OCR}, true
	}
	if to.Provider != "mistral" {
		return route, false
	}
	_, before := wire.LastSegment(rest)
	switch {
	case last == "moderations" || last == "classifications":
		return wire.Route{Operation: wire.Embeddings}, true // input only, like these
	case last == "conversations" || before == "conversations" || last == "restart":
		return wire.Route{Operation: wire.Chat}, true
	}
	return route, false
}

// assumedPages is how many pages a document is taken to have whose pages are not named: Mistral takes up to a thousand
// (docs.mistral.ai/capabilities/document_ai, 2026-11).
const assumedPages = 1_000

// ReadRequest implements [wire.Format].
func (Format) ReadRequest(op wire.Operation, to wire.Target, body []byte) (wire.Request, error) {
	q := request.New("mistral", op, body)
	q.IncludeUsage = true
	pages := int64(0)
	for q.Member() {
		switch key := string(q.R.Key()); key {
		case "model":
			q.Model = q.Text(key)
		case "agent_id":
			q.HiddenInput = true
		case "stream":
			q.Stream = q.R.True()
		case "input":
			q.ReadInputs(key)
		case "inputs":
			conversation(&q)
		case "instructions":
			q.AddText()
		case "tools":
			q.ReadTools()
		case "completion_args":
			q.Inside(func(key string) {
				if key == "max_tokens" {
					q.MaxOutput = q.Count()
				}
			})
		case "document":
			q.Inside(func(key string) {
				if key == "image_url" {
					q.Images, pages = 1, max(pages, 1)
				}
			})
			q.Files = 1 - q.Images
		case "pages":
			q.Each(key, func() { pages++; q.R.Skip() })
		}
	}
	if _, last := wire.LastSegment(to.Path); op == wire.Chat && last != "conversations" {
		q.HiddenInput = true // what was said before
	}
	if op == wire.OCR {
		if pages == 0 {
			pages = assumedPages
		}
		q.Units = map[string]int64{wire.UnitPage: pages}
	}
	q.Inputs, q.Choices = max(q.Inputs, 1), 1
	return q.Request, q.Err()
}

// conversation reads what is said: a text, or entries.
func conversation(q *request.Body) {
	if n, ok := q.R.TextLen(); ok {
		q.Messages, q.TextBytes = q.Messages+1, q.TextBytes+n
		return
	}
	q.Each("inputs", func() {
		q.Messages++
		q.Inside(func(key string) {
			switch key {
			case "content":
				q.ReadContent()
			case "type", "role", "object", "id":
			default:
				q.AddText()
			}
		})
	})
}

// What an answer, or an event of a stream, is searched for.
const (
	wantID = iota
	wantConversation
	wantModel
	wantUsage
	wantPages
	wantError
	wantText // and all that follow count text
)

var plan = document.MustPlan(wantText,
	jsonwalk.Want{Path: "id", Limit: document.MaxName},
	jsonwalk.Want{Path: "conversation_id", Limit: document.MaxName},
	jsonwalk.Want{Path: "model", Limit: document.MaxName},
	jsonwalk.Want{Path: "usage", Limit: usage.MaxBytes},
	jsonwalk.Want{Path: "usage_info", Limit: usage.MaxBytes},
	jsonwalk.Want{Path: "error", Limit: document.MaxError},
	jsonwalk.Want{Path: "outputs[].content"},
	jsonwalk.Want{Path: "outputs[].content[].text"},
	jsonwalk.Want{Path: "outputs[].arguments"},
	jsonwalk.Want{Path: "content"},
	jsonwalk.Want{Path: "content.text"},
	jsonwalk.Want{Path: "arguments"},
)

// NewBodyReader implements [wire.Format].
func (Format) NewBodyReader(*wire.Request) wire.Reader { return document.NewBody(plan, &answer{}) }

// NewStreamReader implements [wire.Format].
func (Format) NewStreamReader(*wire.Request) wire.StreamReader {
	return &stream{*document.NewStream(plan, &answer{})}
}

// stream reads the events of a conversation.
type stream struct{ document.Stream }

// Event implements [wire.StreamReader].
func (s *stream) Event(name, data []byte) (usageOnly bool) {
	s.Stream.Event(name, data)
	a := s.Answer()
	switch string(name) {
	case "conversation.response.done":
		a.Done = true
	case "conversation.response.error":
		if a.Err == nil {
			e := failure.Read(0, data)
			a.Err = &e
		}
	}
	return false
}

// IncludeUsage implements [wire.Format]: usage is always there.
func (Format) IncludeUsage(body []byte) ([]byte, error) { return body, nil }

// LimitOutput implements [wire.OutputLimiter].
func (Format) LimitOutput(of *wire.Request, body []byte, limit int64, _ bool) ([]byte, error) {
	if of.Operation != wire.Chat {
		return nil, fmt.Errorf("mistral: a request for %s has no output limit", of.Operation)
	}
	return jsonwalk.Set(body, strconv.FormatInt(limit, 10), "completion_args", "max_tokens")
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
	found.Text(wantConversation, &a.ID)
	found.Text(wantModel, &a.Model)
	found.Fail(wantError, &a.Answer)
	if raw, ok := found.Value(wantUsage); ok && !bytes.Equal(raw, a.RawUsage) {
		if counted, ok := usage.Read(raw); ok {
			counted.Tell(&a.Answer)
			connectors(raw, &a.Usage)
		}
	}
	if raw, ok := found.Value(wantPages); ok {
		a.pages(raw)
	}
}

// connectors takes the tokens that tools of Mistral's put before the model, which stand beside the prompt, for input, and
// counts the calls of these tools.
func connectors(raw []byte, u *wire.Usage) {
	r := jsonwalk.NewReader(raw)
	if !r.Object() {
		return
	}
	for r.Member() {
		switch string(r.Key()) {
		case "connector_tokens":
			n, _, _ := usage.Count(&r)
			n = min(n, u.Reasoning) // what the total has and no side has
			u.Reasoning -= n
			u.Input += n
		case "connectors":
			for r.Object(); r.Member(); {
				name := string(r.Key())
				n, _, _ := usage.Count(&r)
				call(u, name, n)
			}
		}
	}
}

func call(u *wire.Usage, tool string, n int64) {
	switch {
	case n == 0:
	case tool == "web_search" || tool == "web_search_premium":
		u.WebSearches += n
	default:
		if u.Units == nil {
			u.Units = map[string]int64{}
		}
		u.Units[wire.UnitToolCall+"/"+tool] = n
	}
}

// pages reads what OCR is charged by.
func (a *answer) pages(raw []byte) {
	r := jsonwalk.NewReader(raw)
	if !r.Object() {
		return
	}
	for r.Member() {
		if string(r.Key()) != "pages_processed" {
			continue
		}
		if n, stated, _ := usage.Count(&r); stated {
			a.UsageSeen = true
			a.RawUsage = append(a.RawUsage[:0], raw...)
			a.Usage = wire.Usage{Requests: 1}
			if n > 0 {
				a.Usage.Units = map[string]int64{wire.UnitPage: n}
			}
		}
	}
}
