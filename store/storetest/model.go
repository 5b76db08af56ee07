package storetest

import (
	"fmt"
	"testing"

	"github.com/farebox-go/farebox/store"
	"pgregory.net/rapid"
)

// model runs random clients against a store, with answers that are lost, messages that come again and clients that die,
// and compares what it says with sums kept beside it. Ghost figures keep what was really spent, by those that died too.
func model(t *testing.T, open func(*testing.T) store.Store) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{
			store: open(t), keys: []string{"day", "month", "total"},
			caps:    map[string]int64{"day": 20, "month": 50, "total": 80},
			granted: map[place]int64{}, clients: map[string]*clientState{}, spent: map[string]int64{}, shift: map[string]int64{},
		}
		defer func() { _ = m.store.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"ask":     m.ask,
			"spend":   m.spend,
			"return":  m.giveBack,
			"die":     m.die,
			"repeat":  m.repeat,
			"correct": m.correct,
			"":        m.check,
		})
	})
}

type place struct{ client, key string }

// clientState is what a client knows of itself.
type clientState struct {
	granted, returned, spent map[string]int64
	last                     []store.Line // the last message, to be sent again
}

type machine struct {
	store   store.Store
	keys    []string
	caps    map[string]int64
	granted map[place]int64 // as the store must have it
	clients map[string]*clientState
	born    int
	spent   map[string]int64 // what was really spent
	shift   map[string]int64 // corrections
	retired map[string]int64 // what the store must count for clients that died
	gone    map[string]int   // how many of these hold an allowance
	fixes   int
}

func (m *machine) pick(t *rapid.T) (string, *clientState) {
	name := fmt.Sprint("client ", rapid.IntRange(0, 2).Draw(t, "client"), " of generation ", m.born)
	if m.clients[name] == nil {
		m.clients[name] = &clientState{granted: map[string]int64{}, returned: map[string]int64{}, spent: map[string]int64{}}
	}
	return name, m.clients[name]
}

// used is what the store must count on an account.
func (m *machine) used(key string) int64 {
	used := m.retired[key] + m.shift[key]
	for name, c := range m.clients {
		used += m.granted[place{name, key}] - c.returned[key]
	}
	return used
}

// holding is the number of clients that hold an allowance on an account.
func (m *machine) holding(key string) int {
	n := m.gone[key]
	for name, c := range m.clients {
		if m.granted[place{name, key}] > c.returned[key] {
			n++
		}
	}
	return n
}

func (m *machine) ask(t *rapid.T) {
	name, c := m.pick(t)
	first, n := rapid.IntRange(0, len(m.keys)-1).Draw(t, "first"), rapid.IntRange(1, len(m.keys)).Draw(t, "accounts")
	need := rapid.Int64Range(1, 8).Draw(t, "need")
	want := need + rapid.Int64Range(0, 10).Draw(t, "want")
	var lines []store.Line
	for i := range n {
		key := m.keys[(first+i)%len(m.keys)]
		lines = append(lines, store.Line{
			Account: store.Account{Key: key}, Cap: m.caps[key],
			Granted: c.granted[key], Returned: c.returned[key], Need: need, Want: want,
		})
	}
	m.send(t, name, c, lines, rapid.Float64Range(0, 1).Draw(t, "luck") < 0.2)
}

