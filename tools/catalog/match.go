package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// matcher is a pattern by which genai-prices recognises a model's names. Texts are compared in lower case, as there.
type matcher struct {
	kind  string // and, or, equals, starts_with, ends_with, contains, regex
	text  string
	parts []matcher
}

func newMatcher(v any) (matcher, error) {
	object := asObject(v)
	if len(object) != 1 {
		return matcher{}, errors.New("a pattern needs exactly one operator")
	}
	for kind, operand := range object {
		switch kind {
		case "and", "or":
			return newCombination(kind, asArray(operand))
		case "equals", "starts_with", "ends_with", "contains", "regex":
			text, ok := operand.(string)
			if !ok || text == "" {
				return matcher{}, fmt.Errorf("pattern %s needs a text", kind)
			}
			return matcher{kind: kind, text: text}, nil
		}
		return matcher{}, fmt.Errorf("pattern %q is not known", kind)
	}
	return matcher{}, nil
}

func newCombination(kind string, operands []any) (matcher, error) {
	m := matcher{kind: kind}
	for _, operand := range operands {
		part, err := newMatcher(operand)
		if err != nil {
			return matcher{}, err
		}
		m.parts = append(m.parts, part)
	}
	return m, nil
}

// accepts says whether the pattern matches a name; unknown where it hangs on an expression that this program cannot
// run (lookahead).
func (m matcher) accepts(name string) support {
	lower, text := strings.ToLower(name), strings.ToLower(m.text)
	switch m.kind {
	case "equals":
		return supportIf(lower == text)
	case "starts_with":
		return supportIf(strings.HasPrefix(lower, text))
	case "ends_with":
		return supportIf(strings.HasSuffix(lower, text))
	case "contains":
		return supportIf(strings.Contains(lower, text))
	case "regex":
		expression, err := regexp.Compile(m.text)
		if err != nil {
			return unknown
		}
		return supportIf(expression.MatchString(name))
	}
	return m.combine(name)
}

func supportIf(b bool) support {
	if b {
		return yes
	}
	return no
}

func (m matcher) combine(name string) support {
	decisive := no // one no settles an "and", one yes an "or"
	if m.kind == "or" {
		decisive = yes
	}
	var answers []support
	for _, part := range m.parts {
		answers = append(answers, part.accepts(name))
	}
	switch {
	case slices.Contains(answers, decisive):
		return decisive
	case slices.Contains(answers, unknown):
		return unknown
	}
	return yes + no - decisive
}

// exactNames lists the names that the pattern spells out.
func (m matcher) exactNames() []string {
	switch m.kind {
	case "equals":
		return []string{m.text}
	case "or":
		var names []string
		for _, part := range m.parts {
			names = append(names, part.exactNames()...)
		}
		return names
	}
	return nil
}
