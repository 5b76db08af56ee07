package openai_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/openai"
)

// ordinaryChunks are chunks as most of a stream consists of.
var ordinaryChunks = map[string]string{
	"openai": `{"id":"chatcmpl-Bx1","object":"chat.completion.chunk","created":1784728648,"model":"gpt-5-2025-08-07",` +
		`"service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{"content":" Paris"},` +
		`"finish_reason":null}],"usage":null,"obfuscation":"vsPllEDPEHe"}`,
	"openrouter": `{"id":"gen-1762179802-UN8p","provider":"Minimax","model":"minimax/minimax-m2","object":` +
		`"chat.completion.chunk","created":1762179802,"choices":[{"index":0,"delta":{"role":"assistant","content":` +
		`"We need","reasoning":null,"reasoning_details":[]},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}`,
}

func BenchmarkStreamChunk(b *testing.B) {
	for name, text := range ordinaryChunks {
		b.Run(name, func(b *testing.B) {
			r := openai.Format{}.NewStreamReader(&wire.Request{Operation: wire.Chat})
			data := []byte(text)
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				r.Event(nil, data)
			}
		})
	}
}

// chatRequest is a request of about the given size, half of it in one long message.
func chatRequest(size int) []byte {
	var b strings.Builder
	b.WriteString(`{"model":"openai/gpt-4o-mini","stream":true,"temperature":0.2,"messages":[{"role":"system","content":"`)
	b.WriteString(strings.Repeat("You answer briefly, and in verse. ", size/68))
	b.WriteString(`"}`)
	for i := 0; b.Len() < size-100; i++ {
		fmt.Fprintf(&b, `,{"role":"user","content":[{"type":"text","text":"line %d\nof \"many\", each with a few words in it"}]}`, i)
	}
	b.WriteString(`],"max_tokens":100}`)
	return []byte(b.String())
}

func BenchmarkReadRequest(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			body := chatRequest(size)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := (openai.Format{}).ReadRequest(wire.Chat, wire.Target{Path: "/v1/chat/completions"}, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// largeBody is an answer of about 10 MB that consists of what fill gives.
func largeBody(start, fill, end string) []byte {
	return []byte(start + strings.Repeat(fill, (10<<20)/len(fill)) + end)
}

const usageTail = `"usage":{"prompt_tokens":9,"completion_tokens":7,"total_tokens":16}}`

var largeBodies = map[string][]byte{
	"embeddings": largeBody(`{"object":"list","data":[{"embedding":[`, "-0.0069292834,0.0053364160,", `0]}],`+usageTail),
	"base64":     largeBody(`{"data":[{"embedding":"`, "l3PEuVAdqrsbMRq8", `"}],`+usageTail),
	"text": largeBody(`{"choices":[{"message":{"content":"`, `A line of prose with \"quotes\" in it,\nthen another. `,
		`"},"finish_reason":"stop"}],`+usageTail),
	"objects": largeBody(`{"citations":[`, `{"url":"https://example.com/a","title":"An example"},`, `{}],`+usageTail),
}

func BenchmarkBody(b *testing.B) {
	for name, body := range largeBodies {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				r := openai.Format{}.NewBodyReader(&wire.Request{Operation: wire.Chat})
				for rest := body; len(rest) > 0; {
					n := min(32<<10, len(rest))
					r.Write(rest[:n])
					rest = rest[n:]
				}
				if a := r.Answer(); !a.UsageSeen || !a.Done {
					b.Fatal("the usage was not found")
				}
			}
		})
	}
}
