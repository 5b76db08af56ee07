package farebox_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

const (
	vertexRequest = `{"anthropic_version":"vertex-2023-10-16","max_tokens":1000,"messages":[{"role":"user","content":"Greet the otter."}]}`
	vertexUsage   = `{"input_tokens":1000,"cache_creation_input_tokens":2000,"cache_read_input_tokens":3000,"output_tokens":100}`
	vertexAnswer  = `{"id":"msg_vrtx_1","type":"message","role":"assistant","content":[{"type":"text","text":"Hello, otter."}],"stop_reason":"end_turn","usage":` + vertexUsage + `}`
	vertexStream  = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_vrtx_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"usage\":" +
		`{"input_tokens":1000,"cache_creation_input_tokens":2000,"cache_read_input_tokens":3000,"output_tokens":1}` + "}}\n\n" +
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":100}}\n\n" +
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
)

// vertexCase is a call to a model in a location: what it costs, and what a thousand tokens of output alone do.
type vertexCase struct {
	location, model string
	cost, output    string
	factors         []farebox.AppliedFactor
}

// TestVertexRegions: Claude at Vertex costs a tenth more anywhere but at the global endpoint, for every kind of token, from
// Sonnet 4.5 on; and that is held before the call.
func TestVertexRegions(t *testing.T) {
	t.Parallel()
	uplift := []farebox.AppliedFactor{{Name: "region regional", Factor: farebox.MustFactor("1.1")}}
	// Sonnet: $3, $3.75, $0.30 and $15 a million; Haiku: a third of that; Opus 4.1: five times that.
	for name, test := range map[string]vertexCase{
		"global":                 {"global", "claude-sonnet-4-5@20250929", "0.0129", "0.015", nil},
		"one region":             {"europe-west4", "claude-sonnet-4-5@20250929", "0.01419", "0.0165", uplift},
		"several regions":        {"eu", "claude-sonnet-4-5@20250929", "0.01419", "0.0165", uplift},
		"a name with a date":     {"us-east5", "claude-haiku-4-5@20251001", "0.00473", "0.0055", uplift},
		"and globally":           {"global", "claude-haiku-4-5@20251001", "0.0043", "0.005", nil},
		"from before Sonnet 4.5": {"us-east5", "claude-opus-4-1@20250805", "0.0645", "0.075", nil},
	} {
		for method, answer := range map[string]string{"rawPredict": vertexAnswer, "streamRawPredict": vertexStream} {
			t.Run(name+"/"+method, func(t *testing.T) {
				t.Parallel()
				test.check(t, method, answer)
			})
		}
	}
}

func (c *vertexCase) check(t *testing.T, method, answer string) {
	t.Helper()
	var meter *farebox.Meter
	var held farebox.Money
	meter = newMeter(t, farebox.WithBudget(capOf("all", farebox.Dollars(5))),
		farebox.WithBaseTransport(roundTripper(func(*http.Request) (*http.Response, error) {
			held = status(t, meter, "all", "").Held
			kind := "application/json"
			if method == "streamRawPredict" {
				kind = "text/event-stream"
			}
			return reply(200, answer, "Content-Type", kind), nil
		})))
	host, region := "https://"+c.location+"-aiplatform.googleapis.com", c.location
	if c.location == "global" {
		host, region = "https://aiplatform.googleapis.com", ""
	}
	path := "/v1/projects/p/locations/" + c.location + "/publishers/anthropic/models/" + c.model + ":" + method
	resp, err := meter.HTTPClient().Post(host+path, "application/json", strings.NewReader(vertexRequest))
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, resp)
	r := onlyReceipt(t, meter)
	if r.Cost != farebox.MustMoney(c.cost) || r.Source != farebox.Computed || len(r.Lines) != 4 || r.Price.Region != region {
		t.Errorf("%s in %q, want $%s in %q; %+v", r, r.Price.Region, c.cost, region, r)
	}
	for _, line := range r.Lines {
		if !slices.Equal(line.Factors, c.factors) {
			t.Errorf("%s has the factors %v, want %v", line.Dimension, line.Factors, c.factors)
		}
	}
	if held.Cmp(farebox.MustMoney(c.output)) < 0 {
		t.Errorf("held $%s, and a thousand tokens of output alone cost $%s", held, c.output)
	}
}
