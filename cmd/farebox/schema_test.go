package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/farebox-go/farebox"
)

// The schema and the reader agree on what a price file is.
func TestSchemaAgreesWithTheReader(t *testing.T) {
	t.Parallel()
	schema, err := jsonschema.NewCompiler().Compile("../../docs/prices.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	yaml, err := os.ReadFile("testdata/prices.yaml")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := jsonOfYAML(yaml)
	if err != nil {
		t.Fatal(err)
	}
	price := func(p string) string { return `{"models":[{"name":"m","prices":[` + p + `]}]}` }
	for text, good := range map[string]bool{
		string(whole):              true,
		price(`{"free":true}`):     true,
		price(`{"variable":true}`): true,
		price(`{"from":"2026-01-31","per_million":{"input":"0.25"}}`):                                                       true,
		price(`{"from":"2026-01-31T12:00:00Z","per_million":{"input":1}}`):                                                  true,
		price(`{"per_unit":{"unit/guardrail":"0.001","web_search/high":0.05,"image/1024x1024/hd":"4e-2","request":1}}`):     true,
		price(`{"per_million":{"input":1},"overrides":[{"when":{"service_tier":"flex","days":["mon",7]},"multiplier":2}]}`): true,
		`{}`:                       false,
		`{"models":[]}`:            false,
		`{"modles":[]}`:            false,
		price(``):                  false,
		price(`{}`):                false,
		price(`{"per_milion":{}}`): false,
		price(`{"per_million":{"web_search":1}}`):                                                    false,
		price(`{"per_million":{"input/big":1}}`):                                                     false,
		price(`{"per_million":{"input":-1}}`):                                                        false,
		price(`{"per_million":{"input":"cheap"}}`):                                                   false,
		price(`{"per_unit":{"unit":1}}`):                                                             false,
		price(`{"per_unit":{"request/x":1}}`):                                                        false,
		price(`{"from":"soon","per_million":{"input":1}}`):                                           false,
		price(`{"per_million":{"input":1},"overrides":[{"when":{"region":"eu"}}]}`):                  false,
		price(`{"per_million":{"input":1},"overrides":[{"when":{"moon":"full"},"multiplier":2}]}`):   false,
		price(`{"per_million":{"input":1},"overrides":[{"when":{"hours_utc":"7"},"multiplier":2}]}`): false,
		`{"models":[{"name":"two words","prices":[{"free":true}]}]}`:                                 false,
		`{"models":[{"prices":[{"free":true}]}]}`:                                                    false,
	} {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		bySchema := schema.Validate(document)
		_, byReader := farebox.ReadPriceList(farebox.FormatFarebox, "test", time.Now(), bytes.NewReader([]byte(text)))
		if (bySchema == nil) != good || (byReader == nil) != good {
			t.Errorf("%s\nschema: %v\nreader: %v\nwant it good: %t", text, bySchema, byReader, good)
		}
	}
}

// The example in the document is a price file.
func TestDocumentedPriceFileIsGood(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/catalog.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("there is no example")
	}
	name := filepath.Join(t.TempDir(), "prices.yaml")
	if err := os.WriteFile(name, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := invoke(t, "catalog", "validate", name)
	if code != 0 || !strings.Contains(stdout, "good, 2 models") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
}
