// Command simulate runs many callers against one cap, under farebox and under the rules of others, and prints how often
// and how far the cap was passed, how much of it was used, and how many calls were refused that would have fitted.
//
// Output lengths are drawn from recorded traffic where FAREBOX_RECORDINGS names a folder of it.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/farebox-go/farebox/bench/simulation"
)

type options struct {
	runs    int
	seed    uint64
	only    string
	lengths string
	json    bool
	svg     string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o options
	flag.IntVar(&o.runs, "runs", 1000, "runs of each policy in the smallest scenario; in the larger ones a fifth and a fiftieth of it")
	flag.Uint64Var(&o.seed, "seed", 1, "seed of the first run; the others follow")
	flag.StringVar(&o.only, "only", "", "only the scenarios whose name has this in it")
	flag.StringVar(&o.lengths, "lengths", "", `where output lengths are from: "recordings" or "model"; empty: recordings, if there are any`)
	flag.BoolVar(&o.json, "json", false, "print JSON")
	flag.StringVar(&o.svg, "svg", "", "write a plot to this file")
	flag.Parse()
	if err := run(ctx, os.Stdout, os.Stderr, o); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out, progress io.Writer, o options) error {
	if o.runs < 1 {
		return fmt.Errorf("%d runs: want at least 1", o.runs)
	}
	lengths, err := lengthsFrom(o.lengths)
	if err != nil {
		return err
	}
	var results []simulation.Result
	for _, scenario := range simulation.Scenarios() {
		if !strings.Contains(scenario.Name, o.only) {
			continue
		}
		runs := max(1, o.runs/scenario.Share)
		for _, policy := range simulation.Policies() {
			fmt.Fprintf(progress, "%s: %s, %d runs\n", scenario.Name, policy.Name, runs)
			result, err := simulation.Simulate(ctx, scenario, policy, lengths, runs, o.seed)
			if err != nil {
				return err
			}
			results = append(results, result)
		}
	}
	if len(results) == 0 {
		return fmt.Errorf("no scenario has %q in its name", o.only)
	}
	if o.svg != "" {
		if err := writePlot(o.svg, results, "Output lengths: "+lengths.Source+". 1 % of answers lost, 5 % of calls cancelled, all of them billed in full."); err != nil {
			return err
		}
	}
	if o.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(map[string]any{"seed": o.seed, "lengths": lengths.Source, "results": results})
	}
	if _, err := fmt.Fprintf(out, "Seeds from %d. Output lengths: %s; median %d, 90th percentile %d tokens.\n",
		o.seed, lengths.Source, lengths.Quantile(0.5), lengths.Quantile(0.9)); err != nil {
		return err
	}
	return simulation.WriteTable(out, results)
}

func lengthsFrom(where string) (simulation.Lengths, error) {
	folder := os.Getenv("FAREBOX_RECORDINGS")
	if where == "" {
		where = "model"
		if folder != "" {
			where = "recordings"
		}
	}
	switch where {
	case "model":
		return simulation.ModelLengths(), nil
	case "recordings":
		return simulation.ReadLengths(cmp.Or(folder, "."))
	}
	return simulation.Lengths{}, fmt.Errorf("lengths from %q: want recordings or model", where)
}

func writePlot(name string, results []simulation.Result, subtitle string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := simulation.WritePlot(file, results, subtitle); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
