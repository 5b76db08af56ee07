package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestParseLiteral(t *testing.T) {
	t.Parallel()
	tests := []struct {
		src  string
		want any
	}{
		{`[]`, []any{}},
		{`{}`, map[string]any{}},
		{`[1, 2.50, .5, 2e5, -3]`, []any{number("1"), number("2.50"), number(".5"), number("2e5"), number("-3")}},
		{`[!0, !1, true, false, null, undefined]`, []any{true, false, true, false, nil, nil}},
		{`{a: 1, "b c": 'x', $d_1: [{}]}`, map[string]any{
			"a": number("1"), "b c": "x", "$d_1": []any{map[string]any{}},
		}},
		{`{a: 1,}`, map[string]any{"a": number("1")}},
		{`"a\"b\n\tA\x41\\"`, "a\"b\n\tAA\\"},
		{"'it''", "it"},
		{"`two\nlines, ${`", nil}, // an error: see below
		{"`two\nlines $5`", "two\nlines $5"},
		{"\"a\\\nb\"", "ab"},
		{"[ // one\n 1, /* two */ 2 ]", []any{number("1"), number("2")}},
		{`[1], J = {code: () => 1}`, []any{number("1")}}, // what follows is not read
	}
	for _, test := range tests {
		got, err := parseLiteral(test.src)
		if test.want == nil {
			if err == nil {
				t.Errorf("parseLiteral(%q) = %v, want an error", test.src, got)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("parseLiteral(%q) = %#v, %v, want %#v", test.src, got, err, test.want)
		}
	}
}

func TestParseLiteralErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, want string }{
		{``, "want a value"},
		{`[`, "want a value"},
		{`[1`, "want , or ]"},
		{`{a`, "want :"},
		{`{a: 1 b: 2}`, "want , or }"},
		{`{1.5: 2}`, "want :"},
		{`{: 2}`, "want a key"},
		{`"abc`, "without an end"},
		{`"abc\`, "without an end"},
		{`"\u12`, "without an end"},
		{`"\u12zz"`, "not hexadecimal"},
		{`!2`, "behind !"},
		{`1.2.3`, "no number"},
		{`010`, "no number"},
		{`new Map()`, "code"},
		{`[1,` + "\n\n" + `f(x)]`, "line 3"},
		{"/* no end", "want a value"},
		{strings.Repeat("[", 1000), "too deeply"},
	}
	for _, test := range tests {
		if got, err := parseLiteral(test.src); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("parseLiteral(%.40q) = %v, %v, want %q", test.src, got, err, test.want)
		}
	}
}

// FuzzParseLiteral: JSON is JavaScript, so what encoding/json reads reads the same here; nothing panics.
func FuzzParseLiteral(f *testing.F) {
	f.Add(`{"a": [1, 2.5e3, "x\"y", null, true], "b": {}}`)
	f.Add("[{a: !0, b: .5, c: `t`, // comment\n}]")
	f.Add(`"\ud83d"`)
	f.Fuzz(func(t *testing.T, src string) {
		got, err := parseLiteral(src)
		decoder := json.NewDecoder(strings.NewReader(src))
		decoder.UseNumber()
		var want any
		if !json.Valid([]byte(src)) || decoder.Decode(&want) != nil || !isPlain(src) {
			return
		}
		if err != nil {
			if strings.Contains(err.Error(), "too deeply") || strings.Contains(err.Error(), "no number") {
				return
			}
			t.Fatalf("parseLiteral(%q): %v", src, err)
		}
		if !reflect.DeepEqual(withNumbers(want), got) {
			t.Errorf("parseLiteral(%q) = %#v, want %#v", src, got, want)
		}
	})
}

// isPlain leaves out what the two languages or their encoders treat differently: escapes and invalid UTF-8.
func isPlain(src string) bool {
	return !strings.Contains(src, `\`) && strings.ToValidUTF8(src, "") == src
}

func withNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case []any:
		for i := range v {
			v[i] = withNumbers(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = withNumbers(v[key])
		}
	}
	return v
}
