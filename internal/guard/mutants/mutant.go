package main

import (
	"runtime"
	"sync"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
	"github.com/farebox-go/farebox/internal/guard/guardtest"
	"github.com/farebox-go/farebox/internal/guard/reference"
)

// A mutant is a guard with one mistake, each of them one that has been made somewhere. It is plain: every record is kept.
// Without a mistake it is sound.
type mutant struct {
	mistake mistake
	mu      sync.Mutex
	limits  []*reference.Counter
	records map[int][]*reference.Record // of an attempt, as many as its postings
	places  map[int][]guardtest.Posting
	latest  time.Time
}

type mistake string

const (
	none            mistake = "none"
	checkThenAct    mistake = "check, then act"
	checkThenRecord mistake = "holds are not counted"
	offByOne        mistake = "off by one"
	partialHold     mistake = "partial hold"
	shrunkHold      mistake = "hold shrunk to what is left"
	noIdempotency   mistake = "a repeated request holds again"
	doubleSettle    mistake = "settled twice"
	refundOnTimeout mistake = "refund on timeout"
	cancelIsFree    mistake = "cancelled costs nothing"
	endReopens      mistake = "a late end undoes the first"
	lostOverrun     mistake = "overrun cut to the hold"
	refundElsewhere mistake = "refund into a new window"
	earlyWindow     mistake = "window opens a tick early"
	clockRunsBack   mistake = "clock runs back"
	narrowRolling   mistake = "oldest bucket forgotten"
	leakedHold      mistake = "cancelled holds stay open"
	figureAdds      mistake = "reconciled on top"
	holdOfNothing   mistake = "full refuses a call of nothing"
	growsUnasked    mistake = "a stream grows without asking"
	growsInPart     mistake = "growth is held on the first limit only"
	growsBehind     mistake = "growth stays in the old window"

	// Of what is made of outcomes, outside of the guard.
	cutIsFree      mistake = "a stream that was cut costs nothing"
	silenceIsFree  mistake = "an answer without usage costs nothing"
	unpricedIsFree mistake = "a model without a price is admitted"
)

// mistakes are all that have to be found.
var mistakes = []mistake{
	checkThenAct, checkThenRecord, offByOne, partialHold, shrunkHold, noIdempotency, doubleSettle, refundOnTimeout, cancelIsFree,
	endReopens, lostOverrun, refundElsewhere, earlyWindow, clockRunsBack, narrowRolling, leakedHold, figureAdds, holdOfNothing,
	growsUnasked, growsInPart, growsBehind,
}

// factory makes mutants for the suite.
func (wrong mistake) factory(limits []guard.Limit) (guardtest.Subject, error) {
	m := &mutant{mistake: wrong, records: make(map[int][]*reference.Record), places: make(map[int][]guardtest.Posting)}
	for _, l := range limits {
		w := l.Window
		if wrong == narrowRolling && w.Kind == guard.Rolling {
			w.Length -= w.Length / time.Duration(w.Buckets)
			w.Buckets--
		}
		m.limits = append(m.limits, &reference.Counter{Window: w, Cap: l.Cap})
	}
	return m, nil
}

func (m *mutant) lock(now time.Time) {
	m.mu.Lock()
	if m.mistake == earlyWindow {
		now = now.Add(1)
	}
	if now.After(m.latest) || m.mistake == clockRunsBack {
		m.latest = now
	}
}

func (m *mutant) Admit(now time.Time, id int, postings []guardtest.Posting) guard.Reason {
	m.lock(now)
	defer m.mu.Unlock()
	if m.records[id] != nil && m.mistake != noIdempotency {
		return guard.Admitted
	}
	postings = append([]guardtest.Posting(nil), postings...)
	reason := m.decide(postings)
	if m.mistake == checkThenAct {
		m.mu.Unlock()
		for range 50 {
			runtime.Gosched()
		}
		m.mu.Lock()
	}
	if m.mistake == partialHold && reason != guard.Admitted {
		m.take(id, postings[:1])
		return reason
	}
	if reason == guard.Admitted {
		m.take(id, postings)
	}
	return reason
}

