package allowance

import (
	"hash/maphash"
	"iter"
	"sync/atomic"

	"github.com/farebox-go/farebox/store"
)

// index finds accounts. To find one takes no lock; whoever changes the index, or ranges over it, holds the pool's.
type index struct {
	seed    maphash.Seed
	buckets atomic.Pointer[[]bucket] // as many as a power of two
	size    int
	hand    int // the bucket that is swept next
}

// bucket is a list of the accounts whose hashes end alike.
type bucket struct{ first atomic.Pointer[cell] }

type cell struct {
	hash    uint64
	account *account
	next    atomic.Pointer[cell]
}

const fewestBuckets = 8

func (x *index) init() {
	x.seed = maphash.MakeSeed()
	buckets := make([]bucket, fewestBuckets)
	x.buckets.Store(&buckets)
}

func (x *index) hash(of *store.Account) uint64 {
	return maphash.String(x.seed, of.Key) ^ uint64(of.Window.Start)*0x9e3779b97f4a7c15
}

// slot is the bucket of a hash: its high bits are mixed in, in which windows differ most.
func slot(buckets []bucket, hash uint64) *bucket {
	return &buckets[(hash^hash>>32)&uint64(len(buckets)-1)]
}

// find returns nil where there is no such account.
func (x *index) find(of *store.Account) *account {
	hash := x.hash(of)
	for c := slot(*x.buckets.Load(), hash).first.Load(); c != nil; c = c.next.Load() {
		if c.hash == hash && c.account.Account == *of {
			return c.account
		}
	}
	return nil
}

func (x *index) add(a *account) {
	buckets := *x.buckets.Load()
	if x.size >= len(buckets) {
		buckets = x.grow()
	}
	x.size++
	slot(buckets, x.hash(&a.Account)).push(x.hash(&a.Account), a)
}

func (b *bucket) push(hash uint64, a *account) {
	c := &cell{hash: hash, account: a}
	c.next.Store(b.first.Load())
	b.first.Store(c)
}

// grow doubles the buckets. Those who are finding something go on in the old ones.
func (x *index) grow() []bucket {
	buckets := make([]bucket, 2*len(*x.buckets.Load()))
	for a := range x.all() {
		hash := x.hash(&a.Account)
		slot(buckets, hash).push(hash, a)
	}
	x.buckets.Store(&buckets)
	return buckets
}

// all ranges over the accounts.
func (x *index) all() iter.Seq[*account] {
	return func(yield func(*account) bool) {
		for i := range *x.buckets.Load() {
			for c := (*x.buckets.Load())[i].first.Load(); c != nil; c = c.next.Load() {
				if !yield(c.account) {
					return
				}
			}
		}
	}
}

// sweep removes, out of the next few buckets, the accounts that may go.
func (x *index) sweep(few int, mayGo func(*account) bool) {
	buckets := *x.buckets.Load()
	for range few {
		x.hand = (x.hand + 1) % len(buckets)
		for at := &buckets[x.hand].first; at.Load() != nil; {
			c := at.Load()
			if mayGo(c.account) {
				at.Store(c.next.Load()) // whoever stands on the cell still gets on from it
				x.size--
			} else {
				at = &c.next
			}
		}
	}
}
