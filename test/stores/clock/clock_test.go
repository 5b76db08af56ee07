package clock_test

import (
	"testing"
	"time"

	"github.com/farebox-go/farebox/test/stores/clock"
)

// TestSkew: the time of day is off by what was asked for, the time that has passed is not.
func TestSkew(t *testing.T) {
	if !clock.Skewed {
		t.Log("clocks are as they are here")
		return
	}
	before := time.Now()
	clock.Skew(-7 * time.Minute)
	after := time.Now()
	defer clock.Skew(0)
	if passed := after.Sub(before); passed < 0 || passed > time.Minute {
		t.Errorf("%s have passed", passed)
	}
	if off := after.Round(0).Sub(before.Round(0)); off > -6*time.Minute || off < -8*time.Minute {
		t.Errorf("the clock is off by %s, want -7m", off)
	}
	select {
	case <-time.After(time.Millisecond):
	case <-time.After(time.Hour):
		t.Error("an hour has gone by")
	}
}
