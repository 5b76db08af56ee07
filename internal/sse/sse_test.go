package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// pieces reads text in pieces of the given sizes, over and over.
type pieces struct {
	text  string
	sizes []int
	calls int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.text == "" {
		return 0, io.EOF
	}
	size := p.sizes[p.calls%len(p.sizes)]
	p.calls++
	n := copy(b[:min(len(b), size)], p.text)
	p.text = p.text[n:]
	return n, nil
}

// show is an event in one line.
func show(name, data []byte) string { return fmt.Sprintf("%s=%q", name, data) }

func parse(stream string, maxEvent int, sizes ...int) (events []string, skipped int) {
	p := NewParser(maxEvent)
	deliver := func(name, data []byte) { events = append(events, show(name, data)) }
	source := &pieces{text: stream, sizes: sizes}
	buffer := make([]byte, 1<<16)
	for {
		n, err := source.Read(buffer)
		p.Write(buffer[:n], deliver)
		clear(buffer[:n]) // nothing of it may be needed any more
		if err != nil {
			p.Close(deliver)
			return events, p.Skipped()
		}
	}
}

func readAll(stream string, maxEvent int, sizes ...int) (events []string, tooLarge int) {
	r := NewReader(&pieces{text: stream, sizes: sizes}, maxEvent)
	for {
		event, err := r.Next()
		switch {
		case errors.Is(err, ErrEventTooLarge):
			tooLarge++
		case err != nil:
			if err != io.EOF {
				events = append(events, err.Error())
			}
			return events, tooLarge
		default:
			events = append(events, show(event.Name, event.Data))
		}
	}
}

func filter(t interface{ Fatal(...any) }, stream string, maxEvent int, drop string, sizes ...int) (out string, events []string, f *Filter) {
	f = NewFilter(&pieces{text: stream, sizes: sizes}, maxEvent, func(name, data []byte) bool {
		events = append(events, show(name, data))
		return drop != "" && strings.Contains(string(data), drop)
	})
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), events, f
}

var streams = []struct {
	name, text string
	want       []string
}{
	{"nothing", "", nil},
	{"one", "data: a\n\n", []string{`="a"`}},
	{"no space", "data:a\n\n", []string{`="a"`}},
	{"two spaces", "data:  a\n\n", []string{`=" a"`}},
	{"several lines", "data: a\ndata: b\ndata:\ndata: c\n\n", []string{`="a\nb\n\nc"`}},
	{"empty data", "data\n\ndata:\n\n", []string{`=""`, `=""`}},
	{"name", "event: error\ndata: a\n\ndata: b\n\n", []string{`error="a"`, `="b"`}},
	{"name without data", "event: x\n\ndata: b\n\n", []string{`="b"`}},
	{"last name wins", "event: x\nevent: y\ndata: b\n\n", []string{`y="b"`}},
	{"other fields", "id: 7\nretry: 10\nfoo: bar\ndata: b\nid\n\n", []string{`="b"`}},
	{"near names", "Data: a\n data: b\ndatax: c\ndata : d\n\n", nil},
	{"comments", ": OPENROUTER PROCESSING\n\n:\n:x\ndata: a\n: in between\ndata: b\n\n", []string{`="a\nb"`}},
	{"CR LF", "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", []string{`="a\nb"`, `="c"`}},
	{"CR", "data: a\rdata: b\r\rdata: c\r\r", []string{`="a\nb"`, `="c"`}},
	{"mixed ends", "data: a\r\ndata: b\n\r\ndata: c\n\rdata: d\r\n\n", []string{`="a\nb"`, `="c"`, `="d"`}},
	{"byte order mark", "\xEF\xBB\xBFdata: a\n\n", []string{`="a"`}},
	{"byte order mark alone", "\xEF\xBB\xBF\n\ndata: a\n\n", []string{`="a"`}},
	{"byte order mark later", "data: a\n\n\xEF\xBB\xBFdata: b\n\n", []string{`="a"`}},
	{"leading blank lines", "\n\r\n\n\ndata: a\n\n", []string{`="a"`}},
	{"no blank line", "data: a\n\ndata: b\n", []string{`="a"`, `="b"`}},
	{"no line end", "data: a\n\ndata: [DONE]", []string{`="a"`, `="[DONE]"`}},
	{"ends in CR", "data: a\r", []string{`="a"`}},
	{"colons", "data: {\"a\":\"b: c\"}\n\n", []string{`="{\"a\":\"b: c\"}"`}},
}

