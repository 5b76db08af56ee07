package guard_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/farebox-go/farebox/internal/guard"
)

var (
	firstDay = time.Date(2018, 1, 1, 12, 0, 0, 0, time.UTC)
	lastDay  = time.Date(2031, 1, 1, 12, 0, 0, 0, time.UTC)
)

// walk goes through the windows between from and until, checks that each starts where the one before ended, and
// hands every start to visit.
func walk(t *testing.T, w guard.Window, from, until time.Time, visit func(start, end time.Time)) {
	t.Helper()
	start := w.Start(from)
	if start.After(from) {
		t.Fatalf("%v: the window of %v starts later, at %v", w.Location, from, start)
	}
	for start.Before(until) {
		end := w.End(start)
		if !end.After(start) {
			t.Fatalf("%v: window [%v, %v) is empty", w.Location, start, end)
		}
		middle := start.Add(end.Sub(start) / 2)
		for _, inside := range []time.Time{start, middle, end.Add(-1)} {
			if s, e := w.Start(inside), w.End(inside); !s.Equal(start) || !e.Equal(end) {
				t.Fatalf("%v: window of %v is [%v, %v), want [%v, %v)", w.Location, inside, s, e, start, end)
			}
		}
		visit(start, end)
		start = end
	}
}

// civil is the date that a wall clock shows, as a day number.
func civil(t time.Time) int64 {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400
}

// changes reports whether the wall clock changes at t.
func changes(t time.Time) bool { return offset(t) != offset(t.Add(-1)) }

func offset(t time.Time) int {
	_, offset := t.Zone()
	return offset
}

// wantMidnight checks that a window starts at the first instant of its date: at a midnight, or where the clock
// jumped over one, and with yesterday's date a moment before.
func wantMidnight(t *testing.T, start time.Time) {
	t.Helper()
	h, m, s := start.Clock()
	if h+m+s != 0 && !changes(start) {
		t.Errorf("%v: starts at %v, neither midnight nor a change of the clock", start.Location(), start)
	}
	if before := start.Add(-1); civil(before) >= civil(start) {
		t.Errorf("%v: %v is not the first instant of its date", start.Location(), start)
	}
	if offset(start) == offset(start.Add(-24*time.Hour)) && offset(start) == offset(start.Add(24*time.Hour)) {
		return
	}
	// Where the clock changes, a date may be shown, left and come back: it opens when it is shown first.
	for before := start.Add(-24 * time.Hour); before.Before(start); before = before.Add(5 * time.Minute) {
		if civil(before) >= civil(start) {
			t.Errorf("%v: %v opens its date, which was shown at %v already", start.Location(), start, before)
			return
		}
	}
}

func TestDaysInEveryZone(t *testing.T) {
	t.Parallel()
	for _, loc := range zones(t) {
		date := int64(math.MinInt64)
		walk(t, guard.Window{Kind: guard.Day, Location: loc}, firstDay, lastDay, func(start, end time.Time) {
			wantMidnight(t, start)
			if next := civil(start); date != math.MinInt64 && next != date+1 {
				t.Errorf("%v: %v follows day %d", loc, start, date)
			}
			date = civil(start)
			if d := end.Sub(start); d < 21*time.Hour || d > 27*time.Hour {
				t.Errorf("%v: %v lasts %v", loc, start, d)
			}
		})
	}
}

func TestWeeksInEveryZone(t *testing.T) {
	t.Parallel()
	for i, loc := range zones(t) {
		for weekday := time.Sunday; weekday <= time.Saturday; weekday++ {
			if !long() && weekday != time.Weekday(i%7) {
				continue
			}
			date := int64(math.MinInt64)
			walk(t, guard.Window{Kind: guard.Week, Weekday: weekday, Location: loc}, firstDay, lastDay, func(start, _ time.Time) {
				wantMidnight(t, start)
				if start.Weekday() != weekday {
					t.Errorf("%v: week starts %v, want %v", loc, start, weekday)
				}
				if next := civil(start); date != math.MinInt64 && next != date+7 {
					t.Errorf("%v: %v follows day %d", loc, start, date)
				}
				date = civil(start)
			})
		}
	}
}

func TestMonthsInEveryZone(t *testing.T) {
	t.Parallel()
	for _, loc := range zones(t) {
		for _, anchor := range anchors() {
			month := -1
			walk(t, guard.Window{Kind: guard.Month, Anchor: anchor, Location: loc}, firstDay, lastDay, func(start, _ time.Time) {
				wantMidnight(t, start)
				y, m, d := start.Date()
				if want := min(max(anchor, 1), daysIn(y, m)); d != want {
					t.Errorf("%v: anchor %d: starts on %v", loc, anchor, start)
				}
				if next := y*12 + int(m); month != -1 && next != month+1 {
					t.Errorf("%v: %v follows month %d", loc, start, month)
				}
				month = y*12 + int(m)
			})
		}
	}
}

