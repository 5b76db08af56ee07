package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/farebox-go/farebox"
)

// ledgerCommand looks after receipts.
type ledgerCommand struct {
	Export exportCommand `cmd:"" help:"Write receipts as CSV, JSON Lines or Parquet."`
	Verify verifyCommand `cmd:"" help:"Check that a file of receipts is whole and adds up."`
}

// exportCommand writes receipts in another form.
type exportCommand struct {
	ledgerFlags
	To     string `help:"Form: csv, jsonl or parquet (by the ending of --output, else ${default})." placeholder:"FORM" default:"csv"`
	Output string `help:"File to write, which must not exist; standard output if there is none." short:"o" placeholder:"FILE"`
}

// exported is a receipt as a row. Money is dollars: exact decimals in CSV and JSON, whole numbers of 1e-12 dollars declared
// as a decimal in Parquet.
type exported struct {
	ID           string    `parquet:"id"`
	CallID       string    `parquet:"call_id"`
	Attempt      int64     `parquet:"attempt"`
	Start        time.Time `parquet:"start,timestamp(microsecond)"`
	DurationMS   int64     `parquet:"duration_ms"`
	Endpoint     string    `parquet:"endpoint"`
	Key          string    `parquet:"key"`
	Operation    string    `parquet:"operation"`
	ModelAsked   string    `parquet:"model_asked"`
	Model        string    `parquet:"model"`
	Upstream     string    `parquet:"upstream"`
	Status       int64     `parquet:"status"`
	InputTokens  int64     `parquet:"input_tokens"`
	OutputTokens int64     `parquet:"output_tokens"`
	Cost         int64     `parquet:"cost,decimal(12:18)"`
	Source       string    `parquet:"source"`
	ErrorType    string    `parquet:"error_type"`
	Tags         string    `parquet:"tags,json"`

	cost farebox.Money
}

var exportedColumns = []string{
	"id", "call_id", "attempt", "start", "duration_ms", "endpoint", "key", "operation", "model_asked", "model", "upstream",
	"status", "input_tokens", "output_tokens", "cost", "source", "error_type", "tags",
}

func newExported(r *farebox.Receipt) (exported, error) {
	tags, err := json.Marshal(r.Tags)
	if r.Tags == nil {
		tags = []byte("{}")
	}
	return exported{
		ID: r.ID, CallID: r.CallID, Attempt: int64(r.Attempt), Start: r.Start.UTC(), DurationMS: r.Duration.Milliseconds(),
		Endpoint: r.Endpoint, Key: r.KeyLabel, Operation: r.Operation, ModelAsked: r.ModelAsked, Model: r.Model, Upstream: r.Upstream,
		Status: int64(r.Status), InputTokens: r.Usage.InputTokens(), OutputTokens: r.Usage.OutputTokens(),
		Source: string(r.Source), ErrorType: r.ErrorType, Tags: string(tags), cost: r.Cost,
	}, err
}

// cells are the row in the order of the columns.
func (e *exported) cells() []string {
	cost, _ := e.cost.AppendText(nil)
	return []string{
		e.ID, e.CallID, strconv.FormatInt(e.Attempt, 10), e.Start.Format(time.RFC3339Nano), strconv.FormatInt(e.DurationMS, 10),
		e.Endpoint, e.Key, e.Operation, e.ModelAsked, e.Model, e.Upstream, strconv.FormatInt(e.Status, 10),
		strconv.FormatInt(e.InputTokens, 10), strconv.FormatInt(e.OutputTokens, 10), string(cost), e.Source, e.ErrorType, e.Tags,
	}
}

// picodollars is the cost in 1e-12 dollars.
func (e *exported) picodollars() (int64, error) {
	text, _ := e.cost.AppendText(nil)
	whole, fraction, _ := strings.Cut(string(text), ".")
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", max(0, 12-len(fraction))), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("receipt %s: a cost of %s does not fit a decimal of 18 digits", e.ID, e.cost)
	}
	return n, nil
}

