package guard

import (
	"strings"
	"time"
)

// DefaultGroupSize is the most counters that a [Group] keeps if it is not told otherwise.
const DefaultGroupSize = 100_000

// sweepStep is how many counters leave, if they may, for each one that comes. Two or more make the group follow
// the number of values in use; few keep every call short.
const sweepStep = 4

// A Group keeps one limit for each value of a tag, such as a cap per user. Counters are made when a value is
// first seen. One whose window has closed and that has no open hold may be swept to make room for another; inside
// its window a counter is never dropped, and that of a total, or with settings of its own, is never dropped at all.
//
// A per-call limit remembers nothing, so all values share one counter of it.
type Group struct {
	*schedule
	limit   Limit
	max     int
	members map[string]*Counter
	oldest  *Counter // the counters that may be swept one day, by the generation of their last use
	newest  *Counter
	shared  *Counter // PerCall: the one for all
}

// A member is a counter's place in its group.
type member struct {
	value string
	last  int64 // the generation of the last use
	older *Counter
	newer *Counter
}

// NewGroup adds a group whose values each have the limit, and which keeps counters for at most size values;
// 0 means [DefaultGroupSize]. It returns [ErrAmount] for a negative cap or size, and [ErrWindow] for a window that
// cannot be kept. A rolling window takes 16 bytes a bucket for each value.
func (g *Guard) NewGroup(l Limit, size int) (*Group, error) {
	if err := l.validate(); err != nil {
		return nil, err
	}
	if size < 0 {
		return nil, ErrAmount
	}
	if size == 0 {
		size = DefaultGroupSize
	}
	gr := &Group{schedule: newSchedule(g, l), limit: l, max: size, members: make(map[string]*Counter)}
	if gr.perCall {
		gr.shared = newCounter(l, gr.schedule)
	}
	gr.group = gr
	return gr, nil
}

// Counter returns the counter of a value, made if need be. It may be kept: if it is swept later and then used
// again, it takes its place again or stands for the one that has taken it. The error is [ErrFull] if the value is
// new and every counter of a full group is live.
func (gr *Group) Counter(now time.Time, value string) (*Counter, error) {
	if gr.perCall {
		return gr.shared, nil
	}
	at := nanos(now)
	gr.guard.mu.Lock()
	defer gr.guard.mu.Unlock()
	if c := gr.members[value]; c != nil {
		return c, nil
	}
	gr.guard.advance(at)
	if !gr.makeRoom() {
		return nil, ErrFull
	}
	c := newCounter(gr.limit, gr.schedule)
	c.value = strings.Clone(value) // a part of a request must not keep the whole of it alive
	gr.admit(c)
	return c, nil
}

// Lookup returns the counter of a value if there is one.
func (gr *Group) Lookup(value string) (*Counter, bool) {
	if gr.perCall {
		return gr.shared, true
	}
	gr.guard.mu.Lock()
	defer gr.guard.mu.Unlock()
	c, ok := gr.members[value]
	return c, ok
}

// Len returns the number of counters kept.
func (gr *Group) Len() int {
	gr.guard.mu.Lock()
	defer gr.guard.mu.Unlock()
	return len(gr.members)
}

// Values returns the values that have a counter, in no order.
func (gr *Group) Values() []string {
	gr.guard.mu.Lock()
	defer gr.guard.mu.Unlock()
	values := make([]string, 0, len(gr.members))
	for v := range gr.members {
		values = append(values, v)
	}
	return values
}

// SetCap changes the cap of every value that has no settings of its own, and of those to come. It returns
// [ErrAmount] for a negative cap.
func (gr *Group) SetCap(nanodollars int64) error {
	gr.guard.mu.Lock()
	defer gr.guard.mu.Unlock()
	return gr.set(nanodollars, gr.limit.Observe, false)
}

