package farebox_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
	"pgregory.net/rapid"
)

func openLines(t testing.TB, name string, fsync bool) *farebox.LineFile {
	t.Helper()
	file, err := farebox.OpenLineFile(name, fsync)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// readLines reads a file of lines; a line that is no JSON is nil.
func readLines(t testing.TB, name string) []*fileLine {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var all []*fileLine
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := new(fileLine)
		if json.Unmarshal(lines.Bytes(), line) != nil {
			line = nil
		}
		all = append(all, line)
	}
	return all
}

// wholeReceipt draws receipts with what is hard to carry through JSON: large and small amounts, odd text, nanoseconds.
func wholeReceipt() *rapid.Generator[farebox.Receipt] {
	return rapid.Custom(func(t *rapid.T) farebox.Receipt {
		money := func(label string) farebox.Money {
			amount := farebox.MustMoney("0.000000000001").Mul(rapid.Int64().Draw(t, label))
			return amount.Mul(rapid.Int64Range(1, 1e6).Draw(t, label+" times"))
		}
		text := rapid.String()
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
		return farebox.Receipt{
			Schema: farebox.ReceiptSchema, ID: text.Draw(t, "id"), Attempt: rapid.Int().Draw(t, "attempt"), Start: at,
			Duration: time.Duration(rapid.Int64().Draw(t, "duration")), Endpoint: text.Draw(t, "endpoint"),
			Tags: rapid.MapOfN(text, text, 1, 3).Draw(t, "tags"), Flags: []farebox.Flag{farebox.Flag(text.Draw(t, "flag"))},
			Usage:    farebox.Usage{Input: rapid.Int64().Draw(t, "in"), ImageOutput: rapid.Int64().Draw(t, "out")},
			RawUsage: json.RawMessage(`{"cost":4.1400000000000003e-05,"n":12345678901234567890}`),
			Cost:     money("cost"), Source: farebox.Reported, Computed: money("computed"),
			Lines:    []farebox.Line{{Dimension: farebox.DimensionInput, Quantity: 1, Rate: farebox.MustRate("0.000000000000000000000001"), Amount: money("line")}},
			Reported: &farebox.ReportedCost{Charge: money("charge"), Literal: text.Draw(t, "literal"), BYOK: true},
			Price:    farebox.PriceRef{AsOf: at}, Quote: farebox.QuotedCost{Most: money("most")},
			Budgets: []farebox.BudgetCharge{{Budget: text.Draw(t, "budget"), Charged: money("charged")}},
		}
	})
}

func TestLineFileRoundTrip(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "receipts.jsonl")
	file := openLines(t, name, false)
	var written []farebox.Receipt
	rapid.Check(t, func(t *rapid.T) {
		r := wholeReceipt().Draw(t, "receipt")
		if err := file.Receipt(r); err != nil {
			t.Fatal(err)
		}
		written = append(written, r)
	})
	adjustment := farebox.Adjustment{Schema: 1, ReceiptID: "r", At: time.Unix(1, 2).UTC(), Amount: farebox.MustMoney("-0.000000000001"), Reason: "\u2028<&>\n"}
	if err := errors.Join(file.Adjustment(adjustment), file.Close()); err != nil {
		t.Fatal(err)
	}
	read := readLines(t, name)
	if len(read) != len(written)+1 {
		t.Fatalf("%d lines, want %d", len(read), len(written)+1)
	}
	for i, want := range written {
		if read[i] == nil || read[i].Receipt == nil || !reflect.DeepEqual(*read[i].Receipt, want) {
			t.Errorf("line %d:\nread    %+v\nwritten %+v", i+1, read[i], want)
		}
	}
	if last := read[len(written)]; last.Receipt != nil || *last.Adjustment != adjustment {
		t.Errorf("adjustment %+v, want %+v", last.Adjustment, adjustment)
	}
}

