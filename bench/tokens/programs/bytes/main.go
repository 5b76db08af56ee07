// Command bytes counts bytes, which no text has more tokens than. It is what a program weighs that holds no library.
package main

import "github.com/farebox-go/farebox/bench/tokens/internal/runner"

func main() {
	runner.Main(func(string) (runner.Count, error) {
		return func(text string) int { return len(text) }, nil
	})
}
