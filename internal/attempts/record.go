package attempts

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/farebox-go/farebox/store"
)

// record is a line of the log: one of its fields is set.
type record struct {
	Client    *clientRecord  `json:"client,omitempty"` // what follows is about it
	Opened    *attemptRecord `json:"opened,omitempty"`
	Ended     *endedRecord   `json:"ended,omitempty"`
	Corrected *endedRecord   `json:"corrected,omitempty"`
	Known     *attemptRecord `json:"known,omitempty"` // unsettled, its amounts in the sums already
	Told      *toldRecord    `json:"told,omitempty"`
	Settled   string         `json:"settled,omitempty"` // attempt of whose correction the store knows
	Gone      string         `json:"gone,omitempty"`    // client that there is nothing to be given back of
}

type clientRecord struct {
	Name string `json:"name"`
	Boot string `json:"boot,omitempty"`
	Kind string `json:"kind,omitempty"`
}

type attemptRecord struct {
	ID       string          `json:"id"`
	Receipt  json.RawMessage `json:"receipt,omitempty"`
	Postings []Posting       `json:"on,omitempty"`
	Kind     string          `json:"kind,omitempty"`
	Fixes    int             `json:"fixes,omitempty"`
	Pending  []fix           `json:"pending,omitempty"`
}

type endedRecord struct {
	ID      string  `json:"id"`
	Booked  []int64 `json:"booked,omitempty"` // a figure for each posting
	Settled bool    `json:"settled,omitempty"`
}

func (r *endedRecord) fits(a *Attempt) error {
	if len(r.Booked) != len(a.Postings) {
		return fmt.Errorf("attempt %s: %d figures for %d postings", a.ID, len(r.Booked), len(a.Postings))
	}
	return nil
}

type toldRecord struct {
	Client string      `json:"client"`
	Sums   []sumRecord `json:"sums"`
}

type sumRecord struct {
	store.Account
	Spent    int64 `json:",omitempty"` // in a snapshot: but for the attempts that are open
	Returned int64 `json:",omitempty"`
	Over     int64 `json:",omitempty"`
}

func (a *Attempt) record() *attemptRecord {
	return &attemptRecord{ID: a.ID, Receipt: a.Receipt, Postings: a.Postings, Kind: a.kind, Fixes: a.fixes, Pending: a.pending}
}

func (r *attemptRecord) attempt(of *Client) *Attempt {
	return &Attempt{ID: r.ID, Receipt: r.Receipt, Postings: r.Postings, client: of, kind: r.Kind, fixes: r.Fixes, pending: r.Pending}
}

// replay takes a record up again. All clients in it are of processes that are gone. What makes no sense keeps nobody from
// starting: it keeps anything from being given back.
func (l *Log) replay(data []byte) error {
	var r record
	if err := json.Unmarshal(data, &r); err != nil || !l.take(&r) {
		l.doubtful = true
	}
	return nil
}

func (l *Log) take(r *record) (ok bool) {
	switch {
	case r.Client != nil:
		l.client = newClient(r.Client)
		l.gone = append(l.gone, l.client)
	case r.Gone != "":
		l.gone = slices.DeleteFunc(l.gone, func(c *Client) bool { return c.Name == r.Gone })
	case r.Told != nil:
		if i := slices.IndexFunc(l.gone, func(c *Client) bool { return c.Name == r.Told.Client }); i >= 0 {
			l.gone[i].told(r.Told)
		}
	case r.Known != nil:
		l.keep(r.Known.attempt(l.client))
	case l.client == nil:
		return false
	default:
		return l.takeAttempt(r)
	}
	return true
}

func (l *Log) takeAttempt(r *record) (ok bool) {
	switch {
	case r.Opened != nil:
		l.opened(r.Opened.attempt(l.client))
	case r.Ended != nil:
		a := l.open[r.Ended.ID]
		if a == nil || r.Ended.fits(a) != nil {
			return false
		}
		l.ended(a, r.Ended)
	case r.Corrected != nil:
		a := l.unsettled[r.Corrected.ID]
		if a == nil || r.Corrected.fits(a) != nil {
			return false
		}
		l.corrected(a, r.Corrected)
	case r.Settled != "":
		if a := l.unsettled[r.Settled]; a != nil && len(a.pending) > 0 {
			a.pending = a.pending[1:]
		}
	default:
		return false
	}
	return true
}

// snapshot is records that stand for all that the log has to remember; mu is held.
func (l *Log) snapshot(now time.Time) (encoded [][]byte, err error) {
	var records []record
	clients, open := append(slices.Clone(l.gone), l.client), l.unended()
	unsettled := func(of *Client) {
		for _, id := range l.order {
			if a := l.unsettled[id]; a.client == of || of == nil && !slices.Contains(clients, a.client) {
				records = append(records, record{Known: a.record()})
			}
		}
	}
	unsettled(nil) // those of clients that are forgotten come before any
	for _, c := range clients {
		records = append(records, record{Client: &clientRecord{Name: c.Name, Boot: c.Boot, Kind: c.Kind}})
		records = c.appendSums(records, open, now)
		unsettled(c)
		for _, a := range open {
			if a.client == c {
				records = append(records, record{Opened: a.record()})
			}
		}
	}
	encoded = make([][]byte, len(records))
	for i := range records {
		if encoded[i], err = json.Marshal(&records[i]); err != nil {
			return nil, err
		}
	}
	return encoded, nil
}

// appendSums appends where a client stands, but for what is open.
func (c *Client) appendSums(records []record, open []*Attempt, now time.Time) []record {
	held := make(map[store.Account]int64)
	for _, a := range open {
		if a.client == c {
			for i := range a.Postings {
				held[a.Postings[i].Account] += a.Postings[i].Amount
			}
		}
	}
	for of, s := range c.sums {
		if _, needed := held[of]; !needed && outOfView(of.Window, now.Add(-keepSums)) {
			delete(c.sums, of)
			continue
		}
		records = append(records, record{Told: &toldRecord{Client: c.Name, Sums: []sumRecord{
			{Account: of, Spent: s.spent - held[of], Returned: s.returned, Over: s.over},
		}}})
	}
	return records
}

// outOfView says whether no window that holds an instant counts what was spent in w.
func outOfView(w store.Window, at time.Time) bool {
	return w.End != 0 && w.End+(w.End-w.View) < at.UnixNano()
}

func byID(a, b *Attempt) int { return cmp.Compare(a.ID, b.ID) }
