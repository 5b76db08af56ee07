package fareboxtest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/farebox-go/farebox"
)

// Usage is what a call consumed. As on the wire, Cached is part of Prompt and Reasoning is part of Completion.
type Usage struct {
	Prompt, Cached        int64
	Completion, Reasoning int64
}

// Request is a call as the provider received it, and what became of it. Lookups (the list of models, a generation) are
// not calls.
type Request struct {
	Path   string
	Model  string
	Stream bool
	Header http.Header // without whatever may hold a key
	Body   []byte
	At     time.Time
	// GenerationID is the id of the answer.
	GenerationID string
	// Status is that of the answer; 0: none was sent, or not yet.
	Status int
	// Usage and Billed are what the provider counted and charged, whatever its answer said.
	Usage  Usage
	Billed farebox.Money
}

// record is a Request in the account. Its fields are guarded by the provider's mutex.
type record struct {
	Request
	served    string // the model that answered; empty: none
	done      bool   // what it is charged is settled
	cancelled bool   // its caller went away
}

// waiter waits for a number of requests.
type waiter struct {
	count   int
	arrived chan struct{}
}

// Requests returns the calls that have arrived so far, in the order in which they did. The copy is the caller's, but for
// the contents of Header and Body.
func (p *Provider) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Request, len(p.records))
	for i, r := range p.records {
		all[i] = r.Request
	}
	return all
}

// RequestCount is the number of calls that have arrived so far, refused and failed ones included.
func (p *Provider) RequestCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.records)
}

// Billed is what the provider has charged for all calls so far. An answer is billed before its first byte is sent.
func (p *Provider) Billed() farebox.Money {
	p.mu.Lock()
	defer p.mu.Unlock()
	var total farebox.Money
	for _, r := range p.records {
		total = total.Add(r.Billed)
	}
	return total
}

// WaitForRequests waits until so many calls have arrived. It returns an error when ctx ends before.
func (p *Provider) WaitForRequests(ctx context.Context, count int) error {
	p.mu.Lock()
	if len(p.records) >= count {
		p.mu.Unlock()
		return nil
	}
	arrived := make(chan struct{})
	p.waiters = append(p.waiters, waiter{count: count, arrived: arrived})
	p.mu.Unlock()
	select {
	case <-arrived:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("fareboxtest: waited for %d requests, %d arrived: %w", count, p.RequestCount(), context.Cause(ctx))
	}
}

// arrive enters a call into the account, and picks what will be done to it.
func (p *Provider) arrive(r *http.Request, c *call, body []byte) (*record, *Fault, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	rec := &record{Request: Request{
		Path: r.URL.Path, Model: c.Model, Stream: c.Stream, Header: withoutKeys(r.Header), Body: body, At: time.Now(),
		GenerationID: p.newID(c.op, len(p.records)+1),
	}}
	p.records = append(p.records, rec)
	p.waiters = slices.DeleteFunc(p.waiters, func(w waiter) bool {
		if w.count > len(p.records) {
			return false
		}
		close(w.arrived)
		return true
	})
	return rec, p.pickFault(rec.Request), p.gate
}

func (p *Provider) newID(op operation, n int) string {
	switch {
	case p.style == OpenRouter:
		return fmt.Sprintf("gen-%d-%020d", time.Now().Unix(), n)
	case op == responses:
		return fmt.Sprintf("resp_%048d", n)
	case op == messages:
		return fmt.Sprintf("msg_%024d", n)
	case op == generate:
		return fmt.Sprintf("%023d", n)
	case op == completion:
		return fmt.Sprintf("cmpl-%029d", n)
	default:
		return fmt.Sprintf("chatcmpl-%029d", n)
	}
}

// keyHeaders are the headers that providers take keys in.
var keyHeaders = []string{"Authorization", "Api-Key", "X-Api-Key", "X-Goog-Api-Key", "Cookie", "Proxy-Authorization"}

func withoutKeys(h http.Header) http.Header {
	kept := h.Clone()
	for _, name := range keyHeaders {
		kept.Del(name)
	}
	return kept
}

// bill enters what a call is charged, in place of what was entered before. The record can be looked up from then on,
// unless leaving the stream may still change it.
func (p *Provider) bill(r *record, usage Usage, cost farebox.Money) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.Usage, r.Billed, r.done = usage, cost, !p.stopOnCancel
}

// finish closes a call's record.
func (p *Provider) finish(r *record, cancelled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.done, r.cancelled = true, cancelled
}

func (p *Provider) setServed(r *record, model string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.served = model
}

func (p *Provider) setStatus(r *record, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.Status = status
}
