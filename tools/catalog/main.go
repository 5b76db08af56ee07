// Command catalog writes the price snapshot that is compiled into farebox. Run it from the root of the repository:
//
//	go run ./tools/catalog
//
// It reads three published price lists, all under the MIT licence, and takes facts from them only: names, prices,
// dates, limits. They are the npm packages @pydantic/genai-prices and ai-sdk-cost-calculator, fetched with npm pack, and
// the Go module charm.land/catwalk, fetched with go mod download; -genai, -aisdk and -catwalk name unpacked copies to be
// read instead.
// Versions are pinned by flags, so that the same command writes the same bytes. Nothing is written where a check
// fails.
//
// Which list prices a model:
//
//   - genai-prices, where it has the model. It is the newer of the two, is kept by hand from the providers' own pages,
//     and has history, tiers and the rarer dimensions. On OpenRouter, too, it carries OpenRouter's own list, where
//     catwalk has the price of one endpoint picked by uptime, at times a region's that costs a tenth more.
//   - catwalk, where genai-prices lacks the model or has no price for it.
//   - ai-sdk-cost-calculator, where neither has the model and it is charged by something else than text: images, characters
//     spoken, minutes heard, seconds of film.
//   - what providers publish and no list has, kept by hand in kept.go: service tiers, regions, weekdays, rerankers.
//
// A price of zero in catwalk and a missing one in genai-prices mean that the price is not known, except for
// OpenRouter's models named ":free". A model without a known price is not in the snapshot at all, nor is one that
// has a price in a dimension that the snapshot has no word for, or none for a part of what it does.
//
// Only exact names become names and aliases. Patterns of genai-prices decide which of its models a name belongs to
// that catwalk (or the list of attestedNames here) spells out; they never make up a name.
//
// Context windows, reasoning and image input come from either list, genai-prices first; output limits from the
// table in limits.go.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
)

// The letters by which the snapshot's lines name their source.
const (
	genaiLetter   = "g"
	catwalkLetter = "c"
	aisdkLetter   = "a"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "catalog:", err)
		os.Exit(1)
	}
}

// options is what the command line says.
type options struct {
	fetcher
	out     string
	verbose bool
}

func parseOptions(args []string, log io.Writer) (*options, error) {
	o := &options{fetcher: fetcher{log: log}}
	flags := flag.NewFlagSet("catalog", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.StringVar(&o.genaiDir, "genai", "", "`directory` of an unpacked @pydantic/genai-prices (default: npm pack)")
	flags.StringVar(&o.genaiVersion, "genai-version", "0.1.8", "`version` of @pydantic/genai-prices")
	flags.StringVar(&o.genaiDate, "genai-date", "", "publication `date` of that version (default: npm view)")
	flags.StringVar(&o.catwalkDir, "catwalk", "", "`directory` of the unpacked charm.land/catwalk (default: go mod download)")
	flags.StringVar(&o.catwalkVersion, "catwalk-version", "v0.52.1", "`version` of charm.land/catwalk")
	flags.StringVar(&o.catwalkDate, "catwalk-date", "", "publication `date` of that version (default: go mod download)")
	flags.StringVar(&o.aisdkDir, "aisdk", "", "`directory` of an unpacked ai-sdk-cost-calculator (default: npm pack)")
	flags.StringVar(&o.aisdkVersion, "aisdk-version", "7.1.14", "`version` of ai-sdk-cost-calculator")
	flags.StringVar(&o.aisdkDate, "aisdk-date", "", "publication `date` of that version (default: npm view)")
	flags.StringVar(&o.out, "out", filepath.Join("internal", "catalog", "snapshot.tsv"), "`file` to write")
	flags.BoolVar(&o.verbose, "v", false, "list every disagreement")
	return o, flags.Parse(args)
}

// run is the command; progress and the summary go to log.
func run(ctx context.Context, args []string, log io.Writer) error {
	o, err := parseOptions(args, log)
	if err != nil {
		return err
	}
	lists, err := o.fetch(ctx)
	if err != nil {
		return err
	}
	models, sum := merge(lists.genai, lists.catwalk, lists.aisdk, o.genaiDate)
	models = addKept(models)
	if err := validate(models); err != nil {
		return err
	}
	var snapshot bytes.Buffer
	if err := writeSnapshot(&snapshot, slices.Concat(lists.sources, keptSources, feeSources), models); err != nil {
		return err
	}
	if err := os.WriteFile(o.out, snapshot.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(log, "wrote %s: %d bytes\n", o.out, snapshot.Len())
	sum.print(log, models, o.verbose)
	return nil
}

// print writes what came of the merge.
func (s *summary) print(w io.Writer, models []model, verbose bool) {
	lines, perProvider, perSource := 0, map[string]int{}, map[string]int{}
	for _, m := range models {
		lines += len(m.prices)
		perProvider[m.provider] += len(m.prices)
		perSource[m.source[:1]]++
	}
	fmt.Fprintf(w, "%d models, %d prices (models from genai-prices %d, catwalk %d, ai-sdk-cost-calculator %d, kept by hand %d)\n",
		len(models), lines, perSource[genaiLetter], perSource[catwalkLetter], perSource[aisdkLetter], perSource[cohereLetter])
	byCount := func(a, b string) int {
		return cmp.Or(cmp.Compare(perProvider[b], perProvider[a]), cmp.Compare(a, b))
	}
	for _, provider := range slices.SortedFunc(maps.Keys(perProvider), byCount) {
		fmt.Fprintf(w, "  %-12s %d\n", provider, perProvider[provider])
	}
	for _, reason := range slices.Sorted(maps.Keys(s.leftOut)) {
		fmt.Fprintf(w, "left out: %d models: %s\n", s.leftOut[reason], reason)
	}
	fmt.Fprintf(w, "disagreements over 1 %%: %d\n", len(s.disagreements))
	if verbose {
		for _, line := range s.disagreements {
			fmt.Fprintln(w, " ", line)
		}
	}
}
