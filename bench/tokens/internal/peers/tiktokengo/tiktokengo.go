// Package tiktokengo gives the counter of github.com/pkoukk/tiktoken-go, its vocabularies from the module made for it.
package tiktokengo

import (
	"github.com/farebox-go/farebox/bench/tokens/internal/runner"
	"github.com/pkoukk/tiktoken-go"
	loader "github.com/pkoukk/tiktoken-go-loader"
)

// Open implements [runner.OpenFunc]. Call it from one goroutine at a time: where vocabularies come from is a variable
// of the library.
func Open(encoding string) (runner.Count, error) {
	tiktoken.SetBpeLoader(loader.NewOfflineLoader())
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
