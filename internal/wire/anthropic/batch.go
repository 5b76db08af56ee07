package anthropic

import (
	"bytes"
	"slices"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/failure"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// What the lines of a batch's results, or a batch itself, are searched for.
const (
	wantBatchID = iota
	wantStatus
	wantBatchError
	wantResultModel
	wantResultUsage
)

var linePlan = jsonwalk.MustPlan(
	jsonwalk.Want{Path: "id", Limit: maxName},
	jsonwalk.Want{Path: "processing_status", Limit: maxName},
	jsonwalk.Want{Path: "error", Limit: maxError},
	jsonwalk.Want{Path: "result.message.model", Limit: maxName},
	jsonwalk.Want{Path: "result.message.usage", Limit: usage.MaxBytes},
)

// batchReader reads a batch, which says only that it was made, or its results: a line of JSON for each of its requests. The
// usages of the results are added up by model.
type batchReader struct {
	line   *jsonwalk.Scanner // nil between lines
	lines  int
	broken bool        // a line was cut, or there are more models than are told apart
	read   wire.Answer // of the lines that have ended
	answer wire.Answer
}

func newBatchReader() *batchReader { return &batchReader{} }

// Write implements [wire.Reader].
func (b *batchReader) Write(p []byte) {
	for len(p) > 0 {
		part, rest, ended := bytes.Cut(p, []byte{'\n'})
		if b.line == nil {
			part = bytes.TrimLeft(part, " \t\r")
		}
		if len(part) > 0 {
			if b.line == nil {
				b.line = linePlan.NewScanner()
			}
			b.line.Write(part)
		}
		if ended && b.line != nil && (b.line.Complete() || b.line.Malformed() || b.lines > 0) {
			b.endLine()
		}
		p = rest
	}
}

// Answer implements [wire.Reader].
func (b *batchReader) Answer() *wire.Answer {
	ended := *b // as if nothing came behind the line under way
	ended.read.Iterations = slices.Clone(b.read.Iterations)
	if ended.line != nil && ended.line.Complete() {
		ended.endLine()
	}
	b.answer = ended.read
	a := &b.answer
	a.Done = a.Pending // results have no end of their own: only that of the connection tells that no line is missing
	a.Contradictory = ended.broken
	a.UsageSeen = a.UsageSeen && !ended.broken && ended.line == nil
	return a
}

// endLine takes what a line says.
func (b *batchReader) endLine() {
	line := b.line
	b.line = nil
	b.lines++
	if !line.Complete() {
		b.broken = true
		return
	}
	a := &b.read
	if raw, found, _ := line.Value(wantStatus); found {
		var status string
		b.text(line, wantBatchID, &a.ID)
		r := jsonwalk.NewReader(raw)
		r.TextInto(&status)
		a.Pending = status != ""
		return
	}
	if raw, found, _ := line.Value(wantBatchError); found {
		failure.Into(a, raw)
	}
	raw, found, over := line.Value(wantResultUsage)
	b.broken = b.broken || over
	if !found {
		return // a request that failed, expired or was cancelled, which is not billed
	}
	var t tally
	r := jsonwalk.NewReader(raw)
	t.read(&r)
	var one wire.Answer
	b.text(line, wantResultModel, &one.Model)
	t.tell(&one)
	b.add(&one)
}

func (b *batchReader) text(line *jsonwalk.Scanner, want int, dst *string) {
	if raw, found, _ := line.Value(want); found {
		r := jsonwalk.NewReader(raw)
		r.TextInto(dst)
	}
}

// add books a result with those of the same model. The first model is the answer's own.
func (b *batchReader) add(one *wire.Answer) {
	a := &b.read
	if !one.UsageSeen {
		return
	}
	if !a.UsageSeen {
		a.UsageSeen, a.Model, a.ServiceTier, a.Region, a.Speed = true, one.Model, one.ServiceTier, one.Region, one.Speed
	}
	b.broken = b.broken || one.Contradictory
	b.sum(one.Model, &one.Usage)
	for i := range one.Iterations {
		model := one.Iterations[i].Model
		if model == "" {
			model = one.Model
		}
		b.sum(model, &one.Iterations[i].Usage)
	}
}

func (b *batchReader) sum(model string, u *wire.Usage) {
	a := &b.read
	if model == a.Model {
		addUsage(&a.Usage, u)
		return
	}
	for i := range a.Iterations {
		if a.Iterations[i].Model == model {
			addUsage(&a.Iterations[i].Usage, u)
			return
		}
	}
	if len(a.Iterations) == maxModels {
		b.broken = true
		return
	}
	a.Iterations = append(a.Iterations, wire.Iteration{Model: model, Usage: *u})
}

// addUsage adds what a message can consume.
func addUsage(sum, u *wire.Usage) {
	sum.Input += u.Input
	sum.CacheRead += u.CacheRead
	sum.CacheWrite += u.CacheWrite
	sum.CacheWrite1h += u.CacheWrite1h
	sum.Output += u.Output
	sum.Reasoning += u.Reasoning
	sum.WebSearches += u.WebSearches
	sum.Requests += u.Requests
}
