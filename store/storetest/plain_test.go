package storetest_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/farebox-go/farebox/store"
)

// plain is a store in the plainest terms, written without a look at the others: it adds everything up whenever it is
// asked. It can be given a mistake.
type plain struct {
	wrong mistake

	mu      sync.Mutex
	windows map[string]map[int64]*window // by key and start
	last    map[string]int64             // start of a key's newest window
	refused map[string]time.Time
	applied map[string]bool
	closed  bool
}

type window struct {
	holders map[string]*holder
	shift   int64 // corrections
}

type holder struct{ granted, returned, over int64 }

func (h *holder) held() int64 { return store.Add(h.granted, h.over) - h.returned }

func newPlain(wrong mistake) *plain {
	return &plain{
		wrong: wrong, windows: map[string]map[int64]*window{}, last: map[string]int64{},
		refused: map[string]time.Time{}, applied: map[string]bool{},
	}
}

func (s *plain) key(a *store.Account) string {
	if s.wrong == caseless {
		return strings.ToLower(a.Key)
	}
	return a.Key
}

// used is what counts in view of an account's window.
func (s *plain) used(a *store.Account) (sum int64) {
	for start, w := range s.windows[s.key(a)] {
		inView := start >= a.Window.View
		switch s.wrong {
		case neverTurns:
			inView = true
		case forgetsBuckets:
			inView = start == a.Window.Start
		}
		if !inView {
			continue
		}
		sum += w.shift
		for _, h := range w.holders {
			sum = store.Add(sum, h.held())
		}
	}
	return max(0, sum)
}

func (s *plain) balance(a *store.Account, now time.Time) store.Balance {
	b := store.Balance{Used: s.used(a)}
	if w := s.windows[s.key(a)][a.Window.Start]; w != nil {
		for _, h := range w.holders {
			if h.granted > h.returned || s.wrong == countsTheGone {
				b.Clients++
			}
		}
	}
	at, refused := s.refused[s.key(a)]
	b.Recall = refused && now.Sub(at) < 5*time.Second && s.wrong != neverRecalls || s.wrong == alwaysRecalls
	return b
}

// holder is where a client stands, made if need be.
func (s *plain) holder(client string, a *store.Account) *holder {
	if s.wrong == oneForAll {
		client = ""
	}
	key := s.key(a)
	if s.windows[key] == nil {
		s.windows[key] = map[int64]*window{}
	}
	w := s.windows[key][a.Window.Start]
	if w == nil {
		w = &window{holders: map[string]*holder{}}
		s.windows[key][a.Window.Start] = w
		s.last[key] = max(s.last[key], a.Window.Start)
	}
	if w.holders[client] == nil {
		w.holders[client] = &holder{}
	}
	return w.holders[client]
}

