package pricelist

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

var errNoImagePrice = errors.New("names the size of an image and has no price for one")

// litellmOffPeak reads off_peak_pricing (docs.litellm.ai/docs/proxy/off_peak_pricing, 2026-11): rates that replace all
// others, tiers included, in windows of the day. A schedule that cannot be read leaves the standard rates, as there.
func (l *List) litellmOffPeak(key string, fields map[string]any, price *Price) {
	block, ok := fields["off_peak_pricing"].(map[string]any)
	if !ok || len(block) == 0 {
		return
	}
	rates := Rates{}
	for _, name := range slices.Sorted(maps.Keys(block)) {
		parsed, known := parseLiteLLMKey(name, "")
		if !known || parsed.dimension == "" || parsed.when != (When{}) {
			continue
		}
		rate, err := parsed.unit.float(block[name])
		if err != nil {
			l.problem(key, "off_peak_pricing: %s: %v; the entry is kept at its standard rates", name, err)
			return
		}
		rates[parsed.dimension] = rate
	}
	windows, err := litellmWindows(block)
	if err != nil || len(windows) == 0 || len(rates) == 0 {
		l.problem(key, "off_peak_pricing: %v; the entry is kept at its standard rates", cmpErr(err, "it has no windows or no rates"))
		return
	}
	for _, when := range windows {
		price.Overrides = append(price.Overrides, Override{When: when, Rates: rates})
	}
}

func cmpErr(err error, otherwise string) error {
	if err != nil {
		return err
	}
	return errors.New(otherwise)
}

// litellmWindows reads the windows of a block, those of every day and those of some weekdays.
func litellmWindows(block map[string]any) (windows []When, err error) {
	zone := time.UTC
	if name := textOf(block["weekday_timezone"]); name != "" {
		if zone, err = time.LoadLocation(name); err != nil {
			return nil, fmt.Errorf("weekday_timezone: %w", err)
		}
	}
	add := func(hours any, days Weekdays) error {
		for _, text := range textsOf(hours) {
			h, err := parseHours(text)
			if err != nil {
				return err
			}
			windows = append(windows, onLocalDays(h, days, zone)...)
		}
		return nil
	}
	if err := add(block["hours_utc"], 0); err != nil {
		return nil, err
	}
	rules, _ := block["windows"].([]any)
	for _, v := range rules {
		rule, _ := v.(map[string]any)
		days, err := parseWeekdays(rule["weekdays"])
		if err != nil {
			return nil, err
		}
		if err := add(rule["hours_utc"], days); err != nil {
			return nil, err
		}
	}
	if len(windows) > 64 {
		return nil, fmt.Errorf("it has %d windows", len(windows))
	}
	return windows, nil
}

// onLocalDays turns hours in UTC on days of another zone's calendar into hours in UTC on days in UTC: a day that begins
// at 16:00 UTC of the day before is two pieces of two days. Without days there is nothing to turn.
func onLocalDays(h Hours, days Weekdays, zone *time.Location) []When {
	_, offset := time.Date(2026, time.January, 5, 0, 0, 0, 0, zone).Zone() // zones with summer time: as in winter
	shift := time.Duration(offset) * time.Second
	if days == 0 || shift == 0 {
		return []When{{Hours: &h, Weekdays: days}}
	}
	const day = 24 * time.Hour
	var pieces []When
	turn := (day - shift) % day // when the local day begins, in UTC
	if turn < 0 {
		turn += day
	}
	for _, part := range split(h, turn) {
		onto := days
		switch {
		case shift > 0 && part.Start >= turn: // the local day is already the next
			onto = days.shifted(-1)
		case shift < 0 && part.Start < turn: // the local day is still the one before
			onto = days.shifted(1)
		}
		pieces = append(pieces, When{Hours: &part, Weekdays: onto})
	}
	return pieces
}

// split cuts a window at midnight and at a time of the day, so that no piece crosses either.
func split(h Hours, at time.Duration) []Hours {
	const day = 24 * time.Hour
	spans := []Hours{{h.Start, h.End}}
	if h.End <= h.Start {
		spans = []Hours{{h.Start, day}, {0, h.End}}
	}
	var parts []Hours
	for _, s := range spans {
		if s.Start < at && at < s.End {
			parts = append(parts, Hours{s.Start, at}, Hours{at, s.End})
		} else if s.Start < s.End {
			parts = append(parts, s)
		}
	}
	return parts
}

// shifted moves every day of the set by some days.
func (w Weekdays) shifted(by int) (moved Weekdays) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if w.Has(d) {
			moved |= 1 << ((int(d) + by + 7) % 7)
		}
	}
	return moved
}

// textsOf is a text, or a list of texts.
func textsOf(v any) (texts []string) {
	if text, ok := v.(string); ok {
		return []string{text}
	}
	list, _ := v.([]any)
	for _, item := range list {
		texts = append(texts, textOf(item))
	}
	return texts
}

// parseHours reads "16:30-00:30".
func parseHours(text string) (Hours, error) {
	start, end, ok := strings.Cut(text, "-")
	from, errFrom := parseTimeOfDay(start)
	to, errTo := parseTimeOfDay(end)
	if !ok || errFrom != nil || errTo != nil {
		return Hours{}, fmt.Errorf("%q are no hours such as 16:30-00:30", excerpt(text))
	}
	return Hours{from, to}, nil
}

// parseTimeOfDay reads "16:30" and "16:30:00", with a Z or without; "24:00" is midnight at the end of the day.
func parseTimeOfDay(text string) (time.Duration, error) {
	text = strings.TrimSuffix(strings.TrimSpace(text), "Z")
	if text == "24:00" || text == "24:00:00" {
		return 24 * time.Hour, nil
	}
	for _, layout := range [...]string{"15:04", time.TimeOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Sub(t.Truncate(24 * time.Hour)), nil
		}
	}
	return 0, fmt.Errorf("%q is no time of day such as 16:30", excerpt(text))
}

// parseWeekdays reads a list of days: ISO numbers, 1 for Monday to 7 for Sunday, or English names, short or long. None is
// every day.
func parseWeekdays(v any) (days Weekdays, err error) {
	list, ok := v.([]any)
	if !ok && v != nil {
		list = []any{v}
	}
	for _, item := range list {
		d, ok := parseWeekday(item)
		if !ok {
			return 0, fmt.Errorf("%q is no weekday such as mon or 1", excerpt(fmt.Sprint(item)))
		}
		days |= 1 << d
	}
	return days, nil
}

func parseWeekday(v any) (time.Weekday, bool) {
	if n := count(v); n >= 1 && n <= 7 {
		return time.Weekday(n % 7), true
	}
	name := strings.ToLower(textOf(v))
	for d := time.Sunday; d <= time.Saturday; d++ {
		full := strings.ToLower(d.String())
		if len(name) >= 3 && strings.HasPrefix(full, name) {
			return d, true
		}
	}
	return 0, false
}
