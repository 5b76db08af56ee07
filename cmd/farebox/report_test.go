package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/farebox-go/farebox"
	sqlstore "github.com/farebox-go/farebox/store/sql"
)

// someReceipts are receipts of two teams, one of which was adjusted later.
func someReceipts() ([]farebox.Receipt, farebox.Adjustment) {
	start := time.Date(2025, 11, 24, 8, 0, 0, 0, time.UTC)
	receipt := func(id, model, team, cost string, source farebox.Source) farebox.Receipt {
		start = start.Add(20 * time.Hour)
		return farebox.Receipt{
			Schema: 1, ID: id, CallID: "call-" + id, Attempt: 1, Start: start, Duration: 1500 * time.Millisecond, Endpoint: "openai", KeyLabel: "prod",
			Operation: "chat", ModelAsked: model, Model: model, Status: 200, Tags: farebox.Tags{"team": team},
			Usage: farebox.Usage{Input: 10, Output: 5}, Cost: farebox.MustMoney(cost), Source: source,
		}
	}
	return []farebox.Receipt{
		receipt("1", "gpt", "search", "0.000000000001", farebox.Computed),
		receipt("2", "gpt", "ads, or so", "1.5", farebox.Held),
		receipt("3", "claude", "search", "0.25", farebox.Reported),
	}, farebox.Adjustment{Schema: 1, ReceiptID: "2", Amount: farebox.MustMoney("-1.4"), Reason: "generation", At: start}
}

