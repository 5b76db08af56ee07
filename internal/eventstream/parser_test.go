package eventstream

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// header is a header with a text.
func header(name, value string) []byte {
	h := append([]byte{byte(len(name))}, name...)
	h = append(h, 7)
	h = binary.BigEndian.AppendUint16(h, uint16(len(value)))
	return append(h, value...)
}

// message is a message with its checksums.
func message(headers []byte, payload string) []byte {
	m := binary.BigEndian.AppendUint32(nil, uint32(len(headers)+len(payload)+16))
	m = binary.BigEndian.AppendUint32(m, uint32(len(headers)))
	m = binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(m))
	m = append(append(m, headers...), payload...)
	return binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(m))
}

func event(kind, payload string) []byte {
	return message(slices.Concat(header(":event-type", kind), header(":content-type", "application/json"), header(":message-type", "event")), payload)
}

// parse pushes a stream through in pieces of the given sizes, over and over.
func parse(stream []byte, most int, sizes ...int) (events []string, p *Parser) {
	p = NewParser(most)
	deliver := func(name, data []byte) { events = append(events, fmt.Sprintf("%s=%s", name, data)) }
	for i := 0; len(stream) > 0; i++ {
		piece := bytes.Clone(stream[:min(len(stream), sizes[i%len(sizes)])])
		stream = stream[len(piece):]
		p.Write(piece, deliver)
		clear(piece) // nothing of it may be needed any more
	}
	p.Close(deliver)
	return events, p
}

// allKinds is a header of every type that is not text, before the one that matters.
var allKinds = slices.Concat(
	[]byte("\x01a\x00"), []byte("\x01b\x01"), []byte("\x01c\x02x"), []byte("\x01d\x03xx"), []byte("\x01e\x04xxxx"),
	[]byte("\x01f\x05xxxxxxxx"), []byte("\x01g\x06\x00\x02xx"), []byte("\x01h\x08xxxxxxxx"), []byte("\x01i\x09xxxxxxxxxxxxxxxx"),
	header(":event-type", "last"))

func flipped(m []byte, at int) []byte {
	m = bytes.Clone(m)
	m[at] ^= 1
	return m
}

var streams = []struct {
	name    string
	text    []byte
	want    []string
	skipped int
	damaged bool
}{
	{name: "nothing"},
	{name: "one", text: event("a", "{}"), want: []string{"a={}"}},
	{name: "two", text: slices.Concat(event("a", "1"), event("b", "2")), want: []string{"a=1", "b=2"}},
	{name: "no headers", text: message(nil, "x"), want: []string{"=x"}},
	{name: "empty", text: message(nil, ""), want: []string{"="}},
	{name: "every kind of header", text: message(allKinds, "x"), want: []string{"last=x"}},
	{name: "exception", text: message(slices.Concat(header(":exception-type", "throttlingException"), header(":message-type", "exception")), `{"message":"m"}`),
		want: []string{`error:throttlingException={"message":"m"}`}},
	{name: "error", text: message(slices.Concat(header(":error-code", "Gone"), header(":error-message", "m"), header(":message-type", "error")), ""),
		want: []string{`error:Gone=m`}},
	{name: "cut off", text: event("a", "1")[:40], want: nil},
	{name: "wrong checksum", text: slices.Concat(flipped(event("a", "1"), 50), event("b", "2")), want: []string{"b=2"}, skipped: 1},
	{name: "unknown kind of header", text: slices.Concat(message([]byte("\x01a\x20"), ""), event("b", "2")), want: []string{"b=2"}, skipped: 1},
	{name: "header cut off", text: slices.Concat(message([]byte("\x01a\x07\x00\x09x"), ""), event("b", "2")), want: []string{"b=2"}, skipped: 1},
	{name: "damaged length", text: slices.Concat(event("a", "1"), flipped(event("b", "2"), 3), event("c", "3")), want: []string{"a=1"}, damaged: true},
	{name: "not an event stream", text: []byte(`{"message":"not an event stream"}`), damaged: true},
	{name: "too large", text: slices.Concat(event("a", strings.Repeat("x", 2000)), event("b", "2")), want: []string{"b=2"}, skipped: 1},
}

