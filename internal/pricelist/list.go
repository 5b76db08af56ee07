// Package pricelist reads price lists in the forms in which others publish them, and a form of farebox's own, into one
// neutral form: names, facts, and decimal rates in US dollars per unit with the conditions under which they hold.
//
// A reader trusts nothing: numbers are exact decimals within bounds, a row that cannot be read or believed is left out
// and reported by name, and the other rows are kept. Only a list of which nothing can be used is an error.
package pricelist

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// List is what was read, sorted by provider and name.
type List struct {
	Models []Model
	// Problems are rows, or parts of rows, that were left out because something is wrong with them.
	Problems []Problem
	// Skipped counts rows that were left out by rule, by reason: nothing is wrong with them.
	Skipped map[string]int
}

// Problem says what is wrong with a row.
type Problem struct {
	Row    string // as the list names it
	Reason string
}

// Model is one model at one provider.
type Model struct {
	Provider string
	Name     string
	Aliases  []string

	Embedding       bool
	ContextTokens   int64 // 0: not known
	MaxOutputTokens int64
	Inputs, Outputs Modality

	Tools, Reasoning, StructuredOutput Support

	Prices []Price // at least one, oldest first
}

// Modality is a set of kinds of content, with the bits of the root package's.
type Modality uint8

// The kinds of content.
const (
	Text Modality = 1 << iota
	Image
	Audio
	Video
	File
)

// Support says whether a model can do something, with the values of the root package's.
type Support uint8

// What is known about an ability.
const (
	Unknown Support = iota
	No
	Yes
)

// Price is a set of rates from a date on.
type Price struct {
	From      time.Time // zero: from ever
	Variable  bool      // a router's: that of whatever serves
	Rates     Rates
	Overrides []Override // of those whose conditions hold, a later one wins per dimension
	Source    string     // where the row itself says that it comes from; empty: the list
	AsOf      time.Time
}

// Rates maps a dimension to US dollars per unit, as a plain decimal.
type Rates map[string]string

// Override replaces rates, or multiplies all rates of tokens, where everything in When holds.
type Override struct {
	When     When
	Rates    Rates
	Multiply string // a plain decimal; empty: 1
}

// When is a set of conditions; the zero value of each is no condition.
type When struct {
	Over        int64 // more input tokens than this; with Inclusive, or as many
	Inclusive   bool
	ServiceTier string // flex, priority, batch …: of the tier that served
	Hours       *Hours
	Weekdays    Weekdays // of the call's start, in UTC
	Region      string
	Speed       string
}

// Hours is a part of the day in UTC, half open; it wraps around midnight where End is not after Start, and is the whole
// day where they are the same.
type Hours struct{ Start, End time.Duration }

// Weekdays is a set of days, bit 0 for Sunday as in [time.Weekday].
type Weekdays uint8

// Has says whether a day is in the set.
func (w Weekdays) Has(d time.Weekday) bool { return w&(1<<d) != 0 }

// problem notes what is wrong with a row.
func (l *List) problem(row, format string, args ...any) {
	l.Problems = append(l.Problems, Problem{Row: excerpt(row), Reason: fmt.Sprintf(format, args...)})
}

func (l *List) skip(reason string) {
	if l.Skipped == nil {
		l.Skipped = make(map[string]int)
	}
	l.Skipped[reason]++
}

// finish sorts the list, drops second rows of the same name, and refuses a list of nothing.
func (l *List) finish(form string) (*List, error) {
	slices.SortStableFunc(l.Models, func(a, b Model) int {
		return cmp.Or(strings.Compare(a.Provider, b.Provider), strings.Compare(a.Name, b.Name))
	})
	kept := l.Models[:0]
	for _, m := range l.Models {
		if n := len(kept); n > 0 && kept[n-1].Provider == m.Provider && kept[n-1].Name == m.Name {
			if !samePrices(kept[n-1].Prices, m.Prices) {
				l.problem(m.Provider+"/"+m.Name, "stands twice at different prices: the first one is taken")
			}
			continue
		}
		kept = append(kept, m)
	}
	l.Models = slices.Clip(kept)
	if len(l.Models) > 0 {
		return l, nil
	}
	if len(l.Problems) > 0 {
		return nil, fmt.Errorf("%s: no row can be used; the first of %d: %s: %s", form, len(l.Problems), l.Problems[0].Row, l.Problems[0].Reason)
	}
	return nil, fmt.Errorf("%s: the list has no model with a price", form)
}

func samePrices(a, b []Price) bool {
	return slices.EqualFunc(a, b, func(p, q Price) bool {
		return p.From.Equal(q.From) && p.Variable == q.Variable && maps.Equal(p.Rates, q.Rates) &&
			slices.EqualFunc(p.Overrides, q.Overrides, sameOverride)
	})
}

func sameOverride(a, b Override) bool {
	hours := (a.When.Hours == nil) == (b.When.Hours == nil) && (a.When.Hours == nil || *a.When.Hours == *b.When.Hours)
	x, y := a.When, b.When
	x.Hours, y.Hours = nil, nil
	return hours && x == y && a.Multiply == b.Multiply && maps.Equal(a.Rates, b.Rates)
}

// excerpt keeps what somebody else wrote short enough to stand in a message.
func excerpt(text string) string {
	const most = 120
	text = strings.ToValidUTF8(text, "?")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// decode reads one JSON value and nothing behind it; numbers stay text.
func decode(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return readable(data, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more behind the end of the list")
	}
	return nil
}

// readable adds the line to an error of the JSON decoder.
func readable(data []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	offset := int64(-1)
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	case errors.Is(err, io.EOF):
		return errors.New("it is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it is cut short")
	}
	if offset < 0 || offset > int64(len(data)) {
		return err
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:offset], []byte("\n")), err)
}

// validName says whether a text can name a model or a provider: one word without control characters.
func validName(name string) bool {
	return name != "" && len(name) <= 256 && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f })
}
