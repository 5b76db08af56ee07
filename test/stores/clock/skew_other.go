//go:build !linux || !amd64

package clock

import "time"

// Skewed says whether [Skew] does anything here.
const Skewed = false

// Skew does nothing here.
func Skew(time.Duration) {}