func TestStreams(t *testing.T) {
	t.Parallel()
	for _, c := range streams {
		for _, size := range []int{1, 2, 3, 7, 100, 1 << 16} {
			got, p := parse(c.text, 1000, size)
			if !slices.Equal(got, c.want) || p.Skipped() != c.skipped || p.Damaged() != c.damaged {
				t.Errorf("%s, pieces of %d: %q, %d skipped, damaged %v; want %q", c.name, size, got, p.Skipped(), p.Damaged(), c.want)
			}
		}
	}
}

// TestHeaderLongerThanMessage: lengths that contradict each other under a correct checksum.
func TestHeaderLongerThanMessage(t *testing.T) {
	t.Parallel()
	for _, lens := range [][2]uint32{{16, 1}, {0, 0}, {15, 0}, {1 << 31, 1<<32 - 1}, {12, 0}} {
		m := binary.BigEndian.AppendUint32(nil, lens[0])
		m = binary.BigEndian.AppendUint32(m, lens[1])
		m = binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(m))
		if got, p := parse(append(m, make([]byte, 100)...), 0, 5); len(got) > 0 || !p.Damaged() {
			t.Errorf("%v: %q, damaged %v", lens, got, p.Damaged())
		}
	}
}

// TestMemory: a message that claims to be huge takes no memory.
func TestMemory(t *testing.T) {
	t.Parallel()
	m := binary.BigEndian.AppendUint32(nil, 1<<32-1)
	m = binary.BigEndian.AppendUint32(m, 0)
	p := NewParser(0)
	p.Write(binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(m)), nil)
	piece := make([]byte, 1<<20)
	for range 100 {
		p.Write(piece, nil)
	}
	if cap(p.partial) > 1<<10 || p.Skipped() != 1 {
		t.Errorf("%d bytes are kept, %d skipped", cap(p.partial), p.Skipped())
	}
}

// TestChunking: messages come out the same whatever the pieces, and in order.
func TestChunking(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want []string
		for i, payload := range rapid.SliceOfN(rapid.String(), 0, 8).Draw(t, "payloads") {
			name := fmt.Sprint("e", i)
			stream = append(stream, event(name, payload)...)
			want = append(want, name+"="+payload)
		}
		if got, _ := parse(stream, 0, rapid.SliceOfN(rapid.IntRange(1, 90), 1, 5).Draw(t, "sizes")...); !slices.Equal(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}

func FuzzStream(f *testing.F) {
	for _, c := range streams {
		f.Add(c.text, uint8(3), uint8(1))
	}
	f.Fuzz(func(t *testing.T, stream []byte, a, b uint8) {
		whole, p := parse(stream, 1000, 1<<16)
		got, q := parse(stream, 1000, int(a)+1, int(b)+1)
		if !slices.Equal(got, whole) || p.Skipped() != q.Skipped() || p.Damaged() != q.Damaged() {
			t.Fatalf("%q, in one piece %q", got, whole)
		}
	})
}

func TestAllocs(t *testing.T) {
	piece := slices.Concat(event("contentBlockDelta", `{"delta":{"text":"a"}}`), event("metadata", "{}"))
	p := NewParser(0)
	n := 0
	count := func(_, data []byte) { n += len(data) }
	p.Write(piece, count)
	if allocs := testing.AllocsPerRun(100, func() {
		p.Write(piece[:70], count)
		p.Write(piece[70:], count)
	}); allocs != 0 {
		t.Errorf("%v allocations for each piece", allocs)
	}
	if n == 0 {
		t.Error("no messages")
	}
}

func BenchmarkParser(b *testing.B) {
	stream := bytes.Repeat(event("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":" here we"},"p":"abcdefghijklmnopqrstuvwxyzABCD"}`), 100)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	p := NewParser(0)
	n := 0
	for b.Loop() {
		p.Write(stream, func(_, data []byte) { n += len(data) })
	}
}
