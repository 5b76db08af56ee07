package anthropic_test

import (
	"encoding/json"
	"testing"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/anthropic"
	"github.com/farebox-go/farebox/internal/wire/wiretest"
)

// TestRecordedMessages compares what is read of real answers with the counts that they state.
func TestRecordedMessages(t *testing.T) {
	t.Parallel()
	for _, x := range wiretest.Recorded(t, "anthropic.messages") {
		route, q := x.ReadRequest(t, anthropic.Format{})
		if route != (wire.Route{Operation: wire.Chat}) {
			t.Errorf("%s: recognised as %+v", x.Name(), route)
		}
		if q.MaxOutput == 0 || q.TextBytes == 0 || q.Messages == 0 {
			t.Errorf("%s: read %+v", x.Name(), q)
		}
		a := x.Check(t, anthropic.Format{}, &q)
		if string(x.Usage) == "null" || x.Usage == nil {
			if a.UsageSeen {
				t.Errorf("%s: a usage where none is stated: %s", x.Name(), a.RawUsage)
			}
			continue
		}
		checkMessage(t, x, a)
	}
}

func checkMessage(t *testing.T, x *wiretest.Exchange, a *wire.Answer) {
	t.Helper()
	type counts struct {
		Input    int64 `json:"input_tokens"`
		Read     int64 `json:"cache_read_input_tokens"`
		Write    int64 `json:"cache_creation_input_tokens"`
		Output   int64 `json:"output_tokens"`
		Creation struct {
			Hour int64 `json:"ephemeral_1h_input_tokens"`
		} `json:"cache_creation"`
		Details struct {
			Thinking int64 `json:"thinking_tokens"`
		} `json:"output_tokens_details"`
		Tools struct {
			Searches int64 `json:"web_search_requests"`
		} `json:"server_tool_use"`
		Type  string `json:"type"`
		Model string `json:"model"`
	}
	var want struct {
		counts
		Iterations []counts `json:"iterations"`
	}
	if err := json.Unmarshal(x.Usage, &want); err != nil {
		t.Fatal(err)
	}
	usage := func(c counts) wire.Usage {
		return wire.Usage{
			Input: c.Input, CacheRead: c.Read, CacheWrite: c.Write - c.Creation.Hour, CacheWrite1h: c.Creation.Hour,
			Output: c.Output - c.Details.Thinking, Reasoning: c.Details.Thinking, WebSearches: c.Tools.Searches,
		}
	}
	top := usage(want.counts)
	top.Requests = 1
	if got, want := mustJSON(a.Usage), mustJSON(top); !a.UsageSeen || got != want || a.Contradictory {
		t.Errorf("%s: read %s, want %s", x.Name(), got, want)
	}
	var beside []wire.Iteration
	for _, one := range want.Iterations {
		if one.Type != "message" {
			beside = append(beside, wire.Iteration{Model: one.Model, Usage: usage(one)})
		}
	}
	if got, want := mustJSON(a.Iterations), mustJSON(beside); got != want {
		t.Errorf("%s: iterations %s, want %s", x.Name(), got, want)
	}
	if a.FinishReason == "" || !a.Done || a.ID == "" {
		t.Errorf("%s: %+v", x.Name(), a)
	}
	var raw, stated map[string]any
	_ = json.Unmarshal(a.RawUsage, &raw)
	_ = json.Unmarshal(x.Usage, &stated)
	for name, value := range stated {
		if mustJSON(raw[name]) != mustJSON(value) {
			t.Errorf("%s: the raw usage has %s: %v, want %v", x.Name(), name, raw[name], value)
		}
	}
}

func mustJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// TestRecordedOthers: counting is free, and the older completions report no usage.
func TestRecordedOthers(t *testing.T) {
	t.Parallel()
	for _, x := range wiretest.Recorded(t, "anthropic.count_tokens") {
		if route, _ := x.ReadRequest(t, anthropic.Format{}); route.Billing != wire.Free {
			t.Errorf("%s: %+v", x.Name(), route)
		}
	}
	for _, x := range wiretest.Recorded(t, "anthropic.complete") {
		route, q := x.ReadRequest(t, anthropic.Format{})
		if route != (wire.Route{Operation: wire.TextCompletion}) || q.MaxOutput == 0 || q.TextBytes == 0 {
			t.Errorf("%s: %+v, %+v", x.Name(), route, q)
		}
		a := x.Check(t, anthropic.Format{}, &q)
		if x.Status == 200 && (a.UsageSeen || a.TextBytes == 0 || !a.Done || a.FinishReason == "") {
			t.Errorf("%s: %+v", x.Name(), a)
		}
	}
}
