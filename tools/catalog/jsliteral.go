package main

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// number is a number as it is written in the source: prices keep their digits.
type number string

// parseLiteral reads the JavaScript literal at the beginning of src: objects, arrays, strings, numbers, booleans
// (also as !0 and !1), null and undefined, with comments and trailing commas. It runs no code. Objects become
// map[string]any, arrays []any, strings string, numbers number.
func parseLiteral(src string) (any, error) {
	p := &literalParser{src: src}
	v, err := p.value(0)
	if err != nil {
		line := 1 + strings.Count(src[:min(p.pos, len(src))], "\n")
		return nil, fmt.Errorf("line %d: %w", line, err)
	}
	return v, nil
}

// parseVariables reads the literals that a module assigns at its top, "var name = {", by name; what is code is left out.
// A literal may use those before it: as a value, or spread in an object.
func parseVariables(src string) map[string]any {
	p := &literalParser{src: src, names: map[string]any{}}
	for _, at := range topVariable.FindAllStringSubmatchIndex(src, -1) {
		p.pos = at[1] - 1
		if v, err := p.value(0); err == nil {
			p.names[src[at[2]:at[3]]] = v
		}
	}
	return p.names
}

var topVariable = regexp.MustCompile(`(?m)^(?:var|const|let) ([A-Za-z0-9_$]+) = \{`)

// maxDepth bounds the nesting of literals, and with it the stack.
const maxDepth = 100

type literalParser struct {
	src   string
	pos   int
	names map[string]any // literals that have been read under a name
}

// peek skips blanks and comments and returns the next byte, 0 at the end.
func (p *literalParser) peek() byte {
	for p.pos < len(p.src) {
		rest := p.src[p.pos:]
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			p.pos++
		case strings.HasPrefix(rest, "//"):
			p.skipPast(rest, "\n")
		case strings.HasPrefix(rest, "/*"):
			p.skipPast(rest, "*/")
		default:
			return rest[0]
		}
	}
	return 0
}

func (p *literalParser) skipPast(rest, end string) {
	if i := strings.Index(rest, end); i >= 0 {
		p.pos += i + len(end)
		return
	}
	p.pos = len(p.src)
}

// take consumes the next byte if it is c.
func (p *literalParser) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.pos++
	return true
}

func (p *literalParser) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("nested too deeply")
	}
	switch c := p.peek(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"' || c == '\'' || c == '`':
		return p.text()
	case c == '!':
		return p.negated()
	case isNumberByte(c):
		return p.product()
	}
	return p.keyword()
}

func (p *literalParser) object(depth int) (any, error) {
	p.pos++ // {
	object := map[string]any{}
	for !p.take('}') {
		if strings.HasPrefix(p.src[p.pos:], "...") {
			if err := p.spread(object); err != nil {
				return nil, err
			}
			continue
		}
		key, err := p.key()
		if err != nil {
			return nil, err
		}
		if !p.take(':') {
			return nil, fmt.Errorf("want : behind key %.40q", key)
		}
		if object[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
		if !p.take(',') && p.peek() != '}' {
			return nil, fmt.Errorf("want , or } behind the value of %.40q", key)
		}
	}
	return object, nil
}

// spread takes over the keys of an object that stands under a name: "...shared".
func (p *literalParser) spread(into map[string]any) error {
	p.pos += len("...")
	name := p.word()
	from, ok := p.names[name].(map[string]any)
	if !ok {
		return fmt.Errorf("...%.40s is no object that was read before", name)
	}
	maps.Copy(into, from)
	if !p.take(',') && p.peek() != '}' {
		return fmt.Errorf("want , or } behind ...%.40s", name)
	}
	return nil
}

func (p *literalParser) key() (string, error) {
	if c := p.peek(); c == '"' || c == '\'' {
		return p.text()
	}
	if key := p.word(); key != "" {
		return key, nil
	}
	return "", errors.New("want a key")
}

func (p *literalParser) array(depth int) (any, error) {
	p.pos++ // [
	array := []any{}
	for !p.take(']') {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
		if !p.take(',') && p.peek() != ']' {
			return nil, errors.New("want , or ] behind an element")
		}
	}
	return array, nil
}

// text reads a string in any of the three quotes; a template with code in it is refused.
func (p *literalParser) text() (string, error) {
	quote := p.src[p.pos]
	p.pos++
	var b strings.Builder
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		p.pos++
		switch {
		case c == quote:
			return b.String(), nil
		case c == '\\':
			if err := p.escape(&b); err != nil {
				return "", err
			}
		case quote == '`' && c == '$' && strings.HasPrefix(p.src[p.pos:], "{"):
			return "", errors.New("a template string with code in it")
		default:
			b.WriteByte(c)
		}
	}
	return "", errors.New("a string without an end")
}