func (m *mutant) decide(postings []guardtest.Posting) guard.Reason {
	asked := make([]reference.Posting, len(postings))
	for i := range postings {
		c := m.limits[postings[i].Limit]
		room := c.Room(m.latest)
		amount := &postings[i].Amount
		asked[i] = reference.Posting{Counter: c, Amount: *amount}
		switch m.mistake {
		case offByOne:
			asked[i].Amount = max(0, *amount-1)
		case checkThenRecord:
			_, held := c.Sums(m.latest)
			asked[i].Amount = max(0, *amount-held)
		case shrunkHold:
			if room > 0 {
				*amount = min(*amount, room)
				asked[i].Amount = *amount
			}
		case holdOfNothing:
			if room == 0 {
				asked[i].Amount++
			}
		}
	}
	return reference.Decide(m.latest, asked).Reason
}

func (m *mutant) take(id int, postings []guardtest.Posting) {
	for _, p := range postings {
		r := &reference.Record{At: m.latest, Held: p.Amount, Open: true}
		m.records[id], m.places[id] = append(m.records[id], r), append(m.places[id], p)
		m.limits[p.Limit].Records = append(m.limits[p.Limit].Records, r)
	}
}

func (m *mutant) Extend(now time.Time, id int, more []int64) guard.Reason {
	m.lock(now)
	defer m.mu.Unlock()
	records := m.records[id]
	asked := make([]reference.Posting, len(records))
	for i, r := range records {
		if !r.Open {
			return guard.Invalid
		}
		r.Open = false // for now
		asked[i] = reference.Posting{Counter: m.limits[m.places[id][i].Limit], Amount: r.Held + more[i]}
	}
	reason := reference.Decide(m.latest, asked).Reason
	if m.mistake == growsUnasked {
		reason = guard.Admitted
	}
	for i, r := range records {
		r.Open = true
		if reason != guard.Admitted || m.mistake == growsInPart && i > 0 {
			continue
		}
		if r.Held += more[i]; m.mistake != growsBehind {
			r.At = m.latest
		}
	}
	return reason
}

// end ends what is open of an attempt; booked is nil where the whole hold is charged.
func (m *mutant) end(now time.Time, id int, booked []int64) {
	m.lock(now)
	defer m.mu.Unlock()
	for i, r := range m.records[id] {
		if !r.Open && m.mistake != doubleSettle && m.mistake != endReopens {
			continue
		}
		amount := r.Held
		if booked != nil {
			amount = booked[i%len(booked)]
		}
		c := m.limits[m.places[id][i].Limit]
		switch {
		case m.mistake == lostOverrun:
			amount = min(amount, r.Held)
		case m.mistake == doubleSettle && !r.Open:
			amount += r.Booked
		case m.mistake == refundElsewhere && !c.Counts(r.At, m.latest):
			c.Records = append(c.Records, &reference.Record{At: m.latest, Booked: min(0, amount-r.Held)})
		}
		r.Open, r.Booked = false, amount
	}
}

func (m *mutant) Settle(now time.Time, id int, actual []int64) { m.end(now, id, actual) }

func (m *mutant) Unsent(now time.Time, id int) { m.end(now, id, []int64{0}) }

func (m *mutant) Unknown(now time.Time, id int) {
	switch m.mistake {
	case leakedHold:
	case cancelIsFree:
		m.end(now, id, []int64{0})
	default:
		m.end(now, id, nil)
	}
}

func (m *mutant) Expire(now time.Time, id int) {
	if m.mistake == refundOnTimeout {
		m.end(now, id, []int64{0})
		return
	}
	m.end(now, id, nil)
}

func (m *mutant) Reconcile(now time.Time, id int, actual []int64) {
	m.lock(now)
	defer m.mu.Unlock()
	for i, r := range m.records[id] {
		if r.Open {
			return
		}
		if m.mistake == figureAdds {
			actual[i%len(actual)] += r.Booked
		}
		r.Booked = actual[i%len(actual)]
	}
}

func (m *mutant) Sums(now time.Time, limit int) (spent, held int64) {
	m.lock(now)
	defer m.mu.Unlock()
	return m.limits[limit].Sums(m.latest)
}