// send sends a message and checks the answer; where it is lost the client learns nothing of it.
func (m *machine) send(t *rapid.T, name string, c *clientState, lines []store.Line, lost bool) {
	fits := true
	for _, l := range lines {
		surplus := m.granted[place{name, l.Key}] - l.Granted
		fits = fits && (l.Need <= surplus || l.Need-surplus <= l.Cap-m.used(l.Key))
	}
	reply, err := m.store.Sync(ctx, name, lines)
	if err != nil {
		t.Fatalf("Sync of %+v: %v", lines, err)
	}
	if admitted := reply.Refused < 0; admitted != fits {
		t.Fatalf("Sync of %+v: admitted %v, and it fits: %v", lines, admitted, fits)
	}
	for i, l := range lines {
		at := place{name, l.Key}
		had, has := m.granted[at], reply.Lines[i].Granted
		switch {
		case has < had, !fits && has != had:
			t.Fatalf("%+v, admitted %v: granted %d before and %d after", l, fits, had, has)
		case fits && has-l.Granted < l.Need, has-had > max(l.Want, l.Need):
			t.Fatalf("%+v: granted %d on top of %d", l, has-had, had)
		}
		m.granted[at] = has
		if got := reply.Lines[i].Used; got != m.used(l.Key) {
			t.Fatalf("%+v: used %d, want %d", l, got, m.used(l.Key))
		}
		if got := reply.Lines[i].Clients; got != m.holding(l.Key) {
			t.Fatalf("%+v: %d clients, want %d", l, got, m.holding(l.Key))
		}
		if !lost {
			c.granted[l.Key] = max(c.granted[l.Key], has)
		}
	}
	c.last = lines
}

// spend uses up a part of what a client knows to be its own.
func (m *machine) spend(t *rapid.T) {
	_, c := m.pick(t)
	key := rapid.SampledFrom(m.keys).Draw(t, "account")
	if free := c.granted[key] - c.returned[key] - c.spent[key]; free > 0 {
		amount := rapid.Int64Range(1, free).Draw(t, "amount")
		c.spent[key] += amount
		m.spent[key] += amount
	}
}

func (m *machine) giveBack(t *rapid.T) {
	name, c := m.pick(t)
	key := rapid.SampledFrom(m.keys).Draw(t, "account")
	if free := c.granted[key] - c.returned[key] - c.spent[key]; free > 0 {
		c.returned[key] += rapid.Int64Range(1, free).Draw(t, "amount")
		m.send(t, name, c, []store.Line{{
			Account: store.Account{Key: key}, Cap: m.caps[key], Granted: c.granted[key], Returned: c.returned[key],
		}}, false)
	}
}

// repeat sends a client's last message again.
func (m *machine) repeat(t *rapid.T) {
	name, c := m.pick(t)
	if c.last != nil {
		m.send(t, name, c, c.last, false)
	}
}

// die ends all clients; what they were granted stays spent.
func (m *machine) die(*rapid.T) {
	if m.retired == nil {
		m.retired, m.gone = map[string]int64{}, map[string]int{}
	}
	for _, key := range m.keys {
		m.gone[key] = m.holding(key)
		for name, c := range m.clients {
			m.retired[key] += m.granted[place{name, key}] - c.returned[key]
		}
	}
	m.clients = map[string]*clientState{}
	m.born++
}

// correct takes a part of what the dead were granted off again, twice with one id.
func (m *machine) correct(t *rapid.T) {
	key := rapid.SampledFrom(m.keys).Draw(t, "account")
	var living int64
	for _, c := range m.clients {
		living += c.spent[key]
	}
	room := m.retired[key] + m.shift[key] - (m.spent[key] - living) // granted to the dead, and not spent by them
	if room <= 0 {
		return
	}
	m.fixes++
	amount := rapid.Int64Range(1, room).Draw(t, "amount")
	m.shift[key] -= amount
	for range 2 {
		err := m.store.Correct(ctx, fmt.Sprint("correction ", m.fixes), []store.Correction{amend(total(key), -amount)})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// check: the store's figures are those kept beside it, and what was really spent is under every cap.
func (m *machine) check(t *rapid.T) {
	for _, key := range m.keys {
		if got := used(t, m.store, store.Account{Key: key}); got != m.used(key) {
			t.Fatalf("account %s: used %d, want %d", key, got, m.used(key))
		}
		if m.spent[key] > m.caps[key] || m.spent[key] > m.used(key) {
			t.Fatalf("account %s: spent %d of %d, and the store counts %d", key, m.spent[key], m.caps[key], m.used(key))
		}
	}
}
