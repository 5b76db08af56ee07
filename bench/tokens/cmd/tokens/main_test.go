package main

import (
	"strings"
	"testing"
	"time"

	"github.com/farebox-go/farebox/bench/tokens"
)

func TestTable(t *testing.T) {
	t.Parallel()
	texts := []tokens.Text{{Name: "short", Text: strings.Repeat("a", 1000)}, {Name: "long", Text: strings.Repeat("b", 4000)}}
	rows := []tokens.Row{
		{Library: tokens.Library{Name: "first", Allocates: true}, Figures: []tokens.Figure{
			{Tokens: 10, Time: 10 * time.Microsecond}, {Tokens: 40, Time: 20 * time.Microsecond},
		}},
		{Library: tokens.Library{Name: "second"}, Figures: []tokens.Figure{
			{Tokens: 10, Time: 25 * time.Microsecond, Allocs: 2}, {Tokens: 41, Time: 2 * time.Millisecond},
		}},
	}
	for _, test := range []struct {
		name          string
		write         cell
		first, second string
	}{
		{"rate", rate, "| first | 100 | 200 |", "| second | 40 | 2.0* |"},
		{"ratio", ratio, "| first | 1.0 | 1.0 |", "| second | 2.5 | 100* |"},
		{"allocs", allocs, "| first | 0 | 0 |", "| second | – | –* |"},
		{"millis", millis, "| first | 0.01 | 0.02 |", "| second | 0.03 | 2.0* |"},
	} {
		var out strings.Builder
		table(&out, test.name, texts, rows, test.write)
		for _, want := range []string{"### " + test.name, "| library | short | long |", test.first, test.second, "another number"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in:\n%s", test.name, want, out.String())
			}
		}
	}
}

func TestAllocs(t *testing.T) {
	t.Parallel()
	f := tokens.Figure{Allocs: 3}
	if got := allocs(tokens.Library{Allocates: true}, "a text of 21 bytes...", f, f); got != "142857" {
		t.Errorf("3 allocations for 21 bytes are %s for a MB", got)
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for n, want := range map[float64]string{0.094: "0.09", 1.04: "1.0", 9.94: "9.9", 9.96: "10", 123.4: "123"} {
		if got := number(n); got != want {
			t.Errorf("number(%v) = %s, want %s", n, got, want)
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for _, s := range []settings{
		{encoding: "o200k_base", samples: t.TempDir(), rounds: 1},
		{encoding: "o200k_base", rounds: 0},
		{encoding: "of-nobody", rounds: 1},
	} {
		var out strings.Builder
		if err := run(&out, s); err == nil {
			t.Errorf("%+v gives:\n%s", s, out.String())
		}
	}
}
