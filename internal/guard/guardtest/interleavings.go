package guardtest

import (
	"slices"
	"sync"
	"time"

	"pgregory.net/rapid"

	"github.com/farebox-go/farebox/internal/guard"
	"github.com/farebox-go/farebox/internal/guard/reference"
)

// Interleavings runs one random history of attempts over a fresh guard, and fails naming the invariant that broke:
//
//   - I1: at an admission nothing passes a cap.
//   - I2: a hold is taken on all limits or on none.
//   - I3: a hold ends once, whatever comes after.
//   - I4: what the provider bills stays under the cap, as long as no attempt costs more than was held for it.
//   - I5: the books never say less than what was billed, and take overruns in full.
//   - I6: when all is quiet nothing is held, and once all is reconciled the books are exactly the bills.
//   - I7: an end, or a later figure, changes only the window that the hold was taken in.
//   - I10: what would fit is admitted, and a refusal says rightly whether it is for what is spent or for what is held.
func Interleavings(t *rapid.T, make Factory) {
	m := newMachine(t, make)
	t.Repeat(map[string]func(*rapid.T){
		"tick": m.tick, "ask": m.ask, "ask more": m.ask, "ask at once": m.askTogether, "send": m.send, "send more": m.send, "grow": m.grow,
		"answer": m.answer, "give up": m.giveUp, "unsent": m.unsent, "die": m.die, "sweep": m.sweep,
		"again": m.again, "again, late": m.again, "reconcile": m.reconcile, "": m.check,
	})
	m.quiesce(t)
}

// machine plays callers, network, provider and sweeper.
type machine struct {
	subject  Subject
	limits   []*reference.Counter
	attempts []*attempt
	overruns bool // the provider may bill more than was held

	now, latest time.Time // what callers' clocks show, and the latest of it: the guard's own

	// What the last step was about: a message about an attempt, that may have ended before, or a refusal.
	last               *attempt
	lastEnded, refused bool
}

// attempt is one attempt, as somebody knows it who sees everything.
type attempt struct {
	id       int
	at       time.Time // the guard's clock at the admission
	postings []Posting
	hold     *reference.Hold
	sent     bool     // to the provider
	billed   []int64  // by the provider, on each limit; what was not sent is not billed
	known    bool     // what was billed, to the guard
	dead     bool     // its caller will say nothing more
	messages []func() // that reached the guard, and may do so once more
}

func newMachine(t *rapid.T, make Factory) *machine {
	havana, err := time.LoadLocation("America/Havana") // which skips a midnight in March and has one twice in November
	if err != nil {
		havana = time.UTC
	}
	start := rapid.SampledFrom([]time.Time{
		time.Date(2026, 3, 7, 22, 0, 0, 0, havana), time.Date(2026, 10, 31, 23, 0, 0, 0, havana), time.Date(2028, 12, 31, 12, 0, 0, 0, time.UTC),
	}).Draw(t, "start")
	m := &machine{now: start, latest: start, overruns: rapid.IntRange(0, 2).Draw(t, "overruns") == 0}
	var limits []guard.Limit
	for _, w := range []guard.Window{
		{}, {Kind: guard.Hour}, {Kind: guard.Day, Location: havana}, {Kind: guard.Rolling, Length: time.Hour, Buckets: 4},
	} {
		l := guard.Limit{Cap: rapid.Int64Range(10, 60).Draw(t, "cap"), Window: w}
		limits = append(limits, l)
		m.limits = append(m.limits, &reference.Counter{Window: w, Cap: l.Cap})
	}
	if m.subject, err = make(limits); err != nil {
		t.Fatal(err)
	}
	return m
}

// tick moves the clock: mostly to the edge of a window or a nanosecond beside it, sometimes back.
func (m *machine) tick(t *rapid.T) {
	switch rapid.SampledFrom([]string{"edge", "edge", "edge", "near", "back"}).Draw(t, "tick") {
	case "edge":
		c := rapid.SampledFrom(m.limits[1:]).Draw(t, "whose")
		edge := c.Window.End(m.latest)
		if c.Window.Kind == guard.Rolling {
			width := c.Bucket()
			edge = time.Unix(0, (m.latest.UnixNano()/width+rapid.Int64Range(1, 5).Draw(t, "buckets"))*width)
		}
		m.now = edge.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "beside")))
	case "near":
		m.now = m.now.Add(time.Duration(rapid.Int64Range(0, int64(20*time.Minute)).Draw(t, "by")))
	case "back":
		m.now = m.now.Add(-time.Duration(rapid.Int64Range(1, int64(3*time.Hour)).Draw(t, "by")))
	}
	if m.now.After(m.latest) {
		m.latest = m.now
	}
}

