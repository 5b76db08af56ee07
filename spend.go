package farebox

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
)

// SpendQuery asks a [LedgerReader] who spent what. The zero value asks for one total of everything.
type SpendQuery struct {
	Filter
	// By names what to add up by: "model", "endpoint", "key", "day" and "hour" in UTC (as 2026-11-24 and 2026-11-24T08), and
	// "tag:NAME", where receipts without the tag stand under "".
	By []string
	// Limit is how many groups are wanted, the dearest; 0: all.
	Limit int
}

// Spend is what one group of receipts came to.
type Spend struct {
	// Groups are the group's values, in the order of the query's By.
	Groups []string `json:"groups"`
	Total
}

// HourLayout is how an hour is written as a group, as time.Format has it; a day is written by time.DateOnly.
const HourLayout = "2006-01-02T15"

// Summary adds receipts up as they come, without keeping them. It is what [LedgerReader] implementations are made of: make one
// with [NewSummary]. Not safe for concurrent use.
type Summary struct {
	query  SpendQuery
	groups []Grouping
	spend  map[string]*Spend
	key    []byte
}

// NewSummary makes a Summary that answers a query. Its error names a group that is not known.
func NewSummary(query SpendQuery) (*Summary, error) {
	if query.Limit < 0 {
		return nil, fmt.Errorf("farebox: a limit of %d groups: want none below zero", query.Limit)
	}
	s := &Summary{query: query, spend: make(map[string]*Spend)}
	for _, name := range query.By {
		group, err := groupingOf(name)
		if err != nil {
			return nil, err
		}
		s.groups = append(s.groups, group)
	}
	if len(query.By) == 0 {
		s.spend[""] = &Spend{Groups: []string{}}
	}
	return s, nil
}

func groupingOf(name string) (Grouping, error) {
	switch name {
	case "model":
		return ByModel, nil
	case "endpoint":
		return ByEndpoint, nil
	case "key":
		return ByKey, nil
	case "day":
		return ByDay(time.UTC), nil
	case "hour":
		return func(r *Receipt) string { return r.Start.UTC().Format(HourLayout) }, nil
	}
	if tag, ok := strings.CutPrefix(name, "tag:"); ok && tag != "" {
		return ByTag(tag), nil
	}
	return nil, fmt.Errorf("farebox: %q is nothing to add up by: want model, endpoint, key, day, hour or tag:NAME", name)
}

// Add adds a receipt and the sum of its adjustments, if the query's filter selects it.
func (s *Summary) Add(r *Receipt, adjustments Money) {
	var t Total
	t.add(r, adjustments)
	s.AddTotal(r, t)
}

// AddTotal adds what receipts came to that are like one in all that the query asks for: its start, endpoint, key, model and
// tags, nothing else of it is looked at. Stores that keep sums use it.
func (s *Summary) AddTotal(like *Receipt, t Total) {
	if !s.query.match(like) {
		return
	}
	s.key = s.key[:0]
	for _, group := range s.groups {
		value := group(like)
		s.key = binary.AppendUvarint(s.key, uint64(len(value)))
		s.key = append(s.key, value...)
	}
	sum := s.spend[string(s.key)]
	if sum == nil {
		sum = &Spend{Groups: make([]string, len(s.groups))}
		for i, group := range s.groups {
			sum.Groups[i] = group(like)
		}
		s.spend[string(s.key)] = sum
	}
	sum.Attempts += t.Attempts
	sum.Unpriced += t.Unpriced
	sum.Unsettled += t.Unsettled
	sum.Cost = sum.Cost.Add(t.Cost)
	sum.InputTokens += t.InputTokens
	sum.OutputTokens += t.OutputTokens
}

// Spend is the answer: the groups, dearest first, those that cost the same in the order of their names.
func (s *Summary) Spend() []Spend {
	all := make([]Spend, 0, len(s.spend))
	for _, sum := range s.spend {
		all = append(all, *sum)
	}
	slices.SortFunc(all, func(a, b Spend) int {
		return cmp.Or(b.Cost.Cmp(a.Cost), slices.Compare(a.Groups, b.Groups))
	})
	if s.query.Limit > 0 && len(all) > s.query.Limit {
		all = all[:s.query.Limit]
	}
	return all
}

// Match says whether the filter selects a receipt.
func (f Filter) Match(r *Receipt) bool { return f.match(r) }
