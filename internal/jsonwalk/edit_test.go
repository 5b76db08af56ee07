package jsonwalk_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

func TestSet(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		document string
		path     []string
		want     string // empty: an error
	}{
		{`{}`, []string{"a"}, `{"a":7}`},
		{` { } `, []string{"a", "b"}, ` {"a":{"b":7} } `},
		{`{"x" : 1 }`, []string{"a"}, `{"x" : 1,"a":7 }`},
		{`{"a" : [1] , "x":2}`, []string{"a"}, `{"a" : 7 , "x":2}`},
		{`{"a":{"x":1}}`, []string{"a", "b", "c"}, `{"a":{"x":1,"b":{"c":7}}}`},
		{`{"a":null}`, []string{"a", "b", "c"}, `{"a":{"b":{"c":7}}}`},
		{`{"a":{"b":1},"a":{}}`, []string{"a", "b"}, `{"a":{"b":7},"a":{"b":7}}`},
		{`{"\u0061":1}`, []string{"a"}, `{"\u0061":7}`},
		{`{"a":"text"}`, []string{"a", "b"}, ""},
		{`[]`, []string{"a"}, ""},
		{`{"a":1`, []string{"a"}, ""},
		{`{"a":1}}`, []string{"a"}, ""},
		{``, []string{"a"}, ""},
	} {
		before := test.document
		got, err := jsonwalk.Set([]byte(test.document), "7", test.path...)
		if string(got) != test.want || (err == nil) != (test.want != "") || before != test.document {
			t.Errorf("%s %v: %s, %v, want %s", test.document, test.path, got, err, test.want)
		}
		if err == nil && string(jsonwalk.Find(got, test.path...)) != "7" {
			t.Errorf("%s: what was set at %v is not found", got, test.path)
		}
	}
	if got := jsonwalk.Find([]byte(`{"a":{"b": [1,2] }}`), "a", "b"); string(got) != "[1,2]" {
		t.Errorf("found %s", got)
	}
	if got := jsonwalk.Find([]byte(`{"a":1}`), "a", "b"); got != nil {
		t.Errorf("found %s in a number", got)
	}
}

// FuzzSet compares with decoding, setting and encoding.
func FuzzSet(f *testing.F) {
	f.Add([]byte(`{"a":{"b":1,"c":[{}]},"x":"y"}`))
	f.Add([]byte(`{"a":null}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		got, err := jsonwalk.Set(document, "7", "a", "b")
		if err != nil || !json.Valid(document) {
			return
		}
		var before, after map[string]any
		if json.Unmarshal(document, &before) != nil {
			return
		}
		if err := json.Unmarshal(got, &after); err != nil {
			t.Fatalf("%q became %q: %v", document, got, err)
		}
		inner, _ := before["a"].(map[string]any)
		if inner == nil {
			inner = map[string]any{}
		}
		inner["b"] = 7.0
		if before["a"] = inner; !reflect.DeepEqual(before, after) {
			t.Fatalf("%q became %q", document, got)
		}
	})
}
