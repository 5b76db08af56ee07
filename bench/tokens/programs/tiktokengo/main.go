// Command tiktokengo holds the counter of tiktokengo, to be measured.
package main

import (
	"github.com/farebox-go/farebox/bench/tokens/internal/peers/tiktokengo"
	"github.com/farebox-go/farebox/bench/tokens/internal/runner"
)

func main() { runner.Main(tiktokengo.Open) }
