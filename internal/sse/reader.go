package sse

import (
	"errors"
	"io"
)

// ErrEventTooLarge is the error of [Reader.Next] for an event that is larger than the reader's limit.
var ErrEventTooLarge = errors.New("event stream: event too large")

// readerBuffer is how much a Reader reads at once.
const readerBuffer = 4 << 10

// Event is an event of a stream. Its parts are valid until the next call of [Reader.Next].
type Event struct {
	Name []byte // from its event: line; empty: a message
	Data []byte // its data: lines, joined by line feeds
	Cut  bool   // the stream ended before the event's blank line: the data may be incomplete
}

// Reader reads events one by one, in memory that the largest allowed event bounds: comments and empty events, however
// many, take none. It is not safe for concurrent use.
type Reader struct {
	source  io.Reader
	decoder decoder
	buffer  []byte
	rest    []byte // of buffer, not yet decoded
	ready   bool   // the last call delivered an event, which is still in the decoder
	err     error  // what the source ended with
}

// NewReader returns a Reader of source that takes events of at most maxEvent bytes; 0 stands for [DefaultMaxEvent].
func NewReader(source io.Reader, maxEvent int) *Reader {
	return &Reader{source: source, decoder: newDecoder(maxEvent)}
}

// Next returns the next event. At the end of the stream it returns [io.EOF], or the error that the source ended
// with. For an event that is too large it returns [ErrEventTooLarge] as soon as that is known; the next call goes on
// with the event after it.
func (r *Reader) Next() (Event, error) {
	if r.ready {
		r.ready = false
		r.decoder.reset()
	}
	wasOverlong := r.decoder.overlong
	for idle := 0; ; {
		for len(r.rest) > 0 {
			idle = 0
			n, what := r.decoder.feed(r.rest)
			r.rest = r.rest[n:]
			if r.decoder.overlong && !wasOverlong {
				return Event{}, ErrEventTooLarge
			}
			if what == blankLine {
				if event, ok := r.take(); ok {
					return event, nil
				}
				wasOverlong = false
			}
		}
		if r.err != nil {
			return r.last()
		}
		if idle++; idle > maxEmptyReads {
			return Event{}, io.ErrNoProgress
		}
		r.fill()
	}
}

// take returns the event that has just ended, if there is one.
func (r *Reader) take() (Event, bool) {
	name, data, ok := r.decoder.event()
	if !ok {
		r.decoder.reset()
		return Event{}, false
	}
	r.ready = true
	return Event{Name: name, Data: data}, true
}

// last returns the event that the end of the stream has cut short, then the error.
func (r *Reader) last() (Event, error) {
	wasOverlong := r.decoder.overlong
	r.decoder.finish()
	if r.decoder.overlong && !wasOverlong {
		return Event{}, ErrEventTooLarge
	}
	if event, ok := r.take(); ok {
		event.Cut = true
		return event, nil
	}
	return Event{}, r.err
}

func (r *Reader) fill() {
	if r.buffer == nil {
		r.buffer = make([]byte, readerBuffer)
	}
	r.decoder.keep()
	n, err := r.source.Read(r.buffer)
	r.rest, r.err = r.buffer[:n], err
}
