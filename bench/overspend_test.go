package bench

import (
	"context"
	"strings"
	"testing"

	"github.com/farebox-go/farebox"
)

// TestOverspend sends 256 calls of $0.10 at once under a cap of $1.00. Run it with -v for the table.
func TestOverspend(t *testing.T) {
	all, err := Stampedes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	if err := WriteStampedes(&table, all...); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + table.String())

	if ours := all[0]; ours.Admitted != 10 || ours.Billed != farebox.Dollars(1) || ours.Books != ours.Billed {
		t.Errorf("farebox admitted %d calls, billed %s, and its books say %s; want 10 calls for exactly the cap", ours.Admitted, ours.Billed, ours.Books)
	}
	for _, theirs := range all[1:] {
		if theirs.Admitted != StampedeCalls || !StampedeCap.Less(theirs.Billed) {
			t.Errorf("%s: admitted %d of %d: the calls were not in flight together", theirs.Name, theirs.Admitted, StampedeCalls)
		}
	}
	if agentBudget := all[1]; agentBudget.Books != StampedeCap {
		t.Errorf("%s: the books say %s", agentBudget.Name, agentBudget.Books)
	}
}
