package wire_test

import (
	"strings"
	"testing"

	"github.com/farebox-go/farebox/internal/framing"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/bedrock"
	"github.com/farebox-go/farebox/internal/wire/cohere"
	"github.com/farebox-go/farebox/internal/wire/gemini"
	"github.com/farebox-go/farebox/internal/wire/ollama"
)

// words is a piece of an answer, of the length that providers send at once.
var words = strings.Repeat("a piece of the answer, some words long, ", 5)

// passing are a hundred chunks of streams as they pass: found in their framing and read.
var passing = []struct {
	name   string
	format wire.Format
	of     wire.Request
	kind   framing.Framing
	chunk  string
}{
	{"gemini", gemini.Format{}, wire.Request{Operation: wire.GenerateContent}, framing.ServerSent,
		`data: {"candidates": [{"content": {"parts": [{"text": "` + words + `"}],"role": "model"},"index": 0}],"usageMetadata": {"promptTokenCount": 5,"totalTokenCount": 5},"modelVersion": "gemini-3-flash","responseId": "x"}` + "\r\n\r\n"},
	{"gemini as an array", gemini.Format{}, wire.Request{Operation: wire.GenerateContent}, framing.JSONElements,
		`{"candidates": [{"content": {"parts": [{"text": "` + words + `"}],"role": "model"},"index": 0}],"usageMetadata": {"promptTokenCount": 5,"totalTokenCount": 5},"modelVersion": "gemini-3-flash","responseId": "x"}` + "\n,\r\n"},
	{"converse", bedrock.Format{}, wire.Request{Operation: wire.Chat}, framing.AWS,
		awsMessage("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"`+words+`"},"p":"abcdefghijklmnopqrstuvwxyzABCD"}`)},
	{"invoke", bedrock.Format{}, wire.Request{Operation: wire.GenerateContent, Model: "meta.llama3"}, framing.AWS,
		awsChunk(`{"generation":"` + words + `","prompt_token_count":null,"generation_token_count":2,"stop_reason":null}`)},
	{"cohere", cohere.Format{}, wire.Request{Operation: wire.Chat}, framing.ServerSent,
		"event: content-delta\ndata: " + `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"` + words + `"}}}}` + "\n\n"},
	{"ollama", ollama.Format{}, wire.Request{Operation: wire.Chat}, framing.Lines,
		`{"model":"llama3.2","created_at":"2026-11-01T10:00:00.1Z","message":{"role":"assistant","content":"` + words + `"},"done":false}` + "\n"},
}

// passer pushes chunks through a framing into a format's reader.
func passer(format wire.Format, of *wire.Request, kind framing.Framing) func(p []byte) {
	r := format.NewStreamReader(of)
	parser := kind.New(0)
	event := func(name, data []byte) { r.Event(name, data) }
	if kind == framing.JSONElements {
		parser.Write([]byte{'['}, event)
	}
	return func(p []byte) { parser.Write(p, event) }
}

func BenchmarkStreams(b *testing.B) {
	for _, c := range passing {
		b.Run(c.name, func(b *testing.B) {
			pass, chunks := passer(c.format, &c.of, c.kind), []byte(strings.Repeat(c.chunk, 100))
			b.SetBytes(int64(len(chunks)))
			b.ReportAllocs()
			for b.Loop() {
				pass(chunks)
			}
		})
	}
}

// TestPassingAllocsNothing: neither the framing nor the format allocates for a chunk, cut in two or not.
func TestPassingAllocsNothing(t *testing.T) {
	for _, c := range passing {
		pass, chunk := passer(c.format, &c.of, c.kind), []byte(c.chunk)
		pass(chunk)
		pass(chunk[:20])
		pass(chunk[20:])
		if n := testing.AllocsPerRun(100, func() {
			pass(chunk)
			pass(chunk[:20])
			pass(chunk[20:])
		}); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}
