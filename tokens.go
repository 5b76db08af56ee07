//go:build !farebox_nocount

package farebox

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/farebox-go/farebox/internal/prompt"
	"github.com/farebox-go/farebox/internal/wire"
)

// TokenCount is how many tokens a text has. The zero value is that of no text.
type TokenCount struct {
	Tokens int64 `json:"tokens"`
	// Exact says that the text was counted in the model's own vocabulary. Otherwise that is not public, and the count is
	// scaled from another.
	Exact bool `json:"exact"`
	// Encoding is the vocabulary that was counted in: "o200k_base".
	Encoding string `json:"encoding"`
}

// CountTokens counts the tokens of a text by itself, for a model by its provider's name or OpenRouter's. Special tokens
// in the text are counted as the ordinary text that they are to a provider. The vocabularies are part of the program
// and loaded on first use; the build tag farebox_nocount leaves them, and this function, out. Safe for concurrent use.
func CountTokens(model, text string) TokenCount {
	tokens, exact, encoding, err := prompt.Text(model, text)
	if err != nil { // the program's own copy of the vocabulary is damaged: a token is at least a byte
		return TokenCount{Tokens: int64(len(text))}
	}
	return TokenCount{Tokens: tokens, Exact: exact, Encoding: encoding}
}

// CountTokensUpTo counts as [CountTokens] does, but stops soon after there are more than limit, so that a long text is as
// quickly refused as a short one is let through. fits says whether the text has no more tokens than limit; where it has
// more, the count is some number above limit. Safe for concurrent use. The build tag farebox_nocount leaves it out.
func CountTokensUpTo(model, text string, limit int64) (count TokenCount, fits bool) {
	tokens, fits, exact, encoding, err := prompt.TextUpTo(model, text, limit)
	if err != nil {
		tokens, fits = int64(len(text)), int64(len(text)) <= limit
	}
	return TokenCount{Tokens: tokens, Exact: exact, Encoding: encoding}, fits
}

// Truncate cuts a text to at most so many tokens of a model, at the end of a token and of a character; to none where
// tokens is 0 or less. For a model whose vocabulary is not public the cut is as near as [CountTokens] is. Safe for
// concurrent use. The build tag farebox_nocount leaves it out.
func Truncate(model, text string, tokens int64) string {
	cut, err := prompt.Truncate(model, text, tokens)
	if err != nil {
		return text[:min(int64(len(text)), max(tokens, 0))]
	}
	return cut
}

// TokenCounter counts the tokens of a text that comes in pieces, such as a file or an answer, in memory that does not
// grow with it. The count equals that of the whole text by [CountTokens], once the whole text has been written.
// It is not safe for concurrent use. Make one with [NewTokenCounter]; the zero value is not usable.
type TokenCounter struct{ counter *prompt.TextCounter }

// NewTokenCounter makes a TokenCounter for a model. Its error means that the program's own copy of a vocabulary is
// damaged.
func NewTokenCounter(model string) (*TokenCounter, error) {
	counter, err := prompt.NewTextCounter(model)
	if err != nil {
		return nil, fmt.Errorf("farebox: %w", err)
	}
	return &TokenCounter{counter: counter}, nil
}

// Write takes the next piece; it never fails. Pieces may end within a character.
func (c *TokenCounter) Write(piece []byte) (int, error) { return c.counter.Write(piece) }

// Count is the count of what was written so far.
func (c *TokenCounter) Count() TokenCount {
	tokens, exact, encoding := c.counter.Count()
	return TokenCount{Tokens: tokens, Exact: exact, Encoding: encoding}
}

// LearnedTokens is what the Meter has learned of how providers count tokens, as JSON to keep for [WithLearnedTokens].
// It holds names of models and numbers, and nothing of prompts. The build tag farebox_nocount leaves both out.
func (m *Meter) LearnedTokens() ([]byte, error) { return json.Marshal(&m.tokens.Learner) }

// WithLearnedTokens starts from what another Meter has learned of how providers count tokens: the JSON of
// [Meter.LearnedTokens].
func WithLearnedTokens(learned []byte) MeterOption {
	return meterOption(func(c *meterConfig) error {
		if !json.Valid(learned) {
			return errors.New("WithLearnedTokens: not the JSON of LearnedTokens")
		}
		c.tokens.learned = learned
		return nil
	})
}

// Tokenizer counts in a vocabulary of your own; *tiktoken.Tiktoken of github.com/pkoukk/tiktoken-go is one. It must be
// safe for concurrent use. Its time counts towards the call's: tiktoken-go's grows with the square of a long run of one
// letter.
type Tokenizer interface {
	// EncodeOrdinary returns the tokens of a text in which no special token is honoured.
	EncodeOrdinary(text string) []int
}

