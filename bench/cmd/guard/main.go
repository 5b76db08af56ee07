// Command guard prints what holding and settling money costs, beside what the rate limiter of golang.org/x/time takes for a
// Reserve, and what a million live counters of a budget per tag take of memory.
//
// The guard's own benchmarks are compiled and run in a process of their own, in turns with the limiter's, so that a busy
// moment of the machine touches both alike. It has to run inside the module's repository.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/farebox-go/farebox/bench"
)

func main() {
	testing.Init() // registers the flags that testing.Benchmark reads
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	rounds := flag.Int("rounds", 7, "how often everything is measured; the quickest round is printed")
	each := flag.Duration("each", 200*time.Millisecond, "how long one measurement takes")
	values := flag.Int("values", 1_000_000, "live values of a budget per tag")
	flag.Parse()
	if err := run(ctx, os.Stdout, *rounds, *each, *values); err != nil {
		fmt.Fprintln(os.Stderr, "guard:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, rounds int, each time.Duration, values int) error {
	if rounds < 1 || values < 1 {
		return fmt.Errorf("-rounds %d, -values %d: want at least 1", rounds, values)
	}
	if err := flag.Set("test.benchtime", each.String()); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "farebox-guard")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := speed(ctx, w, folder, rounds, each); err != nil {
		return err
	}
	memory, err := bench.CounterMemory(ctx, values)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\n%d live values of a budget per tag: %.1f MB, %.0f bytes each\n", values, float64(memory)/1e6, float64(memory)/float64(values))
	return err
}

// own are the guard's benchmarks: the package that has them, by its folder in the module, and their names
// as -bench takes them.
var own = []struct{ name, folder, benchmark string }{
	{"hold and settle on 4 limits, the time at hand", "internal/guard", "^BenchmarkHoldSettle$/^limits=4$"},
	{"the same, the clock read for both", "internal/guard", "^BenchmarkHoldSettleTimed$"},
	{"the same, budgets found by the tags of a context, charges listed for the receipt", ".", "^BenchmarkGuardByTags$"},
}

func speed(ctx context.Context, w io.Writer, folder string, rounds int, each time.Duration) error {
	binaries := make([]string, len(own))
	for i, o := range own {
		if i > 0 && own[i-1].folder == o.folder {
			binaries[i] = binaries[i-1]
			continue
		}
		binaries[i] = filepath.Join(folder, strconv.Itoa(i)+".test")
		if err := compile(ctx, o.folder, binaries[i]); err != nil {
			return err
		}
	}
	limiter := figure{ns: math.Inf(1)}
	guards := make([]figure, len(own))
	for round := range rounds {
		limiter = limiter.quicker(reserve())
		for i, o := range own {
			f, err := benchmark(ctx, binaries[i], o.benchmark, each)
			if err != nil {
				return err
			}
			if round == 0 {
				guards[i] = f
			}
			guards[i] = guards[i].quicker(f)
		}
	}
	fmt.Fprintf(w, "%s %s/%s, %d processors, the quickest of %d rounds of %s\n\n| | ns | allocations | × Reserve |\n|---|---|---|---|\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), rounds, each)
	fmt.Fprintf(w, "| x/time/rate: Reserve | %.0f | %d | 1.0 |\n", limiter.ns, limiter.allocs)
	for i, o := range own {
		fmt.Fprintf(w, "| %s | %.0f | %d | %.1f |\n", o.name, guards[i].ns, guards[i].allocs, guards[i].ns/limiter.ns)
	}
	return nil
}

// figure is what one step takes.
type figure struct {
	ns     float64
	allocs int64
}

func (f figure) quicker(other figure) figure {
	if other.ns < f.ns {
		return other
	}
	return f
}

// reserve measures a limiter that never makes anybody wait.
func reserve() figure {
	r := testing.Benchmark(func(b *testing.B) {
		limiter := rate.NewLimiter(1e12, 1e12)
		b.ReportAllocs()
		for b.Loop() {
			if !limiter.Reserve().OK() {
				b.Fatal("refused")
			}
		}
	})
	return figure{ns: float64(r.T.Nanoseconds()) / float64(r.N), allocs: r.AllocsPerOp()}
}

// compile builds the tests of a package of the module.
func compile(ctx context.Context, folder, binary string) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/farebox-go/farebox").Output()
	if err != nil {
		return fmt.Errorf("where the module is: %w", err)
	}
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "./"+folder)
	build.Dir = strings.TrimSpace(string(root))
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling the tests of %s: %w\n%s", folder, err, out)
	}
	return nil
}

// line is how a benchmark prints its figures.
var line = regexp.MustCompile(`(?m)^Benchmark\S+\s+\d+\s+([0-9.]+) ns/op\s+\d+ B/op\s+(\d+) allocs/op`)

func benchmark(ctx context.Context, binary, name string, each time.Duration) (figure, error) {
	out, err := exec.CommandContext(ctx, binary, "-test.run", "^$", "-test.bench", name, "-test.benchtime", each.String()).CombinedOutput()
	if err != nil {
		return figure{}, fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	found := line.FindSubmatch(out)
	if found == nil {
		return figure{}, fmt.Errorf("%s has printed no figures:\n%s", name, out)
	}
	ns, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		return figure{}, err
	}
	allocs, err := strconv.ParseInt(string(found[2]), 10, 64)
	return figure{ns: ns, allocs: allocs}, err
}
