package main

import (
	"strings"
	"testing"
)

func TestExample(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(&out); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(out.String(), "computed"); lines != 5 {
		t.Errorf("%d receipts, want 5:\n%s", lines, out.String())
	}
}
