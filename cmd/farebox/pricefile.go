package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/farebox-go/farebox"
)

// readPriceFile reads a price list from a file; one that is named .yaml or .yml is YAML in the same form.
func readPriceFile(format farebox.PriceFormat, name string) (*farebox.PriceList, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, farebox.MaxPriceListBytes+1))
	if err != nil {
		return nil, err
	}
	if ext := strings.ToLower(filepath.Ext(name)); ext == ".yaml" || ext == ".yml" {
		if data, err = jsonOfYAML(data); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	asOf := time.Now()
	if info, err := file.Stat(); err == nil {
		asOf = info.ModTime()
	}
	return farebox.ReadPriceList(format, name, asOf.UTC(), bytes.NewReader(data))
}

// maxYAMLNodes bounds a document whose aliases would make it grow without an end.
const maxYAMLNodes = 1 << 20

// jsonOfYAML writes a YAML document as JSON. Numbers keep their digits: a price never is a float on the way.
func jsonOfYAML(data []byte) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, err
	}
	if document.Kind == 0 {
		return nil, errors.New("it is empty")
	}
	w := yamlWriter{}
	if err := w.write(&document, 0); err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}

type yamlWriter struct {
	bytes.Buffer
	nodes int
}

func (w *yamlWriter) write(n *yaml.Node, depth int) error {
	if w.nodes++; w.nodes > maxYAMLNodes || depth > 1000 {
		return fmt.Errorf("line %d: the document is too large, or its aliases go in circles", n.Line)
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return w.write(n.Content[0], depth+1)
	case yaml.AliasNode:
		return w.write(n.Alias, depth+1)
	case yaml.SequenceNode:
		return w.list('[', ']', len(n.Content), func(i int) error { return w.write(n.Content[i], depth+1) })
	case yaml.MappingNode:
		return w.list('{', '}', len(n.Content)/2, func(i int) error {
			key := n.Content[2*i]
			if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
				return fmt.Errorf("line %d: a key has to be a plain word", key.Line)
			}
			w.text(key.Value)
			w.WriteByte(':')
			return w.write(n.Content[2*i+1], depth+1)
		})
	}
	return w.scalar(n)
}

func (w *yamlWriter) list(open, closing byte, n int, item func(i int) error) error {
	w.WriteByte(open)
	for i := range n {
		if i > 0 {
			w.WriteByte(',')
		}
		if err := item(i); err != nil {
			return err
		}
	}
	return w.WriteByte(closing)
}

func (w *yamlWriter) scalar(n *yaml.Node) error {
	switch n.ShortTag() {
	case "!!null":
		w.WriteString("null")
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err != nil {
			return err
		}
		w.WriteString(strconv.FormatBool(b))
	case "!!int", "!!float":
		w.number(n.Value)
	default: // texts, and dates, which are texts in JSON
		w.text(n.Value)
	}
	return nil
}

// number writes a number as JSON has it, or as a text where JSON has no such number: whoever reads it says what is wrong.
func (w *yamlWriter) number(literal string) {
	plain := strings.ReplaceAll(strings.TrimPrefix(literal, "+"), "_", "")
	if strings.HasPrefix(plain, ".") {
		plain = "0" + plain
	}
	digits := strings.TrimPrefix(plain, "-")
	padded := len(digits) > 1 && digits[0] == '0' && digits[1] != '.' && digits[1]|0x20 != 'e'
	if _, err := strconv.ParseFloat(plain, 64); err != nil || padded || strings.Trim(plain, "0123456789+-.eE") != "" || strings.HasSuffix(plain, ".") {
		w.text(literal)
		return
	}
	w.WriteString(plain)
}

func (w *yamlWriter) text(s string) {
	w.WriteString(strconv.Quote(strings.ToValidUTF8(s, "?")))
}