func TestStreams(t *testing.T) {
	t.Parallel()
	for _, c := range streams {
		for _, size := range []int{1, 2, 3, 7, 1 << 16} {
			if got, skipped := parse(c.text, 0, size); !same(got, c.want) || skipped != 0 {
				t.Errorf("%s, pieces of %d: parsed %v, want %v", c.name, size, got, c.want)
			}
			if got, _ := readAll(c.text, 0, size); !same(got, c.want) {
				t.Errorf("%s, pieces of %d: read %v, want %v", c.name, size, got, c.want)
			}
			out, got, _ := filter(t, c.text, 0, "", size)
			if !same(got, c.want) || out != c.text {
				t.Errorf("%s, pieces of %d: filtered %v to %q", c.name, size, got, out)
			}
		}
	}
}

func same(a, b []string) bool {
	return strings.Join(a, "\x00") == strings.Join(b, "\x00") && len(a) == len(b)
}

func TestFilterDrops(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"data: a\n\ndata: usage\n\ndata: [DONE]\n\n", "data: a\n\ndata: [DONE]\n\n"},
		{"data: a\r\n\r\ndata: usage\r\n\r\ndata: b\r\n\r\n", "data: a\r\n\r\ndata: b\r\n\r\n"},
		{"data: usage\r\rdata: b\r\r", "data: b\r\r"},
		{"event: x\ndata: usa\ndata: usage\nid: 1\n\n\n\ndata: b", "\n\ndata: b"},
		{": keep\ndata: usage\n\n: alive\n\n", ": keep\n: alive\n\n"},
		{"data: usage\n: inside\n\ndata: b\n\n", "data: b\n\n"},
		{"data: a\n\ndata: usage", "data: a\n\n"},
		{"data: usage\n\ndata: usage\n\n", ""},
	} {
		for _, size := range []int{1, 2, 3, 5, 1 << 16} {
			if got, _, _ := filter(t, c.in, 0, "usage", size); got != c.want {
				t.Errorf("%q, pieces of %d: %q, want %q", c.in, size, got, c.want)
			}
		}
	}
}

