package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// genaiPrices reads a model's prices: one set of them, or a list in which each has a condition. skipped says which
// price has no place in the snapshot.
func genaiPrices(v any) (prices []price, skipped string, err error) {
	if conditional, ok := v.([]any); ok {
		return genaiHistory(conditional)
	}
	p, skipped, err := genaiPrice(asObject(v))
	return []price{p}, skipped, err
}

// genaiHistory reads a list of conditional prices, of which the last one whose condition holds is charged: without a
// condition or from a date on they are the history; those for a time of the day hold beside the newest price. (The
// source says as much in its comments: one entry cannot carry both a date and a time.)
func genaiHistory(conditional []any) (history []price, skipped string, err error) {
	var hours []override
	for _, entry := range conditional {
		p, skipped, err := genaiPrice(asObject(asObject(entry)["prices"]))
		if err != nil || skipped != "" {
			return nil, skipped, err
		}
		constraint := asObject(asObject(entry)["constraint"])
		switch kind, _ := constraint["type"].(string); {
		case constraint == nil:
			history = append(history, p)
		case kind == "start_date":
			p.from, _ = constraint["start_date"].(string)
			history = append(history, p)
		case kind == "time_of_date" && p.tiers == nil:
			w, err := genaiWindow(constraint)
			if err != nil {
				return nil, "", err
			}
			hours = append(hours, override{when: w, rates: p.rates})
		default:
			return nil, "", fmt.Errorf("price condition %q cannot be expressed", kind)
		}
	}
	if len(history) == 0 {
		return nil, "", errors.New("no price holds all day")
	}
	slices.SortStableFunc(history, func(a, b price) int { return cmp.Compare(a.from, b.from) })
	history[len(history)-1].overrides = hours
	return slices.CompactFunc(history, price.equal), "", nil
}

// genaiWindow reads times such as 16:30:00Z.
func genaiWindow(constraint map[string]any) (when string, err error) {
	start, _ := constraint["start_time"].(string)
	end, _ := constraint["end_time"].(string)
	from, to := strings.TrimSuffix(start, ":00Z"), strings.TrimSuffix(end, ":00Z")
	if len(from) != len("16:30") || len(to) != len("16:30") {
		return "", fmt.Errorf("%q to %q is no time of day in UTC", start, end)
	}
	return "@" + from + "-" + to, nil
}

// genaiPrice reads one set of prices. Tiers are listed there per price, here per threshold.
func genaiPrice(source map[string]any) (p price, skipped string, err error) {
	p.rates = rates{}
	for _, key := range slices.Sorted(maps.Keys(source)) {
		v := source[key]
		if v == nil {
			continue
		}
		if key == "audio_hours" || key == "input_audio_hours" {
			if p.rates["audio_ms"], err = divided(v, 3_600_000); err != nil {
				return price{}, "", fmt.Errorf("%s: %w", key, err)
			}
			continue
		}
		target, ok := genaiKeys[key]
		if !ok {
			return price{}, "a price per " + key, nil
		}
		if err := p.add(target.dimension, target.shift, v); err != nil {
			return price{}, "", fmt.Errorf("%s: %w", key, err)
		}
	}
	slices.SortFunc(p.tiers, func(a, b tier) int { return cmp.Compare(a.threshold(), b.threshold()) })
	return p, "", nil
}

// threshold is the first input length that the tier applies to.
func (t tier) threshold() int64 {
	if t.inclusive {
		return t.over
	}
	return t.over + 1
}

// add puts in a price that is a number or {base, tiers}.
func (p *price) add(dimension string, shift int, v any) error {
	base, tiered := v, asObject(v)
	if tiered != nil {
		base = tiered["base"]
	}
	text, err := decimalOf(base, shift)
	if err != nil {
		return err
	}
	p.rates[dimension] = text
	for _, entry := range asArray(tiered["tiers"]) {
		start := wholeNumber(asObject(entry)["start"])
		if start == 0 {
			return errors.New("a tier has no start")
		}
		if text, err = decimalOf(asObject(entry)["price"], shift); err != nil {
			return err
		}
		p.tierAbove(start).rates[dimension] = text
	}
	return nil
}

func decimalOf(v any, shift int) (string, error) {
	literal, ok := v.(number)
	if !ok {
		return "", fmt.Errorf("%v is no number", v)
	}
	return plainDecimal(string(literal), shift)
}

// tierAbove returns the tier for inputs of more than start tokens, made new where there is none. Starts such as
// 199999 are how the source writes "200000 or more", and are written back as that.
func (p *price) tierAbove(start int64) *tier {
	t := tier{over: start, rates: rates{}}
	if strings.HasSuffix(strconv.FormatInt(start, 10), "999") {
		t.over, t.inclusive = start+1, true
	}
	for i := range p.tiers {
		if p.tiers[i].threshold() == t.threshold() {
			return &p.tiers[i]
		}
	}
	p.tiers = append(p.tiers, t)
	return &p.tiers[len(p.tiers)-1]
}
