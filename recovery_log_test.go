package farebox

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// answered is a base transport that answers everything in the same way, and counts it.
type answered struct{ calls int }

func (a *answered) RoundTrip(r *http.Request) (*http.Response, error) {
	a.calls++
	body := `{"id":"1","object":"chat.completion","model":"dime","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},` +
		`"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}`
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// TestAttemptsCannotBeWritten: a call that nobody could tell of after a crash is not sent on borrowed money, or not on that.
func TestAttemptsCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, admitted := range []bool{false, true} {
		base := &answered{}
		options := []MeterOption{
			WithBaseTransport(base), WithEndpoint(OpenAI("key")), WithJournal(t.TempDir()), WithBudget(Budget{Name: "total", Cap: Dollars(1)}),
			WithPrice("dime", Rates{DimensionRequest: MustRate("0.10"), DimensionInput: {}, DimensionOutput: {}}),
		}
		if admitted {
			options = append(options, WithAdmissionWithoutStore())
		}
		m, err := NewMeter(options...)
		if err != nil {
			t.Fatal(err)
		}
		call := func() error {
			resp, err := m.HTTPClient().Post("https://api.openai.com/v1/chat/completions", "application/json",
				strings.NewReader(`{"model":"dime","messages":[{"role":"user","content":"hello"}]}`))
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, resp.Body)
			return errors.Join(err, resp.Body.Close())
		}
		if err := call(); err != nil {
			t.Fatal(err)
		}
		if err := m.attempts.Close(); err != nil {
			t.Fatal(err)
		}
		err = call()
		sent := base.calls == 2
		if sent != admitted || admitted != (err == nil) || err != nil && !errors.Is(err, ErrStoreUnavailable) {
			t.Errorf("admitted without a store %v: sent %v, %v", admitted, sent, err)
		}
		if newest := last(m); sent && !newest.HasFlag(FlagWithoutStore) {
			t.Errorf("receipt %s is not flagged", newest)
		}
		if held := m.Guard().Snapshot()[0].Held; !held.IsZero() {
			t.Errorf("%s stays held", held)
		}
		_ = m.Close(context.Background()) // which tells of the log
	}
}

func last(m *Meter) (newest Receipt) {
	for r := range m.Ledger().Receipts(Filter{}) {
		newest = r
	}
	return newest
}
