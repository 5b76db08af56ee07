package prompt

import (
	"encoding/json"
	"strings"
	"testing"
)

// benchBody is a chat of about 3 KB with a tool.
func benchBody(b testing.TB) []byte {
	b.Helper()
	sentence := "The quick brown fox jumps over the lazy dog, and \"nobody\" knows why.\n"
	body, err := json.Marshal(object{
		"model": "gpt-4o",
		"messages": []object{
			{"role": "system", "content": strings.Repeat(sentence, 10)},
			{"role": "user", "content": strings.Repeat(sentence, 30)},
		},
		"tools": []object{{"type": "function", "function": object{"name": "weather", "description": "Tells the weather.",
			"parameters": object{"type": "object", "properties": object{"city": object{"type": "string", "description": "A city."}}}}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	return body
}

func BenchmarkCount(b *testing.B) {
	body := benchBody(b)
	for _, model := range []string{"gpt-4o", "anthropic/claude-sonnet-4.5", "mistral-large-latest", "frobnicator"} {
		b.Run(model, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := Count(OpenAI, model, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLearner(b *testing.B) {
	var l Learner
	for i := range int64(100) {
		l.Observe("m", Estimate{Tokens: 100 + i}, 120+i)
	}
	b.Run("adjust", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Adjust("m", Estimate{Tokens: 100})
		}
	})
	b.Run("observe", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Observe("m", Estimate{Tokens: 100}, 120)
		}
	})
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	body := benchBody(t)
	for _, model := range []string{"gpt-4o", "anthropic/claude-sonnet-4.5", "frobnicator"} {
		if n := testing.AllocsPerRun(100, func() { _, _ = Count(OpenAI, model, body) }); n >= 1 {
			t.Errorf("Count for %s: %v allocations", model, n)
		}
	}
	for body, format := range map[string]Format{responsesBody: Responses, anthropicBody: Anthropic, geminiBody: Gemini} {
		raw := []byte(body)
		if n := testing.AllocsPerRun(100, func() { _, _ = Count(format, "claude-sonnet-4-5", raw) }); n >= 1 {
			t.Errorf("Count of %s: %v allocations", body, n)
		}
	}
	var l Learner
	for range 50 {
		l.Observe("m", Estimate{Tokens: 100}, 120)
	}
	if n := testing.AllocsPerRun(100, func() { l.Observe("m", l.Adjust("m", Estimate{Tokens: 100}), 120) }); n >= 1 {
		t.Errorf("learning: %v allocations", n)
	}
}
