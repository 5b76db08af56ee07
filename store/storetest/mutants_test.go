package storetest_test

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/farebox-go/farebox/store"
	"github.com/farebox-go/farebox/store/storetest"
)

// A mistake is one that a store may make.
type mistake string

// The mistakes. Every one of them must be found by the suite.
const (
	none                mistake = "none"
	grantsInPart        mistake = "a request that one line refuses is granted on the lines before it"
	firstLineOnly       mistake = "only the first line is checked"
	grantsAgain         mistake = "a repeated message is granted again"
	addsReturned        mistake = "returns are added up, and not sums"
	lowersReturned      mistake = "a late message lowers what was returned"
	lowersOver          mistake = "a late message lowers what was overspent"
	takesReturns        mistake = "more may be returned than was granted"
	losesReturns        mistake = "what a refused client returns is lost"
	cutsOver            mistake = "what is overspent is cut to the cap"
	forgets             mistake = "a client that was granted more than is known is believed"
	missingIsZero       mistake = "an account that is missing stands at zero"
	clientsClock        mistake = "windows are those of the client's clock"
	reopens             mistake = "a window is open again after a later one"
	neverTurns          mistake = "a new window does not begin at zero"
	forgetsBuckets      mistake = "a rolling window forgets its earlier buckets"
	movesReturns        mistake = "what comes back to an old window makes room in the new one"
	oneTooMany          mistake = "one more than the cap is granted"
	oneTooFew           mistake = "the last of the cap is not granted"
	capOfEach           mistake = "each client has the cap for itself"
	oneForAll           mistake = "all clients are taken for one"
	wraps               mistake = "a sum wraps around"
	doubles             mistake = "amounts are compared as doubles"
	grantsWants         mistake = "what is wanted is granted beyond the cap"
	grantsLess          mistake = "less is granted than is needed"
	uncounted           mistake = "what is granted beyond the need is not counted"
	staleUsed           mistake = "the answer says what was used before it"
	countsTheGone       mistake = "clients that returned everything are counted"
	checksThenActs      mistake = "another message comes between check and grant"
	neverRecalls        mistake = "nobody is asked to return anything"
	alwaysRecalls       mistake = "everybody is always asked to return everything"
	correctsAgain       mistake = "a repeated correction counts again"
	correctsTwiceAtOnce mistake = "a correction that comes twice at once counts twice"
	correctsTheNewest   mistake = "a correction of an old window counts in the new one"
	correctsDown        mistake = "corrections only lower"
	caseless            mistake = "keys are compared without regard to case"
	ignoresContext      mistake = "a context that has ended is not looked at"
	neverCloses         mistake = "a closed store answers"
)

var mistakes = []mistake{
	grantsInPart, firstLineOnly, grantsAgain, addsReturned, lowersReturned, lowersOver, takesReturns, losesReturns, cutsOver, forgets,
	missingIsZero, clientsClock, reopens, neverTurns, forgetsBuckets, movesReturns, oneTooMany, oneTooFew, capOfEach, oneForAll, wraps,
	doubles, grantsWants, grantsLess, uncounted, staleUsed, countsTheGone, checksThenActs, neverRecalls, alwaysRecalls, correctsAgain,
	correctsTwiceAtOnce, correctsTheNewest, correctsDown, caseless, ignoresContext, neverCloses,
}

// mutantVariable names the mistake that a child process is to make.
const mutantVariable = "FAREBOX_STORE_MUTANT"

// TestPlain: the store that mistakes are made in has none by itself.
func TestPlain(t *testing.T) {
	wrong := mistake(os.Getenv(mutantVariable))
	if wrong == "" {
		wrong = none
		t.Parallel()
	}
	storetest.Run(t, func(*testing.T) store.Store { return newPlain(wrong) })
}

// TestMutants: every mistake is found, and the log says by which tests.
func TestMutants(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs the suite once for every mistake")
	}
	var all sync.WaitGroup
	turns := make(chan struct{}, 2)
	for _, wrong := range mistakes {
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			if by, output := killers(t, wrong); len(by) == 0 {
				t.Errorf("%s: SURVIVED\n%s", wrong, output)
			} else {
				t.Logf("%s: found by %s", wrong, strings.Join(by, ", "))
			}
		})
	}
	all.Wait()
}

var failed = regexp.MustCompile(`(?m)^    --- FAIL: TestPlain/(\S+)`)

// killers are the tests of the suite that fail for a store with a mistake.
func killers(t *testing.T, wrong mistake) (by []string, output string) {
	child := exec.Command(os.Args[0], "-test.run=^TestPlain$", "-test.timeout=60s", "-rapid.nofailfile", "-rapid.shrinktime=1ms")
	child.Env = append(os.Environ(), mutantVariable+"="+string(wrong))
	out, err := child.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || strings.Contains(string(out), "panic:") {
		t.Errorf("%s: %v\n%s", wrong, err, out)
	}
	for _, match := range failed.FindAllStringSubmatch(string(out), -1) {
		by = append(by, match[1])
	}
	return by, string(out)
}
