package farebox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farebox-go/farebox/internal/guard"
)

// maxConfigBytes bounds a file of budgets.
const maxConfigBytes = 4 << 20

// ReadBudgets reads budgets from a JSON file, whose schema is docs/budgets.schema.json:
//
//	{"budgets": [
//	  {"name": "prod", "cap": "50", "window": "daily in Europe/Zurich", "when_full": "fit"},
//	  {"name": "each", "tokens": 200000, "window": "rolling 1h", "per": "user", "scope": {"tags": {"plan": "free"}}}
//	]}
//
// An error names what is wrong in which budget: an unknown member, a cap that is missing, a window that does not exist.
func ReadBudgets(r io.Reader) ([]Budget, error) {
	var file struct {
		Schema  string            `json:"$schema"`
		Budgets []json.RawMessage `json:"budgets"`
	}
	if err := decodeStrictly(io.LimitReader(r, maxConfigBytes), &file); err != nil {
		return nil, fmt.Errorf("farebox: budgets: %w", err)
	}
	budgets := make([]Budget, len(file.Budgets))
	for i, raw := range file.Budgets {
		// In a file a cap that is missing is a mistake, not a cap of nothing.
		var read struct {
			Cap *Money `json:"cap"`
			Budget
		}
		if err := decodeStrictly(strings.NewReader(string(raw)), &read); err != nil {
			return nil, fmt.Errorf("farebox: budget %d: %w", i+1, err)
		}
		b := &budgets[i]
		if *b = read.Budget; read.Cap != nil {
			b.Cap = *read.Cap
		}
		if read.Cap == nil && b.Tokens == 0 && b.Requests == 0 {
			return nil, fmt.Errorf("farebox: budget %d (%q): want a cap, tokens or requests", i+1, b.Name)
		}
		if _, err := b.limit(); err != nil {
			return nil, fmt.Errorf("farebox: budget %d: %w", i+1, err)
		}
		if slices.ContainsFunc(budgets[:i], func(other Budget) bool { return other.Name == b.Name }) {
			return nil, fmt.Errorf("farebox: there are two budgets named %q", b.Name)
		}
	}
	return budgets, nil
}

func decodeStrictly(r io.Reader, to any) error {
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(to); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the end")
	}
	return nil
}

// Apply makes these the budgets in force: those of a name that is there already are set, others added, and all that are
// not among them removed. With an error nothing has changed. It is for a file that is read again while calls go on; see
// [Guard.Set] for what stays counted.
func (g *Guard) Apply(budgets []Budget) error {
	names := make(map[string]bool)
	for _, b := range budgets {
		if _, err := b.limit(); err != nil {
			return fmt.Errorf("farebox: %w", err)
		}
		if names[b.Name] {
			return fmt.Errorf("farebox: there are two budgets named %q", b.Name)
		}
		names[b.Name] = true
	}
	for _, b := range g.Budgets() {
		if !names[b.Name] {
			g.Remove(b.Name)
		}
	}
	for _, b := range budgets {
		err := g.Set(b)
		if errors.Is(err, ErrUnknownBudget) {
			err = g.Add(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// MarshalText writes the window as String does.
func (w Window) MarshalText() ([]byte, error) {
	if _, err := w.resolve(); err != nil {
		return nil, err
	}
	return []byte(w.String()), nil
}

// windowNames are the windows that need no length.
var windowNames = map[string]Window{
	"total": {}, "per call": PerCall, "hourly": Hourly, "daily": Daily, "weekly": Weekly, "monthly": Monthly,
}

// UnmarshalText reads a window as String writes it: "total", "per call", "hourly", "daily", "weekly", "monthly" or
// "rolling 24h"; a weekly one may go on " from Sunday", a monthly one " from day 15", and any calendar window
// " in Europe/Zurich".
func (w *Window) UnmarshalText(text []byte) error {
	rest, zone, _ := strings.Cut(string(text), " in ")
	rest, from, anchored := strings.Cut(rest, " from ")
	read, known := windowNames[rest]
	if length, rolling := strings.CutPrefix(rest, "rolling "); rolling {
		d, err := time.ParseDuration(length)
		if err != nil {
			return fmt.Errorf("window %q: want a duration such as 24h after \"rolling\"", text)
		}
		read, known = Rolling(d), true
	}
	if !known {
		return fmt.Errorf("window %q is not known: want total, per call, hourly, daily, weekly, monthly or rolling with a duration", text)
	}
	if anchored {
		var err error
		if read, err = read.startingFrom(from); err != nil {
			return fmt.Errorf("window %q: %w", text, err)
		}
	}
	read.zone = zone
	if _, err := read.resolve(); err != nil {
		return err
	}
	*w = read
	return nil
}

// startingFrom reads where a week or a month begins.
func (w Window) startingFrom(text string) (Window, error) {
	if day, ok := strings.CutPrefix(text, "day "); ok && w.kind == guard.Month {
		n, err := strconv.Atoi(day)
		if err == nil {
			return w.AnchoredOn(n), nil
		}
	}
	for day := time.Sunday; day <= time.Saturday; day++ {
		if day.String() == text && w.kind == guard.Week {
			return w.StartingOn(day), nil
		}
	}
	return w, errors.New("want a weekly window from a day of the week, or a monthly one from day 1 to 31")
}
