package jsonwalk_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// elements pushes a document through in pieces of the given sizes, over and over.
func elements(document string, most int, sizes ...int) (found []string, skipped int) {
	e := jsonwalk.NewElements(most)
	deliver := func(_, data []byte) { found = append(found, string(data)) }
	for i := 0; document != ""; i++ {
		piece := []byte(document[:min(len(document), sizes[i%len(sizes)])])
		document = document[len(piece):]
		e.Write(piece, deliver)
		clear(piece) // nothing of it may be needed any more
	}
	e.Close(deliver)
	return found, e.Skipped()
}

var arrays = []struct {
	name, text string
	want       []string
}{
	{"nothing", "", nil},
	{"empty", " [ ] ", nil},
	{"Gemini's", "[{\n  \"a\": [1, 2]\n}\n,\r\n{\"b\": \"]},{\\\"\"}\n]\n", []string{"{\n  \"a\": [1, 2]\n}", `{"b": "]},{\""}`}},
	{"scalars", `[1,true, "x" ,null,-2.5e3]`, []string{"1", "true", `"x"`, "null", "-2.5e3"}},
	{"nested", `[[],[[1]],{}]`, []string{"[]", "[[1]]", "{}"}},
	{"byte order mark", "\xEF\xBB\xBF[1]", []string{"1"}},
	{"cut off", `[{"a":1},{"b":`, []string{`{"a":1}`}},
	{"something after it", `[1][2]`, []string{"1"}},
	{"an object", `{"a":[1]}`, nil},
	{"a text", `"a"`, nil},
	{"not JSON", "event: x\ndata: [1]\n\n", nil},
	{"odd brackets", `[1}2]`, []string{"1"}},
}

func TestElements(t *testing.T) {
	t.Parallel()
	for _, c := range arrays {
		for _, size := range []int{1, 2, 3, 7, 1 << 16} {
			if got, skipped := elements(c.text, 0, size); !slices.Equal(got, c.want) || skipped != 0 {
				t.Errorf("%s, pieces of %d: %q, want %q", c.name, size, got, c.want)
			}
		}
	}
}

func TestElementsTooLarge(t *testing.T) {
	t.Parallel()
	document := `["123456","1234567",{"a":"` + strings.Repeat("x", 100) + `"},2]`
	for _, size := range []int{1, 4, 9, 1 << 16} {
		if got, skipped := elements(document, 8, size); !slices.Equal(got, []string{`"123456"`, "2"}) || skipped != 2 {
			t.Errorf("pieces of %d: %q, %d skipped", size, got, skipped)
		}
	}
}

// TestElementsAgainstJSON compares with encoding/json over documents that it wrote.
func TestElementsAgainstJSON(t *testing.T) {
	t.Parallel()
	value := rapid.OneOf(
		rapid.Custom(func(t *rapid.T) any { return rapid.String().Draw(t, "text") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.Int().Draw(t, "number") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "object") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.SliceOf(rapid.Bool()).Draw(t, "array") }),
	)
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(value, 0, 8).Draw(t, "values")
		indent := rapid.SampledFrom([]string{"", " "}).Draw(t, "indent")
		document, err := json.MarshalIndent(values, "", indent)
		if err != nil {
			t.Fatal(err)
		}
		var want []json.RawMessage
		if err := json.Unmarshal(document, &want); err != nil {
			t.Fatal(err)
		}
		got, _ := elements(string(document), 0, rapid.SliceOfN(rapid.IntRange(1, 30), 1, 5).Draw(t, "sizes")...)
		if !slices.EqualFunc(got, want, func(a string, b json.RawMessage) bool { return a == string(b) }) {
			t.Fatalf("%q of %s", got, document)
		}
	})
}

func FuzzElements(f *testing.F) {
	for _, c := range arrays {
		f.Add(c.text, uint8(3), uint8(1))
	}
	f.Fuzz(func(t *testing.T, document string, a, b uint8) {
		whole, skipped := elements(document, 100, 1<<16)
		got, again := elements(document, 100, int(a)+1, int(b)+1)
		if !slices.Equal(got, whole) || skipped != again {
			t.Fatalf("%q, in one piece %q", got, whole)
		}
	})
}

func TestElementsAllocs(t *testing.T) {
	piece := []byte(`{"a":1},{"b":"cut`)
	rest := []byte(` here"},`)
	e := jsonwalk.NewElements(0)
	n := 0
	count := func(_, data []byte) { n += len(data) }
	e.Write([]byte("["), count)
	e.Write(piece, count)
	e.Write(rest, count)
	if allocs := testing.AllocsPerRun(100, func() {
		e.Write(piece, count)
		e.Write(rest, count)
	}); allocs != 0 {
		t.Errorf("%v allocations for each piece", allocs)
	}
	if n == 0 {
		t.Error("no elements")
	}
}

func BenchmarkElements(b *testing.B) {
	chunk := []byte(`{"candidates":[{"content":{"parts":[{"text":" a part of the answer, some words long"}],"role":"model"},"index":0}],` +
		`"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5},"modelVersion":"gemini-3-flash","responseId":"x"},`)
	chunks := bytes.Repeat(chunk, 100)
	b.SetBytes(int64(len(chunks)))
	b.ReportAllocs()
	e := jsonwalk.NewElements(0)
	n := 0
	e.Write([]byte("["), nil)
	for b.Loop() {
		e.Write(chunks, func(_, data []byte) { n += len(data) })
	}
}
