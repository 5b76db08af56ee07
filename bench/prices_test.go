package bench

import (
	"testing"
	"time"

	"charm.land/catwalk/pkg/catwalk"
	"charm.land/catwalk/pkg/embedded"

	"github.com/farebox-go/farebox"
)

// BenchmarkLookup finds a model's prices by provider and name. catwalk has a list and no look-up: its users walk it.
func BenchmarkLookup(b *testing.B) {
	b.Run("farebox", func(b *testing.B) {
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
	})
	b.Run("catwalk", func(b *testing.B) {
		providers := embedded.GetAll()
		b.ReportAllocs()
		for b.Loop() {
			if walk(providers, "openai", "gpt-4o-mini") == nil {
				b.Fatal("not found")
			}
		}
	})
}

func walk(providers []catwalk.Provider, provider, name string) *catwalk.Model {
	for i := range providers {
		if string(providers[i].ID) != provider {
			continue
		}
		for j := range providers[i].Models {
			if providers[i].Models[j].ID == name {
				return &providers[i].Models[j]
			}
		}
	}
	return nil
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
