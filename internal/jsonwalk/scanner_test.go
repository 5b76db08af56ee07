package jsonwalk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What the tests look for.
const (
	usage = iota
	firstFinish
	content
	partText
	name
)

var testPlan = MustPlan(
	Want{Path: "usage", Limit: 64},
	Want{Path: "choices[0].finish", Limit: 16},
	Want{Path: "choices[].content"},
	Want{Path: "choices[].content[].text"},
	Want{Path: "name", Limit: 16},
)

// scan runs doc through a scanner in pieces of at most size bytes.
func scan(doc string, size int) *Scanner {
	s := testPlan.NewScanner()
	for p := []byte(doc); len(p) > 0; {
		n := min(size, len(p))
		piece := bytes.Clone(p[:n])
		s.Write(piece)
		clear(piece) // nothing of it may be kept
		p = p[n:]
	}
	return s
}

// state is everything that a scanner says.
func state(s *Scanner) string {
	var b strings.Builder
	for _, want := range []int{usage, firstFinish, name} {
		raw, found, over := s.Value(want)
		fmt.Fprintf(&b, "%s %v %v; ", raw, found, over)
	}
	fmt.Fprint(&b, s.Counted(content), s.Counted(partText), s.Complete(), s.Malformed())
	return b.String()
}

func TestScanner(t *testing.T) {
	t.Parallel()
	padding := strings.Repeat(`{"a":["}]",{"b":"\\\""}]},`, 20)
	for _, c := range []struct{ name, doc, want string }{
		{"empty", ``, " false false;  false false;  false false; 0 0 false false"},
		{"white space", " \n\t ", " false false;  false false;  false false; 0 0 false false"},
		{"all", `{"usage":{"n":[1,"}"]},"choices":[{"finish":"stop","content":"h\u00e9"}],"name":"x"}`,
			`{"n":[1,"}"]} true false; "stop" true false; "x" true false; 3 0 true false`},
		{"padded", "\n   \n{\"usage\" : {\"n\" : 1 } , \"name\":12 } \r\n",
			`{"n" : 1 } true false;  false false; 12 true false; 0 0 true false`},
		{"byte order mark", "\xEF\xBB\xBF{\"name\":true}", " false false;  false false; true true false; 0 0 true false"},
		{"escaped names", `{"us\u0061ge":1,"na\u006de":null}`, "1 true false;  false false; null true false; 0 0 true false"},
		{"last wins", `{"usage":1,"usage":22}`, "22 true false;  false false;  false false; 0 0 true false"},
		{"too long", `{"name":"` + strings.Repeat("x", 100) + `"}`, " false false;  false false;  false true; 0 0 true false"},
		{"too long, then not", `{"name":"` + strings.Repeat("x", 100) + `","name":1}`,
			" false false;  false false; 1 true false; 0 0 true false"},
		{"every choice", `{"choices":[{"content":"ab","finish":1},{"content":"c\n","finish":2},{"content":[{"text":"\"x\""},{"text":5},7]}]}`,
			" false false; 1 true false;  false false; 4 3 true false"},
		{"elsewhere", `{"other":{"usage":1,"name":2},"choices":{"0":{"finish":3}}}`,
			" false false;  false false;  false false; 0 0 true false"},
		{"passed by", `{"x":[` + padding + `0],"usage":5,"y":"` + strings.Repeat(`\"`, 100) + `","name":6}`,
			"5 true false;  false false; 6 true false; 0 0 true false"},
		{"long names", `{"` + strings.Repeat("usage", 100) + `":1,"usage":2}`,
			"2 true false;  false false;  false false; 0 0 true false"},
		{"not at the top", `[{"usage":1}]`, " false false;  false false;  false false; 0 0 true false"},
		{"a scalar", `"text"`, " false false;  false false;  false false; 0 0 true false"},
		{"empty containers", `{"choices":[],"usage":{}}`, "{} true false;  false false;  false false; 0 0 true false"},
		{"cut in a value", `{"name":"x","usage":{"n":`, ` false false;  false false; "x" true false; 0 0 false false`},
		{"cut in a text", `{"choices":[{"content":"abc`, " false false;  false false;  false false; 3 0 false false"},
		{"something after", `{} x`, " false false;  false false;  false false; 0 0 false true"},
		{"no colon", `{"usage" 1}`, " false false;  false false;  false false; 0 0 false true"},
		{"no comma", `{"name":1 "usage":2}`, " false false;  false false; 1 true false; 0 0 false true"},
		{"wrong bracket", `{"name":1]`, " false false;  false false; 1 true false; 0 0 false true"},
		{"no name", `{1:2}`, " false false;  false false;  false false; 0 0 false true"},
		{"no value", `{"usage":}`, " false false;  false false;  false false; 0 0 false true"},
	} {
		for _, size := range []int{1, 2, 3, 5, 8, 1 << 20} {
			if got := state(scan(c.doc, size)); got != c.want {
				t.Errorf("%s, pieces of %d:\n got %s\nwant %s", c.name, size, got, c.want)
			}
		}
	}
}

