package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
)

// A change makes a mistake in the source of the module. Before stands once in the file.
type change struct {
	mistake       mistake
	file          string
	before, after string
	killers       string // the tests at the root that have to find it; empty: the suite of package guardtest
}

// changes are the mistakes that one edit can make, in the guard and in what its user does with outcomes. Where those are
// rewritten they have to be written anew. A clock that runs
// back is none of them: the counters turn one way, whatever the clock does.
var changes = []change{
	{checkThenAct, "internal/guard/guard.go", "\tg.decide(&d, postings)\n\tif d.Reason != Admitted {", "\tg.decide(&d, postings)\n\tg.mu.Unlock()\n\ttime.Sleep(1)\n\tg.mu.Lock()\n\tif d.Reason != Admitted {", ""},
	{checkThenRecord, "internal/guard/counter.go", "case p.Amount > most-add(c.spent, c.held):", "case p.Amount > most-c.spent:", ""},
	{offByOne, "internal/guard/counter.go", "case p.Amount > most-add(c.spent, c.held):", "case p.Amount > most-add(c.spent, c.held)+1:", ""},
	{partialHold, "internal/guard/guard.go", "\t\tcount(postings, d.Refused)\n\t\treturn d", "\t\tcount(postings, d.Refused)\n\t\th.take(postings[:1])\n\t\th.state = Unheld\n\t\treturn d", ""},
	{noIdempotency, "internal/guard/guard.go", "(h.guard != g || h.state.pending())", "h.guard != g", ""},
	{doubleSettle, "internal/guard/hold.go", "\tif !h.state.pending() {\n\t\treturn false\n\t}\n\th.guard.advance(at)", "\th.guard.advance(at)", ""},
	{cancelIsFree, "internal/guard/hold.go", "\t\t\te.booked = e.held", "\t\t\te.booked = 0", ""},
	{lostOverrun, "internal/guard/hold.go", "\t\t\te.booked = figure(actual, i)", "\t\t\te.booked = min(e.held, figure(actual, i))", ""},
	{refundElsewhere, "internal/guard/generation.go", "func (c *Counter) release(gen, amount, likely int64) {\n\tif !c.inView(gen) {", "func (c *Counter) release(gen, amount, likely int64) {\n\tif false {", ""},
	{earlyWindow, "internal/guard/generation.go", "\tif clock < c.end {", "\tif clock < c.end-1 {", ""},
	{narrowRolling, "internal/guard/generation.go", "return gen > c.gen-c.view\n", "return gen > c.gen-c.view+c.width\n", ""},
	{leakedHold, "internal/guard/hold.go", "\te.turn(h)\n\tc.release(e.gen, e.held, e.likely)", "\te.turn(h)", ""},
	{figureAdds, "internal/guard/hold.go", "\t\tc.unbook(e.gen, e.booked)\n", "", ""},
	{holdOfNothing, "internal/guard/counter.go", "case p.Amount > most-c.spent:", "case p.Amount >= most-c.spent:", ""},
	{growsUnasked, "internal/guard/extend.go", "\t\tif d.Reason == Admitted {\n\t\t\te.extend", "\t\tif true {\n\t\t\te.extend", ""},
	{growsBehind, "internal/guard/extend.go", "e.gen, e.held, e.likely = c.gen,", "e.gen, e.held, e.likely = e.gen,", ""},
	{refundOnTimeout, "attempt.go", "\tif a.sent() {\n\t\ta.charge(Held, a.quoted.Most)", "\tif false {\n\t\ta.charge(Held, a.quoted.Most)", "TestLiteLLM30522|TestLiteLLM13245"},
	{cutIsFree, "attempt.go", "\tdefault:\n\t\ta.charge(Held, a.quoted.Most)\n\t}\n\ta.receipt.Partial", "\tdefault:\n\t\ta.void()\n\t}\n\ta.receipt.Partial", "TestLiteLLM33736|TestLiteLLM35958"},
	{silenceIsFree, "attempt.go", "\tcase complete:\n\t\ta.estimate(answer)", "\tcase complete:\n\t\ta.void()", "TestHigress"},
	{unpricedIsFree, "guard.go", "\tcase !q.Priced && b.unit() == UnitUSD && !b.Observe:", "\tcase false:", "TestLiteLLM35524|TestOpenAGI44"},
}

// killedInSource makes each change to the guard, runs the suite on what comes of it, and reports whether it found them all.
// The files on disk stay as they are.
func killedInSource(ctx context.Context, w io.Writer, cases int, seed uint64) (ok bool, err error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/farebox-go/farebox").Output()
	if err != nil {
		return false, fmt.Errorf("where the module is: %w", err)
	}
	folder, err := os.MkdirTemp("", "farebox-mutants")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nmutant of the source\tkilled by\tafter cases\twhat it saw")
	ok = true
	for _, c := range changes {
		said, passed, err := c.test(ctx, strings.TrimSpace(string(root)), folder, cases, seed)
		if err != nil {
			return false, fmt.Errorf("%s: %w", c.mistake, err)
		}
		if passed {
			ok = false
			fmt.Fprintf(table, "%s\tSURVIVED\t%d\t\n", c.mistake, cases)
			continue
		}
		by, after := "?", "few" // rapid does not count where two calls at once do not meet again
		if found := failedTest.FindStringSubmatch(said); c.killers != "" && found != nil {
			by, after = found[1], "1"
		}
		if found := afterCases.FindStringSubmatch(said); found != nil {
			after = found[1]
		}
		what := ""
		if found := failure.FindStringSubmatch(said); found != nil {
			by, what = found[1], strings.TrimSuffix(found[2], "):")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", c.mistake, by, after, what)
	}
	return ok, table.Flush()
}

// afterCases is where rapid says how many cases passed before one failed.
var afterCases = regexp.MustCompile(`(?:failed|panic) after (\d+) tests`)

// failedTest is how a test that failed is named.
var failedTest = regexp.MustCompile(`--- FAIL: (Test\w+)`)

// test runs the tests over the changed file. A change that does not compile, or that does not apply, is an error.
func (c *change) test(ctx context.Context, root, folder string, cases int, seed uint64) (said string, passed bool, err error) {
	name := filepath.Join(root, filepath.FromSlash(c.file))
	source, err := os.ReadFile(name)
	if err != nil {
		return "", false, err
	}
	if n := strings.Count(string(source), c.before); n != 1 {
		return "", false, fmt.Errorf("what is to be changed stands %d times in %s, want once:\n%s", n, c.file, c.before)
	}
	changed, overlay := filepath.Join(folder, filepath.Base(c.file)), filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), c.before, c.after, 1)), 0o600); err != nil {
		return "", false, err
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{name: changed}})
	if err != nil {
		return "", false, err
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		return "", false, err
	}
	arguments := []string{"test", "-vet=off", "-count=1", "-overlay", overlay}
	if c.killers != "" {
		arguments = append(arguments, ".", "-run", "^("+c.killers+")")
	} else {
		arguments = append(arguments, "./internal/guard/guardtest", "-run", "^TestInProcess$", "-rapid.nofailfile", "-rapid.shrinktime=1ms",
			"-rapid.checks="+strconv.Itoa(cases), "-rapid.seed="+strconv.FormatUint(seed, 10))
	}
	test := exec.CommandContext(ctx, "go", arguments...)
	test.Dir = root
	out, err := test.CombinedOutput()
	if err != nil && !failedTest.Match(out) {
		return "", false, fmt.Errorf("%w\n%s", err, out)
	}
	return string(out), err == nil, nil
}
