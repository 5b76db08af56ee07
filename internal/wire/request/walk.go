package request

import "github.com/farebox-go/farebox/internal/jsonwalk"

// Each calls f at every element of an array. A single object stands for itself: Google's servers take that.
func (q *Body) Each(member string, f func()) {
	switch {
	case q.R.Kind() == jsonwalk.Object:
		f()
	case q.R.Array():
		for q.R.Element() {
			f()
		}
	default:
		q.Refuse(member, "an array")
	}
}

// Inside calls f at every member of an object, if it is one.
func (q *Body) Inside(f func(key string)) {
	if q.R.Object() {
		for q.R.Member() {
			f(string(q.R.Key()))
		}
	}
}

// Given is 1 where there is a value that is not null, which stays to be read.
func (q *Body) Given() int { return present(&q.R) }

// AddText counts a value as text: see [TextBytes].
func (q *Body) AddText() { q.TextBytes += TextBytes(&q.R) }
