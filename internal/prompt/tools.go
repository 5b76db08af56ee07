package prompt

import (
	"math"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// OpenAI's models see tools as declarations in TypeScript:
//
//	namespace functions {
//
//	// Tells the weather.
//	type weather = (_: {
//	// A city.
//	city: string,
//	unit?: "celsius" | "fahrenheit",
//	}) => any;
//
//	} // namespace functions
//
// The question mark after a name that is not required makes one token with the colon, so that it need not be known.
// Other models see the JSON, or something about as long.

// maxNesting is how deep parameters are followed. What lies deeper is written as any type.
const maxNesting = 12

// offered reads the tools or functions that are offered.
func (c *counter) offered() {
	if !c.r.Array() {
		return
	}
	// Counted without a limit: with what is added and taken off for each, they may come to less than their text.
	before, limit := c.tally.tokens, c.tally.limit
	c.tally.limit = math.MaxInt64
	for c.r.Element() {
		if c.tools == 0 && c.family.typescript {
			c.tally.writeString("namespace functions {\n\n")
		}
		c.tools++
		c.tool(c.r.Raw())
	}
	if c.tools > 0 && c.family.typescript {
		c.tally.writeString("} // namespace functions")
	}
	c.tally.close()
	n := c.tally.tokens - before
	c.toolText += n
	c.tally.limit = limit
	if limit < math.MaxInt64-n {
		c.tally.limit = limit + n
	}
}

func (c *counter) tool(raw []byte) {
	c.toolBytes += int64(len(raw))
	var t declaration
	t.read(raw, 0)
	if t.foreign || t.name.raw == nil {
		c.unbounded = true // a tool of the provider's own
	}
	shaped := !isEmptyObject(t.parameters.properties)
	if shaped {
		c.shaped++
	}
	if c.family.typescript {
		c.declare(&t, shaped)
		return
	}
	c.list(raw, t.flat)
}

// list writes a tool as JSON in the form that chat completions give it, which is the one that was measured.
func (c *counter) list(raw []byte, flat bool) {
	r := jsonwalk.NewReader(raw)
	if flat {
		c.tally.writeString(`{"type":"function","function":`)
	}
	c.tally.compact(&r)
	if flat {
		c.tally.writeString("}")
	}
	c.tally.writeString("\n")
}

// text is a string as it stands in the body.
type text struct {
	raw     []byte
	escaped bool
}

func textOf(r *jsonwalk.Reader) (t text) {
	t.raw, t.escaped, _ = r.Text()
	return t
}

// declaration is what a tool declares.
type declaration struct {
	name, description text
	parameters        schema
	flat              bool // it is the function itself
	foreign           bool // it is neither a function nor a tool that the caller made
}

// read reads a tool, which has the function inside it, or a function, which is the tool.
func (t *declaration) read(raw []byte, depth int) {
	r := jsonwalk.NewReader(raw)
	if !r.Object() {
		return
	}
	for r.Member() {
		switch string(r.Key()) {
		case "type":
			kind := textOf(&r)
			t.foreign = t.foreign || string(kind.raw) != "function" && string(kind.raw) != "custom"
		case "function", "custom":
			if depth == 0 {
				t.read(r.Raw(), 1)
			}
		case "name":
			t.name, t.flat = textOf(&r), depth == 0
		case "description":
			t.description = textOf(&r)
		case "parameters", "input_schema", "parametersJsonSchema", "parameters_json_schema":
			t.parameters.read(r.Raw())
		}
	}
}

// schema is what a JSON schema says, as far as it is shown. Its parts lie in the body.
type schema struct {
	description, kind text
	kinds             []byte // where there are several
	enum              []byte
	items             []byte
	properties        []byte
}

func (s *schema) read(raw []byte) {
	r := jsonwalk.NewReader(raw)
	if !r.Object() {
		return
	}
	for r.Member() {
		switch string(r.Key()) {
		case "description":
			s.description = textOf(&r)
		case "type":
			if r.Kind() == jsonwalk.Array {
				s.kinds = r.Raw()
			} else {
				s.kind = textOf(&r)
			}
		case "enum":
			s.enum = r.Raw()
		case "items":
			s.items = r.Raw()
		case "properties":
			s.properties = r.Raw()
		}
	}
}

// declare writes the declaration of a tool.
func (c *counter) declare(t *declaration, shaped bool) {
	c.comment(t.description)
	c.tally.writeString("type ")
	c.tally.write(t.name.raw, t.name.escaped)
	if !shaped {
		c.tally.writeString(" = () => any;\n\n")
		return
	}
	c.tally.writeString(" = (_: {\n")
	c.writeProperties(t.parameters.properties, 0)
	c.tally.writeString("}) => any;\n\n")
}

func (c *counter) comment(t text) {
	if len(t.raw) > 0 {
		c.tally.writeString("// ")
		c.tally.write(t.raw, t.escaped)
		c.tally.writeString("\n")
	}
}

func isEmptyObject(raw []byte) bool {
	r := jsonwalk.NewReader(raw)
	return !r.Object() || !r.Member()
}

func (c *counter) writeProperties(raw []byte, depth int) {
	r := jsonwalk.NewReader(raw)
	if !r.Object() {
		return
	}
	var name [64]byte
	for r.Member() && !c.tally.over() {
		key := append(name[:0], r.Key()...)
		var s schema
		s.read(r.Raw())
		c.comment(s.description)
		c.tally.write(key, false)
		c.tally.writeString("?: ")
		c.writeType(&s, depth)
		c.tally.writeString(",\n")
	}
}

// writeType writes the type of a schema.
func (c *counter) writeType(s *schema, depth int) {
	switch {
	case depth >= maxNesting:
		c.tally.writeString("any")
	case s.enum != nil:
		c.writeUnion(s.enum, func(raw []byte) { c.tally.write(raw, false) })
	case s.kinds != nil:
		c.writeUnion(s.kinds, func(raw []byte) {
			r := jsonwalk.NewReader(raw)
			each := *s
			each.kinds, each.kind = nil, textOf(&r)
			c.writeKind(&each, depth)
			if k := string(each.kind.raw); k == "array" || k == "object" {
				s.items, s.properties = nil, nil // once, whatever a hostile list repeats
			}
		})
	default:
		c.writeKind(s, depth)
	}
}

func (c *counter) writeKind(s *schema, depth int) {
	switch kind := string(s.kind.raw); kind {
	case "string", "boolean", "null":
		c.tally.writeString(kind)
	case "integer", "number":
		c.tally.writeString("number")
	case "array":
		c.writeSchema(s.items, depth+1)
		c.tally.writeString("[]")
	case "object":
		c.tally.writeString("{\n")
		c.writeProperties(s.properties, depth+1)
		c.tally.writeString("}")
	default:
		c.tally.writeString("any")
	}
}

func (c *counter) writeSchema(raw []byte, depth int) {
	var s schema
	s.read(raw)
	c.writeType(&s, depth)
}

// writeUnion writes the elements of an array as alternatives.
func (c *counter) writeUnion(raw []byte, write func(raw []byte)) {
	r := jsonwalk.NewReader(raw)
	if !r.Array() {
		return
	}
	for separator := ""; r.Element() && !c.tally.over(); separator = " | " {
		c.tally.writeString(separator)
		write(r.Raw())
	}
}
