package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	Verify verifyCommand `cmd:"" help:"Check that receipts are whole and add up."`
}

// exportCommand writes receipts in another form.
type exportCommand struct {
	ledgerFlags
	To     string `help:"Form: csv, jsonl or parquet (by the ending of --output, else ${default})." placeholder:"FORM" default:"csv"`
	Output string `help:"File to write, which must not exist; standard output if there is none." short:"o" placeholder:"FILE"`
}

// exported is a receipt as a row: Cost is the receipt's, Adjusted what it came to by all that was learned later. Money is dollars: exact decimals in CSV and JSON, whole numbers of 1e-12 dollars declared
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
	Adjusted     int64     `parquet:"adjusted,decimal(12:18)"`

	cost, adjusted farebox.Money
}

var exportedColumns = []string{
	"id", "call_id", "attempt", "start", "duration_ms", "endpoint", "key", "operation", "model_asked", "model", "upstream",
	"status", "input_tokens", "output_tokens", "cost", "source", "error_type", "tags",
	"adjusted",
}

func newExported(record *farebox.Record) (exported, error) {
	r := &record.Receipt
	tags, err := json.Marshal(r.Tags)
	if r.Tags == nil {
		tags = []byte("{}")
	}
	return exported{
		ID: r.ID, CallID: r.CallID, Attempt: int64(r.Attempt), Start: r.Start.UTC(), DurationMS: r.Duration.Milliseconds(),
		Endpoint: r.Endpoint, Key: r.KeyLabel, Operation: r.Operation, ModelAsked: r.ModelAsked, Model: r.Model, Upstream: r.Upstream,
		Status: int64(r.Status), InputTokens: r.Usage.InputTokens(), OutputTokens: r.Usage.OutputTokens(),
		Source: string(r.Source), ErrorType: r.ErrorType, Tags: string(tags), cost: r.Cost, adjusted: record.Cost(),
	}, err
}

// cells are the row in the order of the columns.
func (e *exported) cells() []string {
	cost, _ := e.cost.AppendText(nil)
	adjusted, _ := e.adjusted.AppendText(nil)
	return []string{
		e.ID, e.CallID, strconv.FormatInt(e.Attempt, 10), e.Start.Format(time.RFC3339Nano), strconv.FormatInt(e.DurationMS, 10),
		e.Endpoint, e.Key, e.Operation, e.ModelAsked, e.Model, e.Upstream, strconv.FormatInt(e.Status, 10),
		strconv.FormatInt(e.InputTokens, 10), strconv.FormatInt(e.OutputTokens, 10), string(cost), e.Source, e.ErrorType, e.Tags,
		string(adjusted),
	}
}

// picodollars is an amount of the row in 1e-12 dollars.
func (e *exported) picodollars(amount farebox.Money) (int64, error) {
	text, _ := amount.AppendText(nil)
	whole, fraction, _ := strings.Cut(string(text), ".")
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", max(0, 12-len(fraction))), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("receipt %s: a cost of %s does not fit a decimal of 18 digits", e.ID, amount)
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
	ledger, err := c.open(ctx, o)
	if err != nil {
		return err
	}
	defer ledger.close()
	for record, err := range ledger.Records(ctx, filter) {
		if err != nil {
			return err
		}
		if err := writer.write(&record); err != nil {
			return err
		}
	}
	ledger.tellDamaged(o)
	return errors.Join(writer.end(), buffered.Flush())
}

// receiptWriter writes receipts, and what was learned about them, in one form.
type receiptWriter struct {
	write func(*farebox.Record) error
	end   func() error
}

