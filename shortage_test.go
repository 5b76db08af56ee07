package farebox_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farebox-go/farebox"
)

func TestShortage(t *testing.T) {
	t.Parallel()
	december := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		status int
		body   string
		want   farebox.Shortage
		reset  time.Time
	}{
		{402, `{"error":{"code":402,"message":"Insufficient credits. Add more"}}`, farebox.ShortageCredits, time.Time{}},
		{429, `{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}`, farebox.ShortageCredits, time.Time{}},
		{400, `{"error":{"message":"Your credit balance is too low to access the Anthropic API."}}`, farebox.ShortageCredits, time.Time{}},
		{400, `{"error":{"message":"You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."}}`, farebox.ShortageLimit, december},
		{403, `{"error":{"code":403,"message":"Key limit exceeded (total limit)."}}`, farebox.ShortageLimit, time.Time{}},
		{403, `{"error":{"code":403,"message":"Over","metadata":{"limit_source":"workspace","resets_at":"2026-12-01T00:00:00Z"}}}`, farebox.ShortageLimit, december},
		{429, `{"error":{"message":"Hard limit","code":"billing_hard_limit_reached"}}`, farebox.ShortageLimit, time.Time{}},
		{402, `{"error":{"code":402,"message":"This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can only afford 30104."}}`, farebox.ShortageTooDear, time.Time{}},
		{402, `{"error":{"code":402,"message":"m","metadata":{"reason":"in_flight_budget_exhausted"}}}`, farebox.ShortageInFlight, time.Time{}},
		{429, `{"error":{"message":"slow down"}}`, "", time.Time{}},
		{403, `{"error":{"message":"no"}}`, "", time.Time{}},
	} {
		client := newClient(t, openAIAt(serve(t, answers(test.status, test.body))), noRetry)
		_, err := client.CreateChatCompletion(t.Context(), chatRequest())
		var api *farebox.APIError
		if !errors.As(err, &api) || api.Shortage() != test.want || !api.ResetAt.Equal(test.reset) {
			t.Errorf("%s: %v: shortage %q, reset %v, want %q, %v", test.body, err, api.Shortage(), api.ResetAt, test.want, test.reset)
		}
	}
}

// An endpoint without money is asked again when its limit is reset, or after a minute; before, only where there is no other.
func TestCooldown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		cools  time.Duration
	}{
		"credits":   {402, `{"error":{"code":402,"message":"Insufficient credits"}}`, time.Minute},
		"limit":     {403, `{"error":{"message":"m","metadata":{"limit_source":"key","resets_at":%q}}}`, time.Hour},
		"too dear":  {402, `{"error":{"message":"m","metadata":{"reason":"weight_exceeds_budget"}}}`, 0},
		"not money": {404, `{"error":{"message":"no such model"}}`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				body, broke := test.body, true
				if name == "limit" {
					body = fmt.Sprintf(body, time.Now().Add(test.cools).Format(time.RFC3339))
				}
				asked := map[string]int{}
				client, err := farebox.New(farebox.Compatible("first", "https://first.test/v1", coinKey), noRetry,
					farebox.WithEndpoint(farebox.Compatible("second", "https://second.test/v1", coinKey)),
					farebox.WithModelChoice("smart", farebox.Fallback(farebox.On("first", "a"), farebox.On("second", "b"))),
					farebox.WithBaseTransport(roundTripper(func(req *http.Request) (*http.Response, error) {
						asked[req.URL.Host]++
						if broke && req.URL.Host == "first.test" {
							return reply(test.status, body), nil
						}
						return reply(200, chatAnswer), nil
					})))
				must(t, err)
				request := chatRequest()
				request.Model = "smart"
				call := func(first int) {
					t.Helper()
					_, err := client.CreateChatCompletion(t.Context(), request)
					must(t, err)
					if asked["first.test"] != first {
						t.Errorf("the first place was asked %d times, want %d", asked["first.test"], first)
					}
				}
				call(1)
				if test.cools == 0 {
					call(2)
					return
				}
				call(1)
				time.Sleep(test.cools - 1)
				call(1)
				time.Sleep(time.Nanosecond)
				broke = false
				call(2)
				call(3)
			})
		})
	}
}
