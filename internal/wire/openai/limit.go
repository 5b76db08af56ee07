package openai

import (
	"fmt"
	"strconv"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
)

// LimitOutput implements [wire.OutputLimiter]. A limit that a request has is replaced, under whichever name it stands;
// otherwise one is added.
func (Format) LimitOutput(of *wire.Request, body []byte, limit int64, newest bool) ([]byte, error) {
	if of.Operation != wire.Chat && of.Operation != wire.TextCompletion {
		return nil, fmt.Errorf("openai: a request for %s has no output limit", of.Operation)
	}
	value := strconv.FormatInt(limit, 10)
	limited := false
	for _, name := range [...]string{"max_tokens", "max_completion_tokens"} {
		if jsonwalk.Find(body, name) == nil {
			continue
		}
		var err error
		if body, err = jsonwalk.Set(body, value, name); err != nil {
			return nil, err
		}
		limited = true
	}
	switch {
	case limited:
		return body, nil
	case newest && of.Operation == wire.Chat:
		return jsonwalk.Set(body, value, "max_completion_tokens")
	}
	return jsonwalk.Set(body, value, "max_tokens")
}
