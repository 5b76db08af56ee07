package cohere

import (
	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/usage"
)

// Counts is a usage as Cohere states it. What is billed is not what was processed: a prompt that Cohere puts around the
// caller's is processed and not billed, cached tokens are processed for less and billed in full (recorded traffic of 2026:
// 13 of 542 tokens; 265 billed where 480 were cached).
type Counts struct {
	billed, tokens units
	impossible     bool
}

type units struct{ input, output, image, images, reasoning, search, classifications int64 }

// ReadUsage reads the object that holds billed_units: usage, or meta. ok is false where it counts nothing.
func ReadUsage(raw []byte) (c Counts, ok bool) {
	r := jsonwalk.NewReader(raw)
	if !r.Object() {
		return c, false
	}
	billed := false
	for r.Member() {
		switch string(r.Key()) {
		case "billed_units":
			billed = c.units(&r, &c.billed)
		case "tokens":
			ok = c.units(&r, &c.tokens) || ok
		}
	}
	if !billed {
		c.billed = c.tokens
	}
	return c, r.Err() == nil && (ok || billed)
}

// units reads counts and says whether there was one.
func (c *Counts) units(r *jsonwalk.Reader, u *units) (any bool) {
	if !r.Object() {
		return false
	}
	for r.Member() {
		var into *int64
		switch string(r.Key()) {
		case "input_tokens":
			into = &u.input
		case "output_tokens":
			into = &u.output
		case "image_tokens":
			into = &u.image
		case "images":
			into = &u.images
		case "reasoning_tokens":
			into = &u.reasoning
		case "search_units":
			into = &u.search
		case "classifications":
			into = &u.classifications
		default:
			continue
		}
		n, stated, impossible := usage.Count(r)
		c.impossible = c.impossible || impossible
		if stated {
			*into, any = n, true
		}
	}
	return any
}

// UnitEmbeddedImage is an image that was embedded, where tokens are not counted.
const UnitEmbeddedImage = wire.UnitImage + "/embedded"

// Usage is what is billed, in disjoint kinds. A chat's image tokens are inside the input that is billed, an embedding's
// beside it.
func (c *Counts) Usage() (u wire.Usage, contradictory bool) {
	u.ImageInput = min(c.tokens.image, c.billed.input)
	u.Input = c.billed.input - u.ImageInput
	if c.billed != c.tokens {
		u.ImageInput += c.billed.image
	}
	u.Reasoning = min(c.tokens.reasoning, c.billed.output)
	u.Output = c.billed.output - u.Reasoning
	u.Requests = 1
	for name, n := range map[string]int64{wire.UnitSearchUnit: c.billed.search, UnitEmbeddedImage: c.billed.images, "classification": c.billed.classifications} {
		if n > 0 {
			if u.Units == nil {
				u.Units = map[string]int64{}
			}
			u.Units[name] = n
		}
	}
	return u, c.impossible
}
