// Command overhead prints what farebox adds to a call, beside go-openai by itself: all of it in one process, against one
// provider that answers from memory, in rounds, so that a busy moment of the machine touches every line alike.
package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/farebox-go/farebox/bench"
)

func main() {
	testing.Init() // registers the flags that testing.Benchmark reads
	rounds := flag.Int("rounds", 15, "how often everything is measured; the quickest round is printed")
	each := flag.Duration("each", 100*time.Millisecond, "how long one measurement takes")
	flag.Parse()
	if err := run(os.Stdout, *rounds, *each); err != nil {
		fmt.Fprintln(os.Stderr, "overhead:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, rounds int, each time.Duration) error {
	if rounds < 1 {
		return fmt.Errorf("-rounds %d: want at least 1", rounds)
	}
	if err := flag.Set("test.benchtime", each.String()); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s %s/%s, %d processors, the quickest of %d rounds of %s\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), rounds, each)
	for _, size := range []int{bench.ShortPrompt, bench.LongPrompt} {
		if err := plain(w, size, rounds); err != nil {
			return err
		}
	}
	if err := streams(w, rounds, "A chunk of a stream", bench.StreamSubjects); err != nil {
		return err
	}
	return streams(w, rounds, "A chunk of a stream that nobody decodes", bench.RawSubjects)
}

// plain compares calls that are not streamed.
func plain(w io.Writer, size, rounds int) error {
	subjects, err := bench.PlainSubjects(&bench.Provider{}, bench.BaseURL)
	if err != nil {
		return err
	}
	prompt := bench.Text(size)
	measured := measure(rounds, len(subjects), func(i int) figure {
		return figureOf(testing.Benchmark(func(b *testing.B) { bench.Plain(b, subjects[i], prompt) }))
	})
	table(w, fmt.Sprintf("A call with a prompt of %d KB", size>>10), subjects, measured)
	return nil
}

// streams compares one chunk more of a stream.
func streams(w io.Writer, rounds int, heading string, subjects func(http.RoundTripper, string) ([]bench.Subject, error)) error {
	lengths := [...]int{100, 1000}
	var made [len(lengths)][]bench.Subject
	for l, chunks := range lengths {
		var err error
		if made[l], err = subjects(&bench.Provider{Chunks: chunks}, bench.BaseURL); err != nil {
			return err
		}
	}
	prompt := bench.Text(bench.ShortPrompt)
	measured := measure(rounds, len(lengths)*len(made[0]), func(i int) figure {
		l, s := i%len(lengths), i/len(lengths)
		return figureOf(testing.Benchmark(func(b *testing.B) { bench.Stream(b, made[l][s], prompt, lengths[l]) }))
	})
	slopes := make([]figure, len(made[0]))
	for s := range slopes {
		slopes[s] = slope(measured[2*s], measured[2*s+1], lengths[1]-lengths[0])
	}
	table(w, heading, made[0], slopes)
	return nil
}

func figureOf(r testing.BenchmarkResult) figure {
	return figure{ns: float64(r.NsPerOp()), allocs: float64(r.AllocsPerOp())}
}

// table compares every subject with the first.
func table(w io.Writer, heading string, subjects []bench.Subject, measured []figure) {
	fmt.Fprintf(w, "\n### %s\n\n| client | ratio | added | time | allocations added | allocations |\n|---|---|---|---|---|---|\n", heading)
	bare := measured[0]
	for i, m := range measured {
		fmt.Fprintf(w, "| %s | %.2f | %s | %s | %+.0f | %.0f |\n", subjects[i].Name,
			m.ns/bare.ns, duration("%+.1f µs", "%+.0f ns", m.ns-bare.ns, bare.ns), duration("%.1f µs", "%.0f ns", m.ns, bare.ns),
			math.Round(m.allocs-bare.allocs)+0, m.allocs) // adding 0 takes the sign off -0
	}
}

// duration writes nanoseconds in the unit that suits a table whose figures are of the size of scale.
func duration(micros, nanos string, ns, scale float64) string {
	if scale >= 10_000 {
		return fmt.Sprintf(micros, ns/1e3)
	}
	return fmt.Sprintf(nanos, ns)
}
