package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/farebox-go/farebox"
)

type countCommand struct {
	Model    string   `help:"The model whose tokens to count (${default})." default:"gpt-4o" placeholder:"NAME"`
	Endpoint string   `help:"Who bills reading them; without it, the model's maker, or OpenRouter for names such as openai/gpt-4o." aliases:"provider" placeholder:"NAME"`
	Files    []string `arg:"" optional:"" help:"Files to count; none, or -, is standard input."`
}

// countRow is the count of one file.
type countRow struct {
	File     string         `json:"file"`
	Bytes    int64          `json:"bytes"`
	Tokens   int64          `json:"tokens"`
	Exact    bool           `json:"exact"`
	Encoding string         `json:"encoding"`
	Provider string         `json:"provider,omitempty"` // who bills reading it
	Cost     *farebox.Money `json:"cost,omitempty"`     // of reading it; absent where the model has no price
}

// Run counts files, one after the other, in memory that does not grow with them.
func (c *countCommand) Run(o *output) error {
	if len(c.Files) == 0 {
		c.Files = []string{"-"}
	}
	rows := make([]countRow, 0, len(c.Files))
	var failed error
	for _, name := range c.Files {
		row, err := c.countFile(o, name)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 && !o.json {
		return failed
	}
	return errors.Join(c.print(o, rows), failed)
}

func (c *countCommand) countFile(o *output, name string) (countRow, error) {
	row := countRow{File: name}
	source := o.stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return row, err
		}
		defer func() { _ = file.Close() }()
		source = file
	}
	counter, err := farebox.NewTokenCounter(c.Model)
	if err != nil {
		return row, err
	}
	if row.Bytes, err = io.Copy(counter, &progress{source: source, name: name, to: o.progress}); err != nil {
		return row, fmt.Errorf("%s: %w", name, err)
	}
	counted := counter.Count()
	row.Tokens, row.Exact, row.Encoding = counted.Tokens, counted.Exact, counted.Encoding
	row.Provider, row.Cost = c.cost(o, row.Tokens)
	return row, nil
}

// cost is what reading so many tokens costs, and at whom; nothing where nobody that is asked has a price.
func (c *countCommand) cost(o *output, tokens int64) (provider string, cost *farebox.Money) {
	provider = c.Endpoint
	if provider == "" {
		var err error
		if provider, err = maker(o.catalog, c.Model); err != nil {
			return "", nil
		}
	}
	computed, err := o.catalog.Cost(provider, c.Model, farebox.Usage{Input: tokens}, time.Now())
	if err != nil || !computed.Complete {
		return "", nil
	}
	return provider, &computed.Total
}

func (c *countCommand) print(o *output, rows []countRow) error {
	if o.json {
		return o.printJSON(rows)
	}
	cells := make([][]any, len(rows))
	for i, r := range rows {
		how, cost := "exact", any("-")
		if !r.Exact {
			how = "estimated"
		}
		if r.Cost != nil {
			cost = *r.Cost
		}
		cells[i] = []any{r.File, r.Bytes, r.Tokens, how, cost, r.Provider}
	}
	return o.table([]any{"FILE", "BYTES", "TOKENS", c.Model, "COST OF READING", "AT"}, cells)
}

// progress passes a file on, and says now and then how far it is. Nothing is said of what takes no time.
type progress struct {
	source io.Reader
	name   string
	to     io.Writer // nil: nobody looks
	done   int64
	next   time.Time
	spoke  bool
}

const progressEvery = 500 * time.Millisecond

func (p *progress) Read(buf []byte) (int, error) {
	n, err := p.source.Read(buf)
	p.done += int64(n)
	if p.to == nil {
		return n, err
	}
	now := time.Now()
	switch {
	case p.next.IsZero():
		p.next = now.Add(progressEvery)
	case err != nil && p.spoke:
		fmt.Fprint(p.to, "\r\x1b[K") // the table takes its place
	case now.After(p.next):
		p.next, p.spoke = now.Add(progressEvery), true
		fmt.Fprintf(p.to, "\r%s: %d MB", p.name, p.done>>20)
	}
	return n, err
}
