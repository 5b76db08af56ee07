package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew")

// binary builds the command, once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "farebox-test-")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "farebox")
	out, err := exec.Command("go", "build", "-o", name, ".").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return name, nil
})

// execute runs the built command.
func execute(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	name, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestGolden(t *testing.T) {
	t.Parallel()
	const at = "--at=2026-11-24T12:00:00Z"
	for name, args := range map[string][]string{
		"price":        {"price", "--model", "otter", "--endpoint", "acme", "--input", "2000", "--cached", "500", "--output", "300", "--calls", "1000", at},
		"price_flex":   {"price", "--model", "otter", "--provider", "acme", "--input", "150000", "--output", "300", "--tier", "flex", "--units", "web_search=2,image/1024x1024/hd=1", at},
		"price_peak":   {"price", "--model", "otter", "--input", "1000", "--at", "2026-11-24T02:00:00Z", "--json"},
		"price_tier":   {"price", "--model", "otter-small", "--input", "1000", "--tier", "priority", at},
		"compare":      {"compare", "--provider", "acme", "--input", "2000", "--output", "500", "--calls", "1000", at},
		"compare_few":  {"compare", "--models", "otter-tiny,otter-large,otter-none", "--input", "9000", "--output", "500", "--needs", "tools", at},
		"compare_json": {"compare", "--provider", "acme", "--input", "2000", "--output", "500", "--needs", "vision", at, "--json"},
		"models":       {"models", "otter-", "--provider", "acme"},
		"show":         {"models", "show", "otter"},
		"show_json":    {"models", "show", "otter-small", "--json"},
		"validate":     {"catalog", "validate", "testdata/prices.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, stderr, code := execute(t, append([]string{"--prices", "testdata/prices.yaml"}, args...)...)
			if code != 0 || stderr != "" {
				t.Fatalf("exit %d: %s", code, stderr)
			}
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestBinaryExitCodes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		code int
		args []string
	}{
		{0, []string{"--help"}},
		{0, []string{"models", "gpt-4o"}},
		{1, []string{"models", "show", "no-such-model"}},
		{1, []string{"catalog", "validate", "go.mod"}},
		{2, []string{"price"}},
		{2, []string{"compare", "--inputs", "1"}},
	} {
		stdout, stderr, code := execute(t, tc.args...)
		if code != tc.code {
			t.Errorf("%v: exit %d, want %d; %s%s", tc.args, code, tc.code, stdout, stderr)
		}
		if strings.Contains(stdout+stderr, "\x1b[") {
			t.Errorf("%v: colours where nobody looks", tc.args)
		}
	}
}

// The three worked examples of a pay-as-you-go price page.
func TestBinaryPricesWorkedExamples(t *testing.T) {
	t.Parallel()
	for total, args := range map[string]string{
		"1.1":   "--rates input=0.20,output=0.60 --calls 10000 --input 100 --output 150",
		"3.25":  "--rates input=10,output=30 --calls 50 --input 500 --output 2000",
		"0.006": "--rates input=0.30,output=0.60 --calls 20 --input 200 --output 400",
	} {
		stdout, stderr, code := execute(t, append([]string{"price", "--json"}, strings.Fields(args)...)...)
		var got struct {
			Total string `json:"total"`
		}
		if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 || got.Total != total {
			t.Errorf("%s: total %q, want %q; exit %d, %v %s", args, got.Total, total, code, err, stderr)
		}
	}
}

func TestRefreshDiffAndOfflineUse(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	body := `[{"id":"openai","models":[{"id":"gpt-4o-mini","cost_per_1m_in":0.30,"cost_per_1m_out":0.6},{"id":"otter-new","cost_per_1m_in":1,"cost_per_1m_out":2},{"id":"bad","cost_per_1m_in":-1,"cost_per_1m_out":2}]}]`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.WriteString(w, body)
	}))
	defer server.Close()
	kept := t.TempDir()
	source := "catwalk=" + server.URL + "/list.json"

	stdout, stderr, code := execute(t, "--kept", kept, "catalog", "refresh", source)
	if code != 0 || !strings.Contains(stdout, "2 models") || !strings.Contains(stdout, "left out: openai/bad") {
		t.Fatalf("exit %d: %s%s", code, stdout, stderr)
	}
	stdout, _, code = execute(t, "--kept", kept, "price", "--model", "otter-new", "--input", "1000000")
	if code != 0 || !strings.Contains(stdout, "$1") || !strings.Contains(stdout, "/list.json") {
		t.Errorf("a kept list is not used: exit %d, %s", code, stdout)
	}
	stdout, _, code = execute(t, "--kept", kept, "catalog", "diff", "--json")
	var differences []struct{ Model, Dimension, Known, Listed string }
	if err := json.Unmarshal([]byte(stdout), &differences); err != nil || code != 0 || len(differences) != 1 || differences[0].Model != "gpt-4o-mini" || differences[0].Listed != "0.0000003" {
		t.Errorf("differences: exit %d, %v, %s", code, err, stdout)
	}
	if stdout, _, _ = execute(t, "--kept", kept, "catalog", "sources", "--json"); !strings.Contains(stdout, "/list.json") {
		t.Errorf("sources: %s", stdout)
	}

	mu.Lock()
	body = `[{"id":"openai","models":[{"id":"gpt-4o-mini","cost_per_1m_in":30,"cost_per_1m_out":0.6},{"id":"otter-new","cost_per_1m_in":1,"cost_per_1m_out":2}]}]`
	mu.Unlock()
	if stdout, _, code = execute(t, "--kept", kept, "catalog", "refresh", source); code != 0 || !strings.Contains(stdout, "held back: openai/gpt-4o-mini input from $0.3 to $30 per million") {
		t.Errorf("a price that moved too far: exit %d, %s", code, stdout)
	}
	mu.Lock()
	body = "<html>"
	mu.Unlock()
	stdout, _, code = execute(t, "--kept", kept, "catalog", "refresh", source, "--json")
	if code != 1 || !strings.Contains(stdout, `"outcome": "failed"`) {
		t.Errorf("a list that is none: exit %d, %s", code, stdout)
	}
	if stdout, _, _ = execute(t, "--kept", kept, "models", "otter-new"); !strings.Contains(stdout, "otter-new") {
		t.Errorf("after a failure the last good list is gone: %s", stdout)
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"co":                               "compare completion count",
		"catalog ":                         "diff refresh sources validate",
		"catalog refresh lite":             "litellm",
		"price --mo":                       "--model",
		"price --model claude-opus-4-1":    "claude-opus-4-1 claude-opus-4-1-20250805",
		"price --endpoint=anthro":          "anthropic",
		"price --tier ":                    "batch flex priority",
		"completion ":                      "bash fish zsh",
		"catalog validate --format models": "models.dev",
	} {
		args := append([]string{"__complete", "--"}, strings.Split(words, " ")...)
		stdout, stderr, code := invoke(t, args...)
		if got := strings.Join(strings.Fields(stdout), " "); code != 0 || got != want && !(strings.HasPrefix(words, "price --model") && strings.Contains(got, "claude-opus-4-1")) {
			t.Errorf("%q: %q, want %q; exit %d, %s", words, got, want, code, stderr)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		stdout, _, code := invoke(t, "completion", shell)
		if code != 0 || !strings.Contains(stdout, "__complete") {
			t.Errorf("%s: exit %d, %q", shell, code, stdout)
		}
		if path, err := exec.LookPath(shell); err == nil {
			check := exec.Command(path, "-n")
			check.Stdin = strings.NewReader(stdout)
			if out, err := check.CombinedOutput(); err != nil {
				t.Errorf("%s does not take its script: %v %s", shell, err, out)
			}
		}
	}
}