// anchors are the days that a month may start on: the last ones of some months, and without FAREBOX_LONG few others.
func anchors() []int {
	if !long() {
		return []int{0, 2, 15, 28, 29, 30, 31}
	}
	all := make([]int, 32) // 0 is 1
	for i := range all {
		all[i] = i
	}
	return all
}

func daysIn(y int, m time.Month) int {
	switch m {
	case time.April, time.June, time.September, time.November:
		return 30
	case time.February:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// Hours are walked over the days on which the clock changes; other days are all alike. The turn of a year counts
// as a change, because package time cuts its tables there.
func TestHoursInEveryZone(t *testing.T) {
	t.Parallel()
	for _, loc := range zones(t) {
		w := guard.Window{Kind: guard.Hour, Location: loc}
		for at := firstDay.In(loc); at.Before(lastDay); at = at.Add(24 * time.Hour) {
			next := at.Add(24 * time.Hour)
			if offset(at) == offset(next) && at.YearDay() < 365 {
				continue
			}
			walk(t, w, at, next, func(start, end time.Time) {
				_, m, s := start.Clock()
				if m+s != 0 && !changes(start) {
					t.Errorf("%v: hour starts at %v", loc, start)
				}
				if end.Sub(start) >= 2*time.Hour {
					t.Errorf("%v: hour from %v lasts %v", loc, start, end.Sub(start))
				}
			})
		}
	}
}

func TestWindowsWhereTheClockJumps(t *testing.T) {
	t.Parallel()
	day, hour := guard.Window{Kind: guard.Day}, guard.Window{Kind: guard.Hour}
	for _, tc := range []struct {
		name, zone     string
		w              guard.Window
		at, start, end string
	}{
		{"midnight skipped, time.Date says the day before", "America/Havana", day,
			"2026-03-08T12:00:00-04:00", "2026-03-08T01:00:00-04:00", "2026-03-09T00:00:00-04:00"},
		{"midnight skipped, time.Date says one o'clock", "Africa/Cairo", day,
			"2026-04-24T12:00:00+03:00", "2026-04-24T01:00:00+03:00", "2026-04-25T00:00:00+03:00"},
		{"midnight twice, the first opens the day", "America/Havana", day,
			"2026-11-01T12:00:00-05:00", "2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00"},
		{"a minute of tomorrow, then yesterday again", "America/St_Johns", day,
			"2010-11-06T23:30:00-03:30", "2010-11-07T00:00:00-02:30", "2010-11-08T00:00:00-03:30"},
		{"the last day of a leap year under a yearly rule", "Africa/Cairo", day,
			"2028-12-31T12:00:00+02:00", "2028-12-31T00:00:00+02:00", "2029-01-01T00:00:00+02:00"},
		{"an hour on that day", "Africa/Cairo", hour,
			"2028-12-31T12:34:56+02:00", "2028-12-31T12:00:00+02:00", "2028-12-31T13:00:00+02:00"},
		{"a day that never was", "Pacific/Apia", day,
			"2011-12-29T12:00:00-10:00", "2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"},
		{"a repeated hour is two", "Europe/Berlin", hour,
			"2026-10-25T02:30:00+01:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"},
		{"half an hour repeated belongs to its hour", "Australia/Lord_Howe", hour,
			"2026-04-05T01:45:00+10:30", "2026-04-05T01:00:00+11:00", "2026-04-05T02:00:00+10:30"},
		{"half an hour skipped", "Australia/Lord_Howe", hour,
			"2026-10-04T02:45:00+11:00", "2026-10-04T02:30:00+11:00", "2026-10-04T03:00:00+11:00"},
		{"full hours of a wall clock that is off by a half", "Asia/Kolkata", hour,
			"2026-06-01T10:59:59+05:30", "2026-06-01T10:00:00+05:30", "2026-06-01T11:00:00+05:30"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.w.Location = named(t, tc.zone)[0]
			at := stamp(t, tc.at)
			if got := tc.w.Start(at); !got.Equal(stamp(t, tc.start)) {
				t.Errorf("Start(%v) = %v, want %v", tc.at, got, tc.start)
			}
			if got := tc.w.End(at); !got.Equal(stamp(t, tc.end)) {
				t.Errorf("End(%v) = %v, want %v", tc.at, got, tc.end)
			}
		})
	}
}

func stamp(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestWindowsWithoutBounds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 17, 8, 30, 0, 0, time.UTC)
	for _, w := range []guard.Window{{}, {Kind: guard.PerCall}, {Kind: 99}, {Kind: guard.Rolling}} {
		if s, e := w.Start(now), w.End(now); !s.IsZero() || !e.IsZero() {
			t.Errorf("%+v: [%v, %v)", w, s, e)
		}
	}
}

