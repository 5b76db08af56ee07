package guard

import "math/bits"

// A Crossing is told of once in a window, when what is spent has reached a threshold. Amounts are nano-dollars.
type Crossing struct {
	Owner      any    // of the limit
	Value      string // of a group's counter
	Percent    int    // the highest threshold reached
	Cap, Spent int64  // Spent by all who share the limit, as far as is known
	Start, End int64  // of the window, in nanoseconds since 1970; 0: it has none
	At         int64  // the guard's clock
}

// tell notices thresholds that spending has reached since it was last told.
func (c *Counter) tell() {
	n := int(c.passed)
	for n < len(c.thresholds) && c.reached(c.thresholds[n]) {
		n++
	}
	if n == int(c.passed) {
		return
	}
	c.passed = uint8(n)
	if c.width > 0 {
		c.rare.quiet = c.guard.clock + int64(c.window.Length)
	}
	crossing := Crossing{
		Owner: c.owner, Value: c.value, Percent: c.thresholds[n-1],
		Cap: c.cap, Spent: c.shared(), At: c.guard.clock,
	}
	if start, reset := c.span(); !start.IsZero() {
		crossing.Start, crossing.End = nanos(start), nanos(reset)
	}
	c.guard.Notify(crossing)
}

// reached reports whether spending is a share of the cap, in percent, or more.
func (c *Counter) reached(percent int) bool {
	high, low := bits.Mul64(uint64(c.shared()), 100)
	capHigh, capLow := bits.Mul64(uint64(c.cap), uint64(percent))
	return high > capHigh || high == capHigh && low >= capLow
}

// shared is what was spent, with what other processes are known to have spent.
func (c *Counter) shared() int64 {
	if c.rare == nil {
		return c.spent
	}
	return add(c.spent, c.rare.others)
}

// Hear takes over what all processes that share a limit have spent of it, in the window that starts at an instant in
// nanoseconds since 1970 (a rolling one's bucket; 0: a total). It counts for thresholds only, until more is heard or the
// window turns; of a window that is not the current one it changes nothing.
func (c *Counter) Hear(start, spent int64) {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	c = c.live()
	c.turn(c.guard.clock)
	others := max(0, spent-c.spent)
	if c.perCall || c.gen != start || others == 0 && c.rare == nil {
		return
	}
	if c.rare == nil {
		c.rare = &rare{}
	}
	c.rare.others = others
	if c.thresholds != nil && c.guard.Notify != nil {
		c.tell()
	}
}

// rearm lets the thresholds of a rolling window be told of again, once what had reached them has gone by.
func (c *Counter) rearm(clock int64) {
	if clock < c.rare.quiet {
		return
	}
	for c.passed > 0 && !c.reached(c.thresholds[c.passed-1]) {
		c.passed--
	}
}
