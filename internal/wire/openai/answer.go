package openai

import (
	"bytes"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// usagePlace is where a usage object stood. A later one counts unless an earlier one stood in a better place.
type usagePlace uint8

const (
	nowhere  usagePlace = iota
	inChoice            // choices[0].usage: Moonshot
	inGroq              // x_groq.usage: Groq, where nobody asked for usage
	atTheTop            // usage
)

// answer gathers what an answer says, for bodies and streams alike.
type answer struct {
	wire.Answer
	place   usagePlace // of the usage that counts so far
	topTier bool       // ServiceTier was stated by the answer itself, not by its usage
	count   textCount
	scratch []byte
}

// setText sets dst to the text of a string, given as it is written between its quotes. Empty strings change nothing.
func (a *answer) setText(dst *string, raw []byte, escaped bool) {
	if escaped {
		a.scratch = jsonwalk.AppendDecoded(a.scratch[:0], raw)
		raw = a.scratch
	}
	if len(raw) > 0 && *dst != string(raw) {
		*dst = text(raw)
	}
}

// text is raw as a string, without an allocation for what almost every answer says.
func text(raw []byte) string {
	switch string(raw) {
	case "stop":
		return "stop"
	case "length":
		return "length"
	case "tool_calls":
		return "tool_calls"
	case "default":
		return "default"
	}
	return string(raw)
}

// usage takes a usage object. The last one counts: where there are several they are running totals.
func (a *answer) usage(raw []byte, place usagePlace) {
	if place < a.place || place == a.place && bytes.Equal(raw, a.RawUsage) {
		return
	}
	read, ok := usage.Read(raw)
	if !ok {
		return
	}
	a.place = place
	read.Tell(&a.Answer)
	if tier := read.ServiceTier(); !a.topTier && tier != "" {
		a.ServiceTier = tier
	}
}

// fail takes an error inside the answer. The first one counts.
func (a *answer) fail(e wire.Error) {
	if a.Err == nil {
		a.Err = &e
	}
}

// textCount is a number of bytes of generated text.
type textCount struct {
	text      int64 // what is stated once
	reasoning int64 // reasoning; gateways state it under two names at once
	alternate int64 // the same under the other name
}

// add counts text that was seen.
func (a *answer) add(n textCount) {
	a.count.text += n.text
	a.count.reasoning += n.reasoning
	a.count.alternate += n.alternate
	a.TextBytes = a.count.text + max(a.count.reasoning, a.count.alternate)
}