// escape reads what stands behind a backslash.
func (p *literalParser) escape(b *strings.Builder) error {
	if p.pos >= len(p.src) {
		return errors.New("a string without an end")
	}
	c := p.src[p.pos]
	p.pos++
	switch c {
	case 'n':
		b.WriteByte('\n')
	case 't':
		b.WriteByte('\t')
	case 'r':
		b.WriteByte('\r')
	case '\n': // a line continuation
	case 'u', 'x':
		return p.codePoint(b, c)
	default:
		b.WriteByte(c)
	}
	return nil
}

// codePoint reads the digits of \xHH and \uHHHH.
func (p *literalParser) codePoint(b *strings.Builder, kind byte) error {
	digits := 4
	if kind == 'x' {
		digits = 2
	}
	if p.pos+digits > len(p.src) {
		return errors.New("an escape without an end")
	}
	code, err := strconv.ParseUint(p.src[p.pos:p.pos+digits], 16, 32)
	if err != nil {
		return errors.New("an escape that is not hexadecimal")
	}
	p.pos += digits
	b.WriteRune(rune(code))
	return nil
}

// negated reads !0 and !1, which is how minifiers write true and false.
func (p *literalParser) negated() (any, error) {
	p.pos++ // !
	switch {
	case p.take('0'):
		return true, nil
	case p.take('1'):
		return false, nil
	}
	return nil, errors.New("behind ! want 0 or 1")
}

func isNumberByte(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '.'
}

// product reads a number, or numbers with * and / between them.
func (p *literalParser) product() (any, error) {
	first, err := p.number()
	if err != nil || p.peek() != '*' && p.peek() != '/' {
		return first, err
	}
	value, _ := new(big.Rat).SetString(string(first))
	for {
		divide := p.peek() == '/'
		if !divide && p.peek() != '*' {
			return number(strings.TrimRight(value.FloatString(24), "0")), nil
		}
		p.pos++
		p.peek()
		next, err := p.number()
		if err != nil {
			return nil, err
		}
		factor, _ := new(big.Rat).SetString(string(next))
		switch {
		case !divide:
			value.Mul(value, factor)
		case factor.Sign() == 0:
			return nil, errors.New("a division by 0")
		default:
			value.Quo(value, factor)
		}
	}
}

func (p *literalParser) number() (number, error) {
	start := p.pos
	for p.pos < len(p.src) && (isNumberByte(p.src[p.pos]) || strings.IndexByte("eE+", p.src[p.pos]) >= 0) {
		p.pos++
	}
	text := p.src[start:p.pos]
	octal := len(text) > 1 && text[0] == '0' && text[1] != '.' && text[1]|0x20 != 'e' // 010 is 8 in JavaScript
	if _, err := strconv.ParseFloat(text, 64); err != nil || octal {
		return "", fmt.Errorf("%.40q is no number", text)
	}
	return number(text), nil
}

func (p *literalParser) keyword() (any, error) {
	switch word := p.word(); word {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null", "undefined":
		return nil, nil
	case "":
		return nil, errors.New("want a value")
	default:
		if v, ok := p.names[word]; ok {
			return v, nil
		}
		return nil, fmt.Errorf("%.40q is code, not a literal", word)
	}
}

// word reads letters, digits, _ and $; empty where none stand.
func (p *literalParser) word() string {
	p.peek()
	start := p.pos
	for p.pos < len(p.src) && isWordByte(p.src[p.pos]) {
		p.pos++
	}
	return p.src[start:p.pos]
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$'
}
