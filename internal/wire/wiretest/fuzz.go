package wiretest

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/farebox-go/farebox/internal/wire"
)

// FuzzRequests reads request bodies: nothing may make a format panic, and no count may be below zero.
func FuzzRequests(f *testing.F, format wire.Format, op wire.Operation, to wire.Target, seeds ...string) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		q, err := format.ReadRequest(op, to, body)
		if !bytes.Equal(body, before) {
			t.Fatalf("the body was changed")
		}
		for i, n := range []int64{q.TextBytes, q.InputTokens, q.MaxOutput, q.BesideLimit, int64(q.Messages), int64(q.Inputs), int64(q.Tools),
			int64(q.Images), int64(q.Audios), int64(q.Videos), int64(q.Files), int64(q.Choices)} {
			if n < 0 {
				t.Fatalf("%s: count %d is %d", body, i, n)
			}
		}
		for name, n := range q.Units {
			if n < 0 {
				t.Fatalf("%s: %d of %s", body, n, name)
			}
		}
		if err == nil && q.Operation != op {
			t.Fatalf("operation %q", q.Operation)
		}
		if edited, err := format.IncludeUsage(body); err == nil && json.Valid(body) && !json.Valid(edited) {
			t.Fatalf("%s was edited to %s", body, edited)
		}
	})
}

// FuzzBodies reads answers that are no streams, whole and cut in two: nothing may make a format panic, no count may be below
// zero, and where a piece ends must not matter.
func FuzzBodies(f *testing.F, format wire.Format, of *wire.Request, seeds ...string) {
	fuzzAnswers(f, func(body []byte, next func() int) *wire.Answer { return ReadBody(format, of, body, next) }, seeds)
}

// FuzzStreams is FuzzBodies for streams of server-sent events.
func FuzzStreams(f *testing.F, format wire.Format, of *wire.Request, seeds ...string) {
	fuzzAnswers(f, func(stream []byte, next func() int) *wire.Answer { return ReadSSE(format, of, stream, next) }, seeds)
}

func fuzzAnswers(f *testing.F, read func(body []byte, next func() int) *wire.Answer, seeds []string) {
	for _, seed := range seeds {
		f.Add([]byte(seed), uint16(len(seed)/2))
	}
	f.Fuzz(func(t *testing.T, body []byte, at uint16) {
		a := read(body, Whole)
		checkAnswer(t, body, a)
		want, err := json.Marshal(a)
		if err != nil {
			t.Skip() // a raw usage that is not quite JSON
		}
		for _, next := range []func() int{cutAt(int(at)), Pieces(9, uint64(at))} {
			if got, _ := json.Marshal(read(body, next)); !bytes.Equal(got, want) {
				t.Fatalf("%q in pieces:\n got %s\nwant %s", body, got, want)
			}
		}
		checkAnswer(t, body, read(body[:min(int(at), len(body))], Whole))
	})
}

// cutAt is one piece up to an offset, then one with the rest.
func cutAt(at int) func() int {
	first := true
	return func() int {
		if first && at > 0 {
			first = false
			return at
		}
		return 1 << 30
	}
}

func checkAnswer(t *testing.T, body []byte, a *wire.Answer) {
	t.Helper()
	usages := []*wire.Usage{&a.Usage}
	for i := range a.Iterations {
		usages = append(usages, &a.Iterations[i].Usage)
	}
	for _, u := range usages {
		for i, n := range Kinds(u) {
			if n < 0 {
				t.Fatalf("%q: count %d is %d", body, i, n)
			}
		}
		for name, n := range u.Units {
			if n <= 0 {
				t.Fatalf("%q: %d of %s", body, n, name)
			}
		}
	}
	for _, c := range []wire.ReportedCost{a.Reported, a.Upstream} {
		if c.Literal != "" && (Amount(c) == nil || c.Literal[0] == '-') {
			t.Fatalf("%q: %+v", body, c)
		}
	}
	if len(a.RawUsage) > 1<<20 || a.TextBytes < 0 {
		t.Fatalf("%d bytes of raw usage, %d of text", len(a.RawUsage), a.TextBytes)
	}
}

// CutEverywhere reads a stream of server-sent events that breaks off at every offset, and one that comes in two pieces that meet
// there, which must not matter.
func CutEverywhere(t *testing.T, format wire.Format, of *wire.Request, stream string) {
	t.Helper()
	want, _ := json.Marshal(ReadSSE(format, of, []byte(stream), Whole))
	for at := range len(stream) {
		if got, _ := json.Marshal(ReadSSE(format, of, []byte(stream), cutAt(at))); !bytes.Equal(got, want) {
			t.Fatalf("cut at %d\n got %s\nwant %s", at, got, want)
		}
		checkAnswer(t, []byte(stream[:at]), ReadSSE(format, of, []byte(stream[:at]), Whole))
	}
}

// EventAllocs is how many allocations an event takes once a stream is under way.
func EventAllocs(format wire.Format, of *wire.Request, name, event string) float64 {
	r := format.NewStreamReader(of)
	label, data := []byte(name), []byte(event)
	r.Event(label, data)
	return testing.AllocsPerRun(100, func() { r.Event(label, data) })
}

// BenchmarkEvents reads the same event over and over.
func BenchmarkEvents(b *testing.B, format wire.Format, of *wire.Request, name, event string) {
	b.Helper()
	r := format.NewStreamReader(of)
	label, data := []byte(name), []byte(event)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r.Event(label, data)
	}
}
