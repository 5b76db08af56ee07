package pricediff

import (
	"bufio"
	"context"
	_ "embed" // the program that asks
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed peers.mjs
var program []byte

// The packages that are asked, in the versions whose answers the document explains.
const (
	genaiPackage = "@pydantic/genai-prices@0.1.8"
	aisdkPackage = "ai-sdk-cost-calculator@7.1.14"
)

// question is a call to be priced: one of a model at a time, with quantities that have no token in common.
type question struct {
	Provider string `json:"-"` // in farebox's words
	reads    bool   // an embedding model: it reads and writes nothing

	GenAIProvider string `json:"genai_provider"` // empty: that package does not have the provider
	AISDKProvider string `json:"aisdk_provider"`
	Model         string `json:"model"`
	At            string `json:"at"`
	Input         int64  `json:"input"`
	CacheRead     int64  `json:"cache_read"`
	CacheWrite    int64  `json:"cache_write"`
	Output        int64  `json:"output"`
	Reasoning     int64  `json:"reasoning"`
	WebSearches   int64  `json:"web_searches"`
}

// answer is what the packages make of a question; nil: they do not know the model.
type answer struct {
	GenAI *struct {
		Total float64         `json:"total"`
		Model string          `json:"model"`
		Rates json.RawMessage `json:"rates"`
	} `json:"genai"`
	AISDK *struct {
		Total float64                `json:"total"`
		Rates map[string]json.Number `json:"-"`
		Raw   json.RawMessage        `json:"rates"`
	} `json:"aisdk"`
}

// peers is the two packages, unpacked.
type peers struct{ folder string }

// fetch unpacks the packages into a folder. It runs nothing of theirs.
func fetch(ctx context.Context, folder string) (*peers, error) {
	for name, spec := range map[string]string{"genai": genaiPackage, "aisdk": aisdkPackage} {
		into := filepath.Join(folder, name)
		if err := os.MkdirAll(into, 0o755); err != nil {
			return nil, err
		}
		pack := exec.CommandContext(ctx, "npm", "pack", "--silent", spec)
		pack.Dir = into
		out, err := pack.Output()
		if err != nil {
			return nil, fmt.Errorf("npm pack %s: %w", spec, err)
		}
		unpack := exec.CommandContext(ctx, "tar", "-xzf", strings.TrimSpace(string(out)))
		unpack.Dir = into
		if err := unpack.Run(); err != nil {
			return nil, fmt.Errorf("unpacking %s: %w", spec, err)
		}
	}
	return &peers{folder}, os.WriteFile(filepath.Join(folder, "peers.mjs"), program, 0o644)
}

// ask puts questions to both packages, in one process.
func (p *peers) ask(ctx context.Context, questions []question) ([]answer, error) {
	input, err := os.Create(filepath.Join(p.folder, "questions"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = input.Close() }()
	encoder := json.NewEncoder(input)
	for i := range questions {
		if err := encoder.Encode(&questions[i]); err != nil {
			return nil, err
		}
	}
	if _, err := input.Seek(0, 0); err != nil {
		return nil, err
	}
	node := exec.CommandContext(ctx, "node", filepath.Join(p.folder, "peers.mjs"), p.folder)
	node.Stdin = input
	output, err := node.Output()
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	answers := make([]answer, 0, len(questions))
	lines := bufio.NewScanner(strings.NewReader(string(output)))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return nil, err
		}
		if a.AISDK != nil {
			a.AISDK.Rates = numbersOf(a.AISDK.Raw)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(questions) {
		return nil, fmt.Errorf("%d answers to %d questions", len(answers), len(questions))
	}
	return answers, lines.Err()
}

// numbersOf keeps the fields of an object that are numbers, as written.
func numbersOf(raw json.RawMessage) map[string]json.Number {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return nil
	}
	numbers := make(map[string]json.Number)
	for name, value := range fields {
		var n json.Number
		if json.Unmarshal(value, &n) == nil && len(value) > 0 && value[0] != '"' {
			numbers[name] = n
		} else if string(value) == "true" {
			numbers[name] = "1"
		}
	}
	return numbers
}
