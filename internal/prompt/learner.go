package prompt

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
)

const (
	lessonPairs   = 32   // remembered calls of a model and kind
	firstLesson   = 3    // calls before anything is corrected
	lineLesson    = 8    // calls before two figures are learned at once
	bandLesson    = 10   // calls before the band follows them
	DefaultModels = 1024 // models and kinds that a [Learner] remembers
)

// Learner corrects estimates by what providers reported of earlier calls: by a factor, by a difference or by both for
// each model and kind of request, whichever would have been nearest to the last calls. All are medians, so that a
// single odd report changes nothing. It remembers a bounded number of models, the ones last used.
//
// The zero value is ready for use and remembers [DefaultModels]. A Learner is safe for concurrent use and must not be
// copied.
type Learner struct {
	mu      sync.Mutex
	most    int
	clock   uint64
	lessons map[lessonKey]*lesson
}

// NewLearner returns a Learner that remembers so many models and kinds, at least one.
func NewLearner(models int) *Learner { return &Learner{most: max(models, 1)} }

type lessonKey struct {
	model string
	kind  Kind
}

// pair is a prediction, as [Count] made it, and what the provider reported.
type pair struct{ predicted, reported int64 }

// lesson is what was learned of a model and a kind of request.
type lesson struct {
	used    uint64
	calls   int // ever seen
	pairs   []pair
	refuted bool // a bound was broken

	fix     correction
	band    float64 // percent; negative: too few calls to tell
	learned bool
}

// correction turns a prediction into what will be reported.
type correction struct{ factor, difference float64 }

func (c correction) of(predicted int64) int64 {
	return int64(min(max(math.Round(float64(predicted)*c.factor+c.difference), 0), 1<<62))
}

// Observe takes note of what a provider reported for a request that was estimated as e, before any adjustment. A
// number below 1 is no report.
func (l *Learner) Observe(model string, e Estimate, reported int64) {
	if e.Tokens < 1 || reported < 1 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.lesson(lessonKey{model, e.Kind})
	s.refuted = s.refuted || e.Bounded && reported > e.Most
	s.observe(pair{e.Tokens, reported})
}

// Adjust corrects an estimate by what was learned of the model. A bound stays as it is, unless a call was reported
// beyond its bound: then none is claimed for the model any more.
func (l *Learner) Adjust(model string, e Estimate) Estimate {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.lessons[lessonKey{model, e.Kind}]
	if s == nil {
		return e
	}
	l.clock++
	s.used = l.clock
	if s.refuted {
		e.Most, e.Bounded = 0, false
	}
	if !s.learned {
		return e
	}
	e.Tokens = s.fix.of(e.Tokens)
	if e.Bounded {
		e.Tokens = min(e.Tokens, e.Most)
	}
	if s.band >= 0 {
		e.Band = s.band
	}
	return e
}

// lesson finds what was learned under a key, or begins to learn, for which another may have to be forgotten.
func (l *Learner) lesson(key lessonKey) *lesson {
	l.clock++
	if s := l.lessons[key]; s != nil {
		s.used = l.clock
		return s
	}
	if l.lessons == nil {
		l.lessons = map[lessonKey]*lesson{}
	}
	if l.most == 0 {
		l.most = DefaultModels
	}
	for len(l.lessons) >= l.most {
		l.forget()
	}
	s := &lesson{used: l.clock}
	l.lessons[key] = s
	return s
}

// forget drops what was used longest ago.
func (l *Learner) forget() {
	var oldest lessonKey
	used := uint64(math.MaxUint64)
	for key, s := range l.lessons {
		if s.used < used {
			oldest, used = key, s.used
		}
	}
	delete(l.lessons, oldest)
}

func (s *lesson) observe(p pair) {
	if len(s.pairs) < lessonPairs {
		s.pairs = append(s.pairs, p)
	} else {
		s.pairs[s.calls%lessonPairs] = p
	}
	s.calls++
	if len(s.pairs) >= firstLesson {
		s.learn()
	}
}

// learn takes the correction that would have been nearest, and works out how far it was off.
func (s *lesson) learn() {
	candidates := [...]correction{{1, s.difference(1)}, {s.factor(), 0}, s.line()}
	if len(s.pairs) < lineLesson {
		candidates[2] = candidates[1]
	}
	s.fix = candidates[0]
	least, _ := s.errors(s.fix)
	for _, c := range candidates[1:] {
		if sum, _ := s.errors(c); sum < least {
			s.fix, least = c, sum
		}
	}
	s.learned, s.band = true, -1
	if len(s.pairs) >= bandLesson {
		_, worst := s.errors(s.fix)
		s.band = 100 * worst
	}
}

