//go:build race

package bpe

// raceEnabled tells that the race detector is on, under which a sync.Pool forgets at random.
const raceEnabled = true
