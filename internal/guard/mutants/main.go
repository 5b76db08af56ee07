// Command mutants shows that the tests of the guard find the mistakes that guards are known to make: it runs the suite of
// package guardtest on guards that each have one, and the model of package explore with each, and says which invariant
// found it and after how many cases or states. A guard without a mistake runs beside them and has to pass. With -source it
// makes the mistakes in the guard itself as well. It exits with status 1 if one is found wrongly or not at all.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"pgregory.net/rapid"

	"github.com/farebox-go/farebox/internal/guard/explore"
	"github.com/farebox-go/farebox/internal/guard/guardtest"
)

func main() {
	testing.Init() // package rapid asks for its flags
	cases := flag.Int("cases", 5000, "most cases to try on each mutant")
	seed := flag.Uint64("seed", 1, "seed of the cases")
	source := flag.Bool("source", false, "make the mistakes in the guard's own source too, and run the suite on it: takes a minute")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := run(os.Stdout, *cases, *seed)
	if err == nil && *source {
		var inSource bool
		inSource, err = killedInSource(ctx, os.Stdout, *cases, *seed)
		ok = ok && inSource
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	if err != nil || !ok {
		stop()
		os.Exit(1)
	}
}

// run tries every mutant and reports whether all that are wrong were killed and the sound one was not.
func run(w io.Writer, cases int, seed uint64) (ok bool, err error) {
	for name, value := range map[string]string{
		"rapid.checks": strconv.Itoa(cases), "rapid.seed": strconv.FormatUint(seed, 10), "rapid.nofailfile": "true", "rapid.shrinktime": "1ms",
	} {
		if err := flag.Set(name, value); err != nil {
			return false, err
		}
	}
	fmt.Fprintf(w, "up to %d cases for each mutant, seed %d\n\n", cases, seed)
	histories, err := killedByHistories(w)
	if err != nil {
		return false, err
	}
	states, err := killedByStates(w)
	return histories && states, err
}

// killedByHistories tries the mutants of a whole guard.
func killedByHistories(w io.Writer) (ok bool, err error) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "mutant of a guard\tkilled by\tafter cases\twhat it saw")
	ok = true
	for _, wrong := range append([]mistake{none}, mistakes...) {
		v := try(wrong)
		switch {
		case wrong == none && v.killed:
			ok = false
			fmt.Fprintf(table, "%s\tWRONGLY KILLED\t%d\t%s\n", wrong, v.cases, v.saw)
		case wrong == none:
			fmt.Fprintf(table, "%s\t-\t%d\tall of them pass\n", wrong, v.cases)
		case !v.killed:
			ok = false
			fmt.Fprintf(table, "%s\tSURVIVED\t%d\t\n", wrong, v.cases)
		default:
			fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", wrong, v.by, v.cases, v.saw)
		}
	}
	return ok, table.Flush()
}

// mostStates bounds the memory that a mutant of the model takes.
const mostStates = 4_000_000

// killedByStates tries the mutants of the model.
func killedByStates(w io.Writer) (ok bool, err error) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nmutant of the model\tkilled by\tafter states\tsteps to it")
	ok = true
	for _, wrong := range append([]explore.Mistake{explore.None}, explore.Mistakes...) {
		result, err := explore.ConfigFor(wrong).Run(mostStates)
		if err != nil {
			return false, err
		}
		switch {
		case wrong == explore.None && result.Broken == "":
			fmt.Fprintf(table, "none\t-\t%d\t\n", result.States)
		case wrong != explore.None && result.Broken != "":
			fmt.Fprintf(table, "%s\t%s\t%d\t%d\n", wrong, result.Broken, result.States, len(result.Trace))
		default:
			ok = false
			fmt.Fprintf(table, "%s\tSURVIVED, OR WRONGLY KILLED\t%d\t%s\n", wrong, result.States, result)
		}
	}
	return ok, table.Flush()
}

// verdict is what became of one mutant.
type verdict struct {
	killed  bool
	by, saw string
	cases   int
}

// failure is how the suite begins what it says of a broken invariant.
var failure = regexp.MustCompile(`(I\d+(?: or I\d+)?): (.*)`)

func try(wrong mistake) verdict {
	log := &witness{}
	v := verdict{}
	rapid.Check(log, func(t *rapid.T) {
		if !v.killed {
			v.cases++
		}
		whole := false
		defer func() { v.killed = v.killed || !whole && t.Failed() }()
		guardtest.Interleavings(t, wrong.factory)
		whole = true
	})
	if found := failure.FindStringSubmatch(log.said); found != nil {
		v.by, v.saw = found[1], strings.TrimSuffix(found[2], "):")
	}
	v.killed = log.failed
	return v
}

// witness is a test that is run outside of one.
type witness struct {
	rapid.TB
	failed bool
	said   string // first
}

func (*witness) Helper()             {}
func (*witness) Name() string        { return "mutants" }
func (*witness) Logf(string, ...any) {}
func (*witness) Log(...any)          {}
func (w *witness) Fail()             { w.failed = true }
func (w *witness) FailNow()          { w.failed = true }
func (w *witness) Failed() bool      { return w.failed }

func (w *witness) Errorf(format string, args ...any) {
	w.failed = true
	if w.said == "" {
		w.said = fmt.Sprintf(format, args...)
	}
}
