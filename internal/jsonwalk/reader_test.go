package jsonwalk

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// decode builds the value that r stands at, as encoding/json would.
func decode(r *Reader) any {
	switch r.Kind() {
	case Object:
		members := map[string]any{}
		if r.Object() {
			for r.Member() {
				name := string(r.Key())
				members[name] = decode(r)
			}
		}
		return members
	case Array:
		elements := []any{}
		if r.Array() {
			for r.Element() {
				elements = append(elements, decode(r))
			}
		}
		return elements
	case String:
		text, _ := r.AppendText(nil)
		return string(text)
	case Number:
		return json.Number(r.Raw())
	case Bool:
		return r.True()
	case Null:
		r.Skip()
		return nil
	}
	r.Skip()
	return errors.New("invalid")
}

func decodeStd(data []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

func TestReaderDecodes(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{
		`{}`, `[]`, ` { } `, "[\n]", `null`, `true`, `-0.5e+3`, `"a"`, `""`,
		`{"a":1,"b":[true,false,null,{"c":"d"}],"e":{}}`,
		"{\t\"a\" :\r\n 1 , \"b\" : [ 1 , 2 ] }",
		`{"k\u0065y":"v","\"":"\\"}`,
		`"\ud83d\ude00 \u00e9\n\t\/ \ud83d x \ude00"`,
		`["` + strings.Repeat("long text ", 50) + `","\"` + strings.Repeat("é", 40) + `\""]`,
		strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
	} {
		r := NewReader([]byte(doc))
		got := decode(&r)
		r.End()
		want, err := decodeStd([]byte(doc))
		if err != nil || r.Err() != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%.60s: got %v, %v; want %v, %v", doc, got, r.Err(), want, err)
		}
	}
}

func TestReaderFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		doc    string
		offset int
	}{
		{``, 0}, {`  `, 2}, {`{`, 1}, {`{"a"`, 4}, {`{"a" 1}`, 5}, {`{"a":}`, 5}, {`{"a":1,}`, 7}, {`{a:1}`, 1},
		{`{"a":1 "b":2}`, 7}, {`[1,]`, 3}, {`[1 2]`, 3}, {`[1}`, 2}, {`{"a":1]`, 6}, {`nul`, 0}, {`01`, 0}, {`1.`, 0},
		{`-`, 0}, {`+1`, 0}, {`1e`, 0}, {`"a`, 2}, {`"a\x"`, 2}, {`"\u12g4"`, 1}, {"\"a\nb\"", 2}, {`{} {}`, 3}, {`1 x`, 2},
		{`{"a\`, 3}, {`{"a":1`, 6}, {`[`, 1}, {`,`, 0}, {`:`, 0}, {`]`, 0},
	} {
		r := NewReader([]byte(c.doc))
		r.Skip()
		r.End()
		var fault *SyntaxError
		if !errors.As(r.Err(), &fault) || fault.Offset != c.offset {
			t.Errorf("%q: %v, want a fault at %d", c.doc, r.Err(), c.offset)
		}
		if r.Kind() != Invalid || r.Member() || r.Element() || r.Object() || r.Raw() != nil {
			t.Errorf("%q: goes on after the fault", c.doc)
		}
	}
}

func TestReaderDepth(t *testing.T) {
	t.Parallel()
	for depth, fine := range map[int]bool{MaxDepth: true, MaxDepth + 1: false, 1 << 20: false} {
		r := NewReader([]byte(strings.Repeat("[", depth) + strings.Repeat("]", depth)))
		r.Skip()
		r.End()
		if (r.Err() == nil) != fine {
			t.Errorf("depth %d: %v", depth, r.Err())
		}
	}
}

// TestReaderSkipsUnread walks on from values that were only looked at, entered in vain or left alone.
func TestReaderSkipsUnread(t *testing.T) {
	t.Parallel()
	r := NewReader([]byte(`{"a":[1,{"x":2}],"b":"text","c":7,"d":{"e":8}}`))
	var keys []string
	if r.Object() {
		for r.Member() {
			keys = append(keys, string(r.Key()))
			if _, ok := r.TextLen(); ok != (keys[len(keys)-1] == "b") {
				t.Errorf("a text at %v: %v", keys, ok)
			}
			if string(r.Key()) == "c" && r.Array() {
				t.Error("entered a number")
			}
		}
	}
	r.End()
	if got := strings.Join(keys, ""); got != "abcd" || r.Err() != nil {
		t.Errorf("%s, %v", got, r.Err())
	}
}

func TestReaderKeys(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(`\u0061`, 20)
	r := NewReader([]byte(`{"us\u0061ge":1,"` + long + `":2}`))
	if !r.Object() || !r.Member() || string(r.Key()) != "usage" {
		t.Errorf("key %q", r.Key())
	}
	if !r.Member() || string(r.Key()) != long {
		t.Errorf("key %q", r.Key())
	}
}

func TestReaderPython(t *testing.T) {
	t.Parallel()
	r := NewReader([]byte(`{"a":[NaN,Infinity,-Infinity],"b":1}`))
	last := ""
	if r.Object() {
		for r.Member() {
			last = string(r.Key())
		}
	}
	if r.End(); last != "b" || r.Err() != nil {
		t.Errorf("%q, %v", last, r.Err())
	}
}

func TestMark(t *testing.T) {
	t.Parallel()
	first := []byte(`{"id":"x","list":[{"n":0,"text":"one"}],"z":1}`)
	second := []byte(`{"id":"x","list":[{"n":0,"text":"two, longer","more":2}],"z":3}`)
	r := NewReader(first)
	var mark Mark
	var at int
	if r.Object() && r.Member() && r.Member() && r.Array() && r.Element() && r.Object() && r.Member() && r.Member() {
		var ok bool
		if mark, at, ok = r.Mark(); !ok {
			t.Fatal("no mark")
		}
	}
	if !bytes.HasPrefix(second, first[:at]) {
		t.Fatalf("marked %q", first[:at])
	}
	r = Resume(second, mark)
	text, _ := r.AppendText(nil)
	var rest []string
	for r.Member() {
		rest = append(rest, string(r.Key()))
	}
	for r.Element() {
		t.Error("another element")
	}
	for r.Member() {
		rest = append(rest, string(r.Key()))
	}
	if r.End(); string(text) != "two, longer" || strings.Join(rest, " ") != "more z" || r.Err() != nil {
		t.Errorf("%q, %v, %v", text, rest, r.Err())
	}
	if _, _, ok := r.Mark(); ok {
		t.Error("a mark at the end")
	}
}

func TestDecoded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := []byte(strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{
			"a", "é", "漢", "😀", `\n`, `\"`, `\\`, `\/`, `\u0041`, `\u00e9`, `\u6f22`, `\ud83d`, `\ude00`, `\ud83d\ude00`, `\uD83D\uDE00`,
		})).Draw(t, "parts"), ""))
		var want string
		if err := json.Unmarshal([]byte(`"`+string(raw)+`"`), &want); err != nil {
			t.Fatal(err)
		}
		if got := AppendDecoded([]byte("x"), raw); string(got) != "x"+want {
			t.Fatalf("decoded %q, want %q", got, want)
		}
		if n := DecodedLen(raw); n != int64(len(want)) {
			t.Fatalf("%q has %d bytes, counted %d", raw, len(want), n)
		}
		var c counter
		for rest := raw; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			c.add(rest[:n])
			rest = rest[n:]
		}
		if c.total() != int64(len(want)) {
			t.Fatalf("%q has %d bytes, counted %d in pieces", raw, len(want), c.total())
		}
	})
}

