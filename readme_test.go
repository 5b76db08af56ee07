package farebox_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeSnippetsAreCompiled holds every Go snippet of the README against the examples, which are compiled and run.
func TestReadmeSnippetsAreCompiled(t *testing.T) {
	t.Parallel()
	readme := readFile(t, "README.md")
	examples := flat(readFile(t, "example_test.go"))
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readme, -1)
	if len(snippets) < 5 {
		t.Fatalf("the README has %d snippets: is it read right?", len(snippets))
	}
	for _, snippet := range snippets {
		if !strings.Contains(examples, flat(snippet[1])) {
			t.Errorf("no example holds this snippet:\n%s", snippet[1])
		}
	}
}

// flat drops indentation, which differs between a snippet and the function that it stands in.
func flat(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