// WithTokenizer counts the texts of a model's requests with a tokenizer of your own, in quotes and before a hold.
func WithTokenizer(model string, tokenizer Tokenizer) MeterOption {
	return meterOption(func(c *meterConfig) error {
		if model == "" || tokenizer == nil {
			return errors.New("WithTokenizer: the model is empty, or the tokenizer nil")
		}
		c.tokens.give(model, tokenizer)
		return nil
	})
}

// vocabulary is a Tokenizer as requests are counted in it.
type vocabulary struct{ Tokenizer }

// CountUpTo hands the tokenizer a text that it may keep.
func (v vocabulary) CountUpTo(text string, limit int) (n int, fits bool) {
	n = len(v.EncodeOrdinary(strings.Clone(text)))
	return n, n <= limit
}

// tokenConfig is what options say of counting.
type tokenConfig struct {
	learned    []byte
	tokenizers map[string]vocabulary
}

func (c *tokenConfig) give(model string, tokenizer Tokenizer) {
	if c.tokenizers == nil {
		c.tokenizers = make(map[string]vocabulary)
	}
	c.tokenizers[model] = vocabulary{tokenizer}
}

// inputCount is a count of a request's input tokens, with what it takes to learn from it.
type inputCount struct {
	model    string
	estimate prompt.Estimate // before it was corrected
}

// tokenLearner counts, and corrects counts by what providers report, from the first count on.
type tokenLearner struct {
	prompt.Learner
	tokenizers map[string]vocabulary

	counting atomic.Bool  // something was counted: the vocabularies are loaded, and counts matter here
	receipts atomic.Int64 // that came since and were not counted before their call
}

func (l *tokenLearner) configure(c *tokenConfig) error {
	l.tokenizers = c.tokenizers
	if c.learned == nil {
		return nil
	}
	if err := json.Unmarshal(c.learned, &l.Learner); err != nil {
		return fmt.Errorf("WithLearnedTokens: %w", err)
	}
	return nil
}

// errNotCounted says that requests of a kind are not read; they are bounded by their bytes.
var errNotCounted = errors.New("farebox: tokens of requests in this wire format are not counted")

// estimate counts a request, before what was learned corrects it.
func (l *tokenLearner) estimate(key, model string, op wire.Operation, p *payload) (prompt.Estimate, error) {
	format, ok := prompt.FormatOf(p.format.Name(), string(op))
	if !ok {
		return prompt.Estimate{}, errNotCounted
	}
	if own, ok := l.tokenizers[model]; ok {
		return prompt.CountIn(own, format, key, p.body)
	}
	return prompt.Count(format, key, p.body)
}

// Where a call was not counted before it was sent, its receipt is learned from if it is one of the first, and then one in
// so many.
const (
	firstLessons = 256
	lessonEvery  = 16
)

func (l *tokenLearner) wants() bool {
	if !l.counting.Load() {
		return false
	}
	n := l.receipts.Add(1)
	return n <= firstLessons || n%lessonEvery == 0
}

// unboundedShare is what is held for each token counted, in quarters, where a provider may add text of its own that
// nobody has measured: the count follows it once receipts have shown it.
const unboundedShare = 5

// count replaces the bounds by bytes with a count of the request's tokens.
func (e *extent) count(l *tokenLearner, ep *endpoint, model string, op wire.Operation, p *payload) {
	key := countKey(ep, model)
	counted, err := l.estimate(key, model, op, p)
	if err != nil {
		return // not read in this form, or not JSON: the provider will say so
	}
	l.counting.Store(true)
	adjusted := l.Adjust(key, counted)
	e.counted = inputCount{model: key, estimate: counted}
	e.inputs, e.basis = adjusted.Tokens, adjusted.Basis.String()
	if adjusted.Bounded {
		e.mostInputs = min(e.mostInputs, saturatingAdd(adjusted.Most, e.toolInputs))
	} else {
		share := adjusted.Tokens * unboundedShare / 4
		e.assumed = e.assumed || share > e.mostInputs
		e.mostInputs = max(e.mostInputs, share)
	}
}

// countKey names a model for counting: some endpoints add text of their own.
func countKey(ep *endpoint, model string) string {
	return cmp.Or(ep.provider.id, ep.name) + "/" + model
}

// learn takes note of what the provider counted, where the model that was asked for is the one that served.
func (a *attempt) learn(answer *wire.Answer) {
	if answer.Contradictory || a.request.WebSearch || len(a.request.Models) > 0 {
		return
	}
	counted, tokens := a.quoted.extent.counted, &a.meter.tokens
	if counted.model == "" {
		if !tokens.wants() {
			return
		}
		counted.model = countKey(a.ep, a.request.Model)
		var err error
		if counted.estimate, err = tokens.estimate(counted.model, a.request.Model, a.request.Operation, &payload{format: a.format, body: a.body}); err != nil {
			return
		}
	}
	tokens.Observe(counted.model, counted.estimate, answer.Usage.InputTokens())
}
