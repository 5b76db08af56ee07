package farebox

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestIDsSortByTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.Int64Range(0, 1<<48-2)
		first, second := at.Draw(t, "first"), at.Draw(t, "second")
		a, b := newID(time.UnixMilli(first)), newID(time.UnixMilli(second))
		if first != second && (a < b) != (first < second) {
			t.Errorf("%s is of %d ms, %s of %d", a, first, b, second)
		}
		if first == second && a[:10] != b[:10] {
			t.Errorf("%s and %s are of the same moment", a, b)
		}
		for _, id := range []string{a, b} {
			if len(id) != 26 || strings.Trim(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != "" {
				t.Errorf("%q is no ULID", id)
			}
		}
	})
}

// TestIDTime compares with the example of the ULID specification.
func TestIDTime(t *testing.T) {
	t.Parallel()
	if id := newID(time.UnixMilli(1469918176385)); id[:10] != "01ARYZ6S41" {
		t.Errorf("newID makes %s, want it to start with 01ARYZ6S41", id)
	}
}

func TestIDsDiffer(t *testing.T) {
	t.Parallel()
	ids := make([]string, 20_000)
	for i := range ids {
		ids[i] = newID(noon)
	}
	slices.Sort(ids)
	if unique := len(slices.Compact(ids)); unique != 20_000 {
		t.Errorf("%d ids of 20000 differ", unique)
	}
}

func BenchmarkNewID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		newID(noon)
	}
}
