package bedrock

import (
	"bytes"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// counts is a usage as Bedrock states it. The input leaves out what was read from a cache and written to one.
type counts struct {
	input, output, cached, written, written1h int64

	stated, impossible bool
	costs              usage.Costs
}

// read reads a usage object of converse, or the metrics of an invocation, and says whether it counts anything.
func (c *counts) read(raw []byte) bool {
	r := jsonwalk.NewReader(raw)
	if !r.Object() {
		return false
	}
	for r.Member() {
		switch string(r.Key()) {
		case "inputTokens", "inputTokenCount":
			c.take(&r, &c.input)
		case "outputTokens", "outputTokenCount":
			c.take(&r, &c.output)
		case "cacheReadInputTokens", "cacheReadInputTokenCount": // one beside the other, the same figure twice
			c.take(&r, &c.cached)
		case "cacheWriteInputTokens", "cacheWriteInputTokenCount":
			c.take(&r, &c.written)
		case "cacheDetails":
			c.details(&r)
		default:
			c.costs.Member(&r)
		}
	}
	return r.Err() == nil && c.stated
}

func (c *counts) take(r *jsonwalk.Reader, n *int64) {
	count, stated, impossible := usage.Count(r)
	c.impossible = c.impossible || impossible
	if stated {
		*n, c.stated = max(*n, count), true
	}
}

// details reads how much was written to caches of which life.
func (c *counts) details(r *jsonwalk.Reader) {
	if !r.Array() {
		return
	}
	for r.Element() {
		var n int64
		var hours bool
		for r.Object(); r.Member(); {
			switch string(r.Key()) {
			case "inputTokens":
				c.take(r, &n)
			case "ttl":
				ttl, _, _ := r.Text()
				hours = bytes.HasSuffix(ttl, []byte("h"))
			}
		}
		if hours {
			c.written1h = min(c.written1h+n, usage.MaxCount)
		}
	}
}

// tell puts the counts into an answer, in disjoint kinds.
func (c *counts) tell(a *wire.Answer) {
	long := min(c.written1h, c.written)
	a.Usage = wire.Usage{
		Input: c.input, CacheRead: c.cached, CacheWrite: c.written - long, CacheWrite1h: long, Output: c.output, Requests: 1,
	}
	a.UsageSeen = true
	a.Contradictory = c.impossible || c.written1h > c.written
	c.costs.Tell(a)
}
