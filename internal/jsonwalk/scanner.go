package jsonwalk

import "bytes"

// Scanner picks values out of one JSON document that arrives in pieces of any size. What it keeps is bounded by the
// limits of its [Plan], whatever the size of the document. It trusts the parts that it passes by to be well formed.
// It is not safe for concurrent use.
type Scanner struct {
	plan   *Plan
	state  scanState
	node   int // of the value that comes next or is being passed; -1: nothing wanted in it
	frames [maxSteps + 1]scanFrame
	depth  int // frames in use

	pass    passState
	keep    int // want that takes the value being passed; -1: none
	name    []byte
	tooLong bool // the name under way is longer than any that is wanted
	values  []scanValue

	// OnValue, where it is set, is handed every value that is wanted whole, as soon as it is complete: of several at one path
	// Value has only the latest. raw is nil where it is longer than its limit, and valid during the call only.
	OnValue func(want int, raw []byte)

	short     [768]byte // what most answers have that is wanted: ids, names and a usage
	shortUsed int
}

type scanFrame struct {
	node  int
	array bool
}

// scanValue is what was found for one want.
type scanValue struct {
	raw     []byte
	found   bool
	over    bool // longer than the limit: dropped
	counter counter
	counted int64 // by strings that are complete
}

type scanState uint8

const (
	scanValueNext scanState = iota // a value comes next
	scanPassing                    // inside a value whose members are not looked at
	scanEntered                    // an object or array was entered just now
	scanKeyNext                    // a name comes next
	scanKey                        // inside a name
	scanColon                      // a colon comes next
	scanAfter                      // a comma or the end of the container comes next
	scanDone                       // the value is complete
	scanMalformed                  // not JSON: everything else is ignored
)

// NewScanner returns a Scanner that looks for the plan's wants.
func (p *Plan) NewScanner() *Scanner {
	s := new(Scanner)
	s.Plan(p)
	return s
}

// Plan makes a Scanner that is part of something else look for a plan's wants.
func (s *Scanner) Plan(p *Plan) {
	*s = Scanner{plan: p, keep: -1, values: make([]scanValue, len(p.wants))}
}

// Reset makes the scanner ready for another document, in the memory that it has. What was found and counted is forgotten.
func (s *Scanner) Reset() {
	s.state, s.node, s.depth, s.keep = scanValueNext, 0, 0, -1
	s.name, s.tooLong = s.name[:0], false
	for i := range s.values {
		v := &s.values[i]
		v.found, v.over, v.counter, v.counted = false, false, counter{}, 0
	}
}

// Write takes the next piece of the document. It keeps no reference to p.
func (s *Scanner) Write(p []byte) {
	for len(p) > 0 && s.state != scanMalformed {
		p = p[s.step(p):]
	}
}

// Value returns the latest complete value found for a want, as it is written; the want is named by its place in the
// plan. found is false where there was none so far, and over is true where the latest was longer than its limit.
// The bytes are valid until the next call of Write.
func (s *Scanner) Value(want int) (raw []byte, found, over bool) {
	v := &s.values[want]
	if v.over || !v.found {
		return nil, false, v.over
	}
	return v.raw, true, false
}

// Counted returns what a counting want has counted so far: the bytes of strings, decoded, those of a string that is
// still under way included; or what its limit says.
func (s *Scanner) Counted(want int) int64 {
	v := &s.values[want]
	return v.counted + v.counter.total()
}

// Complete says whether the document's value has ended and nothing but white space followed.
func (s *Scanner) Complete() bool { return s.state == scanDone }

// Malformed says whether what has been written cannot be the beginning of a JSON document.
func (s *Scanner) Malformed() bool { return s.state == scanMalformed }

// step takes the next bytes of p, which is not empty, or changes the state; it returns how many it took.
func (s *Scanner) step(p []byte) int {
	switch s.state {
	case scanPassing:
		return s.passOn(p)
	case scanKey:
		return s.readName(p)
	}
	if n := spaceLen(p); n > 0 {
		return n
	}
	switch s.state {
	case scanValueNext:
		return s.value(p)
	case scanEntered:
		return s.enterOrClose(p)
	case scanKeyNext:
		return s.member(p)
	case scanColon:
		if p[0] == ':' {
			s.state = scanValueNext
			return 1
		}
	case scanAfter:
		return s.after(p)
	}
	s.state = scanMalformed
	return 1
}

// value takes as much of the value that p begins with as is in it.
func (s *Scanner) value(p []byte) int {
	if n := s.begin(p[0]); n > 0 || s.state != scanPassing {
		return n
	}
	return s.passOn(p)
}

