// Command tokenizer holds the counter of github.com/tiktoken-go/tokenizer, to be measured. It is a module of its own,
// outside the workspace, since that library asks for a newer Go than farebox does.
package main

import (
	"github.com/farebox-go/farebox/bench/tokens/internal/runner"
	"github.com/tiktoken-go/tokenizer"
)

func main() { runner.Main(open) }

// open implements [runner.OpenFunc].
func open(encoding string) (runner.Count, error) {
	codec, err := tokenizer.Get(tokenizer.Encoding(encoding))
	if err != nil {
		return nil, err
	}
	return func(text string) int {
		n, err := codec.Count(text)
		if err != nil {
			return -1
		}
		return n
	}, nil
}