// Sync implements [store.Store].
func (s *plain) Sync(ctx context.Context, client string, lines []store.Line) (store.Reply, error) {
	if err := s.validate(client, lines); err != nil {
		return store.Reply{}, err
	}
	if err := ctx.Err(); err != nil && s.wrong != ignoresContext {
		return store.Reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && s.wrong != neverCloses {
		return store.Reply{}, store.ErrUnavailable
	}
	now := time.Now()
	for i := range lines {
		if err := s.admissible(client, &lines[i], now); err != nil {
			return store.Reply{}, err
		}
	}
	reply := store.Reply{Now: now, Refused: -1, Lines: make([]store.Granted, len(lines))}
	before := make([]holder, len(lines))
	for i := range lines {
		l := &lines[i]
		h := s.holder(client, &l.Account)
		before[i] = *h
		s.take(h, l)
		if !s.fits(i, h, l) && reply.Refused < 0 {
			reply.Refused = i
			s.refused[s.key(&l.Account)] = now
		}
	}
	if s.wrong == checksThenActs {
		s.mu.Unlock()
		runtime.Gosched()
		s.mu.Lock()
	}
	for i := range lines {
		l := &lines[i]
		h, old := s.holder(client, &l.Account), s.balance(&l.Account, now)
		switch {
		case reply.Refused < 0, s.wrong == grantsInPart && i < reply.Refused:
			s.grant(h, l, old.Clients)
		case s.wrong == losesReturns:
			*h = before[i]
		}
		reply.Lines[i] = store.Granted{Granted: h.granted, Balance: s.balance(&l.Account, now)}
		switch s.wrong {
		case staleUsed:
			reply.Lines[i].Used = old.Used
		case uncounted:
			if more := h.granted - before[i].granted; more > l.Need {
				h.granted -= more - l.Need
			}
		}
	}
	return reply, nil
}

func (s *plain) validate(client string, lines []store.Line) error {
	if s.wrong != takesReturns {
		return store.Validate(client, lines)
	}
	checked := append([]store.Line(nil), lines...)
	for i := range checked {
		checked[i].Returned = max(checked[i].Returned, 0)
		checked[i].Returned = min(checked[i].Returned, checked[i].Granted+checked[i].Over)
	}
	return store.Validate(client, checked)
}

func (s *plain) admissible(client string, l *store.Line, now time.Time) error {
	known := s.windows[s.key(&l.Account)][l.Window.Start]
	current := l.Window.Holds(now.UnixNano())
	if s.wrong == clientsClock {
		current = true
	}
	if last, ok := s.last[s.key(&l.Account)]; ok && l.Window.Start < last && s.wrong != reopens {
		current = false
	}
	if !current && (l.Need > 0 || known == nil) {
		return &store.WindowError{Key: l.Key, Now: now}
	}
	var granted int64
	if known != nil && known.holders[client] != nil {
		granted = known.holders[client].granted
	}
	if l.Granted > granted && s.wrong != forgets && (s.wrong != missingIsZero || known != nil) && s.wrong != oneForAll {
		return &store.LostError{Key: l.Key, Granted: l.Granted, Stored: granted}
	}
	return nil
}

// take takes over what a client says of itself.
func (s *plain) take(h *holder, l *store.Line) {
	returned := h.returned
	h.returned, h.over = max(h.returned, l.Returned), max(h.over, l.Over)
	switch s.wrong {
	case lowersReturned:
		h.returned = l.Returned
	case lowersOver:
		h.over = l.Over
	case cutsOver:
		if above := s.used(&l.Account) - l.Cap; above > 0 {
			h.over = max(0, h.over-above)
		}
	case addsReturned:
		h.returned = min(returned+l.Returned, h.granted+h.over)
	case movesReturns:
		key := s.key(&l.Account)
		if last := s.last[key]; last != l.Window.Start {
			s.windows[key][last].shift -= h.returned - returned
		}
	}
}

func (s *plain) fits(i int, h *holder, l *store.Line) bool {
	limit, used := l.Cap, s.used(&l.Account)
	lack := l.Need - s.surplus(h, l)
	switch s.wrong {
	case oneTooMany:
		limit++
	case oneTooFew:
		limit--
	case wraps:
		return lack <= 0 || used+lack <= limit
	case doubles:
		return lack <= 0 || float64(used)+float64(lack) <= float64(limit)
	case firstLineOnly:
		return i > 0 || lack <= 0 || lack <= limit-used
	case capOfEach:
		used = h.held()
	}
	return lack <= 0 || lack <= limit-used
}

// surplus is what the client was granted without knowing it.
func (s *plain) surplus(h *holder, l *store.Line) int64 {
	if s.wrong == grantsAgain || s.wrong == forgets || s.wrong == missingIsZero && l.Granted > h.granted {
		return 0
	}
	return h.granted - l.Granted
}

func (s *plain) grant(h *holder, l *store.Line, clients int) {
	lack, want := max(0, l.Need-s.surplus(h, l)), max(0, l.Want-s.surplus(h, l))
	amount := store.Chunk(lack, want, max(0, l.Cap-s.used(&l.Account)), clients)
	switch s.wrong {
	case grantsWants:
		amount = max(lack, want)
	case grantsLess:
		amount = max(0, amount-1)
	}
	h.granted += amount
}

// Correct implements [store.Store].
func (s *plain) Correct(ctx context.Context, id string, corrections []store.Correction) error {
	if id == "" {
		return errors.New("a correction without an id")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	done := s.applied[id]
	if s.wrong == correctsTwiceAtOnce {
		s.mu.Unlock()
		time.Sleep(time.Millisecond)
		s.mu.Lock()
	}
	if done && s.wrong != correctsAgain {
		return nil
	}
	s.applied[id] = true
	for i := range corrections {
		c := &corrections[i]
		w := s.windows[s.key(&c.Account)][c.Window.Start]
		if s.wrong == correctsTheNewest {
			w = s.windows[s.key(&c.Account)][s.last[s.key(&c.Account)]]
		}
		if w != nil && (s.wrong != correctsDown || c.Amount < 0) {
			w.shift += c.Amount
		}
	}
	return nil
}

// Balances implements [store.Store].
func (s *plain) Balances(ctx context.Context, accounts []store.Account) ([]store.Balance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	balances := make([]store.Balance, len(accounts))
	for i := range accounts {
		balances[i] = s.balance(&accounts[i], time.Now())
	}
	return balances, nil
}

// Close implements [store.Store].
func (s *plain) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}
