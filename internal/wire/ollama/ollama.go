// Package ollama reads the wire format of Ollama's own API: chat, generate and embed, whole or as lines of JSON.
package ollama

import (
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
func (Format) Name() string { return "ollama" }

// Recognise implements [wire.Format]. Paths as plain as these are known at Ollama only.
func (Format) Recognise(to wire.Target) (route wire.Route, ok bool) {
	rest, last := wire.LastSegment(to.Path)
	_, before := wire.LastSegment(rest)
	if before != "api" || to.Provider != "ollama" && to.Provider != "ollama-cloud" {
		return route, false
	}
	if to.Method != http.MethodPost {
		return wire.Route{Billing: wire.Free}, true // tags, version, ps
	}
	switch last {
	case "chat":
		return wire.Route{Operation: wire.Chat}, true
	case "generate":
		return wire.Route{Operation: wire.TextCompletion}, true
	case "embed", "embeddings":
		return wire.Route{Operation: wire.Embeddings}, true
	}
	return wire.Route{Billing: wire.Free}, true // show, pull, create, copy
}

// ReadRequest implements [wire.Format].
func (Format) ReadRequest(op wire.Operation, _ wire.Target, body []byte) (wire.Request, error) {
	q := request.New("ollama", op, body)
	q.IncludeUsage = true
	q.Stream = op != wire.Embeddings // unless the request says otherwise
	for q.Member() {
		switch key := string(q.R.Key()); key {
		case "model":
			q.Model = q.Text(key)
		case "stream":
			q.Stream = string(q.R.Raw()) != "false" && q.Stream
		case "messages":
			q.ReadMessages()
		case "input":
			q.ReadInputs(key)
		case "prompt", "system", "suffix", "template", "format":
			q.AddText()
		case "context":
			q.Each(key, func() { q.InputTokens++; q.R.Skip() })
		case "images":
			q.Each(key, func() { q.Images++; q.R.Skip() })
		case "tools":
			q.ReadTools()
		case "options":
			q.Inside(func(key string) {
				if key == "num_predict" {
					q.MaxOutput = q.Count() // -1 and -2: until it ends
				}
			})
		}
	}
	q.Inputs, q.Choices = max(q.Inputs, 1), 1
	return q.Request, q.Err()
}

// What an answer, or a line of one, is searched for.
const (
	wantModel = iota
	wantInput
	wantOutput
	wantDone
	wantReason
	wantError
	wantText // and all that follow count text
)

var plan = document.MustPlan(wantText,
	jsonwalk.Want{Path: "model", Limit: document.MaxName},
	jsonwalk.Want{Path: "prompt_eval_count", Limit: jsonwalk.SumNumbers},
	jsonwalk.Want{Path: "eval_count", Limit: jsonwalk.SumNumbers},
	jsonwalk.Want{Path: "done", Limit: len("false")},
	jsonwalk.Want{Path: "done_reason", Limit: document.MaxName},
	jsonwalk.Want{Path: "error", Limit: document.MaxError},
	jsonwalk.Want{Path: "response"},
	jsonwalk.Want{Path: "thinking"},
	jsonwalk.Want{Path: "message.content"},
	jsonwalk.Want{Path: "message.thinking"},
	jsonwalk.Want{Path: "message.tool_calls[].function.arguments", Limit: jsonwalk.CountRaw},
)

// NewBodyReader implements [wire.Format].
func (Format) NewBodyReader(of *wire.Request) wire.Reader {
	return document.NewBody(plan, &answer{of: of})
}

// NewStreamReader implements [wire.Format].
func (Format) NewStreamReader(of *wire.Request) wire.StreamReader {
	return document.NewStream(plan, &answer{of: of})
}

// IncludeUsage implements [wire.Format]: usage is always there.
func (Format) IncludeUsage(body []byte) ([]byte, error) { return body, nil }

// LimitOutput implements [wire.OutputLimiter].
func (Format) LimitOutput(of *wire.Request, body []byte, limit int64, _ bool) ([]byte, error) {
	if of.Operation == wire.Embeddings {
		return nil, fmt.Errorf("ollama: a request for %s has no output limit", of.Operation)
	}
	return jsonwalk.Set(body, strconv.FormatInt(limit, 10), "options", "num_predict")
}

// ReadHeaders implements [wire.Format].
func (Format) ReadHeaders(of *wire.Request, head http.Header, a *wire.Answer) {
	usage.CostInHeaders(of, head, a)
}

// ReadError implements [wire.Format].
func (Format) ReadError(status int, body []byte) wire.Error { return failure.Read(status, body) }

type answer struct {
	wire.Answer
	of *wire.Request
}

// Result implements [document.Reading].
func (a *answer) Result() *wire.Answer { return &a.Answer }

// Collect implements [document.Reading]. The counts stand in the last line; a prompt that was in memory already is not
// counted, which costs nothing either.
func (a *answer) Collect(found document.Found) {
	found.Text(wantModel, &a.Model)
	found.Text(wantReason, &a.FinishReason)
	found.Fail(wantError, &a.Answer)
	if done, _ := found.Value(wantDone); string(done) == "true" {
		a.Done = true
		if a.FinishReason == "" {
			a.FinishReason = "stop" // versions before 0.3 give no reason
		}
	}
	input, output := found.Counted(wantInput), found.Counted(wantOutput)
	if input+output == 0 || max(input, output) > usage.MaxCount {
		return
	}
	a.UsageSeen = true
	a.Usage = wire.Usage{Input: input, Output: output, Requests: 1}
	a.RawUsage = usage.Gather(a.RawUsage, usage.Named{Name: "prompt_eval_count", Count: input}, usage.Named{Name: "eval_count", Count: output})
}