// TestFilterHoldsBackLittle checks after every byte that all is out but the event under way.
func TestFilterHoldsBackLittle(t *testing.T) {
	t.Parallel()
	const stream = ": hello\n\ndata: one\n\n\n: again\ndata: two\r\n\r\ndata: three"
	held := 0
	in, out := 0, 0
	f := NewFilter(&pieces{text: stream, sizes: []int{1}}, 0, func([]byte, []byte) bool { return false })
	f.buffer = make([]byte, 1)
	for in < len(stream) {
		f.fill()
		out += len(f.out)
		in++
		if before := stream[:in]; strings.HasSuffix(before, "one\n\n") || strings.HasSuffix(before, "hel") || strings.HasSuffix(before, "aga") ||
			strings.HasSuffix(before, "two\r\n\r") {
			if out != in {
				t.Errorf("%q came in, %d bytes out", before, out)
			}
		}
		held = max(held, in-out)
	}
	if longest := len("data: two\r\n\r"); held > longest {
		t.Errorf("held back %d bytes", held)
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	large := "data: " + strings.Repeat("x", 100) + "\n"
	stream := "data: a\n\n" + large + "\ndata: b\n\n" + strings.Repeat("data: yyyyyyyy\n", 10) + "\ndata: c\n\n" + large
	for _, size := range []int{1, 3, 64, 1 << 16} {
		want := []string{`="a"`, `="b"`, `="c"`}
		if got, skipped := parse(stream, 60, size); !same(got, want) || skipped != 3 {
			t.Errorf("pieces of %d: parsed %v, skipped %d", size, got, skipped)
		}
		if got, tooLarge := readAll(stream, 60, size); !same(got, want) || tooLarge != 3 {
			t.Errorf("pieces of %d: read %v, too large %d", size, got, tooLarge)
		}
		out, got, f := filter(t, stream, 60, "", size)
		if !same(got, want) || out != stream || f.Skipped() != 3 {
			t.Errorf("pieces of %d: filtered %v, skipped %d", size, got, f.Skipped())
		}
	}
}

// endless is a stream that repeats itself for a number of bytes.
type endless struct {
	unit string
	left int
	end  string
}

func (e *endless) Read(b []byte) (int, error) {
	if e.left <= 0 {
		if e.end == "" {
			return 0, io.EOF
		}
		n := copy(b, e.end)
		e.end = e.end[n:]
		return n, nil
	}
	n := 0
	for n+len(e.unit) <= len(b) {
		n += copy(b[n:], e.unit)
	}
	e.left -= n
	return n, nil
}

// TestEndlessComments reads ten million comments, and one that has no end for as long.
func TestEndlessComments(t *testing.T) {
	for _, unit := range []string{": OPENROUTER PROCESSING\n\n", ":\n", "\n", "\r\n", ": a comment that goes on and on "} {
		size := 10_000_000 * len(unit)
		if unit[len(unit)-1] == ' ' || testing.Short() {
			size = 10_000_000
		}
		r := NewReader(&endless{unit: unit, left: size, end: "\ndata: x\n\n"}, 100)
		event, err := r.Next()
		if string(event.Data) != "x" || err != nil {
			t.Errorf("%q: %q, %v", unit, event.Data, err)
		}
		if held := cap(r.decoder.partial) + cap(r.decoder.store) + cap(r.buffer); held > readerBuffer+100 {
			t.Errorf("%q: holds %d bytes", unit, held)
		}
	}
}

// TestFilterBoundsComments: comments inside an event are held with it, but not without end.
func TestFilterBoundsComments(t *testing.T) {
	t.Parallel()
	f := NewFilter(&endless{unit: ": inside\n", left: 1 << 20, end: "\n"}, 100, func([]byte, []byte) bool { return true })
	f.decoder.fields = true // as after a line of data
	text, err := io.ReadAll(f)
	if err != nil || f.Skipped() != 1 || len(text) < 1<<20 || cap(f.held) > 4*maxHeldComments {
		t.Errorf("%d bytes, %d skipped, %d held, %v", len(text), f.Skipped(), cap(f.held), err)
	}
}

func TestSourceErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	source := func() io.Reader {
		return io.MultiReader(strings.NewReader("data: a\n\ndata: b"), iotest.ErrReader(broken))
	}
	var seen []string
	f := NewFilter(source(), 0, func(_, data []byte) bool { seen = append(seen, string(data)); return false })
	text, err := io.ReadAll(f)
	if string(text) != "data: a\n\ndata: b" || !errors.Is(err, broken) || !same(seen, []string{"a", "b"}) {
		t.Errorf("%q, %v, %v", text, seen, err)
	}
	if n, err := f.Read(make([]byte, 10)); n != 0 || !errors.Is(err, broken) {
		t.Errorf("after the end: %d, %v", n, err)
	}
	r := NewReader(source(), 0)
	for _, want := range []string{"a", "b"} {
		if event, err := r.Next(); string(event.Data) != want || err != nil {
			t.Errorf("%q, %v", event.Data, err)
		}
	}
	for range 2 {
		if _, err := r.Next(); !errors.Is(err, broken) {
			t.Errorf("at the end: %v", err)
		}
	}
}

// silent never returns anything.
type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

func TestNoProgress(t *testing.T) {
	t.Parallel()
	if _, err := NewReader(silent{}, 0).Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
	if _, err := NewFilter(silent{}, 0, nil).Read(make([]byte, 1)); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
	if n, err := NewFilter(silent{}, 0, nil).Read(nil); n != 0 || err != nil {
		t.Error(n, err)
	}
}

// reference is the standard's algorithm over a stream that is complete, written without regard to memory.
func reference(stream string, maxEvent int) (events []string) {
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(stream), "\n")
	var name string
	var data []string
	size := 0
	for i, line := range append(lines, "") {
		whole := len(line)
		if i == 0 {
			line = strings.TrimPrefix(line, "\xEF\xBB\xBF")
		}
		if line == "" {
			if data != nil && size <= maxEvent {
				events = append(events, show([]byte(name), []byte(strings.Join(data, "\n"))))
			}
			name, data, size = "", nil, 0
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		if line[0] != ':' || whole != len(line) {
			size += whole
		}
		switch field {
		case "data":
			data = append(data, value)
		case "event":
			name = value
		}
	}
	return events
}

