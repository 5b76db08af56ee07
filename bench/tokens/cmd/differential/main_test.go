package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(t.Context(), &out, "../../../../internal/bpe/testdata/corpus", 3, 2, 200, 2); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"seed 3: 200 cases", "seed 4: 200 cases", " 0 differ otherwise"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
	if err := run(t.Context(), &out, t.TempDir(), 1, 1, 1, 1); err == nil {
		t.Error("a folder without samples is no error")
	}
}
