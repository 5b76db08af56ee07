package simulation

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCapsHold is what the simulation is for, in few runs: farebox never passes the cap, its books are never short, and
// with the provider's figures most of the cap is used. The rivals pass it.
func TestCapsHold(t *testing.T) {
	t.Parallel()
	scenario := Scenarios()[1]
	for _, p := range Policies() {
		r, err := Simulate(context.Background(), scenario, p, ModelLengths(), 3, 11)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case r.Who != "farebox":
			if r.OverCap == 0 || r.Short == 0 {
				t.Errorf("%s: over the cap in %s of runs, books short in %s: nothing goes wrong in this simulation", r.Policy, percent(r.OverCap), percent(r.Short))
			}
		case strings.Contains(r.Policy, "tolerance"):
			if r.OverspendMost > 0.05 || r.Short > 0 {
				t.Errorf("%+v", r)
			}
		case r.OverCap > 0 || r.Short > 0:
			t.Errorf("%+v", r)
		case strings.Contains(r.Policy, "reconciled") && r.Used < 0.96, r.Used < 0.80:
			t.Errorf("%s: only %s of the cap used", r.Policy, percent(r.Used))
		}
	}
}

// TestRunsAreRepeatable: a seed makes the same run again, whatever else the machine does.
func TestRunsAreRepeatable(t *testing.T) {
	t.Parallel()
	scenario := Scenarios()[0]
	for _, p := range Policies() {
		first, err := scenario.simulate(5, ModelLengths(), p.newGuard)
		if err != nil {
			t.Fatal(err)
		}
		again, err := scenario.simulate(5, ModelLengths(), p.newGuard)
		if err != nil || again != first {
			t.Errorf("%s: %+v, then %+v, %v", p.Name, first, again, err)
		}
	}
}

// TestWithoutTrouble: where no answer is lost and none is left, the books are the bill.
func TestWithoutTrouble(t *testing.T) {
	t.Parallel()
	scenario := Scenarios()[0]
	scenario.CrashPercent, scenario.CancelPercent = 0, 0
	for _, p := range Policies() {
		run, err := scenario.simulate(3, ModelLengths(), p.newGuard)
		if err != nil || run.Books != run.Billed {
			t.Errorf("%s: books %d, billed %d, %v", p.Name, run.Books, run.Billed, err)
		}
	}
}

func TestSimulateStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Simulate(ctx, Scenarios()[0], Policies()[0], ModelLengths(), 1000, 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestReadLengths(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if _, err := ReadLengths(folder); err == nil {
		t.Error("no error for a folder without an index")
	}
	index := filepath.Join(folder, "INDEX.jsonl")
	line := `{"usage":{"completion_tokens":7}}` + "\n" + `{"usage":{"output_tokens":9}}` + "\n" + `{"usage":null}` + "\n" + "no JSON\n"
	if err := os.WriteFile(index, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadLengths(folder); err == nil {
		t.Error("no error for two answers")
	}
	if err := os.WriteFile(index, []byte(strings.Repeat(line, 60)), 0o600); err != nil {
		t.Fatal(err)
	}
	lengths, err := ReadLengths(folder)
	if err != nil || len(lengths.tokens) != 120 || lengths.Quantile(0) != 7 || lengths.Quantile(1) != 9 || lengths.mean(8) != 7 {
		t.Errorf("%+v, %v", lengths, err)
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	results := []Result{
		{Scenario: "one & two", Policy: "<a>", Who: "farebox", Runs: 3, Used: 0.99},
		{Scenario: "one & two", Policy: "b", Who: "others", Runs: 3, OverCap: 1, OverspendMedian: 0.2, OverspendMost: 2, Used: 1},
		{Scenario: "three", Policy: "b", Who: "others", Runs: 1, OverspendMedian: 0.00001},
	}
	var table, plot strings.Builder
	if err := errors.Join(WriteTable(&table, results), WritePlot(&plot, results, "seed 1")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"**one & two**, 3 runs", "| b | others | 100 % | 20.0 % / 200 % | 100 % |", "<0.1 %"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
	decoder := xml.NewDecoder(strings.NewReader(plot.String()))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
