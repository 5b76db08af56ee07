package farebox

import (
	"context"
	"maps"
	"sync"
	"time"
)

// Tags say who is spending: team, user, feature. They select budgets, stand on receipts and spans, and total up in
// the ledger. Treat a Tags value as immutable once it has been handed to farebox.
type Tags map[string]string

type contextKey int

const (
	tagsKey contextKey = iota
	receiptsKey
	callKey
	meteredKey
	whenFullKey
	runKey
	receiptHeadersKey
	timeKey
)

// ContextWithTags returns a context whose calls carry tags, on top of those that ctx carries already; a tag of the
// same name is replaced. An empty name is ignored.
func ContextWithTags(ctx context.Context, tags Tags) context.Context {
	if len(tags) == 0 {
		return ctx
	}
	merged := make(Tags, len(tags))
	maps.Copy(merged, TagsFromContext(ctx))
	maps.Copy(merged, tags)
	delete(merged, "")
	return context.WithValue(ctx, tagsKey, merged)
}

// TagsFromContext returns the tags that calls with ctx carry. The map must not be changed.
func TagsFromContext(ctx context.Context) Tags {
	tags, _ := ctx.Value(tagsKey).(Tags)
	return tags
}

// ContextWithTime returns a context whose calls are dated and priced at a time of the caller's, and not at that of the clock:
// for traffic that was recorded earlier. Budgets go by the clock all the same. The zero Time changes nothing.
func ContextWithTime(ctx context.Context, at time.Time) context.Context {
	return context.WithValue(ctx, timeKey, at)
}

// timeFromContext is the time of ContextWithTime, or else now.
func timeFromContext(ctx context.Context, now time.Time) time.Time {
	if at, _ := ctx.Value(timeKey).(time.Time); !at.IsZero() {
		return at
	}
	return now
}

// Receipts collects the receipts of the calls that were made with a context of [ContextWithReceipts], which makes it. It
// keeps them all, so give each request of a service one of its own. Safe for concurrent use.
type Receipts struct {
	mu     sync.Mutex
	list   []Receipt
	parent *Receipts
}

// ContextWithReceipts returns a context, and the place where the receipts of calls made with it are collected: the way
// to read what a call cost from any SDK. A receipt is there once its answer has been read to the end or closed.
// Collectors nest: an outer one receives what an inner one does.
func ContextWithReceipts(ctx context.Context) (context.Context, *Receipts) {
	receipts := &Receipts{parent: receiptsFromContext(ctx)}
	return context.WithValue(ctx, receiptsKey, receipts), receipts
}

func receiptsFromContext(ctx context.Context) *Receipts {
	receipts, _ := ctx.Value(receiptsKey).(*Receipts)
	return receipts
}

// All returns the receipts so far, in the order in which their attempts ended.
func (r *Receipts) All() []Receipt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Receipt(nil), r.list...)
}

// Cost is what the receipts so far add up to.
func (r *Receipts) Cost() Money {
	r.mu.Lock()
	defer r.mu.Unlock()
	return CostOf(r.list)
}

// add puts a receipt into the collector and those around it; nil collects nothing.
func (r *Receipts) add(receipt Receipt) {
	for ; r != nil; r = r.parent {
		r.mu.Lock()
		r.list = append(r.list, receipt)
		r.mu.Unlock()
	}
}
