// Package openrouter reads what OpenRouter has beside the formats of others: its own record of a call.
package openrouter

import (
	"net/http"
	"net/url"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/document"
	"github.com/farebox-go/farebox/internal/wire/failure"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// Format implements [wire.Format]. The zero value is ready to use and safe for concurrent use.
type Format struct{}

var _ wire.Format = Format{}

// Name implements [wire.Format].
func (Format) Name() string { return "openrouter" }

// Recognise implements [wire.Format]. To look things up is free.
func (Format) Recognise(to wire.Target) (route wire.Route, ok bool) {
	if to.Provider != "openrouter" || to.Method != http.MethodGet {
		return route, false
	}
	if _, last := wire.LastSegment(to.Path); last != "generation" {
		return wire.Route{Billing: wire.Free}, true // credits, key, endpoints, activity
	}
	query, _ := url.ParseQuery(to.Query)
	return wire.Route{Operation: wire.Chat, Billing: wire.FollowUp, ID: query.Get("id")}, true
}

// ReadRequest implements [wire.Format]. There is none: what is recognised here has no body.
func (Format) ReadRequest(op wire.Operation, _ wire.Target, _ []byte) (wire.Request, error) {
	return wire.Request{Operation: op, Inputs: 1, Choices: 1}, nil
}

// What a record is searched for.
const (
	wantID = iota
	wantModel
	wantProvider
	wantTier
	wantFinish
	wantCost
	wantBYOK
	wantUpstream
	wantInput
	wantOutput
	wantReasoning
	wantCached
	wantEnd
)

var plan = document.MustPlan(wantEnd,
	jsonwalk.Want{Path: "data.id", Limit: document.MaxName},
	jsonwalk.Want{Path: "data.model", Limit: document.MaxName},
	jsonwalk.Want{Path: "data.provider_name", Limit: document.MaxName},
	jsonwalk.Want{Path: "data.service_tier", Limit: document.MaxName},
	jsonwalk.Want{Path: "data.finish_reason", Limit: document.MaxName},
	jsonwalk.Want{Path: "data.total_cost", Limit: document.MaxName},
	jsonwalk.Want{Path: "data.is_byok", Limit: len("false")},
	jsonwalk.Want{Path: "data.upstream_inference_cost", Limit: document.MaxName},
	jsonwalk.Want{Path: "data.native_tokens_prompt", Limit: jsonwalk.SumNumbers},
	jsonwalk.Want{Path: "data.native_tokens_completion", Limit: jsonwalk.SumNumbers},
	jsonwalk.Want{Path: "data.native_tokens_reasoning", Limit: jsonwalk.SumNumbers},
	jsonwalk.Want{Path: "data.native_tokens_cached", Limit: jsonwalk.SumNumbers},
)

// NewBodyReader implements [wire.Format].
func (Format) NewBodyReader(*wire.Request) wire.Reader { return document.NewBody(plan, &record{}) }

// NewStreamReader implements [wire.Format]. Nobody streams a record.
func (Format) NewStreamReader(*wire.Request) wire.StreamReader {
	return document.NewStream(plan, &record{})
}

// IncludeUsage implements [wire.Format].
func (Format) IncludeUsage(body []byte) ([]byte, error) { return body, nil }

// ReadHeaders implements [wire.Format].
func (Format) ReadHeaders(*wire.Request, http.Header, *wire.Answer) {}

// ReadError implements [wire.Format].
func (Format) ReadError(status int, body []byte) wire.Error { return failure.Read(status, body) }

// record is OpenRouter's record of a call. The native tokens are those that are billed.
type record struct{ wire.Answer }

// Result implements [document.Reading].
func (a *record) Result() *wire.Answer { return &a.Answer }

// Collect implements [document.Reading].
func (a *record) Collect(found document.Found) {
	found.Text(wantID, &a.ID)
	found.Text(wantModel, &a.Model)
	found.Text(wantProvider, &a.Provider)
	found.Text(wantTier, &a.ServiceTier)
	found.Text(wantFinish, &a.FinishReason)
	if cost := figure(found, wantCost); cost != "" {
		a.Reported = wire.ReportedCost{Literal: cost, Field: "total_cost"}
	}
	byok, _ := found.Value(wantBYOK)
	if a.BYOK = string(byok) == "true"; a.BYOK {
		if cost := figure(found, wantUpstream); cost != "" {
			a.Upstream = wire.ReportedCost{Literal: cost, Field: "upstream_inference_cost"}
		}
	}
	input, output := found.Counted(wantInput), found.Counted(wantOutput)
	if input+output == 0 || max(input, output) > usage.MaxCount {
		return
	}
	cached := min(found.Counted(wantCached), input)
	reasoning := min(found.Counted(wantReasoning), output)
	a.UsageSeen = true
	a.Usage = wire.Usage{Input: input - cached, CacheRead: cached, Output: output - reasoning, Reasoning: reasoning, Requests: 1}
	a.RawUsage = usage.Gather(a.RawUsage,
		usage.Named{Name: "native_tokens_prompt", Count: input}, usage.Named{Name: "native_tokens_completion", Count: output},
		usage.Named{Name: "native_tokens_reasoning", Count: reasoning}, usage.Named{Name: "native_tokens_cached", Count: cached})
}

// figure is an amount as it is written; empty where there is none, or one below zero.
func figure(found document.Found, want int) string {
	var literal string
	if found.Text(want, &literal); !jsonwalk.IsNumber([]byte(literal)) || literal[0] == '-' {
		return ""
	}
	return literal
}
