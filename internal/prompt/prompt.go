// Package prompt counts the input tokens of a request before it is sent, as the provider will count them: the text,
// and what the provider puts around it. Text is counted exactly where the vocabulary of the model is public, and scaled
// from the vocabulary of OpenAI's newer models where it is not. What is put around it is data, one row for each family
// of models, every row with its source. A [Learner] corrects both by what providers report.
package prompt

import (
	"errors"
	"math"
	"sync"
)

// Basis says what an estimate rests on.
type Basis uint8

const (
	// Estimated: a part is scaled from another vocabulary, or follows a rule that was fitted to reported numbers.
	Estimated Basis = iota
	// Exact: the model's own vocabulary, and rules that gave the reported number in most recorded calls.
	Exact
	// Bounded: a part has a known size only at its largest, such as an image behind a link, and is counted at that.
	Bounded
)

// String returns the basis in lower case.
func (b Basis) String() string {
	switch b {
	case Exact:
		return "exact"
	case Bounded:
		return "bounded"
	}
	return "estimated"
}

// Kind parts the requests for a model into those that a provider puts different things around.
type Kind uint8

// The kinds. A request with tools and media has media.
const (
	Plain Kind = iota // text alone
	Tools             // text, and tools that the model may call
	Media             // images, sounds, files
)

// kinds is how many there are.
const kinds = 3

// String returns the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Tools:
		return "tools"
	case Media:
		return "media"
	}
	return "plain"
}

// Estimate is how many input tokens a request has. The zero value says that nothing is known.
type Estimate struct {
	// Tokens is the likely number.
	Tokens int64
	// Most bounds what the provider will report, and is never below Tokens. Where no bound is known Bounded is false
	// and Most is 0: for a model that nobody has measured, and where the provider adds text of its own.
	Most    int64
	Bounded bool
	Basis   Basis
	// Band is the error to expect, in percent of what will be reported, either way: nine of ten chats that
	// the figures were read off, and 19 of 20 at OpenAI, lie within it. A host not met before may be further off.
	Band float64
	// Family names the row of the table that was used.
	Family string
	Kind   Kind
}

// ErrNotRequest says that a body is not a JSON object.
var ErrNotRequest = errors.New("prompt: the request body is not a JSON object")

// Count estimates the input tokens of a request from its body, which is in a form that [FormatOf] gives. The model is the one that will serve it, with or without its author ("openai/gpt-4o"). Where the endpoint is known its
// name goes in front ("venice/qwen3-5-9b"), since some add text of their own. An error says that the body is not
// JSON, or not an object; it never quotes the body.
//
// Time grows with the length of the body; memory does not, but for texts with escapes and without blanks. Count is safe for concurrent use.
func Count(format Format, model string, body []byte) (Estimate, error) {
	e, _, err := CountUpTo(format, model, body, math.MaxInt64)
	return e, err
}

// CountUpTo counts as [Count] does and stops soon after there are more tokens than limit. It says whether the request
// fits. Where it does not, Tokens is some number above limit, Most is not known, and the rest of the body may not have
// been looked at.
func CountUpTo(format Format, model string, body []byte, limit int64) (e Estimate, fits bool, err error) {
	f := familyOf(model)
	vocabulary, err := f.vocabulary()
	if err != nil {
		return Estimate{}, false, err
	}
	return count(f, vocabulary, format, body, limit)
}

// Vocabulary counts the tokens of a text, and may stop once there are more than limit. It must not keep the text.
type Vocabulary interface {
	CountUpTo(text string, limit int) (n int, fits bool)
}

// CountIn counts as [Count] does, but texts in a vocabulary that is known to be the model's own.
func CountIn(vocabulary Vocabulary, format Format, model string, body []byte) (Estimate, error) {
	f := *familyOf(model)
	f.ratio = perMille
	e, _, err := count(&f, vocabulary, format, body, math.MaxInt64)
	return e, err
}

func count(f *family, vocabulary Vocabulary, format Format, body []byte, limit int64) (e Estimate, fits bool, err error) {
	c, ok := counters.Get().(*counter)
	if !ok {
		c = new(counter)
	}
	defer c.release()
	if err := c.count(f, vocabulary, format, body, limit); err != nil {
		return Estimate{}, false, err
	}
	e = c.estimate()
	if c.tally.over() || e.Tokens > limit {
		e.Tokens = max(e.Tokens, limit+1)
		e.Most, e.Bounded = 0, false
		return e, false, nil
	}
	return e, true, nil
}

var counters sync.Pool // of *counter