// Run writes the receipts.
func (c *exportCommand) Run(ctx context.Context, o *output) (err error) {
	filter, err := c.filter(time.Now())
	if err != nil {
		return err
	}
	form := c.To
	for _, ending := range []string{"csv", "jsonl", "parquet"} {
		if strings.HasSuffix(c.Output, "."+ending) {
			form = ending
		}
	}
	to := o.to
	if c.Output != "" {
		file, err := os.OpenFile(c.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		to = file
	}
	buffered := bufio.NewWriter(to)
	writer, err := newReceiptWriter(form, buffered)
	if err != nil {
		return err
	}
	for r, err := range c.receipts(ctx, o, filter) {
		if err != nil {
			return err
		}
		if err := writer.write(r); err != nil {
			return err
		}
	}
	return errors.Join(writer.end(), buffered.Flush())
}

// receipts iterates over those that a filter selects, of a file or a database.
func (f *ledgerFlags) receipts(ctx context.Context, o *output, filter farebox.Filter) iter.Seq2[*farebox.Receipt, error] {
	return func(yield func(*farebox.Receipt, error) bool) {
		ledger, closeLedger, err := f.openDatabase(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		if ledger != nil {
			defer closeLedger()
			for r, err := range ledger.Receipts(ctx, filter) {
				if !yield(&r, err) {
					return
				}
			}
			return
		}
		for entry, err := range f.entries(ctx, o) {
			if err == nil && (entry.Receipt == nil || !filter.Match(entry.Receipt)) {
				continue
			}
			if !yield(entry.Receipt, err) {
				return
			}
		}
	}
}

// receiptWriter writes receipts in one form.
type receiptWriter struct {
	write func(*farebox.Receipt) error
	end   func() error
}

func newReceiptWriter(form string, to io.Writer) (*receiptWriter, error) {
	switch form {
	case "jsonl":
		encoder := json.NewEncoder(to)
		encoder.SetEscapeHTML(false)
		return &receiptWriter{
			write: func(r *farebox.Receipt) error { return encoder.Encode(farebox.LedgerEntry{Receipt: r}) },
			end:   func() error { return nil },
		}, nil
	case "csv":
		w := csv.NewWriter(to)
		return &receiptWriter{
			write: func(r *farebox.Receipt) error {
				row, err := newExported(r)
				if err != nil {
					return err
				}
				return w.Write(row.cells())
			},
			end: func() error { w.Flush(); return w.Error() },
		}, w.Write(exportedColumns)
	case "parquet":
		w := parquet.NewGenericWriter[exported](to)
		return &receiptWriter{
			write: func(r *farebox.Receipt) error {
				row, err := newExported(r)
				if err == nil {
					row.Cost, err = row.picodollars()
				}
				if err == nil {
					_, err = w.Write([]exported{row})
				}
				return err
			},
			end: w.Close,
		}, nil
	}
	return nil, fmt.Errorf("%w: --to %q: want csv, jsonl or parquet", errUsage, form)
}

// verifyCommand checks a file of receipts.
type verifyCommand struct {
	Ledger string `arg:"" help:"A file of receipts, a journal's folder, or - for standard input."`
}

// verified is what a check has found.
type verified struct {
	Receipts    int           `json:"receipts"`
	Adjustments int           `json:"adjustments"`
	Cost        farebox.Money `json:"cost"`
	Problems    []string      `json:"problems"`
}

// maxProblems is how many problems are listed.
const maxProblems = 100

// Run checks every line.
func (c *verifyCommand) Run(ctx context.Context, o *output) error {
	flags := ledgerFlags{Ledger: c.Ledger}
	found := verified{Problems: []string{}}
	problems := 0
	report := func(format string, args ...any) {
		if problems++; problems <= maxProblems {
			found.Problems = append(found.Problems, fmt.Sprintf(format, args...))
		}
	}
	for entry, err := range flags.entries(ctx, o) {
		var bad *farebox.LineError
		switch {
		case errors.As(err, &bad):
			report("%v", bad)
		case err != nil:
			return err
		case entry.Receipt != nil:
			found.Receipts++
			found.Cost = found.Cost.Add(entry.Receipt.Cost)
			if problem := problemOf(entry.Receipt); problem != "" {
				report("receipt %s: %s", entry.Receipt.ID, problem)
			}
		default:
			found.Adjustments++
			found.Cost = found.Cost.Add(entry.Adjustment.Amount)
		}
	}
	if err := c.print(o, &found, problems); err != nil {
		return err
	}
	if problems > 0 {
		return fmt.Errorf("%d problems", problems)
	}
	return nil
}

func (c *verifyCommand) print(o *output, found *verified, problems int) error {
	if o.json {
		return o.printJSON(found)
	}
	for _, problem := range found.Problems {
		fmt.Fprintln(o.to, problem)
	}
	if problems > len(found.Problems) {
		fmt.Fprintf(o.to, "… and %d more\n", problems-len(found.Problems))
	}
	_, err := fmt.Fprintf(o.to, "%s receipts and %s adjustments, %s in all\n", grouped(int64(found.Receipts)), grouped(int64(found.Adjustments)), found.Cost)
	return err
}

// problemOf says what of a receipt does not add up.
func problemOf(r *farebox.Receipt) string {
	var sum farebox.Money
	for _, line := range r.Lines {
		sum = sum.Add(line.Amount)
	}
	switch {
	case r.ID == "":
		return "it has no id"
	case r.Start.IsZero():
		return "it has no time"
	case r.Cost.Sign() < 0:
		return fmt.Sprintf("a cost of %s is negative", r.Cost)
	case sum != r.Computed:
		return fmt.Sprintf("its lines add up to %s, and it says %s", sum, r.Computed)
	case r.Source == farebox.Reported && r.Reported != nil && r.Reported.Total() != r.Cost:
		return fmt.Sprintf("the provider reported %s, and it says %s", r.Reported.Total(), r.Cost)
	}
	return ""
}