func newReceiptWriter(form string, to io.Writer) (*receiptWriter, error) {
	switch form {
	case "jsonl":
		encoder := json.NewEncoder(to)
		encoder.SetEscapeHTML(false)
		return &receiptWriter{
			write: func(r *farebox.Record) error {
				err := encoder.Encode(farebox.LedgerEntry{Receipt: &r.Receipt})
				for i := range r.Adjustments {
					err = errors.Join(err, encoder.Encode(farebox.LedgerEntry{Adjustment: &r.Adjustments[i]}))
				}
				return err
			},
			end: func() error { return nil },
		}, nil
	case "csv":
		w := csv.NewWriter(to)
		return &receiptWriter{
			write: func(r *farebox.Record) error {
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
			write: func(r *farebox.Record) error {
				row, err := newExported(r)
				if err == nil {
					row.Cost, err = row.picodollars(row.cost)
				}
				if err == nil {
					row.Adjusted, err = row.picodollars(row.adjusted)
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

// verifyCommand checks receipts.
type verifyCommand struct {
	ledgerFlags
}

// verified is what a check has found.
type verified struct {
	Receipts    int           `json:"receipts"`
	Adjustments int           `json:"adjustments"`
	Cost        farebox.Money `json:"cost"`
	Problems    []string      `json:"problems"`

	problems int
	days     map[string]farebox.Money
}

// maxProblems is how many problems are listed.
const maxProblems = 100

func (v *verified) report(format string, args ...any) {
	if v.problems++; v.problems <= maxProblems {
		v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
	}
}

// Help is the long help of the command.
func (*verifyCommand) Help() string {
	return `Reads every receipt and every line, and adds up what they say. Of a database it checks the sums that are kept for every day too.`
}

// Run checks every receipt.
func (c *verifyCommand) Run(ctx context.Context, o *output) error {
	filter, err := c.filter(time.Now())
	if err != nil {
		return err
	}
	ledger, err := c.open(ctx, o)
	if err != nil {
		return err
	}
	defer ledger.close()
	found := verified{Problems: []string{}, days: map[string]farebox.Money{}}
	ledger.damaged = func(bad *farebox.LineError) { found.report("%v", bad) }
	for record, err := range ledger.Records(ctx, filter) {
		if err != nil {
			return err
		}
		found.add(&record)
	}
	if ledger.keepsSums {
		if err := found.compareDays(ctx, ledger, filter); err != nil {
			return err
		}
	}
	if err := c.print(o, &found); err != nil {
		return err
	}
	if found.problems > 0 {
		return fmt.Errorf("%d problems", found.problems)
	}
	return nil
}

func (v *verified) add(record *farebox.Record) {
	v.Receipts++
	v.Adjustments += len(record.Adjustments)
	v.Cost = v.Cost.Add(record.Cost())
	day := farebox.ByDay(nil)(&record.Receipt)
	v.days[day] = v.days[day].Add(record.Cost())
	if problem := problemOf(&record.Receipt); problem != "" {
		v.report("receipt %s: %s", record.Receipt.ID, problem)
	}
}

// compareDays holds the sums that a database keeps against its receipts: days of which receipts are there, but for the first,
// of which some may have been pruned.
func (v *verified) compareDays(ctx context.Context, ledger farebox.LedgerReader, filter farebox.Filter) error {
	spend, err := ledger.Spend(ctx, farebox.SpendQuery{Filter: filter, By: []string{"day"}})
	if err != nil {
		return err
	}
	first := ""
	for day := range v.days {
		if first == "" || day < first {
			first = day
		}
	}
	for i := range spend {
		if day := spend[i].Groups[0]; first != "" && day > first && spend[i].Cost != v.days[day] {
			v.report("%s: receipts add up to %s, and the day's sum is %s", day, v.days[day], spend[i].Cost)
		}
	}
	return nil
}

func (c *verifyCommand) print(o *output, found *verified) error {
	if o.json {
		return o.printJSON(found)
	}
	for _, problem := range found.Problems {
		fmt.Fprintln(o.to, problem)
	}
	if found.problems > len(found.Problems) {
		fmt.Fprintf(o.to, "… and %d more\n", found.problems-len(found.Problems))
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
