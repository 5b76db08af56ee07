package anthropic

import (
	"fmt"
	"strconv"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
)

// LimitOutput implements [wire.OutputLimiter]. A limit that leaves nothing beside the budget for thinking is an error: such
// a request is refused (platform.claude.com/docs/en/build-with-claude/extended-thinking, 2026-11).
func (Format) LimitOutput(of *wire.Request, body []byte, limit int64, _ bool) ([]byte, error) {
	if of.Operation != wire.Chat {
		return nil, fmt.Errorf("anthropic: a request for %s has no output limit", of.Operation)
	}
	if thinking, err := jsonwalk.Int(jsonwalk.Find(body, "thinking", "budget_tokens")); err == nil && thinking >= limit {
		return nil, fmt.Errorf("anthropic: an output limit of %d is within the budget for thinking, %d", limit, thinking)
	}
	return jsonwalk.Set(body, strconv.FormatInt(limit, 10), "max_tokens")
}
