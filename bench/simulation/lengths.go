// Package simulation runs many callers against one cap, in time that is simulated, and measures both errors of a guard:
// money that was spent over the cap, and calls that were refused although they would have fitted. farebox is run as it is,
// through its transport; the rivals are the rules of admission that their documentation or source prescribes.
package simulation

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// Lengths are output lengths of answers, in tokens, to draw from.
type Lengths struct {
	// Source says where they are from.
	Source string
	tokens []int64 // sorted
}

// ReadLengths reads the output tokens of every answer in a folder of recorded traffic: of its INDEX.jsonl, one line an
// exchange, the number of output tokens under whichever name its provider uses.
func ReadLengths(folder string) (Lengths, error) {
	file, err := os.Open(filepath.Join(folder, "INDEX.jsonl"))
	if err != nil {
		return Lengths{}, err
	}
	defer func() { _ = file.Close() }()
	var all []int64
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var exchange struct {
			Usage map[string]json.RawMessage `json:"usage"`
		}
		if json.Unmarshal(lines.Bytes(), &exchange) != nil {
			continue
		}
		for _, name := range [...]string{"completion_tokens", "output_tokens", "candidatesTokenCount", "outputTokens"} {
			var tokens int64
			if json.Unmarshal(exchange.Usage[name], &tokens) == nil && tokens > 0 {
				all = append(all, tokens)
				break
			}
		}
	}
	if err := lines.Err(); err != nil {
		return Lengths{}, err
	}
	if len(all) < 100 {
		return Lengths{}, fmt.Errorf("simulation: %d answers with usage in %s, want 100 or more", len(all), file.Name())
	}
	slices.Sort(all)
	return Lengths{Source: fmt.Sprintf("recorded traffic, %d answers", len(all)), tokens: all}, nil
}

// ModelLengths stand in where there is no recorded traffic: log-normal with a median of 400 tokens and a sigma of 0.9,
// and two in a hundred that run to whatever limit there is.
func ModelLengths() Lengths {
	const n = 5000
	r := rand.New(rand.NewPCG(400, 9))
	all := make([]int64, n)
	for i := range all {
		all[i] = max(1, int64(400*math.Exp(0.9*r.NormFloat64())))
		if i%50 == 0 {
			all[i] = math.MaxInt32
		}
	}
	slices.Sort(all)
	return Lengths{Source: "log-normal, median 400 tokens, 2 % to the limit", tokens: all}
}

// Quantile is a length that a share of all do not pass.
func (l Lengths) Quantile(q float64) int64 { return l.tokens[int(q*float64(len(l.tokens)-1))] }

func (l Lengths) draw(r *rand.Rand) int64 { return l.tokens[r.IntN(len(l.tokens))] }

// mean is the mean of the lengths under a limit.
func (l Lengths) mean(limit int64) int64 {
	var sum int64
	for _, n := range l.tokens {
		sum += min(n, limit)
	}
	return sum / int64(len(l.tokens))
}