// TestLineFileOfAMeter checks that a Meter's file says what its ledger does.
func TestLineFileOfAMeter(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "receipts.jsonl")
	meter := coinMeter(t, &coinProvider{}, farebox.WithSink(openLines(t, name, true)),
		farebox.WithBudget(farebox.Budget{Name: "b", Cap: farebox.Dollars(1), Per: "user"}))
	mustSpend(t, meter, coinCall{limit: 9, tokens: 3, tags: farebox.Tags{"user": "u"}, cost: `,"cost":0.031`})
	mustSpend(t, meter, coinCall{limit: 9, tokens: 3, outcome: "500"})
	var want []fileLine
	for r := range meter.Ledger().Receipts(farebox.Filter{}) {
		r.Start = r.Start.Round(0) // a file has no monotonic clock
		want = append(want, fileLine{Receipt: &r})
	}
	adjustment, err := meter.Reconcile(want[1].Receipt.ID, farebox.Cents(3), "invoice")
	if err != nil {
		t.Fatal(err)
	}
	adjustment.At = adjustment.At.Round(0)
	want = append(want, fileLine{Adjustment: &adjustment})
	if err := meter.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	var sum farebox.Money
	for i, line := range readLines(t, name) {
		got, _ := json.Marshal(line)
		if expected, _ := json.Marshal(want[i]); !bytes.Equal(got, expected) {
			t.Errorf("line %d:\nread %s\nwant %s", i+1, got, expected)
		}
		if line.Receipt != nil {
			sum = sum.Add(line.Receipt.Cost)
		} else {
			sum = sum.Add(line.Adjustment.Amount)
		}
	}
	if total := meter.Ledger().Total().Cost; sum != total || sum != farebox.MustMoney("0.061") {
		t.Errorf("the file adds up to %s, the ledger to %s", sum, total)
	}
}

// TestCutLastLine checks that what a crash has cut spoils nothing that follows, and that nothing else is changed.
func TestCutLastLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, before string
		whole        []bool
	}{
		{"empty", "", []bool{true}},
		{"whole", `{"receipt":{"id":"a"}}` + "\n", []bool{true, true}},
		{"cut", `{"receipt":{"id":"a"}}` + "\n" + `{"receipt":{"id":`, []bool{true, false, true}},
		{"cut before its end", `{"receipt":{"id":"a"}}`, []bool{true, true}},
		{"cut at the first", `{`, []bool{false, true}},
	} {
		name := filepath.Join(t.TempDir(), "receipts.jsonl")
		if err := os.WriteFile(name, []byte(test.before), 0o600); err != nil {
			t.Fatal(err)
		}
		file := openLines(t, name, false)
		if err := errors.Join(file.Receipt(farebox.Receipt{ID: "new"}), file.Close()); err != nil {
			t.Fatal(err)
		}
		read := readLines(t, name)
		for i, line := range read {
			if len(read) != len(test.whole) || (line != nil) != test.whole[i] {
				t.Errorf("%s: %d lines, line %d is whole: %t", test.name, len(read), i+1, line != nil)
			}
		}
		if last := read[len(read)-1]; last == nil || last.Receipt.ID != "new" {
			t.Errorf("%s: the new line is %+v", test.name, last)
		}
		if after, _ := os.ReadFile(name); !strings.HasPrefix(string(after), test.before) {
			t.Errorf("%s: what stood there before has changed: %s", test.name, after)
		}
	}
}

func TestLineFileErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{dir, filepath.Join(dir, "no", "such", "directory")} {
		if _, err := farebox.OpenLineFile(name, false); err == nil || !strings.HasPrefix(err.Error(), "farebox: receipts file: ") {
			t.Errorf("OpenLineFile(%q): %v", name, err)
		}
	}
	file := openLines(t, filepath.Join(dir, "receipts.jsonl"), false)
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"Receipt": file.Receipt(farebox.Receipt{}), "Adjustment": file.Adjustment(farebox.Adjustment{}), "Close": file.Close(),
	} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	broken := openLines(t, filepath.Join(dir, "broken.jsonl"), false)
	if err := broken.Receipt(farebox.Receipt{RawUsage: json.RawMessage("{")}); err == nil {
		t.Error("a receipt that cannot be encoded is written")
	}
	if err := broken.Close(); err != nil || len(readLines(t, filepath.Join(dir, "broken.jsonl"))) != 0 {
		t.Errorf("it left something behind: %v", err)
	}
}

func TestLineFilePermissions(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	name := filepath.Join(t.TempDir(), "receipts.jsonl")
	if err := openLines(t, name, false).Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may use the file: %v, %v", info.Mode(), err)
	}
}

// TestLineFileSync writes to a device that takes every line and can sync none: only with fsync is that an error.
func TestLineFileSync(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("no device that cannot be synced")
	}
	if err := openLines(t, os.DevNull, false).Receipt(farebox.Receipt{}); err != nil {
		t.Errorf("without fsync: %v", err)
	}
	if err := openLines(t, os.DevNull, true).Receipt(farebox.Receipt{}); err == nil {
		t.Error("with fsync nothing was synced")
	}
}

