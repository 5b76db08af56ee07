package farebox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"sync"
	"time"

	"github.com/farebox-go/farebox/internal/sse"
	"github.com/farebox-go/farebox/internal/wire"
)

// ErrStreamClosed is returned by Recv after Close.
var ErrStreamClosed = errors.New("farebox: the stream is closed")

// ChatCompletionStream is the answer to [Client.CreateChatCompletionStream], chunk by chunk. Read it with Recv until
// io.EOF, or range over Chunks; then its receipt is there. It must be closed unless it was read to its end. Recv is for
// one goroutine at a time; Close may come from another.
type ChatCompletionStream struct {
	stream[ChatCompletionStreamResponse]
}

// CompletionStream is the answer to [Client.CreateCompletionStream]; see [ChatCompletionStream].
type CompletionStream struct {
	stream[CompletionStreamResponse]
}

// stream decodes the events of an answer into chunks.
type stream[Chunk any] struct {
	core   streamCore
	decode func(data []byte) (Chunk, error)
}

// Recv returns the next chunk. At the end of the answer it returns io.EOF; for a stream that ended without its
// terminator an error that matches ErrStreamTruncated, and for an error that the provider reported in mid-stream an
// [APIError]. What was received before stands, and the receipt is there in each case.
func (s *stream[Chunk]) Recv() (Chunk, error) {
	var none Chunk
	data, err := s.core.next()
	if err != nil {
		return none, err
	}
	chunk, err := s.decode(data)
	if err != nil {
		return none, s.core.unreadable(data, err)
	}
	return chunk, nil
}

// Chunks ranges over the chunks. It yields an error at most once, as the last thing; the end of the answer is none.
// Leaving the loop closes the stream and settles what it cost.
func (s *stream[Chunk]) Chunks() iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) {
		defer func() { _ = s.Close() }()
		for {
			chunk, err := s.Recv()
			if errors.Is(err, io.EOF) || !yield(chunk, err) || err != nil {
				return
			}
		}
	}
}

// Close ends the stream, wherever it is, and settles what it cost. A second Close does nothing.
func (s *stream[Chunk]) Close() error {
	s.core.end(ErrStreamClosed)
	return nil
}

// Receipt is that of the attempt that served; the zero Receipt while the stream is open.
func (s *stream[Chunk]) Receipt() Receipt { return s.core.ended().Receipt }

// Receipts has every attempt's receipt, in order; nil while the stream is open.
func (s *stream[Chunk]) Receipts() []Receipt { return s.core.ended().Receipts }

// Cost is what the whole call cost, once the stream has ended.
func (s *stream[Chunk]) Cost() Money { return s.core.ended().Cost }

// Header is the head of the answer.
func (s *stream[Chunk]) Header() http.Header { return s.core.resp.Header }

// streamCore reads the events of one answer.
type streamCore struct {
	call   *call
	resp   *http.Response
	events *sse.Reader
	stop   func()
	first  []byte // the event that was read to see that the stream has begun; nil once it is handed out
	handed bool   // the caller has the stream: nothing can be tried again

	mu      sync.Mutex
	err     error // what the stream ended with; nil while it is open
	outcome Outcome
}

// openStream makes a call whose answer is a stream.
func (c *Client) openStream(ctx context.Context, spec callSpec, s *streamCore) error {
	_, err := c.perform(ctx, spec, s.open)
	s.handed = true
	return err
}

// open reads an answer up to its first event.
func (s *streamCore) open(c *call, resp *http.Response, stop func()) (kept bool, err error) {
	body := bufio.NewReader(resp.Body)
	if !isSuccess(resp.StatusCode) || startsWithJSON(body) {
		return false, c.notAStream(resp, body)
	}
	s.call, s.resp, s.stop = c, resp, stop
	s.events = sse.NewReader(body, c.client.maxEventBytes)
	s.first, err = s.read()
	if errors.Is(err, io.EOF) {
		err = nil // a stream of nothing but its terminator
	}
	if err != nil {
		_ = resp.Body.Close()
		return false, err
	}
	return true, nil
}

// startsWithJSON says whether a body is JSON rather than events: an error, or the answer of a server that does not
// stream.
func startsWithJSON(body *bufio.Reader) bool {
	for n := 1; ; n++ {
		head, err := body.Peek(n)
		if err != nil {
			return false
		}
		switch head[n-1] {
		case ' ', '\t', '\r', '\n':
			if n == body.Size() {
				return false
			}
		default:
			return head[n-1] == '{' || head[n-1] == '['
		}
	}
}

