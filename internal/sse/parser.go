package sse

// Parser finds the events in a stream that is pushed through it. It is not safe for concurrent use.
type Parser struct {
	decoder decoder
	skipped int
}

// NewParser returns a Parser that delivers events of at most maxEvent bytes; 0 stands for [DefaultMaxEvent].
func NewParser(maxEvent int) *Parser { return &Parser{decoder: newDecoder(maxEvent)} }

// Write takes the next piece of the stream and calls deliver for every event that ends in it. The name and the data
// are valid during the call only; an event that lies inside one piece is not copied.
func (p *Parser) Write(piece []byte, deliver func(name, data []byte)) {
	for len(piece) > 0 {
		n, what := p.decoder.feed(piece)
		if what == blankLine {
			p.deliver(deliver)
		}
		piece = piece[n:]
	}
	p.decoder.keep()
}

// Close says that the stream has ended: an event that lacks its blank line is delivered now.
func (p *Parser) Close(deliver func(name, data []byte)) {
	p.decoder.finish()
	p.deliver(deliver)
}

// Skipped is the number of events that were not delivered because they were too large.
func (p *Parser) Skipped() int { return p.skipped }

func (p *Parser) deliver(deliver func(name, data []byte)) {
	if p.decoder.overlong {
		p.skipped++
	}
	if name, data, ok := p.decoder.event(); ok {
		deliver(name, data)
	}
	p.decoder.reset()
}
