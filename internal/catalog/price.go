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
		case strings.HasPrefix(word, ">") && !strings.Contains(word, "&"):
			into, reason = row.openTier(word)
		case word != "" && strings.IndexByte(conditionMarks, word[0]) >= 0:
			into, reason = row.openOverride(word)
		case strings.HasPrefix(word, "*"):
			reason = row.multiply(word)
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
	if !ok || len(r.Overrides) > 0 || len(r.Tiers) > 0 && tier.Over <= r.Tiers[len(r.Tiers)-1].Over {
		return nil, fmt.Sprintf("%.30q opens no tier above the one before it", word)
	}
	r.Tiers = append(r.Tiers, tier)
	return &r.Tiers[len(r.Tiers)-1].Rates, ""
}

// conditionMarks begin the conditions of an override.
const conditionMarks = ">@%#~!"

// openOverride reads conditions joined by "&": ">200000" input, "@16:30-00:30" hours, "%12345" days from Monday as 1 to Sunday
// as 7, "#flex" service tier, "~us" region ("~regional": any but the global one), "!fast" speed.
func (r *Row) openOverride(word string) (into *[]Rate, reason string) {
	var when When
	for condition := range strings.SplitSeq(word, "&") {
		if !when.add(condition) {
			return nil, fmt.Sprintf("%.30q opens no override such as #flex&>200000 or @16:30-00:30", word)
		}
	}
	r.Overrides = append(r.Overrides, Override{When: when})
	return &r.Overrides[len(r.Overrides)-1].Rates, ""
}

func (w *When) add(condition string) bool {
	if len(condition) < 2 {
		return false
	}
	value := condition[1:]
	switch condition[0] {
	case '>':
		tier, ok := parseThreshold(condition)
		w.Over, w.Inclusive = tier.Over, tier.Inclusive
		return ok
	case '@':
		start, end, _ := strings.Cut(value, "-")
		var okStart, okEnd bool
		w.Start, okStart = parseTimeOfDay(start)
		w.End, okEnd = parseTimeOfDay(end)
		return okStart && okEnd
	case '%':
		for i := range len(value) {
			if value[i] < '1' || value[i] > '7' {
				return false
			}
			w.Days |= 1 << ((value[i] - '0') % 7)
		}
		return true
	case '#':
		w.ServiceTier = value
	case '~':
		w.Region = value
	case '!':
		w.Speed = value
	default:
		return false
	}
	return true
}

// multiply reads "*0.5", the factor of the override that is open.
func (r *Row) multiply(word string) (reason string) {
	if len(r.Overrides) == 0 || !isDecimal(word[1:]) {
		return fmt.Sprintf("%.30q is no factor of an override, such as *0.5", word)
	}
	r.Overrides[len(r.Overrides)-1].Multiply = word[1:]
	return ""
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
	i := place(dimension)
	if i < 0 || !isDecimal(price) {
		return Rate{}, false
	}
	if dimension == dimensions[i] {
		dimension = dimensions[i] // the constant, which keeps no text alive
	}
	return Rate{Dimension: dimension, Price: price}, true
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
	a, b := place(r.Dimension), place(previous.Dimension)
	return a > b || a == b && r.Dimension > previous.Dimension
}

// missingRate names what a priced row must have and lacks.
func (r *Row) missingRate() (reason string) {
	has := func(dimension string) bool {
		return slices.ContainsFunc(r.Rates, func(rate Rate) bool { return rate.Dimension == dimension })
	}
	if !has(Input) && !r.Other {
		return "no rate for input"
	}
	if !r.Embedding && !r.Other && !has(Output) {
		return "no rate for output"
	}
	if len(r.Rates) == 0 {
		return "no rate"
	}
	for _, tier := range r.Tiers {
		if len(tier.Rates) == 0 {
			return "a tier has no rates"
		}
	}
	for _, o := range r.Overrides {
		if len(o.Rates) == 0 && o.Multiply == "" {
			return "an override has no rates"
		}
	}
	return ""
}
