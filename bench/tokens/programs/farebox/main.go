// Command farebox holds the counter of farebox, to be measured.
package main

import (
	"github.com/farebox-go/farebox/bench/tokens/internal/peers/farebox"
	"github.com/farebox-go/farebox/bench/tokens/internal/runner"
)

func main() { runner.Main(farebox.Open) }
