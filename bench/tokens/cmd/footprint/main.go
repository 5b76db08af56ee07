// Command footprint prints what it takes to have a token counter in a program: the time to load an encoding, the heap
// that it keeps, and the size of the binary. Run it from the folder bench/tokens.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/farebox-go/farebox/bench/tokens"
)

func main() {
	programs := flag.Int("programs", 7, "how many fresh programs each figure is the median of")
	flag.Parse()
	if err := run(os.Stdout, *programs); err != nil {
		fmt.Fprintln(os.Stderr, "footprint:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, programs int) error {
	if programs < 1 {
		return fmt.Errorf("-programs %d: want at least 1", programs)
	}
	folder, err := os.MkdirTemp("", "footprint")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	subjects, absent, err := tokens.Subjects(folder)
	if err != nil {
		return err
	}
	for _, reason := range absent {
		fmt.Fprintln(w, "left out:", reason)
	}
	fmt.Fprintf(w, "\n| library | encoding | load | heap kept |\n|---|---|---|---|\n")
	for _, subject := range subjects {
		for _, encoding := range tokens.Encodings {
			if err := load(w, subject, encoding, programs); err != nil {
				return err
			}
		}
	}
	return sizes(w, folder)
}

// load prints what loading one encoding takes. Where a library does not have it, it prints that.
func load(w io.Writer, subject tokens.Subject, encoding string, programs int) error {
	var loads []tokens.Loaded
	for range programs {
		loaded, _, err := tokens.Fresh(subject.Program, encoding, "")
		if err != nil && len(loads) == 0 {
			fmt.Fprintf(w, "| %s | %s | %v | |\n", subject.Name, encoding, err)
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", subject.Name, err)
		}
		loads = append(loads, loaded)
	}
	middle := tokens.Median(loads, func(l tokens.Loaded) time.Duration { return l.Time })
	kept := "–"
	if subject.Allocates {
		kept = fmt.Sprintf("%.1f MB", float64(middle.Kept)/1e6)
	}
	fmt.Fprintf(w, "| %s | %s | %.1f ms | %s |\n", subject.Name, encoding, middle.Time.Seconds()*1e3, kept)
	return nil
}

// sizes prints how large programs are, stripped and not.
func sizes(w io.Writer, folder string) error {
	fmt.Fprintf(w, "\n| program | size | stripped |\n|---|---|---|\n")
	for _, program := range []struct {
		name, pkg string
		flags     []string
	}{
		{"no counter", "./programs/bytes", nil},
		{"farebox.CountTokens", "./programs/farebox", nil},
		{"tiktoken-go with its loader", "./programs/tiktokengo", nil},
		{"tiktoken-go-tokenizer", "./tokenizer", nil},
		{"a client of farebox, with -tags farebox_nocount", "./programs/sdk", []string{"-tags=farebox_nocount"}},
		{"a client of farebox", "./programs/sdk", nil},
	} {
		whole, err := size(folder, program.pkg, program.flags...)
		if errors.Is(err, tokens.ErrAbsent) {
			continue
		}
		if err != nil {
			return err
		}
		stripped, err := size(folder, program.pkg, append(program.flags, "-ldflags=-s -w")...)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "| %s | %.2f MB | %.2f MB |\n", program.name, whole, stripped)
	}
	return nil
}

// size builds a program and gives its size in MB.
func size(folder, pkg string, flags ...string) (float64, error) {
	path, err := tokens.Build(folder, "weighed", pkg, append([]string{"-trimpath"}, flags...)...)
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()) / 1e6, nil
}
