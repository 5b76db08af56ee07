package simulation

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/farebox-go/farebox"
)

// streamed is farebox with calls that are streams, held as they go on.
type streamed struct{ *metered }

// flow is the body of a stream: each Read waits for the engine to pass a chunk.
type flow struct {
	ride *ride
	left <-chan struct{} // its reader has gone
	rest []byte
}

// Read returns what has come.
func (f *flow) Read(p []byte) (int, error) {
	if len(f.rest) == 0 {
		f.ride.idle.Store(true)
		select {
		case chunk, open := <-f.ride.chunks:
			if !open {
				return 0, io.EOF
			}
			if chunk == nil {
				return 0, io.ErrUnexpectedEOF
			}
			f.rest = chunk
		case <-f.left:
			return 0, errLeft
		}
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

var errLeft = errors.New("simulation: the caller has gone")

// Close does nothing.
func (*flow) Close() error { return nil }

// A token is four bytes of text.
const (
	chunkEvent = `data: {"id":"c","object":"chat.completion.chunk","model":"` + simulated + `","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}` + "\n\n"
	lastEvents = `data: {"id":"c","object":"chat.completion.chunk","model":"` + simulated + `","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" +
		`data: {"id":"c","object":"chat.completion.chunk","model":"` + simulated + `","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":%d,"total_tokens":%d}}` + "\n\n" +
		"data: [DONE]\n\n"
)

// pass gives a call's reader some tokens, and waits until it has taken them or the guard has cut the stream.
func (s *streamed) pass(c *call, tokens int64) (goesOn bool) {
	r := s.calls[c.id]
	if r.give(fmt.Appendf(nil, chunkEvent, strings.Repeat("word", int(tokens)))) && r.waits() {
		return true
	}
	<-r.done
	r.cancel()
	if !errors.Is(r.err, farebox.ErrBudgetCut) {
		s.failure = fmt.Errorf("simulation: a stream ended with %v", r.err)
	}
	s.landed(c)
	return false
}

// finish ends a stream, whole or broken off.
func (r *ride) finish(whole bool) {
	switch {
	case !whole:
		r.give(nil)
	case r.give(fmt.Appendf(nil, lastEvents, min(r.call.length, r.limit), min(r.call.length, r.limit)+1)):
		close(r.chunks)
	}
}

// give hands the reader a chunk once it waits for one; false: it has gone.
func (r *ride) give(chunk []byte) bool {
	if !r.waits() {
		return false
	}
	r.idle.Store(false)
	select {
	case r.chunks <- chunk:
		return true
	case <-r.done:
		return false
	}
}

// waits waits until the reader waits for a chunk; false: it has gone.
func (r *ride) waits() bool {
	for !r.idle.Load() {
		select {
		case <-r.done:
			return false
		default:
			runtime.Gosched()
		}
	}
	return true
}
