// Package attempts is a log of attempts, written ahead of what they may cost. From it the next process can tell what one that
// died had in flight, and how much of what it had borrowed from a store it had spent.
//
// A record is in the operating system's hands before the attempt that it is about goes on: it outlives the process, not a loss
// of power. After that, what the log says was spent may be too little, and nothing is given back by it.
package attempts

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/farebox-go/farebox/internal/journal"
	"github.com/farebox-go/farebox/store"
)

// maxUnsettled bounds the attempts that are kept for a later figure of what they cost.
const maxUnsettled = 8192

// A log is written anew when it is larger than leastRewrite bytes and than four times what it must hold.
const leastRewrite = 16 << 20

// keepSums is how long sums are kept after a window has left every view.
const keepSums = 24 * time.Hour

// Log is an open log. Make one with [Open]. Safe for concurrent use.
type Log struct {
	settling sync.Mutex // one who tells the store at a time

	boot string // of the machine; empty: not known

	mu        sync.Mutex // orders what is appended as it came about
	file      *journal.File
	rewriteAt int64
	client    *Client   // of this process; nil until Begin, and in a replay the last one that began
	gone      []*Client // of earlier processes, with something that may be given back
	open      map[string]*Attempt
	unsettled map[string]*Attempt
	order     []string // of the unsettled, oldest first
	buf       []byte   // of the last record
	doubtful  bool     // a record made no sense: what was spent is not known
}

// Client is what a process of this name has spent of the allowance that it borrowed.
type Client struct {
	Name string
	Boot string // of the machine, when the process was at work; empty: not known
	Kind string // of its store
	sums map[store.Account]*sum
}

// sum is where a client stands on an account: what it had set aside or booked, and what it told its store.
type sum struct{ spent, returned, over int64 }

// Posting is what an attempt takes of one account: set aside, then booked.
type Posting struct {
	store.Account
	Amount int64
	Place  int  // among the budgets of the receipt
	Money  bool // rather than tokens or requests
}

// Attempt is an attempt as the log knows it.
type Attempt struct {
	ID       string
	Receipt  json.RawMessage // as far as it was known when the attempt began
	Postings []Posting

	client  *Client // nil: it is forgotten
	kind    string  // of the store
	fixes   int     // how often it was corrected after its client was gone
	pending []fix   // of which the store need not know yet, oldest first
}

// fix is a correction of an attempt whose client is gone.
type fix struct {
	Number int
	Of     []store.Correction
}

// Open opens a log, made if it does not exist. Errors are those of [journal.Open]. lost are the earlier processes that nothing
// can be given back for: the machine was started anew since, or the log has damage that the end of a process cannot have done.
func Open(path string) (l *Log, lost []*Client, err error) { return openIn(path, bootID()) }

func openIn(path, boot string) (l *Log, lost []*Client, err error) {
	l = &Log{boot: boot, open: make(map[string]*Attempt), unsettled: make(map[string]*Attempt)}
	if l.file, err = journal.Open(path, l.replay); err != nil {
		return nil, nil, err
	}
	l.client = nil
	known := !l.file.Gap() && !l.doubtful
	keep := func(c *Client) bool { return known && boot != "" && c.Boot == boot }
	for _, c := range l.gone {
		if !keep(c) {
			lost = append(lost, c)
		}
	}
	l.gone = slices.DeleteFunc(l.gone, func(c *Client) bool { return !keep(c) })
	return l, lost, nil
}

// Begin starts the record of this process, a client of a name at a store of a kind. Of earlier ones it keeps what is still
// to be settled.
func (l *Log) Begin(name, kind string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client = newClient(&clientRecord{Name: name, Boot: l.boot, Kind: kind})
	return l.rewrite()
}

func newClient(r *clientRecord) *Client {
	return &Client{Name: r.Name, Boot: r.Boot, Kind: r.Kind, sums: make(map[store.Account]*sum)}
}

func (c *Client) sum(of *store.Account) *sum {
	s := c.sums[*of]
	if s == nil {
		s = &sum{}
		c.sums[*of] = s
	}
	return s
}

// Note writes down that an attempt is about to be sent. With an error nothing says so.
func (l *Log) Note(a *Attempt) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.client, a.kind = l.client, l.client.Kind
	if err := l.write(appendOpened(l.buf[:0], a)); err != nil {
		return err
	}
	l.opened(a)
	return l.shrink()
}

func (l *Log) opened(a *Attempt) {
	for i := range a.Postings {
		p := &a.Postings[i]
		a.client.sum(&p.Account).spent += p.Amount
	}
	l.open[a.ID] = a
}

// End writes down that an attempt has ended, and what was booked for each of its postings. settled says that its cost is
// known for good.
func (l *Log) End(id string, booked []int64, settled bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.open[id]
	if a == nil {
		return unknown(id)
	}
	r := &endedRecord{ID: id, Booked: booked, Settled: settled}
	if err := r.fits(a); err != nil {
		return err
	}
	if err := l.write(appendEnded(l.buf[:0], r)); err != nil {
		return err
	}
	l.ended(a, r)
	return l.shrink()
}

func unknown(id string) error {
	return fmt.Errorf("log of attempts: it has no attempt %s that can be changed", id)
}

