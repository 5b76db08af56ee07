package prompt

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"testing"
)

// published is what OpenAI's cookbook says of what stands around messages, hmarr's openai-chat-tokens of tools, and the harmony
// format of the results of calls: they name the function again.
var published = around{priming: 3, message: 4, tools: 9, toolText: 1000, toolSystem: -4, callName: 1000}

// reading is a recorded call that was read and not yet estimated.
type reading struct {
	call
	counter counter
}

// estimated estimates a call with other figures.
func (r *reading) estimated(figures *around) *result {
	family := *r.counter.family
	family.around, family.native = *figures, nil
	c := counter{format: r.counter.format, family: &family, tally: r.counter.tally, found: r.counter.found}
	return &result{r.call, c.estimate()}
}

// figuresOf are those that a fit may change, with how far it may go in one step.
func figuresOf(a *around) []*int64 {
	return []*int64{
		&a.priming, &a.message, &a.replay, &a.call, &a.parallel, &a.tools, &a.tool, &a.shaped, &a.toolSystem, &a.schema,
	}
}

// fit finds figures that leave the least error on some calls, from those given on: the one change that helps most, then the
// next, then changes of two at once. Of equal ones it takes the nearest, so that what no call shows stays as it was.
func fit(calls []*reading, from around) around {
	best, least := from, offBy(calls, &from)
	for {
		at, off := best, least
		try := func(next around) {
			if n := offBy(calls, &next); n < off {
				at, off = next, n
			}
		}
		for i := range figuresOf(&best) {
			for step := int64(1); step <= 100; step++ {
				for _, sign := range []int64{-1, 1} {
					next := best
					*figuresOf(&next)[i] += sign * step
					try(next)
				}
			}
		}
		if off == least {
			tryPairs(best, try)
		}
		if off == least {
			return best
		}
		best, least = at, off
	}
}

// tryPairs tries changes of two figures at once, where one alone makes it worse.
func tryPairs(from around, try func(around)) {
	const most = 10
	for i := range figuresOf(&from) {
		for step := range int64(2*most + 1) {
			next := from
			*figuresOf(&next)[i] += step - most
			for j := range i {
				for step := range int64(2*most + 1) {
					next := next
					*figuresOf(&next)[j] += step - most
					try(next)
				}
			}
		}
	}
}

// offBy sums up errors, of which one call can only add so much: some recordings were edited. More than two tokens weigh more.
func offBy(calls []*reading, figures *around) (sum int64) {
	for _, r := range calls {
		off := min(r.estimated(figures).off(), 20)
		if sum += off; off > 2 {
			sum += 10
		}
	}
	return sum
}

// TestRecordedHeldOut fits OpenAI's figures for chats by machine, on the first half of the files alone, and counts the
// second half with them: that is the error on calls that were never seen. The figures of the table were set by hand, in
// sight of both.
func TestRecordedHeldOut(t *testing.T) {
	t.Parallel()
	groups := map[around][]*reading{} // models that the table has the same figures for
	for _, c := range recordedCalls(t, isChat) {
		f := familyOf(c.model)
		vocabulary, err := f.vocabulary()
		if err != nil {
			t.Fatal(err)
		}
		r := &reading{call: c}
		if err := r.counter.count(f, vocabulary, OpenAI, c.body, math.MaxInt64); err != nil {
			t.Fatalf("%s: %v", c.file, err)
		}
		if e := r.counter.estimate(); e.Kind != Media && isOpenAI(&result{c, e}) {
			groups[f.around] = append(groups[f.around], r)
		}
	}
	sums := map[string]*errorsOf{}
	from := published
	bySize := slices.SortedFunc(maps.Values(groups), func(a, b []*reading) int { return cmp.Compare(len(b), len(a)) })
	for i, calls := range bySize {
		heldOut := func(r *reading) bool { return (&result{call: r.call}).heldOut() }
		seen := slices.DeleteFunc(slices.Clone(calls), heldOut)
		figures := fit(seen, from)
		if i == 0 {
			from = figures // models of which few calls are recorded are like those of which most are
		}
		t.Logf("%d calls of %s and its like: %+v", len(calls), calls[0].counter.family.name, figures)
		for _, r := range calls {
			half := "first half, fitted on"
			if heldOut(r) {
				half = "second half, held out"
			}
			group(sums, "OpenAI chats, "+half, r.estimated(&figures))
			if heldOut(r) && len(seen) > 0 {
				group(sums, "OpenAI chats, second half, held out, of models that the first half has too", r.estimated(&figures))
			}
			group(sums, "OpenAI chats, published figures", r.estimated(&published))
		}
	}
	table(t, "fitted by machine", sums)
	for name, near := range map[string]float64{
		"OpenAI chats, second half, held out": 90, "OpenAI chats, second half, held out, of models that the first half has too": 93,
	} {
		if e := sums[name]; e.share(e.near) < near || e.share(e.exact) < 60 {
			t.Errorf("%s: %s", name, e)
		}
	}
}
