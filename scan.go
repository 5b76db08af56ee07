package farebox

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/farebox-go/farebox/internal/framing"
	"github.com/farebox-go/farebox/internal/sse"
	"github.com/farebox-go/farebox/internal/wire"
)

const (
	maxErrorBody = 64 << 10 // of an error's body, that is kept to be read
	maxEvent     = 4 << 20  // of a stream that passes; a longer event passes unread
)

// bodyScanner reads an answer as it passes.
type bodyScanner interface {
	write(p []byte)
	// nearEnd says that the answer is over, or will be billed whole, but its usage has not been seen.
	nearEnd() bool
	// close ends the scan and returns what was read; whole says that the body was read to its end.
	close(whole bool) *wire.Answer
}

// jsonScanner reads an answer that is one JSON value.
type jsonScanner struct{ reader wire.Reader }

func newJSONScanner(a *attempt) *jsonScanner {
	return &jsonScanner{reader: a.format.NewBodyReader(&a.request)}
}

func (s *jsonScanner) write(p []byte) { s.reader.Write(p) }

func (s *jsonScanner) nearEnd() bool {
	answer := s.reader.Answer()
	return !answer.UsageSeen && !answer.Done
}

func (s *jsonScanner) close(bool) *wire.Answer { return s.reader.Answer() }

// streamScanner reads an answer that is a stream of events, which reach it through write or, where events are
// filtered, through event. Events may come while another goroutine closes the body.
type streamScanner struct {
	attempt  *attempt
	parser   framing.Parser
	deliver  func(name, data []byte)
	filtered bool

	mu     sync.Mutex
	reader wire.StreamReader
	closed bool
}

func newStreamScanner(a *attempt, kind framing.Framing) *streamScanner {
	s := &streamScanner{attempt: a, parser: kind.New(maxEvent), reader: a.format.NewStreamReader(&a.request)}
	s.deliver = func(name, data []byte) { s.event(name, data) }
	return s
}

// event takes one event; it says whether the event is one that farebox asked for and the caller did not.
func (s *streamScanner) event(name, data []byte) (usageOnly bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if r := &s.attempt.receipt; r.TimeToFirstChunk == 0 {
		r.TimeToFirstChunk = time.Since(s.attempt.begun)
	}
	usageOnly = s.reader.Event(name, data)
	if s.attempt.hold.pace.held > 0 && s.reader.Answer().FinishReason == "" {
		s.attempt.keepPace(s.reader.Answer().TextBytes)
	}
	return usageOnly
}

func (s *streamScanner) write(p []byte) {
	if !s.filtered {
		s.parser.Write(p, s.deliver)
	}
}

func (s *streamScanner) nearEnd() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := s.reader.Answer()
	return answer.FinishReason != "" && !answer.UsageSeen && !answer.Done
}

func (s *streamScanner) close(whole bool) *wire.Answer {
	if whole && !s.filtered {
		s.parser.Close(s.deliver) // an event that the stream ended on without a blank line
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.reader.Answer()
}

// sniffingScanner reads an answer that is not labelled as a stream, and takes it for what it begins with: some servers
// label streams as JSON, some answer a request for a stream with JSON all the same.
type sniffingScanner struct {
	attempt *attempt
	stream  *streamScanner // nil until it is needed: most answers are JSON
	chosen  bodyScanner
}

func (s *sniffingScanner) asStream(kind framing.Framing) *streamScanner {
	if s.stream == nil {
		s.stream = newStreamScanner(s.attempt, kind)
	}
	return s.stream
}

func (s *sniffingScanner) write(p []byte) {
	if s.chosen == nil {
		filtered := s.stream != nil // a stream of server-sent events, or none
		kind, known := beginning(p, s.attempt.request.Stream && !filtered)
		switch {
		case !known:
			return
		case kind == framing.None:
			s.chosen = newJSONScanner(s.attempt)
		default:
			s.chosen = s.asStream(kind)
		}
	}
	s.chosen.write(p)
}

// beginning says what a body is by its first byte; known is false while only blanks have come. asked says that a stream was
// asked for, which an array may be.
func beginning(p []byte, asked bool) (kind framing.Framing, known bool) {
	p = bytes.TrimLeft(p, " \t\r\n\ufeff")
	if len(p) == 0 {
		return framing.None, false
	}
	return framing.OfBeginning(p[0], asked), true
}

func (s *sniffingScanner) nearEnd() bool {
	switch {
	case s.chosen != nil:
		return s.chosen.nearEnd()
	case s.attempt.request.Stream:
		return false
	}
	return true
}

func (s *sniffingScanner) close(whole bool) *wire.Answer {
	if s.chosen == nil {
		return s.asStream(framing.ServerSent).close(whole)
	}
	return s.chosen.close(whole)
}

// sniffingReader takes the usage chunk out of an answer that turns out to be a stream.
type sniffingReader struct {
	source io.Reader
	drop   func(name, data []byte) bool
	chosen io.Reader // nil until the first byte that is not blank
}

func (r *sniffingReader) Read(p []byte) (int, error) {
	if r.chosen != nil {
		return r.chosen.Read(p)
	}
	n, err := r.source.Read(p)
	kind, known := beginning(p[:n], false)
	switch {
	case !known:
		return n, err
	case kind == framing.None:
		r.chosen = r.source
		return n, err
	}
	begun := bytes.NewReader(bytes.Clone(p[:n]))
	r.chosen = sse.NewFilter(io.MultiReader(begun, r.source), maxEvent, r.drop)
	return r.chosen.Read(p)
}

// errorScanner keeps the beginning of an answer with an error status.
type errorScanner struct {
	attempt *attempt
	body    []byte
}

func (s *errorScanner) write(p []byte) {
	s.body = append(s.body, p[:min(len(p), maxErrorBody-len(s.body))]...)
}

func (*errorScanner) nearEnd() bool { return false }

func (s *errorScanner) close(bool) *wire.Answer {
	e := s.attempt.format.ReadError(s.attempt.receipt.Status, s.body)
	return &wire.Answer{Err: &e}
}

// unreadableScanner stands for a body in an encoding that the caller negotiated and farebox does not read.
type unreadableScanner struct{ attempt *attempt }

func (*unreadableScanner) write([]byte) {}

func (*unreadableScanner) nearEnd() bool { return false }

func (s *unreadableScanner) close(bool) *wire.Answer {
	s.attempt.receipt.Flags = append(s.attempt.receipt.Flags, FlagUnreadableBody)
	return &wire.Answer{}
}
