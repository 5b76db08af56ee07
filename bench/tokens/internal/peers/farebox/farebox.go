// Package farebox gives farebox's counter, by its public function.
package farebox

import (
	"fmt"

	"github.com/farebox-go/farebox"
	"github.com/farebox-go/farebox/bench/tokens/internal/runner"
)

// models names a model of each encoding.
var models = map[string]string{"o200k_base": "gpt-4o", "cl100k_base": "gpt-4"}

// Open implements [runner.OpenFunc].
func Open(encoding string) (runner.Count, error) {
	model := models[encoding]
	if got := farebox.CountTokens(model, ""); got.Encoding != encoding || !got.Exact {
		return nil, fmt.Errorf("no model is known to count in %q", encoding)
	}
	return func(text string) int { return int(farebox.CountTokens(model, text).Tokens) }, nil
}
