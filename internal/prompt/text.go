package prompt

import (
	"math"

	"github.com/farebox-go/farebox/internal/bpe"
)

// Text counts the tokens of a text by itself. exact says that it was counted in the model's own vocabulary; otherwise
// it is scaled from another.
func Text(model, text string) (tokens int64, exact bool, encoding string, err error) {
	f := familyOf(model)
	vocabulary, err := f.vocabulary()
	if err != nil {
		return 0, false, "", err
	}
	return scaled(int64(vocabulary.Count(text)), f.ratio), f.own, f.encoding, nil
}

// TextUpTo counts as [Text] does, and stops soon after there are more tokens than limit. It says whether the text fits;
// where it does not, tokens is some number above limit.
func TextUpTo(model, text string, limit int64) (tokens int64, fits, exact bool, encoding string, err error) {
	f := familyOf(model)
	vocabulary, err := f.vocabulary()
	if err != nil {
		return 0, false, false, "", err
	}
	// No ratio is below 1, so that what is more than limit in the vocabulary is more for the model.
	n, within := vocabulary.CountUpTo(text, int(min(max(limit, 0), math.MaxInt-1)))
	tokens = scaled(int64(n), f.ratio)
	if fits = within && tokens <= limit; !fits {
		tokens = max(tokens, limit+1)
	}
	return tokens, fits, f.own, f.encoding, nil
}

// Truncate cuts a text to at most so many tokens of a model, at the end of a token and of a character.
func Truncate(model, text string, tokens int64) (string, error) {
	f := familyOf(model)
	vocabulary, err := f.vocabulary()
	if err != nil {
		return "", err
	}
	limit := min(max(tokens, 0), math.MaxInt64/perMille) // what follows must not overflow
	if f.ratio > perMille {                              // fewer of the vocabulary's tokens come to as many of the model's
		limit = limit * perMille / f.ratio
	}
	if limit >= int64(len(text)) {
		return text, nil // a token is at least a byte
	}
	return vocabulary.Truncate(text, int(limit)), nil
}

// TextCounter counts the tokens of a text that comes in pieces. It is not safe for concurrent use.
type TextCounter struct {
	family  *family
	counter *bpe.Counter
}

// NewTextCounter makes a TextCounter for a model.
func NewTextCounter(model string) (*TextCounter, error) {
	f := familyOf(model)
	vocabulary, err := f.vocabulary()
	if err != nil {
		return nil, err
	}
	return &TextCounter{family: f, counter: vocabulary.NewCounter()}, nil
}

// Write takes the next piece; it never fails.
func (c *TextCounter) Write(piece []byte) (int, error) { return c.counter.Write(piece) }

// Count counts what was written so far, as [Text] does.
func (c *TextCounter) Count() (tokens int64, exact bool, encoding string) {
	return scaled(int64(c.counter.Count()), c.family.ratio), c.family.own, c.family.encoding
}
