// Command tokens prints how fast tokens are counted, by farebox and by other libraries: warm and cold, on ordinary text
// and on text that is made to be slow. Run it from the folder bench/tokens.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/farebox-go/farebox/bench/tokens"
)

// runSize is the length in bytes of the texts that are one long run.
const runSize = 100_000

type settings struct {
	encoding string
	samples  string
	rounds   int
	each     time.Duration
	programs int
	runs     bool
}

func main() {
	var s settings
	flag.StringVar(&s.encoding, "encoding", "o200k_base", "the encoding to count in")
	flag.StringVar(&s.samples, "samples", tokens.SamplesFolder, "folder of texts to count")
	flag.IntVar(&s.rounds, "rounds", 7, "how often everything is measured; the quickest round is printed")
	flag.DurationVar(&s.each, "each", 100*time.Millisecond, "how long one measurement takes")
	flag.IntVar(&s.programs, "programs", 5, "how many fresh programs each text is counted in for the cold figures; 0 leaves them out")
	flag.BoolVar(&s.runs, "runs", true, "whether to measure long runs, on which some libraries take minutes")
	flag.Parse()
	if err := run(os.Stdout, s); err != nil {
		fmt.Fprintln(os.Stderr, "tokens:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, s settings) error {
	if s.rounds < 1 || !slices.Contains(tokens.Encodings, s.encoding) {
		return fmt.Errorf("want at least 1 round, and an encoding of %v", tokens.Encodings)
	}
	texts, err := readTexts(s.samples)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "tokens")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	subjects, absent, err := tokens.Subjects(folder)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s %s/%s, %d processors, %s, the quickest of %d rounds of %s\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), s.encoding, s.rounds, s.each)
	for _, reason := range absent {
		fmt.Fprintln(w, "left out:", reason)
	}
	if err := warm(w, s, subjects, texts); err != nil {
		return err
	}
	if s.programs > 0 {
		if err := cold(w, s, subjects, texts); err != nil {
			return err
		}
	}
	if s.runs {
		return runs(w, s, subjects)
	}
	return nil
}

func readTexts(folder string) ([]tokens.Text, error) {
	texts, err := tokens.Samples(folder)
	if err != nil {
		return nil, err
	}
	long, err := tokens.Long()
	return append(texts, long...), err
}

func warm(w io.Writer, s settings, subjects []tokens.Subject, texts []tokens.Text) error {
	rows, err := tokens.Warm(subjects, s.encoding, texts, s.rounds, s.each)
	if err != nil {
		return err
	}
	table(w, "Warm: MB/s", texts, rows, rate)
	table(w, "Warm: farebox's rate divided by that of the other", texts, rows, ratio)
	table(w, "Warm: allocations per MB", texts, rows, allocs)
	return nil
}

func cold(w io.Writer, s settings, subjects []tokens.Subject, texts []tokens.Text) error {
	rows, err := tokens.Cold(with(subjects, s.encoding), s.encoding, texts, s.programs)
	if err != nil {
		return err
	}
	table(w, fmt.Sprintf("Cold: MB/s of the first count in a fresh program, median of %d", s.programs), texts, rows, rate)
	table(w, "Cold: farebox's rate divided by that of the other", texts, rows, ratio)
	return nil
}

func runs(w io.Writer, s settings, subjects []tokens.Subject) error {
	texts := tokens.Runs(runSize)
	rows, err := tokens.Warm(subjects, s.encoding, texts, s.rounds, s.each)
	if err != nil {
		return err
	}
	table(w, fmt.Sprintf("Runs of %d bytes: ms for one count", runSize), texts, rows, millis)
	return nil
}

// with leaves out the libraries that do not have an encoding.
func with(subjects []tokens.Subject, encoding string) []tokens.Subject {
	var having []tokens.Subject
	for _, subject := range subjects {
		if _, _, err := tokens.Fresh(subject.Program, encoding, ""); err == nil {
			having = append(having, subject)
		}
	}
	return having
}
