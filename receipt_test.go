package farebox_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/farebox-go/farebox"
)

// fileLine is a line of a LineFile, as a reader of it declares it.
type fileLine struct {
	Receipt    *farebox.Receipt    `json:"receipt,omitempty"`
	Adjustment *farebox.Adjustment `json:"adjustment,omitempty"`
}

// TestReceiptSchema reads a file of the version that ReceiptSchema names, in which every field is set, and writes it
// again. A change that old files or old readers would not survive shows here: it has to raise the version.
func TestReceiptSchema(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("testdata/receipt_v1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(file), []byte("\n"))
	for _, line := range lines {
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		var read fileLine
		if err := decoder.Decode(&read); err != nil {
			t.Fatal(err)
		}
		if read.Receipt != nil {
			wantAllSet(t, "receipt", reflect.ValueOf(*read.Receipt))
		} else {
			wantAllSet(t, "adjustment", reflect.ValueOf(*read.Adjustment))
		}
		if written, err := json.Marshal(read); err != nil || !bytes.Equal(written, line) {
			t.Errorf("%v\nread    %s\nwritten %s", err, line, written)
		}
	}
	if farebox.ReceiptSchema != 1 || len(lines) != 2 {
		t.Errorf("schema %d, %d lines: the file is of another version", farebox.ReceiptSchema, len(lines))
	}
}

// wantAllSet checks that the file has every field, so that none can be lost without notice.
func wantAllSet(t *testing.T, name string, v reflect.Value) {
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s: field %s is not in testdata/receipt_v1.jsonl", name, v.Type().Field(i).Name)
		}
	}
}

// TestReceiptsCarryTheSchema looks at what a Meter makes.
func TestReceiptsCarryTheSchema(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{})
	mustSpend(t, meter, coinCall{limit: 9, tokens: 1, outcome: "500"})
	for r := range meter.Ledger().Receipts(farebox.Filter{}) {
		a, err := meter.Reconcile(r.ID, farebox.Cents(1), "invoice")
		if err != nil || r.Schema != farebox.ReceiptSchema || a.Schema != farebox.ReceiptSchema {
			t.Errorf("receipt of schema %d, adjustment of %d: %v", r.Schema, a.Schema, err)
		}
	}
}

func TestReceiptString(t *testing.T) {
	t.Parallel()
	r := farebox.Receipt{
		Endpoint: "openai", ModelAsked: "gpt-4o-mini", Cost: farebox.MustMoney("0.0001455"), Source: farebox.Computed,
		Usage: farebox.Usage{Input: 900, CacheRead: 100, Output: 2, Reasoning: 3},
	}
	if got, want := r.String(), "openai gpt-4o-mini: 1000 in, 5 out, $0.0001455 computed"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	r.Model, r.Source = "gpt-4o-mini-2024-07-18", farebox.Unpriced
	if got, want := r.String(), "openai gpt-4o-mini-2024-07-18: 1000 in, 5 out, cost unknown, unpriced"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestReceiptPredicates(t *testing.T) {
	t.Parallel()
	for source, want := range map[farebox.Source]bool{
		farebox.Reported: true, farebox.Computed: true, farebox.Unbilled: true,
		farebox.Estimated: false, farebox.Held: false, farebox.Unpriced: false,
	} {
		if got := (farebox.Receipt{Source: source}).Settled(); got != want {
			t.Errorf("a %s receipt is settled: %t", source, got)
		}
	}
	r := farebox.Receipt{Flags: []farebox.Flag{farebox.FlagOverrun}}
	if !r.HasFlag(farebox.FlagOverrun) || r.HasFlag(farebox.FlagWouldRefuse) || (farebox.Receipt{}).HasFlag("") {
		t.Error("a flag is not told from others")
	}
}

func TestCostOf(t *testing.T) {
	t.Parallel()
	receipts := []farebox.Receipt{{Cost: farebox.Cents(1)}, {Cost: farebox.MustMoney("0.000000000001")}, {}}
	if got := farebox.CostOf(receipts); got != farebox.MustMoney("0.010000000001") {
		t.Errorf("CostOf: %s", got)
	}
	if got := farebox.CostOf(nil); !got.IsZero() {
		t.Errorf("CostOf(nil): %s", got)
	}
}

func TestReportedTotal(t *testing.T) {
	t.Parallel()
	reported := farebox.ReportedCost{Charge: farebox.Cents(2), Upstream: farebox.Cents(40)}
	if got := reported.Total(); got != farebox.Cents(2) {
		t.Errorf("what the upstream bills to the gateway is part of the charge: %s", got)
	}
	reported.BYOK = true
	if got := reported.Total(); got != farebox.Cents(42) {
		t.Errorf("what it bills to the user's own key comes on top: %s", got)
	}
}

// TestReceiptHoldsNoSecrets prints a receipt in every way and looks for the key, the prompt and the answer.
func TestReceiptHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	meter := coinMeter(t, &coinProvider{})
	mustSpend(t, meter, coinCall{limit: 9, tokens: 1})
	for r := range meter.Ledger().Receipts(farebox.Filter{}) {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{coinKey, strings.TrimPrefix(coinKey, "sk-"), `"hi"`, `"ok"`} {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s is in %s", secret, text)
			}
		}
		if r.KeyLabel != "main" || len(r.KeyHash) != 8 || time.Since(r.Start) > time.Minute {
			t.Errorf("receipt %+v", r)
		}
	}
}
