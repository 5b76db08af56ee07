package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// Memory is a Store that forgets everything with its process: the protocol as simple as it can be written, which other
// stores are held against. The zero value is ready for use, with this process's clock.
type Memory struct {
	// Clock tells the time; nil is time.Now.
	Clock func() time.Time

	mu       sync.Mutex
	accounts map[string]*account
	applied  map[string]time.Time // correction id -> when
	closed   bool
}

// account is a limit with its windows that are in view.
type account struct {
	last    int64 // start of the newest window that was ever used
	windows map[int64]*window
	recall  time.Time
}

// window is what was granted in one window.
type window struct {
	of      Window
	used    int64
	holders map[string]*holder
}

// holder is where a client stands.
type holder struct{ granted, returned, over int64 }

func (h *holder) used() int64 { return Add(h.granted-h.returned, h.over) }

var errClosed = fmt.Errorf("store: it is closed: %w", ErrUnavailable)

// recallTime is how long a refusal asks others to return what they do not need.
const recallTime = 5 * time.Second

// Sync implements [Store].
func (m *Memory) Sync(ctx context.Context, client string, lines []Line) (Reply, error) {
	if err := Validate(client, lines); err != nil {
		return Reply{}, err
	}
	if err := ctx.Err(); err != nil {
		return Reply{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now, err := m.open()
	if err != nil {
		return Reply{}, err
	}
	for i := range lines {
		if err := m.admissible(client, &lines[i], now); err != nil {
			return Reply{}, err
		}
	}
	reply := Reply{Now: now, Refused: -1, Lines: make([]Granted, len(lines))}
	for i := range lines {
		l := &lines[i]
		m.take(client, l)
		if l.Need > 0 && reply.Refused < 0 && l.Need-m.surplus(client, l) > l.Cap-m.used(&l.Account) {
			reply.Refused = i
			m.accounts[l.Key].recall = now
		}
	}
	for i := range lines {
		l := &lines[i]
		if reply.Refused < 0 {
			m.grant(client, l)
		}
		reply.Lines[i] = Granted{Granted: m.holder(client, &l.Account).granted, Balance: m.balance(&l.Account, now)}
	}
	return reply, nil
}

func (m *Memory) open() (time.Time, error) {
	if m.closed {
		return time.Time{}, errClosed
	}
	if m.accounts == nil {
		m.accounts, m.applied = make(map[string]*account), make(map[string]time.Time)
	}
	if m.Clock == nil {
		return time.Now(), nil
	}
	return m.Clock(), nil
}

// admissible says why a line cannot be taken at all.
func (m *Memory) admissible(client string, l *Line, now time.Time) error {
	a := m.accounts[l.Key]
	if !l.Window.Holds(now.UnixNano()) || a != nil && l.Window.Start < a.last {
		if l.Need > 0 || a == nil || a.windows[l.Window.Start] == nil {
			return &WindowError{Key: l.Key, Now: now}
		}
	}
	var known int64
	if a != nil && a.windows[l.Window.Start] != nil {
		if h := a.windows[l.Window.Start].holders[client]; h != nil {
			known = h.granted
		}
	}
	if l.Granted > known {
		return &LostError{Key: l.Key, Granted: l.Granted, Stored: known}
	}
	return nil
}

// take takes over what a client says of itself. Sums only grow, so an older message changes nothing.
func (m *Memory) take(client string, l *Line) {
	h := m.holder(client, &l.Account)
	w := m.accounts[l.Key].windows[l.Window.Start]
	w.used -= h.used()
	h.returned = max(h.returned, l.Returned)
	h.over = max(h.over, l.Over)
	w.used = Add(w.used, h.used())
}

// surplus is what a client has been granted without knowing it.
func (m *Memory) surplus(client string, l *Line) int64 {
	return m.holder(client, &l.Account).granted - l.Granted
}

func (m *Memory) grant(client string, l *Line) {
	surplus := m.surplus(client, l)
	need, want := max(0, l.Need-surplus), max(0, l.Want-surplus)
	left := l.Cap - m.used(&l.Account)
	amount := Chunk(need, want, max(0, left), m.clients(&l.Account))
	m.holder(client, &l.Account).granted += amount
	m.accounts[l.Key].windows[l.Window.Start].used += amount
}

// window finds a window of an account, and makes it: then those that have left its view are dropped.
func (m *Memory) window(of *Account) *window {
	a := m.accounts[of.Key]
	if a == nil {
		a = &account{windows: make(map[int64]*window)}
		m.accounts[of.Key] = a
	}
	w := a.windows[of.Window.Start]
	if w == nil {
		maps.DeleteFunc(a.windows, func(start int64, _ *window) bool { return start < of.Window.View })
		w = &window{of: of.Window, holders: make(map[string]*holder)}
		a.windows[of.Window.Start] = w
		a.last = max(a.last, of.Window.Start)
	}
	return w
}

// holder finds where a client stands on an account, and makes room for it.
func (m *Memory) holder(client string, of *Account) *holder {
	w := m.window(of)
	h := w.holders[client]
	if h == nil {
		h = &holder{}
		w.holders[client] = h
	}
	return h
}

// used is what counts as spent in view of a window.
func (m *Memory) used(of *Account) int64 {
	var used int64
	if a := m.accounts[of.Key]; a != nil {
		for start, w := range a.windows {
			if start >= of.Window.View {
				used = Add(used, w.used)
			}
		}
	}
	return used
}

// clients is the number of clients that hold something in a window.
func (m *Memory) clients(of *Account) int {
	n := 0
	if a := m.accounts[of.Key]; a != nil && a.windows[of.Window.Start] != nil {
		for _, h := range a.windows[of.Window.Start].holders {
			if h.granted > h.returned {
				n++
			}
		}
	}
	return n
}

func (m *Memory) balance(of *Account, now time.Time) Balance {
	b := Balance{Used: m.used(of), Clients: m.clients(of)}
	if a := m.accounts[of.Key]; a != nil {
		b.Recall = !a.recall.IsZero() && now.Sub(a.recall) < recallTime
	}
	return b
}

// Correct implements [Store].
func (m *Memory) Correct(ctx context.Context, id string, corrections []Correction) error {
	if id == "" {
		return errors.New("store: a correction without an id")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now, err := m.open()
	if err != nil {
		return err
	}
	m.correct(id, corrections, now)
	return nil
}

func (m *Memory) correct(id string, corrections []Correction, at time.Time) {
	if _, done := m.applied[id]; done {
		return
	}
	m.applied[id] = at
	for i := range corrections {
		c := &corrections[i]
		if a := m.accounts[c.Key]; a != nil && a.windows[c.Window.Start] != nil {
			w := a.windows[c.Window.Start]
			w.used = max(0, Add(w.used, c.Amount))
		}
	}
}

// Balances implements [Store].
func (m *Memory) Balances(ctx context.Context, accounts []Account) ([]Balance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now, err := m.open()
	if err != nil {
		return nil, err
	}
	balances := make([]Balance, len(accounts))
	for i := range accounts {
		balances[i] = m.balance(&accounts[i], now)
	}
	return balances, nil
}

// Close implements [Store]: every later call fails.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
