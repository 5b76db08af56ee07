package main

import (
	"slices"
	"strings"
	"testing"
)

// literal reads a JavaScript literal that is known to be good.
func literal(t *testing.T, src string) any {
	t.Helper()
	v, err := parseLiteral(src)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMatcher(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, name string
		want          support
	}{
		{`{equals: "GPT-4"}`, "gpt-4", yes},
		{`{equals: "gpt-4"}`, "gpt-4o", no},
		{`{starts_with: "gpt-4"}`, "GPT-4o", yes},
		{`{ends_with: "-mini"}`, "gpt-4o-mini", yes},
		{`{ends_with: "-mini"}`, "gpt-4o-mini-1", no},
		{`{contains: "4o"}`, "gpt-4o-mini", yes},
		{`{regex: "^gpt-\\d$"}`, "gpt-5", yes},
		{`{regex: "^gpt-\\d$"}`, "gpt-55", no},
		{`{regex: "^(?!x)"}`, "gpt-5", unknown},
		{`{or: [{equals: "a"}, {equals: "b"}]}`, "b", yes},
		{`{or: [{equals: "a"}, {equals: "b"}]}`, "c", no},
		{`{or: [{equals: "a"}, {regex: "^(?!x)"}]}`, "a", yes},
		{`{or: [{equals: "a"}, {regex: "^(?!x)"}]}`, "c", unknown},
		{`{and: [{starts_with: "a"}, {ends_with: "z"}]}`, "abcz", yes},
		{`{and: [{starts_with: "a"}, {ends_with: "z"}]}`, "abc", no},
		{`{and: [{starts_with: "a"}, {regex: "^(?!x)"}]}`, "abc", unknown},
		{`{and: [{starts_with: "a"}, {regex: "^(?!x)"}]}`, "b", no},
	}
	for _, test := range tests {
		m, err := newMatcher(literal(t, test.pattern))
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		if got := m.accepts(test.name); got != test.want {
			t.Errorf("%s accepts %q: %d, want %d", test.pattern, test.name, got, test.want)
		}
	}
}

// Only what a pattern spells out is a name: never a prefix, a part or an expression, nor one side of an "and".
func TestMatcherExactNames(t *testing.T) {
	t.Parallel()
	m, err := newMatcher(literal(t, `{or: [
		{equals: "a"}, {starts_with: "b"}, {contains: "c"}, {ends_with: "d"}, {regex: "e"},
		{or: [{equals: "f"}]}, {and: [{equals: "g"}, {contains: "g"}]}
	]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.exactNames(); !slices.Equal(got, []string{"a", "f"}) {
		t.Errorf("got %q, want a and f", got)
	}
}

func TestMatcherErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ pattern, want string }{
		{`null`, "exactly one operator"},
		{`{}`, "exactly one operator"},
		{`{equals: "a", contains: "b"}`, "exactly one operator"},
		{`{sounds_like: "a"}`, "not known"},
		{`{equals: 1}`, "needs a text"},
		{`{equals: ""}`, "needs a text"},
		{`{or: [{equals: "a"}, {}]}`, "exactly one operator"},
	} {
		if _, err := newMatcher(literal(t, test.pattern)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.pattern, err, test.want)
		}
	}
}