// sample is a value of each remembered call, in order of size.
func (s *lesson) sample(room []float64, of func(p pair) float64) []float64 {
	for _, p := range s.pairs {
		room = append(room, of(p))
	}
	slices.Sort(room)
	return room
}

// factor is the middle ratio of what was reported to what was predicted.
func (s *lesson) factor() float64 {
	var room [lessonPairs]float64
	return middle(s.sample(room[:0], func(p pair) float64 { return float64(p.reported) / float64(p.predicted) }))
}

// difference is the middle of what remains after a factor.
func (s *lesson) difference(factor float64) float64 {
	var room [lessonPairs]float64
	return middle(s.sample(room[:0], func(p pair) float64 { return float64(p.reported) - factor*float64(p.predicted) }))
}

// line is the middle slope between any two calls, after Theil and Sen, and what remains.
func (s *lesson) line() correction {
	var room [lessonPairs * (lessonPairs - 1) / 2]float64
	slopes := room[:0]
	for i, a := range s.pairs {
		for _, b := range s.pairs[:i] {
			if a.predicted != b.predicted {
				slopes = append(slopes, float64(a.reported-b.reported)/float64(a.predicted-b.predicted))
			}
		}
	}
	if len(slopes) == 0 {
		return correction{1, s.difference(1)}
	}
	slices.Sort(slopes)
	factor := max(middle(slopes), 0)
	return correction{factor, s.difference(factor)}
}

// errors is how far a correction is off: the sum over all calls, in which one alone is not to decide, so that each
// counts as 1 at most; and the error that 19 of 20 do not exceed.
func (s *lesson) errors(c correction) (sum, worst float64) {
	var room [lessonPairs]float64
	errors := s.sample(room[:0], func(p pair) float64 {
		return math.Abs(float64(c.of(p.predicted)-p.reported)) / float64(p.reported)
	})
	for _, e := range errors {
		sum += min(e, 1)
	}
	return sum, errors[len(errors)*95/100]
}

// middle is the median of sorted values.
func middle(values []float64) float64 {
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// lessonJSON is how a lesson is kept.
type lessonJSON struct {
	Model   string     `json:"model"`
	Kind    Kind       `json:"kind"`
	Refuted bool       `json:"refuted,omitempty"`
	Pairs   [][2]int64 `json:"pairs"` // predicted, reported; the oldest first
}

// MarshalJSON implements [json.Marshaler]: it writes down what was learned, the models used longest ago first.
func (l *Learner) MarshalJSON() ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	keys := make([]lessonKey, 0, len(l.lessons))
	for key := range l.lessons {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b lessonKey) int {
		if l.lessons[a].used < l.lessons[b].used {
			return -1
		}
		return 1
	})
	kept := make([]lessonJSON, 0, len(keys))
	for _, key := range keys {
		s := l.lessons[key]
		row := lessonJSON{Model: key.model, Kind: key.kind, Refuted: s.refuted, Pairs: make([][2]int64, 0, len(s.pairs))}
		for i := range s.pairs {
			p := s.pairs[i]
			if len(s.pairs) == lessonPairs {
				p = s.pairs[(s.calls+i)%lessonPairs]
			}
			row.Pairs = append(row.Pairs, [2]int64{p.predicted, p.reported})
		}
		kept = append(kept, row)
	}
	return json.Marshal(kept)
}

// UnmarshalJSON implements [json.Unmarshaler]: it replaces what was learned by what was written down. Rows that make
// no sense are an error, and nothing is replaced.
func (l *Learner) UnmarshalJSON(data []byte) error {
	var kept []lessonJSON
	if err := json.Unmarshal(data, &kept); err != nil {
		return fmt.Errorf("prompt: what was learned: %w", err)
	}
	for _, row := range kept {
		if row.Kind >= kinds {
			return errors.New("prompt: what was learned: a kind of request is unknown")
		}
		for _, p := range row.Pairs {
			if p[0] < 1 || p[1] < 1 {
				return errors.New("prompt: what was learned: a number of tokens is below 1")
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lessons = nil
	for _, row := range kept {
		s := l.lesson(lessonKey{row.Model, row.Kind})
		s.refuted = row.Refuted
		for _, p := range row.Pairs {
			s.observe(pair{p[0], p[1]})
		}
	}
	return nil
}
