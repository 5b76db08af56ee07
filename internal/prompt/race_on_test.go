//go:build race

package prompt

// raceEnabled tells that the race detector is on, under which a sync.Pool drops things at random.
const raceEnabled = true
