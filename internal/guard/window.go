package guard

import (
	"errors"
	"time"
)

// ErrWindow is returned for a [Window] that cannot be kept: an unknown kind, or a field out of its range.
var ErrWindow = errors.New("guard: window out of range")

// Kind says how a window of spending is cut out of time.
type Kind uint8

// The kinds of window.
const (
	None    Kind = iota // one window that never ends: a total, a prepaid amount
	PerCall             // every hold is measured by itself and nothing is remembered
	Rolling             // the time just gone by, of a given length
	Hour                // the hour of a wall clock
	Day                 // the day of a calendar, midnight to midnight
	Week                // seven days, from a given weekday
	Month               // from a given day of one month to the same day of the next
)

const (
	defaultBuckets = 60
	maxBuckets     = 4096
	maxLength      = 10 * 365 * 24 * time.Hour
)

// A Window is the stretch of time over which a cap counts. The zero value is a window without end.
//
// Fixed windows (Hour to Month) are half open, and as fixed windows do they allow a full cap on each side of a
// boundary. A Rolling window never admits more than its cap in any interval of its length: it counts whole
// buckets, the oldest in full, and so gives up at most one part in Buckets of its capacity.
type Window struct {
	Kind     Kind
	Length   time.Duration  // Rolling: how long; up to ten years
	Buckets  int            // Rolling: how finely it is counted, 1 to 4096; 0 means 60
	Weekday  time.Weekday   // Week: the day that it starts on
	Anchor   int            // Month: the day that it starts on, 1 to 31, the last day in a shorter month; 0 means 1
	Location *time.Location // Hour to Month: whose wall clock; nil means UTC
}

// Validate returns [ErrWindow] if the window cannot be kept.
func (w Window) Validate() error {
	ok := true
	switch w.Kind {
	case None, PerCall, Hour, Day:
	case Rolling:
		ok = w.Length > 0 && w.Length <= maxLength && w.Buckets >= 0 && w.Buckets <= maxBuckets
	case Week:
		ok = w.Weekday >= time.Sunday && w.Weekday <= time.Saturday
	case Month:
		ok = w.Anchor >= 0 && w.Anchor <= 31
	default:
		ok = false
	}
	if !ok {
		return ErrWindow
	}
	return nil
}

// Start returns the instant from which spending counts at t: for a fixed window the start of the window that t
// is in, for a rolling one the start of the oldest bucket. It is zero for None, PerCall and an invalid window.
func (w Window) Start(t time.Time) time.Time {
	start, _ := w.bounds(t)
	return start
}

// End returns the instant at which spending made at t stops counting: for a fixed window the start of the next
// one. It is zero for None, PerCall and an invalid window.
func (w Window) End(t time.Time) time.Time {
	_, end := w.bounds(t)
	return end
}

func (w Window) bounds(t time.Time) (start, end time.Time) {
	if w.Validate() != nil {
		return time.Time{}, time.Time{}
	}
	w = w.normal()
	t = t.In(w.Location)
	switch w.Kind {
	case Rolling:
		width := w.width()
		bucket := nanos(t) - nanos(t)%width
		return w.instant(bucket - int64(w.Buckets)*width), w.instant(bucket + int64(w.Buckets+1)*width)
	case Hour:
		return hourStart(t), hourEnd(t)
	case Day, Week, Month:
		return w.dates(t)
	}
	return time.Time{}, time.Time{}
}

// normal returns w with its defaults filled in.
func (w Window) normal() Window {
	if w.Buckets == 0 {
		w.Buckets = defaultBuckets
	}
	if w.Anchor == 0 {
		w.Anchor = 1
	}
	if w.Location == nil {
		w.Location = time.UTC
	}
	return w
}

// width is the length of a bucket of a rolling window in nanoseconds, rounded up so that Buckets of them cover it.
func (w Window) width() int64 {
	n := int64(w.Buckets)
	return (int64(w.Length) + n - 1) / n
}

// instant turns the guard's clock reading into a time on the window's wall clock.
func (w Window) instant(at int64) time.Time { return time.Unix(0, at).In(w.Location) }

// lastSecond keeps clock readings far enough from the end of an int64 (2262) that a window can be added to them.
const lastSecond = 7_258_118_400 // 2200-01-01

const lastReading = lastSecond * int64(time.Second)

// nanos is the clock reading of t: nanoseconds since 1970, held between 1970 and 2200.
func nanos(t time.Time) int64 {
	switch s := t.Unix(); {
	case s < 0:
		return 0
	case s >= lastSecond:
		return lastReading
	}
	return t.UnixNano()
}

// within is a clock reading moved by a difference, held between 1970 and 2200.
func within(reading, difference int64) int64 {
	if difference > lastReading-reading {
		return lastReading
	}
	return max(0, reading+difference)
}