func writeReceipts(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	file, err := farebox.OpenLineFile(filepath.Join(folder, "receipts.jsonl"), false)
	if err != nil {
		t.Fatal(err)
	}
	receipts, adjustment := someReceipts()
	for _, r := range receipts {
		if err := file.Receipt(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Adjustment(adjustment); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return folder
}

// writeDatabase puts the same into a database.
func writeDatabase(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := sqlstore.Migrate(context.Background(), db, sqlstore.SQLite); err != nil {
		t.Fatal(err)
	}
	ledger, err := sqlstore.NewLedger(db, sqlstore.SQLite, sqlstore.LedgerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	receipts, adjustment := someReceipts()
	for _, r := range receipts {
		if err := ledger.Receipt(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := ledger.Adjustment(adjustment); err != nil {
		t.Fatal(err)
	}
	if err := ledger.Close(); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

func TestReport(t *testing.T) {
	t.Parallel()
	folder := writeReceipts(t)
	for _, ledger := range []string{folder, filepath.Join(folder, "receipts.jsonl"), writeDatabase(t)} {
		stdout, stderr, code := invoke(t, "report", ledger, "--by", "model,team", "--json")
		var rows []struct {
			Groups   map[string]string
			Attempts int
			Cost     farebox.Money
		}
		if err := json.Unmarshal([]byte(stdout), &rows); code != 0 || err != nil || len(rows) != 3 {
			t.Fatalf("%s: exit %d, %v: %s%s", ledger, code, err, stdout, stderr)
		}
		if first := rows[0]; first.Groups["model"] != "claude" || first.Groups["team"] != "search" || first.Cost != farebox.MustMoney("0.25") {
			t.Errorf("%s: the dearest is %+v", ledger, first)
		}
		if second := rows[1]; second.Groups["team"] != "ads, or so" || second.Cost != farebox.MustMoney("0.1") {
			t.Errorf("%s: an adjusted cost: %+v", ledger, second)
		}

		stdout, _, code = invoke(t, "report", ledger, "--by", "day", "--since", "2025-11-25", "--until", "2025-11-26T12:00:00Z", "--where", "team=search")
		if code != 0 || strings.Contains(stdout, "2025-11-26") || !strings.Contains(stdout, "2025-11-25") || !strings.Contains(stdout, "in all") {
			t.Errorf("%s, filtered: exit %d\n%s", ledger, code, stdout)
		}
	}
}

func TestReportOfNothing(t *testing.T) {
	t.Parallel()
	folder := writeReceipts(t)
	if stdout, _, code := invoke(t, "report", folder, "--since", "1h"); code != 0 || stdout != "no receipts\n" {
		t.Errorf("exit %d, %q", code, stdout)
	}
	for _, args := range [][]string{
		{"report"}, {"report", folder, "--since", "yesterday"}, {"report", folder, "--where", "team"}, {"ledger", "export", folder, "--to", "xlsx"},
	} {
		if stdout, stderr, code := invoke(t, args...); code != 2 || stderr == "" {
			t.Errorf("%q: exit %d, %q, %q; want 2 and a word", args, code, stdout, stderr)
		}
	}
	for _, ledger := range []string{filepath.Join(folder, "none"), "sqlite:" + filepath.Join(folder, "none"), "postgres://u:secret@127.0.0.1:1/x"} {
		if _, stderr, code := invoke(t, "report", ledger); code != 1 || stderr == "" || strings.Contains(stderr, "secret") {
			t.Errorf("%q: exit %d, %q", ledger, code, stderr)
		}
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	folder := writeReceipts(t)
	stdout, stderr, code := invoke(t, "ledger", "export", folder)
	rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
	if code != 0 || err != nil || len(rows) != 4 || !reflect.DeepEqual(rows[0], exportedColumns) {
		t.Fatalf("csv: exit %d, %v, %s%s", code, err, stdout, stderr)
	}
	if rows[1][14] != "0.000000000001" || rows[2][17] != `{"team":"ads, or so"}` || rows[2][14] != "1.5" || rows[2][18] != "0.1" {
		t.Errorf("csv: %q", rows)
	}

	stdout, _, code = invoke(t, "ledger", "export", writeDatabase(t), "--to", "jsonl")
	receipts, adjustment := someReceipts()
	var back []farebox.Receipt
	var adjusted []farebox.Adjustment
	for entry, err := range farebox.ReadLedger(strings.NewReader(stdout)) {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Adjustment != nil {
			adjusted = append(adjusted, *entry.Adjustment)
			continue
		}
		back = append(back, *entry.Receipt)
	}
	if code != 0 || !reflect.DeepEqual(back, receipts) || !reflect.DeepEqual(adjusted, []farebox.Adjustment{adjustment}) {
		t.Errorf("jsonl: exit %d, %+v, %+v", code, back, adjusted)
	}
	var again, errs bytes.Buffer
	if code := run(context.Background(), []string{"ledger", "export", "-", "--to", "jsonl"}, strings.NewReader(stdout), &again, &errs); code != 0 || again.String() != stdout {
		t.Errorf("jsonl from standard input: exit %d, %s\n%s\nand not\n%s", code, errs.String(), again.String(), stdout)
	}

	path := filepath.Join(folder, "out.parquet")
	if _, stderr, code = invoke(t, "ledger", "export", folder, "-o", path); code != 0 {
		t.Fatalf("parquet: exit %d, %s", code, stderr)
	}
	written, err := parquet.ReadFile[exported](path)
	if err != nil || len(written) != 3 || written[0].Cost != 1 || written[1].Cost != 1_500_000_000_000 || written[1].Adjusted != 100_000_000_000 || !written[2].Start.Equal(receipts[2].Start) {
		t.Errorf("parquet: %+v, %v", written, err)
	}
	if _, stderr, code = invoke(t, "ledger", "export", folder, "-o", path); code != 1 || !strings.Contains(stderr, "exists") {
		t.Errorf("over a file that is there: exit %d, %s", code, stderr)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	folder := writeReceipts(t)
	stdout, stderr, code := invoke(t, "ledger", "verify", folder)
	if code != 0 || !strings.Contains(stdout, "3 receipts and 1 adjustments, $0.350000000001 in all") {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
	path := filepath.Join(folder, "receipts.jsonl")
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`{"receipt":{"schema":1,"id":"x","start":"2025-11-24T08:00:00Z","cost":"-1","source":"computed"}}`,
		`{"receipt":{"schema":1,"id":"y","start":"2025-11-24T08:00:00Z","cost":"1","source":"computed","computed":"1"}}`,
		`{"receipt":{"schema":1,"id":"cut`,
	} {
		if _, err := file.WriteString(line + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code = invoke(t, "ledger", "verify", folder, "--json")
	var found verified
	if err := json.Unmarshal([]byte(stdout), &found); code != 1 || err != nil || len(found.Problems) != 3 {
		t.Errorf("exit %d, %v, %s, %s", code, err, stdout, stderr)
	}
}

// TestVerifyDatabase: a sum that is kept and is not that of its receipts is found.
func TestVerifyDatabase(t *testing.T) {
	t.Parallel()
	ledger := writeDatabase(t)
	stdout, stderr, code := invoke(t, "ledger", "verify", ledger)
	if code != 0 || !strings.Contains(stdout, "3 receipts and 1 adjustments, $0.350000000001 in all") {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(ledger, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec("UPDATE farebox_hours SET cost_rest = cost_rest + 1"); err != nil {
		t.Fatal(err)
	}
	stdout, _, code = invoke(t, "ledger", "verify", ledger)
	if code != 1 || !strings.Contains(stdout, "2025-11-26: receipts add up to $0.35, and the day's sum is $0.350000000002") {
		t.Errorf("a sum that is wrong: exit %d, %q", code, stdout)
	}
}
