package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/farebox-go/farebox/store"
	"pgregory.net/rapid"
)

// model runs random clients against a store. Messages and answers get lost, come twice, or come late, after newer ones;
// clients overspend and die. What the store says is compared with sums kept beside it, and ghost figures keep what was
// really spent, by those that died too.
func model(t *testing.T, open func(*testing.T) store.Store) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{
			store: open(t), keys: []string{"hours", "month", "total"},
			caps:   map[string]int64{"hours": 20, "month": 50, "total": 80},
			stands: map[place]*sums{}, clients: map[string]*clientState{}, spent: map[string]int64{}, over: map[string]int64{},
			shift: map[string]int64{},
		}
		defer func() { _ = m.store.Close() }()
		_, window := hours(rt, m.store)
		m.accounts = map[string]store.Account{
			"hours": {Key: "hours", Window: window(-time.Hour, time.Hour)}, "month": total("month"), "total": total("total"),
		}
		rt.Repeat(map[string]func(*rapid.T){
			"ask":       m.ask,
			"spend":     m.spend,
			"overspend": m.overspend,
			"return":    m.giveBack,
			"die":       m.die,
			"repeat":    m.repeat,
			"late":      m.late,
			"correct":   m.correct,
			"":          m.check,
		})
	})
}

type place struct{ client, key string }

// sums are where a client stands on an account.
type sums struct{ granted, returned, over int64 }

func (s *sums) held() int64 { return s.granted + s.over - s.returned }

// clientState is what a client knows of itself.
type clientState struct {
	at    map[string]*sums
	spent map[string]int64
	last  []store.Line // the last message, to be sent again
}

type message struct {
	client string
	lines  []store.Line
}

type machine struct {
	store    store.Store
	keys     []string
	accounts map[string]store.Account
	caps     map[string]int64
	stands   map[place]*sums // as the store must have it, those that died included
	clients  map[string]*clientState
	born     int
	delayed  []message
	spent    map[string]int64 // what was really spent
	over     map[string]int64 // the part of it that was beyond all grants
	shift    map[string]int64 // corrections
	fixes    int
}

func (m *machine) pick(t *rapid.T) (string, *clientState) {
	name := fmt.Sprint("client ", rapid.IntRange(0, 2).Draw(t, "client"), " of generation ", m.born)
	if m.clients[name] == nil {
		c := &clientState{at: map[string]*sums{}, spent: map[string]int64{}}
		for _, key := range m.keys {
			c.at[key] = &sums{}
		}
		m.clients[name] = c
	}
	return name, m.clients[name]
}

// stand is where the store must have a client.
func (m *machine) stand(client, key string) *sums {
	at := place{client, key}
	if m.stands[at] == nil {
		m.stands[at] = &sums{}
	}
	return m.stands[at]
}

// balance is what the store must say of an account.
func (m *machine) balance(key string) (used int64, clients int) {
	used = m.shift[key]
	for at, s := range m.stands {
		if at.key != key {
			continue
		}
		used += s.held()
		if s.granted > s.returned {
			clients++
		}
	}
	return used, clients
}

// line is where a client stands, as it says itself.
func (m *machine) line(c *clientState, key string) store.Line {
	s := c.at[key]
	return store.Line{Account: m.accounts[key], Cap: m.caps[key], Granted: s.granted, Returned: s.returned, Over: s.over}
}

func (m *machine) ask(t *rapid.T) {
	name, c := m.pick(t)
	first, n := rapid.IntRange(0, len(m.keys)-1).Draw(t, "first"), rapid.IntRange(1, len(m.keys)).Draw(t, "accounts")
	need := rapid.Int64Range(1, 8).Draw(t, "need")
	want := need + rapid.Int64Range(0, 10).Draw(t, "want")
	var lines []store.Line
	for i := range n {
		line := m.line(c, m.keys[(first+i)%len(m.keys)])
		line.Need, line.Want = need, want
		lines = append(lines, line)
	}
	m.send(t, name, c, lines)
}

// send sends a message, to which anything may happen on its way.
func (m *machine) send(t *rapid.T, name string, c *clientState, lines []store.Line) {
	c.last = lines
	switch rapid.SampledFrom([]string{"arrives", "arrives", "arrives", "twice", "no answer", "lost", "late"}).Draw(t, "fate") {
	case "arrives":
		c.hear(lines, m.deliver(t, name, lines))
	case "twice":
		m.deliver(t, name, lines)
		c.hear(lines, m.deliver(t, name, lines))
	case "no answer":
		m.deliver(t, name, lines)
	case "late":
		m.delayed = append(m.delayed, message{name, lines})
	}
}

// hear is what a client learns from an answer.
func (c *clientState) hear(lines []store.Line, reply store.Reply) {
	for i := range lines {
		s := c.at[lines[i].Key]
		s.granted = max(s.granted, reply.Lines[i].Granted)
	}
}

