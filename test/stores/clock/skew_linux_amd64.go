package clock

import "time"

// Skewed says whether [Skew] does anything here.
const Skewed = true

// install makes the runtime read the clock by read, which is in assembly, so many seconds ahead.
func install(seconds int64)

// Skew sets the wall clock ahead by whole seconds; below zero: behind. Call it once, before anything depends on the clock.
func Skew(ahead time.Duration) {
	install(int64(ahead / time.Second))
}