func TestRollingWindowCoversItsLength(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := guard.Window{
			Kind:    guard.Rolling,
			Length:  time.Duration(rapid.Int64Range(1, int64(400*24*time.Hour)).Draw(t, "length")),
			Buckets: rapid.IntRange(0, 100).Draw(t, "buckets"),
		}
		now := time.Unix(0, rapid.Int64Range(int64(w.Length)*3, 1<<62).Draw(t, "now"))
		buckets := int64(w.Buckets)
		if buckets == 0 {
			buckets = 60
		}
		slack := int64(w.Length)/buckets + buckets + 1
		if s := w.Start(now); s.After(now.Add(-w.Length)) || now.Sub(s) > w.Length+time.Duration(slack+buckets) {
			t.Fatalf("counts from %v at %v", s, now)
		}
		if e := w.End(now); e.Before(now.Add(w.Length)) {
			t.Fatalf("forgets at %v what was spent at %v", e, now)
		}
	})
}

func TestWindowValidate(t *testing.T) {
	t.Parallel()
	const tenYears = 10 * 365 * 24 * time.Hour
	for _, w := range []guard.Window{
		{}, {Kind: guard.PerCall}, {Kind: guard.Hour}, {Kind: guard.Day}, {Kind: guard.Week, Weekday: 6},
		{Kind: guard.Month, Anchor: 31}, {Kind: guard.Rolling, Length: 1}, {Kind: guard.Rolling, Length: tenYears, Buckets: 4096},
	} {
		if err := w.Validate(); err != nil {
			t.Errorf("%+v: %v", w, err)
		}
	}
	for _, w := range []guard.Window{
		{Kind: guard.Month + 1}, {Kind: guard.Week, Weekday: 7}, {Kind: guard.Week, Weekday: -1},
		{Kind: guard.Month, Anchor: 32}, {Kind: guard.Month, Anchor: -1}, {Kind: guard.Rolling},
		{Kind: guard.Rolling, Length: -1}, {Kind: guard.Rolling, Length: tenYears + 1},
		{Kind: guard.Rolling, Length: 1, Buckets: -1}, {Kind: guard.Rolling, Length: 1, Buckets: 4097},
	} {
		if err := w.Validate(); !errors.Is(err, guard.ErrWindow) {
			t.Errorf("%+v: %v, want ErrWindow", w, err)
		}
	}
}

// FuzzWindow takes any zone, window and pair of instants, far outside what a clock will show too.
func FuzzWindow(f *testing.F) {
	f.Add("America/Havana", uint8(guard.Day), 0, int64(1772946000), int64(3600))
	f.Add("America/St_Johns", uint8(guard.Day), 0, int64(1289097060), int64(60))
	f.Add("Pacific/Apia", uint8(guard.Week), 5, int64(1325239200), int64(86400))
	f.Add("Asia/Manila", uint8(guard.Month), 31, int64(-3944700000), int64(1))
	f.Add("Australia/Lord_Howe", uint8(guard.Hour), 0, int64(1775314800), int64(1800))
	f.Add("Africa/Cairo", uint8(guard.Hour), 0, int64(1861873200), int64(86400))
	f.Add("Africa/Cairo", uint8(guard.Day), 0, int64(1861873200), int64(86400))
	f.Add("fixed", uint8(guard.Day), 0, int64(1<<40), int64(1<<40))
	f.Fuzz(func(t *testing.T, zone string, kind uint8, n int, sec, later int64) {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			loc = time.FixedZone(zone, int(sec%40000))
		}
		w := guard.Window{Kind: guard.Kind(kind), Weekday: time.Weekday(n), Anchor: n, Location: loc}
		at := time.Unix(sec, 0)
		start, end := w.Start(at), w.End(at)
		if w.Validate() != nil || kind < uint8(guard.Hour) || at.Year() < 2 {
			return
		}
		if start.After(at) || !end.After(at) {
			t.Fatalf("%v is outside of its window [%v, %v)", at, start, end)
		}
		if s := w.Start(start); !s.Equal(start) {
			t.Fatalf("the start of %v is %v", start, s)
		}
		if s := w.Start(end); !s.Equal(end) {
			t.Fatalf("%v ends a window but %v starts the next", end, s)
		}
		if next := time.Unix(sec+later%(1<<30), 0); later > 0 && w.Start(next).Before(start) {
			t.Fatalf("the start moves back from %v to %v", start, w.Start(next))
		}
	})
}
