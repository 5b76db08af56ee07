package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// parsePrice fills in what the row costs.
func (p *parser) parsePrice(row *Row, s string) (reason string) {
	switch s {
	case "free":
		row.Free = true
		return ""
	case "variable":
		row.Variable = true
		return ""
	}
	into := &row.Rates
	for word := range strings.SplitSeq(s, " ") {
		switch {
		case strings.HasPrefix(word, ">"):
			into, reason = row.openTier(word)
		case strings.HasPrefix(word, "@"):
			into, reason = row.openWindow(word)
		default:
			reason = p.addRate(into, word)
		}
		if reason != "" {
			return reason
		}
	}
	return row.missingRate()
}

// addRate appends a rate to the list that is open, which is the end of the slab.
func (p *parser) addRate(into *[]Rate, word string) (reason string) {
	rate, ok := parseRate(word)
	if !ok {
		return fmt.Sprintf("%.40q is no rate such as input=2.5", word)
	}
	if len(*into) > 0 && !rate.sortsBehind((*into)[len(*into)-1]) {
		return fmt.Sprintf("rate %s is a duplicate or not in order", rate.Dimension)
	}
	p.rates = append(p.rates, rate)
	*into = slices.Clip(p.rates[len(p.rates)-len(*into)-1:])
	return ""
}

func (r *Row) openTier(word string) (into *[]Rate, reason string) {
	tier, ok := parseThreshold(word)
	if !ok || len(r.Windows) > 0 || len(r.Tiers) > 0 && tier.Over <= r.Tiers[len(r.Tiers)-1].Over {
		return nil, fmt.Sprintf("%.30q opens no tier above the one before it", word)
	}
	r.Tiers = append(r.Tiers, tier)
	return &r.Tiers[len(r.Tiers)-1].Rates, ""
}

func (r *Row) openWindow(word string) (into *[]Rate, reason string) {
	start, end, _ := strings.Cut(word[1:], "-")
	window := Window{}
	var okStart, okEnd bool
	window.Start, okStart = parseTimeOfDay(start)
	window.End, okEnd = parseTimeOfDay(end)
	if !okStart || !okEnd || len(r.Tiers) > 0 {
		return nil, fmt.Sprintf("%.30q opens no window such as @16:30-00:30", word)
	}
	r.Windows = append(r.Windows, window)
	return &r.Windows[len(r.Windows)-1].Rates, ""
}

// parseTimeOfDay reads "16:30".
func parseTimeOfDay(s string) (sinceMidnight time.Duration, ok bool) {
	t, err := time.Parse("15:04", s)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err == nil && len(s) == len("16:30")
}

// parseThreshold reads ">200000" and ">=200000".
func parseThreshold(word string) (tier Tier, ok bool) {
	number, inclusive := strings.CutPrefix(word[1:], "=")
	over, ok := parseCount(number)
	return Tier{Over: over, Inclusive: inclusive}, ok && over > 0
}

// parseRate reads "input=2.5".
func parseRate(word string) (rate Rate, ok bool) {
	dimension, price, _ := strings.Cut(word, "=")
	i := slices.Index(dimensions[:], dimension)
	if i < 0 || !isDecimal(price) {
		return Rate{}, false
	}
	return Rate{Dimension: dimensions[i], Price: price}, true
}

// isDecimal reports whether s is digits, with a point among them at most once.
func isDecimal(s string) bool {
	whole, fraction, point := strings.Cut(s, ".")
	return allDigits(whole) && (!point || allDigits(fraction))
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func (r Rate) sortsBehind(previous Rate) bool {
	return slices.Index(dimensions[:], r.Dimension) > slices.Index(dimensions[:], previous.Dimension)
}

// missingRate names what a priced row must have and lacks.
func (r *Row) missingRate() (reason string) {
	has := func(dimension string) bool {
		return slices.ContainsFunc(r.Rates, func(rate Rate) bool { return rate.Dimension == dimension })
	}
	if !has(Input) {
		return "no rate for input"
	}
	if !r.Embedding && !has(Output) {
		return "no rate for output"
	}
	for _, tier := range r.Tiers {
		if len(tier.Rates) == 0 {
			return "a tier has no rates"
		}
	}
	for _, window := range r.Windows {
		if len(window.Rates) == 0 {
			return "a window has no rates"
		}
	}
	return ""
}
