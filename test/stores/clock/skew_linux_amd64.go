package clock

import "time"

// Skewed says whether [Skew] does anything here.
const Skewed = true

var seconds int64

// install makes the runtime read the clock by read, which is in assembly.
func install()

// Skew sets the wall clock ahead by whole seconds; below zero: behind. Call it once, before anything depends on the clock.
func Skew(ahead time.Duration) {
	seconds = int64(ahead / time.Second)
	install()
}
