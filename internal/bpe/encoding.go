// Package bpe counts and encodes tokens as OpenAI's models do: exactly, without the network, without set-up, and in
// time that grows with the length of the text whatever it holds.
//
// All text is ordinary text. What looks like a special token, such as <|endoftext|>, is counted as the characters it
// is written with, which is what providers do with the text of a message. Each byte that is not UTF-8 counts as
// U+FFFD, which is what it is by the time it has been sent as JSON.
package bpe

import (
	_ "embed"
	"fmt"
	"sync"
)

// The merge lists, written by the program in generate.
var (
	//go:embed data/o200k_base.merges
	o200kMerges []byte
	//go:embed data/cl100k_base.merges
	cl100kMerges []byte
	//go:embed data/p50k_base.merges
	p50kMerges []byte
)

// r50kTokens is how many tokens of p50k_base are all of r50k_base.
const r50kTokens = 50256

// Encoding is a way to turn text into tokens. It is safe for concurrent use.
type Encoding struct {
	name    string
	pattern pattern
	vocab   *vocabulary
	pool    sync.Pool // of *scratch
}

// Names lists the encodings that [ByName] knows.
func Names() []string {
	return []string{"o200k_base", "o200k_harmony", "cl100k_base", "p50k_base", "r50k_base"}
}

var (
	o200k  = load("o200k_base", patternO200k, o200kMerges, 0)
	cl100k = load("cl100k_base", patternCl100k, cl100kMerges, 0)
	p50k   = load("p50k_base", patternR50k, p50kMerges, 0)
	r50k   = load("r50k_base", patternR50k, p50kMerges, r50kTokens)
)

// ByName gives an encoding by the name that OpenAI publishes it under. The first call for an encoding builds its
// tables, which takes milliseconds; they are kept for the life of the program. o200k_harmony differs from o200k_base
// in its special tokens only, so that they are one here. The error is for a name that is not among [Names].
func ByName(name string) (*Encoding, error) {
	switch name {
	case "o200k_base", "o200k_harmony":
		return o200k()
	case "cl100k_base":
		return cl100k()
	case "p50k_base":
		return p50k()
	case "r50k_base":
		return r50k()
	}
	return nil, fmt.Errorf("bpe: no encoding is called %q", name)
}

func load(name string, p pattern, merges []byte, limit int) func() (*Encoding, error) {
	return sync.OnceValues(func() (*Encoding, error) {
		vocab, err := newVocabulary(merges, limit)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return &Encoding{name: name, pattern: p, vocab: vocab}, nil
	})
}

// Name gives the published name of the encoding.
func (e *Encoding) Name() string { return e.name }

// Size gives the number of token identifiers, special tokens not counted. Every token is smaller than it.
func (e *Encoding) Size() int { return len(e.vocab.ends) }