// readAhead is a body of which some has been read into a buffer.
type readAhead struct {
	io.Reader
	io.Closer
}

// notAStream reads an answer that is no stream: it is an error, or ought to be.
func (c *call) notAStream(resp *http.Response, body io.Reader) error {
	resp.Body = readAhead{body, resp.Body}
	data, err := c.readBody(resp, c.client.maxResponseBytes)
	if err != nil {
		return err
	}
	if err := c.errorIn(resp, data); err != nil {
		return err
	}
	return c.invalid(resp, data, errors.New("want a stream of events"))
}

// next returns the data of the next event that is a chunk, or what the stream has ended with.
func (s *streamCore) next() ([]byte, error) {
	s.mu.Lock()
	err, first := s.err, s.first
	s.first = nil
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if first != nil {
		return first, nil
	}
	data, err := s.read()
	if err != nil {
		return nil, s.end(err)
	}
	return data, nil
}

// read reads the next chunk off the answer: io.EOF is its proper end.
func (s *streamCore) read() ([]byte, error) {
	for {
		event, err := s.events.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, s.unterminated()
		case errors.Is(err, sse.ErrEventTooLarge):
			return nil, s.failure(fmt.Errorf("%w of %d bytes for an event, set by WithMaxEventBytes", ErrTooLarge, s.call.client.maxEventBytes))
		case err != nil:
			return nil, s.failure(err)
		}
		data := bytes.TrimSpace(event.Data)
		switch {
		case len(data) == 0:
			continue
		case string(data) == "[DONE]":
			s.readOn(doneTime)
			return nil, io.EOF
		case event.Cut && !json.Valid(data):
			continue // half a chunk; how the stream has broken off is what comes next
		}
		if err := s.errorIn(event.Name, data); err != nil {
			return nil, err
		}
		return data, nil
	}
}

// unterminated is how a stream without a terminator has ended: properly, if everything that counts has come.
func (s *streamCore) unterminated() error {
	_ = s.resp.Body.Close() // settles, and so tells what the transport saw
	if answer := s.call.answer; answer != nil && isComplete(answer) {
		return io.EOF
	}
	return s.failure(ErrStreamTruncated)
}

// errorIn returns the error that an event reports.
func (s *streamCore) errorIn(name, data []byte) error {
	if string(name) != "error" && !bytes.Contains(data, []byte(`"error"`)) {
		return nil
	}
	reader := s.call.client.format.NewStreamReader(&wire.Request{Operation: s.call.spec.op, Stream: true})
	reader.Event(name, data)
	reported := reader.Answer().Err
	if reported == nil {
		return nil
	}
	e := s.call.apiError(s.resp, data, reported)
	e.MidStream = s.handed
	s.readOn(drainTime)
	return e
}

// doneTime is how long the end of a body may be behind its terminator. A connection serves another call only if its
// last body was read to the end.
const doneTime = 50 * time.Millisecond

// readOn reads what comes after an error, for a moment: it may tell what the call cost. Behind a terminator it reads to
// the end of the body.
func (s *streamCore) readOn(most time.Duration) {
	cut := time.AfterFunc(most, func() { _ = s.resp.Body.Close() })
	defer cut.Stop()
	for {
		if _, err := s.events.Next(); err != nil && !errors.Is(err, sse.ErrEventTooLarge) {
			return
		}
	}
}

func (s *streamCore) failure(err error) error {
	return s.call.failure(s.resp.Request.Context(), err)
}

// unreadable ends the stream at a chunk that does not decode.
func (s *streamCore) unreadable(data []byte, err error) error {
	e := s.call.invalid(s.resp, data, err)
	e.MidStream = true
	return s.end(e)
}

// end ends the stream, once, and returns what it has ended with.
func (s *streamCore) end(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	_ = s.resp.Body.Close()
	s.stop()
	s.outcome.fill(s.call.all())
	s.err = err
	if errors.Is(err, io.EOF) || errors.Is(err, ErrStreamClosed) {
		_ = s.call.end(nil)
		return err
	}
	s.err = s.call.end(err)
	return s.err
}

func (s *streamCore) ended() Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outcome
}
