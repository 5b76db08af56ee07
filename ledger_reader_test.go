package farebox_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/fareboxtest/ledgertest"
)

func TestLedgerInMemory(t *testing.T) {
	ledgertest.Run(t, func(_ *testing.T, entries []farebox.LedgerEntry) farebox.LedgerReader {
		var l farebox.Ledger
		for _, e := range entries {
			if e.Receipt != nil {
				l.Append(*e.Receipt)
			} else {
				l.Adjust(*e.Adjustment)
			}
		}
		return &l
	})
}

func TestLedgerFile(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T, entries []farebox.LedgerEntry) farebox.LedgerReader {
		return &farebox.LedgerFile{Path: writeLedgerFile(t, entries)}
	})
}

func TestLedgerFileCompressed(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T, entries []farebox.LedgerEntry) farebox.LedgerReader {
		return &farebox.LedgerFile{Path: compressed(t, writeLedgerFile(t, entries))}
	})
}

func writeLedgerFile(t *testing.T, entries []farebox.LedgerEntry) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "receipts.jsonl")
	file, err := farebox.OpenLineFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Receipt != nil {
			err = file.Receipt(*e.Receipt)
		} else {
			err = file.Adjustment(*e.Adjustment)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func compressed(t *testing.T, path string) string {
	t.Helper()
	plain, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var into bytes.Buffer
	w := gzip.NewWriter(&into)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path += ".gz"
	if err := os.WriteFile(path, into.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLedgerFileDamaged: what cannot be read is told, once, and the rest counts.
func TestLedgerFileDamaged(t *testing.T) {
	path := writeLedgerFile(t, []farebox.LedgerEntry{{Receipt: &farebox.Receipt{Schema: 1, ID: "1", CallID: "1", Cost: farebox.Cents(1)}}})
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"receipt":{"schema":1,"id":"cut` + "\n" + `{"adjustment":{` + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	var lines []int
	var read, size int64
	ledger := &farebox.LedgerFile{
		Path: filepath.Dir(path), Damaged: func(e *farebox.LineError) { lines = append(lines, e.Line) },
		Progress: func(r, s int64) { read, size = r, s },
	}
	spend, err := ledger.Spend(context.Background(), farebox.SpendQuery{})
	if err != nil || spend[0].Attempts != 1 || spend[0].Cost != farebox.Cents(1) {
		t.Errorf("%+v, %v", spend, err)
	}
	if len(lines) != 2 || lines[0] != 2 || lines[1] != 3 {
		t.Errorf("damaged lines %v, want 2 and 3", lines)
	}
	if read != size || size == 0 {
		t.Errorf("progress ended at %d of %d", read, size)
	}
	cut, err := os.ReadFile(compressed(t, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, cut[:len(cut)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Spend(context.Background(), farebox.SpendQuery{}); err == nil {
		t.Error("a compressed file that is cut was taken for whole")
	}
	if _, err := (&farebox.LedgerFile{Path: filepath.Join(t.TempDir(), "none")}).Call(context.Background(), "1"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestRepriceLedger: what was learned of an attempt's usage later is what is priced.
func TestRepriceLedger(t *testing.T) {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var l farebox.Ledger
	held := farebox.Receipt{Schema: 1, ID: "1", CallID: "1", Start: at, Endpoint: "openai", ModelAsked: "gpt-4o-mini", Model: "gpt-4o-mini", Source: farebox.Held}
	l.Append(held)
	catalog, err := farebox.NewCatalog()
	if err != nil {
		t.Fatal(err)
	}
	unpriced := 0
	for r, err := range catalog.RepriceLedger(context.Background(), &l, farebox.Filter{}, time.Time{}) {
		if err != nil || r.Unpriced == "" {
			t.Errorf("a usage that nobody knows: %+v, %v", r, err)
		}
		unpriced++
	}
	l.Adjust(farebox.Adjustment{Schema: 1, ReceiptID: "1", Usage: &farebox.Usage{Input: 1_000_000}})
	for r, err := range catalog.RepriceLedger(context.Background(), &l, farebox.Filter{}, time.Time{}) {
		if err != nil || r.Computation.Total != farebox.Cents(15) || r.Receipt.Source != farebox.Held {
			t.Errorf("%+v, %v; want $0.15 for a receipt as it was", r, err)
		}
		unpriced++
	}
	if unpriced != 2 {
		t.Errorf("%d receipts, want 2", unpriced)
	}
	for _, err := range catalog.RepriceLedger(context.Background(), &farebox.LedgerFile{Path: t.TempDir()}, farebox.Filter{}, time.Time{}) {
		if err == nil {
			t.Error("no file: no error")
		}
	}
}
