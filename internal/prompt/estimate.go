package prompt

// estimate puts together what was found and what the family adds.
func (c *counter) estimate() Estimate {
	f := c.family
	e := Estimate{Family: f.name, Kind: c.kind(), Basis: c.basis(), Band: f.band}
	if e.Kind != Plain {
		e.Band = f.toolBand
	}
	if e.Kind == Media {
		e.Band = max(e.Band, mediaBand)
	}
	if c.resolution != unspecified {
		c.size += c.flat * f.image.differs(c.resolution)
	}
	e.Tokens = scaled(c.plain, f.ratio) + c.given + c.size + c.sealed/sealedInToken
	around, most := int64(0), int64(0)
	if c.messages+c.tools+c.schemas > 0 {
		around, most = c.around(), c.mostAround()
	}
	e.Tokens = max(e.Tokens+around, 0)
	if c.unbounded || !c.bounded() {
		return e
	}
	text := c.tally.bytes + unheardOfInput*c.inputs
	if f.own {
		text = c.tally.tokens + c.tally.tokens/spare
	}
	e.Bounded = true
	e.Most = max(text+c.given+c.mostSize+c.unheard+most, e.Tokens)
	return e
}

// spare is the part of the text that a bound leaves room for where the vocabulary is known: letters newer than it.
const spare = 64

// What providers may add to any request, in a bound: half as much again as was seen. Those of models with open weights
// each have a template of their own.
const (
	unheardOf          = 128
	unheardOfOpenAI    = 32
	unheardOfResponses = 96
	unheardOfInput     = 8 // around an input that is no message
)

func scaled(n, ratio int64) int64 { return (n*ratio + perMille/2) / perMille }

func (c *counter) kind() Kind {
	switch {
	case c.media > 0:
		return Media
	case c.tools > 0:
		return Tools
	}
	return Plain
}

func (c *counter) basis() Basis {
	switch {
	case c.unsized:
		return Bounded
	case c.family.own && c.media == 0 && c.sealed == 0 && !c.unbounded:
		return Exact
	}
	return Estimated
}

// frame is what the API puts around texts.
func (c *counter) frame() *around {
	if c.family.native != nil && (c.format == Responses || c.format == Anthropic) {
		return c.family.native
	}
	return &c.family.around
}

// around is the likely number of tokens besides those of texts.
func (c *counter) around() int64 {
	f := c.frame()
	n := f.priming + f.message*c.messages + f.replay*c.replays + c.names +
		f.call*c.calls + f.parallel*c.parallel + scaled(c.callNames, f.callName)
	if c.system {
		n += f.system
	}
	if c.thinking {
		n += f.thinking
	}
	if c.schemas > 0 {
		n += f.schema + scaled(c.schema, perMille)
	}
	return n + c.aroundTools()
}

// aroundTools is the likely number of tokens of the tools, their text included. Most leave them out where none may be
// called; OpenAI and Anthropic do not.
func (c *counter) aroundTools() int64 {
	f := c.frame()
	if c.tools == 0 || c.barred && !c.family.typescript && c.format != Anthropic {
		return 0
	}
	n := f.tools + f.tool*c.tools + f.shaped*c.shaped + scaled(c.toolText, f.toolText)
	if c.system {
		n += f.toolSystem
	}
	if c.thinking {
		n += f.toolThinking
	}
	return max(n, 0)
}

// mostAround bounds what is put around texts: for every figure of the table about twice as much and something more,
// which no recorded call came near.
func (c *counter) mostAround() int64 {
	f := c.frame()
	n := 2*f.priming + unheardOf + (f.message+8)*c.messages + f.replay*c.replays + 8*c.names +
		2*(f.call+8)*c.calls + 2*f.parallel*c.parallel + 2*c.callNames + 2*f.thinking + 2*f.toolThinking
	switch {
	case c.format == Responses:
		n -= unheardOf - unheardOfResponses
	case c.family.own:
		n -= unheardOf - unheardOfOpenAI
	}
	if c.schemas > 0 {
		n += 2*f.schema + 2*c.schema + 64
	}
	if c.tools > 0 {
		n += 2*f.tools + 256 + (2*max(f.tool, 0)+16)*c.tools + c.toolText + c.toolBytes/2
	}
	return n
}

// bounded says whether a bound is claimed for requests of this kind.
func (c *counter) bounded() bool {
	if c.tools > 0 || c.schemas > 0 {
		return c.family.boundsTools
	}
	return c.family.boundsText
}
