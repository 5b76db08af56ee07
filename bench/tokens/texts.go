package tokens

import (
	"encoding/base64"
	"fmt"
	"go/scanner"
	"go/token"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Text is something to count the tokens of.
type Text struct{ Name, Text string }

// SamplesFolder has the short texts that farebox's own tests use, as seen from this folder.
const SamplesFolder = "../../internal/bpe/testdata/corpus"

// Samples reads all files of a folder. Their names, without what is behind the dot, are the names of the texts.
func Samples(folder string) ([]Text, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.*"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("tokens: no texts in %s", folder)
	}
	texts := make([]Text, len(paths))
	for i, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		name := filepath.Base(path)
		texts[i] = Text{strings.TrimSuffix(name, filepath.Ext(name)), string(content)}
	}
	return texts, nil
}

// longSize is about how many bytes of Go's source make a long text.
const longSize = 256 << 10

// Long gives two long texts without repetition: source of Go's standard library, and the comments in it, which are
// English. They differ a little from one release of Go to the next.
func Long() ([]Text, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("tokens: go env: %w", err)
	}
	paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "src", "net", "http", "*.go"))
	if err != nil {
		return nil, err
	}
	var code, comments strings.Builder
	for _, path := range paths {
		if code.Len() >= longSize && comments.Len() >= longSize {
			break
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if code.Len() < longSize {
			code.Write(source)
		}
		writeComments(&comments, source)
	}
	if code.Len() < longSize {
		return nil, fmt.Errorf("tokens: only %d bytes of source in %s", code.Len(), root)
	}
	return []Text{{"long-english", comments.String()}, {"long-gocode", code.String()}}, nil
}

// writeComments writes the text of the comments of a Go file, without their marks.
func writeComments(b *strings.Builder, source []byte) {
	files := token.NewFileSet()
	var s scanner.Scanner
	s.Init(files.AddFile("", files.Base(), len(source)), source, nil, scanner.ScanComments)
	for {
		switch _, kind, text := s.Scan(); kind {
		case token.EOF:
			return
		case token.COMMENT:
			b.WriteString(strings.TrimPrefix(strings.TrimPrefix(text, "//"), " "))
			b.WriteByte('\n')
		}
	}
}

// Runs gives texts of n bytes that are one long piece, or that no vocabulary covers well: what somebody sends who wants
// a counter to take long.
func Runs(n int) []Text {
	rng := rand.New(rand.NewPCG(3, 5))
	noise := make([]byte, n*3/4)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	return []Text{
		{"letters", strings.Repeat("a", n)},
		{"spaces", strings.Repeat(" ", n)},
		{"newlines", strings.Repeat("\n", n)},
		{"base64", base64.StdEncoding.EncodeToString(noise)},
	}
}
