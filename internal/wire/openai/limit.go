package openai

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
)

// LimitOutput implements [wire.OutputLimiter]. Where a request has a limit, that is replaced, under whichever name it
// stands; otherwise it is added. Every other byte stays as it was; the edit is made in a copy.
func (Format) LimitOutput(of *wire.Request, body []byte, limit int64, newest bool) ([]byte, error) {
	if of.Operation != wire.Chat && of.Operation != wire.TextCompletion {
		return nil, fmt.Errorf("openai: a request for %s has no output limit", of.Operation)
	}
	r := jsonwalk.NewReader(body)
	if !r.Object() {
		return nil, errors.New("openai: the request body is not a JSON object")
	}
	var limits []span
	var last span
	for r.Member() {
		key := string(r.Key())
		last = valueSpan(&r)
		if key == "max_tokens" || key == "max_completion_tokens" {
			limits = append(limits, last)
		}
	}
	r.End()
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("openai: request body: %w", err)
	}
	if last == (span{}) {
		return nil, errors.New("openai: the request body is an empty object")
	}
	value := strconv.FormatInt(limit, 10)
	if len(limits) == 0 {
		name := "max_tokens"
		if newest && of.Operation == wire.Chat {
			name = "max_completion_tokens"
		}
		return splice(body, span{last.to, last.to}, `,"`+name+`":`+value), nil
	}
	for i := len(limits) - 1; i >= 0; i-- { // from the back, so that what comes before stays where it is
		body = splice(body, limits[i], value)
	}
	return body, nil
}
