package farebox

import (
	"math/rand/v2"
	"time"
)

// newID makes a ULID: 48 bits of milliseconds and 80 random ones in Crockford's base 32, so that ids sort by time.
// See github.com/ulid/spec.
func newID(now time.Time) string {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	var id [26]byte
	ms := uint64(now.UnixMilli())
	for i := 9; i >= 0; i-- {
		id[i] = alphabet[ms&31]
		ms >>= 5
	}
	for half := range 2 {
		bits := rand.Uint64()
		for i := range 8 {
			id[10+half*8+i] = alphabet[bits&31]
			bits >>= 5
		}
	}
	return string(id[:])
}
