// Package openai reads the wire format of OpenAI's chat completions, completions and embeddings, in all the dialects
// that gateways and other providers speak.
package openai

import (
	"github.com/farebox-go/farebox/internal/wire"
)

// Format implements [wire.Format]. The zero value is ready to use and safe for concurrent use.
type Format struct{}

var _ wire.Format = Format{}

// Name implements [wire.Format].
func (Format) Name() string { return "openai" }
