package bench

import (
	"fmt"
	"testing"
)

// BenchmarkGuard measures calls from many goroutines that all draw on the same budgets, beside calls without a budget:
// what the guard's lock costs where it is contended.
func BenchmarkGuard(b *testing.B) {
	provider := &Provider{}
	for _, budgets := range []int{0, 1, 4, 16} {
		for _, callers := range []int{1, 16, 128} {
			s, err := Metered(provider, BaseURL, Budgets(budgets))
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("budgets=%d/callers=%d-per-cpu", budgets, callers), func(b *testing.B) {
				Parallel(b, s, Text(ShortPrompt), callers)
			})
		}
	}
}