// deliver hands a message to the store, and checks its answer.
func (m *machine) deliver(t *rapid.T, name string, lines []store.Line) store.Reply {
	reply, err := m.store.Sync(ctx, name, lines)
	if err != nil || len(reply.Lines) != len(lines) {
		t.Fatalf("Sync of %+v: %+v, %v", lines, reply, err)
	}
	refused := -1
	for i := range lines {
		l, s := &lines[i], m.stand(name, lines[i].Key)
		s.returned, s.over = max(s.returned, l.Returned), max(s.over, l.Over)
		used, _ := m.balance(l.Key)
		if lack := l.Need - (s.granted - l.Granted); lack > 0 && lack > l.Cap-used && refused < 0 {
			refused = i
		}
	}
	if reply.Refused != refused {
		t.Fatalf("Sync of %+v: refused line %d, want %d", lines, reply.Refused, refused)
	}
	for i := range lines {
		l, s, has := &lines[i], m.stand(name, lines[i].Key), reply.Lines[i].Granted
		switch {
		case has < s.granted, refused >= 0 && has != s.granted:
			t.Fatalf("%+v, refused line %d: granted %d before and %d after", l, refused, s.granted, has)
		case refused < 0 && has-l.Granted < l.Need, has > s.granted && has-l.Granted > max(l.Want, l.Need):
			t.Fatalf("%+v: granted %d, after %d before", l, has, s.granted)
		}
		more := has - s.granted
		s.granted = has
		used, clients := m.balance(l.Key)
		if more > 0 && used > l.Cap {
			t.Fatalf("%+v: granted %d more, which makes %d", l, more, used)
		}
		if reply.Lines[i].Used != used || reply.Lines[i].Clients != clients {
			t.Fatalf("%+v: the answer is %+v, want %d used, by %d", l, reply.Lines[i], used, clients)
		}
	}
	return reply
}

// spend uses up a part of what a client knows to be its own.
func (m *machine) spend(t *rapid.T) {
	_, c := m.pick(t)
	key := rapid.SampledFrom(m.keys).Draw(t, "account")
	if free := c.at[key].held() - c.spent[key]; free > 0 {
		amount := rapid.Int64Range(1, free).Draw(t, "amount")
		c.spent[key] += amount
		m.spent[key] += amount
	}
}

// overspend books what a call cost beyond its hold, and tells the store.
func (m *machine) overspend(t *rapid.T) {
	name, c := m.pick(t)
	key, amount := rapid.SampledFrom(m.keys).Draw(t, "account"), rapid.Int64Range(1, 5).Draw(t, "amount")
	c.at[key].over += amount
	c.spent[key] += amount
	m.spent[key] += amount
	m.over[key] += amount
	m.send(t, name, c, []store.Line{m.line(c, key)})
}

func (m *machine) giveBack(t *rapid.T) {
	name, c := m.pick(t)
	key := rapid.SampledFrom(m.keys).Draw(t, "account")
	if free := c.at[key].held() - c.spent[key]; free > 0 {
		c.at[key].returned += rapid.Int64Range(1, free).Draw(t, "amount")
		m.send(t, name, c, []store.Line{m.line(c, key)})
	}
}

// repeat sends a client's last message again.
func (m *machine) repeat(t *rapid.T) {
	name, c := m.pick(t)
	if c.last != nil {
		c.hear(c.last, m.deliver(t, name, c.last))
	}
}

// late delivers a message that was on its way for long; nobody hears the answer.
func (m *machine) late(t *rapid.T) {
	if len(m.delayed) > 0 {
		i := rapid.IntRange(0, len(m.delayed)-1).Draw(t, "message")
		late := m.delayed[i]
		m.delayed = append(m.delayed[:i], m.delayed[i+1:]...)
		m.deliver(t, late.client, late.lines)
	}
}

// die ends all clients; what they were granted stays spent.
func (m *machine) die(*rapid.T) {
	m.clients = map[string]*clientState{}
	m.born++
}

// underWay is what a late message has yet to give back.
func (m *machine) underWay(at place, s *sums) (more int64) {
	for _, late := range m.delayed {
		for i := range late.lines {
			if late.client == at.client && late.lines[i].Key == at.key {
				more = max(more, late.lines[i].Returned-s.returned)
			}
		}
	}
	return more
}

// correct takes a part of what the dead were granted off again, twice with one id.
func (m *machine) correct(t *rapid.T) {
	key := rapid.SampledFrom(m.keys).Draw(t, "account")
	room := m.shift[key] - m.spent[key] // granted to the dead, and not spent by them
	for at, s := range m.stands {
		if m.clients[at.client] == nil && at.key == key {
			room += s.held() - m.underWay(at, s)
		}
	}
	for _, c := range m.clients {
		room += c.spent[key]
	}
	if room <= 0 {
		return
	}
	m.fixes++
	amount := rapid.Int64Range(1, room).Draw(t, "amount")
	m.shift[key] -= amount
	for range 2 {
		err := m.store.Correct(ctx, fmt.Sprint("correction ", m.fixes), []store.Correction{amend(m.accounts[key], -amount)})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// check: the store's figures are those kept beside it, and what was really spent is under every cap but for what was
// overspent. What was overspent may still be on its way.
func (m *machine) check(t *rapid.T) {
	accounts := make([]store.Account, len(m.keys))
	for i, key := range m.keys {
		accounts[i] = m.accounts[key]
	}
	balances, err := m.store.Balances(ctx, accounts)
	if err != nil || len(balances) != len(accounts) {
		t.Fatalf("Balances: %+v, %v", balances, err)
	}
	for i, key := range m.keys {
		used, clients := m.balance(key)
		if balances[i].Used != used || balances[i].Clients != clients {
			t.Fatalf("account %s: %+v, want %d used, by %d", key, balances[i], used, clients)
		}
		if m.spent[key]-m.over[key] > m.caps[key] || m.spent[key]-m.over[key] > used {
			t.Fatalf("account %s: spent %d of %d, %d of it over, and the store counts %d", key, m.spent[key], m.caps[key], m.over[key], used)
		}
	}
}
