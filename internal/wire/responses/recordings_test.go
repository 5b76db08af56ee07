package responses_test

import (
	"encoding/json"
	"testing"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/responses"
	"github.com/farebox-go/farebox/internal/wire/wiretest"
)

// TestRecordedResponses compares what is read of real answers with the counts that they state.
func TestRecordedResponses(t *testing.T) {
	t.Parallel()
	for _, x := range wiretest.Recorded(t, "openai.responses", "openai.responses_compact") {
		route, q := x.ReadRequest(t, responses.Format{})
		want := wire.Route{Operation: wire.Chat}
		if x.Request.Method == "GET" {
			want.Billing, want.ID = wire.FollowUp, route.ID
		} else if q.TextBytes == 0 && !q.HiddenInput && q.Images+q.Files == 0 {
			t.Errorf("%s: read %+v", x.Name(), q)
		}
		if route != want {
			t.Errorf("%s: recognised as %+v", x.Name(), route)
		}
		a := x.Check(t, responses.Format{}, &q)
		if string(x.Usage) == "null" || x.Usage == nil {
			if a.UsageSeen {
				t.Errorf("%s: a usage where none is stated: %s", x.Name(), a.RawUsage)
			}
			continue
		}
		checkResponse(t, x, a)
	}
}

func checkResponse(t *testing.T, x *wiretest.Exchange, a *wire.Answer) {
	t.Helper()
	var want struct {
		Input  int64 `json:"input_tokens"`
		Output int64 `json:"output_tokens"`
		In     struct {
			Cached  int64 `json:"cached_tokens"`
			Written int64 `json:"cache_write_tokens"`
		} `json:"input_tokens_details"`
		Out struct {
			Reasoning int64 `json:"reasoning_tokens"`
		} `json:"output_tokens_details"`
	}
	if err := json.Unmarshal(x.Usage, &want); err != nil {
		t.Fatal(err)
	}
	u := a.Usage
	if !a.UsageSeen || u.InputTokens() != want.Input || u.OutputTokens() != want.Output || u.CacheRead != want.In.Cached ||
		u.CacheWrite != want.In.Written || u.Reasoning != want.Out.Reasoning || u.Requests != 1 || a.Contradictory {
		t.Errorf("%s: read %+v of %s", x.Name(), u, x.Usage)
	}
	if !a.Done || a.ID == "" && x.Provider != "mistralrs" || a.Pending || a.FinishReason == "" && x.API == "openai.responses" {
		t.Errorf("%s: %+v", x.Name(), a)
	}
}

func TestRecordedCounts(t *testing.T) {
	t.Parallel()
	for _, x := range wiretest.Recorded(t, "openai.responses_input_tokens") {
		if route, _ := x.ReadRequest(t, responses.Format{}); route.Billing != wire.Free {
			t.Errorf("%s: %+v", x.Name(), route)
		}
	}
}