func TestInt(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]struct {
		n   int64
		err error
	}{
		`12`: {12, nil}, `12.0`: {12, nil}, `1.2e1`: {12, nil}, `1200E-2`: {12, nil}, `-3`: {-3, nil}, `0`: {0, nil},
		`-0`: {0, nil}, `"12"`: {12, nil}, `" 12 "`: {12, nil}, `0e99999999999`: {0, nil}, `1.5`: {1, ErrFraction},
		`-1.5`: {-1, ErrFraction}, `1e-3`: {0, ErrFraction}, `12e-99999999999`: {0, ErrFraction},
		`9223372036854775807`: {9223372036854775807, nil}, `9223372036854775808`: {0, ErrRange}, `1e19`: {0, ErrRange},
		`1e99999999999`: {0, ErrRange}, `NaN`: {0, ErrNotNumber}, `Infinity`: {0, ErrNotNumber}, `null`: {0, ErrNotNumber},
		``: {0, ErrNotNumber}, `"x"`: {0, ErrNotNumber}, `""`: {0, ErrNotNumber}, `"`: {0, ErrNotNumber}, `1x`: {0, ErrNotNumber},
		`{}`: {0, ErrNotNumber}, `0x10`: {0, ErrNotNumber},
	} {
		if n, err := Int([]byte(raw)); n != want.n || !errors.Is(err, want.err) {
			t.Errorf("%s: %d, %v; want %d, %v", raw, n, err, want.n, want.err)
		}
	}
}

func TestReaderAllocs(t *testing.T) {
	doc := []byte(`{"us\u0061ge":{"prompt_tokens":12.0},"content":"a \"quoted\" text","list":[1,2,[]]}`)
	if n := testing.AllocsPerRun(100, func() {
		r := NewReader(doc)
		if r.Object() {
			for r.Member() {
				switch string(r.Key()) {
				case "content":
					r.TextLen()
				case "usage":
					if _, err := Int(r.Raw()); err == nil {
						t.Error("an object is no number")
					}
				}
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzReader(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e3,"x\u00e9"],"b":null}`, `[[[]]]`, `{"a":1,}`, "\"\x01\"", `NaN`, `"\ud83d`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		r := NewReader(doc)
		got := decode(&r)
		r.End()
		want, _ := decodeStd(doc)
		switch valid := json.Valid(doc); {
		case valid && r.Err() != nil && bytes.Count(doc, []byte("["))+bytes.Count(doc, []byte("{")) <= MaxDepth:
			t.Fatalf("%q: %v", doc, r.Err())
		case !valid && r.Err() == nil && !bytes.Contains(doc, []byte("NaN")) && !bytes.Contains(doc, []byte("Infinity")):
			t.Fatalf("%q passes", doc)
		case valid && r.Err() == nil && asciiOnly(doc) && !hasLongKey(doc) && !reflect.DeepEqual(got, want):
			t.Fatalf("%q: got %v, want %v", doc, got, want)
		}
	})
}

// asciiOnly: encoding/json replaces broken UTF-8, a Reader leaves it as it is.
func asciiOnly(doc []byte) bool {
	return bytes.IndexFunc(doc, func(r rune) bool { return r >= 0x80 }) < 0
}

// hasLongKey says that a name may be too long to be decoded.
func hasLongKey(doc []byte) bool {
	return bytes.Contains(doc, []byte(`\`)) && len(doc) > len(Reader{}.scratch)
}

func BenchmarkReaderSkip(b *testing.B) {
	doc := []byte(`{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"` + strings.Repeat("text ", 100) + `"}}],"usage":null}`)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(doc)
		r.Skip()
	}
}
