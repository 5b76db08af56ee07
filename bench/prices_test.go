package bench

import (
	"testing"
	"time"

	"github.com/farebox-go/farebox"
)

// BenchmarkLookup finds a model's prices by provider and name.
func BenchmarkLookup(b *testing.B) {
	catalog, err := farebox.NewCatalog()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := catalog.Find("openai", "gpt-4o-mini"); !ok {
			b.Fatal("not found")
		}
	}
}

// BenchmarkPrice prices a call of six quantities: a line for each, looked up, dated, exact.
func BenchmarkPrice(b *testing.B) {
	catalog, err := farebox.NewCatalog()
	if err != nil {
		b.Fatal(err)
	}
	usage := farebox.Usage{Input: 1200, CacheRead: 800, CacheWrite: 300, Output: 400, Reasoning: 200, WebSearches: 2}
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		computed, err := catalog.Cost("anthropic", "claude-sonnet-4-5", usage, at)
		if err != nil || !computed.Complete || len(computed.Lines) != 6 {
			b.Fatalf("%+v, %v", computed, err)
		}
	}
}
