package tokens

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode"

	"github.com/farebox-go/farebox/bench/tokens/internal/peers/farebox"
	"github.com/farebox-go/farebox/bench/tokens/internal/peers/tiktokengo"
	"github.com/farebox-go/farebox/bench/tokens/internal/runner"
)

// Encodings are the ones that are measured and compared.
var Encodings = []string{"o200k_base", "cl100k_base"}

// Differential counts generated texts with farebox and with tiktoken-go, which does what the definition of the
// encodings says, step by step. It is safe for concurrent use.
type Differential struct {
	generator Generator
	pairs     []pair
}

// pair is one encoding, counted in two ways.
type pair struct {
	encoding  string
	got, want runner.Count
}

// Result is what a differential run found.
type Result struct {
	Cases, Bytes int64
	// Newer are the cases in which the counts differ for letters that tiktoken-go does not know: see [Known].
	Newer int64
	// Differences are all other cases in which they differ.
	Differences []Difference
}

// Difference is a case in which the counts differ. Seed and Number make it again.
type Difference struct {
	Seed, Number uint64
	Encoding     string
	Text         string
	Got, Want    int // tokens that farebox and tiktoken-go count
}

// String describes the case in one line.
func (d Difference) String() string {
	return fmt.Sprintf("seed %d, case %d, %s: farebox counts %d, tiktoken-go %d: %q",
		d.Seed, d.Number, d.Encoding, d.Got, d.Want, d.Text)
}

// NewDifferential loads both counters, which takes a second. The samples are texts to cut pieces out of.
func NewDifferential(samples []Text) (*Differential, error) {
	if len(samples) == 0 {
		return nil, errors.New("tokens: no sample texts")
	}
	var d Differential
	for _, sample := range samples {
		d.generator.samples = append(d.generator.samples, sample.Text)
	}
	for _, encoding := range Encodings {
		got, err := farebox.Open(encoding)
		if err != nil {
			return nil, err
		}
		want, err := tiktokengo.Open(encoding)
		if err != nil {
			return nil, err
		}
		vocabulary, err := tiktokengo.Vocabulary(encoding)
		if err != nil {
			return nil, err
		}
		d.generator.vocabulary = append(d.generator.vocabulary, vocabulary...)
		d.pairs = append(d.pairs, pair{encoding, got, want})
	}
	return &d, nil
}

// Run compares the cases from 0 up to below n of a seed, by so many workers. When the context ends it stops and gives
// what it has.
func (d *Differential) Run(ctx context.Context, seed uint64, n int64, workers int) Result {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		total Result
	)
	for worker := range workers {
		wg.Go(func() {
			var part Result
			for number := int64(worker); number < n && ctx.Err() == nil; number += int64(workers) {
				d.compare(seed, uint64(number), &part)
			}
			mu.Lock()
			defer mu.Unlock()
			total.add(part)
		})
	}
	wg.Wait()
	return total
}

func (r *Result) add(part Result) {
	r.Cases += part.Cases
	r.Bytes += part.Bytes
	r.Newer += part.Newer
	r.Differences = append(r.Differences, part.Differences...)
}

// compare counts one case in one encoding, in turn.
func (d *Differential) compare(seed, number uint64, r *Result) {
	text := d.generator.Text(seed, number)
	p := d.pairs[number%uint64(len(d.pairs))]
	r.Cases++
	r.Bytes += int64(len(text))
	got, want := p.got(text), p.want(text)
	if got == want {
		if got = p.got(text); got == want { // what was counted before may be counted in another way
			return
		}
	}
	newer := func(r rune) bool { return Known(r) < 0 }
	if known := strings.Map(Known, text); strings.ContainsFunc(text, newer) && p.got(known) == p.want(known) {
		r.Newer++
		return
	}
	r.Differences = append(r.Differences, Difference{seed, number, p.encoding, text, got, want})
}

// Known is for [strings.Map]. It drops the characters that tiktoken-go takes for what they are not: those that Go's
// Unicode tables do not have yet, and the long s, which OpenAI's own library takes for an s in a contraction.
func Known(r rune) rune {
	if r == 'ſ' || unicode.Is(unicode.Cn, r) {
		return -1
	}
	return r
}
