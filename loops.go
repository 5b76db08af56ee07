package farebox

import (
	"fmt"
	"hash/maphash"
	"sync"
	"time"
)

// WithLoopDetection tells of the same request being made so often within a time, by [EventLoop]: an agent that goes in a
// circle. Requests are the same if their endpoint and every byte of their body are; retries do not count. It costs one
// hash of the body a call, and a fixed amount of memory: of many different requests, the older ones are forgotten.
func WithLoopDetection(repeats int, within time.Duration) MeterOption {
	return meterOption(func(c *meterConfig) error {
		if repeats < 2 || within <= 0 {
			return fmt.Errorf("WithLoopDetection: %d repeats within %s: want at least 2, and a positive duration", repeats, within)
		}
		c.loops = loopConfig{repeats, within}
		return nil
	})
}

type loopConfig struct {
	repeats int
	within  time.Duration
}

func (c loopConfig) start() *loopDetector {
	if c.repeats == 0 {
		return nil
	}
	return &loopDetector{loopConfig: c, seed: maphash.MakeSeed()}
}

const loopSlots = 4096

// loopDetector counts requests by a hash of theirs, one in each slot.
type loopDetector struct {
	loopConfig
	seed  maphash.Seed
	mu    sync.Mutex
	slots [loopSlots]loopSlot
}

type loopSlot struct {
	print uint64
	count int
	since time.Time
}

// repeated counts a request and says how often it has been made, where that is as often as is to be told of: once in a
// window; 0 otherwise.
func (l *loopDetector) repeated(endpoint string, body []byte, now time.Time) int {
	if l == nil {
		return 0
	}
	var h maphash.Hash
	h.SetSeed(l.seed)
	_, _ = h.WriteString(endpoint)
	_ = h.WriteByte(0)
	_, _ = h.Write(body)
	print := h.Sum64()
	l.mu.Lock()
	defer l.mu.Unlock()
	slot := &l.slots[print%loopSlots]
	if slot.print != print || now.Sub(slot.since) >= l.within {
		*slot = loopSlot{print: print, since: now}
	}
	if slot.count++; slot.count == l.repeats {
		return slot.count
	}
	return 0
}

// watch tells of a request that goes in a circle.
func (e *events) watch(a *attempt, now time.Time) {
	if a.receipt.Attempt > 1 || len(e.queues) == 0 {
		return
	}
	if n := e.loops.repeated(a.ep.name, a.body, now); n > 0 {
		e.send(Event{Kind: EventLoop, At: now, Endpoint: a.ep.name, Model: a.request.Model, Tags: a.receipt.Tags, Repeats: n})
	}
}