func TestYAMLIsReadExactly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a: 0.10":                             `{"a":0.10}`,
		"a: .5":                               `{"a":0.5}`,
		"a: 1_000":                            `{"a":1000}`,
		"a: 2026-11-01":                       `{"a":"2026-11-01"}`,
		"a: [x, true, null, 'y']":             `{"a":["x",true,null,"y"]}`,
		"a: .inf":                             `{"a":".inf"}`,
		"a: 0x10":                             `{"a":"0x10"}`,
		"b: &b {c: 1e-7}\nd: *b":              `{"b":{"c":1e-7},"d":{"c":1e-7}}`,
		"{\"json\": [1.50, \"is YAML too\"]}": `{"json":[1.50,"is YAML too"]}`,
	} {
		got, err := jsonOfYAML([]byte(text))
		if err != nil || string(got) != want || !json.Valid(got) {
			t.Errorf("%q: %s, %v; want %s", text, got, err, want)
		}
	}
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for _, next := range "bcdefghij" {
		last := string(next - 1)
		bomb += string(next) + ": &" + string(next) + " [" + strings.Repeat("*"+last+",", 10) + "]\n"
	}
	for _, text := range []string{"", "? [a]\n: b", "a: b: c", bomb} {
		if _, err := jsonOfYAML([]byte(text)); err == nil {
			t.Errorf("%.40q: no error", text)
		}
	}
}

func FuzzYAML(f *testing.F) {
	data, err := os.ReadFile("testdata/prices.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if got, err := jsonOfYAML(data); err == nil && !json.Valid(got) {
			t.Errorf("%q becomes %s", data, got)
		}
	})
}
