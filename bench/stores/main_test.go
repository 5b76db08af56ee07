package main

import (
	"testing"
	"time"

	"github.com/farebox-go/farebox/store"
)

// TestMeasure: what is measured is done, in every goroutine, and the slowest are no quicker than the rest.
func TestMeasure(t *testing.T) {
	for how, op := range map[string]func(int) error{
		"borrowed ahead": borrowed(new(store.Memory), "memory"),
		"one by one":     oneByOne(new(store.Memory), "memory", 3),
	} {
		counts := make([]int, 3)
		r := measure("memory", how, len(counts), 20*time.Millisecond, func(goroutine int) error {
			counts[goroutine]++
			return op(goroutine)
		})
		for goroutine, n := range counts {
			if n == 0 {
				t.Errorf("%s: goroutine %d did nothing", how, goroutine)
			}
		}
		if r.PerSecond <= 0 || r.P50 > r.P99 || r.P99 > r.P999 {
			t.Errorf("%s: %+v", how, r)
		}
	}
}

// TestBenchLedger: every receipt is written and counted, which the benchmark checks with its questions.
func TestBenchLedger(t *testing.T) {
	benchLedger(3000, t.TempDir())
}