// TestScannerAgainstStd scans random documents and compares with encoding/json.
func TestScannerAgainstStd(t *testing.T) {
	t.Parallel()
	texts := rapid.SampledFrom([]string{"", "a", "é\"\\\n", "}{][,:", strings.Repeat("long ", 30), "😀"})
	rapid.Check(t, func(t *rapid.T) {
		var doc struct {
			Before  []any            `json:"before"`
			Choices []map[string]any `json:"choices"`
			Between map[string]any   `json:"between"`
			Usage   any              `json:"usage"`
		}
		doc.Before = []any{texts.Draw(t, "b1"), map[string]any{texts.Draw(t, "b2"): 1.5}}
		doc.Between = map[string]any{"usage": texts.Draw(t, "b3"), "choices": []any{nil, true}}
		doc.Usage = rapid.IntRange(0, 9).Draw(t, "usage")
		count, parts := 0, 0
		for range rapid.IntRange(0, 3).Draw(t, "choices") {
			text, part := texts.Draw(t, "text"), texts.Draw(t, "part")
			count += len(text)
			parts += len(part)
			doc.Choices = append(doc.Choices, map[string]any{"content": text}, map[string]any{"content": []any{map[string]any{"text": part}}})
		}
		raw, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		s := scan(string(raw), rapid.IntRange(1, 50).Draw(t, "size"))
		got, found, _ := s.Value(usage)
		if want := fmt.Sprint(doc.Usage); !found || string(got) != want || !s.Complete() {
			t.Fatalf("%s: usage %s, %v, complete %v", raw, got, found, s.Complete())
		}
		if s.Counted(content) != int64(count) || s.Counted(partText) != int64(parts) {
			t.Fatalf("%s: counted %d and %d, want %d and %d", raw, s.Counted(content), s.Counted(partText), count, parts)
		}
	})
}

func TestMustPlanRefuses(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "a..b", ".a", strings.Repeat("a.", 20) + "a"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("path %q was taken", path)
				}
			}()
			MustPlan(Want{Path: path})
		}()
	}
}