func TestLineFileConcurrently(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "receipts.jsonl")
	file := openLines(t, name, false)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if err := errors.Join(file.Receipt(farebox.Receipt{ID: strings.Repeat("x", 999)}), file.Adjustment(farebox.Adjustment{})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	lines := readLines(t, name)
	for i, line := range lines {
		if line == nil {
			t.Errorf("line %d is torn", i+1)
		}
	}
	if len(lines) != 1600 {
		t.Errorf("%d lines, want 1600", len(lines))
	}
}

func TestLogSink(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		call  coinCall
		level slog.Level
		want  []string
	}{
		{"answered", coinCall{}, slog.LevelInfo, []string{"cost=$0.03", "source=computed", "endpoint=acme", "model=coin", "output_tokens=3", "tag.team=search"}},
		{"failed", coinCall{outcome: "429"}, slog.LevelWarn, []string{"cost=$0 ", "source=unbilled", "error_type="}},
		{"unknown outcome", coinCall{outcome: "cut"}, slog.LevelWarn, []string{"cost=$0.09", "source=held"}},
		{"no price", coinCall{model: "unheard-of"}, slog.LevelWarn, []string{"source=unpriced"}},
	}
	for _, test := range tests {
		var log bytes.Buffer
		meter := coinMeter(t, &coinProvider{}, farebox.WithSink(farebox.LogSink(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))))
		test.call.limit, test.call.tokens, test.call.tags = 9, 3, farebox.Tags{"team": "search"}
		mustSpend(t, meter, test.call)
		text := log.String()
		for _, want := range append(test.want, "msg=receipt", "level="+test.level.String()) {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in %s", test.name, want, text)
			}
		}
		if strings.Contains(text, strings.TrimPrefix(coinKey, "sk-")) || strings.Count(text, "\n") != 1 {
			t.Errorf("%s: the log is %s", test.name, text)
		}
	}
}

func TestLogSinkAdjustment(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	sink := farebox.LogSink(slog.New(slog.NewTextHandler(&log, nil)))
	err := errors.Join(sink.Adjustment(farebox.Adjustment{ReceiptID: "r1", Amount: farebox.Cents(-5), Reason: "invoice"}), sink.Close())
	if text := log.String(); err != nil || !strings.Contains(text, "msg=adjustment receipt=r1 amount=-$0.05 reason=invoice") {
		t.Errorf("%v: the log is %s", err, text)
	}
}

// awkwardSink panics, or returns an error.
type awkwardSink struct {
	panics bool
	closed int
}

func (s *awkwardSink) fail() error {
	if s.panics {
		panic("the sink is broken")
	}
	return errors.New("the sink is full")
}

func (s *awkwardSink) Receipt(farebox.Receipt) error       { return s.fail() }
func (s *awkwardSink) Adjustment(farebox.Adjustment) error { return s.fail() }
func (s *awkwardSink) Close() error                        { s.closed++; return nil }

// TestSinksCannotDisturbCalls puts sinks that fail in front of one that works.
func TestSinksCannotDisturbCalls(t *testing.T) {
	t.Parallel()
	for _, awkward := range []*awkwardSink{{}, {panics: true}} {
		var log bytes.Buffer
		var got []farebox.Receipt
		meter := coinMeter(t, &coinProvider{}, farebox.WithLogger(slog.New(slog.NewTextHandler(&log, nil))),
			farebox.WithSink(awkward, farebox.SinkFunc(func(r farebox.Receipt) { got = append(got, r) })))
		mustSpend(t, meter, coinCall{limit: 9, tokens: 3, outcome: "500"})
		if len(got) != 1 || meter.Ledger().Total().Attempts != 1 || strings.Count(log.String(), "the sink is") != 1 {
			t.Fatalf("%d receipts reached the next sink; log: %s", len(got), log.String())
		}
		if _, err := meter.Reconcile(got[0].ID, farebox.Cents(1), "invoice"); err != nil || strings.Count(log.String(), "the sink is") != 2 {
			t.Errorf("Reconcile: %v; log: %s", err, log.String())
		}
		for range 2 {
			if err := meter.Close(context.Background()); err != nil || awkward.closed != 1 {
				t.Errorf("Close: %v; closed %d times", err, awkward.closed)
			}
		}
	}
}

func BenchmarkLineFile(b *testing.B) {
	file := openLines(b, filepath.Join(b.TempDir(), "receipts.jsonl"), false)
	r := farebox.Receipt{ID: "01KB3T9S0R000000000000000A", Endpoint: "acme", Model: "coin", Cost: farebox.Cents(1), Usage: farebox.Usage{Input: 10}}
	b.ReportAllocs()
	for b.Loop() {
		if err := file.Receipt(r); err != nil {
			b.Fatal(err)
		}
	}
}
