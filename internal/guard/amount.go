package guard

import "math"

// MaxCap is the largest cap, in nano-dollars; caps above it are read as MaxCap.
//
// It stays one below the largest integer so that no sum that a cap admitted can equal pinned.
const MaxCap = math.MaxInt64 - 1

// pinned is what a sum becomes when it no longer fits. A pinned sum stays pinned until its window turns: what
// was cut off is not known, so nothing may be taken out again, and the counter refuses. It needs $9.2 billion.
const pinned = math.MaxInt64

// add returns a+b for amounts that are not negative, or pinned.
func add(a, b int64) int64 {
	if a > pinned-b {
		return pinned
	}
	return a + b
}

// sub takes b out of a sum that contains it.
func sub(a, b int64) int64 {
	if a == pinned {
		return pinned
	}
	return a - b
}
