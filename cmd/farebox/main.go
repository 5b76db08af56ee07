// Command farebox looks at prices and tokens from the command line: which models the catalog knows, what a usage costs
// on one, how many tokens a file has.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/farebox-go/farebox"
)

// commands is the command line.
type commands struct {
	JSON    bool             `help:"Print JSON instead of a table." short:"j"`
	Models  modelsCommand    `cmd:"" help:"List the models whose name holds a text."`
	Price   priceCommand     `cmd:"" help:"Say what a usage costs on a model."`
	Count   countCommand     `cmd:"" help:"Count the tokens of files, and say what reading them costs."`
	Version kong.VersionFlag `name:"version" help:"Print the date of the price catalog."`
}

// Exit codes: 1 is a failure, 2 a wrong use of the command line.
const (
	exitFailure = 1
	exitUsage   = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	catalog, err := farebox.NewCatalog()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailure
	}
	var line commands
	exited := -1
	parser, err := kong.New(&line,
		kong.Name("farebox"),
		kong.Description("What LLM calls cost."),
		kong.Vars{"version": "catalog of " + catalog.AsOf().Format("2006-01-02")},
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.UsageOnError(),
	)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailure
	}
	command, err := parser.Parse(args)
	if exited >= 0 {
		return exited // --help and --version have answered
	}
	if err != nil {
		fmt.Fprintf(stderr, "farebox: %v\nTry farebox --help.\n", err)
		return exitUsage
	}
	err = command.Run(&output{catalog: catalog, json: line.JSON, stdin: stdin, to: stdout, progress: terminal(stderr)})
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "farebox: %s\n", strings.ReplaceAll(err.Error(), "farebox: ", "")) // the library's errors name it too
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailure
}

// terminal returns a writer that somebody watches; nil where it is a file, a pipe or a test.
func terminal(w io.Writer) io.Writer {
	file, ok := w.(*os.File)
	if !ok {
		return nil
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return file
}

// errUsage marks errors of the command line.
var errUsage = errors.New("wrong use")
