package farebox_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// TestRecordedBackground replays the recordings in which answers are made in the background, each in its order through a Meter of
// its own: what an answer consumed is booked once, however often it was looked at.
func TestRecordedBackground(t *testing.T) {
	cassettes := map[string][]*exchange{}
	polled := map[string]bool{}
	for _, x := range recordedExchanges(t) {
		if x.api != "openai.responses" {
			continue
		}
		file, _, _ := strings.Cut(x.name, "#")
		cassettes[file] = append(cassettes[file], x)
		polled[file] = polled[file] || x.Request.Method == "GET"
	}
	server := newReplayServer(t)
	for file := range polled {
		if !polled[file] {
			continue
		}
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			r := newReplayer(t, server)
			want := map[string]farebox.Usage{}
			for _, x := range cassettes[file] {
				r.throughTransport(t, x)
				x.consumed(t, want)
			}
			got := farebox.Usage{}
			for receipt := range r.meter.Ledger().Receipts(farebox.Filter{}) {
				addTokens(&got, receipt.Usage)
			}
			for _, adjustment := range r.meter.Ledger().Adjustments() {
				if adjustment.Usage != nil {
					addTokens(&got, *adjustment.Usage)
				}
			}
			var sum farebox.Usage
			for _, usage := range want {
				addTokens(&sum, usage)
			}
			if got.Input != sum.Input || got.Output != sum.Output {
				t.Errorf("booked %d in and %d out, want %d and %d", got.Input, got.Output, sum.Input, sum.Output)
			}
		})
	}
}

// addTokens adds up all input and all output.
func addTokens(sum *farebox.Usage, u farebox.Usage) {
	sum.Input += u.InputTokens()
	sum.Output += u.OutputTokens()
}

// consumed notes what an exchange says that its answer consumed, under the answer's id.
func (x *exchange) consumed(t *testing.T, by map[string]farebox.Usage) {
	t.Helper()
	if x.usage == nil {
		return
	}
	stated := statedCounts(t, x.usage)
	var body struct{ ID string }
	if x.Response.SSE == nil {
		_ = json.Unmarshal(x.Response.Body, &body)
	} else {
		_, after, _ := strings.Cut(*x.Response.SSE, `"id":"resp_`)
		id, _, _ := strings.Cut(after, `"`)
		body.ID = "resp_" + id
	}
	by[body.ID] = farebox.Usage{Input: stated["input_tokens"], Output: stated["output_tokens"]}
}
