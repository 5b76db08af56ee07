package fareboxtest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"": 0, "a": 1, "abcd": 1, "abcde": 2, "€€": 2} {
		if got := Tokens(text); got != want {
			t.Errorf("%q is %d tokens, want %d", text, got, want)
		}
	}
}

func TestFirstTokens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		n := rapid.Int64Range(0, 20).Draw(t, "tokens")
		got := firstTokens(text, n)
		if !strings.HasPrefix(text, got) || !utf8.ValidString(got) {
			t.Fatalf("%q is cut to %q", text, got)
		}
		if want := min(n, Tokens(text)); Tokens(got) != want {
			t.Fatalf("%q is %d tokens, want %d", got, Tokens(got), want)
		}
	})
}

// TestLimited checks that a reply keeps to its limit, and loses nothing that fits.
func TestLimited(t *testing.T) {
	t.Parallel()
	word := rapid.StringMatching(`[a-z]{0,20}`)
	rapid.Check(t, func(t *rapid.T) {
		r := Reply{Text: word.Draw(t, "text"), Reasoning: word.Draw(t, "reasoning")}
		for range rapid.IntRange(0, 2).Draw(t, "tools") {
			r.ToolCalls = append(r.ToolCalls, ToolCall{Name: word.Draw(t, "name"), Arguments: word.Draw(t, "arguments")})
		}
		whole, reasoning, rest := r.limited(0)
		total := reasoning + rest
		limit := rapid.Int64Range(1, 20).Draw(t, "limit")
		cut, reasoning, rest := r.limited(limit)
		if reasoning+rest > limit || (total <= limit && reasoning+rest != total) {
			t.Fatalf("%d tokens of %d under a limit of %d", reasoning+rest, total, limit)
		}
		if (cut.FinishReason == "length") != (total > limit) || whole.FinishReason == "length" {
			t.Fatalf("finished with %q, %d tokens of %d", cut.FinishReason, reasoning+rest, total)
		}
		counted := reasoning + Tokens(cut.Text)
		for _, tool := range cut.ToolCalls {
			counted += tool.tokens()
		}
		if counted != reasoning+rest {
			t.Fatalf("says %d tokens, but carries %d", reasoning+rest, counted)
		}
	})
}

// TestEventsAddUp checks that the tokens of a stream's events are those of its answer: what is billed for a stream that
// is left at its end is what is billed for it whole.
func TestEventsAddUp(t *testing.T) {
	t.Parallel()
	text := rapid.StringMatching(`[a-z ]{0,60}`)
	rapid.Check(t, func(t *rapid.T) {
		p := newProvider(WithStyle(Style(rapid.IntRange(0, 1).Draw(t, "style"))), WithReply(func(Prompt) Reply {
			r := Reply{Text: text.Draw(t, "text"), ReasoningTokens: rapid.Int64Range(0, 9).Draw(t, "reasoning")}
			for range rapid.IntRange(0, 2).Draw(t, "tools") {
				r.ToolCalls = append(r.ToolCalls, ToolCall{Name: text.Draw(t, "name"), Arguments: text.Draw(t, "arguments")})
			}
			return r
		}))
		c := &call{op: chat, Model: SmallModel, Stream: true, N: rapid.IntRange(1, 3).Draw(t, "n")}
		a := p.answer("id", c)
		if usage, cost := a.partial(a.events(&Fault{})); usage != a.usage || cost != a.cost {
			t.Fatalf("the events come to %+v and %v, the answer to %+v and %v", usage, cost, a.usage, a.cost)
		}
	})
}

func FuzzReadCall(f *testing.F) {
	for _, seed := range []string{
		`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}`,
		`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url"}]},{"content":null}],"n":3}`,
		`{"model":"m","prompt":["a","b"],"max_tokens":5}`, `{"model":"m","prompt":[1,2,3]}`, `{"input":[[1],[2,3]]}`,
		`{"input":[]}`, `{"input":[[]]}`, `{"input":null}`, `{"input":{}}`, `{`, ``, `[]`, `{"n":-1,"max_tokens":-1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, op := range [...]operation{chat, completion, embeddings} {
			c, bad := readCall(op, body)
			if (bad == nil) != (json.Unmarshal(body, &call{}) == nil) {
				t.Fatalf("read with %v", bad)
			}
			if c.promptTokens() < 0 || c.choices() < 1 {
				t.Fatalf("%d tokens, %d choices", c.promptTokens(), c.choices())
			}
			c.asked(0)
			p := newProvider()
			if bad == nil && p.check(&http.Request{Header: http.Header{}}, c) == nil && c.choices() < 1000 {
				if a := p.answer("id", c); a.cost.Sign() < 0 || !json.Valid(a.json(&Fault{})) {
					t.Fatalf("the answer costs %v: %s", a.cost, a.json(&Fault{}))
				}
			}
		}
	})
}

func BenchmarkAnswer(b *testing.B) {
	p := newProvider(WithStyle(OpenRouter))
	c, _ := readCall(chat, []byte(`{"model":"test-small","messages":[{"role":"user","content":"Hello there!"}]}`))
	for _, stream := range []bool{false, true} {
		name := "json"
		if stream {
			name = "stream"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a := p.answer("gen-1", c)
				if stream {
					a.events(&Fault{})
				} else {
					a.json(&Fault{})
				}
			}
		})
	}
}