// draw makes an attempt that asks for something on a few limits, often for exactly what one of them has left.
func (m *machine) draw(t *rapid.T) *attempt {
	a := &attempt{id: len(m.attempts)}
	order := rapid.Permutation([]int{0, 1, 2, 3}).Draw(t, "order")
	amount := rapid.Int64Range(0, 25).Draw(t, "amount")
	if rapid.Bool().Draw(t, "to the brim") {
		amount = max(0, m.limits[order[0]].Room(m.latest)+rapid.Int64Range(-1, 1).Draw(t, "beside"))
	}
	for i, k := range order[:rapid.IntRange(1, len(order)).Draw(t, "limits")] {
		asked := amount
		if i > 0 && rapid.Bool().Draw(t, "less") {
			asked /= 2 // as a limit counts that is in tokens, or that leaves a part out
		}
		a.postings = append(a.postings, Posting{k, asked})
	}
	m.attempts = append(m.attempts, a)
	return a
}

func (m *machine) ask(t *rapid.T) {
	a := m.draw(t)
	m.decided(t, a, m.subject.Admit(m.now, a.id, a.postings))
}

// askTogether has several callers ask at the same time: there must be an order in which the answers are right.
func (m *machine) askTogether(t *rapid.T) {
	together := make([]*attempt, rapid.IntRange(2, 3).Draw(t, "callers"))
	reasons := make([]guard.Reason, len(together))
	var done sync.WaitGroup
	for i := range together {
		together[i] = m.draw(t)
	}
	for i, a := range together {
		done.Go(func() { reasons[i] = m.subject.Admit(m.now, a.id, a.postings) })
	}
	done.Wait()
	for i, a := range together { // those that were admitted first, then the others: holds make no room
		if reasons[i] == guard.Admitted {
			m.decided(t, a, reasons[i])
		}
	}
	for i, a := range together {
		if reasons[i] == guard.Admitted {
			continue
		}
		if m.refused = true; !m.mayRefuse(a) {
			t.Fatalf("I10: attempt %d was refused (%v) and fits", a.id, reasons[i])
		}
	}
}

func (m *machine) mayRefuse(a *attempt) bool {
	return reference.Decide(m.latest, m.asked(a)).Reason != guard.Admitted
}

func (m *machine) asked(a *attempt) []reference.Posting {
	asked := make([]reference.Posting, len(a.postings))
	for i, p := range a.postings {
		asked[i] = reference.Posting{Counter: m.limits[p.Limit], Amount: p.Amount}
	}
	return asked
}

// decided checks an answer, and takes note of it.
func (m *machine) decided(t *rapid.T, a *attempt, got guard.Reason) {
	want := reference.Decide(m.latest, m.asked(a)).Reason
	switch {
	case got == guard.Admitted && want != guard.Admitted:
		t.Fatalf("I1: attempt %d was admitted and passes a cap (%v)", a.id, want)
	case got != want:
		t.Fatalf("I10: attempt %d: %v, want %v", a.id, got, want)
	case got != guard.Admitted:
		m.refused = true
	default:
		a.at, a.hold = m.latest, reference.Take(m.latest, m.asked(a))
		asked := slices.Clone(a.postings) // a message that comes again says what it said, whatever was added since
		a.messages = append(a.messages, func() {
			if got := m.subject.Admit(m.now, a.id, asked); got != guard.Admitted {
				t.Fatalf("I3: attempt %d asked again: %v, and was admitted before", a.id, got)
			}
		})
	}
}

// pick finds an attempt that was admitted.
func (m *machine) pick(t *rapid.T, which func(*attempt) bool) *attempt {
	var some []*attempt
	for _, a := range m.attempts {
		if a.hold != nil && which(a) {
			some = append(some, a)
		}
	}
	if len(some) == 0 {
		t.Skip("none yet")
	}
	return some[rapid.IntRange(0, len(some)-1).Draw(t, "attempt")]
}

