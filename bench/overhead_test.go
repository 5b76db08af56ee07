package bench

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// TestSubjects makes sure that what is measured is what is meant: every subject gets the provider's answer, and the
// metered ones have priced and recorded it.
func TestSubjects(t *testing.T) {
	provider := &Provider{Chunks: 3}
	server := httptest.NewServer(provider)
	t.Cleanup(server.Close)
	places := map[string]func() ([]Subject, error){
		"plain from memory":     func() ([]Subject, error) { return PlainSubjects(provider, BaseURL) },
		"streamed from memory":  func() ([]Subject, error) { return StreamSubjects(provider, BaseURL) },
		"plain over loopback":   func() ([]Subject, error) { return PlainSubjects(server.Client().Transport, server.URL+"/v1") },
		"stream over loopback":  func() ([]Subject, error) { return StreamSubjects(server.Client().Transport, server.URL+"/v1") },
		"raw from memory":       func() ([]Subject, error) { return RawSubjects(provider, BaseURL) },
		"many budgets, in one":  func() ([]Subject, error) { return collectOne(Client(provider, BaseURL, Budgets(16))) },
		"many budgets, go-open": func() ([]Subject, error) { return collectOne(Metered(provider, BaseURL, Budgets(16))) },
	}
	for place, subjects := range places {
		t.Run(place, func(t *testing.T) {
			list, err := subjects()
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range list {
				t.Run(s.Name, func(t *testing.T) { checkSubject(t, s) })
			}
		})
	}
}

func collectOne(s Subject, err error) ([]Subject, error) { return []Subject{s}, err }

func checkSubject(t *testing.T, s Subject) {
	ctx := context.Background()
	if err := s.Chat(ctx, Text(ShortPrompt)); err != nil {
		t.Fatalf("Chat: %v", err)
	}
	want := 4 // three with text and one with the reason to finish
	if strings.Contains(s.Name, "usage asked for") {
		want = 5 // and the one with the usage, which only this caller is to see
	}
	if n, err := s.Stream(ctx, Text(ShortPrompt)); err != nil || n != want {
		t.Fatalf("Stream: %d chunks, %v; want %d", n, err, want)
	}
	if s.Meter == nil {
		return
	}
	receipts := 0
	for r := range s.Meter.Ledger().Receipts(farebox.Filter{}) {
		receipts++
		if r.Source != farebox.Computed || r.Usage.InputTokens() != promptTokens || r.Usage.OutputTokens() != completionTokens || r.Cost.IsZero() {
			t.Errorf("receipt: %v", r)
		}
	}
	if receipts != 2 {
		t.Errorf("%d receipts of two calls", receipts)
	}
}

func BenchmarkPlain(b *testing.B) {
	provider := &Provider{}
	server := httptest.NewServer(provider)
	b.Cleanup(server.Close)
	for name, size := range map[string]int{"1KB": ShortPrompt, "100KB": LongPrompt} {
		prompt := Text(size)
		b.Run("memory/"+name, func(b *testing.B) {
			each(b, func() ([]Subject, error) { return PlainSubjects(provider, BaseURL) },
				func(b *testing.B, s Subject) { Plain(b, s, prompt) })
		})
		b.Run("loopback/"+name, func(b *testing.B) {
			each(b, func() ([]Subject, error) { return PlainSubjects(server.Client().Transport, server.URL+"/v1") },
				func(b *testing.B, s Subject) { Plain(b, s, prompt) })
		})
	}
}

func BenchmarkStream(b *testing.B) {
	for name, chunks := range map[string]int{"100": 100, "1000": 1000} {
		provider := &Provider{Chunks: chunks}
		b.Run(name, func(b *testing.B) {
			each(b, func() ([]Subject, error) { return StreamSubjects(provider, BaseURL) },
				func(b *testing.B, s Subject) { Stream(b, s, Text(ShortPrompt), chunks) })
		})
	}
}

func BenchmarkRawStream(b *testing.B) {
	provider := &Provider{Chunks: 1000}
	each(b, func() ([]Subject, error) { return RawSubjects(provider, BaseURL) },
		func(b *testing.B, s Subject) { Stream(b, s, Text(ShortPrompt), provider.Chunks) })
}

func BenchmarkParallel(b *testing.B) {
	each(b, func() ([]Subject, error) { return PlainSubjects(&Provider{}, BaseURL) },
		func(b *testing.B, s Subject) { Parallel(b, s, Text(ShortPrompt), 32) })
}

func each(b *testing.B, subjects func() ([]Subject, error), measure func(*testing.B, Subject)) {
	list, err := subjects()
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range list {
		b.Run(strings.ReplaceAll(s.Name, " ", "_"), func(b *testing.B) { measure(b, s) })
	}
}
