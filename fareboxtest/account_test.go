package fareboxtest_test

import (
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest"
)

func TestRequests(t *testing.T) {
	t.Parallel()
	p := newProvider(t, saying("Good day"))
	req, err := http.NewRequest(http.MethodPost, p.URL()+"/chat/completions", strings.NewReader(streaming("")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer secret")
	req.Header.Set("X-Title", "a test")
	resp, err := p.HTTPClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	get(t, p, "/models")
	fareboxtest.RequireRequests(t, p, 1)
	got := p.Requests()[0]
	if got.Path != "/v1/chat/completions" || got.Model != "test-small" || !got.Stream || string(got.Body) != streaming("") {
		t.Errorf("got %+v", got)
	}
	if got.Header.Get("Authorization") != "" || got.Header.Get("X-Title") != "a test" {
		t.Errorf("got header %v", got.Header)
	}
	if got.Usage != (fareboxtest.Usage{Prompt: 3, Completion: 2}) {
		t.Errorf("got usage %+v", got.Usage)
	}
	fareboxtest.RequireCost(t, p.Billed(), got.Billed)
}

// TestBill compares what is billed to the rates of farebox, in all their decimals.
func TestBill(t *testing.T) {
	t.Parallel()
	rate := rapid.Custom(func(t *rapid.T) farebox.Rate {
		return farebox.MustPerMillion(rapid.StringMatching(`\d{1,3}\.\d{1,6}`).Draw(t, "rate"))
	})
	rapid.Check(t, func(t *rapid.T) {
		rates := farebox.Rates{
			farebox.DimensionInput: rate.Draw(t, "input"), farebox.DimensionOutput: rate.Draw(t, "output"),
			farebox.DimensionCacheRead: rate.Draw(t, "cached"), farebox.DimensionReasoning: rate.Draw(t, "reasoning"),
			farebox.DimensionRequest: rate.Draw(t, "request"),
		}
		percent := rapid.IntRange(0, 100).Draw(t, "cached percent")
		prompt := rapid.IntRange(0, 400).Draw(t, "prompt bytes")
		text := rapid.IntRange(0, 400).Draw(t, "text bytes")
		thought := rapid.Int64Range(0, 100).Draw(t, "reasoning tokens")
		p := fareboxtest.NewProvider(fareboxtest.InMemory(),
			fareboxtest.WithModels(fareboxtest.Model{Name: "m", Rates: rates, CachedPercent: percent}),
			fareboxtest.WithReply(func(fareboxtest.Prompt) fareboxtest.Reply {
				return fareboxtest.Reply{Text: strings.Repeat("t", text), ReasoningTokens: thought}
			}))
		defer p.Close()
		resp, err := p.HTTPClient().Post(p.URL()+"/chat/completions", "application/json",
			strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"`+strings.Repeat("p", prompt)+`"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()

		input, output := int64(prompt+3)/4, int64(text+3)/4
		cached := input * int64(percent) / 100
		want := rates[farebox.DimensionInput].Times(input - cached).Add(rates[farebox.DimensionCacheRead].Times(cached)).
			Add(rates[farebox.DimensionOutput].Times(output)).Add(rates[farebox.DimensionReasoning].Times(thought)).
			Add(rates[farebox.DimensionRequest].Times(1))
		if got := p.Billed(); got != want {
			t.Fatalf("billed %v, want %v", got, want)
		}
	})
}

func TestReplySetsCost(t *testing.T) {
	t.Parallel()
	cost := farebox.Cents(7)
	p := newProvider(t, fareboxtest.WithStyle(fareboxtest.OpenRouter), fareboxtest.WithReply(func(prompt fareboxtest.Prompt) fareboxtest.Reply {
		return fareboxtest.Reply{Text: "searched", Cost: &cost}
	}))
	_, body, err := post(t, p, "/chat/completions", strings.TrimSuffix(hello, "}")+`,"n":2}`)
	if err != nil || !strings.Contains(body, `"cost":0.14,`) {
		t.Errorf("%v: %s", err, body)
	}
	fareboxtest.RequireCost(t, "0.14", p.Billed())
}

func TestDefaultReply(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	_, one, _ := post(t, p, "/chat/completions", hello)
	_, two, _ := post(t, p, "/chat/completions", hello)
	if !strings.Contains(one, "You asked: Hello there!") || strings.Replace(one, "0001", "0002", 1) != two && steady(strings.Replace(one, "0001", "0002", 1)) != steady(two) {
		t.Errorf("got %s\nthen %s", one, two)
	}
	if _, nothing, _ := post(t, p, "/completions", `{"model":"test-small"}`); !strings.Contains(nothing, "You asked: nothing at all.") {
		t.Errorf("got %s", nothing)
	}
}
