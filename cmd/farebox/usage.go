package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/farebox-go/farebox"
)

// usageFlags are what one call consumes, and when and how it is made.
type usageFlags struct {
	Input     int64     `help:"Input tokens, cached ones not among them." placeholder:"N"`
	Cached    int64     `help:"Input tokens read from a cache." placeholder:"N"`
	Written   int64     `help:"Input tokens written to a cache." placeholder:"N"`
	Output    int64     `help:"Output tokens, reasoning not among them." placeholder:"N"`
	Reasoning int64     `help:"Reasoning tokens." placeholder:"N"`
	Units     []string  `help:"What is charged by the piece: image/1024x1024=3, web_search=2, page=10, audio_ms=60000 …" placeholder:"NAME=N"`
	Calls     int64     `help:"Calls of that size (${default})." default:"1" placeholder:"N"`
	At        time.Time `help:"The time whose prices hold, as 2026-11-24T12:00:00Z (now)." placeholder:"TIME"`
	Tier      string    `help:"The service tier: flex, priority, batch." placeholder:"TIER"`
	Region    string    `help:"The region, where one is charged for: us." placeholder:"REGION"`
}

// usage is one call's.
func (f *usageFlags) usage() (farebox.Usage, error) {
	u := farebox.Usage{
		Input: f.Input, CacheRead: f.Cached, CacheWrite: f.Written, Output: f.Output, Reasoning: f.Reasoning, Requests: 1,
	}
	if min(f.Input, f.Cached, f.Written, f.Output, f.Reasoning) < 0 || f.Calls < 1 {
		return u, fmt.Errorf("%w: counts cannot be negative, and there is at least one call", errUsage)
	}
	for _, unit := range f.Units {
		name, text, ok := strings.Cut(unit, "=")
		n, err := strconv.ParseInt(text, 10, 64)
		if !ok || err != nil || n < 0 || name == "" {
			return u, fmt.Errorf("%w: --units %q: want NAME=NUMBER, such as page=10", errUsage, unit)
		}
		if name == string(farebox.DimensionWebSearch) {
			u.WebSearches = n
			continue
		}
		if u.Units == nil {
			u.Units = make(map[farebox.Dimension]int64)
		}
		u.Units[farebox.Dimension(name)] = n
	}
	return u, nil
}

// when is the time of the calls.
func (f *usageFlags) when() time.Time {
	if f.At.IsZero() {
		return time.Now()
	}
	return f.At
}

// perPiece says whether a dimension is priced each rather than per million.
func perPiece(d farebox.Dimension) bool {
	name, _, _ := strings.Cut(string(d), "/")
	switch farebox.Dimension(name) {
	case farebox.DimensionWebSearch, farebox.DimensionRequest, farebox.DimensionImage, farebox.DimensionPixel,
		farebox.DimensionCharacter, farebox.DimensionAudioMS, farebox.DimensionVideoMS, farebox.DimensionPage,
		farebox.DimensionSearchUnit, farebox.DimensionToolCall, farebox.DimensionSession, farebox.DimensionUnit:
		return true
	}
	return false
}

// shownRate is a rate as price lists print it: per million tokens or characters, per minute or second, or each.
func shownRate(d farebox.Dimension, r farebox.Rate) (text, per string) {
	name, _, _ := strings.Cut(string(d), "/")
	switch {
	case !perPiece(d):
		return r.PerMillionString(), "per million"
	case farebox.Dimension(name) == farebox.DimensionCharacter:
		return r.PerMillionString(), "per million characters"
	case farebox.Dimension(name) == farebox.DimensionAudioMS:
		return bare(r.Times(60_000)), "per minute"
	case farebox.Dimension(name) == farebox.DimensionVideoMS:
		return bare(r.Times(1_000)), "per second"
	}
	return r.String(), "each"
}

// bare is an amount without its sign.
func bare(m farebox.Money) string { return strings.TrimPrefix(m.String(), "$") }