func (l *Log) ended(a *Attempt, r *endedRecord) {
	a.book(r.Booked)
	a.Receipt = nil
	delete(l.open, a.ID)
	if !r.Settled {
		l.keep(a)
	}
}

// keep keeps an attempt for a later figure, and lets go of the oldest.
func (l *Log) keep(a *Attempt) {
	l.unsettled[a.ID] = a
	if l.order = append(l.order, a.ID); len(l.order) > maxUnsettled {
		delete(l.unsettled, l.order[0])
		l.order = l.order[1:]
	}
}

// book replaces what the attempt's postings stand at.
func (a *Attempt) book(booked []int64) {
	for i := range a.Postings {
		p := &a.Postings[i]
		a.client.sum(&p.Account).spent += booked[i] - p.Amount
		p.Amount = booked[i]
	}
}

// Unsettled is an attempt that has ended and whose cost is open; nil: there is none of that id.
func (l *Log) Unsettled(id string) *Attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unsettled[id]
}

// InFlight returns the attempts that have not ended, oldest first. Before Begin those are what earlier processes left.
func (l *Log) InFlight() []*Attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unended()
}

func (l *Log) unended() []*Attempt {
	all := make([]*Attempt, 0, len(l.open))
	for _, a := range l.open {
		all = append(all, a)
	}
	slices.SortFunc(all, byID)
	return all
}

// Correct writes down other figures for an attempt that has ended. Where its client is gone, SettleUp tells the store.
func (l *Log) Correct(id string, booked []int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.unsettled[id]
	if a == nil {
		return unknown(id)
	}
	r := &endedRecord{ID: id, Booked: booked}
	if err := r.fits(a); err != nil {
		return err
	}
	if err := l.append(&record{Corrected: r}); err != nil {
		return err
	}
	l.corrected(a, r)
	return l.shrink()
}

func (l *Log) corrected(a *Attempt, r *endedRecord) {
	if a.client != nil && a.client == l.client {
		a.book(r.Booked)
		return
	}
	a.fixes++
	f := fix{Number: a.fixes}
	for i := range a.Postings {
		p := &a.Postings[i]
		if difference := r.Booked[i] - p.Amount; difference != 0 {
			f.Of = append(f.Of, store.Correction{Account: p.Account, Amount: difference})
		}
		p.Amount = r.Booked[i]
	}
	if f.Of != nil && a.kind == l.client.Kind { // or else it was charged elsewhere
		a.pending = append(a.pending, f)
	}
}

// told writes down what a client is about to tell its store, so far as that is news.
func (l *Log) told(client string, lines []store.Line) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client == nil || l.client.Name != client {
		return nil
	}
	return l.tell(l.client, lines)
}

func (l *Log) tell(c *Client, lines []store.Line) error {
	var news []sumRecord
	for i := range lines {
		line := &lines[i]
		if s := c.sums[line.Account]; s == nil || line.Returned > s.returned || line.Over > s.over {
			news = append(news, sumRecord{Account: line.Account, Returned: line.Returned, Over: line.Over})
		}
	}
	if len(news) == 0 {
		return nil
	}
	r := &toldRecord{Client: c.Name, Sums: news}
	if err := l.append(&record{Told: r}); err != nil {
		return err
	}
	c.told(r)
	return l.shrink()
}

func (c *Client) told(r *toldRecord) {
	for i := range r.Sums {
		news := &r.Sums[i]
		s := c.sum(&news.Account)
		s.spent += news.Spent
		s.returned, s.over = max(s.returned, news.Returned), max(s.over, news.Over)
	}
}

// Telling is a store that is told nothing by this process which the log does not know of before.
func (l *Log) Telling(s store.Store) store.Store { return &telling{Store: s, log: l} }

type telling struct {
	store.Store
	log *Log
}

// Sync implements [store.Store].
func (t *telling) Sync(ctx context.Context, client string, lines []store.Line) (store.Reply, error) {
	if err := t.log.told(client, lines); err != nil {
		return store.Reply{}, fmt.Errorf("%w: %w", err, store.ErrUnavailable)
	}
	return t.Store.Sync(ctx, client, lines)
}

// Leave writes down that this process has nothing any more that could be given back. It does nothing while attempts are open.
func (l *Log) Leave() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client == nil || len(l.open) > 0 {
		return nil
	}
	return l.append(&record{Gone: l.client.Name})
}

// Close closes the log. A second Close does nothing.
func (l *Log) Close() error { return l.file.Close() }

func (l *Log) append(r *record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return l.write(data)
}

func (l *Log) write(data []byte) error {
	l.buf = data
	_, err := l.file.Append(data)
	return err
}

// shrink writes the log anew where it has grown; mu is held.
func (l *Log) shrink() error {
	if l.file.Size() <= l.rewriteAt || l.rewriteAt == 0 {
		return nil
	}
	return l.rewrite()
}

func (l *Log) rewrite() error {
	snapshot, err := l.snapshot(time.Now())
	if err == nil {
		err = l.file.Rewrite(snapshot)
	}
	if err == nil {
		l.rewriteAt = max(leastRewrite, 4*l.file.Size())
	}
	return err
}
