package simulation

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/farebox-go/farebox"
)

// Policy is a way to guard a cap.
type Policy struct {
	Name string
	// Who does it so; empty: farebox.
	Who      string
	newGuard func(*engine) (guarded, error)
}

// Policies are farebox's own, and the rivals'.
func Policies() []Policy {
	own := func(name string, budget farebox.Budget, reconcile bool) Policy {
		return Policy{Name: name, newGuard: fareboxGuard(budget, reconcile)}
	}
	const ttl = 30 * time.Second
	return []Policy{
		own("worst case", farebox.Budget{}, false),
		own("worst case, reconciled", farebox.Budget{}, true),
		own("Fit, reconciled", farebox.Budget{WhenFull: farebox.Fit}, true),
		own("Wait, reconciled", farebox.Budget{WhenFull: farebox.Wait}, true),
		own("Progressive, reconciled", farebox.Budget{Hold: farebox.Progressive}, true),
		own("5 % tolerance, reconciled", farebox.Budget{TolerancePercent: 5}, true),
		{"check, then record", "most gateways and Go libraries", rules{}.guard},
		{"the same, books 10 s behind", "spend logs in batches", rules{lag: 10 * time.Second}.guard},
		{"reserve the mean, give back on timeout", "token buckets", rules{holds: mean, ttl: ttl}.guard},
		{"reserve the most, shrink to what is left", "LiteLLM", rules{holds: most, shrink: true, ttl: ttl, inputOnCancel: true}.guard},
		{"reserve the most, give back on timeout", "Cycles, SpendGuard", rules{holds: most, ttl: ttl}.guard},
	}
}

// Result is what came of many runs of a policy in a scenario. Shares are of 1.
type Result struct {
	Scenario string `json:"scenario"`
	Policy   string `json:"policy"`
	Who      string `json:"who"`
	Runs     int    `json:"runs"`
	// OverCap is the share of runs in which the provider billed more than the cap; Overspend what was billed above it, as a
	// share of the cap.
	OverCap         float64 `json:"over_cap"`
	OverspendMedian float64 `json:"overspend_median"`
	OverspendMost   float64 `json:"overspend_most"`
	// Used is the median of what was billed until nobody asked any more, as a share of the cap, and no more than 1.
	Used float64 `json:"used"`
	// FalseRefusals is the share of the answers to calls that would have fitted which were refusals. LostEarly is the share of
	// callers that gave up while more than a tenth of the cap was left.
	FalseRefusals float64 `json:"false_refusals"`
	LostEarly     float64 `json:"lost_early"`
	// Refusals and Sent are means of a run. Cut is the share of answers that ended early for want of money.
	Refusals float64 `json:"refusals"`
	Sent     float64 `json:"sent"`
	Cut      float64 `json:"cut"`
	// Short is the share of runs after which the books said less than was billed.
	Short float64 `json:"short"`
}

// Simulate makes runs of a policy in a scenario, from seed on, as many at a time as there are processors.
func Simulate(ctx context.Context, s Scenario, p Policy, lengths Lengths, runs int, seed uint64) (Result, error) {
	all := make([]Run, runs)
	var failures []error
	var mu sync.Mutex
	var workers sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				run, err := s.simulate(seed+uint64(i), lengths, p.newGuard)
				mu.Lock()
				if all[i] = run; err != nil {
					failures = append(failures, fmt.Errorf("%s, %s, seed %d: %w", s.Name, p.Name, seed+uint64(i), err))
				}
				mu.Unlock()
			}
		})
	}
	for i := range runs {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	workers.Wait()
	if ctx.Err() != nil {
		return Result{}, context.Cause(ctx)
	}
	if len(failures) > 0 {
		return Result{}, failures[0]
	}
	return summary(s, p, all), nil
}

func summary(s Scenario, p Policy, all []Run) Result {
	r := Result{Scenario: s.Name, Policy: p.Name, Who: cmp.Or(p.Who, "farebox"), Runs: len(all)}
	n := float64(len(all))
	var over, used []float64
	fitted, falsely, sent, cut, overCap, short, lost := 0, 0, 0, 0, 0, 0, 0
	for _, run := range all {
		share := float64(run.Billed) / float64(run.Cap)
		over, used = append(over, max(0, share-1)), append(used, min(1, share))
		if run.Billed > run.Cap {
			overCap++
		}
		if run.Books < run.Billed {
			short++
		}
		r.Refusals += float64(run.Refusals) / n
		lost += run.Lost
		falsely += run.False
		fitted += run.False + run.Sent
		sent += run.Sent
		cut += run.Cut
	}
	slices.Sort(over)
	slices.Sort(used)
	r.OverspendMedian, r.OverspendMost, r.Used = over[len(over)/2], over[len(over)-1], used[len(used)/2]
	r.OverCap, r.Short, r.LostEarly = float64(overCap)/n, float64(short)/n, float64(lost)/n/float64(s.Callers)
	r.Sent = float64(sent) / n
	r.Cut = float64(cut) / float64(max(sent, 1))
	r.FalseRefusals = float64(falsely) / float64(max(fitted, 1))
	return r
}
