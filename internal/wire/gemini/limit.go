package gemini

import (
	"fmt"
	"strconv"

	"github.com/farebox-go/farebox/internal/jsonwalk"
	"github.com/farebox-go/farebox/internal/wire"
)

// LimitOutput implements [wire.OutputLimiter]. Google takes names in both spellings; those that a request uses are kept.
func (Format) LimitOutput(of *wire.Request, body []byte, limit int64, _ bool) ([]byte, error) {
	config, name := "generationConfig", "maxOutputTokens"
	switch of.Operation {
	case wire.GenerateContent:
	case wire.Chat: // an interaction, whose names have one spelling
		config, name = "generation_config", "max_output_tokens"
	default:
		return nil, fmt.Errorf("gemini: a request for %s has no output limit", of.Operation)
	}
	if jsonwalk.Find(body, "generation_config") != nil {
		config = "generation_config"
	}
	if jsonwalk.Find(body, config, "max_output_tokens") != nil {
		name = "max_output_tokens"
	}
	return jsonwalk.Set(body, strconv.FormatInt(limit, 10), config, name)
}
