package responses

import (
	"fmt"
	"strconv"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
)

// LimitOutput implements [wire.OutputLimiter].
func (Format) LimitOutput(of *wire.Request, body []byte, limit int64, _ bool) ([]byte, error) {
	if of.Operation != wire.Chat {
		return nil, fmt.Errorf("responses: a request for %s has no output limit", of.Operation)
	}
	return jsonwalk.Set(body, strconv.FormatInt(limit, 10), "max_output_tokens")
}
