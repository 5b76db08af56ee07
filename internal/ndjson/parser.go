// Package ndjson reads streams of JSON values one to a line: NDJSON, JSON Lines, Cohere's application/stream+json.
package ndjson

import "bytes"

// DefaultMaxLine is how long a line may be where nothing else is said, in bytes.
const DefaultMaxLine = 4 << 20

// Parser finds the lines in a stream that is pushed through it. Its memory is bounded by the longest line that it
// delivers. It is not safe for concurrent use.
type Parser struct {
	max      int
	begun    bool   // a line has been seen: a byte order mark is one no longer
	partial  []byte // of the line under way, from earlier pieces
	overlong bool   // the line under way is longer than max: its text is not kept
	skipped  int
}

// NewParser returns a Parser that delivers lines of at most maxLine bytes; 0 stands for [DefaultMaxLine].
func NewParser(maxLine int) *Parser {
	if maxLine <= 0 {
		maxLine = DefaultMaxLine
	}
	return &Parser{max: maxLine}
}

// Write takes the next piece of the stream and calls deliver, with no name, for every line that ends in it and is not
// blank, without its end. The data are valid during the call only; a line that lies inside one piece is not copied.
func (p *Parser) Write(piece []byte, deliver func(name, data []byte)) {
	for {
		end := bytes.IndexByte(piece, '\n')
		if end < 0 {
			p.hold(piece)
			return
		}
		p.line(piece[:end], deliver)
		piece = piece[end+1:]
	}
}

// Close says that the stream has ended: a line that lacks its end is delivered now.
func (p *Parser) Close(deliver func(name, data []byte)) { p.line(nil, deliver) }

// Skipped is the number of lines that were not delivered because they were too long.
func (p *Parser) Skipped() int { return p.skipped }

// hold keeps the part of a line that a piece ended in.
func (p *Parser) hold(part []byte) {
	if p.overlong = p.overlong || len(p.partial)+len(part) > p.max; p.overlong {
		p.partial = p.partial[:0]
		return
	}
	p.partial = append(p.partial, part...)
}

// line ends the line under way with its last part.
func (p *Parser) line(part []byte, deliver func(name, data []byte)) {
	line := part
	if len(p.partial) > 0 || p.overlong || len(part) > p.max {
		p.hold(part)
		line = p.partial
	}
	if p.overlong {
		p.skipped++
	} else if line = p.trimmed(line); len(line) > 0 {
		deliver(nil, line)
	}
	p.partial, p.overlong, p.begun = p.partial[:0], false, true
}

// trimmed is a line without the blanks around it, and without a byte order mark at the beginning of the stream.
func (p *Parser) trimmed(line []byte) []byte {
	if !p.begun {
		line = bytes.TrimPrefix(line, []byte("\xEF\xBB\xBF"))
	}
	return bytes.Trim(line, " \t\r\x1e") // RFC 7464 puts a record separator before every value
}
