package farebox_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
)

func TestReadLedger(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "receipts.jsonl")
	file, err := farebox.OpenLineFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	receipt := farebox.Receipt{Schema: 1, ID: "a", Start: time.Now().UTC().Round(0), Cost: farebox.Cents(3), Tags: farebox.Tags{"team": "search"}}
	adjustment := farebox.Adjustment{Schema: 1, ReceiptID: "a", Amount: farebox.MustMoney("-0.01"), At: receipt.Start}
	for _, err := range []error{file.Receipt(receipt), file.Adjustment(adjustment), file.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := "\n" + string(written) + "{}\nnull\n" + `{"receipt":{"schema":99}}` + "\n" + `{"receipt":{"schema":1,"id":"cut`
	var entries []farebox.LedgerEntry
	var bad []int
	for entry, err := range farebox.ReadLedger(strings.NewReader(text)) {
		var line *farebox.LineError
		switch {
		case errors.As(err, &line):
			bad = append(bad, line.Line)
		case err != nil:
			t.Fatal(err)
		default:
			entries = append(entries, entry)
		}
	}
	want := []farebox.LedgerEntry{{Receipt: &receipt}, {Adjustment: &adjustment}}
	if !reflect.DeepEqual(entries, want) {
		t.Errorf("read %+v, want %+v", entries, want)
	}
	if !reflect.DeepEqual(bad, []int{4, 5, 6, 7}) {
		t.Errorf("lines that cannot be read: %v", bad)
	}
	for range farebox.ReadLedger(strings.NewReader(text)) {
		break // ends at once
	}
}

// FuzzReadLedger: whatever is in a file, reading it ends, and what is read can be written again.
func FuzzReadLedger(f *testing.F) {
	f.Add(`{"receipt":{"schema":1,"id":"a","cost":"0.03"}}` + "\n" + `{"adjustment":{"schema":1,"amount":"-1"}}`)
	f.Add(`{"receipt":{"cost":1e400}}`)
	f.Fuzz(func(t *testing.T, text string) {
		for entry, err := range farebox.ReadLedger(strings.NewReader(text)) {
			if err == nil && (entry.Receipt == nil) == (entry.Adjustment == nil) {
				t.Errorf("an entry of nothing, or of two things: %+v", entry)
			}
		}
	})
}
