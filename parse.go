package farebox

import (
	"errors"

	"github.com/farebox-go/farebox/internal/wire"
	"github.com/farebox-go/farebox/internal/wire/dialect"
)

// Parsed is what a usage object, or the answer around it, says by itself.
type Parsed struct {
	// Served is what was consumed and, where it is stated, by what: the model, the service tier, the region, the mode and
	// the provider behind a gateway. Provider and At are left to the caller.
	Served
	// Contradictory says that the usage contradicts itself; Served.Usage is then the nearest reading that is never negative.
	Contradictory bool
	// Reported is the cost that is stated; nil: none is.
	Reported *ReportedCost
}

// ParseUsage reads a usage object as an API wrote it, or a whole answer that holds one, and brings it into disjoint
// quantities. The API is told by the fields that are there, and need not be known: OpenAI's chat, responses, realtime and
// transcriptions and all that follow them (OpenRouter, DeepSeek, xAI, Mistral, Groq, Together, Perplexity, LiteLLM,
// Moonshot, Voyage …), Anthropic's messages, Gemini's generateContent and interactions, Bedrock's converse and Cohere's
// billed units. What it counts as input, cached or not, and whether reasoning is in the output, follows from that, and
// where it does not, from the total.
//
// An error means that raw is no JSON object or counts nothing. Safe for concurrent use.
func ParseUsage(raw []byte) (Parsed, error) {
	answer, ok := dialect.Read(raw)
	if !ok {
		return Parsed{}, errors.New(`farebox: no usage: want a JSON object with token counts, such as {"prompt_tokens":10,"completion_tokens":5}, or an answer with one`)
	}
	parsed := Parsed{
		Served: Served{
			Model: answer.Model, ServiceTier: answer.ServiceTier, Region: answer.Region, Speed: answer.Speed, Upstream: answer.Provider,
			Usage: usageOf(&answer.Usage), Iterations: iterationsOf(answer.Iterations),
		},
		Contradictory: answer.Contradictory,
	}
	parsed.Reported, _ = reportedOf(answer)
	return parsed, nil
}

// reportedOf is the cost that an answer states; false if there is none that can be read.
func reportedOf(answer *wire.Answer) (*ReportedCost, bool) {
	charge, ok := moneyOf(answer.Reported)
	if !ok {
		return nil, false
	}
	reported := &ReportedCost{Charge: charge, Literal: answer.Reported.Literal, Field: answer.Reported.Field, BYOK: answer.BYOK}
	if upstream, ok := moneyOf(answer.Upstream); ok && answer.BYOK {
		reported.Upstream, reported.UpstreamLiteral = upstream, answer.Upstream.Literal
	}
	return reported, true
}
