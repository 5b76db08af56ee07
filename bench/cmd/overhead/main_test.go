package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMeasureTakesTurnsAndKeepsTheQuickest(t *testing.T) {
	t.Parallel()
	var order []int
	rounds := []figure{{ns: 5, allocs: 1}, {ns: 7, allocs: 2}, {ns: 3, allocs: 3}, {ns: 9, allocs: 4}}
	got := measure(2, 2, func(i int) figure {
		order = append(order, i)
		return rounds[len(order)-1]
	})
	if !slices.Equal(order, []int{0, 1, 0, 1}) {
		t.Errorf("measured in the order %v", order)
	}
	if want := []figure{{ns: 3, allocs: 3}, {ns: 7, allocs: 2}}; !slices.Equal(got, want) {
		t.Errorf("quickest %v, want %v", got, want)
	}
}

func TestSlope(t *testing.T) {
	t.Parallel()
	// A call of 1,000 ns and 10 allocations, and 20 ns and 3 allocations for each chunk.
	got := slope(figure{ns: 3000, allocs: 310}, figure{ns: 21000, allocs: 3010}, 900)
	if want := (figure{ns: 20, allocs: 3}); got != want {
		t.Errorf("a chunk costs %v, want %v", got, want)
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		ns, scale float64
		want      string
	}{
		{12_340, 25_000, "12.3 µs"},
		{900, 25_000, "0.9 µs"},
		{170, 4_000, "170 ns"},
	} {
		if got := duration("%.1f µs", "%.0f ns", test.ns, test.scale); got != test.want {
			t.Errorf("%v ns beside %v ns is %q, want %q", test.ns, test.scale, got, test.want)
		}
	}
}

func TestTables(t *testing.T) {
	var out strings.Builder
	if err := run(&out, 1, time.Microsecond); err != nil {
		t.Fatal(err)
	}
	tables := strings.Split(out.String(), "###")
	if len(tables) != 5 {
		t.Fatalf("%d tables, want 4:\n%s", len(tables)-1, out.String())
	}
	for _, table := range tables[1:4] {
		if !strings.Contains(table, "| go-openai | 1.00 |") || !strings.Contains(table, "| farebox.Client | ") {
			t.Errorf("a table lacks a client:%s", table)
		}
	}
	if err := run(&out, 0, time.Microsecond); err == nil {
		t.Error("no rounds at all are no error")
	}
}
