package jsonwalk

import (
	"bytes"
	"errors"
	"math"
)

// passState is where the scanner is inside a value that it passes as a whole.
type passState struct {
	begun    bool // the first byte was seen
	nested   int  // open objects and arrays
	inString bool
	escaped  bool // the next byte belongs to an escape
	scalar   bool // neither an object, an array nor a string: it ends before what cannot belong to it
}

// next takes what p holds of the value: n bytes of it, and whether it ended there.
func (t *passState) next(p []byte) (n int, ended bool) {
	if t.scalar {
		n = scalarEnd(p)
		return n, n < len(p)
	}
	if !t.begun {
		t.begun = true
		t.open(p[0])
		n = 1
	}
	for n < len(p) {
		if t.inString {
			m, closed := t.stringEnd(p[n:])
			n += m
			if t.inString = !closed; closed && t.nested == 0 {
				return n, true
			}
			continue
		}
		if n += indexStructural(p[n:]); n == len(p) {
			break
		}
		t.open(p[n])
		if n++; t.nested == 0 && !t.inString {
			return n, true
		}
	}
	return n, false
}

// open takes a byte that begins or ends something.
func (t *passState) open(c byte) {
	switch c {
	case '"':
		t.inString = true
	case '{', '[':
		t.nested++
	default:
		t.nested--
	}
}

// stringEnd takes what p holds of the string under way: n bytes of it, the closing quote included, and whether it
// was there.
func (t *passState) stringEnd(p []byte) (n int, closed bool) {
	if t.escaped && len(p) > 0 {
		t.escaped = false
		n = 1
	}
	// Most strings are short; the long ones are worth a search that is faster but slower to begin.
	near := p[n:min(n+shortString, len(p))]
	if i := indexQuoteOrBackslash(near); i < len(near) || len(near) < shortString {
		return t.escapedEnd(p, n+i)
	}
	rest := p[n:]
	if end := bytes.IndexByte(rest, '"'); end >= 0 {
		rest = rest[:end]
		closed = true
	}
	first := bytes.IndexByte(rest, '\\')
	if first < 0 {
		n += len(rest)
		if closed {
			n++
		}
		return n, closed
	}
	return t.escapedEnd(p, n+first)
}

// shortString is how far a string is searched before it counts as long.
const shortString = 64

// escapedEnd goes on from n, where the quote, an escape or the end of p is.
func (t *passState) escapedEnd(p []byte, n int) (int, bool) {
	for n < len(p) {
		if p[n] == '"' {
			return n + 1, true
		}
		if n += 2; n > len(p) {
			t.escaped = true
			return len(p), false
		}
		n += indexQuoteOrBackslash(p[n:])
	}
	return n, false
}

// scalarEnd returns where a number or a literal ends: before what can belong to neither. len(p) where it goes on.
func scalarEnd(p []byte) int {
	for i, c := range p {
		if c == ',' || c == ']' || c == '}' || isSpace(c) {
			return i
		}
	}
	return len(p)
}

// passOn takes the next part of the value being passed and keeps or counts it where it is wanted.
func (s *Scanner) passOn(p []byte) int {
	begun := s.pass.begun
	n, ended := s.pass.next(p)
	if s.keep >= 0 {
		v := &s.values[s.keep]
		switch limit := s.plan.wants[s.keep].Limit; {
		case limit == 0:
			v.count(p[:n], !begun, ended)
		case limit == CountRaw:
			v.counted += int64(n)
		case limit == SumNumbers:
			v.sum(p[:n], ended)
		default:
			if ended && v.raw == nil {
				v.raw = s.room(n)
			}
			v.take(p[:n], limit, ended)
			if ended && s.OnValue != nil {
				s.tell(v)
			}
		}
	}
	if ended {
		s.ended()
	}
	return n
}

func (s *Scanner) tell(v *scanValue) {
	if v.over {
		s.OnValue(s.keep, nil)
		return
	}
	s.OnValue(s.keep, v.raw)
}

// room is memory of the scanner's own for a short value, of exactly its length; nil where there is no more.
func (s *Scanner) room(n int) []byte {
	if n > len(s.short)-s.shortUsed {
		return nil
	}
	start := s.shortUsed
	s.shortUsed += n
	return s.short[start:start:s.shortUsed]
}

// take keeps the next part of a value.
func (v *scanValue) take(part []byte, limit int, ended bool) {
	if !v.over && len(v.raw)+len(part) > limit {
		v.over, v.raw = true, v.raw[:0]
	}
	if !v.over {
		v.raw = append(v.raw, part...)
	}
	v.found = ended && !v.over
}

// sum adds a number once it is complete. A sum that no number can hold stays at the largest.
func (v *scanValue) sum(part []byte, ended bool) {
	if v.take(part, maxSummand, ended); !v.found {
		return
	}
	n, err := Int(v.raw)
	if n = max(n, 0); errors.Is(err, ErrRange) || n > math.MaxInt64-v.counted {
		n = math.MaxInt64 - v.counted
	}
	v.counted += n
}

// count counts the next part of a string, which has its opening quote at its beginning and its closing one at its end.
func (v *scanValue) count(part []byte, first, last bool) {
	if first {
		part = part[1:]
	}
	if last {
		part = part[:len(part)-1]
	}
	v.counter.add(part)
	if last {
		v.counted += v.counter.total()
		v.counter = counter{}
	}
}
