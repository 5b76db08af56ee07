package audio

import (
	"math/big"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// maxSeconds bounds what is believed of a duration: a year.
const maxSeconds = 366 * 24 * 3600

// milliseconds reads a duration in seconds, rounded up to milliseconds.
func milliseconds(r *jsonwalk.Reader) (ms int64, ok bool) {
	raw := r.Raw()
	if len(raw) == 0 || len(raw) > 64 || !jsonwalk.IsNumber(raw) || raw[0] == '-' {
		return 0, false
	}
	if whole, err := jsonwalk.Int(raw); err != nil && err != jsonwalk.ErrFraction || whole > maxSeconds {
		return 0, false
	}
	exact, ok := new(big.Rat).SetString(string(raw))
	if !ok {
		return 0, false
	}
	exact.Mul(exact, big.NewRat(1000, 1))
	ms = new(big.Int).Quo(exact.Num(), exact.Denom()).Int64()
	if !exact.IsInt() {
		ms++
	}
	return ms, true
}
