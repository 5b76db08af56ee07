package farebox

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/farebox-go/farebox/internal/wire"
)

// decoder undoes an encoding of content.
type decoder func(io.Reader) (io.Reader, error)

// knownDecoders are those of the standard library, by the names of RFC 9110, section 8.4.1.
var knownDecoders = map[string]decoder{
	"gzip":    func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	"x-gzip":  func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	"deflate": inflate,
}

// inflate reads what is called deflate: a zlib stream by the RFC, a bare one by some servers.
func inflate(r io.Reader) (io.Reader, error) {
	begun := bufio.NewReader(r)
	head, err := begun.Peek(2)
	if err != nil {
		return nil, err
	}
	const methodDeflate, checkedBy = 8, 31 // RFC 1950, section 2.2
	if head[0]&0x0f == methodDeflate && binary.BigEndian.Uint16(head)%checkedBy == 0 {
		return zlib.NewReader(begun)
	}
	return flate.NewReader(begun), nil
}

// contentEncoding is the encoding of an answer's body; empty: it is plain.
func contentEncoding(head http.Header) string {
	encoding := strings.ToLower(strings.TrimSpace(head.Get("Content-Encoding")))
	if encoding == "identity" {
		return ""
	}
	return encoding
}

// decoded puts what undoes an encoding before a scanner.
func (m *Meter) decoded(encoding string, a *attempt, plain bodyScanner) bodyScanner {
	decode := m.decoders[encoding]
	if decode == nil {
		decode = knownDecoders[encoding]
	}
	if decode == nil {
		return &unreadableScanner{attempt: a}
	}
	return &decodingScanner{attempt: a, decode: decode, plain: plain}
}

// decodingScanner reads an answer in an encoding that the caller negotiated. It is decoded on the side, piece by piece as
// it passes, in a goroutine of its own: decoders pull.
type decodingScanner struct {
	attempt *attempt
	decode  decoder
	pieces  chan []byte   // nil until the first one
	wanted  chan struct{} // the decoder has read all of the last piece
	ended   chan struct{} // the decoder has
	rest    []byte        // of the piece that is being read
	last    bool          // there are no more pieces
	err     error         // why the decoder ended; read it after ended

	mu    sync.Mutex
	plain bodyScanner
}

// write returns when the decoder has taken all of p.
func (s *decodingScanner) write(p []byte) {
	if len(p) == 0 {
		return
	}
	if s.pieces == nil {
		s.pieces, s.wanted, s.ended = make(chan []byte), make(chan struct{}), make(chan struct{})
		go s.run()
		if !s.awaited() {
			return
		}
	}
	select {
	case s.pieces <- p:
		s.awaited()
	case <-s.ended:
	}
}

// awaited waits until the decoder wants more; false if it never will.
func (s *decodingScanner) awaited() bool {
	select {
	case <-s.wanted:
		return true
	case <-s.ended:
		return false
	}
}

var errDecoderPanicked = errors.New("farebox: the decoder of the answer's encoding panicked")

func (s *decodingScanner) run() {
	defer close(s.ended)
	s.err = errDecoderPanicked // unless it returns
	defer func() { _ = recover() }()
	s.err = s.readPlain()
}

func (s *decodingScanner) readPlain() error {
	plain, err := s.decode(s)
	if err != nil {
		return err
	}
	if closer, ok := plain.(io.Closer); ok {
		defer func() { _ = closer.Close() }()
	}
	buf := make([]byte, 8<<10)
	for {
		n, err := plain.Read(buf)
		s.mu.Lock()
		s.plain.write(buf[:n])
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// Read gives the decoder what has passed, and waits for more.
func (s *decodingScanner) Read(p []byte) (int, error) {
	if s.last {
		return 0, io.EOF
	}
	if len(s.rest) == 0 {
		s.wanted <- struct{}{}
		if s.rest = <-s.pieces; s.rest == nil {
			s.last = true
			return 0, io.EOF
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *decodingScanner) nearEnd() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plain.nearEnd()
}

func (s *decodingScanner) close(whole bool) *wire.Answer {
	if s.pieces != nil {
		close(s.pieces)
		<-s.ended
	}
	if broken := s.err != nil && !errors.Is(s.err, io.EOF); broken && (whole || !errors.Is(s.err, io.ErrUnexpectedEOF)) {
		s.attempt.receipt.Flags = append(s.attempt.receipt.Flags, FlagUnreadableBody)
		whole = false
	}
	return s.plain.close(whole)
}
