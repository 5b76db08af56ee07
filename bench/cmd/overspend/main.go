// Command overspend prints what becomes of a cap when many calls are in flight at once.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/farebox-go/farebox/bench"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "overspend:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	all, err := bench.Stampedes(ctx)
	if err != nil {
		return err
	}
	return bench.WriteStampedes(os.Stdout, all...)
}
