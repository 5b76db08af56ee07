package bedrock

import (
	"fmt"
	"strconv"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
)

// makersLimits are the places of an output limit in the bodies of the makers: the first that a request has counts.
var makersLimits = [...][]string{
	{"inferenceConfig", "max_new_tokens"}, {"inferenceConfig", "maxTokens"}, {"textGenerationConfig", "maxTokenCount"},
	{"max_gen_len"}, {"max_tokens_to_sample"}, {"max_completion_tokens"}, {"max_tokens"}, {"maxTokens"},
}

// LimitOutput implements [wire.OutputLimiter]. What is invoked has to have a limit already: where it would stand is known to
// its maker alone. A limit below what the model is told to think for would be refused.
func (Format) LimitOutput(of *wire.Request, body []byte, limit int64, _ bool) ([]byte, error) {
	text := strconv.FormatInt(limit, 10)
	for _, thinking := range [...][]string{{"additionalModelRequestFields", "thinking", "budget_tokens"}, {"thinking", "budget_tokens"}} {
		if budget, err := jsonwalk.Int(jsonwalk.Find(body, thinking...)); err == nil && limit <= budget {
			return nil, fmt.Errorf("bedrock: an output limit of %d leaves nothing beside %d tokens of thinking", limit, budget)
		}
	}
	switch of.Operation {
	case wire.Chat:
		return jsonwalk.Set(body, text, "inferenceConfig", "maxTokens")
	case wire.GenerateContent:
		for _, place := range makersLimits {
			if jsonwalk.Find(body, place...) != nil {
				return jsonwalk.Set(body, text, place...)
			}
		}
		return nil, fmt.Errorf("bedrock: a request without an output limit for a model that is invoked")
	}
	return nil, fmt.Errorf("bedrock: a request for %s has no output limit", of.Operation)
}
