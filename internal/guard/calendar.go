package guard

import "time"

// A civil date is carried below as midnight UTC of that date, where every day has 24 hours.

// dates returns the window of days, weeks or months that t is in. A window starts at the first instant whose
// date is its opening date or later, so windows follow each other without gap or overlap even where a clock
// that is set back shows yesterday's date a second time.
func (w Window) dates(t time.Time) (start, end time.Time) {
	y, m, d := t.Date()
	opening := w.opening(time.Date(y, m, d, 0, 0, 0, 0, time.UTC))
	start = firstInstant(opening, w.Location)
	for {
		opening = w.following(opening)
		end = firstInstant(opening, w.Location)
		if end.After(t) {
			return start, end
		}
		start = end
	}
}

// opening returns the date on which the window that contains date opens.
func (w Window) opening(date time.Time) time.Time {
	switch w.Kind {
	case Week:
		return date.AddDate(0, 0, -int((date.Weekday()-w.Weekday+7)%7))
	case Month:
		y, m, d := date.Date()
		if d < anchorDay(y, m, w.Anchor) {
			m--
		}
		return time.Date(y, m, anchorDay(y, m, w.Anchor), 0, 0, 0, 0, time.UTC)
	}
	return date
}

// following returns the opening date after opening.
func (w Window) following(opening time.Time) time.Time {
	switch w.Kind {
	case Week:
		return opening.AddDate(0, 0, 7)
	case Month:
		y, m, _ := opening.Date()
		return time.Date(y, m+1, anchorDay(y, m+1, w.Anchor), 0, 0, 0, 0, time.UTC)
	}
	return opening.AddDate(0, 0, 1)
}

// anchorDay is the anchor, or the last day of a month that is too short for it. The month may be out of range.
func anchorDay(y int, m time.Month, anchor int) int {
	return min(anchor, time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day())
}

// reach is more than any time zone is away from UTC.
const reach = 26 * time.Hour

// firstInstant returns the first instant at which the wall clock of loc shows date at 00:00 or anything later.
//
// time.Date cannot be asked for it: for a midnight that the clock skips it may answer 23:00 of the day before,
// and for one that happens twice, either. So the stretches of constant offset around the date are walked in order.
func firstInstant(date time.Time, loc *time.Location) time.Time {
	t := date.Add(-reach).In(loc)
	for {
		_, offset := t.Zone()
		first := date.Add(-time.Duration(offset) * time.Second)
		if first.Before(t) {
			first = t
		}
		until := nextChange(t)
		if until.IsZero() || first.Before(until) {
			return first.In(loc)
		}
		t = until
	}
}

// nextChange returns an instant after t until which the wall clock keeps its offset from UTC, or the zero time if
// it does so for ever.
//
// ZoneBounds cuts stretches at the turn of a UTC year where a zone follows a yearly rule, and in a leap year it
// does so a day early: on the last of December the end that it reports is not after t, and midnight is meant.
func nextChange(t time.Time) time.Time {
	const day = 24 * time.Hour
	_, until := t.ZoneBounds()
	if !until.IsZero() && !until.After(t) {
		return t.Truncate(day).Add(day)
	}
	return until
}

// hourStart returns the last instant, not after t, at which the wall clock showed a full hour or jumped into
// another one. An hour that the clock repeats is a window of its own.
func hourStart(t time.Time) time.Time {
	start := t.Add(-sinceFullHour(t))
	var changed time.Time
	for c := nextChange(start); !c.IsZero() && !c.After(t); c = nextChange(c) {
		changed = c
	}
	switch {
	case changed.IsZero():
		return start
	case sameHour(changed.Add(-1), changed):
		return hourStart(changed.Add(-1))
	}
	return changed
}

// hourEnd returns the first instant after t at which an hour starts.
func hourEnd(t time.Time) time.Time {
	for {
		next := t.Add(time.Hour - sinceFullHour(t))
		if until := nextChange(t); !until.IsZero() && until.Before(next) {
			next = until
		}
		if hourStart(next).Equal(next) {
			return next
		}
		t = next
	}
}

func sinceFullHour(t time.Time) time.Duration {
	_, m, s := t.Clock()
	return time.Duration(m)*time.Minute + time.Duration(s)*time.Second + time.Duration(t.Nanosecond())
}

// sameHour reports whether the wall clock shows the same hour of the same date at a and b.
func sameHour(a, b time.Time) bool {
	ay, am, ad := a.Date()
	by, bm, bd := b.Date()
	return ay == by && am == bm && ad == bd && a.Hour() == b.Hour()
}
