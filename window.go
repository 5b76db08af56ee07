package farebox

import (
	"fmt"
	"strconv"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
)

// Window is the time over which a cap counts: one of [Hourly], [Daily], [Weekly], [Monthly] and [PerCall], or
// [Rolling]. The zero value is a total that is never reset. Calendar windows are of UTC unless [Window.In] says
// otherwise; at their boundary they allow a full cap on either side, which a rolling window does not.
type Window struct {
	kind    guard.Kind
	length  time.Duration
	zone    string
	weekday weekday
	day     int // of the month; 0: the first
}

// weekday is a day of the week counted from Monday, so that its zero value is the usual one.
type weekday int

// The calendar windows, and PerCall, which measures every call by itself. Weeks start on Monday.
var (
	Hourly  = Window{kind: guard.Hour}
	Daily   = Window{kind: guard.Day}
	Weekly  = Window{kind: guard.Week}
	Monthly = Window{kind: guard.Month}
	PerCall = Window{kind: guard.PerCall}
)

// Rolling is a window of the time just gone by: never more than the cap in any interval of that length.
func Rolling(length time.Duration) Window { return Window{kind: guard.Rolling, length: length} }

// In returns the calendar window in a time zone of the IANA database ("Europe/Zurich"). A name that is not known is an
// error of [New] and [NewMeter], as is a zone on a window that is no calendar window.
func (w Window) In(zone string) Window {
	w.zone = zone
	return w
}

// StartingOn returns the weekly window with another first day than Monday. Any other window with a first day is an
// error of what the Budget is given to.
func (w Window) StartingOn(day time.Weekday) Window {
	w.weekday = weekday(day+6) % 7
	if day < time.Sunday || day > time.Saturday {
		w.weekday = -1
	}
	return w
}

// AnchoredOn returns the monthly window that turns on another day than the first: 1 to 31, in a shorter month its last
// day. It is for accounts that are billed from the day they were opened. Any other window with such a day is an error of
// what the Budget is given to.
func (w Window) AnchoredOn(day int) Window {
	w.day = day
	if day == 0 {
		w.day = -1
	}
	return w
}

// String names the window: "daily", "weekly from Sunday in Asia/Tokyo", "rolling 24h0m0s", "total".
func (w Window) String() string {
	names := map[guard.Kind]string{
		guard.None: "total", guard.PerCall: "per call", guard.Rolling: "rolling " + w.length.String(),
		guard.Hour: "hourly", guard.Day: "daily", guard.Week: "weekly", guard.Month: "monthly",
	}
	name := names[w.kind]
	if w.weekday != 0 {
		name += " from " + w.first().String()
	}
	if w.day != 0 {
		name += " from day " + strconv.Itoa(w.day)
	}
	if w.zone != "" {
		name += " in " + w.zone
	}
	return name
}

// first is the day on which a week starts.
func (w Window) first() time.Weekday { return time.Weekday(w.weekday+1) % 7 }

func (w Window) resolve() (guard.Window, error) {
	resolved := guard.Window{Kind: w.kind, Length: w.length, Weekday: w.first(), Anchor: w.day}
	switch {
	case w.weekday != 0 && (w.kind != guard.Week || w.weekday < 0):
		return resolved, fmt.Errorf("a %s window with a first day: want Weekly.StartingOn a day from Sunday to Saturday", Window{kind: w.kind, length: w.length})
	case w.day != 0 && (w.kind != guard.Month || w.day < 1 || w.day > 31):
		return resolved, fmt.Errorf("a %s window anchored on day %d: want Monthly.AnchoredOn a day from 1 to 31", Window{kind: w.kind, length: w.length}, w.day)
	}
	if w.kind == guard.Rolling && w.length <= 0 {
		return resolved, fmt.Errorf("a rolling window of %s: want a positive duration, or the zero Window for a total", w.length)
	}
	if w.zone != "" {
		if w.kind == guard.None || w.kind == guard.PerCall || w.kind == guard.Rolling {
			return resolved, fmt.Errorf("a %s window has no time zone", Window{kind: w.kind, length: w.length})
		}
		zone, err := time.LoadLocation(w.zone)
		if err != nil {
			return resolved, fmt.Errorf("time zone %q is not known: want a name like \"Europe/Zurich\" (a program without a time zone database can import time/tzdata)", w.zone)
		}
		resolved.Location = zone
	}
	if err := resolved.Validate(); err != nil {
		return resolved, fmt.Errorf("window %s: %w", w, err)
	}
	return resolved, nil
}
