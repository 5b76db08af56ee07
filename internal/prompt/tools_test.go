package prompt

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/farebox-go/farebox/internal/jsonwalk"
)

// shown is how a family's models see a tool.
func shown(t testing.TB, model, tool string) string {
	t.Helper()
	c := new(counter)
	c.family = familyOf(model)
	encoding, err := c.family.vocabulary()
	if err != nil {
		t.Fatal(err)
	}
	c.tally.start(encoding, math.MaxInt64)
	c.tool([]byte(tool))
	return string(c.tally.buf)
}

func TestDeclarations(t *testing.T) {
	t.Parallel()
	function := func(properties string) string {
		return `{"type":"function","function":{"parameters":{"properties":{` + properties + `},"type":"object"},"name":"f","strict":true}}`
	}
	of := func(properties string) string { return "type f = (_: {\n" + properties + "}) => any;\n\n" }
	for _, c := range []struct{ name, tool, want string }{
		{"no parameters", `{"function":{"name":"f"}}`, "type f = () => any;\n\n"},
		{"empty parameters", function(``), "type f = () => any;\n\n"},
		{"a description", `{"function":{"name":"f","description":"Does \"it\".\nWell."}}`, "// Does \"it\".\nWell.\ntype f = () => any;\n\n"},
		{"an empty description", `{"function":{"name":"f","description":""}}`, "type f = () => any;\n\n"},
		{"a function by itself", `{"name":"f","parameters":{"properties":{"a":{"type":"string"}}}}`, of("a?: string,\n")},
		{"scalars", function(`"a":{"type":"string"},"b":{"type":"integer"},"c":{"type":"number"},"d":{"type":"boolean"},"e":{"type":"null"}`),
			of("a?: string,\nb?: number,\nc?: number,\nd?: boolean,\ne?: null,\n")},
		{"a described parameter", function(`"a":{"type":"string","description":"The a."}`), of("// The a.\na?: string,\n")},
		{"choices", function(`"a":{"type":"string","enum":["x","y"]}`), of("a?: \"x\" | \"y\",\n")},
		{"an array", function(`"a":{"type":"array","items":{"type":"integer"}}`), of("a?: number[],\n")},
		{"an array of anything", function(`"a":{"type":"array"}`), of("a?: any[],\n")},
		{"several types", function(`"a":{"type":["string","null"]}`), of("a?: string | null,\n")},
		{"alternatives", function(`"a":{"anyOf":[{"type":"string"},{"type":"null"}]}`), of("a?: any,\n")},
		{"an object", function(`"a":{"type":"object","properties":{"b":{"type":"string"}}}`), of("a?: {\nb?: string,\n},\n")},
		{"a schema that is none", function(`"a":true`), of("a?: any,\n")},
		{"a long name", function(`"` + strings.Repeat("n", 100) + `":{}`), of(strings.Repeat("n", 100) + "?: any,\n")},
	} {
		if got := shown(t, "gpt-4o", c.tool); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestToolsAsJSON(t *testing.T) {
	t.Parallel()
	got := shown(t, "mistral-large", "{ \"type\" : \"function\",\n \"function\": {\"name\":\"f\", \"parameters\":{\"required\":[ 1, true ]} } }")
	if want := `{"type":"function","function":{"name":"f","parameters":{"required":[1,true]}}}` + "\n"; got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// TestDeepTools nests parameters as deep as the reader goes.
func TestDeepTools(t *testing.T) {
	t.Parallel()
	const depth = jsonwalk.MaxDepth/2 - 10
	tool := `{"name":"f","parameters":` + strings.Repeat(`{"type":"object","properties":{"a":`, depth) + `{"type":"string"}` + strings.Repeat(`}}`, depth) + `}`
	if got := shown(t, "gpt-4o", tool); strings.Count(got, "{") != maxNesting+1 || !strings.Contains(got, "a?: any") {
		t.Errorf("%q", got)
	}
	if _, err := Count(OpenAI, "gpt-4o", []byte(`{"tools":[`+tool+`]}`)); err != nil {
		t.Error(err)
	}
}

// TestHostileTools repeats types, so that what is nested in them would be written again and again.
func TestHostileTools(t *testing.T) {
	t.Parallel()
	many := strings.Repeat(`"array","object",`, 20) + `"array"`
	parameters := `{"type":"string","description":"deep"}`
	for range maxNesting {
		parameters = fmt.Sprintf(`{"type":[%s],"items":%s}`, many, parameters)
	}
	tool := `{"name":"f","parameters":{"type":"object","properties":{"a":` + parameters + `}}}`
	if got := shown(t, "gpt-4o", tool); len(got) > len(tool) {
		t.Errorf("%d bytes become %d", len(tool), len(got))
	}
}
