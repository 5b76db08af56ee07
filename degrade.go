package farebox

import (
	"context"
	"errors"
)

// Ladder says which candidate to try where one does not fit a budget that degrades; see [Degrade]. Implementations must be
// safe for concurrent use.
type Ladder interface {
	// Next returns the next cheaper candidate after one; ok is false where there is none. The endpoint of a candidate that
	// it is asked about is always named.
	Next(after Candidate) (next Candidate, ok bool)
}

// WithLadder gives a Client the candidates that it degrades to. Each is priced and held by itself, and those that do not
// fit are passed over. The receipt of one that serves names the model asked of it, with the edit "model".
func WithLadder(ladder Ladder) Option {
	return clientOption(func(c *clientConfig) error {
		if ladder == nil {
			return errors.New("WithLadder: the ladder is nil")
		}
		c.ladder = ladder
		return nil
	})
}

// Cheaper is a ladder of candidates, the dearest first. A candidate that stands on it leads to the one after it; one that
// does not, nowhere.
func Cheaper(candidates ...Candidate) Ladder { return cheaper(candidates) }

type cheaper []Candidate

func (c cheaper) Next(after Candidate) (Candidate, bool) {
	for i, rung := range c[:max(len(c)-1, 0)] {
		if rung.Model == after.Model && (rung.Endpoint == "" || rung.Endpoint == after.Endpoint) {
			return c[i+1], true
		}
	}
	return Candidate{}, false
}

// maxRungs bounds the way down a ladder that may lead in a circle.
const maxRungs = 32

// tryDown tries a candidate and, where it does not fit, those below it.
func (c *Client) tryDown(ctx context.Context, this *call, first resolvedCandidate, body []byte, read answerReader) error {
	candidate := first
	for range maxRungs {
		err := c.try(ctx, this, candidate, candidate != first, body, read)
		if err == nil || c.ladder == nil {
			return err
		}
		var refused *BudgetError
		if !errors.As(err, &refused) || refused.whenFull != Degrade {
			return err
		}
		next, ok := c.ladder.Next(Candidate{Endpoint: candidate.endpoint.name, Model: candidate.model})
		if !ok {
			return err
		}
		if candidate, err = c.resolveCandidate(next, first.endpoint); err != nil {
			return err
		}
	}
	return badRequest("the ladder of WithLadder has no end")
}
