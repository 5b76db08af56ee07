package prompt

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestLearnerFactor(t *testing.T) {
	t.Parallel()
	var l Learner
	for i := range int64(20) {
		n := 100 * (i + 1)
		l.Observe("m", Estimate{Tokens: n}, n*5/4)
	}
	if e := l.Adjust("m", Estimate{Tokens: 10_000, Band: 50}); e.Tokens != 12_500 || e.Band > 1 {
		t.Errorf("%+v", e)
	}
}

func TestLearnerDifference(t *testing.T) {
	t.Parallel()
	var l Learner
	for i := range int64(20) {
		n := 100 * (i + 1)
		l.Observe("m", Estimate{Tokens: n}, n+500)
	}
	if e := l.Adjust("m", Estimate{Tokens: 10_000, Band: 50}); e.Tokens != 10_500 || e.Band > 1 {
		t.Errorf("%+v", e)
	}
}

func TestLearnerBoth(t *testing.T) {
	t.Parallel()
	var l Learner
	for i := range int64(20) {
		n := 100 * (i + 1)
		l.Observe("m", Estimate{Tokens: n}, n*3/2+700)
	}
	if e := l.Adjust("m", Estimate{Tokens: 10_000, Band: 50}); e.Tokens != 15_700 || e.Band > 1 {
		t.Errorf("%+v", e)
	}
}

// TestLearnerOddReports has a quarter of the reports wrong by a factor of a hundred.
func TestLearnerOddReports(t *testing.T) {
	t.Parallel()
	var l Learner
	for i := range int64(40) {
		n, factor := 100+13*i, int64(2)
		if i%4 == 3 {
			factor = 200
		}
		l.Observe("m", Estimate{Tokens: n}, n*factor)
	}
	if e := l.Adjust("m", Estimate{Tokens: 1000}); e.Tokens != 2000 {
		t.Errorf("%+v", e)
	}
}

func TestLearnerForgetsOldWays(t *testing.T) {
	t.Parallel()
	var l Learner
	for i := range int64(3 * lessonPairs) {
		reported := 100 + i
		if i >= 2*lessonPairs {
			reported *= 3
		}
		l.Observe("m", Estimate{Tokens: 100 + i}, reported)
	}
	if e := l.Adjust("m", Estimate{Tokens: 1000}); e.Tokens != 3000 {
		t.Errorf("%+v", e)
	}
}

func TestLearnerKeepsApart(t *testing.T) {
	t.Parallel()
	var l Learner
	for range firstLesson {
		l.Observe("m", Estimate{Tokens: 100, Kind: Tools}, 700)
	}
	for range firstLesson - 1 {
		l.Observe("few", Estimate{Tokens: 100}, 700)
	}
	l.Observe("none", Estimate{Tokens: 100}, 0)
	l.Observe("none", Estimate{}, 100)
	for _, c := range []struct {
		model string
		kind  Kind
		want  int64
	}{{"m", Tools, 700}, {"m", Plain, 100}, {"few", Plain, 100}, {"none", Plain, 100}, {"never", Plain, 100}} {
		if e := l.Adjust(c.model, Estimate{Tokens: 100, Kind: c.kind}); e.Tokens != c.want {
			t.Errorf("%s, %s: %+v", c.model, c.kind, e)
		}
	}
}

func TestLearnerBounds(t *testing.T) {
	t.Parallel()
	var l Learner
	for range 5 {
		l.Observe("m", Estimate{Tokens: 100, Most: 400, Bounded: true}, 300)
	}
	if e := l.Adjust("m", Estimate{Tokens: 200, Most: 250, Bounded: true}); e.Tokens != 250 || e.Most != 250 || !e.Bounded {
		t.Errorf("beyond a bound: %+v", e)
	}
	l.Observe("m", Estimate{Tokens: 100, Most: 400, Bounded: true}, 401)
	if e := l.Adjust("m", Estimate{Tokens: 100, Most: 400, Bounded: true}); e.Bounded || e.Most != 0 {
		t.Errorf("a bound that was broken: %+v", e)
	}
}

func TestLearnerMemory(t *testing.T) {
	t.Parallel()
	l := NewLearner(10)
	for i := range 1000 {
		l.Observe("kept", Estimate{Tokens: 100}, 200)
		l.Observe(fmt.Sprint(i), Estimate{Tokens: 100}, 200)
	}
	if len(l.lessons) != 10 {
		t.Errorf("%d models are remembered", len(l.lessons))
	}
	if e := l.Adjust("kept", Estimate{Tokens: 100}); e.Tokens != 200 {
		t.Errorf("%+v", e)
	}
}

func TestLearnerConcurrently(t *testing.T) {
	t.Parallel()
	l := NewLearner(4)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			random := rand.New(rand.NewPCG(uint64(i), 1))
			for range 300 {
				model := fmt.Sprint(random.IntN(8))
				l.Observe(model, Estimate{Tokens: 100}, 200)
				if e := l.Adjust(model, Estimate{Tokens: 100}); e.Tokens != 100 && e.Tokens != 200 {
					t.Errorf("%+v", e)
				}
			}
			if _, err := json.Marshal(l); err != nil {
				t.Error(err)
			}
		}()
	}
	wait.Wait()
}

// TestLearnerRestored writes down what was learned and compares what comes of it with the original.
func TestLearnerRestored(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := NewLearner(rapid.IntRange(1, 5).Draw(t, "models"))
		models := rapid.SampledFrom([]string{"a", "b", "c", "d/e"})
		estimates := rapid.Custom(func(t *rapid.T) Estimate {
			n := rapid.Int64Range(1, 1<<40).Draw(t, "tokens")
			return Estimate{Tokens: n, Most: 2 * n, Bounded: rapid.Bool().Draw(t, "bounded"), Kind: Kind(rapid.IntRange(0, kinds-1).Draw(t, "kind"))}
		})
		for range rapid.IntRange(0, 200).Draw(t, "calls") {
			l.Observe(models.Draw(t, "model"), estimates.Draw(t, "estimate"), rapid.Int64Range(1, 1<<41).Draw(t, "reported"))
		}
		kept, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		var other Learner
		if err := json.Unmarshal(kept, &other); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(&other)
		if err != nil || string(again) != string(kept) {
			t.Fatalf("%v\n%s\n%s", err, kept, again)
		}
		for range 10 {
			model, e := models.Draw(t, "model"), estimates.Draw(t, "estimate")
			want := l.Adjust(model, e)
			if got := other.Adjust(model, e); got != want {
				t.Fatalf("%s, %+v: %+v, want %+v", model, e, got, want)
			}
			if want.Bounded && want.Most < want.Tokens || want.Tokens < 0 {
				t.Fatalf("%+v", want)
			}
		}
	})
}

func TestLearnerRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{}`, `[1]`, `[{"kind":3}]`, `[{"pairs":[[0,1]]}]`, `[{"pairs":[[1,-1]]}]`, `[`} {
		var l Learner
		l.Observe("m", Estimate{Tokens: 1}, 1)
		if err := json.Unmarshal([]byte(text), &l); err == nil || len(l.lessons) != 1 {
			t.Errorf("%s: %v, %d lessons", text, err, len(l.lessons))
		}
	}
}
