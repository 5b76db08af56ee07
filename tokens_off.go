//go:build farebox_nocount

package farebox

import "github.com/farebox-go/farebox/internal/wire"

// Without the vocabularies requests are bounded by their bytes alone.

type inputCount struct{}

type tokenLearner struct{}

type tokenConfig struct{}

func (*tokenLearner) configure(*tokenConfig) error { return nil }

func (*extent) count(*tokenLearner, *endpoint, string, wire.Operation, *payload) {}

func (*attempt) learn(*wire.Answer) {}
