package jsonwalk

// DefaultMaxElement is how large an element may be where nothing else is said, in bytes.
const DefaultMaxElement = 4 << 20

// Elements finds the elements of one JSON array that is pushed through it in pieces, each as soon as it is complete:
// the way Gemini streams where no event stream is asked for. Its memory is bounded by the largest element that it
// delivers. It trusts what it passes to be well formed. It is not safe for concurrent use.
type Elements struct {
	max      int
	state    elementState
	pass     passState
	partial  []byte // of the element under way, from earlier pieces
	overlong bool   // the element under way is larger than max: its text is not kept
	skipped  int
}

type elementState uint8

const (
	elementsBefore  elementState = iota // the array has not begun
	elementsBetween                     // an element, a comma or the end comes next
	elementsInside                      // inside an element
	elementsOver                        // the array has ended, or there is none
)

// NewElements returns an Elements that delivers elements of at most maxElement bytes; 0 stands for [DefaultMaxElement].
func NewElements(maxElement int) *Elements {
	if maxElement <= 0 {
		maxElement = DefaultMaxElement
	}
	return &Elements{max: maxElement}
}

// Write takes the next piece of the document and calls deliver, with no name, for every element that ends in it. The
// data are valid during the call only; an element that lies inside one piece is not copied.
func (e *Elements) Write(piece []byte, deliver func(name, data []byte)) {
	for len(piece) > 0 && e.state != elementsOver {
		if e.state == elementsInside {
			piece = piece[e.inside(piece, deliver):]
			continue
		}
		if n := spaceLen(piece); n > 0 {
			piece = piece[n:]
			continue
		}
		piece = piece[e.outside(piece[0]):]
	}
}

// Close says that the document has ended. An element that was cut off is not delivered.
func (e *Elements) Close(func(name, data []byte)) { e.partial = e.partial[:0] }

// Skipped is the number of elements that were not delivered because they were too large.
func (e *Elements) Skipped() int { return e.skipped }

// outside takes a byte that belongs to no element, or begins one; it returns how much of it it took.
func (e *Elements) outside(c byte) int {
	switch {
	case e.state == elementsBefore && isByteOrderMark(c):
	case e.state == elementsBefore && c == '[':
		e.state = elementsBetween
	case e.state == elementsBefore || c == ']' || c == '}' || c == ':':
		e.state = elementsOver
	case c != ',':
		e.state = elementsInside
		e.pass = passState{scalar: c != '"' && c != '{' && c != '['}
		return 0
	}
	return 1
}

// inside takes what p holds of the element under way.
func (e *Elements) inside(p []byte, deliver func(name, data []byte)) int {
	n, ended := e.pass.next(p)
	part := p[:n]
	if !ended || len(e.partial) > 0 || e.overlong || n > e.max {
		if e.overlong = e.overlong || len(e.partial)+n > e.max; e.overlong {
			e.partial = e.partial[:0]
		} else {
			e.partial = append(e.partial, part...)
		}
		part = e.partial
	}
	if !ended {
		return n
	}
	if e.overlong {
		e.skipped++
	} else {
		deliver(nil, part)
	}
	e.state = elementsBetween
	e.partial, e.overlong = e.partial[:0], false
	return n
}
