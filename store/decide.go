package store

import "time"

// Position is where an account and one client of it stand, for stores that keep that in rows of their own: they load it,
// have [Decide] change it, and save it, all in one step that nothing else can come between.
type Position struct {
	// Known says that the line's window is kept, and Last is the start of the account's newest window that is.
	Known bool
	Last  int64
	// Used is what counts as spent in view of the line's window, and Clients how many hold an allowance in it.
	Used    int64
	Clients int
	// Granted, Returned and Over are the client's sums in the window.
	Granted, Returned, Over int64
	// RefusedAt is when a client was last refused what it needs; zero: never.
	RefusedAt time.Time
}

// recallTime is how long a refusal asks others to return what they do not need.
const recallTime = 5 * time.Second

func (p *Position) held() int64 { return Add(p.Granted, p.Over) - p.Returned }

// change replaces the client's sums, and moves what counts as spent by the difference.
func (p *Position) change(granted, returned, over int64) {
	if p.Granted > p.Returned {
		p.Clients--
	}
	used := p.Used - p.held()
	p.Granted, p.Returned, p.Over = granted, returned, over
	p.Used = Add(used, p.held())
	if p.Granted > p.Returned {
		p.Clients++
	}
}

// Decide is the protocol: it answers lines from the positions of their accounts, one for each, and changes these. With an
// error, which is a [WindowError] or a [LostError], none of them may be saved.
func Decide(lines []Line, positions []Position, now time.Time) (Reply, error) {
	for i := range lines {
		if err := admissible(&lines[i], &positions[i], now); err != nil {
			return Reply{}, err
		}
	}
	reply := Reply{Now: now, Refused: -1, Lines: make([]Granted, len(lines))}
	for i := range lines {
		l, p := &lines[i], &positions[i]
		p.change(p.Granted, max(p.Returned, l.Returned), max(p.Over, l.Over)) // sums only grow: an older message changes nothing
		if lack := l.Need - p.surplus(l); lack > 0 && lack > l.Cap-p.Used && reply.Refused < 0 {
			reply.Refused, p.RefusedAt = i, now
		}
	}
	for i := range lines {
		l, p := &lines[i], &positions[i]
		if reply.Refused < 0 {
			lack, want := max(0, l.Need-p.surplus(l)), max(0, l.Want-p.surplus(l))
			amount := Chunk(lack, want, max(0, l.Cap-p.Used), p.Clients)
			p.change(p.Granted+amount, p.Returned, p.Over)
		}
		reply.Lines[i] = Granted{Granted: p.Granted, Balance: p.Balance(now)}
	}
	return reply, nil
}

// admissible says why a line cannot be taken at all.
func admissible(l *Line, p *Position, now time.Time) error {
	current := l.Window.Holds(now.UnixNano()) && l.Window.Start >= p.Last
	if !current && (l.Need > 0 || !p.Known) {
		return &WindowError{Key: l.Key, Now: now}
	}
	if l.Granted > p.Granted {
		return &LostError{Key: l.Key, Granted: l.Granted, Stored: p.Granted}
	}
	return nil
}

// surplus is what the client has been granted without knowing it.
func (p *Position) surplus(l *Line) int64 { return p.Granted - l.Granted }

// Balance is how the account stands.
func (p *Position) Balance(now time.Time) Balance {
	return Balance{Used: p.Used, Clients: p.Clients, Recall: !p.RefusedAt.IsZero() && now.Sub(p.RefusedAt) < recallTime}
}
