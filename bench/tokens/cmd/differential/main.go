// Command differential counts generated texts with farebox and with tiktoken-go, and prints where the two differ. It
// fails if they do, other than for letters that tiktoken-go does not know.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"time"

	"github.com/farebox-go/farebox/bench/tokens"
)

// printed is how many differences are printed at most.
const printed = 20

func main() {
	cases := flag.Int64("cases", 1_000_000, "how many cases of each seed are compared")
	first := flag.Uint64("seed", 1, "the first seed")
	seeds := flag.Uint64("seeds", 1, "how many seeds, one behind another")
	workers := flag.Int("workers", runtime.GOMAXPROCS(0), "how many cases are compared at once")
	samples := flag.String("samples", tokens.SamplesFolder, "folder of texts to cut pieces out of")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *samples, *first, *seeds, *cases, *workers); err != nil {
		fmt.Fprintln(os.Stderr, "differential:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, samples string, first, seeds uint64, cases int64, workers int) error {
	texts, err := tokens.Samples(samples)
	if err != nil {
		return err
	}
	d, err := tokens.NewDifferential(texts)
	if err != nil {
		return err
	}
	differences := 0
	for seed := first; seed < first+seeds && ctx.Err() == nil; seed++ {
		start := time.Now()
		r := d.Run(ctx, seed, cases, workers)
		fmt.Fprintf(w, "seed %d: %d cases, %d bytes, %d differ by newer letters, %d differ otherwise, %s\n",
			seed, r.Cases, r.Bytes, r.Newer, len(r.Differences), time.Since(start).Round(time.Second))
		for _, difference := range r.Differences[:min(printed, len(r.Differences))] {
			fmt.Fprintln(w, difference)
		}
		differences += len(r.Differences)
	}
	if differences > 0 {
		return fmt.Errorf("%d cases differ", differences)
	}
	return nil
}
