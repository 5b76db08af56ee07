package tokens

import (
	"context"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farebox-go/farebox/bench/tokens/internal/runner"
)

func newDifferential(t *testing.T) *Differential {
	t.Helper()
	samples, err := Samples(SamplesFolder)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDifferential(samples)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDifferential is the short run. The long one is a command: cmd/differential.
func TestDifferential(t *testing.T) {
	t.Parallel()
	d := newDifferential(t)
	n := int64(20_000)
	if testing.Short() {
		n = 2_000
	}
	r := d.Run(t.Context(), 0, n, 2)
	if r.Cases != n || r.Bytes < 10*n {
		t.Errorf("%d cases of %d bytes, want %d", r.Cases, r.Bytes, n)
	}
	for _, difference := range r.Differences {
		t.Error(difference)
	}
}

// TestDifferentialFinds holds that a counter that is wrong is found out, and that only letters which tiktoken-go does not
// know excuse a difference.
func TestDifferentialFinds(t *testing.T) {
	t.Parallel()
	const newer = "\U0001e5d0" // a letter of Unicode 16
	runes := func(text string) int { return utf8.RuneCountInString(text) }
	for _, test := range []struct {
		name       string
		got        runner.Count
		sample     string
		finds      bool
		excusesAny bool
	}{
		{name: "the same", got: runes, sample: "ab"},
		{name: "one more for every text", sample: "ab", finds: true,
			got: func(text string) int { return runes(text) + 1 }},
		{name: "one more where the newer letter is", sample: newer, excusesAny: true,
			got: func(text string) int { return runes(text) + strings.Count(text, newer) }},
		{name: "one more for every text, with the newer letter", sample: newer, finds: true,
			got: func(text string) int { return runes(text) + 1 }},
	} {
		d := Differential{
			generator: Generator{vocabulary: []string{test.sample}, samples: []string{test.sample}},
			pairs:     []pair{{"runes", test.got, runes}},
		}
		r := d.Run(t.Context(), 1, 500, 1)
		if found := len(r.Differences) > 0; found != test.finds || r.Newer > 0 != test.excusesAny {
			t.Errorf("%s: %d differences, %d excused", test.name, len(r.Differences), r.Newer)
		}
		for _, d2 := range r.Differences[:min(5, len(r.Differences))] {
			if again := d.generator.Text(d2.Seed, d2.Number); again != d2.Text || !strings.Contains(d2.String(), "case ") {
				t.Errorf("%v is %q when made again", d2, again)
			}
		}
	}
}

func TestDifferentialStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := newDifferential(t).Run(ctx, 1, 1_000_000, 2); r.Cases != 0 {
		t.Errorf("%d cases after the end of the context", r.Cases)
	}
	if _, err := NewDifferential(nil); err == nil {
		t.Error("no samples are no error")
	}
}

// TestWorkers holds that the cases are the same however many work on them.
func TestWorkers(t *testing.T) {
	t.Parallel()
	wrong := Differential{
		generator: Generator{vocabulary: []string{"token"}, samples: []string{"sample"}},
		pairs:     []pair{{"none", func(string) int { return 0 }, func(text string) int { return 1 + len(text) }}},
	}
	numbers := func(workers int) (n []uint64) {
		for _, d := range wrong.Run(t.Context(), 7, 300, workers).Differences {
			n = append(n, d.Number)
		}
		slices.Sort(n)
		return n
	}
	if one, three := numbers(1), numbers(3); len(one) != 300 || !slices.Equal(one, three) {
		t.Errorf("one worker finds %d cases, three find %d", len(one), len(three))
	}
}

func TestGenerator(t *testing.T) {
	t.Parallel()
	g := Generator{vocabulary: []string{"to", " ken"}, samples: []string{"a sample, 見本", "x"}}
	var invalid, long, han int
	distinct := make(map[string]bool)
	for number := range uint64(5000) {
		text := g.Text(1, number)
		if text == "" || text != g.Text(1, number) {
			t.Fatalf("case %d: %q, then %q", number, text, g.Text(1, number))
		}
		distinct[text] = true
		invalid += btoi(!utf8.ValidString(text))
		long += btoi(len(text) > 200)
		han += btoi(strings.Contains(text, "見"))
	}
	if len(distinct) < 3000 || invalid < 100 || long < 10 || han < 100 {
		t.Errorf("%d distinct texts, %d not UTF-8, %d long, %d with a character of the sample",
			len(distinct), invalid, long, han)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestKnown(t *testing.T) {
	t.Parallel()
	const text = "aé中😀 \n\x00\u0301٣\ue000"
	if got := strings.Map(Known, "ſ"+text+"\U0001e5d0\U00013c9c\u0378"); got != text {
		t.Errorf("of what is known %q is left", got)
	}
}