// TestScannerMemory passes a body by that is much larger than what the scanner may keep.
func TestScannerMemory(t *testing.T) {
	s := testPlan.NewScanner()
	s.Write([]byte(`{"name":1,"data":["`))
	pieces := [][]byte{
		[]byte(strings.Repeat(`abc\"def\u00e9`, 300)), []byte(strings.Repeat("QUJD", 1000) + `\`), []byte(`"` + strings.Repeat("x", 500)),
		[]byte(`",` + strings.Repeat(`1.5,{"k":[null,"v"]},`, 100) + `"`),
	}
	s.Write(bytes.Join(pieces, nil))
	if n := testing.AllocsPerRun(200, func() {
		for _, p := range pieces {
			s.Write(p)
		}
	}); n != 0 {
		t.Errorf("%v allocations for each round of pieces", n)
	}
	s.Write([]byte(`"],"usage":3}`))
	if raw, found, _ := s.Value(usage); string(raw) != "3" || !found || !s.Complete() {
		t.Errorf("usage %s, %v, complete %v", raw, found, s.Complete())
	}
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte(`{"usage":{"n":1},"choices":[{"finish":"stop","content":"a\u00e9"}],"name":"x"}`), uint8(3))
	f.Add([]byte(`{"choices":[{"content":[{"text":"\ud83d\ude00"}]}]} `), uint8(1))
	f.Add([]byte(`{"a\"":"\\","usage":tru`), uint8(7))
	f.Fuzz(func(t *testing.T, doc []byte, size uint8) {
		whole := state(scan(string(doc), len(doc)+1))
		if pieces := state(scan(string(doc), int(size)+1)); pieces != whole {
			t.Fatalf("%q\n  whole %s\npieces %s", doc, whole, pieces)
		}
		if !json.Valid(doc) {
			return
		}
		s := scan(string(doc), int(size)+1)
		if kind := doc[spaceLen(doc)]; !s.Complete() && (kind == '{' || kind == '[' || kind == '"') {
			t.Fatalf("%q is not complete", doc)
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(doc, &want) == nil && asciiOnly(doc) {
			if raw, _, over := s.Value(usage); !over && !bytes.Equal(raw, want["usage"]) {
				t.Fatalf("%q: usage %q, want %q", doc, raw, want["usage"])
			}
		}
	})
}

func BenchmarkScanner(b *testing.B) {
	for name, doc := range map[string]string{
		"numbers": `{"data":[` + strings.Repeat("-0.0069292834,", 5000) + `0],"usage":1}`,
		"base64":  `{"data":"` + strings.Repeat("l3PEuVAdqrsbMRq8", 5000) + `","usage":1}`,
		"prose":   `{"choices":[{"content":"` + strings.Repeat(`A line of prose,\nand \"another\". `, 2000) + `"}],"usage":1}`,
		"objects": `{"data":[` + strings.Repeat(`{"url":"https://example.com","n":1},`, 2000) + `0],"usage":1}`,
	} {
		b.Run(name, func(b *testing.B) {
			text := []byte(doc)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				s := testPlan.NewScanner()
				s.Write(text)
				if !s.Complete() {
					b.Fatal("not complete")
				}
			}
		})
	}
}

// TestScannerReset: a scanner that is used again says what a new one would, and allocates nothing.
func TestScannerReset(t *testing.T) {
	docs := []string{
		`{"usage":{"n":[1,"}"]},"choices":[{"finish":"stop","content":"h\u00e9"}],"name":"x"}`,
		`{"name":"` + strings.Repeat("long", 10) + `","choices":[{"content":[{"text":"ab"}]},{"content":"c`,
		`{`, ``, `]`, `{"a\u0062":{"x":[`,
		`{"usage":{},"choices":[{"content":"d"}]}`,
	}
	s := testPlan.NewScanner()
	for range 2 {
		for _, doc := range docs {
			s.Reset()
			s.Write([]byte(doc))
			if got, want := state(s), state(scan(doc, 1<<20)); got != want {
				t.Errorf("%s:\n got %s\nwant %s", doc, got, want)
			}
		}
	}
	doc := []byte(docs[0])
	if n := testing.AllocsPerRun(100, func() { s.Reset(); s.Write(doc) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestScannerCounts(t *testing.T) {
	t.Parallel()
	plan := MustPlan(Want{Path: "calls[].args", Limit: CountRaw}, Want{Path: "calls[]", Limit: CountValues},
		Want{Path: "calls[].n", Limit: SumNumbers}, Want{Path: "huge[]", Limit: SumNumbers})
	for _, size := range []int{1, 3, 1 << 10} {
		s := plan.NewScanner()
		for doc := `{"calls":[{"args":{"a":"\u00e9"},"n":2},{"args":"x","n":40.0},{"b":1,"n":-7},{"args":[1],"n":"x"},5],
			"huge":[9223372036854775807,1,1e400]}`; doc != ""; {
			n := min(size, len(doc))
			s.Write([]byte(doc[:n]))
			doc = doc[n:]
		}
		got := []int64{s.Counted(0), s.Counted(1), s.Counted(2), s.Counted(3)}
		want := []int64{int64(len(`{"a":"\u00e9"}` + `"x"` + `[1]`)), 5, 42, math.MaxInt64}
		if !slices.Equal(got, want) || !s.Complete() {
			t.Errorf("pieces of %d: %d, want %d", size, got, want)
		}
	}
}
