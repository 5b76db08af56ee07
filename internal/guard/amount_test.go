package guard

import (
	"math"
	"testing"
)

func TestSumsPinInsteadOfOverflowing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ a, b, want int64 }{
		{0, 0, 0},
		{1, 2, 3},
		{math.MaxInt64 - 1, 0, math.MaxInt64 - 1},
		{math.MaxInt64 - 1, 1, pinned},
		{math.MaxInt64 - 1, 2, pinned},
		{math.MaxInt64, math.MaxInt64, pinned},
		{0, pinned, pinned},
	} {
		if got := add(tc.a, tc.b); got != tc.want {
			t.Errorf("add(%d, %d) = %d, want %d", tc.a, tc.b, got, tc.want)
		}
		if got := add(tc.b, tc.a); got != tc.want {
			t.Errorf("add(%d, %d) = %d, want %d", tc.b, tc.a, got, tc.want)
		}
	}
	if got := sub(pinned, 5); got != pinned {
		t.Errorf("a pinned sum came loose: %d", got)
	}
	if got := sub(7, 5); got != 2 {
		t.Errorf("sub(7, 5) = %d", got)
	}
}