// member takes a member's name, and the colon where it follows at once.
func (s *Scanner) member(p []byte) int {
	if p[0] != '"' {
		s.state = scanMalformed
		return 1
	}
	n := 1 + indexQuoteOrBackslash(p[1:])
	if n == len(p) || p[n] != '"' { // it goes on in another piece, or has escapes
		s.pass, s.state = passState{}, scanKey
		return 1
	}
	s.named(p[1:n])
	if n++; n < len(p) && p[n] == ':' {
		s.state = scanValueNext
		n++
	}
	return n
}

// begin decides what to do with the value that begins with c; it returns how much of that it took.
func (s *Scanner) begin(c byte) int {
	if s.depth == 0 && isByteOrderMark(c) {
		return 1
	}
	s.keep = -1
	if s.node >= 0 {
		s.keep = s.plan.nodes[s.node].want
	}
	if s.keep >= 0 && s.plan.wants[s.keep].Limit == CountValues {
		s.values[s.keep].counted++
		s.keep = -1
	}
	if counts := s.counting(); s.keep < 0 || counts {
		if s.descend(c) {
			return 1
		}
		if c != '"' {
			s.keep = -1
		}
	}
	if s.keep >= 0 {
		v := &s.values[s.keep]
		v.raw, v.found, v.over = v.raw[:0], false, false
	}
	s.pass = passState{scalar: c != '"' && c != '{' && c != '['}
	s.state = scanPassing
	if c == ']' || c == '}' || c == ',' || c == ':' {
		s.state = scanMalformed
	}
	return 0
}

// isByteOrderMark: some servers put one before the document.
func isByteOrderMark(c byte) bool { return c == 0xEF || c == 0xBB || c == 0xBF }

// counting says whether the value is wanted for its number of bytes only.
func (s *Scanner) counting() bool { return s.keep >= 0 && s.plan.wants[s.keep].Limit == 0 }

// descend enters the value where wanted ones may lie in it.
func (s *Scanner) descend(c byte) bool {
	if s.node < 0 {
		return false
	}
	n := &s.plan.nodes[s.node]
	switch {
	case c == '{' && n.members != nil:
	case c == '[' && (n.first >= 0 || n.rest >= 0):
	default:
		return false
	}
	s.frames[s.depth] = scanFrame{node: s.node, array: c == '['}
	s.depth++
	s.state = scanEntered
	return true
}

// enterOrClose stands before the first member or element, or the end of an empty container.
func (s *Scanner) enterOrClose(p []byte) int {
	f := &s.frames[s.depth-1]
	if p[0] == closer(f.array) {
		s.close()
		return 1
	}
	if f.array {
		s.node = s.plan.nodes[f.node].first
		s.state = scanValueNext
		return s.value(p)
	}
	s.state = scanKeyNext
	return s.member(p)
}

func closer(array bool) byte {
	if array {
		return ']'
	}
	return '}'
}

func (s *Scanner) after(p []byte) int {
	f := &s.frames[s.depth-1]
	switch c := p[0]; {
	case c == closer(f.array):
		s.close()
	case c != ',':
		s.state = scanMalformed
	case f.array:
		s.node = s.plan.nodes[f.node].rest
		s.state = scanValueNext
	default:
		s.state = scanKeyNext
		if len(p) > 1 && p[1] == '"' {
			return 1 + s.member(p[1:])
		}
	}
	return 1
}

func (s *Scanner) close() {
	s.depth--
	s.ended()
}

// ended says that a value has come to its end.
func (s *Scanner) ended() {
	s.state = scanAfter
	if s.depth == 0 {
		s.state = scanDone
	}
}

// maxName bounds the names that are looked at; a longer one is certainly not wanted.
const maxName = 128

// readName takes the next part of a member's name. A name that lies in one piece is not copied.
func (s *Scanner) readName(p []byte) int {
	n, closed := s.pass.stringEnd(p)
	part := p[:n]
	if closed {
		part = part[:n-1]
	}
	if closed && len(s.name) == 0 && !s.tooLong {
		s.named(part)
		return n
	}
	if s.tooLong = s.tooLong || len(s.name)+len(part) > maxName; !s.tooLong {
		s.name = append(s.name, part...)
	}
	if closed {
		s.named(s.name)
	}
	return n
}

func (s *Scanner) named(raw []byte) {
	s.node = -1
	if !s.tooLong && len(raw) <= maxName {
		if bytes.IndexByte(raw, '\\') >= 0 {
			var decoded [maxName]byte
			raw = AppendDecoded(decoded[:0], raw)
		}
		s.node = s.plan.find(s.frames[s.depth-1].node, raw)
	}
	s.name, s.tooLong = s.name[:0], false
	s.state = scanColon
}
