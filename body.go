package farebox

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/farebox-go/farebox/internal/framing"
	"github.com/farebox-go/farebox/internal/sse"
	"github.com/farebox-go/farebox/internal/wire"
)

// Bounds on what Close reads after a consumer that stopped early, to find the usage of an answer that is almost over.
const (
	drainBytes = 256 << 10
	drainTime  = 500 * time.Millisecond
)

// meteredBody is an answer's body that is metered as it is read. Bytes pass through untouched; its memory is bounded
// whatever passes.
type meteredBody struct {
	attempt *attempt
	head    http.Header
	source  io.ReadCloser // the provider's bytes
	reader  io.Reader     // what the caller reads: source, or source without the usage chunk
	stop    func() bool   // stops watching ctx
	watch   runtime.Cleanup

	mu      sync.Mutex // guards what follows against a Close in the middle of a Read
	scanner bodyScanner
	reading bool
	ended   bool
}

func newMeteredBody(a *attempt, resp *http.Response) *meteredBody {
	b := &meteredBody{attempt: a, head: resp.Header, source: resp.Body, reader: resp.Body}
	encoding := contentEncoding(resp.Header)
	a.stripUsage = a.stripUsage && isSuccess(resp.StatusCode) && encoding == "" // nothing is taken out of what is encoded
	kind := framingOf(&a.request, resp.Header)
	switch {
	case !isSuccess(resp.StatusCode):
		b.scanner = &errorScanner{attempt: a}
	case kind != framing.None:
		b.scanStream(kind)
	case isPlain(&a.request):
		b.scanner = newJSONScanner(a)
	default:
		b.sniff()
	}
	if encoding != "" {
		b.scanner = a.meter.decoded(encoding, a, b.scanner)
	}
	if a.stripUsage {
		resp.ContentLength = -1 // the chunk that is taken out is counted in it
		resp.Header.Del("Content-Length")
	}
	// A Client's call that is not streamed reads its answer at once and closes it, whatever becomes of ctx.
	if a.ctx.Done() != nil && (a.call == nil || a.request.Stream) {
		b.mu.Lock() // ctx may have ended already
		b.stop = context.AfterFunc(a.ctx, b.cancelled)
		b.mu.Unlock()
	}
	return b
}

// isPlain says that an answer is what its operation makes, whatever it begins with: sound, subtitles, lines of results.
func isPlain(r *wire.Request) bool {
	switch r.Operation {
	case wire.Speech, wire.Transcription:
		return !r.Stream
	case wire.Batch:
		return true
	}
	return false
}

// framingOf is how an answer is cut into events.
func framingOf(r *wire.Request, head http.Header) framing.Framing {
	if r.Operation == wire.Batch {
		return framing.None
	}
	return framing.OfContentType(head.Get("Content-Type"))
}

func (b *meteredBody) scanStream(kind framing.Framing) {
	scanner := newStreamScanner(b.attempt, kind)
	b.scanner = scanner
	if b.attempt.stripUsage && kind == framing.ServerSent {
		// The filter sees every event, so it does the scanning too.
		b.reader = sse.NewFilter(b.source, maxEvent, scanner.event)
		scanner.filtered = true
	}
}

// sniff scans an answer that is not labelled as a stream and may be one all the same.
func (b *meteredBody) sniff() {
	scanner := &sniffingScanner{attempt: b.attempt}
	b.scanner = scanner
	if b.attempt.stripUsage {
		b.reader = &sniffingReader{source: b.source, drop: scanner.asStream(framing.ServerSent).event}
		scanner.stream.filtered = true
	}
}

// callersBody is what the caller has of a meteredBody. Nothing else leads to it, so that its end shows that the caller has
// forgotten the answer: stopped reading, or panicked, without closing it.
type callersBody struct{ *meteredBody }

// forCaller is the body as it is handed up. One that nobody can read or close any more is closed by itself, so that its
// money is not held for ever.
func (b *meteredBody) forCaller() io.ReadCloser {
	handed := &callersBody{b}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.watch = runtime.AddCleanup(handed, func(b *meteredBody) { go b.abandoned() }, b)
	}
	return handed
}

// Read keeps the body from being taken for forgotten while it is read for the last time.
func (c *callersBody) Read(p []byte) (int, error) {
	n, err := c.meteredBody.Read(p)
	runtime.KeepAlive(c)
	return n, err
}

// abandoned settles the attempt of a body that the caller has forgotten.
func (b *meteredBody) abandoned() {
	b.cancelled()
	_ = b.source.Close()
}

// Read passes on what the provider sent.
func (b *meteredBody) Read(p []byte) (n int, err error) {
	b.mu.Lock()
	b.reading = true
	b.mu.Unlock()
	if cut := b.attempt.cut.Load(); cut != nil {
		return 0, cut
	}
	err = errPanicked // unless Read returns
	defer func() {
		if b.took(p[:n], err); err == nil {
			err = b.cutOff()
		}
	}()
	n, err = b.reader.Read(p)
	return n, err
}

// cutOff ends the answer where a budget has cut it; nil: it has not.
func (b *meteredBody) cutOff() error {
	cut := b.attempt.cut.Load()
	if cut == nil {
		return nil
	}
	_ = b.source.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end(false)
	return cut
}

// took scans what a Read has passed on, and settles the attempt where that was the end.
func (b *meteredBody) took(p []byte, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	if b.ended {
		return
	}
	b.scanner.write(p)
	if err != nil {
		b.end(errors.Is(err, io.EOF))
	}
}

// Close settles the attempt, if reading to the end has not. An answer that has come to its end but for its usage is
// read on for a moment.
func (b *meteredBody) Close() error {
	b.settle()
	return b.source.Close()
}

func (b *meteredBody) settle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.end(false)          // even where reading on panics
	if !b.ended && !b.reading { // another goroutine may be blocked in Read: closing frees it
		b.drain()
	}
}

// drain reads on, within bounds, where the usage must be near: behind the finish reason of a stream, or in a JSON
// answer, which is billed whole however little of it is read.
func (b *meteredBody) drain() {
	if !isSuccess(b.attempt.receipt.Status) || !b.scanner.nearEnd() {
		return
	}
	cut := time.AfterFunc(drainTime, func() { _ = b.source.Close() })
	defer cut.Stop()
	buf := make([]byte, 8<<10)
	for read := 0; read < drainBytes && b.scanner.nearEnd(); {
		n, err := b.reader.Read(buf)
		b.scanner.write(buf[:n])
		read += n
		if err != nil {
			b.end(errors.Is(err, io.EOF))
			return
		}
	}
}

// cancelled settles the attempt when its context ends, for consumers that neither read on nor close.
func (b *meteredBody) cancelled() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end(false)
}

// end settles the attempt, once; mu is held.
func (b *meteredBody) end(whole bool) {
	if b.ended {
		return
	}
	b.ended = true
	if b.stop != nil {
		b.stop()
	}
	b.watch.Stop()
	b.attempt.end(b.scanner.close(whole), b.head, whole)
}