func TestAgainstReference(t *testing.T) {
	t.Parallel()
	part := rapid.SampledFrom([]string{"data", "data:", "data: ", "event: ", "id: ", ":", " ", "x", "usage", "\n", "\n", "\n\n", "\r", "\r\n",
		"\r\n\r\n", "\xEF\xBB\xBF", "retry: 1"})
	rapid.Check(t, func(t *rapid.T) {
		stream := strings.Join(rapid.SliceOfN(part, 0, 60).Draw(t, "parts"), "")
		sizes := rapid.SliceOfN(rapid.IntRange(1, 9), 1, 5).Draw(t, "sizes")
		checkAll(t, stream, sizes...)
	})
}

// checkAll holds the parser, the reader and the filter against the reference.
func checkAll(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
}, stream string, sizes ...int) {
	want := reference(stream, 1<<20)
	if got, _ := parse(stream, 1<<20, sizes...); !same(got, want) {
		t.Fatalf("%q: parsed %v, want %v", stream, got, want)
	}
	if got, _ := readAll(stream, 1<<20, sizes...); !same(got, want) {
		t.Fatalf("%q: read %v, want %v", stream, got, want)
	}
	if out, got, _ := filter(t, stream, 1<<20, "", sizes...); !same(got, want) || out != stream {
		t.Fatalf("%q: filtered %v to %q", stream, got, out)
	}
	left := want[:0:0]
	for _, event := range want {
		if data := event[strings.Index(event, "=")+1:]; !strings.Contains(data, "usage") {
			left = append(left, event)
		}
	}
	out, _, _ := filter(t, stream, 1<<20, "usage", sizes...)
	if whole, _, _ := filter(t, stream, 1<<20, "usage", 1<<16); out != whole {
		t.Fatalf("%q: filtered to %q, in one piece to %q", stream, out, whole)
	}
	if got := reference(out, 1<<20); !same(got, left) {
		t.Fatalf("%q: filtered to %q with %v, want %v", stream, out, got, left)
	}
	small := reference(stream, 12)
	for range 2 {
		if got, _ := parse(stream, 12, sizes...); !same(got, small) {
			t.Fatalf("%q: parsed %v of at most 12 bytes, want %v", stream, got, small)
		}
		sizes = []int{1 << 16}
	}
}

func FuzzStream(f *testing.F) {
	for _, c := range streams {
		f.Add(c.text, uint8(3), uint8(1))
	}
	f.Fuzz(func(t *testing.T, stream string, a, b uint8) { checkAll(t, stream, int(a)+1, int(b)+1) })
}

func TestParserAllocs(t *testing.T) {
	piece := []byte(": c\n\nevent: x\ndata: {\"a\":1}\n\ndata: one\ndata: two\n\ndata: cut ")
	p := NewParser(0)
	n := 0
	count := func(_, data []byte) { n += len(data) }
	p.Write(piece, count)
	if allocs := testing.AllocsPerRun(100, func() { p.Write(piece, count) }); allocs != 0 {
		t.Errorf("%v allocations for each piece", allocs)
	}
	if n == 0 {
		t.Error("no events")
	}
}

// TestParserCopiesNothing: the data of an event in one piece is that of the piece.
func TestParserCopiesNothing(t *testing.T) {
	t.Parallel()
	piece := []byte("data: abc\n\n")
	NewParser(0).Write(piece, func(_, data []byte) {
		if &data[0] != &piece[len("data: ")] {
			t.Error("the data was copied")
		}
	})
}

var chunks = bytes.Repeat([]byte("data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" text\"}}],"+
	"\"model\":\"gpt-5-2025-08-07\",\"object\":\"chat.completion.chunk\",\"usage\":null}\n\n"), 100)

func BenchmarkParser(b *testing.B) {
	b.SetBytes(int64(len(chunks)))
	b.ReportAllocs()
	p := NewParser(0)
	n := 0
	for b.Loop() {
		p.Write(chunks, func(_, data []byte) { n += len(data) })
	}
}

func BenchmarkFilter(b *testing.B) {
	b.SetBytes(int64(len(chunks)))
	b.ReportAllocs()
	source := bytes.NewReader(nil)
	f := NewFilter(source, 0, func([]byte, []byte) bool { return false })
	buffer := make([]byte, 32<<10)
	for b.Loop() {
		source.Reset(chunks)
		f.err = nil
		for f.err == nil {
			if _, err := f.Read(buffer); err != nil && err != io.EOF {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkReader(b *testing.B) {
	b.SetBytes(int64(len(chunks)))
	b.ReportAllocs()
	source := bytes.NewReader(nil)
	r := NewReader(source, 0)
	for b.Loop() {
		source.Reset(chunks)
		r.err = nil
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}
