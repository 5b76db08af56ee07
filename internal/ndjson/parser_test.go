package ndjson

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// parse pushes a stream through in pieces of the given sizes, over and over.
func parse(stream string, maxLine int, sizes ...int) (lines []string, skipped int) {
	p := NewParser(maxLine)
	deliver := func(_, data []byte) { lines = append(lines, string(data)) }
	for i := 0; stream != ""; i++ {
		piece := []byte(stream[:min(len(stream), sizes[i%len(sizes)])])
		stream = stream[len(piece):]
		p.Write(piece, deliver)
		clear(piece) // nothing of it may be needed any more
	}
	p.Close(deliver)
	return lines, p.Skipped()
}

var streams = []struct {
	name, text string
	want       []string
}{
	{"nothing", "", nil},
	{"one", `{"a":1}` + "\n", []string{`{"a":1}`}},
	{"two", "1\n2\n", []string{"1", "2"}},
	{"no line end", "1\n2", []string{"1", "2"}},
	{"CR LF", "1\r\n2\r\n", []string{"1", "2"}},
	{"blank lines", "\n\n1\n \t\n\r\n2\n\n", []string{"1", "2"}},
	{"byte order mark", "\xEF\xBB\xBF1\n2\n", []string{"1", "2"}},
	{"record separators", "\x1e1\n\x1e2\n", []string{"1", "2"}},
}

func TestStreams(t *testing.T) {
	t.Parallel()
	for _, c := range streams {
		for _, size := range []int{1, 2, 3, 1 << 16} {
			if got, skipped := parse(c.text, 0, size); !slices.Equal(got, c.want) || skipped != 0 {
				t.Errorf("%s, pieces of %d: %q, want %q", c.name, size, got, c.want)
			}
		}
	}
}

func TestLongLines(t *testing.T) {
	t.Parallel()
	stream := "12345678\n123456789\n1\n" + strings.Repeat("x", 100) + "\n2"
	for _, size := range []int{1, 4, 9, 1 << 16} {
		got, skipped := parse(stream, 8, size)
		if !slices.Equal(got, []string{"12345678", "1", "2"}) || skipped != 2 {
			t.Errorf("pieces of %d: %q, %d skipped", size, got, skipped)
		}
	}
}

// TestMemory: a line without an end takes no more memory than the longest that is delivered.
func TestMemory(t *testing.T) {
	t.Parallel()
	p := NewParser(1 << 10)
	piece := bytes.Repeat([]byte{'x'}, 1<<10)
	for range 1 << 10 {
		p.Write(piece, func(_, _ []byte) { t.Error("delivered") })
	}
	if cap(p.partial) > 4<<10 {
		t.Errorf("%d bytes are kept", cap(p.partial))
	}
}

// reference is the same over a stream that is complete.
func reference(stream string, maxLine int) (lines []string) {
	for i, line := range strings.Split(stream, "\n") {
		if len(line) > maxLine {
			continue
		}
		if i == 0 {
			line = strings.TrimPrefix(line, "\xEF\xBB\xBF")
		}
		if line = strings.Trim(line, " \t\r\x1e"); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestAgainstReference(t *testing.T) {
	t.Parallel()
	part := rapid.SampledFrom([]string{"{}", "\n", "\r\n", " ", "\xEF\xBB\xBF", "\x1e", `{"a":"b"}`, "long long long"})
	rapid.Check(t, func(t *rapid.T) {
		stream := strings.Join(rapid.SliceOfN(part, 0, 40).Draw(t, "parts"), "")
		sizes := rapid.SliceOfN(rapid.IntRange(1, 9), 1, 5).Draw(t, "sizes")
		for _, most := range []int{12, 1 << 20} {
			if got, _ := parse(stream, most, sizes...); !slices.Equal(got, reference(stream, most)) {
				t.Fatalf("%q: %q, want %q", stream, got, reference(stream, most))
			}
		}
	})
}

func FuzzStream(f *testing.F) {
	for _, c := range streams {
		f.Add(c.text, uint8(3), uint8(1))
	}
	f.Fuzz(func(t *testing.T, stream string, a, b uint8) {
		for _, most := range []int{12, 1 << 20} {
			got, _ := parse(stream, most, int(a)+1, int(b)+1)
			if want := reference(stream, most); !slices.Equal(got, want) {
				t.Fatalf("%q: %q, want %q", stream, got, want)
			}
		}
	})
}

func TestAllocs(t *testing.T) {
	piece := []byte("{\"a\":1}\n{\"b\":2}\n{\"cut\":")
	p := NewParser(0)
	n := 0
	count := func(_, data []byte) { n += len(data) }
	p.Write(piece, count)
	if allocs := testing.AllocsPerRun(100, func() { p.Write(piece, count) }); allocs != 0 {
		t.Errorf("%v allocations for each piece", allocs)
	}
	if n == 0 {
		t.Error("no lines")
	}
}

func BenchmarkParser(b *testing.B) {
	chunks := bytes.Repeat([]byte(`{"model":"llama3.2","created_at":"2026-11-01T10:00:00.1Z","message":{"role":"assistant","content":" text"},"done":false}`+"\n"), 100)
	b.SetBytes(int64(len(chunks)))
	b.ReportAllocs()
	p := NewParser(0)
	n := 0
	for b.Loop() {
		p.Write(chunks, func(_, data []byte) { n += len(data) })
	}
}
