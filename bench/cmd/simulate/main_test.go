package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farebox-go/farebox/bench/simulation"
)

func TestRun(t *testing.T) {
	t.Parallel()
	plot := filepath.Join(t.TempDir(), "plot.svg")
	var out strings.Builder
	o := options{runs: 1, seed: 3, only: "64 callers, $1", lengths: "model", json: true, svg: plot}
	if err := run(context.Background(), &out, io.Discard, o); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Results []simulation.Result `json:"results"`
	}
	if err := json.Unmarshal([]byte(out.String()), &read); err != nil || len(read.Results) < len(simulation.Policies()) {
		t.Errorf("%d results, %v", len(read.Results), err)
	}
	if drawn, err := os.ReadFile(plot); err != nil || !strings.HasPrefix(string(drawn), "<svg") {
		t.Errorf("the plot is %.20q, %v", drawn, err)
	}
	out.Reset()
	o.json, o.svg = false, ""
	if err := run(context.Background(), &out, io.Discard, o); err != nil || !strings.Contains(out.String(), "| worst case, reconciled | farebox |") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestRunRefusesNonsense(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]options{
		"0 runs":           {lengths: "model"},
		"lengths from":     {runs: 1, lengths: "dice"},
		"no scenario":      {runs: 1, lengths: "model", only: "nobody"},
		"no such file":     {runs: 1, lengths: "model", only: "$1", svg: filepath.Join(t.TempDir(), "no", "folder")},
		"context canceled": {runs: 1, lengths: "model"},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		if want == "context canceled" {
			cancel()
		}
		if want == "no such file" {
			o.only = "64 callers, $1"
		}
		if err := run(ctx, io.Discard, io.Discard, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
		cancel()
	}
}
