package explore

import (
	"os"
	"testing"
)

// most bounds the memory: 16 bytes a state, and room to grow.
const most = 4_000_000

// TestEveryState visits all there is. FAREBOX_LONG adds what takes seconds rather than a moment.
func TestEveryState(t *testing.T) {
	t.Parallel()
	configs := map[string]Config{
		"one attempt each":    {},
		"one more attempt":    {Restarts: 1},
		"three attempts more": {Restarts: 3},
		"overruns":            {Overruns: true},
		"overruns, one more":  {Overruns: true, Restarts: 1},
		"the window turns":    {Turns: true},
	}
	if os.Getenv("FAREBOX_LONG") == "" {
		configs = map[string]Config{"one attempt each": {}, "overruns": {Overruns: true}}
	}
	for name, c := range configs {
		result, err := c.Run(most)
		if err != nil || result.Broken != "" {
			t.Errorf("%s: %s, %v", name, result, err)
		}
		t.Logf("%s: %s", name, result)
	}
}

// TestMistakesAreFound: what the model is for.
func TestMistakesAreFound(t *testing.T) {
	t.Parallel()
	for _, wrong := range Mistakes {
		result, err := ConfigFor(wrong).Run(most)
		if err != nil || result.Broken == "" || len(result.Trace) == 0 {
			t.Errorf("%s: %s, %v", wrong, result, err)
		}
	}
	if _, err := (Config{}).Run(1000); err == nil {
		t.Error("no error for a bound that is too small")
	}
}

// TestPacking: a state is what it is remembered as.
func TestPacking(t *testing.T) {
	t.Parallel()
	seen := 0
	level := []state{{restarts: 1, callers: [callers]caller{{need: 1}, {need: 1}, {need: 1}}}}
	for range 6 {
		var following []state
		for _, from := range level {
			(Config{Turns: true, Overruns: true, Restarts: 1}).steps(from, func(name string, _ int, to state) {
				if back := unpack(to.pack()); back != to {
					t.Fatalf("%s: %+v became %+v", name, to, back)
				}
				if seen++; len(following) < 500 {
					following = append(following, to)
				}
			})
		}
		level = following
	}
	if seen < 1000 {
		t.Errorf("only %d states seen", seen)
	}
}
