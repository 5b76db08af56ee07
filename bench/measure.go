package bench

import (
	"context"
	"runtime"
	"testing"
)

// Sizes of prompts, in bytes.
const (
	ShortPrompt = 1 << 10
	LongPrompt  = 100 << 10
)

// Plain measures calls that are not streamed, one after another.
func Plain(b *testing.B, s Subject, prompt string) {
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Chat(ctx, prompt); err != nil {
			b.Fatal(err)
		}
	}
}

// Parallel measures calls that are not streamed, from many goroutines: callers for every processor.
func Parallel(b *testing.B, s Subject, prompt string, callers int) {
	ctx := context.Background()
	b.ReportAllocs()
	b.SetParallelism(callers)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.Chat(ctx, prompt); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// Stream measures streams of so many chunks, and reports time and allocations for each chunk, the call's own share
// included.
func Stream(b *testing.B, s Subject, prompt string, chunks int) {
	ctx := context.Background()
	b.ReportAllocs()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		n, err := s.Stream(ctx, prompt)
		if err != nil {
			b.Fatal(err)
		}
		if n < chunks {
			b.Fatalf("%d chunks came, want %d or more", n, chunks)
		}
	}
	runtime.ReadMemStats(&after)
	total := float64(b.N) * float64(chunks)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/total, "ns/chunk")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/total, "allocs/chunk")
}