// send gives an attempt to the provider, which bills it whatever becomes of the answer.
func (m *machine) send(t *rapid.T) {
	a := m.pick(t, func(a *attempt) bool { return !a.sent && !a.dead && a.hold.State != guard.Voided })
	a.sent = true
	a.billed = make([]int64, len(a.postings))
	over := m.overruns && rapid.IntRange(0, 4).Draw(t, "over") == 0
	for i, p := range a.postings {
		a.billed[i] = rapid.Int64Range(0, p.Amount).Draw(t, "billed")
		if over {
			a.billed[i] = p.Amount + rapid.Int64Range(0, 30).Draw(t, "over by")
		}
	}
	for _, p := range a.postings {
		m.wantBillsUnderCap(t, p.Limit, a.at)
	}
}

// grow has the caller ask for more in the middle of an answer, which goes on if there is more, and is cut if there is not.
func (m *machine) grow(t *rapid.T) {
	a := m.pick(t, func(a *attempt) bool { return !a.dead })
	more := make([]int64, len(a.postings))
	for i := range more {
		more[i] = rapid.Int64Range(0, 12).Draw(t, "more")
	}
	got, want := m.subject.Extend(m.now, a.id, more), a.hold.Extend(m.latest, more)
	if got != want {
		if got == guard.Admitted && want != guard.Invalid {
			t.Fatalf("I1: attempt %d was extended and passes a cap (%v)", a.id, want)
		}
		t.Fatalf("I10: attempt %d extended: %v, want %v", a.id, got, want)
	}
	m.refused = got != guard.Admitted
	if m.refused {
		return
	}
	a.at = m.latest
	for i := range a.postings {
		a.postings[i].Amount += more[i]
		if a.sent {
			a.billed[i] += rapid.Int64Range(0, more[i]).Draw(t, "billed more")
		}
	}
	if a.sent {
		for _, p := range a.postings {
			m.wantBillsUnderCap(t, p.Limit, a.at)
		}
	}
}

// answer has the caller read what its attempt cost, and say so.
func (m *machine) answer(t *rapid.T) {
	m.settle(m.pick(t, func(a *attempt) bool { return a.sent && !a.dead }))
}

func (m *machine) settle(a *attempt) {
	a.dead = true
	m.deliver(a, func() {
		m.subject.Settle(m.now, a.id, a.billed)
		a.known = a.hold.End(guard.Settled, a.billed) || a.known
	})
}

// giveUp has the caller go away from an attempt that was sent.
func (m *machine) giveUp(t *rapid.T) {
	a := m.pick(t, func(a *attempt) bool { return a.sent && !a.dead })
	a.dead = true
	m.deliver(a, func() {
		m.subject.Unknown(m.now, a.id)
		a.hold.End(guard.Charged, nil)
	})
}

// unsent has the caller fail to send.
func (m *machine) unsent(t *rapid.T) {
	a := m.pick(t, func(a *attempt) bool { return !a.sent && !a.dead })
	a.dead = true
	m.deliver(a, func() {
		m.subject.Unsent(m.now, a.id)
		a.hold.End(guard.Voided, nil)
	})
}

// die ends a caller before or after it has sent, or loses what it says.
func (m *machine) die(t *rapid.T) { m.pick(t, func(a *attempt) bool { return !a.dead }).dead = true }

func (m *machine) sweep(t *rapid.T) { m.expire(m.pick(t, func(*attempt) bool { return true })) }

func (m *machine) expire(a *attempt) {
	m.deliver(a, func() {
		m.subject.Expire(m.now, a.id)
		a.hold.End(guard.Charged, nil)
	})
}

// reconcile brings the provider's own figure.
func (m *machine) reconcile(t *rapid.T) { m.figure(m.pick(t, func(a *attempt) bool { return a.sent })) }

func (m *machine) figure(a *attempt) {
	figures := a.billed
	if !a.sent {
		figures = make([]int64, len(a.postings)) // the provider knows nothing of it
	}
	m.deliver(a, func() {
		m.subject.Reconcile(m.now, a.id, figures)
		a.known = a.hold.Reconcile(figures) || a.known
	})
}

