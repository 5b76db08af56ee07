package bench

import (
	"context"
	"testing"
)

// TestCounterMemory: a million values of a tag fit in 200 MB. Fewer are measured here, beside which the ledger's and the
// transport's own memory weighs more; cmd/guard measures the million.
func TestCounterMemory(t *testing.T) {
	const values = 20_000
	taken, err := CounterMemory(context.Background(), values)
	if err != nil {
		t.Fatal(err)
	}
	if each := taken / values; each > 350 {
		t.Errorf("%d bytes a value", each)
	}
}
