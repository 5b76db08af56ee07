package farebox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/farebox-go/farebox"
)

// The tests of regressions_*_test.go each replay an issue that users of other libraries and gateways have reported. Their
// names are the project and the number; docs/regressions.md says what happened there and what happens here.

// dime is a model each call of which costs $0.10, whatever its size.
const (
	dimeJSON = `{"model":"dime","max_tokens":10,"messages":[{"role":"user","content":"ride"}]}`
	dimeCost = 10 // cents
)

var (
	dimePrice = farebox.WithPrice("dime", farebox.Rates{
		farebox.DimensionRequest: farebox.MustRate("0.10"), farebox.DimensionInput: {}, farebox.DimensionOutput: {},
	})
	dimeAnswer = strings.ReplaceAll(chatAnswer, testModel, "dime")
)

// capOf is a budget without a window.
func capOf(name string, limit farebox.Money) farebox.Budget {
	return farebox.Budget{Name: name, Cap: limit}
}

// rush makes calls at the same time. The provider answers none of them before all are decided about: every call is in
// flight between the question whether it fits and the news of what it cost.
func rush(t *testing.T, meter *farebox.Meter, answer http.HandlerFunc, bodies []string, tags func(i int) farebox.Tags) (sent int, refused []*farebox.BudgetError) {
	t.Helper()
	open := make(chan struct{})
	var undecided, arrived atomic.Int64
	undecided.Store(int64(len(bodies)))
	decided := func() {
		if undecided.Add(-1) == 0 {
			close(open)
		}
	}
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		decided()
		<-open
		answer(w, r)
	})
	var mu sync.Mutex
	var done sync.WaitGroup
	client := meter.HTTPClient()
	for i, body := range bodies {
		done.Go(func() {
			ctx := context.Background()
			if tags != nil {
				ctx = farebox.ContextWithTags(ctx, tags(i))
			}
			resp, err := postWith(ctx, t, client, p.URL, strings.NewReader(body))
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				return
			}
			var no *farebox.BudgetError
			if !errors.As(err, &no) {
				t.Errorf("call %d: %v", i, err)
			}
			mu.Lock()
			refused = append(refused, no)
			mu.Unlock()
			decided()
		})
	}
	done.Wait()
	return int(arrived.Load()), refused
}

// repeat is a body many times.
func repeat(body string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = body
	}
	return all
}

// status is how the named budget of a Meter stands, for a value of its tag where it has one.
func status(t *testing.T, meter *farebox.Meter, name, value string) farebox.BudgetStatus {
	t.Helper()
	for _, s := range meter.Guard().Snapshot() {
		if s.Budget == name && s.Value == value {
			return s
		}
	}
	t.Fatalf("no budget %q for %q", name, value)
	return farebox.BudgetStatus{}
}

// pay makes one call for a dime, and returns the refusal if there is one.
func pay(ctx context.Context, t *testing.T, meter *farebox.Meter, p *provider) *farebox.BudgetError {
	t.Helper()
	return payFor(ctx, t, meter, p, dimeJSON)
}

func payFor(ctx context.Context, t *testing.T, meter *farebox.Meter, p *provider, body string) *farebox.BudgetError {
	t.Helper()
	resp, err := postWith(ctx, t, meter.HTTPClient(), p.URL, strings.NewReader(body))
	if err == nil {
		readAll(t, resp)
		return nil
	}
	var no *farebox.BudgetError
	if !errors.As(err, &no) {
		t.Fatal(err)
	}
	return no
}

// TestRegressionsAreDocumented: the table of docs/regressions.md and the tests name each other.
func TestRegressionsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/regressions.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("regressions_*_test.go")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files of regressions, %v", len(files), err)
	}
	named := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+_\w+)\(`).FindAllSubmatch(source, -1) {
			named[string(found[1])] = true
			if !strings.Contains(string(page), "`"+string(found[1])+"`") {
				t.Errorf("%s of %s is not in the table", found[1], file)
			}
		}
	}
	for _, found := range regexp.MustCompile("`(Test[A-Za-z0-9]+_\\w+)`").FindAllSubmatch(page, -1) {
		if !named[string(found[1])] {
			t.Errorf("the table names %s, which is no test", found[1])
		}
	}
}
