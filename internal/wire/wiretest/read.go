package wiretest

import (
	"bytes"
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/farebox-go/farebox/internal/framing"
	"github.com/farebox-go/farebox/internal/wire"
)

// Whole reads in one piece.
func Whole() int { return 1 << 30 }

// Pieces reads in pieces of random sizes, up to the given one.
func Pieces(most int, seed uint64) func() int {
	random := rand.New(rand.NewPCG(seed, uint64(most)))
	return func() int { return 1 + random.IntN(most) }
}

// ReadBody reads a body that is no stream, in pieces of the sizes that next gives.
func ReadBody(format wire.Format, of *wire.Request, body []byte, next func() int) *wire.Answer {
	r := format.NewBodyReader(of)
	for len(body) > 0 {
		n := min(next(), len(body))
		r.Write(bytes.Clone(body[:n]))
		r.Answer() // may be asked for at any time
		body = body[n:]
	}
	return r.Answer()
}

// ReadSSE reads a stream of server-sent events, in pieces of the sizes that next gives.
func ReadSSE(format wire.Format, of *wire.Request, stream []byte, next func() int) *wire.Answer {
	return ReadStream(format, of, framing.ServerSent, stream, next)
}

// ReadStream reads a stream in a framing, in pieces of the sizes that next gives.
func ReadStream(format wire.Format, of *wire.Request, kind framing.Framing, stream []byte, next func() int) *wire.Answer {
	r := format.NewStreamReader(of)
	p := kind.New(0)
	event := func(name, data []byte) { r.Event(name, data) }
	for len(stream) > 0 {
		n := min(next(), len(stream))
		piece := bytes.Clone(stream[:n])
		p.Write(piece, event)
		clear(piece) // nothing of it may be needed any more
		stream = stream[n:]
	}
	p.Close(event)
	return r.Answer()
}

// Read reads the answer of an exchange, in the framing that its head or its beginning names.
func (x *Exchange) Read(format wire.Format, of *wire.Request, next func() int) *wire.Answer {
	body, head := x.Body(), x.Head()
	kind := framing.OfContentType(head.Get("Content-Type"))
	if first := bytes.TrimLeft(body, " \t\r\n"); kind == framing.None && len(first) > 0 {
		kind = framing.OfBeginning(first[0], of.Stream)
	}
	var a *wire.Answer
	if kind == framing.None {
		a = ReadBody(format, of, body, next)
	} else {
		a = ReadStream(format, of, kind, body, next)
	}
	format.ReadHeaders(of, head, a)
	return a
}

// ReadRequest recognises the request of an exchange and reads it.
func (x *Exchange) ReadRequest(t testing.TB, format wire.Format) (wire.Route, wire.Request) {
	t.Helper()
	to := x.Target(t)
	route, ok := format.Recognise(to)
	if !ok {
		t.Errorf("%s: %s %s is not recognised", x.Name(), to.Method, to.Path)
	}
	body := x.Asked()
	if route.Billing != wire.Metered || body == nil {
		return route, wire.Request{Operation: route.Operation, Stream: x.Stream}
	}
	q, err := format.ReadRequest(route.Operation, to, body)
	if err != nil {
		t.Errorf("%s: %v", x.Name(), err)
	}
	if x.Requested != nil && q.Model != *x.Requested && !strings.HasSuffix(*x.Requested, "/"+q.Model) { // an ARN may end in the id
		t.Errorf("%s: model %q, want %q", x.Name(), q.Model, *x.Requested)
	}
	if x.Status < 300 && q.Stream != x.Stream {
		t.Errorf("%s: stream %v, want %v", x.Name(), q.Stream, x.Stream)
	}
	return route, q
}

// Check reads an exchange's answer, whole and in pieces, and compares it with the index: whether there is a usage, the model,
// the cost. It returns the answer.
func (x *Exchange) Check(t testing.TB, format wire.Format, of *wire.Request) *wire.Answer {
	t.Helper()
	if x.Status >= 400 {
		e := format.ReadError(x.Status, x.Body())
		if e.Message == "" || len([]rune(e.Message)) > 300 {
			t.Errorf("%s: error %+v", x.Name(), e)
		}
		return &wire.Answer{Err: &e}
	}
	a := x.Read(format, of, Whole)
	want, _ := json.Marshal(a)
	for _, most := range []int{1, 7, 400} {
		got, _ := json.Marshal(x.Read(format, of, Pieces(most, 1)))
		if !bytes.Equal(got, want) {
			t.Errorf("%s: in pieces of at most %d\n got %s\nwant %s", x.Name(), most, got, want)
		}
	}
	if x.Returned != nil && a.Model != *x.Returned {
		t.Errorf("%s: model %q, want %q", x.Name(), a.Model, *x.Returned)
	}
	for i, n := range Kinds(&a.Usage) {
		if n < 0 {
			t.Errorf("%s: count %d is below zero: %+v", x.Name(), i, a.Usage)
		}
	}
	x.checkCost(t, a)
	return a
}

func (x *Exchange) checkCost(t testing.TB, a *wire.Answer) {
	t.Helper()
	switch stated := Amount(a.Reported); {
	case x.Cost == nil && stated != nil:
		t.Errorf("%s: cost %+v where none is stated", x.Name(), a.Reported)
	case x.Cost != nil && (stated == nil || stated.Cmp(Amount(wire.ReportedCost{Literal: x.Cost.USD})) != 0):
		t.Errorf("%s: cost %+v, want %s", x.Name(), a.Reported, x.Cost.USD)
	}
}

// Amount is the exact value of a figure, nil where there is none.
func Amount(c wire.ReportedCost) *big.Rat {
	figure, ok := new(big.Rat).SetString(c.Literal)
	if !ok {
		return nil
	}
	shift, _ := new(big.Rat).SetString("1e" + strconv.Itoa(c.Exponent))
	return figure.Mul(figure, shift)
}

// Kinds lists the counts of a usage.
func Kinds(u *wire.Usage) []int64 {
	return []int64{u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.AudioInput, u.AudioCacheRead, u.ImageInput,
		u.ImageCacheRead, u.VideoInput, u.Output, u.Reasoning, u.AudioOutput, u.ImageOutput, u.VideoOutput, u.Citation, u.WebSearches, u.Requests}
}
