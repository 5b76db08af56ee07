package farebox

import (
	"hash/maphash"
	"net/http"
	"sync"
	"time"
)

// Bounds on the memory of refused requests: how many, and for how long. SDKs wait up to a minute between attempts.
const (
	maxRefused    = 256
	refusedMemory = 2 * time.Minute
)

// refusedRequests remembers the latest requests that were refused, so that a client that sends one of them again and again
// is refused every time and counted once. The zero value is ready for use.
type refusedRequests struct {
	mu   sync.Mutex
	seed maphash.Seed
	list [maxRefused]refusedRequest // a ring
	next int
	any  bool
}

// refusedRequest stands for a request without holding any of it.
type refusedRequest struct {
	print uint64          // of method, URL, key and body
	done  <-chan struct{} // of its context
	at    time.Time
}

// headerRetryCount numbers the attempts of one call in openai-go, anthropic-sdk-go and their like: "0" is the first.
const headerRetryCount = "X-Stainless-Retry-Count"

// repeats says whether a request is an attempt, after the first, of a call that has been refused: the same bytes to the same
// place, and either numbered by its SDK as a further attempt or sent under the same cancellable context. Two calls that
// merely look alike are two calls.
func (r *refusedRequests) repeats(req *http.Request, body []byte, now time.Time) bool {
	count := req.Header.Get(headerRetryCount)
	done := req.Context().Done()
	numbered := count != "" && count != "0"
	if count == "0" || (!numbered && done == nil) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.any {
		return false
	}
	print := r.print(req, body)
	for i := range r.list {
		known := &r.list[i]
		if known.print == print && now.Sub(known.at) < refusedMemory && (numbered || known.done == done) {
			known.at = now
			return true
		}
	}
	return false
}

// add remembers a request that was refused.
func (r *refusedRequests) add(req *http.Request, body []byte, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.any {
		r.seed, r.any = maphash.MakeSeed(), true
	}
	r.list[r.next] = refusedRequest{print: r.print(req, body), done: req.Context().Done(), at: now}
	r.next = (r.next + 1) % maxRefused
}

func (r *refusedRequests) print(req *http.Request, body []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	for _, part := range [...]string{req.Method, req.URL.String(), keyOf(req.Header)} {
		_, _ = h.WriteString(part)
		_ = h.WriteByte(0)
	}
	_, _ = h.Write(body)
	return h.Sum64()
}
