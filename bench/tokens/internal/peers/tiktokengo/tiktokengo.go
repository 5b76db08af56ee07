// Package tiktokengo gives the counter of github.com/pkoukk/tiktoken-go, its vocabularies from the module made for it.
package tiktokengo

import (
	"github.com/farebox-go/farebox/bench/tokens/internal/runner"
	"github.com/pkoukk/tiktoken-go"
	loader "github.com/pkoukk/tiktoken-go-loader"
)

// Where the library's vocabularies come from is a plain variable of the library: it is set before anything runs.
func init() { tiktoken.SetBpeLoader(loader.NewOfflineLoader()) }

// Open implements [runner.OpenFunc]. It is safe for concurrent use.
func Open(encoding string) (runner.Count, error) {
	t, err := tiktoken.GetEncoding(encoding)
	if err != nil {
		return nil, err
	}
	return func(text string) int { return len(t.EncodeOrdinary(text)) }, nil
}

// Vocabulary gives the bytes of the tokens of an encoding, by their numbers.
func Vocabulary(encoding string) ([]string, error) {
	ranks, err := loader.NewOfflineLoader().LoadTiktokenBpe(encoding + ".tiktoken")
	if err != nil {
		return nil, err
	}
	tokens := make([]string, len(ranks))
	for token, rank := range ranks {
		if rank < len(tokens) {
			tokens[rank] = token
		}
	}
	return tokens, nil
}
