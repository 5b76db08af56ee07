package bpe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpora gives the texts to measure with: the files of the folder FAREBOX_TOKEN_CORPUS, else those of testdata.
func corpora(tb testing.TB) map[string]string {
	tb.Helper()
	dir := os.Getenv("FAREBOX_TOKEN_CORPUS")
	if dir == "" {
		dir = "testdata/corpus"
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no corpus in %s: %v", dir, err)
	}
	texts := make(map[string]string)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		name := filepath.Base(path)
		texts[strings.TrimSuffix(name, filepath.Ext(name))] = string(text)
	}
	return texts
}

func mustEncoding(tb failer, name string) *Encoding {
	tb.Helper()
	e, err := ByName(name)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// sink keeps the compiler from leaving out what is measured.
var sink int

func BenchmarkCount(b *testing.B) {
	for name, text := range corpora(b) {
		for _, encoding := range []string{"o200k_base", "cl100k_base"} {
			e := mustEncoding(b, encoding)
			b.Run(encoding+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					sink = e.Count(text)
				}
			})
		}
	}
}

// BenchmarkReference is tiktoken-go at the work of BenchmarkCount.
func BenchmarkReference(b *testing.B) {
	ref := reference(b, "o200k_base")
	for name, text := range corpora(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				sink = len(ref.EncodeOrdinary(text))
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	e := mustEncoding(b, "o200k_base")
	for name, text := range corpora(b) {
		b.Run(name, func(b *testing.B) {
			var tokens []uint32
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				tokens = e.Encode(tokens[:0], text)
			}
		})
	}
}

// BenchmarkHostile counts texts that are slow to merge without care.
func BenchmarkHostile(b *testing.B) {
	e := mustEncoding(b, "o200k_base")
	for name, text := range hostile(100_000) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				sink = e.Count(text)
			}
		})
	}
}

// BenchmarkLoad builds the tables of an encoding.
func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := newVocabulary(o200kMerges, 0); err != nil {
			b.Fatal(err)
		}
	}
}