// deliver delivers a message, and keeps it to be delivered once more.
func (m *machine) deliver(a *attempt, message func()) {
	a.messages = append(a.messages, message)
	m.last, m.lastEnded = a, a.hold.State != guard.Open
	message()
}

// again delivers a message that came before once more.
func (m *machine) again(t *rapid.T) {
	a := m.pick(t, func(a *attempt) bool { return len(a.messages) > 0 })
	message := a.messages[rapid.IntRange(0, len(a.messages)-1).Draw(t, "message")]
	m.last, m.lastEnded = a, a.hold.State != guard.Open
	message()
}

// wantBillsUnderCap is I4, for all that was admitted in the window of an instant.
func (m *machine) wantBillsUnderCap(t *rapid.T, limit int, at time.Time) {
	c := m.limits[limit]
	ends := []time.Time{at}
	if c.Window.Kind == guard.Rolling {
		for _, a := range m.attempts {
			if a.hold != nil && a.at.After(at) && a.at.Sub(at) < c.Window.Length {
				ends = append(ends, a.at)
			}
		}
	}
	for _, end := range ends {
		var billed, over int64
		for _, a := range m.attempts {
			inside := c.Counts(a.at, end)
			if c.Window.Kind == guard.Rolling {
				inside = !a.at.After(end) && end.Sub(a.at) < c.Window.Length
			}
			if b, held, ok := a.on(limit); ok && inside {
				billed, over = billed+b, over+max(0, b-held)
			}
		}
		if billed > c.Cap+over {
			t.Fatalf("I4: %d billed in a window of %+v, %d of it over what was held, under a cap of %d", billed, c.Window, over, c.Cap)
		}
	}
}

// on is what an attempt was billed on a limit, and what it had held there.
func (a *attempt) on(limit int) (billed, held int64, ok bool) {
	for i, p := range a.postings {
		if a.sent && p.Limit == limit {
			return a.billed[i], p.Amount, true
		}
	}
	return 0, 0, false
}

// billed is what was billed on a limit in the current window; of overruns that the guard was not told of, what was held.
func (m *machine) billed(limit int) (total int64) {
	for _, a := range m.attempts {
		billed, held, ok := a.on(limit)
		if !ok || !m.limits[limit].Counts(a.at, m.latest) {
			continue
		}
		if !a.known {
			billed = min(billed, held)
		}
		total += billed
	}
	return total
}

// check compares the books with the bills, and with the reference.
func (m *machine) check(t *rapid.T) {
	for i, c := range m.limits {
		spent, held := m.subject.Sums(m.now, i)
		if billed := m.billed(i); spent+held < billed {
			t.Fatalf("I5: limit %d has %d spent and %d held, and %d was billed", i, spent, held, billed)
		}
		if wantSpent, wantHeld := c.Sums(m.latest); spent != wantSpent || held != wantHeld {
			t.Fatalf("%s: limit %d has %d spent and %d held, want %d and %d", m.blame(c), i, spent, held, wantSpent, wantHeld)
		}
	}
	m.last, m.refused = nil, false
}

// blame names the invariant that broke in the last step, where the sums of a limit are not what they should be.
func (m *machine) blame(c *reference.Counter) string {
	switch {
	case m.refused:
		return "I2" // and something is held
	case m.last != nil && m.lastEnded:
		return "I3" // and it changed once more
	case m.last != nil && !c.Counts(m.last.at, m.latest):
		return "I7" // and another window changed
	}
	return "I6"
}

// quiesce lets every caller finish, and the provider's figures come in.
func (m *machine) quiesce(t *rapid.T) {
	for _, a := range m.attempts {
		switch {
		case a.hold == nil:
			continue
		case a.sent && !a.dead:
			m.settle(a)
		default:
			m.expire(a)
		}
		m.figure(a)
	}
	for i := range m.limits {
		spent, held := m.subject.Sums(m.now, i)
		if billed := m.billed(i); held != 0 || spent != billed {
			t.Fatalf("I6: limit %d ends with %d spent and %d held, and %d was billed", i, spent, held, billed)
		}
	}
}
