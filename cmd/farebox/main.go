// Command farebox looks at prices and tokens from the command line: what a usage costs, which models could do the same work
// for less, which models the catalog knows and where their prices come from, how many tokens a file has.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/farebox-go/farebox"
)

// commands is the command line.
type commands struct {
	JSON   bool     `help:"Print JSON instead of a table." short:"j"`
	Prices []string `help:"Price files of your own, JSON or YAML, over all others (see docs/catalog.md)." placeholder:"FILE"`
	Kept   string   `help:"Folder of the price lists that farebox catalog refresh fetched (${kept}); - uses none." placeholder:"FOLDER" env:"FAREBOX_PRICE_LISTS"`

	Price      priceCommand      `cmd:"" help:"Say what a usage costs on a model."`
	Compare    compareCommand    `cmd:"" help:"Say what the same work costs on every model that can do it, cheapest first."`
	Models     modelsCommand     `cmd:"" help:"List models, or show all that is known of one."`
	Catalog    catalogCommand    `cmd:"" help:"Look after the prices: fetch, compare and check price lists."`
	Audit      auditCommand      `cmd:"" help:"Say what recorded traffic has cost, exchange by exchange and in all."`
	Report     reportCommand     `cmd:"" help:"Say who spent what, by model, key, day or tag."`
	Ledger     ledgerCommand     `cmd:"" help:"Export receipts, or check them."`
	Count      countCommand      `cmd:"" help:"Count the tokens of files, and say what reading them costs."`
	Completion completionCommand `cmd:"" help:"Print a script that completes this command line in a shell."`
	Complete   completeCommand   `cmd:"" name:"__complete" hidden:""`
	Version    kong.VersionFlag  `name:"version" help:"Print the date of the price catalog."`
}

// Exit codes: 1 is a failure, 2 a wrong use of the command line.
const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
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
		kong.Vars{"version": "catalog of " + catalog.AsOf().Format("2006-01-02"), "kept": keptFolder()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
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
	o := &output{catalog: catalog, json: line.JSON, stdin: stdin, to: stdout, progress: terminal(stderr)}
	o.look()
	command.BindTo(ctx, (*context.Context)(nil))
	command.Bind(parser.Model)
	if err = line.addPrices(o); err == nil {
		err = command.Run(o)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errShown):
		return exitFailure
	}
	fmt.Fprintf(stderr, "farebox: %s\n", strings.ReplaceAll(err.Error(), "farebox: ", "")) // the library's errors name it too
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailure
}

// keptFolder is where price lists that were fetched are kept, unless the command line says otherwise.
func keptFolder() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "-"
	}
	return filepath.Join(cache, "farebox", "prices")
}

// addPrices puts the lists that were fetched, and the user's own files, over the embedded prices.
func (c *commands) addPrices(o *output) error {
	o.kept = c.Kept
	if o.kept == "" {
		o.kept = keptFolder()
	}
	if o.kept == "-" {
		o.kept = ""
	}
	if o.kept != "" {
		if _, err := o.catalog.UseKept(o.kept); err != nil && o.progress != nil {
			fmt.Fprintf(o.progress, "farebox: %v\n", err)
		}
	}
	for _, name := range c.Prices {
		list, err := readPriceFile(farebox.FormatFarebox, name)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: --prices: %w", errUsage, err)
		}
		if err != nil {
			return err
		}
		if err := o.catalog.Use(list); err != nil {
			return err
		}
	}
	return nil
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

var (
	// errUsage marks errors of the command line.
	errUsage = errors.New("wrong use")
	// errShown is a failure that has been shown already, where the answer belongs.
	errShown = errors.New("failed")
)
