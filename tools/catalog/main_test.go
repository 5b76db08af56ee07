package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/snapshot.tsv anew")

// offline are the flags by which run reads the small lists under testdata and asks no registry.
func offline(out string) []string {
	return []string{
		"-genai", "testdata/genai", "-genai-version", "9.9.9", "-genai-date", "2026-09-23",
		"-catwalk", "testdata/catwalk", "-catwalk-version", "v9.9.9", "-catwalk-date", "2026-08-19",
		"-aisdk", "testdata/aisdk", "-aisdk-version", "9.9.9", "-aisdk-date", "2026-09-24",
		"-out", out, "-v",
	}
}

// The snapshot of two small lists in the real form, as a whole: names, precedence, units, tiers, dates, facts.
func TestRun(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "snapshot.tsv")
	var log bytes.Buffer
	if err := run(t.Context(), offline(out), &log); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "snapshot.tsv")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, line := range []string{
		"openai/otter-2 input: 2 in genai-prices, 10 in catwalk",
		"disagreements over 1 %: 3",
		"left out: 1 models: makes images, and they have no price",
		"left out: 1 models: no price in catwalk, unknown in genai-prices",
		"left out: 1 models: no prices: free or unknown, nobody can tell",
		"left out: 2 models: no exact name of its own",
	} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("the summary lacks %q:\n%s", line, log.String())
		}
	}
}

func TestRunTwiceGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	var first []byte
	for range 10 {
		out := filepath.Join(t.TempDir(), "snapshot.tsv")
		if err := run(t.Context(), offline(out), &bytes.Buffer{}); err != nil {
			t.Fatal(err)
		}
		again, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = again
		}
		if !bytes.Equal(first, again) {
			t.Fatalf("got\n%s\nthen\n%s", first, again)
		}
	}
}

// Nothing is written where something is wrong.
func TestRunErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		flags []string // after those of offline
		want  string
	}{
		{"flag", []string{"-nonsense"}, "not defined"},
		{"other version", []string{"-genai-version", "1.0.0"}, "holds version 9.9.9, want 1.0.0"},
		{"date", []string{"-genai-date", "soon"}, "publication date"},
		{"no catwalk", []string{"-catwalk", "testdata/genai"}, "no provider files"},
		{"no genai-prices", []string{"-genai", "testdata/catwalk"}, "package.json"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "snapshot.tsv")
			err := run(t.Context(), append(offline(out), test.flags...), &bytes.Buffer{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if _, err := os.Stat(out); !os.IsNotExist(err) {
				t.Errorf("a snapshot was written: %v", err)
			}
		})
	}
}
