package sse

import "io"

// filterBuffer is how much a Filter reads at once.
const filterBuffer = 16 << 10

// maxHeldComments is how many bytes of comments may stand between the lines of one event.
const maxHeldComments = 64 << 10

// maxEmptyReads is how often in a row a source may return nothing at all.
const maxEmptyReads = 100

// Filter is a stream that is read through it, byte for byte, without the events that a callback drops. Bytes come
// through as they arrive; only an event under way is held back until it is complete, and one that is too large to be
// judged passes as it comes. It is not safe for concurrent use.
type Filter struct {
	source  io.Reader
	drop    func(name, data []byte) bool
	decoder decoder
	buffer  []byte
	out     []byte // judged, not yet read
	read    int    // how much of out has been read
	held    []byte // the event under way
	dropped bool   // the last event was dropped
	skipped int
	err     error // what the source ended with
}

// NewFilter returns a Filter over source. drop is called with every event, in order, and says whether it is to be
// taken out; its arguments are valid during the call only. Events larger than maxEvent bytes pass without a call;
// 0 stands for [DefaultMaxEvent].
func NewFilter(source io.Reader, maxEvent int, drop func(name, data []byte) bool) *Filter {
	return &Filter{source: source, drop: drop, decoder: newDecoder(maxEvent)}
}

// Skipped is the number of events that passed without a call because they were too large.
func (f *Filter) Skipped() int { return f.skipped }

// Read implements [io.Reader]. It returns as soon as there is a byte to return, and the source's error, unchanged,
// after the last byte.
func (f *Filter) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for range maxEmptyReads {
		for f.read == len(f.out) && f.err == nil {
			if f.fill() == 0 {
				break
			}
		}
		if f.read < len(f.out) {
			n := copy(p, f.out[f.read:])
			f.read += n
			return n, nil
		}
		if f.err != nil {
			return 0, f.err
		}
	}
	return 0, io.ErrNoProgress
}

// fill reads from the source once and judges what came; it returns how much that was.
func (f *Filter) fill() int {
	if f.buffer == nil {
		f.buffer = make([]byte, filterBuffer)
	}
	f.out, f.read = f.out[:0], 0
	n, err := f.source.Read(f.buffer)
	for rest := f.buffer[:n]; len(rest) > 0; {
		rest = rest[f.take(rest):]
	}
	f.decoder.keep()
	if err != nil {
		f.err = err
		f.decoder.finish()
		f.judge()
	}
	return n
}

// take hands the next bytes to where they belong and returns how many.
func (f *Filter) take(p []byte) int {
	n, what := f.decoder.feed(p)
	if len(f.held)+n > f.decoder.max+maxHeldComments {
		f.decoder.giveUp()
	}
	switch {
	case what == lateFeed && f.dropped && !f.decoder.fields:
		// The event that this line feed completes is gone already.
	case f.decoder.fields && !f.decoder.overlong:
		f.held = append(f.held, p[:n]...)
	default:
		f.release()
		f.out = append(f.out, p[:n]...)
	}
	if what == blankLine {
		f.judge()
	} else {
		f.dropped = f.dropped && what == lateFeed
	}
	return n
}

// judge ends the event under way.
func (f *Filter) judge() {
	name, data, ok := f.decoder.event()
	f.dropped = ok && f.drop(name, data)
	if f.dropped {
		f.held = f.held[:0]
	}
	if f.decoder.overlong {
		f.skipped++
	}
	f.release()
	f.decoder.reset()
}

// release passes what is held.
func (f *Filter) release() {
	f.out = append(f.out, f.held...)
	f.held = f.held[:0]
}
