package farebox_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// TestOpenRouterRecordSettles: a stream that breaks off is held, until OpenRouter is asked for its record of the call.
func TestOpenRouterRecordSettles(t *testing.T) {
	t.Parallel()
	const record = `{"data":{"id":"gen-1","total_cost":0.0025,"native_tokens_prompt":9,"native_tokens_completion":4}}`
	meter := newMeter(t, farebox.WithModels(house), farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1)}),
		farebox.WithBaseTransport(roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet {
				return reply(http.StatusOK, record, "Content-Type", "application/json"), nil
			}
			return reply(http.StatusOK, `data: {"id":"gen-1","choices":[{"index":0,"delta":{"content":"The"}}]}`+"\n\n", "Content-Type", "text/event-stream"), nil
		})))
	do := func(method, path, body string) {
		req, err := http.NewRequestWithContext(t.Context(), method, "https://openrouter.ai/api/v1/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := meter.HTTPClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Error(err)
		}
		_ = resp.Body.Close()
	}
	do(http.MethodPost, "chat/completions", `{"model":"house/model","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"a"}]}`)
	if held := ledger(meter)[0]; held.Source != farebox.Held || held.GenerationID != "gen-1" {
		t.Fatalf("source %s, generation %q", held.Source, held.GenerationID)
	}
	do(http.MethodGet, "generation?id=gen-2", "")
	want := ledger(meter)[0].Cost
	for _, id := range []string{"gen-1", "gen-1"} { // the second look changes nothing
		if spent := meter.Guard().Snapshot()[0].Spent; spent != want {
			t.Errorf("%s is spent, want %s", spent, want)
		}
		do(http.MethodGet, "generation?id="+id, "")
		want = farebox.MustMoney("0.0025")
	}
	if total := meter.Ledger().Total(); total.Cost != want || total.Attempts != 1 {
		t.Errorf("the ledger has %d attempts of %s, want 1 of %s", total.Attempts, total.Cost, want)
	}
}