// SetLimit changes cap and observing of every value, those with settings of their own included, and of those to come.
// It returns [ErrAmount] for a negative cap.
func (gr *Group) SetLimit(nanodollars int64, observe bool) error {
	gr.guard.mu.Lock()
	defer gr.guard.mu.Unlock()
	return gr.set(nanodollars, observe, true)
}

func (gr *Group) set(nanodollars int64, observe, all bool) error {
	if nanodollars < 0 {
		return ErrAmount
	}
	gr.limit.Cap, gr.limit.Observe = nanodollars, observe
	set := func(c *Counter) {
		c.cap = min(nanodollars, MaxCap)
		c.setting.set(observes, observe)
	}
	if gr.perCall {
		set(gr.shared)
	}
	for _, c := range gr.members {
		if all || !c.setting.has(own) {
			set(c)
		}
	}
	gr.guard.serveAll()
	return nil
}

// Value returns the value that a counter of a [Group] is kept for, and the empty string for any other.
func (c *Counter) Value() string { return c.value }

// admit gives a counter its place as the newest.
func (gr *Group) admit(c *Counter) {
	gr.members[c.value] = c
	c.setting.set(swept, false)
	c.setting.set(observes, gr.limit.Observe)
	c.cap = min(gr.limit.Cap, MaxCap)
	c.turn(gr.guard.clock)
	c.last = c.gen
	gr.link(c)
}

// makeRoom sweeps a few counters, or as many as it takes, and reports whether there is room for another.
func (gr *Group) makeRoom() bool {
	for n := 0; n < sweepStep || len(gr.members) >= gr.max; n++ {
		if !gr.sweep() {
			break
		}
	}
	return len(gr.members) < gr.max
}

// sweep takes the counter that has been out of use for the longest, and drops it if its window has closed. One
// with a hold still open becomes the newest instead, as if it were used now. It reports false if all are live.
func (gr *Group) sweep() bool {
	c := gr.oldest
	if c == nil {
		return false
	}
	c.turn(gr.guard.clock)
	if c.inView(c.last) {
		return false
	}
	if c.open > 0 || c.waiting > 0 {
		c.touch()
		return true
	}
	gr.unlink(c)
	delete(gr.members, c.value)
	c.setting.set(swept, true)
	return true
}

// live returns the counter that stands for c now: c itself, or the one that took its place after it was swept.
func (c *Counter) live() *Counter {
	if c.setting.has(swept) {
		if heir := c.group.members[c.value]; heir != nil {
			return heir
		}
	}
	return c
}

// revive returns the live counter, putting c back in its place if nothing took it. It reports false if the group
// has no room.
func (c *Counter) revive() (*Counter, bool) {
	if !c.setting.has(swept) {
		return c, true
	}
	heir := c.live()
	if heir != c {
		return heir, true
	}
	if !c.group.makeRoom() {
		return nil, false
	}
	c.group.admit(c)
	return c, true
}

// touch notes that the counter is used in its current generation.
func (c *Counter) touch() {
	if c.last == c.gen {
		return
	}
	c.last = c.gen
	if c.setting.has(linked) {
		c.group.unlink(c)
		c.group.link(c)
	}
}

// keep makes the counter's settings its own, so that it can no longer be swept and made anew from the group's.
func (c *Counter) keep() {
	if c.setting.has(linked) {
		c.group.unlink(c)
	}
	c.setting.set(own, true)
}

// link appends a counter as the newest. Clock and generations only grow, so the order by last use is kept.
func (gr *Group) link(c *Counter) {
	c.setting.set(linked, true)
	c.older, c.newer = gr.newest, nil
	if gr.newest != nil {
		gr.newest.newer = c
	} else {
		gr.oldest = c
	}
	gr.newest = c
}

func (gr *Group) unlink(c *Counter) {
	if c.older != nil {
		c.older.newer = c.newer
	} else {
		gr.oldest = c.newer
	}
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		gr.newest = c.older
	}
	c.setting.set(linked, false)
	c.older, c.newer = nil, nil
}
