package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// Memory is a Store that forgets everything with its process: the protocol as simple as it can be kept, for tests. The
// zero value is ready for use, with this process's clock.
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
	last    int64 // start of the newest window
	refused time.Time
	windows map[int64]*window
}

// window is what was granted in one window.
type window struct {
	of      Window
	used    int64
	clients int // of the holders, those that hold an allowance
	holders map[string]*holder
}

// holder is where a client stands.
type holder struct{ granted, returned, over int64 }

// Sync implements [Store].
func (m *Memory) Sync(ctx context.Context, client string, lines []Line) (Reply, error) {
	reply, _, err := m.sync(ctx, client, lines)
	return reply, err
}

// sync is Sync that says as well where the client stands afterwards.
func (m *Memory) sync(ctx context.Context, client string, lines []Line) (Reply, []Position, error) {
	if err := Validate(client, lines); err != nil {
		return Reply{}, nil, err
	}
	if err := ctx.Err(); err != nil {
		return Reply{}, nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now, err := m.open()
	if err != nil {
		return Reply{}, nil, err
	}
	before := make([]Position, len(lines))
	for i := range lines {
		before[i] = m.position(client, &lines[i].Account)
	}
	after := append([]Position(nil), before...)
	reply, err := Decide(lines, after, now)
	if err != nil {
		return Reply{}, nil, err
	}
	for i := range lines {
		m.save(client, &lines[i].Account, &after[i], after[i].Used-before[i].Used)
	}
	return reply, after, nil
}

var errClosed = fmt.Errorf("store: it is closed: %w", ErrUnavailable)

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

// position is where an account and a client stand.
func (m *Memory) position(client string, of *Account) Position {
	a := m.accounts[of.Key]
	if a == nil {
		return Position{}
	}
	p := Position{Last: a.last, RefusedAt: a.refused}
	for start, w := range a.windows {
		if start >= of.Window.View {
			p.Used = Add(p.Used, w.used)
		}
	}
	if w := a.windows[of.Window.Start]; w != nil {
		p.Known, p.Clients = true, w.clients
		if h := w.holders[client]; h != nil {
			p.Granted, p.Returned, p.Over = h.granted, h.returned, h.over
		}
	}
	return p
}

// save stores a position, which counts more or less as spent than before.
func (m *Memory) save(client string, of *Account, p *Position, difference int64) {
	w := m.window(of)
	w.used += difference
	w.clients = p.Clients
	if h := w.holders[client]; h != nil {
		*h = holder{granted: p.Granted, returned: p.Returned, over: p.Over}
	} else {
		w.holders[client] = &holder{granted: p.Granted, returned: p.Returned, over: p.Over}
	}
	m.accounts[of.Key].refused = p.RefusedAt
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
		p := m.position("", &accounts[i])
		balances[i] = p.Balance(now)
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
