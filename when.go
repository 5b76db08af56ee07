package farebox

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

// When says under which conditions an [Override] holds. Those that are set must all hold; the zero value always does.
type When struct {
	// InputOver: the request has more input tokens than this, cached ones included; with Inclusive, as many or more.
	InputOver int64 `json:"input_over,omitzero"`
	Inclusive bool  `json:"inclusive,omitzero"`
	// Start, End: the call starts in this part of the day, from Start until before End, UTC. It wraps around midnight where
	// End is before Start; where both are the same it is the whole day.
	Start TimeOfDay `json:"start,omitzero"`
	End   TimeOfDay `json:"end,omitzero"`
	// Days: the call starts on one of these, UTC.
	Days Days `json:"days,omitzero"`
	// ServiceTier: this tier served ("flex", "priority", "batch"); "standard" is the usual one, which providers also call
	// "default", "auto" or "on_demand".
	ServiceTier string `json:"service_tier,omitzero"`
	// Region: the call was served there, where that is charged for ("us"); "regional" is every region that is named but
	// "global".
	Region string `json:"region,omitzero"`
	// Speed: this mode served ("fast").
	Speed string `json:"speed,omitzero"`
	// Upstream: this provider served behind a gateway, under the name that the gateway gives it ("WandB").
	Upstream string `json:"upstream,omitzero"`
}

// TimeOfDay is the time since midnight UTC, from 0 to 24 hours. As text and in JSON it is "16:30" or "16:30:05".
type TimeOfDay time.Duration

const day = 24 * time.Hour

// String is the time in hours and minutes, with seconds where there are any.
func (t TimeOfDay) String() string {
	d := time.Duration(t)
	text := fmt.Sprintf("%02d:%02d", d/time.Hour, d/time.Minute%60)
	if seconds := d / time.Second % 60; seconds != 0 {
		text += fmt.Sprintf(":%02d", seconds)
	}
	return text
}

// MarshalText implements [encoding.TextMarshaler] with what String returns.
func (t TimeOfDay) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]; it reads "16:30", "16:30:05" and "24:00". On an error t is
// unchanged.
func (t *TimeOfDay) UnmarshalText(text []byte) error {
	if string(text) == "24:00" {
		*t = TimeOfDay(day)
		return nil
	}
	layout := "15:04"
	if len(text) > len(layout) {
		layout = time.TimeOnly
	}
	parsed, err := time.Parse(layout, string(text))
	if err != nil || len(text) != len(layout) {
		return fmt.Errorf("farebox: bad time of day %s: want hours and minutes such as 16:30, UTC", excerpt(text))
	}
	*t = TimeOfDay(parsed.Sub(parsed.Truncate(day)))
	return nil
}

// Days is a set of days of the week. The zero value is no condition: every day. As JSON it is a list of names in
// English, ["monday", "tuesday"].
type Days uint8

// DaysOf is the set of some days.
func DaysOf(days ...time.Weekday) Days {
	var set Days
	for _, d := range days {
		set |= 1 << (uint(d) % 7)
	}
	return set
}

// Weekdays is from Monday to Friday.
const Weekdays = Days(1<<time.Monday | 1<<time.Tuesday | 1<<time.Wednesday | 1<<time.Thursday | 1<<time.Friday)

const everyDay = Days(1<<7 - 1)

// Has says whether a day is in the set; every day is in the zero value.
func (d Days) Has(weekday time.Weekday) bool { return d == 0 || d&(1<<(uint(weekday)%7)) != 0 }

// String lists the days: "monday,tuesday".
func (d Days) String() string { return strings.Join(d.names(), ",") }

func (d Days) names() []string {
	var names []string
	for weekday := time.Sunday; weekday <= time.Saturday; weekday++ {
		if d&(1<<weekday) != 0 {
			names = append(names, strings.ToLower(weekday.String()))
		}
	}
	return names
}

// MarshalJSON implements [json.Marshaler] with a list of names.
func (d Days) MarshalJSON() ([]byte, error) { return json.Marshal(d.names()) }

// UnmarshalJSON implements [json.Unmarshaler]; it reads a list of English names of days, in full or in their first three
// letters, in any case. null leaves d unchanged, and so does an error.
func (d *Days) UnmarshalJSON(data []byte) error {
	var names []string
	if err := json.Unmarshal(data, &names); err != nil {
		return fmt.Errorf(`farebox: days: want a list of names such as ["monday", "tuesday"]: %w`, err)
	}
	if names == nil {
		return nil
	}
	days, err := ParseDays(names...)
	if err == nil {
		*d = days
	}
	return err
}

// ParseDays reads English names of days, in full or in their first three letters, in any case.
func ParseDays(names ...string) (Days, error) {
	var set Days
next:
	for _, name := range names {
		for weekday := time.Sunday; weekday <= time.Saturday; weekday++ {
			if full := weekday.String(); strings.EqualFold(name, full) || strings.EqualFold(name, full[:3]) {
				set |= DaysOf(weekday)
				continue next
			}
		}
		return 0, fmt.Errorf("farebox: %q is no day of the week: want names such as monday or mon", name)
	}
	return set, nil
}

// check says what is wrong with the conditions.
func (w *When) check() error {
	switch {
	case w.InputOver < 0 || w.InputOver == math.MaxInt64:
		return fmt.Errorf("input over %d tokens: want a number of tokens that a request can have", w.InputOver)
	case w.Start < 0 || time.Duration(w.Start) >= day || w.End < 0 || time.Duration(w.End) > day:
		return fmt.Errorf("hours from %s to %s: want times of a day, counted from midnight UTC", time.Duration(w.Start), time.Duration(w.End))
	case w.Days&^everyDay != 0:
		return fmt.Errorf("days %#x: want a set made with DaysOf", uint8(w.Days))
	}
	return nil
}

// reachedAt is the number of input tokens from which the condition on them holds.
func (w *When) reachedAt() int64 {
	if w.InputOver > 0 && !w.Inclusive {
		return w.InputOver + 1
	}
	return w.InputOver
}

// name says in a few words when the conditions hold, for receipts.
func (w *When) name() string {
	var words []string
	add := func(set bool, format string, value any) {
		if set {
			words = append(words, fmt.Sprintf(format, value))
		}
	}
	add(w.ServiceTier != "", "service_tier %s", w.ServiceTier)
	add(w.Speed != "", "speed %s", w.Speed)
	add(w.Region != "", "region %s", w.Region)
	add(w.Upstream != "", "upstream %s", w.Upstream)
	add(w.InputOver > 0, "input over %d", w.InputOver)
	add(w.Start != w.End, "hours %s", w.Start.String()+"-"+w.End.String())
	add(w.Days != 0, "days %s", w.Days)
	if len(words) == 0 {
		return "multiplier"
	}
	return strings.Join(words, ", ")
}
